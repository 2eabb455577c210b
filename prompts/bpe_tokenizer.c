#include "prompts/bpe_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "prompts/added_tokens.h"
#include "prompts/bpe.h"
#include "prompts/text_normalizer.h"
#include "prompts/text_splitter.h"

enum { MARKERS_MAX = 8 };

struct markers {
    int32_t ids[MARKERS_MAX];
    int count;
};

struct bpe_tokenizer {
    struct added_tokens raw, normal; /* looked for in the text as it is, and normalised */
    struct text_normalizer *normalizer;
    struct text_splitter *splitter;
    struct bpe *bpe;
    struct markers before, behind;
    int vocabulary;
};

/* ---- the markers around a text */

static int add_marker(const struct bpe_tokenizer *t, struct markers *m, const json_t *number,
                      const char *path, struct error *e)
{
    double id = json_is_number(number) ? json_number_value(number) : -1;
    if (!(id >= 0 && id < t->vocabulary) || id != (int)id || m->count == MARKERS_MAX)
        return error_set(e, ERROR_MODEL,
                         "%s: post_processor: a special token's id is no token, or there are more "
                         "than %d",
                         path, MARKERS_MAX);
    m->ids[m->count++] = (int32_t)id;
    return 0;
}

/* "single": special tokens, the text once, special tokens. */
static int read_template(struct bpe_tokenizer *t, const json_t *settings, const char *path,
                         struct error *e)
{
    const json_t *single = json_object_get(settings, "single"),
                 *tokens = json_object_get(settings, "special_tokens");
    int texts = 0;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i),
                     *marker = json_object_get(item, "SpecialToken");
        texts += json_object_get(item, "Sequence") != NULL;
        if (!marker)
            continue;
        const char *name = json_string_value(json_object_get(marker, "id"));
        const json_t *ids = json_object_get(name ? json_object_get(tokens, name) : NULL, "ids");
        if (json_array_size(ids) == 0)
            return error_set(e, ERROR_MODEL, "%s: post_processor: %.40s has no ids", path,
                             name ? name : "a special token");
        for (size_t k = 0; k < json_array_size(ids); k++)
            if (add_marker(t, texts ? &t->behind : &t->before, json_array_get(ids, k), path, e))
                return -1;
    }
    return texts == 1 ? 0
                      : error_set(e, ERROR_MODEL,
                                  "%s: post_processor: the template must have the text once", path);
}

static int read_markers(struct bpe_tokenizer *t, const json_t *settings, const char *path,
                        struct error *e)
{
    if (!settings || json_is_null(settings))
        return 0;
    const char *type = json_string_value(json_object_get(settings, "type"));
    if (!type)
        return error_set(e, ERROR_MODEL, "%s: a post_processor has no type", path);
    if (strcmp(type, "ByteLevel") == 0) /* about offsets, not ids */
        return 0;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(t, settings, path, e);
    if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0)
        return add_marker(t, &t->before, json_array_get(json_object_get(settings, "cls"), 1), path,
                          e) ||
                       add_marker(t, &t->behind,
                                  json_array_get(json_object_get(settings, "sep"), 1), path, e)
                   ? -1
                   : 0;
    if (strcmp(type, "Sequence") != 0)
        return error_set(e, ERROR_MODEL, "%s: the post_processor %.40s is not supported", path,
                         type);
    const json_t *list = json_object_get(settings, "processors");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (read_markers(t, json_array_get(list, i), path, e) != 0)
            return -1;
    return 0;
}

/* ---- reading */

