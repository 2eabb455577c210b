/* The denoiser of Stable Video Diffusion: UNetSpatioTemporalConditionModel as diffusers publishes
 * it (A. Blattmann et al., arXiv 2311.15127).
 *
 * A UNet of pictures whose every block is followed by one along time. All frames of a clip attend
 * to one token, the picture they start from: what that adds is worked out once a shot, and the
 * tensors that would choose among tokens (queries, keys and the norm before them) are looked up but
 * not read.
 *
 * Memory, F16, 25 frames of 1024 x 576 in a batch of two (guidance): 3.0 GB of weights and 4.0 GB
 * of workspace, 1.5 of it skips.
 */
#ifndef AUTEUR_STAGES_GENERATE_UNET_SPATIO_TEMPORAL_H
#define AUTEUR_STAGES_GENERATE_UNET_SPATIO_TEMPORAL_H

#include "kernels/device.h"

struct unet_spatio_temporal;

/* As unet_2d_load(). */
int unet_spatio_temporal_load(const char *dir, struct device *d, struct unet_spatio_temporal **out,
                              struct error *e);
void unet_spatio_temporal_free(struct unet_spatio_temporal *m); /* NULL-safe */

int unet_spatio_temporal_in_channels(const struct unet_spatio_temporal *m);
int unet_spatio_temporal_out_channels(const struct unet_spatio_temporal *m);
int unet_spatio_temporal_context_dim(const struct unet_spatio_temporal *m);

/* What a shot's picture and rates make of every block. */
struct unet_context;

enum { UNET_SPATIO_TEMPORAL_TIME_IDS = 3 };
/* For a batch of B clips of `frames` frames: image [B, 1, context_dim]; time_ids [B, 3]: frames a
 * second less one, motion bucket, strength of the noise on the picture. Host, contiguous, not kept.
 */
int unet_spatio_temporal_prepare(struct unet_spatio_temporal *m, const struct tensor *image,
                                 const struct tensor *time_ids, int64_t frames,
                                 struct unet_context **out, struct error *e);
void unet_context_free(struct unet_context *c); /* NULL-safe; before the model */

/* One call: sample [B, frames, in_channels, H, W], or [1, ...] for all B; out
 * [B, frames, out_channels, H, W]; contiguous, host. Any H and W. The workspace is made at the
 * first call of a size and kept. */
int unet_spatio_temporal_forward(struct unet_spatio_temporal *m, const struct unet_context *c,
                                 const struct tensor *sample, float timestep, struct tensor *out,
                                 struct error *e);

#endif
