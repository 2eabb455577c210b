/* Copies between host and GPU are on their way until their stream is waited for. */
#include "tests/cuda/fake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct copy {
    struct copy *next;
    void *stream;
    const char *host;
    size_t size;
    bool to; /* the host is written */
    uint64_t turn, numbers;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct copy *begun;
static uint64_t turn_now;

void copy_begin(void *stream, const void *host, size_t size, bool to)
{
    struct copy *c = calloc(1, sizeof *c);

    if (!c)
        return;
    *c = (struct copy){.stream = stream,
                       .host = host,
                       .size = size,
                       .to = to,
                       .numbers = to ? 0 : XXH3_64bits(host, size)};
    pthread_mutex_lock(&mutex);
    c->turn = turn_now++;
    c->next = begun;
    begun = c;
    pthread_mutex_unlock(&mutex);
}

uint64_t copy_turn(void)
{
    uint64_t now;

    pthread_mutex_lock(&mutex);
    now = turn_now;
    pthread_mutex_unlock(&mutex);
    return now;
}

static bool is_as_it_was(const struct copy *c)
{
    return c->to || XXH3_64bits(c->host, c->size) == c->numbers;
}

/* With the lock held until all are looked at: another thread that waits for the same stream may
 * write there as soon as they are over. */
void copy_finish(void *stream, uint64_t turn)
{
    pthread_mutex_lock(&mutex);
    for (struct copy **at = &begun, *c; (c = *at);) {
        if (c->turn >= turn || (stream && c->stream != stream)) {
            at = &c->next;
            continue;
        }
        if (!is_as_it_was(c))
            misuse("%zu bytes of the host changed while they were copied to the GPU", c->size);
        *at = c->next;
        free(c);
    }
    pthread_mutex_unlock(&mutex);
}

void copy_release(const void *host, size_t size, const char *what)
{
    const char *from = host;
    bool busy = false;

    pthread_mutex_lock(&mutex);
    for (const struct copy *c = begun; c; c = c->next)
        busy |= c->host < from + size && from < c->host + c->size;
    pthread_mutex_unlock(&mutex);
    if (busy)
        misuse("%s: a copy of it is on its way", what);
}

void copy_noise(void *host, size_t size)
{
    static _Thread_local uint64_t state = 1;
    char *to = host;

    for (size_t at = 0; at < size; at += 4) {
        uint32_t bits;
        state = state * 6364136223846793005u + 1442695040888963407u;
        bits = 0x3f000000u | (uint32_t)(state >> 32 & 0x807fffffu); /* +-[0.5, 1) */
        memcpy(to + at, &bits, size - at < 4 ? size - at : 4);
    }
}
