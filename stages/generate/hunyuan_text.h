/* The prompt as HunyuanVideo reads it: LLaMA's states of a fixed instruction filled in with the
 * prompt, the instruction's own cut off, and CLIP's summary of the bare prompt. */
#ifndef AUTEUR_STAGES_HUNYUAN_TEXT_H
#define AUTEUR_STAGES_HUNYUAN_TEXT_H

#include "kernels/device.h"

/* The instruction around the prompt, as published: what comes before and behind it. */
#define HUNYUAN_TEMPLATE_HEAD                                                                      \
    "<|start_header_id|>system<|end_header_id|>\n\n"                                               \
    "Describe the video by detailing the following aspects: "                                      \
    "1. The main content and theme of the video."                                                  \
    "2. The color, shape, size, texture, quantity, text, and spatial relationships of the "        \
    "objects."                                                                                     \
    "3. Actions, events, behaviors temporal relationships, physical movement changes of the "      \
    "objects."                                                                                     \
    "4. background environment, light, style and atmosphere."                                      \
    "5. camera angles, movements, and transitions used in the video:<|eot_id|>"                    \
    "<|start_header_id|>user<|end_header_id|>\n\n"
#define HUNYUAN_TEMPLATE_TAIL "<|eot_id|>"

enum {
    HUNYUAN_TEXT_LENGTH = 256, /* tokens that the model is given, by default */
    HUNYUAN_TEXT_SKIP = 2,     /* LLaMA's last layers that are left out */
};

struct hunyuan_text;

/* dir: the checkpoint. With device NULL the files are checked, no weights read, and only the sizes
 * may be asked. */
int hunyuan_text_open(const char *dir, struct device *d, struct hunyuan_text **out,
                      struct error *e);
void hunyuan_text_close(struct hunyuan_text *t); /* NULL-safe */

int hunyuan_text_width(const struct hunyuan_text *t);        /* of LLaMA's states */
int hunyuan_text_pooled_width(const struct hunyuan_text *t); /* of CLIP's summary */
/* Tokens of the head, with the tokenizer's marker before it: 95 as published. */
int hunyuan_text_crop(const struct hunyuan_text *t);

/* All F32 in host memory. embeds [length, width]: the states of the prompt's tokens and the tail's;
 * a longer text loses its end. Rows behind them are of padding, as the reference library has them;
 * the denoiser does not look at them. mask [length]: 1 for each row that is no padding. pooled
 * [pooled_width]. */
int hunyuan_text_encode(struct hunyuan_text *t, const char *prompt, struct tensor *embeds,
                        struct tensor *mask, struct tensor *pooled, struct error *e);

#endif
