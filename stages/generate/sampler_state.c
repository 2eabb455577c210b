/* A sampler's state between two steps, as bytes:
 *   magic and version [8], settings, index u32,
 *   where it draws: the generator's words u32 [624], next u32, has_spare u32, spare f64,
 *   method->kept arrays of float [count],
 *   XXH3-128 of everything before [16]. */
#include <string.h>

#include "kernels/base/hash.h"
#include "stages/generate/little_endian.h"
#include "stages/generate/sampler_method.h"

static const char MAGIC[8] = "sample2"; /* the last character is the version */
enum {
    STEPS = 8 + 12 * 4, /* where they stand in the settings */
    SETTINGS = 8 + 13 * 4 + 6 * 8 + 2 * 8,
    RANDOM = TORCH_RANDOM_WORDS * 4 + 4 + 4 + 8,
    CHECKSUM = sizeof(struct hash128)
};

static void write_settings(const struct sampler *s, uint8_t *p)
{
    const struct sampler_config *c = &s->config;
    const uint32_t whole[] = {c->kind,
                              c->prediction,
                              (uint32_t)c->train_timesteps,
                              c->betas,
                              c->spacing,
                              (uint32_t)c->steps_offset,
                              c->zero_snr,
                              c->karras,
                              c->continuous,
                              c->final_sigma_min,
                              c->alpha_to_one,
                              (uint32_t)c->order,
                              (uint32_t)s->steps};
    const double real[] = {c->beta_start, c->beta_end,  c->sigma_min,
                           c->sigma_max,  c->snr_shift, c->flow_shift};
    memcpy(p, MAGIC, sizeof MAGIC);
    p += sizeof MAGIC;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        put_u32(&p, whole[i]);
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        put_f64(&p, real[i]);
    put_u64(&p, c->uncorrected);
    put_u64(&p, s->count);
}

static size_t kept(const struct sampler *s)
{
    return (size_t)s->method->kept * s->count;
}

size_t sampler_state_size(const struct sampler *s)
{
    size_t random = s->method->draws ? RANDOM : 0;
    return SETTINGS + 4 + random + kept(s) * sizeof(float) + CHECKSUM;
}

static void write_random(const struct torch_random *r, uint8_t **p)
{
    for (int i = 0; i < TORCH_RANDOM_WORDS; i++)
        put_u32(p, r->state[i]);
    put_u32(p, (uint32_t)r->next);
    put_u32(p, r->has_spare);
    put_f64(p, r->spare);
}

static bool read_random(const uint8_t **p, struct torch_random *r)
{
    for (int i = 0; i < TORCH_RANDOM_WORDS; i++)
        r->state[i] = get_u32(p);
    uint32_t next = get_u32(p);
    r->next = (int)next;
    r->has_spare = get_u32(p) != 0;
    r->spare = get_f64(p);
    return next <= TORCH_RANDOM_WORDS;
}

void sampler_state_write(const struct sampler *s, uint8_t *bytes)
{
    uint8_t *p = bytes + SETTINGS;
    write_settings(s, bytes);
    put_u32(&p, (uint32_t)s->index);
    if (s->method->draws)
        write_random(&s->random, &p);
    put_floats(&p, s->arrays, kept(s));
    struct hash128 sum = hash_bytes(bytes, (size_t)(p - bytes));
    memcpy(p, sum.bytes, CHECKSUM);
}

/* As long as it is whole: whatever the first bytes say of it. */
static bool sound(const uint8_t *bytes, size_t size)
{
    if (size < SETTINGS + 4 + CHECKSUM)
        return false;
    struct hash128 sum = hash_bytes(bytes, size - CHECKSUM);
    return memcmp(sum.bytes, bytes + size - CHECKSUM, CHECKSUM) == 0;
}

int sampler_state_read(struct sampler *s, const uint8_t *bytes, size_t size, struct error *e)
{
    uint8_t expected[SETTINGS];
    struct torch_random random = s->random;
    write_settings(s, expected);
    if (size < sizeof MAGIC || memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        return error_set(e, ERROR_MODEL, "sampler state: not one of this version");
    if (!sound(bytes, size))
        return error_set(e, ERROR_MODEL, "sampler state: damaged");
    if (memcmp(bytes, expected, SETTINGS) != 0 || size != sampler_state_size(s))
        return error_set(e, ERROR_MODEL, "sampler state: made with other settings");
    const uint8_t *p = bytes + SETTINGS;
    uint32_t index = get_u32(&p);
    if (index > (uint32_t)s->steps || (s->method->draws && !read_random(&p, &random)))
        return error_set(e, ERROR_MODEL, "sampler state: damaged");
    s->index = (int)index;
    s->random = random;
    get_floats(&p, s->arrays, kept(s));
    return 0;
}

bool sampler_state_peek(const uint8_t *bytes, size_t size, int *index, int *steps)
{
    const uint8_t *settings = bytes + STEPS, *after = bytes + SETTINGS;
    if (size < SETTINGS + 4 + CHECKSUM || memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        return false;
    *steps = (int)get_u32(&settings);
    *index = (int)get_u32(&after);
    return *steps > 0 && *index >= 0 && *index <= *steps;
}
