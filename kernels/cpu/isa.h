/* Every CPU kernel, compiled once for each instruction set by isa_*.c. Each overwrites the slots of
 * the table; the caller has asked whether the machine can. Without effect where the compiler's
 * target has no such instruction set. */
#ifndef AUTEUR_KERNELS_ISA_H
#define AUTEUR_KERNELS_ISA_H

#include "kernels/device_impl.h"

void ops_init_base(struct ops *ops);
void ops_init_avx2(struct ops *ops);
void ops_init_avx512(struct ops *ops);
void ops_init_f16(struct ops *ops);

#endif
