/* The decoder half of Wan 2.1's causal video VAE: AutoencoderKLWan as diffusers publishes it
 * (is_residual false; Wan 2.2 A14B uses it too).
 *
 * It streams: frames go through a few at a time in order of time, every causal convolution keeping
 * the two frames before, so memory does not grow with the length of the shot and the result does
 * not depend on how the latents are sliced. The first latent frame makes one picture, every later
 * one makes wan_vae_time_factor() of them (4 in the published form).
 *
 * Two latent frames or more that go through together are a recorded graph (kernels/device.h). A
 * single one, for where memory is short, is issued every time: its convolutions read their past
 * where it lies, which saves copies of it and is another place for each of three frames.
 */
#ifndef AUTEUR_STAGES_WAN_VAE_H
#define AUTEUR_STAGES_WAN_VAE_H

#include "kernels/device.h"
#include "stages/decode/picture_stream.h"

struct wan_vae;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only the sizes may be asked.
 */
int wan_vae_load(const char *dir, struct device *d, struct wan_vae **out, struct error *e);
void wan_vae_free(struct wan_vae *v); /* NULL-safe */

int wan_vae_channels(const struct wan_vae *v);                  /* of the latents */
int wan_vae_time_factor(const struct wan_vae *v);               /* pictures a latent frame: 4 */
int wan_vae_space_factor(const struct wan_vae *v);              /* pixels a latent, each way: 8 */
int wan_vae_frames(const struct wan_vae *v, int latent_frames); /* 1 + (n - 1) * time factor */

typedef picture_fn wan_vae_frame_fn; /* in -1..1 */

/* Bytes of the device's memory that a decode takes besides the weights: so many frames go through
 * together as keep within them, or one. 0, as at first: as many as pay. */
void wan_vae_memory(struct wan_vae *v, size_t bytes);
/* Latent frames that go through together, whatever that takes; 0, as at first: to be chosen. Does
 * not change a picture. */
void wan_vae_together(struct wan_vae *v, int latents);
/* What latents of this size take at least. */
size_t wan_vae_bytes(struct wan_vae *v, int64_t height, int64_t width);

/* latents: [C, T, H, W] contiguous F32 in host memory, as the sampler leaves them (normalised: the
 * model's own latents_mean and latents_std are applied here). */
int wan_vae_decode(struct wan_vae *v, const struct tensor *latents, wan_vae_frame_fn *frame,
                   void *ctx, struct error *e);

/* Floating-point operations of decoding, as published (multiply and add are two): for benchmarks.
 */
double wan_vae_flops(const struct wan_vae *v, const int64_t latents_shape[4]);

#endif
