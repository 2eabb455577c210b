/* Stable Video Diffusion (picture to film) as a family: CLIPVisionModelWithProjection,
 * AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel, for generate, decode and parity
 * (A. Blattmann et al., arXiv 2311.15127).
 *
 * Conditions: "image_embeddings" [B, 1, D], what CLIP sees in the picture, and "image_latents"
 * [B, C, h, w], the VAE's of the picture with noise on it; with guidance B is 2, zeros first.
 * Latents are [T, C, h, w]. The seed is drawn from for the picture's noise, then for the latents'.
 *
 * Of struct generation: guidance is that of the last frame and guidance_2 that of the first, with
 * even steps between; fps as the published pipeline takes it (the model is told one less), 7 unless
 * chosen; motion_bucket 127 and noise_strength 0.02 unless chosen; guidance from 1 to 3.
 */
#ifndef AUTEUR_STAGES_GENERATE_SVD_H
#define AUTEUR_STAGES_GENERATE_SVD_H

#include "stages/generate/family.h"

extern const struct family family_svd;

/* The family's encoder: svd_picture.c. With device NULL it is only looked through. */
int svd_encoder_open(const char *dir, struct device *d, void **encoder, struct error *e);
int svd_encode(void *encoder, const struct generation *g, struct conditions *out, struct error *e);
void svd_encoder_close(void *encoder);      /* NULL-safe */
int svd_encoder_width(const void *encoder); /* D */

/* What the VAE's encoder is given: g's picture at g's size, -1..1, with g's noise on it.
 * out: [height, width, 3] contiguous F32 in host memory. */
int svd_conditioning_picture(const struct generation *g, struct tensor *out, struct error *e);
/* Normal numbers that its noise takes from the seed. */
size_t svd_picture_noise(const struct generation *g);
/* What the model is told of the film: frames a second less one, motion bucket, noise strength. */
enum { SVD_TIME_IDS = 3 };
void svd_time_ids(const struct generation *g, float ids[SVD_TIME_IDS]);
/* Whether anything is guided: everything is then made twice, once without the picture. */
bool svd_is_guided(const struct generation *g);

#endif
