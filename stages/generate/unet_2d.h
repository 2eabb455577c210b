/* The denoiser of SDXL: UNet2DConditionModel as diffusers publishes it (D. Podell et al.,
 * arXiv 2307.01952).
 *
 * Down and up blocks with and without cross-attention in any order and number, any layers, heads
 * and transformer depths; timestep, pooled prompt and sizes as "text_time". attention_head_dim is
 * the number of heads of each level, whatever it is called. Settings of other models of this class
 * (class embeddings, dual cross-attention, other blocks or norms) are refused by name.
 *
 * Memory, F16, two pictures of 1024 x 1024 (guidance): 5.2 GB of weights, 0.33 GB of workspace
 * (0.10 of it skips) and 51 MB of keys and values of the prompts.
 */
#ifndef AUTEUR_STAGES_GENERATE_UNET_2D_H
#define AUTEUR_STAGES_GENERATE_UNET_2D_H

#include "kernels/device.h"

struct unet_2d;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only sizes may be asked. */
int unet_2d_load(const char *dir, struct device *d, struct unet_2d **out, struct error *e);
void unet_2d_free(struct unet_2d *m); /* NULL-safe */

int unet_2d_channels(const struct unet_2d *m);     /* of the latents, in and out */
int unet_2d_context_dim(const struct unet_2d *m);  /* width of the prompt's tokens */
int unet_2d_pooled_width(const struct unet_2d *m); /* of the pooled prompt */

/* What the prompts of a batch make of one shot: keys and values of every cross-attention. */
struct unet_context;

enum { UNET_2D_TIME_IDS = 6 };
/* For a batch of N: tokens [N, tokens, context_dim]; pooled [N, pooled_width]; time_ids [N, 6]:
 * original height and width, top and left of the crop, target height and width. All in host memory,
 * contiguous, not kept. */
int unet_2d_prepare(struct unet_2d *m, const struct tensor *tokens, const struct tensor *pooled,
                    const struct tensor *time_ids, struct unet_context **out, struct error *e);
void unet_context_free(struct unet_context *c); /* NULL-safe; before the model */

/* One call: latents [N, channels, H, W], or [n, ...] where n divides N: item i reads i % n; out [N,
 * channels, H, W]; contiguous, host. Any H and W: where halves are odd, pictures are enlarged to
 * the size that was halved. The workspace is made at the first call of a size and kept. */
int unet_2d_forward(struct unet_2d *m, const struct unet_context *c, const struct tensor *latents,
                    float timestep, struct tensor *out, struct error *e);

#endif
