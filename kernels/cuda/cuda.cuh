/* The CUDA device from inside: one stream, one cuBLASLt handle, scratch that only grows, pinned
 * memory to come and go through. A slot takes its struct context from context_of(), enqueues, and
 * reports through cuda_ok(); nothing here waits but read, wait and what has to grow. */
#ifndef AUTEUR_KERNELS_CUDA_CUDA_CUH
#define AUTEUR_KERNELS_CUDA_CUDA_CUH

#include <cublasLt.h>
#include <cuda_runtime.h>
#include <stdint.h>

extern "C" {
#include "kernels/cuda/entry.h"
}

/* Memory that an operation may use until it returns; each purpose has its own, so that operations
 * built on others (a convolution on a matrix product) do not step on them. */
enum scratch_purpose {
    SCRATCH_CONVERTED, /* an input in the dtype of the weights */
    SCRATCH_UNFOLDED,  /* a convolution's neighbourhoods */
    SCRATCH_SCORES,    /* of attention */
    SCRATCH_WEIGHTS,   /* their softmax; group norms' sums */
    SCRATCH_CHANNELS,  /* a convolution's outputs, more than are wanted */
    SCRATCH_OPERANDS,  /* of attention, in FP8 */
    SCRATCH_TRANSFER,  /* raw bytes on their way in or out */
    SCRATCH_VENDOR,    /* what a library asks for */
    SCRATCH_UNFUSED,   /* a product before what comes after it */
    SCRATCH_SCALES,    /* of FP8 rows, on 16 bytes */
    SCRATCH_GATED,     /* scales and biases of a product that runs of rows have their own of */
    SCRATCHES
};

enum { STAGES = 4 };
static const size_t STAGE_SIZE = (size_t)16 << 20;
/* Numbers that wait to be converted: enough of them for all threads to bring. */
static const size_t RAW_SIZE = (size_t)64 << 20;

struct stage {
    char *bytes;      /* pinned */
    cudaEvent_t done; /* the last copy out of it */
    size_t used;
};

/* What is on its way to the host beside the work that goes on. */
struct read_slot {
    float *here, *there; /* on the device; pinned */
    size_t size;         /* bytes of either */
    cudaEvent_t made, done;
    bool begun;
};

struct bulk;
struct gemm_plans;
struct cudnn;

struct context {
    struct arena_source source;
    struct cuda_host host;
    struct device *device;
    int index;
    cudaStream_t stream;
    cublasLtHandle_t blas;
    void *scratch[SCRATCHES];
    size_t scratch_size[SCRATCHES];
    struct stage stage[STAGES];
    int stage_now;
    struct read_slot reading[READ_SLOTS];
    cudaStream_t reader; /* made when first needed */
    struct bulk *bulk;   /* of large uploads */
    bool bulk_tried;
    struct gemm_plans *gemms;
    struct tuning *tuning; /* NULL: no memory for it */
    struct cudnn *cudnn;   /* NULL: not on this machine, or switched off */
};

/* The context of a device, its GPU current in this thread. */
struct context *context_of(struct device *d);
/* Whether a call went well; reports it under `what` when not. */
bool cuda_ok(struct context *c, cudaError_t status, const char *what);
bool blas_ok(struct context *c, cublasStatus_t status, const char *what);
/* After a launch. */
bool launched(struct context *c, const char *what);
/* Whether what is issued now is only written down (kernels/device.h: graphs). */
bool is_recording(struct context *c);
/* GPU memory; NULL: there is none, which whoever asked reports. */
void *memory_take(struct context *c, size_t size);
/* The same of what can be done without: nobody is told that it was refused. */
void *memory_try(struct context *c, size_t size);
void memory_give(struct context *c, void *bytes, size_t size); /* NULL-safe */
/* NULL: failed, and reported. */
void *scratch_take(struct context *c, enum scratch_purpose purpose, size_t size);

static inline size_t size_of(int type)
{
    return type == DTYPE_F32 ? 4 : type == DTYPE_F16 || type == DTYPE_BF16 ? 2 : 1;
}
static inline bool is_half(const struct context *c)
{
    return c->device->activations != DTYPE_F32;
}
static inline unsigned blocks_for(int64_t threads, int block)
{
    int64_t n = (threads + block - 1) / block;
    return (unsigned)(n < 1 ? 1 : n > 132 * 64 ? 132 * 64 : n); /* kernels loop over the rest */
}

/* ---- shapes of operations over rows: equal shapes, a dense last axis, any strides before it */

