#include "kernels/cpu/isa.h"

/* The widest that the machine has wins: each overwrites the one before. */
void ops_init_cpu(struct ops *ops)
{
    ops_init_base(ops);
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        ops_init_avx2(ops);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        ops_init_avx512(ops);
#endif
}
