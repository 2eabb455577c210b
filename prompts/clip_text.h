/* CLIP's text encoder (A. Radford et al., arXiv 2103.00020) as published: CLIPTextModel and
 * CLIPTextModelWithProjection, what SDXL and HunyuanVideo read prompts with. Sizes come from
 * config.json. Weights may carry the prefix "text_model." or not; the position_ids that old
 * checkpoints hold are not looked at.
 *
 * Goldens: SDXL's prompt_embeds and negative_prompt_embeds are the `hidden` of text_encoder beside
 * that of text_encoder_2, both with skip 1; pooled_prompt_embeds is the `pooled` of text_encoder_2,
 * which has a projection. HunyuanVideo's pooled_prompt_embeds is the `pooled` of its
 * text_encoder_2, which has none.
 */
#ifndef AUTEUR_PROMPTS_CLIP_TEXT_H
#define AUTEUR_PROMPTS_CLIP_TEXT_H

#include "kernels/device.h"

struct clip_text;

/* dir holds config.json and the weights. projection: true for a CLIPTextModelWithProjection (as
 * model_index.json names the class), whose text_projection.weight must be there. The device must
 * outlive the model. With device NULL the config is read and every tensor looked up, no weights:
 * for a check; only the sizes may be asked. */
int clip_text_load(const char *dir, bool projection, struct device *d, struct clip_text **out,
                   struct error *e);
void clip_text_free(struct clip_text *m); /* NULL-safe */

int clip_text_width(const struct clip_text *m);        /* of hidden states */
int clip_text_pooled_width(const struct clip_text *m); /* the projection's, else clip_text_width */
int clip_text_layers(const struct clip_text *m);
int clip_text_vocabulary(const struct clip_text *m); /* ids are below it */
int clip_text_limit(const struct clip_text *m);      /* the most tokens: 77 as published */

/* For `skip`: what the last layer gives, through the final norm. */
enum { CLIP_TEXT_NORMED = -1 };

/* ids: [count], with start, end and padding as the tokenizer puts them; 1 <= count <= limit.
 * hidden: [count, width], the hidden states after all layers but the last `skip`, without the final
 * norm (0 <= skip <= layers), or CLIP_TEXT_NORMED; NULL: not wanted.
 * pooled: [1, pooled_width], the normed last state of the first end token (where config.json has
 * the eos_token_id 2, as all early ones have: of the largest id), projected; NULL: not wanted.
 * Both are contiguous F32 in host memory. */
int clip_text_encode(struct clip_text *m, const int32_t *ids, int count, int skip,
                     struct tensor *hidden, struct tensor *pooled, struct error *e);

#endif
