/* The decoder half of HunyuanVideo's causal video VAE: AutoencoderKLHunyuanVideo as diffusers
 * publishes it, in one piece in space.
 *
 * Its group norms take their statistics over the whole clip, time included, so no frame can be
 * finished before all have come equally far: it goes layer by layer over the clip. The first latent
 * frame makes one picture, every later one makes 4.
 *
 * Memory: the frames of the largest layer and of the one before it, and slices of a few frames with
 * their edges around them (hunyuan_vae_work.c). With the published sizes that is at 720 x 1280, for
 * a tile of 17 pictures in 16 bits, 11.3 GiB where slices are of one frame, with what convolutions
 * take for themselves, and little more for longer slices; plus the weights (0.3 GiB). Longer clips
 * take no more. The length of slices does not change a picture.
 *
 * Tiles in time are told to the device one after another without waiting: the pictures of one are
 * joined to those before them while the next is decoded. A tile's layers are a recorded graph
 * (kernels/device.h), but the last: its slices go to the host one by one.
 */
#ifndef AUTEUR_STAGES_HUNYUAN_VAE_H
#define AUTEUR_STAGES_HUNYUAN_VAE_H

#include "kernels/device.h"
#include "stages/decode/picture_stream.h"

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

typedef picture_fn hunyuan_vae_frame_fn; /* not clamped */

/* Longer clips are decoded in tiles of so many pictures (a multiple of 4, at least 8) and one more,
 * which overlap by 4 pictures that fade from one into the next: 16, as at first, is what the
 * published pipeline does. 0: in one piece. */
void hunyuan_vae_tile(struct hunyuan_vae *v, int pictures);

/* Bytes of the device's memory that a decode takes besides the weights: it takes the longest slices
 * that keep within them, or the shortest. 0, as at first: the longest that pay. */
void hunyuan_vae_memory(struct hunyuan_vae *v, size_t bytes);
/* What latents [frames, height, width] take at least. */
size_t hunyuan_vae_bytes(struct hunyuan_vae *v, const int64_t shape[3]);

/* latents: [C, T, H, W] contiguous F32 in host memory, as the sampler leaves them (the model's
 * scaling_factor is applied here). */
int hunyuan_vae_decode(struct hunyuan_vae *v, const struct tensor *latents,
                       hunyuan_vae_frame_fn *frame, void *ctx, struct error *e);

#endif
