/* What a device is made of: for implementations of operations only; models include ops.h. */
#ifndef AUTEUR_KERNELS_DEVICE_IMPL_H
#define AUTEUR_KERNELS_DEVICE_IMPL_H

#include "kernels/device.h"
#include "kernels/pool.h"

/* One slot an operation. Arguments have been checked by op_*(); their contract is in ops.h. Slots
 * report failure with device_fail(). */
struct ops {
    /* Weights come as F32; pack returns the packed form, from the arena, or NULL (out of memory).
     */
    const void *(*linear_pack)(struct device *d, struct arena *a, const float *w, int64_t out,
                               int64_t in);
    /* w: [out, kt, kh, kw, in] */
    const void *(*conv_pack)(struct device *d, struct arena *a, const float *w,
                             const struct conv *shape);
    void (*linear)(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct linear *w, enum activation act);
    void (*attention)(struct device *d, struct tensor *out, const struct tensor *q,
                      const struct tensor *k, const struct tensor *v, float scale,
                      const struct attention_bias *bias);
    void (*layer_norm)(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct tensor *weight, const struct tensor *bias, float eps);
    void (*rms_norm)(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *weight, float eps);
    void (*channel_norm)(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct tensor *gamma, enum activation act);
    void (*softmax)(struct device *d, struct tensor *out, const struct tensor *x);
    void (*rope)(struct device *d, struct tensor *x, const struct tensor *cos,
                 const struct tensor *sin);
    void (*embed)(struct device *d, struct tensor *out, const struct tensor *table,
                  const struct tensor *ids);
    void (*activation)(struct device *d, struct tensor *out, const struct tensor *x,
                       enum activation act);
    void (*add)(struct device *d, struct tensor *out, const struct tensor *x,
                const struct tensor *y);
    void (*mul)(struct device *d, struct tensor *out, const struct tensor *x,
                const struct tensor *y);
    void (*add_gated)(struct device *d, struct tensor *out, const struct tensor *x,
                      const struct tensor *y, const struct tensor *gate);
    void (*modulate)(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *scale, const struct tensor *shift);
    void (*copy)(struct device *d, struct tensor *out, const struct tensor *x);
    void (*conv)(struct device *d, struct tensor *out, const struct tensor *const *x,
                 const struct conv *w, const struct tensor *residual);
    void (*patchify)(struct device *d, struct tensor *tokens, const struct tensor *latents,
                     const int patch[3]);
    void (*unpatchify)(struct device *d, struct tensor *latents, const struct tensor *tokens,
                       const int patch[3]);
};

struct device {
    struct ops ops;
    enum device_kind kind;
    int threads;
    struct pool *pool; /* of that many threads, the caller's included */
    bool failed;       /* error holds the first failure */
    struct error error;
    void *scratch; /* grows, never shrinks before device_trim() */
    size_t scratch_size;
};

void device_fail(struct device *d, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* At least `size` bytes, aligned to 64; contents are lost at the next call. NULL: failed. */
void *device_scratch(struct device *d, size_t size);

/* Each fills or overwrites the slots it has. */
void ops_init_reference(struct ops *ops);
void ops_init_cpu(struct ops *ops);

/* Rows of a tensor whose leading axes may be strided: row r of C numbers begins at
 * tensor_row(t, r). */
static inline float *tensor_row(const struct tensor *t, int64_t r)
{
    int64_t offset = 0;
    for (int i = t->rank - 2; i >= 0; i--) {
        offset += r % t->shape[i] * t->stride[i];
        r /= t->shape[i];
    }
    return (float *)t->data + offset;
}
/* Elements between row r and row r + 1 when they are evenly spaced, else -1. */
int64_t tensor_row_stride(const struct tensor *t);
int64_t tensor_rows(const struct tensor *t);

#endif
