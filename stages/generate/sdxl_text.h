/* What SDXL reads of a prompt: two CLIP text encoders see it, each through its own tokenizer. Their
 * hidden states before the last layer stand side by side, [tokens, width]; the second one's pooled
 * projection, [1, pooled width], goes to the UNet with the picture's sizes.
 *
 * Conditions: "prompt_embeds" and "pooled_prompt_embeds"; where guidance is above 1,
 * "negative_prompt_embeds" and "negative_pooled_prompt_embeds" too. Without a negative prompt these
 * are zeros, unless the checkpoint's force_zeros_for_empty_prompt is false: then they are those of
 * an empty text.
 */
#ifndef AUTEUR_STAGES_GENERATE_SDXL_TEXT_H
#define AUTEUR_STAGES_GENERATE_SDXL_TEXT_H

#include "stages/generate/family.h"

/* As the members of struct family; with device NULL for a check, and then only widths may be asked.
 */
int sdxl_encoder_open(const char *dir, struct device *d, void **encoder, struct error *e);
int sdxl_encode(void *encoder, const struct generation *g, struct conditions *out, struct error *e);
void sdxl_encoder_close(void *encoder);

int sdxl_encoder_width(const void *encoder);
int sdxl_encoder_pooled_width(const void *encoder);

#endif
