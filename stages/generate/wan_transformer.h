/* The denoiser of Wan 2.1 and 2.2 (text to video): WanTransformer3DModel as diffusers publishes it.
 *
 * Video latents are cut into patches; blocks of self-attention with three-axis rotary positions,
 * cross-attention to the prompt, and a feed-forward, each modulated by the timestep, predict the
 * flow. Everything about the size comes from config.json. The image-to-video (image_dim,
 * added_kv_proj_dim) forms are refused at load.
 *
 * Paper: "Wan: Open and Advanced Large-Scale Video Generative Models" (arXiv 2503.20314).
 */
#ifndef AUTEUR_STAGES_WAN_TRANSFORMER_H
#define AUTEUR_STAGES_WAN_TRANSFORMER_H

#include "stages/generate/step_cache.h"

struct wan_transformer;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only the sizes may be asked.
 */
int wan_transformer_load(const char *dir, struct device *d, struct wan_transformer **out,
                         struct error *e);
void wan_transformer_free(struct wan_transformer *m); /* NULL-safe */

int wan_transformer_channels(const struct wan_transformer *m); /* of the latents, in and out */
int wan_transformer_text_dim(const struct wan_transformer *m);
/* Patch size in t, h, w: latents must divide by it. */
const int *wan_transformer_patch(const struct wan_transformer *m);

/* A prompt made ready for one model: the keys and values of every block's cross-attention. It costs
 * what one step costs or less, and serves every step of a shot. */
struct wan_conditioning;

/* embeddings: [real tokens, text_dim] in host memory, contiguous, the text encoder's output without
 * padding. padded_length: the length to which the pipeline pads with rows of zeros
 * (max_sequence_length), >= the real tokens. The padding is attended to, as the published pipeline
 * does: its rows are all alike, so they are kept as one key that counts padded_length - tokens
 * times. */
int wan_transformer_prepare(struct wan_transformer *m, const struct tensor *embeddings,
                            int padded_length, struct wan_conditioning **out, struct error *e);
void wan_conditioning_free(struct wan_conditioning *c); /* NULL-safe */

/* latents, out: [C, T, H, W] contiguous F32 in host memory; out may not be latents. timestep:
 * 0..1000, as the sampler has it. */
int wan_transformer_forward(struct wan_transformer *m, const struct wan_conditioning *c,
                            const struct tensor *latents, float timestep, struct tensor *out,
                            struct error *e);

/* The same with guidance: negative + guidance * (prompt - negative), of two passes that wait for
 * nothing between them. negative NULL: the prompt's alone. */
int wan_transformer_guided(struct wan_transformer *m, const struct wan_conditioning *prompt,
                           const struct wan_conditioning *negative, float guidance,
                           const struct tensor *latents, float timestep, struct tensor *out,
                           struct error *e);

/* From now on steps may take from those before them: see step_cache.h. The cache outlives the
 * model, or NULL ends it. */
void wan_transformer_cache(struct wan_transformer *m, struct step_cache *cache);

/* Floating-point operations of one forward pass (multiply and add are two), for benchmarks. */
double wan_transformer_flops(const struct wan_transformer *m, const struct wan_conditioning *c,
                             const int64_t latents_shape[4]);

#endif
