#include "kernels/loader.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/device.h"
#include "kernels/load_watch.h"

enum { NAME_SIZE = 256, PARTS_MAX = 4 };

#define FORMAT_NAME(buffer, format)                                                                \
    do {                                                                                           \
        va_list args;                                                                              \
        va_start(args, format);                                                                    \
        vsnprintf(buffer, sizeof buffer, format, args);                                            \
        va_end(args);                                                                              \
    } while (0)

static _Thread_local struct {
    loader_fault_fn *tell;
    void *ctx;
} listener;

void loader_listen(loader_fault_fn *tell, void *ctx)
{
    listener.tell = tell;
    listener.ctx = ctx;
}

/* A tensor that cannot be used, as *l->error says. */
static void fault(struct loader *l)
{
    if (l->device || !listener.tell) {
        l->failed = true;
        return;
    }
    listener.tell(listener.ctx, l->error);
    error_clear(l->error);
}

/* Tells how much there is to load, once. */
static void begin(struct loader *l)
{
    size_t count = safetensors_count(l->weights), bytes = 0;

    if (l->begun || !l->device)
        return;
    l->begun = true;
    for (size_t i = 0; i < count; i++) {
        const struct tensor *t = safetensors_find(l->weights, safetensors_name(l->weights, i));
        bytes += (size_t)tensor_count(t) * dtype_size(t->dtype);
    }
    load_expect(bytes);
}

/* The tensor NAME + suffix of this shape; NULL when there is none of it. */
static const struct tensor *get(struct loader *l, const char *name, const char *suffix, int rank,
                                const int64_t *shape)
{
    char full[NAME_SIZE + 32];
    const struct tensor *t = NULL;

    snprintf(full, sizeof full, "%s%s", name, suffix);
    begin(l);
    if (!l->failed && safetensors_get(l->weights, full, rank, shape, &t, l->error))
        fault(l);
    return t;
}

/* Whether there is something to pack, and a device to pack it for. */
static bool ready(const struct loader *l)
{
    return !l->failed && l->device;
}

/* What the weights of this layer are kept in. */
static enum dtype kept_in(const struct loader *l, const char *name)
{
    if (!l->keep)
        return device_activations(l->device);
    for (const struct keep *k = l->keep; k->pattern; k++)
        if (fnmatch(k->pattern, name, 0) == 0)
            return device_activations(l->device);
    return device_linears(l->device);
}

static void packed(struct loader *l, int rc, const char *name)
{
    if (rc == 0)
        return;
    l->failed = true;
    error_wrap(l->error, "%s: tensor %s", safetensors_path(l->weights), name);
}

/* Bytes of all weights as the device holds them, about: vectors are F32 there, but they are few. */
static size_t packed_size(const struct loader *l)
{
    size_t count = safetensors_count(l->weights), total = 0;

    for (size_t i = 0; i < count; i++) {
        const char *full = safetensors_name(l->weights, i);
        const struct tensor *t = safetensors_find(l->weights, full);
        char name[NAME_SIZE];
        size_t length = strlen(full), suffix = strlen(".weight");
        snprintf(name, sizeof name, "%.*s", (int)(length > suffix ? length - suffix : 0), full);
        total += (size_t)tensor_count(t) *
                 dtype_size(t->rank == 2 ? kept_in(l, name) : device_activations(l->device));
    }
    return total;
}

void load_stream(struct loader *l, struct weight_stream **out)
{
    *out = NULL;
    if (ready(l) && weight_stream_open(l->device, packed_size(l), out, l->error))
        l->failed = true;
    l->stream = *out;
    l->resident = l->arena;
}

void load_block_begin(struct loader *l)
{
    if (l->stream && !l->failed)
        l->arena = weight_stream_begin(l->stream);
}

void load_block_end(struct loader *l)
{
    if (!l->stream || l->failed)
        return;
    l->arena = l->resident;
    if (weight_stream_end(l->stream, l->error))
        l->failed = true;
}

static void pack(struct loader *l, struct linear *to, int count, const struct tensor *const *weight,
                 const struct tensor *const *bias, const char *name)
{
    packed(l,
           linear_pack_as(l->device, l->arena, kept_in(l, name), count, weight, bias, to, l->error),
           name);
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
        pack(l, to, 1, &weight, bias ? &bias : NULL, text);
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
        pack(l, to, count, weight, bias, text);
}

void load_pointwise(struct loader *l, struct linear *to, int64_t out, int64_t in, const char *name,
                    ...)
{
    const struct tensor *weight, *bias, *found;
    char text[NAME_SIZE], full[NAME_SIZE + 32];
    struct tensor flat;

    FORMAT_NAME(text, name);
    snprintf(full, sizeof full, "%s.weight", text);
    found = safetensors_find(l->weights, full);
    weight = get(l, text, ".weight", found && found->rank == 4 ? 4 : 2, (int64_t[]){out, in, 1, 1});
    bias = get(l, text, ".bias", 1, &out);
    if (!ready(l))
        return;
    flat = TENSOR_VIEW(*weight, out, in);
    pack(l, to, 1, (const struct tensor *const[]){&flat}, &bias, text);
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
    pack(l, to, 1, (const struct tensor *const[]){&flat}, &bias, text);
}

