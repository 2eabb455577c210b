#include "stages/generate/latents.h"

#include <math.h>
#include <string.h>

#include "stages/generate/little_endian.h"

static const char MAGIC[8] = {'l', 'a', 't', 'e', 'n', 't', 's', '1'};
enum { HEADER = 8 + 4 * 4, AXIS_MAX = 65536 };

size_t latents_count(const struct latents *l)
{
    return (size_t)l->channels * (size_t)l->frames * (size_t)l->height * (size_t)l->width;
}

size_t latents_size(const struct latents *l)
{
    return HEADER + latents_count(l) * sizeof(float);
}

void latents_write(const struct latents *l, uint8_t *bytes)
{
    uint8_t *p = bytes;
    memcpy(p, MAGIC, sizeof MAGIC);
    p += sizeof MAGIC;
    put_u32(&p, (uint32_t)l->channels);
    put_u32(&p, (uint32_t)l->frames);
    put_u32(&p, (uint32_t)l->height);
    put_u32(&p, (uint32_t)l->width);
    put_floats(&p, l->data, latents_count(l));
}

int latents_read(const void *bytes, size_t size, struct arena *a, struct latents *out,
                 struct error *e)
{
    const uint8_t *p = bytes;
    if (size < HEADER || memcmp(p, MAGIC, sizeof MAGIC) != 0)
        return error_set(e, ERROR_MODEL, "latents: not a blob of this version");
    p += sizeof MAGIC;
    uint32_t axes[4];
    uint64_t count = 1;
    for (int i = 0; i < 4; i++) {
        axes[i] = get_u32(&p);
        if (axes[i] < 1 || axes[i] > AXIS_MAX)
            return error_set(e, ERROR_MODEL, "latents: damaged: axis %d is %u", i, axes[i]);
        count *= axes[i]; /* at most 2^64: the product of four largest axes wraps to 0, see below */
    }
    if (count == 0 || count != (size - HEADER) / sizeof(float) || (size - HEADER) % sizeof(float))
        return error_set(e, ERROR_MODEL, "latents: damaged: %zu bytes for %ux%ux%ux%u numbers",
                         size, axes[0], axes[1], axes[2], axes[3]);
    struct latents l = {(int)axes[0], (int)axes[1], (int)axes[2], (int)axes[3], NULL};
    l.data = arena_array(a, count, sizeof(float));
    if (!l.data)
        return error_memory(e);
    get_floats(&p, l.data, count);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(l.data[i]))
            return error_set(e, ERROR_MODEL, "latents: number %zu is not finite", i);
    *out = l;
    return 0;
}
