#include "stages/generate/torch_random.h"

#include <math.h>

enum { SHIFT_WORDS = 397, BLOCK = 16 };

void torch_random_seed(struct torch_random *r, uint64_t seed)
{
    r->state[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < TORCH_RANDOM_WORDS; i++) {
        uint32_t before = r->state[i - 1];
        r->state[i] = 1812433253u * (before ^ (before >> 30)) + i;
    }
    r->next = TORCH_RANDOM_WORDS;
    r->has_spare = false;
    r->spare = 0;
}

static void renew(uint32_t *s)
{
    for (int i = 0; i < TORCH_RANDOM_WORDS; i++) {
        uint32_t joined = (s[i] & 0x80000000u) | (s[(i + 1) % TORCH_RANDOM_WORDS] & 0x7fffffffu);
        uint32_t odd = joined & 1 ? 0x9908b0dfu : 0;
        s[i] = s[(i + SHIFT_WORDS) % TORCH_RANDOM_WORDS] ^ (joined >> 1) ^ odd;
    }
}

static uint32_t word(struct torch_random *r)
{
    if (r->next == TORCH_RANDOM_WORDS) {
        renew(r->state);
        r->next = 0;
    }
    uint32_t y = r->state[r->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* [0, 1) with the 24 bits a float holds. */
static float uniform_float(struct torch_random *r)
{
    return (float)(word(r) & 0xffffffu) * 0x1p-24f;
}

/* [0, 1) with the 53 bits a double holds; the first word drawn is the high one. */
static double uniform_double(struct torch_random *r)
{
    uint64_t high = word(r);
    uint64_t bits = high << 32 | word(r);
    return (double)(bits & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

/* Sixteen uniform numbers become normal ones: u[j] gives the radius and u[j + 8] the angle of
 * out[j] and out[j + 8]. Roundings to float stand where PyTorch has them: that of the angle alone
 * moves a result by 1e-6. */
static void box_muller(float *x)
{
    const float two_pi = 6.283185307179586f;
    for (int j = 0; j < BLOCK / 2; j++) {
        float radius = sqrtf(-2.0f * (float)log((double)(1.0f - x[j])));
        float angle = two_pi * x[j + BLOCK / 2];
        x[j] = radius * (float)cos((double)angle);
        x[j + BLOCK / 2] = radius * (float)sin((double)angle);
    }
}

static float normal_one(struct torch_random *r)
{
    if (r->has_spare) {
        r->has_spare = false;
        return (float)r->spare;
    }
    double angle = 2.0 * M_PI * uniform_double(r);
    double radius = sqrt(-2.0 * log1p(-uniform_double(r)));
    r->spare = radius * sin(angle);
    r->has_spare = true;
    return (float)(radius * cos(angle));
}

void torch_random_normal(struct torch_random *r, float *out, size_t count)
{
    if (count < BLOCK) {
        for (size_t i = 0; i < count; i++)
            out[i] = normal_one(r);
        return;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = uniform_float(r);
    for (size_t i = 0; i + BLOCK <= count; i += BLOCK)
        box_muller(out + i);
    /* A tail shorter than a block: the last sixteen are drawn anew, over what stood there. */
    if (count % BLOCK != 0) {
        float *last = out + (count - BLOCK);
        for (int j = 0; j < BLOCK; j++)
            last[j] = uniform_float(r);
        box_muller(last);
    }
}
