/* The regular expressions of published tokenizers. They are written for Oniguruma; PCRE2 reads them
 * the same way, save that \s is Unicode's White_Space there. What would mean something else is
 * refused. */
#ifndef AUTEUR_PROMPTS_TEXT_PATTERN_H
#define AUTEUR_PROMPTS_TEXT_PATTERN_H

#include <jansson.h>
#include <stddef.h>

#include "kernels/base/error.h"

struct text_pattern;
/* Compiles {"Regex": "..."} or {"String": "..."}, which stands for itself. `path` is for messages.
 */
int text_pattern_read(const json_t *pattern, const char *path, struct text_pattern **out,
                      struct error *e);
void text_pattern_free(struct text_pattern *p); /* NULL-safe */

/* Goes through the matches in a text of valid UTF-8, from the first to the last. */
struct text_matches {
    const struct text_pattern *pattern;
    const char *text;
    size_t size, from;
    void *data;
};
int text_matches_begin(struct text_matches *m, const struct text_pattern *p, const char *text,
                       size_t size, struct error *e);
/* 1 and where the next match is, 0 when there is none, -1 on failure. */
int text_matches_next(struct text_matches *m, size_t *start, size_t *end, struct error *e);
void text_matches_end(struct text_matches *m);

#endif
