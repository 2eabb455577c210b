#include "stages/decode/picture_stream.h"

static bool waits(const struct picture_stream *s)
{
    return s->slots == 0 && device_kind(s->device) == DEVICE_CPU;
}

static int slots_of(const struct picture_stream *s)
{
    return waits(s) ? 1 : s->slots ? s->slots : STREAM_FEWEST;
}

/* The oldest slice, which is waited for. */
static int hand_on(struct picture_stream *s)
{
    int64_t count = s->frames[s->oldest], size = s->height * s->width * 3;
    const float *pixels = op_read_end(s->device, s->oldest);

    s->oldest = (s->oldest + 1) % slots_of(s);
    s->waiting--;
    if (!pixels)
        return device_status(s->device, s->error) == 0
                   ? error_set(s->error, ERROR_INTERNAL, "pictures did not arrive")
                   : -1;
    for (int64_t i = 0; i < count; i++)
        if (s->take(s->ctx, s->index++, pixels + i * size, (int)s->width, (int)s->height, s->error))
            return -1;
    return 0;
}

int picture_stream_put(struct picture_stream *s, const struct tensor *rgb)
{
    int slot;

    if (s->waiting == slots_of(s) && hand_on(s))
        return -1;
    slot = (s->oldest + s->waiting++) % slots_of(s);
    op_read_begin(s->device, slot, rgb);
    s->frames[slot] = rgb->shape[0];
    s->height = rgb->shape[1];
    s->width = rgb->shape[2];
    return waits(s) ? hand_on(s) : 0;
}

int picture_stream_end(struct picture_stream *s)
{
    while (s->waiting > 0)
        if (hand_on(s))
            return -1;
    return device_status(s->device, s->error);
}
