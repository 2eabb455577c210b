#include "kernels/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SPINS = 2000 }; /* of some tens of nanoseconds, before a thread sleeps or gives way */

struct worker {
    pthread_t thread;
    struct pool *pool;
    int index;
};

/* The ticket holds a number in its upper half and the next piece in its lower. The number changes
 * before a job's fields do (to one under which there is nothing to take) and after (to one under
 * which there is). So a thread that read the fields and then could move the ticket on has read them
 * whole. */
struct pool {
    _Atomic uint64_t ticket;
    _Atomic(pool_part_fn *) part;
    _Atomic(const void *) job;
    _Atomic int64_t count, chunk;
    _Atomic int64_t done; /* pieces of this job */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_int sleepers;
    atomic_bool closing;
    int workers; /* besides the caller */
    struct worker worker[];
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Takes and does pieces until there are none left to take. */
static void work(struct pool *p, int thread)
{
    uint64_t ticket = atomic_load(&p->ticket);

    for (;;) {
        int64_t count = atomic_load(&p->count), chunk = atomic_load(&p->chunk);
        int64_t from = (int64_t)(ticket & UINT32_MAX),
                to = from + chunk < count ? from + chunk : count;
        pool_part_fn *part = atomic_load(&p->part);
        const void *job = atomic_load(&p->job);

        if (from >= count)
            return;
        if (!atomic_compare_exchange_weak(&p->ticket, &ticket, ticket + (uint64_t)(to - from)))
            continue; /* the ticket has been read anew */
        part(job, from, to, thread);
        atomic_fetch_add(&p->done, to - from);
        ticket = atomic_load(&p->ticket);
    }
}

/* Returns when a job other than `seen` was posted, or the pool closes. */
static void await_job(struct pool *p, uint64_t seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&p->ticket) >> 32 != seen || atomic_load(&p->closing))
            return;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (atomic_load(&p->ticket) >> 32 == seen && !atomic_load(&p->closing))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    uint64_t seen = 0;

    while (!atomic_load(&w->pool->closing)) {
        await_job(w->pool, seen);
        seen = atomic_load(&w->pool->ticket) >> 32;
        work(w->pool, w->index);
    }
    return NULL;
}

static void wake_sleepers(struct pool *p)
{
    if (atomic_load(&p->sleepers) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void pool_run(struct pool *p, int64_t count, int64_t chunk, pool_part_fn *part, const void *job)
{
    uint64_t number;

    if (count <= chunk || p->workers == 0) {
        if (count > 0)
            part(job, 0, count, 0);
        return;
    }
    number = atomic_load(&p->ticket) >> 32;
    atomic_store(&p->ticket, (number + 1) << 32 | UINT32_MAX);
    atomic_store(&p->part, part);
    atomic_store(&p->job, job);
    atomic_store(&p->count, count);
    atomic_store(&p->chunk, chunk);
    atomic_store(&p->done, 0);
    atomic_store(&p->ticket, (number + 2) << 32);
    wake_sleepers(p);
    work(p, 0);
    for (int i = 0; atomic_load(&p->done) < count; i++) {
        if (i < SPINS)
            relax();
        else
            sched_yield();
    }
}

int pool_open(int threads, struct pool **out, struct error *e)
{
    struct pool *p = calloc(1, sizeof *p + (size_t)(threads - 1) * sizeof *p->worker);

    if (!p)
        return error_memory(e);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (int i = 0; i < threads - 1; i++) {
        p->worker[i] = (struct worker){.pool = p, .index = i + 1};
        if (pthread_create(&p->worker[i].thread, NULL, worker_main, &p->worker[i]))
            break; /* fewer threads are slower, not wrong */
        p->workers++;
    }
    *out = p;
    return 0;
}

void pool_close(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->closing, true);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->workers; i++)
        pthread_join(p->worker[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
