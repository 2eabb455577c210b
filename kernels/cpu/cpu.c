#include "kernels/cpu/isa.h"

#ifdef __x86_64__
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

static bool has_f16(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512fp16");
}
#endif

/* The widest that the machine has wins: each overwrites the one before. */
void ops_init_cpu(struct ops *ops)
{
    ops_init_base(ops);
#ifdef __x86_64__
    if (has_avx2())
        ops_init_avx2(ops);
    if (has_avx512())
        ops_init_avx512(ops);
    if (has_f16())
        ops_init_f16(ops);
#endif
}

const char *cpu_instruction_set(void)
{
#if defined(__x86_64__)
    return has_avx512() ? "AVX-512" : has_avx2() ? "AVX2" : "SSE2";
#elif defined(__ARM_NEON)
    return "NEON";
#else
    return "plain C";
#endif
}
