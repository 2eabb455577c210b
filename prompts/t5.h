/* T5's encoder (C. Raffel et al., arXiv 1910.10683) and UMT5's (H. W. Chung et al., arXiv
 * 2304.09151), which differs in that every layer has a relative position bias of its own:
 * T5EncoderModel and UMT5EncoderModel as published, what CogVideoX and Wan read prompts with. Sizes
 * and forms come from config.json, model_type ("t5", "umt5") included.
 *
 * The sum that runs through the layers is kept in F32 whatever the device computes in: with trained
 * weights it leaves the range of F16, and loses in BF16 what later layers need.
 *
 * Goldens: Wan's prompt_embeds and negative_prompt_embeds are the states of the text's ids (</s>
 * included, no padding), then rows of zeros up to max_sequence_length, because that pipeline masks
 * padding and blanks it. CogVideoX's are the states of the ids padded to max_sequence_length: that
 * pipeline passes no mask, its encoder reads padding as words.
 */
#ifndef AUTEUR_PROMPTS_T5_H
#define AUTEUR_PROMPTS_T5_H

#include "kernels/device.h"

struct t5;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only the sizes may be asked.
 */
int t5_load(const char *dir, struct device *d, struct t5 **out, struct error *e);
void t5_free(struct t5 *m); /* NULL-safe */

int t5_width(const struct t5 *m);      /* d_model */
int t5_vocabulary(const struct t5 *m); /* ids are below it */

/* ids: [count], count >= 1, all of them attended to. out: [count, d_model] contiguous F32 in host
 * memory. */
int t5_encode(struct t5 *m, const int32_t *ids, int count, struct tensor *out, struct error *e);

#endif
