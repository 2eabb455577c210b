/* Peak resident memory of the process while a job ran (VmHWM, in KiB). The mark is reset through
 * /proc/self/clear_refs where the kernel allows it; elsewhere it is the peak since the program
 * began. Jobs that overlap share one process, so each is told the peak of all. */
#ifndef AUTEUR_PIPELINE_EXECUTE_PEAK_H
#define AUTEUR_PIPELINE_EXECUTE_PEAK_H

#include <pthread.h>
#include <stdint.h>

enum { PEAK_SLOTS = 300 };
struct peak_meter {
    pthread_mutex_t mutex;
    uint64_t kib[PEAK_SLOTS];
    unsigned char busy[PEAK_SLOTS];
};
#define PEAK_METER_INITIAL                                                                         \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER                                                         \
    }

int peak_begin(struct peak_meter *m);              /* a slot, or -1 when all are taken */
uint64_t peak_end(struct peak_meter *m, int slot); /* 0 for slot -1 */

#endif
