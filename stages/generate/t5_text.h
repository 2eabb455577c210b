/* Prompts through a checkpoint's SentencePiece tokenizer and its T5 or UMT5 encoder, brought to the
 * model's length; what was encoded last is kept, since shots of one board share their negative. */
#ifndef AUTEUR_STAGES_GENERATE_T5_TEXT_H
#define AUTEUR_STAGES_GENERATE_T5_TEXT_H

#include "stages/generate/family.h"

/* What the pipeline does with the tokens that fill a text up to its length. */
enum t5_padding {
    T5_PADDING_READ,  /* the encoder reads them as words (CogVideoX) */
    T5_PADDING_BLANK, /* the encoder does not see them, their states are zeros (Wan) */
};

struct t5_text;

/* dir: the checkpoint, with "tokenizer" and "text_encoder". length: tokens that the model reads,
 * </s> included, 2..T5_TEXT_MAX; 0: the tokenizer's own limit. With device NULL the weights are
 * looked up and not read. */
enum { T5_TEXT_MAX = 4096 };
int t5_text_open(const char *dir, enum t5_padding padding, int length, struct device *d,
                 struct t5_text **out, struct error *e);
void t5_text_close(struct t5_text *t); /* NULL-safe */
int t5_text_width(const struct t5_text *t);

/* "prompt_embeds" and, where `guided`, "negative_prompt_embeds": [length, width], the length being
 * g->text_length where it is not 0. */
int t5_text_encode(struct t5_text *t, const struct generation *g, bool guided,
                   struct conditions *out, struct error *e);

/* How many rows of such states are no rows of zeros at the end. */
int64_t t5_text_rows(const struct tensor *states);

#endif
