/* The decoder half of HunyuanVideo's causal video VAE: AutoencoderKLHunyuanVideo as diffusers
 * publishes it, in one piece in space.
 *
 * Its group norms take their statistics over the whole clip, time included, so no frame can be
 * finished before all have come equally far: it goes layer by layer over the clip. The first latent
 * frame makes one picture, every later one makes 4.
 *
 * Memory: three clips, each as large as the largest layer that is put into it. With the published
 * sizes that is, for every picture, height * width * 512 numbers: in 16 bits at 720 x 1280
 *   0.94 GB a picture: 16.0 GB for 17 frames,
 * and no more for longer clips, which are decoded in tiles of 17 pictures (whole, 65 frames would
 * take 61.3 GB);
 * plus the weights (0.2 GB) and what the convolutions' implementation takes for itself. Nothing is
 * copied for padding or for enlarging: convolutions read the source frames where they are.
 */
#ifndef AUTEUR_STAGES_HUNYUAN_VAE_H
#define AUTEUR_STAGES_HUNYUAN_VAE_H

#include "kernels/device.h"

struct hunyuan_vae;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only the sizes may be asked.
 */
int hunyuan_vae_load(const char *dir, struct device *d, struct hunyuan_vae **out, struct error *e);
void hunyuan_vae_free(struct hunyuan_vae *v); /* NULL-safe */

int hunyuan_vae_channels(const struct hunyuan_vae *v);     /* of the latents */
int hunyuan_vae_time_factor(const struct hunyuan_vae *v);  /* pictures a latent frame: 4 */
int hunyuan_vae_space_factor(const struct hunyuan_vae *v); /* pixels a latent, each way: 8 */
int hunyuan_vae_frames(const struct hunyuan_vae *v, int latent_frames); /* 1 + (n - 1) * factor */

/* Gets each picture: index from 0, rgb [height][width][3] F32 interleaved, about -1..1 and not
 * clamped, good until it returns. Nonzero stops the decoding, which then fails; leave the reason in
 * *e. */
typedef int hunyuan_vae_frame_fn(void *ctx, int index, const float *rgb, int width, int height,
                                 struct error *e);

/* Longer clips are decoded in tiles of so many pictures (a multiple of 4, at least 8) and one more,
 * which overlap by 4 pictures that fade from one into the next: 16, as at first, is what the
 * published pipeline does. 0: in one piece. */
void hunyuan_vae_tile(struct hunyuan_vae *v, int pictures);

/* latents: [C, T, H, W] contiguous F32 in host memory, as the sampler leaves them (the model's
 * scaling_factor is applied here). */
int hunyuan_vae_decode(struct hunyuan_vae *v, const struct tensor *latents,
                       hunyuan_vae_frame_fn *frame, void *ctx, struct error *e);

#endif
