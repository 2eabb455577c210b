#include "prompts/lettering.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/strbuf.h"
#include "prompts/quotes.h"
#include "prompts/words.h"

enum {
    OVERLAYS_MAX = 64, /* of one prompt */
    NOTES_MAX = 100,   /* and as many warnings */
    TIDY_ROUNDS = 8,
    MATCH_LIMIT = 400000, /* steps of one search: a prompt made to be slow is left as it is */
    MATCHES_MAX = 200,    /* of one rule */
    JIT_STACK_FIRST = 32 << 10,
    JIT_STACK_MAX = 2 << 20
};

int notes_add(struct enhanced_notes *notes, bool warning, const char *format, ...)
{
    char text[1000];
    bool cut;
    va_list args;
    if (notes->count >= (warning ? 2 * NOTES_MAX : NOTES_MAX))
        return 0;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (notes->count == notes->room) {
        size_t room = notes->room ? 2 * notes->room : 16;
        struct enhanced_note *grown = arena_array(notes->arena, room, sizeof *grown);
        if (!grown)
            return -1;
        if (notes->count)
            memcpy(grown, notes->items, notes->count * sizeof *grown);
        notes->items = grown;
        notes->room = room;
    }
    char *clean = words_clean(notes->arena, text, &cut); /* snprintf may have cut a character */
    if (!clean)
        return -1;
    notes->items[notes->count++] = (struct enhanced_note){warning, clean};
    return 0;
}

/* Everything that lifting needs at hand. */
struct lift {
    const struct lexicon *lexicon;
    const char *original;
    enum lettering_policy policy;
    struct arena *arena;
    struct quotes quotes;
    struct lettering *out;
    struct enhanced_notes *notes;
    pcre2_match_context *limits; /* with a stack for compiled patterns */
    bool involved;               /* a search took too long */
    bool failed;                 /* out of memory */
};

/* Text in which quotes are single characters, with the quotes' words in their place. */
static char *unfold(struct lift *l, const char *text, size_t size, bool marks)
{
    struct strbuf b = {0};
    for (const char *p = text; p < text + size;) {
        int n = quote_at(p);
        if (n >= 0 && (size_t)n < l->quotes.count) {
            strbuf_add(&b, marks ? l->quotes.items[n].marked : l->quotes.items[n].text);
            p += QUOTE_BYTES;
        } else {
            strbuf_addn(&b, p++, 1);
        }
    }
    char *copy = b.failed ? NULL : arena_strdup(l->arena, b.text ? b.text : "");
    strbuf_free(&b);
    if (!copy)
        l->failed = true;
    return copy;
}

static void add_overlay(struct lift *l, const struct lettering_rule *rule, const char *text)
{
    if (l->policy == LETTERING_DROP) {
        notes_add(l->notes, false, "\"%s\" leaves the prompt (%s); lettering is dropped here", text,
                  rule->name);
        return;
    }
    if (l->out->count == OVERLAYS_MAX) {
        notes_add(l->notes, true, "\"%s\" leaves the prompt; a prompt makes at most %d overlays",
                  text, OVERLAYS_MAX);
        return;
    }
    l->out->overlays[l->out->count++] = (struct enhanced_overlay){rule->overlay, text};
    notes_add(l->notes, false, "\"%s\" leaves the prompt (%s) and becomes an overlay: %s", text,
              rule->name, rule->overlay);
}

/* The words of a match's group "text": each quote is an overlay, or all of it is one. */
static void add_overlays(struct lift *l, const struct lettering_rule *rule, const char *text,
                         size_t size)
{
    bool quoted = false;
    for (const char *p = text; p < text + size; p++) {
        int n = quote_at(p);
        if (n < 0 || (size_t)n >= l->quotes.count)
            continue;
        quoted = true;
        add_overlay(l, rule, l->quotes.items[n].text);
    }
    char *copy = quoted ? NULL : arena_strndup(l->arena, text, size);
    if (copy)
        add_overlay(l, rule, copy);
    else if (!quoted)
        l->failed = true;
}

/* What a match becomes: "$group" is filled in, '_' is a space. */
static void fill(struct lift *l, struct strbuf *b, const char *becomes, pcre2_match_data *match)
{
    while (*becomes) {
        if (*becomes != '$') {
            strbuf_addn(b, *becomes == '_' ? " " : becomes, 1);
            becomes++;
            continue;
        }
        char name[32];
        size_t n = strspn(++becomes, "abcdefghijklmnopqrstuvwxyz"), size;
        snprintf(name, sizeof name, "%.*s", (int)n, becomes);
        becomes += n;
        PCRE2_UCHAR *group;
        if (pcre2_substring_get_byname(match, (PCRE2_SPTR)name, &group, &size) != 0)
            continue; /* the group took no part in the match */
        char *text = unfold(l, (const char *)group, size, false);
        strbuf_add(b, text ? text : "");
        pcre2_substring_free(group);
    }
}

