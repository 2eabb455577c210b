/* Compiled with the flags in kernels/room.mk; empty where the compiler's target has no such set. */
#ifdef __AVX512F__
#include "kernels/cpu/isa.inc"

void ops_init_avx512(struct ops *ops)
{
    overwrite(ops);
}
#elif defined __x86_64__
#error "kernels/room.mk compiles this with -march=x86-64-v4"
#else
#include "kernels/cpu/isa.h"

void ops_init_avx512(struct ops *ops)
{
    (void)ops;
}
#endif
