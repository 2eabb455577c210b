/* CLIP's tokenizer as SDXL and HunyuanVideo publish it, in two files without a tokenizer.json. */
#ifndef AUTEUR_PROMPTS_CLIP_FILES_H
#define AUTEUR_PROMPTS_CLIP_FILES_H

#include <jansson.h>

#include "kernels/base/error.h"
#include "prompts/tokenizer_config.h"

/* Of vocab.json and merges.txt in `dir`, and the special tokens in its configuration, the
 * tokenizer.json that they stand for: A. Radford et al., "Learning Transferable Visual Models From
 * Natural Language Supervision" (2021), with every special token looked for in texts. Caller:
 * json_decref(*root). */
int clip_files_read(const char *dir, const struct tokenizer_config *c, json_t **root,
                    struct error *e);

#endif
