#include "bench/synthetic.h"

#include <stdlib.h>

#include "kernels/device_impl.h"

static struct ops real;
/* One block of numbers for every dtype, as large as the largest weight so far. */
static struct {
    void *bytes;
    int64_t count;
} blocks[DTYPES];

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* The sum of four uniform 16-bit numbers: near enough to normal for weights. */
static float normal(uint64_t *state)
{
    uint64_t r = next(state);
    int sum =
        (int)(r & 0xffff) + (int)(r >> 16 & 0xffff) + (int)(r >> 32 & 0xffff) + (int)(r >> 48);
    return (float)(sum - 131070) * (1 / 37837.0f);
}

void synthetic_normal(float *out, int64_t count, uint64_t seed, float std)
{
    for (int64_t i = 0; i < count; i++)
        out[i] = std * normal(&seed);
}

static void put(enum dtype t, void *bytes, int64_t i, float x)
{
    union {
        float f;
        uint32_t u;
    } bits = {x};

    if (t == DTYPE_F32)
        ((float *)bytes)[i] = x;
    else if (t == DTYPE_BF16)
        ((uint16_t *)bytes)[i] = (uint16_t)((bits.u + 0x8000) >> 16);
    else if (t == DTYPE_F16) /* of normal size: the exponent is moved, the rest cut */
        ((uint16_t *)bytes)[i] =
            x > 6.2e-5f || x < -6.2e-5f
                ? (uint16_t)((bits.u >> 16 & 0x8000) | (((bits.u & 0x7fffffff) - 0x38000000) >> 13))
                : 0;
    else /* E4M3: 0.02 and its neighbours by the exponent alone, 2^-6 = 0x08 */
        ((uint8_t *)bytes)[i] = (uint8_t)((bits.u >> 24 & 0x80) | (8 + (i & 7)));
}

static bool fill(struct tensor *t)
{
    int64_t count = tensor_count(t);

    if (count > blocks[t->dtype].count) {
        void *bytes = realloc(blocks[t->dtype].bytes, (size_t)count * dtype_size(t->dtype));
        uint64_t state = 1;
        if (!bytes)
            return false;
        for (int64_t i = 0; i < count; i++)
            put(t->dtype, bytes, i, 0.02f * normal(&state));
        blocks[t->dtype].bytes = bytes;
        blocks[t->dtype].count = count;
    }
    t->data = blocks[t->dtype].bytes;
    return true;
}

static const void *linear_pack_random(struct device *d, struct arena *a, int count,
                                      const struct tensor *const *weight,
                                      const struct linear *shape)
{
    enum { MOST = 16 };
    struct tensor random[MOST];
    const struct tensor *list[MOST];

    if (count > MOST)
        return NULL;
    for (int i = 0; i < count; i++) {
        random[i] = *weight[i];
        list[i] = &random[i];
        if (!fill(&random[i]))
            return NULL;
    }
    for (int i = 0; i < count; i++) /* a later fill may have moved the block */
        random[i].data = blocks[random[i].dtype].bytes;
    return real.linear_pack(d, a, count, list, shape);
}

static const void *conv_pack_random(struct device *d, struct arena *a, const struct tensor *weight,
                                    const struct conv *shape)
{
    struct tensor random = *weight;

    return fill(&random) ? real.conv_pack(d, a, &random, shape) : NULL;
}

void synthetic_weights(struct device *d)
{
    if (d->ops.linear_pack == linear_pack_random)
        return;
    real = d->ops;
    d->ops.linear_pack = linear_pack_random;
    d->ops.conv_pack = conv_pack_random;
}
