/* The decoder of Stable Video Diffusion: the decoding half of AutoencoderKLTemporalDecoder as
 * diffusers publishes it (A. Blattmann et al., arXiv 2311.15127). Every residual block of the image
 * decoder is followed by one along time, mixed in by a learned share; a last convolution runs along
 * the time of the finished pictures. Its encoder is image_vae.h's.
 *
 * Statistics of norms and convolutions in time see the frames that are decoded together (a chunk)
 * and nothing beyond; so the size of the chunk is part of the result.
 *
 * Memory of the published sizes, for frames of W x H: two clips of 128 W H numbers for every frame
 * of the chunk and two more, and 640 W H numbers beside: at 1024 x 576 in 16 bits, 9 GB for 25
 * frames at once and 5.7 GB for 14.
 */
#ifndef AUTEUR_STAGES_TEMPORAL_VAE_H
#define AUTEUR_STAGES_TEMPORAL_VAE_H

#include "kernels/device.h"
#include "stages/decode/picture_stream.h"

struct temporal_vae;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only what is asked of
 * config.json may be asked then. */
int temporal_vae_load(const char *dir, struct device *d, struct temporal_vae **out,
                      struct error *e);
void temporal_vae_free(struct temporal_vae *v); /* NULL-safe */

int temporal_vae_channels(const struct temporal_vae *v);     /* of the latents */
int temporal_vae_space_factor(const struct temporal_vae *v); /* pixels a latent, each way: 8 */

typedef picture_fn temporal_vae_frame_fn; /* not clamped */

/* Bytes of the device's memory that so many frames together take besides the weights. */
size_t temporal_vae_bytes(const struct temporal_vae *v, int64_t frames, int64_t height,
                          int64_t width);

/* latents: [T, C, H, W] contiguous F32 in host memory, as the sampler leaves them (scaling_factor
 * is applied here); every latent frame makes one picture. chunk: frames decoded together, the last
 * ones may be fewer; 0: all, as the published pipeline does unless it is told otherwise. */
int temporal_vae_decode(struct temporal_vae *v, const struct tensor *latents, int chunk,
                        temporal_vae_frame_fn *frame, void *ctx, struct error *e);

#endif
