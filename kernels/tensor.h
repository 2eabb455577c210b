/* A tensor is a view: numbers somewhere, with a dtype, a shape and strides. It owns nothing; the
 * memory is an arena's, a mapped checkpoint's or the caller's, and must outlive it. Copying the
 * struct makes another view of the same numbers.
 */
#ifndef AUTEUR_KERNELS_TENSOR_H
#define AUTEUR_KERNELS_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"

enum dtype {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F8_E4M3, /* OCP 8-bit floats: 4 exponent bits, no infinity, 0x7f and 0xff are NaN */
    DTYPE_F8_E5M2, /* 5 exponent bits, infinities and NaNs as in IEEE 754 */
    DTYPE_I64,
    DTYPE_I32,
    DTYPE_U8,
    DTYPES
};

enum device_kind { DEVICE_CPU, DEVICE_CUDA };

enum { TENSOR_MAX_RANK = 8 };

struct tensor {
    enum dtype dtype;
    enum device_kind device; /* where `data` lives */
    int rank;                /* 0..TENSOR_MAX_RANK; a scalar has rank 0 and one element */
    int64_t shape[TENSOR_MAX_RANK];
    int64_t stride[TENSOR_MAX_RANK]; /* in elements, not bytes */
    void *data;
    /* Activations of a device with FP8 linear layers (kernels/device.h): room for a scale of each
     * row, in use while the dtype is F8_E4M3: a number stands for scale times itself. The row that
     * begins k row strides behind `data` has scale[k]. Else NULL. */
    float *scale;
};

size_t dtype_size(enum dtype t);
bool dtype_is_float(enum dtype t);
const char *dtype_name(enum dtype t); /* "F32", as safetensors writes it */

/* Contiguous (row-major) views of `data`. */
struct tensor tensor_of(enum dtype t, void *data, int rank, const int64_t *shape);
struct tensor tensor_f32(float *data, int rank, const int64_t *shape);
#define TENSOR_F32(data, ...)                                                                      \
    tensor_f32((data), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                  \
               (const int64_t[]){__VA_ARGS__})

/* New zeroed F32 memory from the arena, on the arena's device; data is NULL when there is none
 * left.
 */
struct tensor tensor_new(struct arena *a, int rank, const int64_t *shape);
struct tensor tensor_new_of(struct arena *a, enum dtype t, int rank, const int64_t *shape);
#define TENSOR_NEW(arena, ...)                                                                     \
    tensor_new((arena), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                 \
               (const int64_t[]){__VA_ARGS__})

int64_t tensor_count(const struct tensor *t); /* elements */
bool tensor_contiguous(const struct tensor *t);
/* The part from..from+count of one axis. Out of range is the caller's mistake (asserted). */
struct tensor tensor_slice(struct tensor t, int axis, int64_t from, int64_t count);
/* The same numbers under another shape; t must be contiguous and the counts agree (asserted). */
struct tensor tensor_view(struct tensor t, int rank, const int64_t *shape);
#define TENSOR_VIEW(t, ...)                                                                        \
    tensor_view((t), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),                    \
                (const int64_t[]){__VA_ARGS__})
/* Axis i of the result is axis order[i] of t. */
struct tensor tensor_permute(struct tensor t, const int *order);
/* "[2, 3, 4]" into a buffer, for messages. Returns buffer. */
char *tensor_shape_text(const struct tensor *t, char *buffer, size_t size);

/* The numbers of a contiguous tensor as F32, converted where they are stored otherwise (exactly:
 * every stored float dtype is a subset of F32). count = tensor_count(t). */
void tensor_to_f32(const struct tensor *t, float *out);

#endif
