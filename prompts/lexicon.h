/* The lexicon of prompt enhancement, read from lexicon.yaml (whose head says how patterns are
 * written). Errors are ERROR_INPUT as "file:line:column: message". Read-only once open; may be used
 * by several threads. */
#ifndef AUTEUR_PROMPTS_LEXICON_H
#define AUTEUR_PROMPTS_LEXICON_H

#include <stddef.h>
#include <stdint.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"

/* To the rules a quoted string is one character: QUOTE_FIRST + its number. */
enum { QUOTE_FIRST = 0xe100, QUOTES_MAX = 0x400 };

struct quote_pair {
    uint32_t open, close; /* Unicode */
};

/* Something in a prompt that asks for lettering, or only looks like it. */
struct lettering_rule {
    const char *name;
    pcre2_code *find;
    const char *becomes; /* what stays: "$group" is a group of the match, '_' a space */
    const char *overlay; /* style of the overlay that the group "text" becomes; NULL: none */
    const char *note;    /* why, where there is no overlay; NULL otherwise */
};

struct tidy_rule {
    pcre2_code *find;
    const char *becomes;
};

/* What follows from a word that stands in the prompt. */
struct addition {
    pcre2_code *when;
    const char *words;
};

enum word_kind { WORDS_CAMERA = 1, WORDS_LIGHT = 2, WORDS_LOOK = 4 };

struct category {
    const char *name; /* "camera", "light" or "look" */
    enum word_kind kind;
    pcre2_code *known; /* the prompt says something of this kind already */
    struct addition *add;
    size_t add_count;
};

struct lexicon {
    struct arena arena;
    const char *path;
    struct quote_pair *pairs;
    size_t pair_count;
    pcre2_code *elision;   /* at the beginning of its subject */
    pcre2_code *lettering; /* a whole phrase that names lettering: "watermark" */
    struct lettering_rule *rules;
    size_t rule_count;
    struct tidy_rule *tidy;
    size_t tidy_count;
    struct category *categories;
    size_t category_count;

    pcre2_code **codes; /* all of the above, to be freed */
    size_t code_count, code_room;
};

int lexicon_open(const char *path, struct lexicon **out, struct error *e);
void lexicon_close(struct lexicon *lexicon); /* NULL-safe */

#endif
