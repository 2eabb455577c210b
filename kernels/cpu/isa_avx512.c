/* Compiled with the flags in kernels/room.mk; empty where the compiler's target has no such set. */
#ifdef __AVX512F__
#include "kernels/cpu/isa.inc"

void ops_init_avx512(struct ops *ops)
{
    overwrite(ops);
}
#else
#include "kernels/cpu/isa.h"

void ops_init_avx512(struct ops *ops)
{
    (void)ops;
}
#endif
