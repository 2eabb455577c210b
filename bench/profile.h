/* Where the time of a forward pass goes: every operation of a device timed by itself, the device
 * waited for after each (so the sum is more than the pass takes by itself). Of a dry device
 * (kernels/dry) time is what it tells, and arithmetic and bytes are printed with it. */
#ifndef AUTEUR_BENCH_PROFILE_H
#define AUTEUR_BENCH_PROFILE_H

#include "kernels/device.h"

/* From now on. One device at a time. */
void profile_start(struct device *d);
/* Forgets what was measured so far. */
void profile_reset(void);
/* The operations and shapes that took longest, `runs` being how often the pass ran since. */
void profile_print(int lines, int runs);

#endif
