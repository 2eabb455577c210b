/* tokenizer_config.json and special_tokens_map.json, as published beside every tokenizer. */
#ifndef AUTEUR_PROMPTS_TOKENIZER_CONFIG_H
#define AUTEUR_PROMPTS_TOKENIZER_CONFIG_H

#include <jansson.h>
#include <stdbool.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"

struct tokenizer_config {
    const char *path; /* of tokenizer_config.json, for messages */
    json_t *root;
    json_t *map; /* special_tokens_map.json: NULL where there is none */
};

/* The first file must be there. Paths are of the arena. Zeroed before; close also after a failure.
 */
int tokenizer_config_open(struct tokenizer_config *c, struct arena *a, const char *dir,
                          struct error *e);
void tokenizer_config_close(struct tokenizer_config *c);

/* The text of a special token such as "pad_token", written as a string or as an object with a
 * content; `otherwise` where neither file names it. It lives as long as the configuration. */
const char *tokenizer_config_token(const struct tokenizer_config *c, const char *name,
                                   const char *otherwise);

#endif
