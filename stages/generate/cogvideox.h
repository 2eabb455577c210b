/* CogVideoX (text to video) as a family: T5, CogVideoXTransformer3DModel, AutoencoderKLCogVideoX,
 * for generate, decode and parity. Both forms, 2B and 5B, and CogVideoX 1.5.
 *
 * Conditions: "prompt_embeds" and, where guidance is above 1, "negative_prompt_embeds", [tokens,
 * width]. A text is cut or padded to the model's length (226 as published) and T5 reads the padding
 * as if it were words, as the published pipeline has it.
 *
 * Latents are [T, C, H, W]. Width and height are multiples of 16 in the published form, frames one
 * more than a multiple of 4. Where T is even (5, 13, 21 frames ...) the decoder gives three
 * pictures more than were asked for: 8 n + 1 frames are what the model was trained on.
 * CogVideoX 1.5 makes one latent frame more than it needs, which the decoder leaves out; it takes 8
 * n + 1 frames only.
 *
 * Guidance of the 5B form changes from step to step between 1 and 1 more than was asked for
 * (dynamic guidance); that of the 2B form stays. struct generation can ask for the other.
 */
#ifndef AUTEUR_STAGES_GENERATE_COGVIDEOX_H
#define AUTEUR_STAGES_GENERATE_COGVIDEOX_H

#include "stages/generate/family.h"

extern const struct family family_cogvideox;

#endif
