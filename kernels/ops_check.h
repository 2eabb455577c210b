/* Checks of arguments that the fronts of the operations share (ops.c, ops_pictures.c): each says
 * which argument does not fit, in the device, and returns false. */
#ifndef AUTEUR_KERNELS_OPS_CHECK_H
#define AUTEUR_KERNELS_OPS_CHECK_H

#include "kernels/device_impl.h"
#include "kernels/f8.h"

enum { SHAPE_TEXT = 96 };

static inline bool fails(struct device *d, const char *op, const char *what, const struct tensor *t)
{
    char text[SHAPE_TEXT];
    device_fail(d, ERROR_INTERNAL, "%s: %s does not fit: shape %s", op, what,
                tensor_shape_text(t, text, sizeof text));
    return false;
}

static inline bool is_here(const struct device *d, const struct tensor *t)
{
    return t->device == d->kind && t->data != NULL;
}

/* Activations or F32. */
static inline bool is_numbers(const struct device *d, const struct tensor *t)
{
    return is_here(d, t) && (t->dtype == DTYPE_F32 || t->dtype == d->activations);
}

static inline bool is_activations(const struct device *d, const struct tensor *t)
{
    return is_here(d, t) && t->dtype == d->activations;
}

static inline bool dense_rows(const struct tensor *t)
{
    return t->rank >= 1 && (t->stride[t->rank - 1] == 1 || t->shape[t->rank - 1] == 1);
}

static inline bool is_rows(const struct device *d, const struct tensor *t)
{
    return is_numbers(d, t) && dense_rows(t);
}

static inline bool is_vector(const struct device *d, const struct tensor *t, int64_t n)
{
    return is_here(d, t) && t->dtype == DTYPE_F32 && tensor_count(t) == n && tensor_contiguous(t);
}

/* F32 in host memory, contiguous. */
static inline bool is_host(const struct tensor *t)
{
    return t->device == DEVICE_CPU && t->data && t->dtype == DTYPE_F32 && tensor_contiguous(t);
}

static inline bool same_shape(const struct tensor *a, const struct tensor *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->shape[i] != b->shape[i])
            return false;
    return true;
}

static inline int64_t columns(const struct tensor *t)
{
    return t->shape[t->rank - 1];
}

static inline bool check_pair(struct device *d, const char *op, const struct tensor *out,
                              const struct tensor *x)
{
    if (d->failed)
        return false;
    if (!is_rows(d, x))
        return fails(d, op, "x", x);
    return (is_rows(d, out) && same_shape(out, x)) || fails(d, op, "out", out);
}

/* Rows of F8_E4M3 that lie where a product can take them, with a scale each. */
static inline bool is_f8_rows(const struct device *d, const struct tensor *t)
{
    if (!is_here(d, t) || t->dtype != DTYPE_F8_E4M3 || !t->scale || t->rank < 2 || !dense_rows(t) ||
        columns(t) % 16 || columns(t) > F8_MAX_COLUMNS || (uintptr_t)t->data % 16 ||
        t->stride[t->rank - 2] < columns(t))
        return false;
    for (int i = 0; i + 1 < t->rank; i++)
        if (t->stride[i] % 16 || t->stride[i] % t->stride[t->rank - 2])
            return false;
    return true;
}

/* As check_pair(), where out may be F8 too. */
static inline bool check_pair_f8(struct device *d, const char *op, const struct tensor *out,
                                 const struct tensor *x)
{
    if (out->dtype != DTYPE_F8_E4M3)
        return check_pair(d, op, out, x);
    if (d->failed)
        return false;
    if (!is_rows(d, x))
        return fails(d, op, "x", x);
    return (is_f8_rows(d, out) && same_shape(out, x)) || fails(d, op, "out", out);
}

/* Where a slot that knows no F8 writes what is for `out`; f8_end() takes it from there. NULL:
 * failed. */
static inline struct tensor *f8_begin(struct device *d, struct tensor *out)
{
    struct tensor *plain;

    if (out->dtype != DTYPE_F8_E4M3 || d->own_f8)
        return out;
    plain = device_plain(d, 0, out->rank, out->shape);
    return plain->data ? plain : NULL;
}

static inline void f8_end(struct tensor *out, const struct tensor *written)
{
    if (written != out)
        f8_write_rows(out, written);
}

/* Calls a slot whose result may be F8. */
#define F8_SLOT(d, out, slot, ...)                                                                 \
    do {                                                                                           \
        struct tensor *to_ = f8_begin((d), (out));                                                 \
        if (to_) {                                                                                 \
            (d)->ops.slot((d), to_, __VA_ARGS__);                                                  \
            f8_end((out), to_);                                                                    \
        }                                                                                          \
    } while (0)

/* An optional vector as wide as x. */
static inline bool check_vector(struct device *d, const char *op, const char *what,
                                const struct tensor *v, const struct tensor *x)
{
    return !v || is_vector(d, v, columns(x)) || fails(d, op, what, v);
}

/* An optional vector [C], or [G, C] with G runs of rows. */
static inline bool check_vectors(struct device *d, const char *op, const char *what,
                                 const struct tensor *v, const struct tensor *x)
{
    int64_t runs;

    if (!v)
        return true;
    runs = v->rank == 2 ? v->shape[0] : 1;
    return (runs > 0 && tensor_rows(x) % runs == 0 && is_vector(d, v, runs * columns(x))) ||
           fails(d, op, what, v);
}

/* [tokens, heads, dim] as one item of [items, tokens, heads, dim]. */
static inline struct tensor as_items(const struct tensor *t, int rank)
{
    struct tensor out = *t;
    if (t->rank != rank - 1)
        return out;
    for (int i = rank - 1; i > 0; i--) {
        out.shape[i] = t->shape[i - 1];
        out.stride[i] = t->stride[i - 1];
    }
    out.rank = rank;
    out.shape[0] = 1;
    out.stride[0] = out.shape[1] * out.stride[1];
    return out;
}

#endif