enum { MAX_AXES = TENSOR_MAX_RANK };
struct domain {
    int axes; /* before the columns, after merging those that lie one after another */
    int64_t size[MAX_AXES];
    int64_t rows, columns;
};
struct operand {
    void *data; /* NULL: absent */
    int type;
    int64_t stride[MAX_AXES]; /* in elements */
};
/* A vector [C] or [G, C] of F32: row r takes row r / run. */
struct vector {
    const float *data;
    int64_t run;
};
/* Fills domain and operands from tensors of one shape (NULL ones are absent). flat: columns may
 * merge with rows too. Returns whether all may be read 16 bytes at a time. */
bool domain_of(struct domain *s, struct operand *o, const struct tensor *const *t, int count,
               bool flat);
/* Whether kernels may leave out what odd shapes need: whole chunks of eight on 16 bytes, and no
 * more of them than 32 bits count with a grid to spare. */
static inline bool is_fast(bool aligned, const struct domain *s, int64_t chunks)
{
    return aligned && s->columns % 8 == 0 && chunks < ((int64_t)1 << 31) && s->columns < 1 << 30;
}
struct vector vector_of(const struct tensor *v, const struct tensor *x);

/* ---- used by several files */

/* out = x, any strides and dtypes, FP8 as well for x. */
void copy_any(struct context *c, const struct tensor *out, const struct tensor *x);
/* Where both have a dense last axis. */
void map_copy(struct context *c, const struct tensor *out, const struct tensor *x);
/* A gated linear unit of any dtypes and strides. */
void map_glu(struct context *c, const struct tensor *out, const struct tensor *x,
             const struct tensor *gate, int act);
/* Host bytes to the device, through pinned memory; the source may go when this returns. */
void readings_free(struct context *c);
/* False: not of halves, dense and on 16 bytes; nothing was done. */
bool channel_norm_halves(struct context *c, const struct tensor *out, const struct tensor *x,
                         const struct tensor *gamma, int act);
bool upload(struct context *c, void *to, const void *from, size_t size);
/* A contiguous tensor of any float dtype in host memory to contiguous numbers of another dtype. */
bool upload_as(struct context *c, void *to, int type, const struct tensor *from);
struct tensor device_tensor(void *data, int type, int rank, const int64_t *shape);

/* x + bias, then the activation, in place; either may be nothing. */
void bias_activate(struct context *c, const struct tensor *x, const float *bias, int act);
/* out = x + bias + y; bias and y may be NULL. */
void bias_add(struct context *c, const struct tensor *out, const struct tensor *x,
              const float *bias, const struct tensor *y);

/* bulk.cu: upload() of what is large. *done false: there is nothing to be gained, or no pinned
 * memory for it. false: failed. */
bool bulk_upload(struct context *c, void *to, const void *from, size_t size, bool *done);
void bulk_close(struct context *c);
/* mover.cu */
extern const struct weight_mover cuda_mover;

/* ---- operations on rows that a block or a warp holds (rows.cu). rows_norm(): out may be FP8 rows
 * with scales, and then it takes any; else false: rows of this form are not its, nothing was done.
 */
bool rows_norm(struct context *c, bool layer, const struct tensor *out, const struct tensor *x,
               const struct tensor *weight, const struct tensor *bias, float eps);
/* FP8 rows: out = x * act(gate), or without a gate act(x). */
void rows_map(struct context *c, const struct tensor *out, const struct tensor *x,
              const struct tensor *gate, int act);
/* FP8 rows with scales to numbers. */
void rows_from_f8(struct context *c, const struct tensor *out, const struct tensor *x);

/* ---- matrix products, row-major: D[m, n] = alpha A[m, k] B + beta C */
struct matrix {
    const void *data;
    int type;
    int64_t ld, batch; /* elements between rows, between matrices of a batch */
};
struct product {
    int64_t m, n, k, batch;
    struct matrix a, b, c, d; /* c is read when beta is not zero */
    bool b_transposed;        /* B is stored [n, k], as weights are; else [k, n] */
    float alpha, beta;
    const void *bias; /* [n] of D's dtype, or NULL; of FP8 products BF16 where D is F32 */
    /* A and B are F8_E4M3: [m] and [n], a number stands for its row's scale times itself; B is
     * transposed. Else NULL. */
    const float *scale_a, *scale_b;
    int act; /* ACT_NONE, or what cuBLASLt can do: gemm_fuses() */
};
bool gemm_fuses(int act);
/* False: not done; when nothing has failed, no algorithm takes this shape. */
bool gemm(struct context *c, const struct product *p);
void gemm_close(struct context *c);
/* Whether there are products of FP8 rows with scales here. */
bool gemm_has_f8(struct context *c);
/* Whether layers of this device may have FP8 weights: it was asked for, and there are products. */
bool f8_open(struct context *c);
/* Says, once, that algorithms are looked for and where they are kept. */
void search_note(struct context *c);