static void load_conv_named(struct loader *l, struct conv *to, struct conv_form form, int64_t out,
                            int64_t in, int kt, int kh, int kw, const char *name)
{
    const struct tensor *weight, *bias;

    weight = kt ? get(l, name, ".weight", 5, (int64_t[]){out, in, kt, kh, kw})
                : get(l, name, ".weight", 4, (int64_t[]){out, in, kh, kw});
    bias = get(l, name, ".bias", 1, &out);
    if (ready(l))
        packed(l, conv_pack(l->device, l->arena, weight, bias, form, to, l->error), name);
}

void load_conv(struct loader *l, struct conv *to, int64_t out, int64_t in, int kt, int kh, int kw,
               const char *name, ...)
{
    char text[NAME_SIZE];

    FORMAT_NAME(text, name);
    load_conv_named(l, to, (struct conv_form){.scale = 1, .stride = 1}, out, in, kt, kh, kw, text);
}

void load_conv_form(struct loader *l, struct conv *to, struct conv_form form, int64_t out,
                    int64_t in, int kt, int kh, int kw, const char *name, ...)
{
    char text[NAME_SIZE];

    FORMAT_NAME(text, name);
    load_conv_named(l, to, form, out, in, kt, kh, kw, text);
}

void load_conv_share(struct loader *l, struct conv *to, float share, int64_t out, int64_t in,
                     int kt, int kh, int kw, const char *name, ...)
{
    const struct conv_form form = {.scale = 1, .stride = 1};
    char text[NAME_SIZE], full[NAME_SIZE + 32];
    const struct tensor *weight;
    struct arena host = {0};
    float *values = NULL;
    struct tensor bias;

    FORMAT_NAME(text, name);
    if (share == 1) {
        load_conv_named(l, to, form, out, in, kt, kh, kw, text);
        return;
    }
    weight = get(l, text, ".weight", kt ? 5 : 4,
                 kt ? (int64_t[]){out, in, kt, kh, kw} : (int64_t[]){out, in, kh, kw});
    snprintf(full, sizeof full, "%s.bias", text);
    load_host_vector(l, &host, &values, out, "%s", full);
    if (ready(l)) {
        for (int64_t i = 0; i < out; i++)
            values[i] *= share;
        bias = TENSOR_F32(values, out);
        packed(l, conv_pack(l->device, l->arena, weight, &bias, form, to, l->error), text);
    }
    arena_free(&host);
}

/* The tensor of this name, which must hold `count` floats; NULL when the loader has failed. */
static const struct tensor *get_numbers(struct loader *l, const char *name, int64_t count)
{
    const struct tensor *t = l->failed ? NULL : safetensors_find(l->weights, name);
    char shape[96];

    if (l->failed)
        return NULL;
    if (t && tensor_count(t) == count)
        return get(l, name, "", t->rank, t->shape); /* does it hold floats? */
    if (!t)
        error_set(l->error, ERROR_MODEL, "%s: tensor %s is missing", safetensors_path(l->weights),
                  name);
    else
        error_set(l->error, ERROR_MODEL, "%s: tensor %s has the shape %s, not %lld numbers",
                  safetensors_file(l->weights, name), name,
                  tensor_shape_text(t, shape, sizeof shape), (long long)count);
    fault(l);
    return NULL;
}

void load_vector(struct loader *l, struct tensor *to, int64_t count, const char *name, ...)
{
    const struct tensor *t;
    char text[NAME_SIZE];

    FORMAT_NAME(text, name);
    t = get_numbers(l, text, count);
    if (!t || !ready(l))
        return;
    packed(l, tensor_upload(l->device, l->arena, t, to, l->error), text);
    if (!l->failed)
        *to = TENSOR_VIEW(*to, count);
}

void load_host_vector(struct loader *l, struct arena *host, float **to, int64_t count,
                      const char *name, ...)
{
    const struct tensor *t;
    char text[NAME_SIZE];

    FORMAT_NAME(text, name);
    t = get_numbers(l, text, count);
    if (!t || !ready(l))
        return;
    *to = arena_array(host, (size_t)count, sizeof **to);
    if (*to)
        tensor_to_f32(t, *to);
    else
        packed(l, error_memory(l->error), text);
}

void load_no_more(struct loader *l, const char *prefix, ...)
{
    size_t count = safetensors_count(l->weights);
    char text[NAME_SIZE];

    FORMAT_NAME(text, prefix);
    for (size_t i = 0; i < count && !l->failed; i++) {
        const char *name = safetensors_name(l->weights, i);

        if (strncmp(name, text, strlen(text)) != 0)
            continue;
        error_set(l->error, ERROR_MODEL,
                  "%s: tensor %s is of a layer that config.json does not tell of",
                  safetensors_file(l->weights, name), name);
        fault(l);
        break;
    }
}
