/* Prompt enhancement: what a person wrote becomes what a model is told. By rules alone: the same
 * request and lexicon give the same result.
 *
 *  1. Words asked for as lettering leave the prompt with the phrase that asked for them, because
 *     these models draw garbled letters, and become overlays. Names and books in quotation marks
 *     only lose the marks; spoken words leave, the speaking stays.
 *     Without quotation marks ("with the text hello world in red letters") the words are the run of
 *     capitalised words, else what stands before punctuation or a word that begins a place or an
 *     action (lexicon.yaml: lettered, after-words).
 *  2. The shot's camera and look are joined in. Nothing else is added unasked: a prompt may say in
 *     words that the lexicon does not know what an addition would deny. Of the kinds that are asked
 *     for, where nothing of the kind is said, the lexicon adds what follows from a word of the
 *     prompt. A model that was taught on short captions gets nothing added in any case.
 *  3. All is fitted to the model's tokens: added words go first, then the shot's own look and
 *     camera from their end, then words from the prompt's end. A word is never cut.
 *  4. The negative prompt is the tier's and the shot's, each phrase once.
 */
#ifndef AUTEUR_PROMPTS_ENHANCE_H
#define AUTEUR_PROMPTS_ENHANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "prompts/lexicon.h"
#include "prompts/tokenizer.h"

enum lettering_policy {
    LETTERING_OVERLAY, /* becomes overlays */
    LETTERING_DROP,    /* leaves the prompt */
    LETTERING_KEEP     /* stays */
};

struct enhance_request {
    const char *prompt, *camera, *look, *negative; /* "" for none; any bytes */
    enum lettering_policy lettering;
    const char *base_negative; /* of the tier */
    bool small;                /* the model was taught on short captions */
    unsigned additions;        /* the kinds of words asked for: enum word_kind, or'ed; 0: none */
    int limit;                 /* tokens that the model reads, </s> included; >= 2 */
};

struct enhanced_overlay {
    const char *style; /* "title", "lower-third", "caption" or "credit" */
    const char *text;
};

struct enhanced_note {
    bool warning; /* something the person asked for is not done */
    const char *text;
};

struct enhanced {
    const char *prompt, *negative;
    const struct enhanced_overlay *overlays; /* in the order of the prompt */
    size_t overlay_count;
    const struct enhanced_note *notes; /* what was done and why, in order */
    size_t note_count;
    int prompt_tokens, negative_tokens; /* </s> included, <= limit */
};

/* Everything in *out lives in the arena. tokenizer: NULL where no model reads the prompt; there are
 * no token counts then. */
int enhance(const struct lexicon *lexicon, const struct tokenizer *tokenizer,
            const struct enhance_request *request, struct arena *a, struct enhanced *out,
            struct error *e);

#endif
