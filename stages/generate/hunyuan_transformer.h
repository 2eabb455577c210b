/* The denoiser of HunyuanVideo (text to video): HunyuanVideoTransformer3DModel as diffusers
 * publishes it.
 *
 * Video latents are cut into patches. A refiner turns the prompt's embeddings into tokens beside
 * them. Dual-stream blocks, where video and words have weights of their own and attend to each
 * other, are followed by single-stream blocks, where they share them; every block is modulated by
 * timestep, pooled prompt and guidance, which is an input of the model and no second pass.
 * Everything about the size comes from config.json; image-to-video forms (image_condition_type,
 * more channels in than out) are refused at load.
 *
 * Paper: "HunyuanVideo: A Systematic Framework For Large Video Generative Models" (arXiv
 * 2412.03603).
 *
 * Memory of a forward pass: about (6 + mlp_ratio) * tokens * width activations, where a token is a
 * patch of the latents or a word; for the published size in 16 bits at 720 x 1280 that is 1.1 GB
 * for 17 frames and 3.8 GB for 65.
 */
#ifndef AUTEUR_STAGES_HUNYUAN_TRANSFORMER_H
#define AUTEUR_STAGES_HUNYUAN_TRANSFORMER_H

#include "stages/generate/step_cache.h"

struct hunyuan_transformer;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only the sizes may be asked.
 */
int hunyuan_transformer_load(const char *dir, struct device *d, struct hunyuan_transformer **out,
                             struct error *e);
void hunyuan_transformer_free(struct hunyuan_transformer *m); /* NULL-safe */

int hunyuan_transformer_channels(const struct hunyuan_transformer *m); /* of the latents */
int hunyuan_transformer_text_dim(const struct hunyuan_transformer *m);
int hunyuan_transformer_pooled_dim(const struct hunyuan_transformer *m);
/* Patch size in t, h, w: latents must divide by it. */
const int *hunyuan_transformer_patch(const struct hunyuan_transformer *m);

/* A prompt made ready for the model: all that does not change from step to step. */
struct hunyuan_conditioning;

/* embeddings: [words, text_dim], the text encoder's states without padding; words >= 1 (padding is
 * masked wherever it could be seen, so leaving it out gives the same). pooled: [pooled_dim].
 * Both in host memory, F32. guidance: the scale as a person gives it (the model is told 1000 times
 * that); not looked at by a model without guidance_embeds. */
int hunyuan_transformer_prepare(struct hunyuan_transformer *m, const struct tensor *embeddings,
                                const struct tensor *pooled, double guidance,
                                struct hunyuan_conditioning **out, struct error *e);
void hunyuan_conditioning_free(struct hunyuan_conditioning *c); /* NULL-safe */

/* latents, out: [C, T, H, W] contiguous F32 in host memory; out may be latents. timestep: 0..1000,
 * as the sampler has it. */
int hunyuan_transformer_forward(struct hunyuan_transformer *m, const struct hunyuan_conditioning *c,
                                const struct tensor *latents, float timestep, struct tensor *out,
                                struct error *e);

/* From now on steps may take from those before them: see step_cache.h. The cache outlives the
 * model, or NULL ends it. */
void hunyuan_transformer_cache(struct hunyuan_transformer *m, struct step_cache *cache);

#endif
