/* The VAE of pictures that SDXL and others of its kind have: AutoencoderKL as diffusers publishes
 * it (D. Kingma, M. Welling, arXiv 1312.6114; R. Rombach et al., arXiv 2112.10752), untiled. Its
 * encoder is also the one of SVD's AutoencoderKLTemporalDecoder, whose decoder is temporal_vae.h.
 *
 * Memory of the published sizes: for a picture of W x H, the encoder takes 4 * 128 W H numbers, the
 * decoder 3 * 256 W H and 128 W H: at 1024 x 1024 in F32, 2.1 and 3.8 GB.
 */
#ifndef AUTEUR_STAGES_IMAGE_VAE_H
#define AUTEUR_STAGES_IMAGE_VAE_H

#include "kernels/device.h"
#include "stages/decode/picture_stream.h"

struct image_vae;

enum image_vae_halves { IMAGE_VAE_ENCODER = 1, IMAGE_VAE_DECODER = 2 };

/* dir holds config.json and the weights; `halves`: which are wanted, of an AutoencoderKL either or
 * both, of an AutoencoderKLTemporalDecoder the encoder. The device must outlive the model. With
 * device NULL the config is read and every tensor looked up, no weights: for a check; only what is
 * asked of config.json may be asked then. */
int image_vae_load(const char *dir, struct device *d, int halves, struct image_vae **out,
                   struct error *e);
void image_vae_free(struct image_vae *v); /* NULL-safe */

int image_vae_channels(const struct image_vae *v);     /* of the latents */
int image_vae_space_factor(const struct image_vae *v); /* pixels a latent, each way: 8 */
/* config.json's force_upcast: activations go beyond what F16 holds (SDXL's do, in the decoder), so
 * on a GPU it belongs on a device of BF16 or F32. */
bool image_vae_force_upcast(const struct image_vae *v);

/* picture: [H, W, channels of the picture: 3] about -1..1, contiguous F32 in host memory; latents:
 * [C, H / factor, W / factor] likewise: the mean of the distribution, without the scaling that
 * image_vae_decode() takes back. H and W are at least the factor; what is over is cut. */
int image_vae_encode(struct image_vae *v, const struct tensor *picture, struct tensor *latents,
                     struct error *e);

typedef picture_fn image_vae_frame_fn; /* not clamped */

/* Bytes of the device's memory that decoding latents of this size takes besides the weights. */
size_t image_vae_bytes(const struct image_vae *v, int64_t height, int64_t width);

/* latents: [C, H, W] or [C, 1, H, W], contiguous F32 in host memory, as the sampler leaves them
 * (scaling_factor, shift_factor, latents_mean and latents_std are applied here). */
int image_vae_decode(struct image_vae *v, const struct tensor *latents, image_vae_frame_fn *frame,
                     void *ctx, struct error *e);

#endif
