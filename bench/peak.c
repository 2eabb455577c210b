/* Compiled for the very machine it runs on (bench/room.mk). */
#include "bench/peak.h"

#include <pthread.h>
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

struct core {
    pthread_t thread;
    double seconds, rate; /* to spend; GFLOP/s that came of it */
    float kept;
};

static void *keep_busy(void *arg)
{
    struct core *c = arg;
    double start = now_seconds(), spent;
    int runs = 0;

    do {
        c->kept += multiply_adds(0.999f + (float)runs++ * 1e-30f); /* or it is hoisted */
        spent = now_seconds() - start;
    } while (spent < c->seconds);
    c->rate = (double)runs * ROUNDS * CHAINS * SIMD_FLOATS * 2 / spent / 1e9;
    return NULL;
}

double peak_gflops(int threads, double seconds)
{
    struct core cores[64] = {0};
    double rate = 0;
    int begun = 0;

    while (begun < threads && begun < 64) {
        cores[begun].seconds = seconds;
        if (pthread_create(&cores[begun].thread, NULL, keep_busy, &cores[begun]))
            break;
        begun++;
    }
    for (int i = 0; i < begun; i++) {
        pthread_join(cores[i].thread, NULL);
        rate += cores[i].rate;
    }
    return rate;
}
