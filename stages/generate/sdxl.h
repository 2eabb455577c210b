/* SDXL (text to picture) as a family: two CLIP text encoders, UNet2DConditionModel, AutoencoderKL,
 * for generate, decode and parity (D. Podell et al., arXiv 2307.01952).
 *
 * Conditions: see sdxl_text.h. Latents are [C, 1, H, W]; width and height are multiples of 8 in the
 * published form, and the UNet is told that the picture is of this size and was not cropped. With
 * guidance above 1 both prompts go through the UNet as a batch of two.
 */
#ifndef AUTEUR_STAGES_GENERATE_SDXL_H
#define AUTEUR_STAGES_GENERATE_SDXL_H

#include "stages/generate/family.h"

extern const struct family family_sdxl;

#endif
