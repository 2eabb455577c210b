/* Patterns of the lexicon: names spliced in, then compiled. For lexicon.c. */
#ifndef AUTEUR_PROMPTS_LEXICON_PATTERNS_H
#define AUTEUR_PROMPTS_LEXICON_PATTERNS_H

#include <stdbool.h>

#include "prompts/lexicon.h"
#include "prompts/lexicon_yaml.h"

/* A named piece of patterns: "@name" stands for `text`. */
struct macro {
    const char *name, *text;
};

/* A lexicon being read. Functions leave what went wrong in *e. */
struct lexicon_reader {
    struct yaml_file file;
    struct lexicon *to;
    struct macro *macros; /* to be freed */
    size_t macro_count, macro_room;
    struct error *e;
};

/* What a name, after '@' or '$', is made of. */
bool pattern_is_name(char c);

/* A pattern as it is written, as PCRE2 takes it. NULL on failure. The caller frees. */
char *pattern_expand(struct lexicon_reader *r, const yaml_node_t *at, const char *pattern);
/* A list of words as one pattern in PCRE2's syntax: any of them, as whole words, the longest first.
 * NULL on failure. The caller frees. */
char *pattern_of_words(struct lexicon_reader *r, const yaml_node_t *list);
/* Lets "@name" stand for `text`, which is in PCRE2's own syntax. */
int pattern_define(struct lexicon_reader *r, const yaml_node_t *at, const char *name,
                   const char *text);
/* Compiles a text in PCRE2's own syntax; the lexicon frees it. NULL on failure. */
pcre2_code *pattern_compile(struct lexicon_reader *r, const yaml_node_t *at, const char *text);

#endif
