#include "pipeline/execute/peak.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t high_water_mark(void)
{
    char line[128];
    uint64_t kib = 0;
    FILE *f = fopen("/proc/self/status", "re");

    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %" SCNu64, &kib) == 1)
            break;
    fclose(f);
    return kib;
}

static void reset_mark(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    /* 5: the high water mark alone. Refused in some containers: the mark then only grows. */
    if (write(fd, "5", 1) != 1)
        (void)0;
    close(fd);
}

/* Gives what was reached since the last fold to every job that was there. */
static void fold(struct peak_meter *m)
{
    uint64_t kib = high_water_mark();

    for (int i = 0; i < PEAK_SLOTS; i++)
        if (m->busy[i] && m->kib[i] < kib)
            m->kib[i] = kib;
}

int peak_begin(struct peak_meter *m)
{
    int slot = 0;

    pthread_mutex_lock(&m->mutex);
    fold(m);
    reset_mark();
    while (slot < PEAK_SLOTS && m->busy[slot])
        slot++;
    if (slot < PEAK_SLOTS) {
        m->busy[slot] = 1;
        m->kib[slot] = 0;
    }
    pthread_mutex_unlock(&m->mutex);
    return slot < PEAK_SLOTS ? slot : -1;
}

uint64_t peak_end(struct peak_meter *m, int slot)
{
    uint64_t kib;

    if (slot < 0)
        return 0;
    pthread_mutex_lock(&m->mutex);
    fold(m);
    m->busy[slot] = 0;
    kib = m->kib[slot];
    pthread_mutex_unlock(&m->mutex);
    return kib;
}