typedef void on_match(struct lift *l, const void *rule, const char *subject,
                      pcre2_match_data *match);

/* Replaces every match in *text. The number of them; text that takes too long is left alone. */
static int replace(struct lift *l, const pcre2_code *find, const char *becomes, char **text,
                   on_match *seen, const void *rule)
{
    struct strbuf b = {0};
    const char *subject = *text;
    size_t size = strlen(subject), from = 0, kept = 0;
    int count = 0;
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(find, NULL);
    if (!match) {
        l->failed = true;
        return 0;
    }
    while (count < MATCHES_MAX && from <= size) {
        int rc =
            pcre2_match(find, (PCRE2_SPTR)subject, size, from, PCRE2_NOTEMPTY, match, l->limits);
        l->involved |= rc < 0 && rc != PCRE2_ERROR_NOMATCH;
        if (rc < 0)
            break;
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);
        if (at[0] < kept || at[1] < at[0])
            break; /* a lookbehind's \K: no rule has one */
        strbuf_addn(&b, subject + kept, at[0] - kept);
        fill(l, &b, becomes, match);
        if (seen)
            seen(l, rule, subject, match);
        kept = from = at[1];
        count++;
    }
    if (count > 0) {
        strbuf_add(&b, subject + kept);
        *text = b.failed ? NULL : arena_strdup(l->arena, b.text ? b.text : "");
        if (!*text) {
            *text = (char *)subject;
            l->failed = true;
        }
    }
    strbuf_free(&b);
    pcre2_match_data_free(match);
    return count;
}

static void lifted(struct lift *l, const void *data, const char *subject, pcre2_match_data *match)
{
    const struct lettering_rule *rule = data;
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);
    if (rule->overlay) {
        int n = pcre2_substring_number_from_name(rule->find, (PCRE2_SPTR) "text");
        add_overlays(l, rule, subject + at[2 * n], at[2 * n + 1] - at[2 * n]);
        return;
    }
    char *words = unfold(l, subject + at[0], at[1] - at[0], true);
    if (words)
        notes_add(l->notes, false, "\"%s\": %s", words + strspn(words, " ,;"), rule->note);
}

static char *tidied(struct lift *l, char *text)
{
    for (int round = 0; round < TIDY_ROUNDS; round++) {
        int changes = 0;
        for (size_t i = 0; i < l->lexicon->tidy_count; i++)
            changes += replace(l, l->lexicon->tidy[i].find, l->lexicon->tidy[i].becomes, &text,
                               NULL, NULL);
        if (changes == 0)
            break;
    }
    return text;
}

/* Overlays stand in the order in which their words stood in the prompt. */
static void sort_overlays(struct lift *l)
{
    struct enhanced_overlay *o = l->out->overlays;
    for (size_t i = 1; i < l->out->count; i++)
        for (size_t k = i; k > 0; k--) {
            const char *a = strstr(l->original, o[k - 1].text), *b = strstr(l->original, o[k].text);
            if (!a || !b || a <= b)
                break;
            struct enhanced_overlay swap = o[k];
            o[k] = o[k - 1];
            o[k - 1] = swap;
        }
}

static void lift(struct lift *l)
{
    char *text = quotes_find(l->lexicon, l->arena, l->original, &l->quotes);
    if (!text) {
        l->failed = true;
        return;
    }
    int changes = l->quotes.vanished;
    for (size_t i = 0; i < l->lexicon->rule_count; i++) {
        const struct lettering_rule *rule = &l->lexicon->rules[i];
        changes += replace(l, rule->find, rule->becomes, &text, lifted, rule);
    }
    if (changes > 0)
        text = tidied(l, text);
    if (changes > 0 && words_begin_with_capital(l->original) &&
        !(text = words_capitalise(l->arena, text)))
        l->failed = true;
    else
        l->out->prompt = unfold(l, text, strlen(text), true);
    sort_overlays(l);
    if (l->involved)
        notes_add(l->notes, true,
                  "a part of the prompt is too involved to be searched for lettering");
}

int lettering_lift(const struct lexicon *lexicon, const char *prompt, enum lettering_policy policy,
                   struct arena *a, struct lettering *out, struct enhanced_notes *notes,
                   struct error *e)
{
    struct lift l = {.lexicon = lexicon,
                     .original = prompt,
                     .policy = policy,
                     .arena = a,
                     .out = out,
                     .notes = notes,
                     .limits = pcre2_match_context_create(NULL)};
    pcre2_jit_stack *stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MAX, NULL);
    *out = (struct lettering){.overlays = arena_array(a, OVERLAYS_MAX, sizeof *out->overlays)};
    if (l.limits && out->overlays) {
        pcre2_set_match_limit(l.limits, MATCH_LIMIT);
        pcre2_jit_stack_assign(l.limits, NULL, stack); /* NULL: a small one */
        lift(&l);
    } else {
        l.failed = true;
    }
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(l.limits);
    return l.failed ? error_memory(e) : 0;
}
