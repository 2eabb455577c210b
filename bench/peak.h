#ifndef AUTEUR_BENCH_PEAK_H
#define AUTEUR_BENCH_PEAK_H

/* What this machine's `threads` cores can do at most: independent fused multiply-adds in registers,
 * as wide as the machine has them, timed over about `seconds`. GFLOP/s in F32, all threads
 * together. */
double peak_gflops(int threads, double seconds);
double now_seconds(void); /* a steady clock */

#endif
