/* LLaMA (H. Touvron et al., arXiv 2302.13971; grouped queries and the stretched RoPE of arXiv
 * 2407.21783) as a reader of prompts: LlamaModel and LlamaForCausalLM as published, what
 * HunyuanVideo conditions on. Sizes come from config.json. Weights may carry the prefix "model." or
 * not; a head for predicting words is not looked at. RoPE's types are "default" and "llama3";
 * others are refused.
 *
 * Golden: HunyuanVideo's prompt_embeds, with skip 2, the ids of the filled-in template padded to
 * crop_start + max_sequence_length, and out holding max_sequence_length rows.
 */
#ifndef AUTEUR_PROMPTS_LLAMA_H
#define AUTEUR_PROMPTS_LLAMA_H

#include "kernels/device.h"

struct llama;

/* dir holds config.json and the weights. skip: how many of the last layers are left out, which are
 * then neither looked for nor loaded; with 0 the states go through the final norm, as the published
 * hidden_states[-1] does, and with more they do not: hidden_states[-(skip + 1)]. The device must
 * outlive the model. With device NULL the config is read and every tensor looked up, no weights:
 * for a check; only the sizes may be asked. */
int llama_load(const char *dir, int skip, struct device *d, struct llama **out, struct error *e);
void llama_free(struct llama *m); /* NULL-safe */

int llama_width(const struct llama *m);      /* hidden_size */
int llama_vocabulary(const struct llama *m); /* ids are below it */

/* ids: [count], of which the first `real` are words (1 <= real <= count) and the rest padding,
 * which no token attends to. out: [rows, width] contiguous F32 in host memory, rows <= count: the
 * states of the last `rows` tokens, so that a template in front can be left out. The states of
 * words do not depend on the padding behind them: who masks padding may pass count = real, and rows
 * - (count - real) for rows. */
int llama_encode(struct llama *m, const int32_t *ids, int count, int real, struct tensor *out,
                 struct error *e);

#endif