/* ---- cuDNN, opened at run time where it is installed */
void cudnn_open(struct context *c);
void cudnn_close(struct context *c);
/* Has op_linear_glu() in one kernel where there is one for this GPU. */
void linear_glu_open(struct context *c);
/* ---- recording: graph.cu */
extern const struct device_recorder cuda_recorder;

/* ---- slots */
const void *cuda_linear_pack(struct device *d, struct arena *a, int count,
                             const struct tensor *const *weight, const struct linear *shape);
const void *cuda_conv_pack(struct device *d, struct arena *a, const struct tensor *weight,
                           const struct conv *shape);
int cuda_probe(struct device *d, enum device_probe what, int peer, double *rate, char *why,
               size_t size);
void cuda_write(struct device *d, struct tensor *out, const struct tensor *host);
void cuda_read(struct device *d, struct tensor *host, const struct tensor *x);
void cuda_read_begin(struct device *d, int slot, const struct tensor *x);
const float *cuda_read_end(struct device *d, int slot);
void cuda_linear(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct linear *w, enum activation act, const struct tensor *residual);
void cuda_linear_gated(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct linear *w, const struct tensor *residual,
                       const struct tensor *gate);
void cuda_linear_shifted(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct linear *w, const struct tensor *shift,
                         const struct tensor *residual);
void cuda_linear_glu(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct linear *w, enum activation act);
void cuda_attention(struct device *d, struct tensor *out, const struct tensor *q,
                    const struct tensor *k, const struct tensor *v, float scale,
                    const struct attention_bias *bias);
void cuda_layer_norm(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *weight, const struct tensor *bias, float eps);
void cuda_rms_norm(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *weight, float eps);
void cuda_channel_norm(struct device *d, struct tensor *out, const struct tensor *x,
                       const struct tensor *gamma, enum activation act);
void cuda_group_norm(struct device *d, struct tensor *out, const struct tensor *x, int groups,
                     const struct tensor *weight, const struct tensor *bias, float eps,
                     enum activation act);
void cuda_group_norm_shifted(struct device *d, struct tensor *out, const struct tensor *x,
                             const struct shifted_norm *n);
void cuda_group_statistics(struct device *d, struct tensor *affine, const struct tensor *x,
                           int groups, const struct tensor *weight, const struct tensor *bias,
                           float eps);
void cuda_normalise(struct device *d, struct tensor *out, const struct tensor *x,
                    const struct tensor *affine, const struct normalise_form *form);
void cuda_rope(struct device *d, struct tensor *x, const struct tensor *cos,
               const struct tensor *sin, enum rope_pairs pairs);
bool cuda_norm_rope(struct device *d, struct tensor *x, const struct head_norm *norm,
                    const struct turn *turn);
void cuda_embed(struct device *d, struct tensor *out, const struct tensor *table,
                const struct tensor *ids);
void cuda_activation(struct device *d, struct tensor *out, const struct tensor *x,
                     enum activation act);
void cuda_glu(struct device *d, struct tensor *out, const struct tensor *x,
              const struct tensor *gate, enum activation act);
void cuda_blend(struct device *d, struct tensor *out, float a, const struct tensor *x, float b,
                const struct tensor *y);
void cuda_add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                    const struct tensor *y, const struct tensor *gate);
void cuda_prelu(struct device *d, struct tensor *out, const struct tensor *x,
                const struct tensor *slope);
void cuda_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *scale, const struct tensor *shift);
void cuda_distance(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *y);
void cuda_copy(struct device *d, struct tensor *out, const struct tensor *x);
void cuda_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
               const struct conv *w, const struct tensor *residual);
bool cuda_conv_clips(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct conv *w, const struct tensor *residual);
void cuda_patchify(struct device *d, struct tensor *tokens, const struct tensor *latents,
                   const int patch[3]);
void cuda_unpatchify(struct device *d, struct tensor *latents, const struct tensor *tokens,
                     const int patch[3]);

#endif
