#include <string.h>

#include "stages/generate/unet.h"

int unet_read_levels(const struct config *c, const char *name, int low, int high, int levels,
                     const int *fallback, int count, int *values, struct error *e)
{
    const json_t *value = json_object_get(c->root, name);
    int found = 0;

    if (json_is_number(value)) {
        values[0] = low - 1;
        if (config_int(c, name, low, high, &values[0], e))
            return -1;
        found = 1;
    } else if (value && !json_is_null(value)) {
        if (config_ints(c, name, low, high, UNET_LEVELS_MAX, values, &found, e))
            return -1;
    } else {
        memcpy(values, fallback, (size_t)count * sizeof *values);
        found = count;
    }
    if (found == 1)
        for (int i = 1; i < levels; i++)
            values[i] = values[0];
    else if (found != levels)
        return error_set(e, ERROR_MODEL, "%s: %s has %d values for %d levels", c->path, name, found,
                         levels);
    return 0;
}

int unet_read_types(const struct config *c, const char *name, const char *plain,
                    const char *attending, bool last_plain, int *levels, bool *attends,
                    struct error *e)
{
    const json_t *list = json_object_get(c->root, name);

    if (!list || json_is_null(list)) {
        *levels = 4;
        for (int i = 0; i < 4; i++)
            attends[i] = i != (last_plain ? 3 : 0);
        return 0;
    }
    if (!json_is_array(list) || json_array_size(list) < 1 ||
        json_array_size(list) > UNET_LEVELS_MAX)
        return error_set(e, ERROR_MODEL, "%s: %s must be a list of 1 to %d block types", c->path,
                         name, UNET_LEVELS_MAX);
    *levels = (int)json_array_size(list);
    for (int i = 0; i < *levels; i++) {
        const char *type = json_string_value(json_array_get(list, (size_t)i));
        if (!type || (strcmp(type, plain) != 0 && strcmp(type, attending) != 0))
            return error_set(e, ERROR_MODEL, "%s: %s[%d] is %.60s: only %s and %s are supported",
                             c->path, name, i, type ? type : "not a name", plain, attending);
        attends[i] = strcmp(type, attending) == 0;
    }
    return 0;
}

static int read_block_types(struct unet *m, const struct config *c, const char *suffix,
                            bool *down_attends, bool *up_attends, struct error *e)
{
    char plain[64], attending[64];
    int up_levels;

    snprintf(plain, sizeof plain, "DownBlock%s", suffix);
    snprintf(attending, sizeof attending, "CrossAttnDownBlock%s", suffix);
    if (unet_read_types(c, "down_block_types", plain, attending, true, &m->levels, down_attends, e))
        return -1;
    snprintf(plain, sizeof plain, "UpBlock%s", suffix);
    snprintf(attending, sizeof attending, "CrossAttnUpBlock%s", suffix);
    if (unet_read_types(c, "up_block_types", plain, attending, false, &up_levels, up_attends, e))
        return -1;
    if (up_levels != m->levels)
        return error_set(e, ERROR_MODEL, "%s: %d down_block_types and %d up_block_types", c->path,
                         m->levels, up_levels);
    return 0;
}

/* All levels read the same context, so a list must repeat one number. */
static int read_context_dim(struct unet *m, const struct config *c, int fallback, struct error *e)
{
    int dims[UNET_LEVELS_MAX];

    if (unet_read_levels(c, "cross_attention_dim", 1, 1 << 16, m->levels, &fallback, 1, dims, e))
        return -1;
    for (int i = 1; i < m->levels; i++)
        if (dims[i] != dims[0])
            return error_set(e, ERROR_MODEL,
                             "%s: cross_attention_dim is %d and %d: levels that read different "
                             "contexts are not supported",
                             c->path, dims[0], dims[i]);
    m->context_dim = dims[0];
    return 0;
}

int unet_read_sizes(struct unet *m, const struct config *c, const char *plain_suffix,
                    const char *heads_name, const int *heads, int heads_count, int context_dim,
                    struct error *e)
{
    static const int channels_default[] = {320, 640, 1280, 1280}, two = 2, one = 1;
    bool down_attends[UNET_LEVELS_MAX], up_attends[UNET_LEVELS_MAX];
    int channels[UNET_LEVELS_MAX], layers[UNET_LEVELS_MAX], blocks[UNET_LEVELS_MAX];
    int head_counts[UNET_LEVELS_MAX], last;

    if (read_block_types(m, c, plain_suffix, down_attends, up_attends, e) ||
        unet_read_levels(c, "block_out_channels", 1, 1 << 14, m->levels, channels_default, 4,
                         channels, e) ||
        unet_read_levels(c, "layers_per_block", 1, UNET_LAYERS_MAX - 1, m->levels, &two, 1, layers,
                         e) ||
        unet_read_levels(c, "transformer_layers_per_block", 1, UNET_BLOCKS_MAX, m->levels, &one, 1,
                         blocks, e) ||
        unet_read_levels(c, heads_name, 1, 1 << 10, m->levels, heads, heads_count, head_counts,
                         e) ||
        read_context_dim(m, c, context_dim, e))
        return -1;
    last = m->levels - 1;
    for (int i = 0; i <= last; i++) {
        m->down[i] = (struct unet_level){.channels = channels[i],
                                         .layers = layers[i],
                                         .heads = head_counts[i],
                                         .blocks = blocks[i],
                                         .attends = down_attends[i],
                                         .resamples = i < last};
        m->up[last - i] = m->down[i];
        m->up[last - i].layers++;
        m->up[last - i].attends = up_attends[last - i];
        m->up[last - i].resamples = i > 0;
    }
    m->mid = m->down[last];
    m->mid.layers = 2;
    m->mid.attends = true;
    m->mid.resamples = false;
    return 0;
}
