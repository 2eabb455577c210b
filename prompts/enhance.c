#include "prompts/enhance.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/strbuf.h"
#include "prompts/lettering.h"
#include "prompts/words.h"

enum { PHRASES_MAX = 256 };

/* A piece of the prompt after the person's own words, or of the negative prompt. */
struct phrase {
    const char *text;
    bool added;           /* by the lexicon or the tier: the first to go when tokens are short */
    const char *category; /* for which the lexicon added it; else NULL */
};
struct phrases {
    struct phrase items[PHRASES_MAX];
    size_t count;
};

struct work {
    const struct lexicon *lexicon;
    const struct tokenizer *tokenizer;
    const struct enhance_request *request;
    struct arena *arena;
    struct enhanced_notes notes;
    struct error *e;
};

static bool matches(const pcre2_code *code, const char *text)
{
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(code, NULL);
    int rc =
        match ? pcre2_match(code, (PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, 0, match, NULL) : -1;
    pcre2_match_data_free(match);
    return rc >= 0;
}

/* Whether `text` has `phrase` in it as whole words, without regard to case. */
static bool contains(const char *text, const char *phrase)
{
    struct strbuf b = {0};
    int number;
    PCRE2_SIZE offset;
    bool found = false;
    strbuf_add(&b, "(?<!\\w)");
    for (const char *p = phrase; *p; p++) /* any character but a letter may be escaped */
        strbuf_addf(&b,
                    (*p & 0x80) || (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
                            (*p >= 'A' && *p <= 'Z')
                        ? "%c"
                        : "\\%c",
                    *p);
    strbuf_add(&b, "(?!\\w)");
    pcre2_code *code =
        b.failed ? NULL
                 : pcre2_compile((PCRE2_SPTR)b.text, PCRE2_ZERO_TERMINATED,
                                 PCRE2_UTF | PCRE2_UCP | PCRE2_CASELESS, &number, &offset, NULL);
    if (code)
        found = matches(code, text);
    pcre2_code_free(code);
    strbuf_free(&b);
    return found;
}

/* "Prompt, phrase, phrase". NULL: out of memory. */
static char *join(struct arena *a, const char *prompt, const struct phrases *p)
{
    struct strbuf b = {0};
    size_t length = strlen(prompt);
    if (p->count > 0)
        while (length > 0 && strchr(".,;: ", prompt[length - 1]))
            length--;
    strbuf_addn(&b, prompt, length);
    for (size_t i = 0; i < p->count; i++) {
        if (b.length > 0)
            strbuf_add(&b, strchr("!?", b.text[b.length - 1]) ? " " : ", ");
        strbuf_add(&b, p->items[i].text);
    }
    char *text = b.failed ? NULL : arena_strdup(a, b.text ? b.text : "");
    strbuf_free(&b);
    return text;
}

/* Splits a list at its commas; phrases that `text` or the list has already are left out. */
static int split(struct work *w, const char *list, const char *text, bool added, struct phrases *to)
{
    bool cut;
    char *rest, *clean = words_clean(w->arena, list, &cut);
    if (!clean)
        return error_memory(w->e);
    for (char *part = strtok_r(clean, ",;", &rest); part; part = strtok_r(NULL, ",;", &rest)) {
        part += strspn(part, " ");
        size_t length = strlen(part);
        while (length > 0 && strchr(" .", part[length - 1]))
            part[--length] = '\0';
        bool known = length == 0 || contains(text, part);
        for (size_t i = 0; i < to->count && !known; i++)
            known = contains(to->items[i].text, part);
        if (known)
            continue;
        if (to->count == PHRASES_MAX) {
            notes_add(&w->notes, true, "\"%s\" and what follows is left out: too many phrases",
                      part);
            break;
        }
        to->items[to->count++] = (struct phrase){.text = part, .added = added};
    }
    return 0;
}

static int add_category(struct work *w, const struct category *c, const char *prompt,
                        struct phrases *to)
{
    const char *said = join(w->arena, prompt, to);
    if (!said)
        return error_memory(w->e);
    if (matches(c->known, said))
        return 0;
    for (size_t i = 0; i < c->add_count; i++) {
        if (!matches(c->add[i].when, prompt))
            continue;
        size_t before = to->count;
        if (split(w, c->add[i].words, said, true, to) != 0)
            return -1;
        for (size_t k = before; k < to->count; k++)
            to->items[k].category = c->name;
        return 0;
    }
    return 0;
}

/* The shot's camera, light, the shot's look: in the order of the lexicon's categories. What the
 * shot says for itself stands in its category's place and fills it. What is added, if anything,
 * follows from the prompt alone. */
static int gather(struct work *w, const char *prompt, struct phrases *to)
{
    if (w->request->small && w->request->additions)
        notes_add(&w->notes, false,
                  "additions: none for this tier, whose model was taught on short captions");
    for (size_t i = 0; i < w->lexicon->category_count; i++) {
        const struct category *c = &w->lexicon->categories[i];
        const char *own = c->kind == WORDS_CAMERA ? w->request->camera
                          : c->kind == WORDS_LOOK ? w->request->look
                                                  : "";
        size_t before = to->count;
        if (split(w, own, prompt, false, to) != 0)
            return -1;
        if (to->count > before || *own || w->request->small || !(w->request->additions & c->kind))
            continue;
        /* Look words that the shot brings may say light too: they are asked as well. */
        const char *all =
            *w->request->look ? arena_printf(w->arena, "%s, %s", prompt, w->request->look) : prompt;
        if (!all)
            return error_memory(w->e);
        if (add_category(w, c, all, to) != 0)
            return -1;
    }
    return 0;
}

static int count_tokens(const struct work *w, const char *text)
{
    return w->tokenizer ? tokenizer_count(w->tokenizer, text, strlen(text), w->e) : 0;
}

/* Removes the last phrase that was added, or else the last one. */
static struct phrase drop_one(struct phrases *p)
{
    size_t at = p->count - 1;
    for (size_t i = p->count; i-- > 0;)
        if (p->items[i].added) {
            at = i;
            break;
        }
    struct phrase gone = p->items[at];
    memmove(p->items + at, p->items + at + 1, (p->count - at - 1) * sizeof *p->items);
    p->count--;
    return gone;
}

/* The longest beginning of the prompt that fits, by whole words. */
static int shorten(struct work *w, char **prompt, int *tokens)
{
    size_t (*shortened)(const char *, size_t) = words_shorten;
    size_t all = strlen(*prompt), fits = 0, too_long = all;
    char *kept = arena_strdup(w->arena, "");
    while (too_long - fits > 1 && kept) {
        size_t middle = fits + (too_long - fits) / 2;
        size_t length = shortened(*prompt, middle + 1);
        char *text = arena_strndup(w->arena, *prompt, length);
        int n = text && length > fits ? count_tokens(w, text) : 0;
        if (!text || n < 0)
            return text ? -1 : error_memory(w->e);
        if (length > fits && n <= w->request->limit) {
            kept = text;
            fits = middle;
        } else if (length > fits) {
            too_long = length;
        } else {
            fits = middle; /* no word ends between */
        }
        if (too_long - fits <= 1 && !*kept && shortened == words_shorten) {
            shortened = characters_shorten; /* one endless word: nothing else can be done */
            fits = 0;
            too_long = all;
        }
    }
    if (!kept)
        return error_memory(w->e);
    size_t length = strlen(kept);
    notes_add(&w->notes, true,
              "the prompt is too long for the model's %d tokens: its first %zu of %zu bytes are "
              "used, to \"...%s\"",
              w->request->limit, length, all, kept + (length > 24 ? length - 24 : 0));
    *prompt = kept;
    return (*tokens = count_tokens(w, kept)) < 0 ? -1 : 0;
}

/* What was added and had room, a note for each category. */
static int note_added(struct work *w, const struct phrases *p)
{
    for (size_t i = 0, next; i < p->count; i = next) {
        const char *category = p->items[i].category;
        struct phrases same = {.count = 0};
        for (next = i; next < p->count && p->items[next].category == category; next++)
            same.items[same.count++] = p->items[next];
        const char *words = category ? join(w->arena, "", &same) : "";
        if (!words)
            return error_memory(w->e);
        if (category)
            notes_add(&w->notes, false, "no %s words in the prompt: adds \"%s\"", category, words);
    }
    return 0;
}

static int fit_prompt(struct work *w, const char *prompt, struct phrases *p, struct enhanced *out)
{
    char *text;
    int tokens;
    for (;;) {
        text = join(w->arena, prompt, p);
        if (!text)
            return error_memory(w->e);
        if ((tokens = count_tokens(w, text)) < 0)
            return -1;
        if (tokens <= w->request->limit || p->count == 0)
            break;
        struct phrase gone = drop_one(p);
        notes_add(&w->notes, !gone.added, "no room for \"%s\" in the model's %d tokens", gone.text,
                  w->request->limit);
    }
    if (tokens > w->request->limit && shorten(w, &text, &tokens) != 0)
        return -1;
    out->prompt = text;
    out->prompt_tokens = tokens;
    return note_added(w, p);
}

/* Whether the model reads nothing of the word, or less than all. */
static int is_unknown(const struct work *w, const char *word, size_t size, bool *unknown)
{
    int32_t ids[128];
    int count;
    *unknown = false;
    if (tokenizer_encode(w->tokenizer, word, size, ids, 128, &count, w->e) != 0)
        return -1;
    for (int i = 0; i < count; i++)
        *unknown |= ids[i] == tokenizer_unknown(w->tokenizer);
    return 0;
}

/* Signs of a script or emoji that the model was never taught. */
static int note_unknown(struct work *w, const char *text)
{
    const char *first = NULL;
    size_t length = 0, more = 0;
    bool unknown;
    if (!w->tokenizer || tokenizer_unknown(w->tokenizer) < 0)
        return 0;
    for (size_t n; *text; text += n) {
        n = strcspn(text, " ");
        if (n == 0) {
            n = 1;
            continue;
        }
        if (is_unknown(w, text, n, &unknown) != 0)
            return -1;
        if (unknown && first)
            more++;
        if (unknown && !first) {
            first = text;
            length = n > 48 ? characters_shorten(text, 48) : n;
        }
    }
    if (first && more)
        notes_add(&w->notes, true, "the model cannot read \"%.*s\" nor %zu more words", (int)length,
                  first, more);
    else if (first)
        notes_add(&w->notes, true, "the model cannot read \"%.*s\"", (int)length, first);
    return 0;
}

static int make_negative(struct work *w, struct enhanced *out)
{
    struct phrases p = {.count = 0};
    if (split(w, w->request->base_negative, "", true, &p) != 0)
        return -1;
    if (w->request->lettering == LETTERING_KEEP) {
        size_t kept = 0;
        for (size_t i = 0; i < p.count; i++)
            if (!matches(w->lexicon->lettering, p.items[i].text))
                p.items[kept++] = p.items[i];
        p.count = kept;
    }
    if (split(w, w->request->negative, "", false, &p) != 0)
        return -1;
    for (;;) {
        out->negative = join(w->arena, "", &p);
        if (!out->negative)
            return error_memory(w->e);
        if ((out->negative_tokens = count_tokens(w, out->negative)) < 0)
            return -1;
        if (out->negative_tokens <= w->request->limit || p.count == 0)
            return 0;
        struct phrase gone = drop_one(&p);
        notes_add(&w->notes, !gone.added, "negative: no room for \"%s\" in the model's %d tokens",
                  gone.text, w->request->limit);
    }
}

static int lift(struct work *w, const char *original, char **prompt, struct enhanced *out)
{
    struct lettering lettering = {.prompt = arena_strdup(w->arena, original)};
    if (!lettering.prompt)
        return error_memory(w->e);
    if (w->request->lettering != LETTERING_KEEP &&
        lettering_lift(w->lexicon, original, w->request->lettering, w->arena, &lettering, &w->notes,
                       w->e) != 0)
        return -1;
    if (*original && !*lettering.prompt)
        notes_add(&w->notes, true,
                  "nothing but lettering stood in the prompt: the model is told only what the "
                  "look and camera fields say");
    *prompt = lettering.prompt;
    out->overlays = lettering.overlays;
    out->overlay_count = lettering.count;
    return 0;
}

int enhance(const struct lexicon *lexicon, const struct tokenizer *tokenizer,
            const struct enhance_request *request, struct arena *a, struct enhanced *out,
            struct error *e)
{
    struct work w = {.lexicon = lexicon,
                     .tokenizer = tokenizer,
                     .request = request,
                     .arena = a,
                     .notes = {.arena = a},
                     .e = e};
    struct phrases *phrases = arena_alloc(a, sizeof *phrases);
    bool cut;
    char *prompt = NULL, *original = words_clean(a, request->prompt, &cut);
    *out = (struct enhanced){0};
    if (!phrases || !original)
        return error_memory(e);
    if (cut)
        notes_add(&w.notes, true, "the prompt is cut at %d bytes", WORDS_BYTES_MAX);
    if (lift(&w, original, &prompt, out) != 0 || gather(&w, prompt, phrases) != 0 ||
        fit_prompt(&w, prompt, phrases, out) != 0 || note_unknown(&w, out->prompt) != 0 ||
        make_negative(&w, out) != 0)
        return -1;
    out->notes = w.notes.items;
    out->note_count = w.notes.count;
    return 0;
}
