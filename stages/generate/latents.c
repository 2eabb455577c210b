#include "stages/generate/latents.h"

#include <math.h>
#include <string.h>

#include "stages/generate/little_endian.h"

static const char MAGIC[8] = {'l', 'a', 't', 'e', 'n', 't', 's', '2'};
enum { HEADER = 8 + 4 * 4, AXES = 4, AXIS_MAX = 65536 };

size_t latents_size(const struct tensor *latents)
{
    return HEADER + (size_t)tensor_count(latents) * sizeof(float);
}

void latents_write(const struct tensor *latents, uint8_t *bytes)
{
    uint8_t *p = bytes;
    memcpy(p, MAGIC, sizeof MAGIC);
    p += sizeof MAGIC;
    for (int i = 0; i < AXES; i++)
        put_u32(&p, (uint32_t)latents->shape[i]);
    put_floats(&p, latents->data, (size_t)tensor_count(latents));
}

int latents_read(const void *bytes, size_t size, struct arena *a, struct tensor *out,
                 struct error *e)
{
    const uint8_t *p = bytes;
    int64_t axes[AXES];
    uint64_t count = 1;
    if (size < HEADER || memcmp(p, MAGIC, sizeof MAGIC) != 0)
        return error_set(e, ERROR_MODEL, "latents: not a blob of this version");
    p += sizeof MAGIC;
    for (int i = 0; i < AXES; i++) {
        axes[i] = get_u32(&p);
        if (axes[i] < 1 || axes[i] > AXIS_MAX)
            return error_set(e, ERROR_MODEL, "latents: damaged: axis %d is %lld", i,
                             (long long)axes[i]);
        count *= (uint64_t)axes[i]; /* of four largest axes it wraps to 0: see below */
    }
    if (count == 0 || count != (size - HEADER) / sizeof(float) || (size - HEADER) % sizeof(float))
        return error_set(e, ERROR_MODEL, "latents: damaged: %zu bytes for %lldx%lldx%lldx%lld",
                         size, (long long)axes[0], (long long)axes[1], (long long)axes[2],
                         (long long)axes[3]);
    struct tensor t = tensor_new(a, AXES, axes);
    float *numbers = t.data;
    if (!numbers)
        return error_memory(e);
    get_floats(&p, numbers, count);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(numbers[i]))
            return error_set(e, ERROR_MODEL, "latents: number %zu is not finite", i);
    *out = t;
    return 0;
}

size_t latents_within(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    uint64_t count = 1;
    if (size < HEADER || memcmp(p, MAGIC, sizeof MAGIC) != 0)
        return 0;
    p += sizeof MAGIC;
    for (int i = 0; i < AXES; i++) {
        uint64_t axis = get_u32(&p);
        if (axis < 1 || axis > AXIS_MAX || count > size / axis)
            return 0;
        count *= axis;
    }
    return count <= (size - HEADER) / sizeof(float) ? HEADER + count * sizeof(float) : 0;
}
