/* The decoder half of CogVideoX's causal video VAE: AutoencoderKLCogVideoX as diffusers publishes
 * it, without tiling.
 *
 * Latent frames go through two at a time (an odd number begins with three, a single one is alone),
 * since the statistics of its norms are those of such a batch: another cut gives other pictures.
 * Every causal convolution keeps the two frames before the batch; before the first there are copies
 * of its first frame. Of a batch of an odd number the first frame stays single where the rest are
 * doubled in time, so T latents give 1 + 4 (T - 1) pictures where T is odd and 4 T where it is
 * even. The norms are scaled and shifted by the latents themselves (C. Zheng et al., "MoVQ", arXiv
 * 2209.09002).
 *
 * Memory besides the weights does not grow with the length of a shot. At 480 x 720 in the published
 * form it is 3.6 G activations, 1.4 G of them what convolutions keep: 14.4 GB in F32, 7.2 GB in
 * BF16; in proportion to the area elsewhere.
 */
#ifndef AUTEUR_STAGES_COGVIDEOX_VAE_H
#define AUTEUR_STAGES_COGVIDEOX_VAE_H

#include "kernels/device.h"
#include "stages/decode/picture_stream.h"

struct cogvideox_vae;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only the sizes may be asked.
 */
int cogvideox_vae_load(const char *dir, struct device *d, struct cogvideox_vae **out,
                       struct error *e);
void cogvideox_vae_free(struct cogvideox_vae *v); /* NULL-safe */

int cogvideox_vae_channels(const struct cogvideox_vae *v);     /* of the latents */
int cogvideox_vae_time_factor(const struct cogvideox_vae *v);  /* pictures a latent frame: 4 */
int cogvideox_vae_space_factor(const struct cogvideox_vae *v); /* pixels a latent, each way: 8 */
/* Pictures that so many latent frames give. */
int cogvideox_vae_frames(const struct cogvideox_vae *v, int latent_frames);

typedef picture_fn cogvideox_vae_frame_fn; /* not clamped */

/* Bytes of the device's memory that so many latent frames of this size take besides the weights. */
size_t cogvideox_vae_bytes(const struct cogvideox_vae *v, int64_t frames, int64_t height,
                           int64_t width);

/* latents: [T, C, H, W] contiguous F32 in host memory, as the sampler leaves them: they are divided
 * by scaling_factor here (invert_scale_latents concerns only pictures that are encoded). */
int cogvideox_vae_decode(struct cogvideox_vae *v, const struct tensor *latents,
                         cogvideox_vae_frame_fn *frame, void *ctx, struct error *e);

#endif
