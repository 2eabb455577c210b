/* CogVideoX's words: tokenizer and T5, and how they are brought to the model's length. */
#ifndef AUTEUR_STAGES_GENERATE_COGVIDEOX_TEXT_H
#define AUTEUR_STAGES_GENERATE_COGVIDEOX_TEXT_H

#include "stages/generate/family.h"

/* The slots of struct family. With device NULL the weights are looked up and not read. */
int cogvideox_encoder_open(const char *dir, struct device *d, void **encoder, struct error *e);
int cogvideox_encode(void *encoder, const struct generation *g, struct conditions *out,
                     struct error *e);
void cogvideox_encoder_close(void *encoder);

/* What T5 must fit. */
int cogvideox_encoder_width(const void *encoder);

#endif
