/* A family of published models, as generate, decode and parity drive it. One const descriptor a
 * family; everything about the size of a model comes from its checkpoint.
 *
 * Order of use, so that no two large models are in memory together:
 *   check()                                        before any long work; reads no weights
 *   encoder_open(), encode() each shot, encoder_close()    words and pictures become conditions
 *   model_open(), for each shot: begin(), predict() each step, model_close()
 *   vae_open(), decode() each shot, vae_close()
 * The sampler around predict() (noise, sigmas, steps, what a checkpoint needs) is stages/generate's
 * and the same for all: sampler.h. Latents and conditions are in host memory; what a family keeps
 * on its device is its own affair.
 */
#ifndef AUTEUR_STAGES_GENERATE_FAMILY_H
#define AUTEUR_STAGES_GENERATE_FAMILY_H

#include "kernels/device.h"
#include "stages/generate/sampler.h"
#include "stages/generate/step_cache.h"

/* What one shot asks of a model. Strings and pixels are the caller's and outlive the sampling. */
struct generation {
    const char *prompt;
    const char *negative; /* NULL: none is given, which SDXL takes as zeros, "" as an empty text */
    struct {
        const uint8_t *rgb; /* [height][width][3]; NULL: none */
        int width, height;
    } picture; /* what an image-to-video model sets in motion */
    uint64_t seed;
    int width, height, frames; /* what the VAE gives; of sizes that the family can make */
    int steps;
    double guidance;      /* 1: none. HunyuanVideo: the embedded guidance. SVD: of the last frame */
    double guidance_2;    /* Wan: of the second expert. SVD: of the first frame */
    int dynamic_guidance; /* CogVideoX: 1 with, -1 without, 0 as the model's form publishes */
    double fps;           /* SVD: frames a second, as the model is told */
    int motion_bucket;    /* SVD */
    double noise_strength; /* SVD: noise added to the picture */
    int text_length;       /* tokens that the model is given; 0: as the family publishes */
    struct {
        enum step_cache_mode mode;
        double threshold;
    } step_cache;
};

/* What the denoiser is given for one shot: F32 in host memory, by the names that goldens use
 * ("prompt_embeds", "pooled_prompt_embeds", "image_latents"). */
enum { CONDITIONS_MAX = 8 };
struct conditions {
    struct arena arena;
    int count;
    struct condition {
        const char *name; /* static */
        struct tensor value;
    } item[CONDITIONS_MAX];
};
/* NULL: there is none of that name. */
const struct tensor *conditions_find(const struct conditions *c, const char *name);
/* A new zeroed one, from the conditions' arena; data NULL when memory has run out. */
struct tensor *conditions_add(struct conditions *c, const char *name, int rank,
                              const int64_t *shape);
void conditions_free(struct conditions *c); /* a zeroed one too */

/* Gets each picture as it is done: index from 0, rgb [height][width][3] F32 about -1..1 (not
 * clamped), good until it returns. Nonzero stops the decoding, which then fails; leave the reason
 * in *e. */
typedef int family_frame_fn(void *ctx, int index, const float *rgb, int width, int height,
                            struct error *e);

struct family {
    const char *name;             /* "hunyuan_video", as golden.json says */
    const char *const *pipelines; /* the _class_name's of model_index.json; NULL ends */
    /* Folders of the checkpoint that decide latents; NULL ends. "?": only some checkpoints have it
     * ("?transformer_2"). The decoder's is always "vae". */
    const char *const *parts;
    bool needs_picture;
    /* What the model can make: width and height are multiples of size_multiple, frames are
     * frame_multiple * k + 1, at most frames_max (0: as many as memory holds). */
    int size_multiple, frame_multiple, frames_max;
    /* Pixels of the pictures that the checkpoint was trained on; 0: it does not say. NULL: none
     * does. */
    int64_t (*trained_pixels)(const char *dir);
    /* What its parts compute in on a GPU: as published, but where that is known to overflow. The
     * model in another half where that was asked for: family_model_dtype(). */
    struct {
        enum dtype encoder, model, vae;
    } gpu;

    /* It is told its guidance as a number and makes no pass without the prompt: no negative prompt
     * is read. */
    bool guidance_embedded;
    /* Its text encoder and its model come in blocks of layers, which may stay on the host
     * (kernels/weight_stream.h). */
    bool streams;
    /* Large layers of its model may be kept in FP8, and its attention computed so: device_options'
     * linears and attention. */
    bool fp8;

    /* What can be said of a checkpoint without reading weights: configs, every tensor there in its
     * shape, widths that fit each other. ERROR_MODEL. */
    int (*check)(const char *dir, struct error *e);

    /* The three open()s below take device NULL: configs are read and every tensor looked up, and
     * what they give may only be closed. */

