/* Compiled with the flags in kernels/room.mk; empty where the compiler's target has no such set. */
#ifdef __AVX2__
#include "kernels/cpu/isa.inc"

void ops_init_avx2(struct ops *ops)
{
    overwrite(ops);
}
#elif defined __x86_64__
#error "kernels/room.mk compiles this with -mavx2 -mfma"
#else
#include "kernels/cpu/isa.h"

void ops_init_avx2(struct ops *ops)
{
    (void)ops;
}
#endif
