#include "stages/decode/picture_stream.h"

int picture_stream_end(struct picture_stream *s)
{
    int64_t count = s->frames, size = s->height * s->width * 3;
    const float *pixels;

    if (count == 0)
        return device_status(s->device, s->error);
    s->frames = 0;
    pixels = op_read_end(s->device, s->slot);
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
    struct picture_stream before = *s;

    op_read_begin(s->device, !s->slot, rgb);
    if (before.frames > 0 && picture_stream_end(&before))
        return -1;
    s->index = before.index;
    s->slot = !s->slot;
    s->frames = rgb->shape[0];
    s->height = rgb->shape[1];
    s->width = rgb->shape[2];
    return 0;
}
