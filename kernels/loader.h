/* Loading a model's weights module by module, by the names of a checkpoint. Errors are sticky:
 * after the first, later calls do nothing, so that a model's list of layers reads as a list; ask
 * `failed` at the end. Names are printf formats ("blocks.%d.attn1.to_q", i), without ".weight". */
#ifndef AUTEUR_KERNELS_LOADER_H
#define AUTEUR_KERNELS_LOADER_H

#include "kernels/ops.h"
#include "kernels/safetensors.h"
#include "kernels/weight_stream.h"

/* Layers that lose by FP8 and therefore stay in 16 bits: names with * and ? (fnmatch), and the
 * reason, for whoever asks. A list ends with a pattern of NULL. */
struct keep {
    const char *pattern, *why;
};

struct loader {
    struct device *device; /* NULL: tensors are looked up and checked, nothing is read or packed */
    struct arena *arena;   /* packed weights go here */
    const struct safetensors *weights;
    /* Linear layers of other names than these are kept in device_linears(). NULL: this model was
     * not tried in FP8, all of it stays in 16 bits. */
    const struct keep *keep;
    struct error *error;
    bool failed;
    /* The loader's own, from load_stream() on. */
    struct weight_stream *stream;
    struct arena *resident; /* `arena` outside blocks */
    bool begun;             /* load_expect() was told what there is */
};

/* For models whose blocks are used one after another: their weights may then stay on the host, and
 * come as they are needed. *out is what weight_stream_use() is told before each block; NULL where
 * they all stay on the device. What is loaded between begin and end is a block's; blocks count from
 * 0. `stream` is the model's to close, after its last operation and before its device. */
void load_stream(struct loader *l, struct weight_stream **out);
void load_block_begin(struct loader *l);
void load_block_end(struct loader *l);

/* For whoever wants all faults of a checkpoint, not the first: while a listener is set (for the
 * calling thread), loaders without a device tell it of each tensor that is missing or of another
 * shape, and go on as if it were there. NULL ends it. */
typedef void loader_fault_fn(void *ctx, const struct error *fault);
void loader_listen(loader_fault_fn *listener, void *ctx);

/* NAME.weight [out, in] and, unless biased is false, NAME.bias [out]. */
void load_linear(struct loader *l, struct linear *to, int64_t out, int64_t in, bool biased,
                 const char *name, ...) __attribute__((format(printf, 6, 7)));
/* Layers of the same size that read the same input, as one: NAME + part[i] + ".weight". */
void load_linears(struct loader *l, struct linear *to, int64_t out, int64_t in, bool biased,
                  int count, const char *const *part, const char *name, ...)
    __attribute__((format(printf, 8, 9)));
/* NAME.weight [out, in], or [out, in, 1, 1] (a convolution of one pixel is a linear layer), and
 * NAME.bias. */
void load_pointwise(struct loader *l, struct linear *to, int64_t out, int64_t in, const char *name,
                    ...) __attribute__((format(printf, 5, 6)));
/* NAME.weight [out, in, kernel...] seen as a linear layer of in * kernel inputs: patch embeddings.
 */
void load_patches(struct loader *l, struct linear *to, int64_t out, int64_t in, const int kernel[3],
                  const char *name, ...) __attribute__((format(printf, 6, 7)));
/* NAME.weight [out, in, kt, kh, kw] (without kt when it is 0) and NAME.bias; stride 1, zeros beyond
 * the edges. */
void load_conv(struct loader *l, struct conv *to, int64_t out, int64_t in, int kt, int kh, int kw,
               const char *name, ...) __attribute__((format(printf, 8, 9)));
/* The same for an input that was multiplied by `share`, and with it all that comes out: the bias is
 * too. */
void load_conv_share(struct loader *l, struct conv *to, float share, int64_t out, int64_t in,
                     int kt, int kh, int kw, const char *name, ...)
    __attribute__((format(printf, 9, 10)));
/* The same laid on space in another way. */
void load_conv_form(struct loader *l, struct conv *to, struct conv_form form, int64_t out,
                    int64_t in, int kt, int kh, int kw, const char *name, ...)
    __attribute__((format(printf, 9, 10)));
/* The tensor of exactly this name, of `count` numbers in any shape, as a vector of F32. */
void load_vector(struct loader *l, struct tensor *to, int64_t count, const char *name, ...)
    __attribute__((format(printf, 4, 5)));
/* The same in host memory from `host`, for what the host reads: tables of buckets, mixing factors.
 */
void load_host_vector(struct loader *l, struct arena *host, float **to, int64_t count,
                      const char *name, ...) __attribute__((format(printf, 5, 6)));

/* After the last of a model's layers: a tensor whose name begins so belongs to one more than the
 * config tells of. What is loaded would run, and be another model. */
void load_no_more(struct loader *l, const char *prefix, ...) __attribute__((format(printf, 2, 3)));

#endif
