/* The ledger: what is alive, which call fails, what is told. */
#include "tests/cuda/fake.h"

#include <pthread.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *trees[THING_KINDS];
static size_t counts[THING_KINDS];
static long calls[FAULTS];
static uintptr_t last_handle = 4096;

static const char *const thing_names[THING_KINDS] = {"device memory",
                                                     "pinned memory",
                                                     "registered memory",
                                                     "streams",
                                                     "events",
                                                     "graphs",
                                                     "graphs to run",
                                                     "cuBLASLt handles",
                                                     "cuBLASLt's others",
                                                     "cuDNN handles",
                                                     "cuDNN descriptors",
                                                     "functions"};
static const char *const fault_names[FAULTS] = {"memory",     "pinned", "handle",
                                                "launch",     "graph",  "product",
                                                "descriptor", "engine", "engine-memory"};

/* Ranges that share a byte are equal: the tree holds none that do. */
static int compare(const void *a, const void *b)
{
    const struct thing *x = a, *y = b;

    return x->at + x->size <= y->at ? -1 : y->at + y->size <= x->at ? 1 : 0;
}

static struct thing *find(enum thing_kind kind, const void *at, size_t size)
{
    struct thing key = {.at = (char *)(uintptr_t)at, .size = size ? size : 1};
    struct thing **found = tfind(&key, &trees[kind], compare);

    return found && (*found)->at <= key.at && key.at + key.size <= (*found)->at + (*found)->size
               ? *found
               : NULL;
}

struct thing *thing_add(enum thing_kind kind, void *at, size_t size)
{
    struct thing *t = calloc(1, sizeof *t);
    struct thing **put;

    if (!t)
        return NULL;
    t->at = at;
    t->size = size ? size : 1;
    pthread_mutex_lock(&mutex);
    put = tsearch(t, &trees[kind], compare);
    counts[kind] += put && *put == t;
    pthread_mutex_unlock(&mutex);
    if (put && *put == t)
        return t;
    free(t);
    if (put)
        misuse("%s that overlaps some that there is", thing_names[kind]);
    return NULL;
}

void *thing_new(enum thing_kind kind, size_t own)
{
    void *bytes = own ? calloc(1, own) : NULL;
    struct thing *t;
    uintptr_t value;

    pthread_mutex_lock(&mutex);
    value = last_handle += 64;
    pthread_mutex_unlock(&mutex);
    t = own && !bytes ? NULL : thing_add(kind, (void *)value, 1);
    if (!t) {
        free(bytes);
        return NULL;
    }
    t->own = bytes;
    return t->at;
}

struct thing *thing_find(enum thing_kind kind, const void *at, size_t size)
{
    struct thing *t;

    pthread_mutex_lock(&mutex);
    t = find(kind, at, size);
    pthread_mutex_unlock(&mutex);
    return t;
}

struct thing *thing_need(enum thing_kind kind, const void *at, size_t size, const char *what)
{
    struct thing *t = thing_find(kind, at, size);

    if (!t)
        misuse("%s: %zu bytes at %p are none of the %s", what, size, at, thing_names[kind]);
    return t;
}

void *thing_own(enum thing_kind kind, const void *at, const char *what)
{
    struct thing *t = thing_need(kind, at, 1, what);

    return t ? t->own : NULL;
}

bool thing_drop(enum thing_kind kind, const void *at, const char *what)
{
    struct thing *t;

    pthread_mutex_lock(&mutex);
    t = find(kind, at, 1);
    if (t && t->at != at)
        t = NULL;
    if (t) {
        tdelete(t, &trees[kind], compare);
        counts[kind]--;
    }
    pthread_mutex_unlock(&mutex);
    if (!t) {
        misuse("%s: %p is none of the %s", what, at, thing_names[kind]);
        return false;
    }
    free(t->own);
    free(t);
    return true;
}

void misuse(const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "fake CUDA: misuse: %s\n", text);
    if (getenv("FAKE_CUDA_STOP"))
        abort();
}

bool fault_here(enum fault kind)
{
    const char *wish = getenv("FAKE_CUDA_FAIL");
    size_t length = strlen(fault_names[kind]);
    char *end;
    long now, at;

    pthread_mutex_lock(&mutex);
    now = calls[kind]++;
    pthread_mutex_unlock(&mutex);
    if (!wish || strncmp(wish, fault_names[kind], length) != 0 || wish[length] != ':')
        return false;
    at = strtol(wish + length + 1, &end, 10);
    return now == at || (*end == '+' && now > at);
}

__attribute__((destructor)) static void report(void)
{
    for (int i = 0; i < FUNCTION; i++)
        if (counts[i])
            fprintf(stderr, "fake CUDA: left: %zu %s\n", counts[i], thing_names[i]);
    for (int i = 0; i < FAULTS && getenv("FAKE_CUDA_COUNTS"); i++)
        fprintf(stderr, "fake CUDA: calls: %s %ld\n", fault_names[i], calls[i]);
}
