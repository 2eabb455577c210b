#include "prompts/bpe.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "prompts/bpe_merges.h"

struct bpe {
    struct vocabulary vocabulary;
    struct merges merges;
    int32_t bytes[256], last_bytes[256]; /* a byte's token, and as a word's last; -1: none */
    int32_t unknown;                     /* for bytes without a token; -1: they are left out */
    bool whole_words;                    /* a word that is a token is that token, merges or not */
};

struct bpe_symbol {
    int32_t id, previous, next; /* neighbours: -1 at the ends */
    bool gone;                  /* it was merged into the one before */
};

/* A merge that can be done, or could be when it was noted. */
struct bpe_merge {
    uint32_t rank;
    int32_t at, id; /* the left symbol, and the token that both become */
};

int bpe_byte_character(uint8_t byte, char out[2])
{
    unsigned code = byte;
    if (byte <= 32)
        code = 256 + byte;
    else if (byte >= 127 && byte <= 160)
        code = 256 + 33 + (byte - 127);
    else if (byte == 173)
        code = 256 + 33 + 34;
    if (code < 128) {
        out[0] = (char)code;
        return 1;
    }
    out[0] = (char)(0xc0 | code >> 6);
    out[1] = (char)(0x80 | (code & 63));
    return 2;
}

/* ---- reading */

static void find_bytes(struct bpe *b, const char *suffix)
{
    char token[64];
    size_t more = strlen(suffix);
    for (int i = 0; i < 256; i++) {
        size_t n = (size_t)bpe_byte_character((uint8_t)i, token);
        b->bytes[i] = vocabulary_find(&b->vocabulary, token, n);
        memcpy(token + n, suffix, more);
        b->last_bytes[i] = vocabulary_find(&b->vocabulary, token, n + more);
    }
}

static const char *text_of(const json_t *model, const char *name)
{
    const char *text = json_string_value(json_object_get(model, name));
    return text ? text : "";
}

static bool is_off(const json_t *v)
{
    return !v || json_is_null(v) || json_is_false(v) ||
           (json_is_number(v) && json_number_value(v) == 0) ||
           (json_is_string(v) && json_string_length(v) == 0);
}

/* What changes ids and is not done here must be off. */
static int refuse_others(const json_t *model, const char *path, struct error *e)
{
    static const char *const others[] = {"dropout", "continuing_subword_prefix", "fuse_unk",
                                         "byte_fallback"};
    const char *type = text_of(model, "type");
    if (*type && strcmp(type, "BPE") != 0)
        return error_set(e, ERROR_MODEL, "%s: a tokenizer of the type %.40s is not supported", path,
                         type);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!is_off(json_object_get(model, others[i])))
            return error_set(e, ERROR_MODEL, "%s: model.%s is not supported", path, others[i]);
    return 0;
}

static int read_settings(struct bpe *b, const json_t *model, const char *path, struct error *e)
{
    const char *suffix = text_of(model, "end_of_word_suffix"),
               *unknown = text_of(model, "unk_token");
    if (strlen(suffix) > 32)
        return error_set(e, ERROR_MODEL, "%s: model.end_of_word_suffix is too long", path);
    find_bytes(b, suffix);
    b->whole_words = json_is_true(json_object_get(model, "ignore_merges"));
    b->unknown = -1;
    if (*unknown) {
        b->unknown = vocabulary_find(&b->vocabulary, unknown, strlen(unknown));
        if (b->unknown < 0)
            return error_set(e, ERROR_MODEL, "%s: the unknown token %.40s is not in the vocabulary",
                             path, unknown);
    }
    return 0;
}

int bpe_read(const json_t *model, const char *path, struct bpe **out, struct error *e)
{
    struct bpe *b = calloc(1, sizeof *b);
    if (!b)
        return error_memory(e);
    if (refuse_others(model, path, e) != 0 ||
        vocabulary_read(&b->vocabulary, json_object_get(model, "vocab"), path, e) != 0 ||
        merges_read(&b->merges, json_object_get(model, "merges"), &b->vocabulary, path, e) != 0 ||
        read_settings(b, model, path, e) != 0) {
        bpe_free(b);
        return -1;
    }
    *out = b;
    return 0;
}

void bpe_free(struct bpe *b)
{
    if (!b)
        return;
    vocabulary_free(&b->vocabulary);
    merges_free(&b->merges);
    free(b);
}

const struct vocabulary *bpe_vocabulary(const struct bpe *b)
{
    return &b->vocabulary;
}

/* ---- room */

void bpe_work_free(struct bpe_work *w)
{
    free(w->ids);
    free(w->symbols);
    free(w->heap);
    free(w->word);
    *w = (struct bpe_work){0};
}

