/* What the text encoders share. For clip_text.c, llama.c and t5.c. */
#ifndef AUTEUR_PROMPTS_ENCODER_H
#define AUTEUR_PROMPTS_ENCODER_H

#include "kernels/config.h"
#include "kernels/device.h"

/* An activation by the name that configs use ("gelu_new"); `key` is for the message. */
int encoder_activation(const struct config *c, const char *key, const char *name,
                       enum activation *out, struct error *e);

/* Columns from..from + heads * dim of rows [tokens, columns] as [tokens, heads, dim]. */
struct tensor encoder_heads(struct tensor rows, int64_t from, int heads, int dim);

/* out[i] = table[ids[i]], out [count, width]. */
void encoder_embed(struct device *d, struct tensor *out, const struct tensor *table,
                   const int32_t *ids, int count);

#endif