    int (*encoder_open)(const char *dir, struct device *d, void **encoder, struct error *e);
    /* Fills empty conditions. The negative prompt is not looked at where guidance is 1. A text that
     * was encoded just before need not be encoded again: shots of one board share their negative.
     */
    int (*encode)(void *encoder, const struct generation *g, struct conditions *out,
                  struct error *e);
    void (*encoder_close)(void *encoder); /* NULL-safe */

    int (*model_open)(const char *dir, struct device *d, void **model, struct error *e);
    void (*model_close)(void *model); /* NULL-safe */
    /* The latents' shape, in the order of axes of the published pipeline, which is also the order
     * that noise is drawn in: [C, T, H, W], for CogVideoX and SVD [T, C, H, W], for SDXL [C, 1, H,
     * W]. Sizes that the model cannot make are ERROR_INPUT. */
    int (*latents_shape)(void *model, const struct generation *g, int64_t shape[4],
                         struct error *e);
    /* How many normal numbers the pipeline draws from the seed before the latents' noise (SVD: the
     * noise on its picture). NULL: none. */
    size_t (*noise_before)(const struct generation *g);
    /* A new shot: generation, conditions and sampler (its timesteps, and config) stay where they
     * are until the next begin. */
    int (*begin)(void *model, const struct generation *g, const struct conditions *c,
                 const struct sampler *s, struct error *e);
    /* out = the model's guided prediction at step i for `latents` (already scaled by
     * sampler_scale_input). Both of latents_shape(), contiguous, host. */
    int (*predict)(void *model, const struct tensor *latents, int i, struct tensor *out,
                   struct error *e);
    /* Several shots of one size, guided or not alike, through the model together: at most batch_max
     * (0 and 1: one at a time, and the two below are NULL). Each has latents and a prediction of
     * its own; what they are told by steps (timesteps) is the same for all. On a CPU a shot's
     * prediction is the same bytes whoever is beside it; on a GPU it may differ by rounding, since
     * products of another size may be summed in another order. begin() and predict() are these for
     * one. */
    int batch_max;
    int (*begin_batch)(void *model, int count, const struct generation *const *g,
                       const struct conditions *const *c, const struct sampler *s, struct error *e);
    int (*predict_batch)(void *model, const struct tensor *const *latents, int i,
                         struct tensor *const *out, struct error *e);

    /* What the step that predict() did last took from steps before; what it holds follows from the
     * latents of the last two steps that were not `reused`. NULL: the family has no step cache. */
    const struct step_cache *(*step_cache)(void *model);

    /* A model in parts of which one is in memory at a time, each for a run of steps: whether this
     * checkpoint's is, and which part makes a step. Shots gain by going through one part, all of
     * them, before the next is loaded. NULL: never. */
    bool (*in_parts)(const char *dir);
    int (*part)(void *model, const struct sampler *s, int step);

    int (*vae_open)(const char *dir, struct device *d, void **vae, struct error *e);
    void (*vae_close)(void *vae); /* NULL-safe */
    /* How many frames are decoded together: fewer take less memory, and give another result. 0:
     * all. At first as the published pipeline does without being told: SVD all, HunyuanVideo tiles
     * of 16 that overlap. NULL: the family chooses for itself. */
    void (*vae_chunk)(void *vae, int frames);
    /* From now on works in smaller pieces (tiles, or slices in time), which take less memory;
     * false: there are none smaller. NULL: there never are. */
    bool (*vae_smaller)(void *vae);
    /* For decoding in tiles (stages/decode/tiling.h): pixels a latent, each way; bytes of the
     * device's memory that latents of this shape take at least, besides the weights; and how much
     * decode() may take from now on, so that it does as much at once as fits (NULL: there is no
     * choice). All NULL: it is always decoded whole. */
    int (*vae_factor)(void *vae);
    size_t (*vae_bytes)(void *vae, const int64_t latents_shape[4]);
    void (*vae_memory)(void *vae, size_t bytes);
    /* latents: as the sampler leaves them (the VAE's scaling is applied here). */
    int (*decode)(void *vae, const struct tensor *latents, family_frame_fn *frame, void *ctx,
                  struct error *e);
};

/* NULL-ended. */
extern const struct family *const families_all[];
extern const struct family family_wan, family_hunyuan_video, family_cogvideox, family_sdxl,
    family_svd;

/* What its model computes in on a GPU: as it is asked for (activations; F32: as published). */
enum dtype family_model_dtype(const struct family *family, const struct device_options *asked);
/* By model_index.json's _class_name. ERROR_MODEL names the file and what it says. */
int family_of_checkpoint(const char *dir, const struct family **out, struct error *e);

#endif
