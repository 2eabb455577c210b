#include "pipeline/execute/monitor.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/execute/job.h"
#include "pipeline/execute/monitor_file.h"

enum { SLOTS = 300 };
static const double WRITTEN_EVERY = 1; /* seconds */

struct slot {
    bool busy;
    struct monitor_peaks peaks; /* mean holds sums until the end */
};

struct monitor {
    struct machine_sampler sampler;
    const char *path;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool stop;
    struct machine_sample last;
    struct slot slots[SLOTS];
    struct monitor_history history;
};

/* ---- peaks */

typedef double combine_fn(double a, double b);

static double larger(double a, double b)
{
    return b > a ? b : a;
}

static double sum(double a, double b)
{
    return a < 0 || b < 0 ? -1 : a + b;
}

static struct machine_sample combined(const struct machine_sample *a,
                                      const struct machine_sample *b, combine_fn *f)
{
    return (struct machine_sample){.host_used = f(a->host_used, b->host_used),
                                   .device_used = f(a->device_used, b->device_used),
                                   .busy = f(a->busy, b->busy),
                                   .memory_busy = f(a->memory_busy, b->memory_busy),
                                   .watts = f(a->watts, b->watts)};
}

static double quotient(double sum, double count)
{
    return sum < 0 ? -1 : sum / count;
}

static void fold(struct monitor_peaks *p, const struct machine_sample *s)
{
    p->most = p->samples ? combined(&p->most, s, larger) : *s;
    p->mean = p->samples ? combined(&p->mean, s, sum) : *s;
    p->samples++;
}

int monitor_begin(struct monitor *m)
{
    int slot = 0;

    if (!m)
        return -1;
    pthread_mutex_lock(&m->mutex);
    while (slot < SLOTS && m->slots[slot].busy)
        slot++;
    if (slot < SLOTS)
        m->slots[slot] = (struct slot){.busy = true};
    pthread_mutex_unlock(&m->mutex);
    return slot < SLOTS ? slot : -1;
}

struct monitor_peaks monitor_end(struct monitor *m, int slot)
{
    struct monitor_peaks p = {0};
    struct machine_sample total;

    if (!m || slot < 0)
        return p;
    pthread_mutex_lock(&m->mutex);
    m->slots[slot].busy = false;
    p = m->slots[slot].peaks;
    if (!p.samples)
        fold(&p, &m->last);
    pthread_mutex_unlock(&m->mutex);
    total = p.mean;
    p.mean = (struct machine_sample){.host_used = quotient(total.host_used, p.samples),
                                     .device_used = quotient(total.device_used, p.samples),
                                     .busy = quotient(total.busy, p.samples),
                                     .memory_busy = quotient(total.memory_busy, p.samples),
                                     .watts = quotient(total.watts, p.samples)};
    return p;
}

static void put(json_t *o, const char *name, double value, double unit)
{
    if (value >= 0)
        json_object_set_new(o, name, json_integer((json_int_t)llround(value / unit)));
}

json_t *monitor_json(const struct monitor_peaks *p)
{
    json_t *o = json_object();

    json_object_set_new(o, "samples", json_integer(p->samples));
    put(o, "host_peak_mib", p->most.host_used, 0x1p20);
    put(o, "device_peak_mib", p->most.device_used, 0x1p20);
    put(o, "busy_mean", p->mean.busy, 0.01);
    put(o, "busy_peak", p->most.busy, 0.01);
    put(o, "memory_busy_mean", p->mean.memory_busy, 0.01);
    put(o, "memory_busy_peak", p->most.memory_busy, 0.01);
    put(o, "watts_mean", p->mean.watts, 1);
    put(o, "watts_peak", p->most.watts, 1);
    return o;
}

/* ---- the thread */

/* With the mutex held, of a sample that was taken without it. */
static void remember(struct monitor *m, const struct machine_sample *s)
{
    struct monitor_history *h = &m->history;

    m->last = *s;
    for (int i = 0; i < SLOTS; i++)
        if (m->slots[i].busy)
            fold(&m->slots[i].peaks, s);
    if (h->count == MONITOR_HISTORY)
        memmove(h->samples, h->samples + 1, --h->count * sizeof *h->samples);
    h->samples[h->count++] = *s;
    h->last = (double)clock_unix_ns() / 1e9;
}

static void *watch(void *arg)
{
    struct monitor *m = arg;
    double wake = clock_monotonic(), written = 0;
    bool stop = false;

    while (!stop) {
        struct machine_sample s;
        struct timespec t;

        m->sampler.take(m->sampler.ctx, &s);
        pthread_mutex_lock(&m->mutex);
        remember(m, &s);
        /* One that was late does not hurry. */
        wake = fmax(wake + m->history.period, clock_monotonic());
        t = (struct timespec){(time_t)wake, (long)((wake - floor(wake)) * 1e9)};
        while (!m->stop && pthread_cond_timedwait(&m->ended, &m->mutex, &t) == 0)
            ;
        stop = m->stop;
        pthread_mutex_unlock(&m->mutex);
        if (m->path && (stop || clock_monotonic() - written >= WRITTEN_EVERY)) {
            monitor_write(m->path, &m->history); /* this thread alone changes it */
            written = clock_monotonic();
        }
    }
    return NULL;
}

static int init_locks(struct monitor *m)
{
    pthread_condattr_t attr;
    int bad = pthread_mutex_init(&m->mutex, NULL);

    bad |= pthread_condattr_init(&attr);
    bad |= pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    bad |= pthread_cond_init(&m->ended, &attr);
    pthread_condattr_destroy(&attr);
    return bad;
}

int monitor_start(struct machine_sampler *sampler, double period, const char *path,
                  struct monitor **out, struct error *e)
{
    struct monitor *m = calloc(1, sizeof *m);

    if (!m || init_locks(m) != 0) {
        free(m);
        machine_sampler_close(sampler);
        return error_memory(e);
    }
    m->sampler = *sampler;
    *sampler = (struct machine_sampler){0};
    m->path = path;
    m->history.period = period;
    m->history.device_total = m->sampler.device_total;
    memcpy(m->history.device, m->sampler.device, sizeof m->history.device);
    memcpy(m->history.missing, m->sampler.missing, sizeof m->history.missing);
    m->sampler.take(m->sampler.ctx, &m->last);
    if (pthread_create(&m->thread, NULL, watch, m) != 0) {
        machine_sampler_close(&m->sampler);
        free(m);
        return error_set(e, ERROR_MEMORY, "cannot start a thread");
    }
    *out = m;
    return 0;
}

void monitor_stop(struct monitor *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&m->mutex);
    m->stop = true;
    pthread_cond_signal(&m->ended);
    pthread_mutex_unlock(&m->mutex);
    pthread_join(m->thread, NULL);
    machine_sampler_close(&m->sampler);
    pthread_mutex_destroy(&m->mutex);
    pthread_cond_destroy(&m->ended);
    free(m);
}
