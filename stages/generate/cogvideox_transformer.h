/* The denoiser of CogVideoX (text to video): CogVideoXTransformer3DModel as diffusers publishes it,
 * in both forms. The first (2B) adds sines and cosines of a token's place to its embedding; the
 * second (5B) turns queries and keys by it (rotary positions). CogVideoX 1.5 is the second with
 * patches that span frames (patch_size_t).
 *
 * Tokens of the text and patches of the video go through the blocks as one sequence: one attention
 * and one feed-forward for both, but norms and gates of their own, all set by the timestep.
 * Everything about the size comes from config.json. The image-to-video forms (more channels in than
 * out, learned positions, ofs_embed_dim) are refused at load.
 *
 * Paper: Z. Yang et al., "CogVideoX: Text-to-Video Diffusion Models with An Expert Transformer"
 * (arXiv 2408.06072).
 */
#ifndef AUTEUR_STAGES_COGVIDEOX_TRANSFORMER_H
#define AUTEUR_STAGES_COGVIDEOX_TRANSFORMER_H

#include "stages/generate/step_cache.h"

struct cogvideox_transformer;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only the sizes may be asked.
 */
int cogvideox_transformer_load(const char *dir, struct device *d,
                               struct cogvideox_transformer **out, struct error *e);
void cogvideox_transformer_free(struct cogvideox_transformer *m); /* NULL-safe */

struct cogvideox_sizes {
    int channels;                    /* of the latents, in and out */
    int patch_t, patch;              /* in time (1 where the config has none), and in space */
    int text_width, text_length;     /* the text encoder's; tokens as published (226) */
    int sample_height, sample_width; /* latents that it was trained on */
    bool rotary;                     /* the second form */
    bool spans_frames;               /* patch_size_t is given: CogVideoX 1.5 */
};
const struct cogvideox_sizes *cogvideox_transformer_sizes(const struct cogvideox_transformer *m);

/* cos and sin, [tokens, head_dim / 2] each, by which the second form turns patches of latents
 * [T, C, H, W]: what the published pipeline gives the model as image_rotary_emb, each value once.
 */
int64_t cogvideox_tokens(const struct cogvideox_transformer *m, const int64_t shape[4]);
int cogvideox_head_pairs(const struct cogvideox_transformer *m); /* head_dim / 2 */
void cogvideox_rotary_tables(const struct cogvideox_transformer *m, const int64_t shape[4],
                             float *cos, float *sin);

/* A new shot. text: [items, tokens, text_width] F32 in host memory, one item for each prediction
 * that a step wants (negative prompt, prompt); it is embedded here once for all steps. The first
 * form takes text_length tokens, no fewer. shape: of the latents, [T, C, H, W]; T a multiple of
 * patch_t, H and W of patch. Memory is kept from shot to shot where sizes agree; in activations of
 * the device it is about 6 * items * (text + patches) * heads * head_dim numbers: 1.3 GB in BF16
 * for a guided shot of 49 frames of 480 x 720 of the 5B form. */
int cogvideox_transformer_prepare(struct cogvideox_transformer *m, const struct tensor *text,
                                  const int64_t shape[4], struct error *e);

/* One step of the shot prepared last: latents [T, C, H, W], out [items, T, C, H, W]; contiguous F32
 * in host memory. timestep: 0..1000, as the sampler has it. */
int cogvideox_transformer_forward(struct cogvideox_transformer *m, const struct tensor *latents,
                                  float timestep, struct tensor *out, struct error *e);

/* From now on steps may take from those before them: see step_cache.h. All items of a batch are one
 * pass. The cache outlives the model, or NULL ends it. */
void cogvideox_transformer_cache(struct cogvideox_transformer *m, struct step_cache *cache);

#endif