/* Makes room for `count` items of `size` bytes, with some to spare. */
static int reserve(void **items, size_t *room, size_t count, size_t size, struct error *e)
{
    if (count <= *room)
        return 0;
    size_t wanted = count + count / 2 + 64;
    void *grown = realloc(*items, wanted * size);
    if (!grown)
        return error_memory(e);
    *items = grown;
    *room = wanted;
    return 0;
}

int bpe_work_add(struct bpe_work *w, int32_t id, struct error *e)
{
    if (reserve((void **)&w->ids, &w->room, w->count + 1, sizeof *w->ids, e) != 0)
        return -1;
    w->ids[w->count++] = id;
    return 0;
}

/* ---- the heap of merges: the one learnt first on top, of equals the leftmost */

static bool before(struct bpe_merge a, struct bpe_merge b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static void push(struct bpe_merge *heap, size_t *count, struct bpe_merge m)
{
    size_t i = (*count)++;
    for (; i > 0 && before(m, heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = m;
}

static struct bpe_merge pop(struct bpe_merge *heap, size_t *count)
{
    struct bpe_merge top = heap[0], last = heap[--*count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < *count; i = child) {
        if (child + 1 < *count && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], last))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

/* ---- encoding */

static int32_t lay_out(const struct bpe *b, const char *word, size_t size, struct bpe_symbol *s)
{
    int32_t n = 0;
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)word[i];
        int32_t id = i + 1 < size ? b->bytes[byte] : b->last_bytes[byte];
        if (id < 0)
            id = b->unknown;
        if (id < 0)
            continue;
        s[n] = (struct bpe_symbol){.id = id, .previous = n - 1, .next = n + 1};
        n++;
    }
    if (n > 0)
        s[n - 1].next = -1;
    return n;
}

/* Notes the merge of a symbol with the one after it, if there is one. */
static void note(const struct bpe *b, struct bpe_work *w, size_t *count, int32_t at)
{
    const struct bpe_symbol *s = w->symbols;
    if (at < 0 || s[at].next < 0)
        return;
    const struct merge *m = merges_find(&b->merges, s[at].id, s[s[at].next].id);
    if (m)
        push(w->heap, count, (struct bpe_merge){m->rank, at, m->id});
}

static void merge_all(const struct bpe *b, struct bpe_work *w, int32_t n)
{
    struct bpe_symbol *s = w->symbols;
    size_t count = 0;
    for (int32_t i = 0; i < n; i++)
        note(b, w, &count, i);
    while (count > 0) {
        struct bpe_merge top = pop(w->heap, &count);
        struct bpe_symbol *left = &s[top.at];
        if (left->gone || left->next < 0)
            continue;
        /* A neighbour may have changed since this was noted. */
        struct bpe_symbol *right = &s[left->next];
        const struct merge *m = merges_find(&b->merges, left->id, right->id);
        if (!m || m->id != top.id)
            continue;
        left->id = top.id;
        left->next = right->next;
        right->gone = true;
        if (left->next >= 0)
            s[left->next].previous = top.at;
        note(b, w, &count, left->previous);
        note(b, w, &count, top.at);
    }
}

/* The token that a word is as a whole; -1: it is none. */
static int whole_word(const struct bpe *b, const char *word, size_t size, struct bpe_work *w,
                      int32_t *id, struct error *e)
{
    size_t n = 0;
    if (reserve((void **)&w->word, &w->word_room, 2 * size, 1, e) != 0)
        return -1;
    for (size_t i = 0; i < size; i++)
        n += (size_t)bpe_byte_character((uint8_t)word[i], w->word + n);
    *id = vocabulary_find(&b->vocabulary, w->word, n);
    return 0;
}

int bpe_encode(const struct bpe *b, const char *word, size_t size, struct bpe_work *w,
               struct error *e)
{
    int32_t id = -1;
    if (size == 0)
        return 0;
    if (b->whole_words && whole_word(b, word, size, w, &id, e) != 0)
        return -1;
    if (id >= 0)
        return bpe_work_add(w, id, e);
    /* Each of up to size - 1 merges takes one pair away and notes at most two. */
    if (reserve((void **)&w->symbols, &w->symbol_room, size, sizeof *w->symbols, e) != 0 ||
        reserve((void **)&w->heap, &w->heap_room, 3 * size, sizeof *w->heap, e) != 0)
        return -1;
    int32_t n = lay_out(b, word, size, w->symbols);
    merge_all(b, w, n);
    if (reserve((void **)&w->ids, &w->room, w->count + (size_t)n, sizeof *w->ids, e) != 0)
        return -1;
    for (int32_t i = 0; i < n; i++)
        if (!w->symbols[i].gone)
            w->ids[w->count++] = w->symbols[i].id;
    return 0;
}
