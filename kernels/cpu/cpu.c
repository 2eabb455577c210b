#include "kernels/cpu/isa.h"

#ifdef __x86_64__
#include <cpuid.h>

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

/* AVX512_FP16, by its bit: clang 14 does not know the name. */
static bool has_f16(void)
{
    unsigned a, b, c, d = 0;
    return has_avx512() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && d >> 23 & 1;
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
