/* Compiled for the very machine it runs on (bench/room.mk). */
#include "bench/peak.h"

#include <omp.h>
#include <time.h>

#include "kernels/cpu/simd.h"

enum { CHAINS = 24, ROUNDS = 100000 }; /* more chains than latency times ports, in registers */

double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float multiply_adds(float x)
{
    vf sum[CHAINS], total = {0};
    vf factor = vf_all(x), step = vf_all(1 - x);

    SIMD_UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = vf_all((float)i);
    for (int r = 0; r < ROUNDS; r++)
        SIMD_UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = sum[i] * factor + step;
    SIMD_UNROLL for (int i = 0; i < CHAINS; i++) total += sum[i];
    return vf_sum(total);
}

double peak_gflops(int threads, double seconds)
{
    double rate = 0;
    volatile float sink = 0;

#pragma omp parallel num_threads(threads) reduction(+ : rate)
    {
        double start = now_seconds(), spent;
        float kept = 0;
        volatile long rounds = 0;
        do {
            kept += multiply_adds(0.999f + (float)rounds * 1e-30f); /* or it is hoisted */
            rounds += ROUNDS;
            spent = now_seconds() - start;
        } while (spent < seconds);
        rate += (double)rounds * CHAINS * SIMD_FLOATS * 2 / spent / 1e9;
#pragma omp critical
        sink = sink + kept;
    }
    return rate;
}
