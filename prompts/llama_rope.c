#include "prompts/llama_rope.h"

#include <math.h>
#include <string.h>

static int read_type(const json_t *group, const char *path, const char **type, struct error *e)
{
    if (json_get_string(group, path, "type", type, e) != 0 || /* the older name */
        json_get_string(group, path, "rope_type", type, e) != 0)
        return -1;
    if (strcmp(*type, "default") == 0 || strcmp(*type, "llama3") == 0)
        return 0;
    return error_set(e, ERROR_MODEL,
                     "%s: rope_type is %.100s: only default and llama3 are supported", path, *type);
}

static int read_stretch(const json_t *group, const char *path, struct llama_rope *r,
                        struct error *e)
{
    r->factor = r->low = r->high = -1;
    if (json_get_number(group, path, "factor", 1, 1e6, &r->factor, e) != 0 ||
        json_get_number(group, path, "low_freq_factor", 1e-6, 1e6, &r->low, e) != 0 ||
        json_get_number(group, path, "high_freq_factor", 1e-6, 1e6, &r->high, e) != 0 ||
        json_get_number(group, path, "original_max_position_embeddings", 1, 1e9, &r->context, e) !=
            0)
        return -1;
    if (r->high <= r->low)
        return error_set(e, ERROR_MODEL,
                         "%s: high_freq_factor (%g) must be above low_freq_factor (%g)", path,
                         r->high, r->low);
    return 0;
}

int llama_rope_read(const struct config *c, struct llama_rope *out, struct error *e)
{
    const json_t *group = json_object_get(c->root, "rope_scaling");
    const char *type = "default";
    double partial = 1;

    *out = (struct llama_rope){.theta = 10000, .context = 2048};
    if (!json_is_object(group) || json_object_size(group) == 0)
        group = json_object_get(c->root, "rope_parameters");
    if (config_number(c, "rope_theta", 1, 1e12, &out->theta, e) != 0 ||
        config_number(c, "max_position_embeddings", 1, 1e9, &out->context, e) != 0)
        return -1;
    if (!json_is_object(group))
        return 0;
    if (read_type(group, c->path, &type, e) != 0 ||
        json_get_number(group, c->path, "rope_theta", 1, 1e12, &out->theta, e) != 0 ||
        json_get_number(group, c->path, "partial_rotary_factor", 0, 1, &partial, e) != 0)
        return -1;
    if (partial != 1)
        return error_set(e, ERROR_MODEL,
                         "%s: partial_rotary_factor is %g: only heads that turn as a whole are "
                         "supported",
                         c->path, partial);
    out->stretched = strcmp(type, "llama3") == 0;
    return out->stretched ? read_stretch(group, c->path, out, e) : 0;
}

/* How far pair i turns from one position to the next, in radians. In F32, as published: a rounding
 * here is multiplied by the position. */
static float frequency(const struct llama_rope *r, int i, int dim)
{
    float plain = 1.0f / powf((float)r->theta, (float)(2 * i) / (float)dim);
    if (!r->stretched)
        return plain;

    /* Waves that fit often into the first training's context stay, those that hardly fit are made
     * `factor` times as long, and there is a ramp between. */
    float wave = (float)(2 * M_PI) / plain, context = (float)r->context;
    if (wave < (float)(r->context / r->high))
        return plain;
    if (wave > (float)(r->context / r->low))
        return plain / (float)r->factor;
    float keep = (context / wave - (float)r->low) / (float)(r->high - r->low);
    return (1 - keep) * plain / (float)r->factor + keep * plain;
}

int llama_rope_tables(const struct llama_rope *r, struct device *d, struct arena *a, int dim,
                      int room, struct tensor *cos_out, struct tensor *sin_out, struct error *e)
{
    struct arena scratch = {0};
    int half = dim / 2, rc;
    struct tensor c = TENSOR_NEW(&scratch, room, half), s = TENSOR_NEW(&scratch, room, half);

    if (c.data && s.data) {
        float *to_cos = c.data, *to_sin = s.data;
        for (int i = 0; i < half; i++) {
            float turn = frequency(r, i, dim);
            for (int at = 0; at < room; at++) {
                float angle = (float)at * turn;
                to_cos[(int64_t)at * half + i] = cosf(angle);
                to_sin[(int64_t)at * half + i] = sinf(angle);
            }
        }
        rc = tensor_upload(d, a, &c, cos_out, e) == 0 && tensor_upload(d, a, &s, sin_out, e) == 0
                 ? 0
                 : -1;
    } else {
        rc = error_memory(e);
    }
    arena_free(&scratch);
    return rc;
}
