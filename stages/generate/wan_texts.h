/* The prompts of a group of shots, each distinct one encoded once: the text encoder is loaded,
 * used and freed before the denoiser comes. */
#ifndef AUTEUR_STAGES_GENERATE_WAN_TEXTS_H
#define AUTEUR_STAGES_GENERATE_WAN_TEXTS_H

#include "kernels/device.h"

struct wan_text {
    const char *text;
    struct tensor embeddings; /* [tokens, width] F32 */
};

struct wan_texts {
    struct arena arena;
    struct wan_text *items;
    size_t count, room;
    int padded_length; /* to which the model's texts are padded: the tokenizer's limit */
    int width;
};

/* Collects a text; the same one again changes nothing. */
int wan_texts_add(struct wan_texts *t, const char *text, struct error *e);
/* Opens a checkpoint's tokenizer and looks its text_encoder through, without reading weights.
 * width: of the embeddings. */
int wan_texts_check(const char *dir, int *width, struct error *e);

/* Encodes all that were added with the checkpoint's tokenizer and text_encoder. stop() is asked
 * before each; ERROR_CANCELLED when it says true. */
int wan_texts_encode(struct wan_texts *t, const char *dir, struct device *d,
                     bool (*stop)(void *ctx), void *ctx, struct error *e);
/* NULL when it was never added. */
const struct wan_text *wan_texts_find(const struct wan_texts *t, const char *text);
void wan_texts_free(struct wan_texts *t);

#endif
