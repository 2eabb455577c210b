#include "kernels/weight_stream.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/device_impl.h"

/* One works, one is ready, one is on its way: with two, a small block after a large one is late. */
enum { SLOTS = 3 };

struct run {
    void *bytes;
    size_t size;
};

struct block {
    struct run *runs; /* in its slot's memory */
    size_t run_count;
    void *host; /* the runs one after another */
    size_t size;
    bool pinned;
};

struct weight_stream {
    struct device *device;
    const struct weight_mover *mover;
    void *queue;
    struct {
        struct arena arena;
        int holds; /* the block that is there or on its way; -1: none */
    } slot[SLOTS];
    struct block *blocks;
    int count, room;
};

/* ---- whether, and where on the host */

/* Beside the weights there must be room for what they work on: an eighth of all memory. */
static bool fits(struct device *d, size_t weights)
{
    size_t left, all;

    device_memory(d, &left, &all);
    return weights + all / 8 <= left;
}

static bool wanted(struct device *d, size_t weights)
{
    if (!d->mover || d->memory_mode == MEMORY_SPEED)
        return false;
    if (d->facts.unified) {
        if (d->memory_mode == MEMORY_SAFE)
            device_note_missing(d, NOTE_OFFLOAD,
                                "the GPU has no memory of its own: on the host, weights would take "
                                "the same room, and be copied besides");
        return false;
    }
    return d->memory_mode == MEMORY_SAFE || !fits(d, weights);
}

int weight_stream_open(struct device *d, size_t weights, struct weight_stream **out,
                       struct error *e)
{
    struct weight_stream *s;

    *out = NULL;
    if (!wanted(d, weights))
        return 0;
    s = calloc(1, sizeof *s);
    if (!s)
        return error_memory(e);
    s->device = d;
    s->mover = d->mover;
    for (int i = 0; i < SLOTS; i++) {
        s->slot[i].arena = device_arena(d);
        s->slot[i].holds = -1;
    }
    d->streams++;
    s->queue = s->mover->open(d, SLOTS);
    if (!s->queue) {
        weight_stream_close(s);
        return device_status(d, e);
    }
    device_note(d, NOTE_STREAMING, "Weights Streamed Block by Block (%.1f GB on the Host).",
                (double)weights / 1e9);
    *out = s;
    return 0;
}

static void block_free(struct weight_stream *s, struct block *b)
{
    if (b->host)
        s->mover->give(s->device, b->host, b->size, b->pinned);
    free(b->runs);
}

void weight_stream_close(struct weight_stream *s)
{
    if (!s)
        return;
    if (s->queue)
        s->mover->close(s->device, s->queue);
    for (int i = 0; i < s->count; i++)
        block_free(s, &s->blocks[i]);
    for (int i = 0; i < SLOTS; i++)
        arena_free(&s->slot[i].arena);
    s->device->streams--;
    free(s->blocks);
    free(s);
}

/* ---- packing */

struct arena *weight_stream_begin(struct weight_stream *s)
{
    struct arena *a = &s->slot[s->count % SLOTS].arena;

    s->slot[s->count % SLOTS].holds = -1;
    arena_rewind(a);
    return a;
}

static bool list_runs(const struct arena *a, struct block *b)
{
    struct run r;

    while (arena_run(a, b->run_count, &r.bytes, &r.size)) {
        struct run *more = realloc(b->runs, (b->run_count + 1) * sizeof *more);
        if (!more)
            return false;
        b->runs = more;
        b->runs[b->run_count++] = r;
        b->size += r.size;
    }
    return true;
}

static struct block *block_add(struct weight_stream *s)
{
    if (s->count == s->room) {
        int room = s->room ? 2 * s->room : 32;
        struct block *more = realloc(s->blocks, (size_t)room * sizeof *more);
        if (!more)
            return NULL;
        s->blocks = more;
        s->room = room;
    }
    s->blocks[s->count] = (struct block){0};
    return &s->blocks[s->count];
}

static int host_refuses(const struct weight_stream *s, const struct block *b, struct error *e)
{
    size_t kept = 0;

    for (int i = 0; i < s->count; i++)
        kept += s->blocks[i].size;
    return error_set(e, ERROR_MEMORY,
                     "the host has no memory to keep weights in: %zu MiB are kept, %zu more are "
                     "needed for block %d; close other programs, or use --memory speed",
                     kept >> 20, b->size >> 20, s->count);
}

/* The last eighth of the host's memory is not pinned, and the last sixteenth not taken: others live
 * there too. */
static void *host_room(const struct weight_stream *s, size_t size, bool *pinned)
{
    size_t left, all;

    host_memory(&left, &all);
    if (all && size + all / 16 > left)
        return NULL;
    *pinned = size + all / 8 <= left;
    return s->mover->take(s->device, size, pinned);
}

int weight_stream_end(struct weight_stream *s, struct error *e)
{
    struct block *b = block_add(s);
    char *at;

    if (!b || !list_runs(&s->slot[s->count % SLOTS].arena, b)) {
        if (b)
            block_free(s, b);
        return error_memory(e);
    }
    at = b->host = b->size ? host_room(s, b->size, &b->pinned) : NULL;
    if (b->size && !at) {
        host_refuses(s, b, e);
        block_free(s, b);
        return -1;
    }
    for (size_t i = 0; i < b->run_count; i++) {
        s->mover->keep(s->device, at, b->runs[i].bytes, b->runs[i].size);
        at += b->runs[i].size;
    }
    s->slot[s->count % SLOTS].holds = s->count;
    s->count++;
    return s->device->failed ? device_status(s->device, e) : 0;
}

/* ---- bringing */

static void bring(struct weight_stream *s, int block)
{
    const struct block *b = &s->blocks[block];
    const char *at = b->host;
    int slot = block % SLOTS;

    s->mover->follow(s->device, s->queue);
    for (size_t i = 0; i < b->run_count; i++) {
        s->mover->bring(s->device, s->queue, b->runs[i].bytes, at, b->runs[i].size);
        at += b->runs[i].size;
    }
    s->mover->brought(s->device, s->queue, slot);
    s->slot[slot].holds = block;
}

/* Whether a block's slot is wanted by none of the `ahead` blocks from `first` on. */
static bool is_free(const struct weight_stream *s, int block, int first, int ahead)
{
    for (int i = 0; i < ahead; i++)
        if ((first + i) % s->count % SLOTS == block % SLOTS)
            return false;
    return true;
}

void weight_stream_use(struct weight_stream *s, int block)
{
    if (!s || s->device->failed)
        return;
    if (block < 0 || block >= s->count) {
        device_fail(s->device, ERROR_INTERNAL, "there is no block %d of %d", block, s->count);
        return;
    }
    if (s->slot[block % SLOTS].holds != block)
        bring(s, block);
    s->mover->await(s->device, s->queue, block % SLOTS);
    for (int ahead = 1; ahead < SLOTS; ahead++) {
        int next = (block + ahead) % s->count;
        if (!is_free(s, next, block, ahead))
            break;
        if (s->slot[next % SLOTS].holds != next)
            bring(s, next);
    }
}