static int read_parts(struct bpe_tokenizer *t, const json_t *root, const char *path,
                      struct error *e)
{
    const json_t *added = json_object_get(root, "added_tokens");
    if (bpe_read(json_object_get(root, "model"), path, &t->bpe, e) != 0)
        return -1;
    const struct vocabulary *v = bpe_vocabulary(t->bpe);
    if (text_normalizer_read(json_object_get(root, "normalizer"), path, &t->normalizer, e) != 0 ||
        text_splitter_read(json_object_get(root, "pre_tokenizer"), path, &t->splitter, e) != 0 ||
        added_tokens_read(&t->raw, added, false, t->normalizer, v, path, e) != 0 ||
        added_tokens_read(&t->normal, added, true, t->normalizer, v, path, e) != 0)
        return -1;
    t->vocabulary = v->size;
    if (t->raw.size > t->vocabulary)
        t->vocabulary = t->raw.size;
    if (t->normal.size > t->vocabulary)
        t->vocabulary = t->normal.size;
    return read_markers(t, json_object_get(root, "post_processor"), path, e);
}

int bpe_tokenizer_read(const json_t *root, const char *path, struct bpe_tokenizer **out,
                       struct error *e)
{
    struct bpe_tokenizer *t = calloc(1, sizeof *t);
    if (!t)
        return error_memory(e);
    if (read_parts(t, root, path, e) != 0) {
        bpe_tokenizer_free(t);
        return -1;
    }
    *out = t;
    return 0;
}

void bpe_tokenizer_free(struct bpe_tokenizer *t)
{
    if (!t)
        return;
    added_tokens_free(&t->raw);
    added_tokens_free(&t->normal);
    text_normalizer_free(t->normalizer);
    text_splitter_free(t->splitter);
    bpe_free(t->bpe);
    free(t);
}

int bpe_tokenizer_vocabulary(const struct bpe_tokenizer *t)
{
    return t->vocabulary;
}

int bpe_tokenizer_find(const struct bpe_tokenizer *t, const char *token)
{
    const struct added_tokens *both[] = {&t->raw, &t->normal};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < both[k]->count; i++)
            if (strcmp(both[k]->list[i].text, token) == 0)
                return both[k]->list[i].id;
    return vocabulary_find(bpe_vocabulary(t->bpe), token, strlen(token));
}

int bpe_tokenizer_before(const struct bpe_tokenizer *t, const int32_t **ids)
{
    *ids = t->before.ids;
    return t->before.count;
}

int bpe_tokenizer_behind(const struct bpe_tokenizer *t, const int32_t **ids)
{
    *ids = t->behind.ids;
    return t->behind.count;
}

/* ---- encoding: raw_piece -> normal_piece -> word */

struct encoding {
    const struct bpe_tokenizer *t;
    struct bpe_work work;
};

static int word(void *ctx, const char *text, size_t size, struct error *e)
{
    struct encoding *c = ctx;
    return bpe_encode(c->t->bpe, text, size, &c->work, e);
}

static int normal_piece(void *ctx, int32_t id, const char *text, size_t size, struct error *e)
{
    struct encoding *c = ctx;
    if (id >= 0)
        return bpe_work_add(&c->work, id, e);
    return text_split(c->t->splitter, text, size, word, c, e);
}

static int raw_piece(void *ctx, int32_t id, const char *text, size_t size, struct error *e)
{
    struct encoding *c = ctx;
    char *normal;
    size_t length;
    if (id >= 0)
        return bpe_work_add(&c->work, id, e);
    if (text_normalize(c->t->normalizer, text, size, &normal, &length, e) != 0)
        return -1;
    int rc = added_tokens_cut(&c->t->normal, normal, length, normal_piece, c, e);
    free(normal);
    return rc;
}

int bpe_tokenizer_encode(const struct bpe_tokenizer *t, const char *text, size_t size, int32_t *ids,
                         int max, struct error *e)
{
    struct encoding c = {.t = t};
    char *repaired = NULL;
    size_t length, given = max > 0 ? (size_t)max : 0;
    int rc = text_repair(text, size, &repaired, &length, e);
    if (rc == 0)
        rc = added_tokens_cut(&t->raw, repaired, length, raw_piece, &c, e);
    if (rc == 0) {
        if (c.work.count < given)
            given = c.work.count;
        if (given > 0)
            memcpy(ids, c.work.ids, given * sizeof *ids);
        rc = (int)c.work.count;
    }
    free(repaired);
    bpe_work_free(&c.work);
    return rc;
}
