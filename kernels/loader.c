#include "kernels/loader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 256, PARTS_MAX = 4 };

#define FORMAT_NAME(buffer, format)                                                                \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        vsnprintf(buffer, sizeof buffer, format, args);                                            \
        va_end(args);                                                                              \
    } while (0)

/* The tensor NAME + suffix of this shape; NULL when the loader has failed. */
static const struct tensor *get(struct loader *l, const char *name, const char *suffix, int rank,
                                const int64_t *shape)
{
    char full[NAME_SIZE + 32];
    const struct tensor *t = NULL;

    snprintf(full, sizeof full, "%s%s", name, suffix);
    if (!l->failed && safetensors_get(l->weights, full, rank, shape, &t, l->error))
        l->failed = true;
    return t;
}

/* Whether there is something to pack, and a device to pack it for. */
static bool ready(const struct loader *l)
{
    return !l->failed && l->device;
}

static void packed(struct loader *l, int rc, const char *name)
{
    if (rc == 0)
        return;
    l->failed = true;
    error_wrap(l->error, "%s: tensor %s", safetensors_path(l->weights), name);
}

void load_linear(struct loader *l, struct linear *to, int64_t out, int64_t in, bool biased,
                 const char *name, ...)
{
    const struct tensor *weight, *bias = NULL;
    char text[NAME_SIZE];

    FORMAT_NAME(text, name);
    weight = get(l, text, ".weight", 2, (int64_t[]){out, in});
    if (biased)
        bias = get(l, text, ".bias", 1, &out);
    if (ready(l))
        packed(l, linear_pack(l->device, l->arena, weight, bias, to, l->error), text);
}

void load_linears(struct loader *l, struct linear *to, int64_t out, int64_t in, bool biased,
                  int count, const char *const *part, const char *name, ...)
{
    const struct tensor *weight[PARTS_MAX] = {0}, *bias[PARTS_MAX] = {0};
    char text[NAME_SIZE], full[NAME_SIZE + 32];

    FORMAT_NAME(text, name);
    for (int i = 0; i < count && i < PARTS_MAX; i++) {
        snprintf(full, sizeof full, "%s%s", text, part[i]);
        weight[i] = get(l, full, ".weight", 2, (int64_t[]){out, in});
        if (biased)
            bias[i] = get(l, full, ".bias", 1, &out);
    }
    if (ready(l))
        packed(l, linear_pack_many(l->device, l->arena, count, weight, bias, to, l->error), text);
}

void load_patches(struct loader *l, struct linear *to, int64_t out, int64_t in, const int kernel[3],
                  const char *name, ...)
{
    const struct tensor *weight, *bias;
    struct tensor flat;
    char text[NAME_SIZE];

    FORMAT_NAME(text, name);
    weight = get(l, text, ".weight", 5, (int64_t[]){out, in, kernel[0], kernel[1], kernel[2]});
    bias = get(l, text, ".bias", 1, &out);
    if (!ready(l))
        return;
    flat = TENSOR_VIEW(*weight, out, in * kernel[0] * kernel[1] * kernel[2]);
    packed(l, linear_pack(l->device, l->arena, &flat, bias, to, l->error), text);
}

void load_conv(struct loader *l, struct conv *to, int64_t out, int64_t in, int kt, int kh, int kw,
               const char *name, ...)
{
    const struct tensor *weight, *bias;
    char text[NAME_SIZE];

    FORMAT_NAME(text, name);
    weight = kt ? get(l, text, ".weight", 5, (int64_t[]){out, in, kt, kh, kw})
                : get(l, text, ".weight", 4, (int64_t[]){out, in, kh, kw});
    bias = get(l, text, ".bias", 1, &out);
    if (ready(l))
        packed(l, conv_pack(l->device, l->arena, weight, bias, 1, to, l->error), text);
}

void load_conv_upsample(struct loader *l, struct conv *to, int64_t out, int64_t in,
                        const char *name, ...)
{
    const struct tensor *weight, *bias;
    char text[NAME_SIZE];

    FORMAT_NAME(text, name);
    weight = get(l, text, ".weight", 4, (int64_t[]){out, in, 3, 3});
    bias = get(l, text, ".bias", 1, &out);
    if (ready(l))
        packed(l, conv_pack(l->device, l->arena, weight, bias, 2, to, l->error), text);
}

void load_vector(struct loader *l, struct tensor *to, int64_t count, const char *name, ...)
{
    const struct tensor *t;
    char text[NAME_SIZE], shape[96];

    FORMAT_NAME(text, name);
    if (l->failed)
        return;
    t = safetensors_find(l->weights, text);
    if (!t || tensor_count(t) != count) {
        l->failed = true;
        if (!t)
            error_set(l->error, ERROR_MODEL, "%s: tensor %s is missing",
                      safetensors_path(l->weights), text);
        else
            error_set(l->error, ERROR_MODEL, "%s: tensor %s has the shape %s, not %lld numbers",
                      safetensors_path(l->weights), text, tensor_shape_text(t, shape, sizeof shape),
                      (long long)count);
        return;
    }
    get(l, text, "", t->rank, t->shape); /* does it hold floats? */
    if (!ready(l))
        return;
    packed(l, tensor_upload(l->device, l->arena, t, to, l->error), text);
    if (!l->failed)
        *to = TENSOR_VIEW(*to, count);
}
