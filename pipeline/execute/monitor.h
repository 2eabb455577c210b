/* Watching the machine while a run goes on (`--monitor`): a thread samples it a few times a second,
 * remembers the peaks of every job in hand and the last minute of all, which it leaves in a small
 * file for `status`. The file is the monitor's own: it is no part of what was made, and a run goes
 * on where it cannot be written. */
#ifndef AUTEUR_PIPELINE_EXECUTE_MONITOR_H
#define AUTEUR_PIPELINE_EXECUTE_MONITOR_H

#include <jansson.h>

#include "kernels/base/error.h"
#include "kernels/machine/sampler.h"

/* The last minute, oldest first. */
enum { MONITOR_HISTORY = 240 };
struct monitor_history {
    char device[96], missing[200]; /* as the sampler says */
    double device_total;
    double period; /* seconds between samples */
    double last;   /* Unix time of the last one */
    int count;
    struct machine_sample samples[MONITOR_HISTORY];
};

/* Of the samples of a while; negative: not told. */
struct monitor_peaks {
    int samples;
    struct machine_sample most, mean;
};

struct monitor;
/* Takes the sampler over, also when it fails. path: of the file; NULL: none is written. */
int monitor_start(struct machine_sampler *sampler, double period, const char *path,
                  struct monitor **out, struct error *e);
/* Takes a last sample, writes the file and ends the thread; NULL-safe. */
void monitor_stop(struct monitor *m);

/* Around a while of work; any thread, several at once. A while that is shorter than the period has
 * the sample before it. NULL m: nothing is watched (slot -1, no samples). */
int monitor_begin(struct monitor *m); /* -1: too many at once */
struct monitor_peaks monitor_end(struct monitor *m, int slot);

/* {"samples": .., "host_peak_mib": .., "device_peak_mib": .., "busy_mean": .., ...}: what was told;
 * shares in per cent. NULL: out of memory. */
json_t *monitor_json(const struct monitor_peaks *p);

/* 0; 1: there is no such file; -1: it cannot be read. */
int monitor_recall(const char *path, struct monitor_history *out, struct error *e);

#endif
