/* The memory of a pass (hunyuan_vae.c): two rooms that levels live in by turns. A level's room
 * holds its frames, a slot each; the other holds slices of them with their edges and their past,
 * and then the next level's frames. */
#include <string.h>

#include "stages/decode/hunyuan_vae_impl.h"
#include "stages/decode/vae_limits.h"

enum { PAST = 2, EDGES = 2 };

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* What the levels are for latents of this shape, as so many frames at a time go through. */
static void plan_levels(struct hunyuan_vae *v, const int64_t shape[3], int64_t slice)
{
    int64_t frames = shape[0], height = shape[1], width = shape[2];

    for (int i = 0; i < v->blocks; i++) {
        struct hunyuan_level *l = &v->level[i];
        const struct hunyuan_up *b = &v->block[i];
        l->in = v->width[v->blocks - (i ? i : 1)];
        l->out = v->width[v->blocks - 1 - i];
        l->frames = frames;
        l->height = height;
        l->width = width;
        l->slot = height * width * most(l->in, 2 * l->out);
        /* Where x is overwritten behind, a longer slice would take more slots. */
        l->slice = l->in == l->out || slice > frames ? frames : slice;
        frames = b->doubles_time ? 2 * frames - 1 : frames;
        height *= b->doubles_space ? 2 : 1;
        width *= b->doubles_space ? 2 : 1;
    }
}

static void plan_rooms(const struct hunyuan_vae *v, int64_t slice, int64_t room[2])
{
    room[0] = room[1] = 0;
    for (int i = 0; i < v->blocks; i++) {
        const struct hunyuan_level *l = &v->level[i];
        int64_t *own = &room[i % 2], *other = &room[(i + 1) % 2], pixels = l->height * l->width;
        int64_t padded = (l->height + EDGES) * (l->width + EDGES) * most(l->in, l->out);
        int64_t together = slice < l->frames ? slice : l->frames;
        *own = most(*own, (l->frames + (l->in != l->out ? l->slice : 0)) * l->slot);
        *other = most(*other, (together + PAST) * padded);
        if (i == 0)
            *other = most(*other, l->frames * pixels * most(4 * l->in, 3 * v->channels) +
                                      PAST * pixels * v->channels);
    }
}

/* As many slices may be on their way as a tile has, so that they are handed on while the device
 * works on the next tile. */
static int slots_of(const struct hunyuan_vae *v, int64_t slice)
{
    int64_t slices = (v->level[v->blocks - 1].frames + slice - 1) / slice;

    return v->tile ? (int)hunyuan_least(most(slices, STREAM_FEWEST), READ_SLOTS) : STREAM_FEWEST;
}

/* Bytes besides weights: the rooms, pictures, and what convolutions gather. */
static size_t bytes_of(const struct hunyuan_vae *v, const int64_t room[2], int64_t slice, int slots)
{
    const struct hunyuan_level *last = &v->level[v->blocks - 1];
    size_t size = v->device ? dtype_size(device_activations(v->device)) : 2;
    size_t picture = (size_t)(last->height * last->width);

    return (size_t)(room[0] + room[1]) * size +
           picture * ((size_t)slice * (size_t)(3 + 8 + slots * 3) * sizeof(float) +
                      3 * (size_t)last->in / 4 * size /* gathered */);
}

/* The longest slice of at most `longest` that keeps within the limit, or 1. */
static void choose_slice(struct hunyuan_vae *v, const int64_t shape[3], int64_t longest,
                         int64_t room[2])
{
    int64_t frames = hunyuan_vae_frames(v, (int)shape[0]);

    for (v->slice = hunyuan_least(frames, longest);; v->slice--) {
        plan_levels(v, shape, v->slice);
        plan_rooms(v, v->slice, room);
        v->slots = slots_of(v, v->slice);
        if (v->memory == 0 || bytes_of(v, room, v->slice, v->slots) <= v->memory)
            return;
        if (v->slice == 1) {
            v->slots = STREAM_FEWEST;
            return;
        }
    }
}

size_t hunyuan_vae_bytes(struct hunyuan_vae *v, const int64_t shape[3])
{
    int64_t room[2], tile = v->tile / hunyuan_vae_time_factor(v) + 1;
    const int64_t part[3] = {v->tile && shape[0] > tile ? tile : shape[0], shape[1], shape[2]};

    struct hunyuan_vae other = *v; /* what has been planned stays */

    plan_levels(&other, part, 1);
    plan_rooms(&other, 1, room);
    return bytes_of(&other, room, 1, STREAM_FEWEST);
}

void hunyuan_vae_memory(struct hunyuan_vae *v, size_t bytes)
{
    if (v->memory == bytes)
        return;
    v->memory = bytes;
    memset(v->shape, 0, sizeof v->shape);
    v->latents_room = 0; /* what is there is not to be used any more */
}

/* Whether the memory that there is holds a tile of this shape, too, in slices no longer than it was
 * made for. */
static bool is_enough(struct hunyuan_vae *v, const int64_t shape[3])
{
    const struct hunyuan_level *last = &v->level[v->blocks - 1];
    int64_t room[2];

    if (v->latents_room == 0)
        return false;
    choose_slice(v, shape, v->rgb.shape[0], room);
    return v->rgb.shape[1] == last->height && v->rgb.shape[2] == last->width &&
           v->room[0].shape[0] >= room[0] && v->room[1].shape[0] >= room[1] &&
           v->latents_room >= shape[0] * shape[1] * shape[2];
}

int hunyuan_vae_make_work(struct hunyuan_vae *v, const int64_t shape[3], struct error *e)
{
    const struct hunyuan_level *last = &v->level[v->blocks - 1];
    int64_t room[2];
    bool failed = false;

    if (memcmp(v->shape, shape, sizeof v->shape) == 0)
        return 0;
    if (is_enough(v, shape)) { /* of a longer tile */
        memcpy(v->shape, shape, sizeof v->shape);
        return 0;
    }
    choose_slice(v, shape, HUNYUAN_VAE_SLICE_MOST, room);
    arena_free(&v->work);
    arena_free(&v->host);
    memset(v->shape, 0, sizeof v->shape);
    v->latents_room = 0;
    v->work = device_arena(v->device);
    for (int i = 0; i < 2; i++) {
        v->room[i] = ACTIVATION_NEW(v->device, &v->work, room[i]);
        failed |= !v->room[i].data;
    }
    v->rgb = TENSOR_NEW(&v->work, v->slice, last->height, last->width, 3);
    v->affine = TENSOR_NEW(&v->work, 3 * v->widest);
    v->host_latents = arena_array(&v->host, (size_t)(shape[0] * shape[1] * shape[2] * v->channels),
                                  sizeof(float));
    if (failed || !v->rgb.data || !v->affine.data || !v->host_latents)
        return error_set(e, ERROR_MEMORY,
                         "out of memory: decoding %lld frames of %lld x %lld at once takes %.1f "
                         "GB; fewer frames or a smaller picture need less",
                         (long long)last->frames, (long long)last->width, (long long)last->height,
                         (double)bytes_of(v, room, v->slice, v->slots) / 1e9);
    memcpy(v->shape, shape, sizeof v->shape);
    v->latents_room = shape[0] * shape[1] * shape[2];
    vae_say_slices(v->device, v->slice);
    return 0;
}
