#include "stages/generate/wan_texts.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "prompts/t5.h"
#include "prompts/tokenizer.h"

const struct wan_text *wan_texts_find(const struct wan_texts *t, const char *text)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->items[i].text, text) == 0)
            return &t->items[i];
    return NULL;
}

int wan_texts_add(struct wan_texts *t, const char *text, struct error *e)
{
    if (wan_texts_find(t, text))
        return 0;
    if (t->count == t->room) {
        size_t room = t->room ? 2 * t->room : 16;
        struct wan_text *grown = realloc(t->items, room * sizeof *grown);
        if (!grown)
            return error_memory(e);
        t->items = grown;
        t->room = room;
    }
    const char *copy = arena_strdup(&t->arena, text);
    if (!copy)
        return error_memory(e);
    t->items[t->count++] = (struct wan_text){.text = copy};
    return 0;
}

static int encode_one(struct wan_texts *t, struct wan_text *one, const struct tokenizer *tokenizer,
                      struct t5 *encoder, struct error *e)
{
    int32_t ids[TOKENIZER_LIMIT_MAX];
    int count;
    if (tokenizer_encode(tokenizer, one->text, strlen(one->text), ids, t->padded_length, &count,
                         e) != 0)
        return -1;
    one->embeddings = TENSOR_NEW(&t->arena, count, t->width);
    if (!one->embeddings.data)
        return error_memory(e);
    return t5_encode(encoder, ids, count, &one->embeddings, e);
}

/* The tokenizer and the encoder of a checkpoint. What is not opened is NULL, also on failure. */
static int open_both(const char *dir, struct device *d, struct tokenizer **tokenizer,
                     struct t5 **encoder, struct error *e)
{
    struct arena a = {0};
    const char *words = path_join(&a, dir, "tokenizer"),
               *model = path_join(&a, dir, "text_encoder");
    *tokenizer = NULL;
    *encoder = NULL;
    int rc = words && model ? 0 : error_memory(e);
    if (rc == 0)
        rc = tokenizer_open(words, tokenizer, e);
    if (rc == 0)
        rc = t5_load(model, d, encoder, e);
    if (rc == 0 && tokenizer_vocabulary(*tokenizer) > t5_vocabulary(*encoder))
        rc = error_set(e, ERROR_MODEL, "%s: the tokenizer has %d pieces, the text encoder %d", dir,
                       tokenizer_vocabulary(*tokenizer), t5_vocabulary(*encoder));
    arena_free(&a);
    return rc;
}

int wan_texts_check(const char *dir, int *width, struct error *e)
{
    struct tokenizer *tokenizer;
    struct t5 *encoder;
    int rc = open_both(dir, NULL, &tokenizer, &encoder, e);
    if (rc == 0)
        *width = t5_width(encoder);
    t5_free(encoder);
    tokenizer_close(tokenizer);
    return rc;
}

int wan_texts_encode(struct wan_texts *t, const char *dir, struct device *d,
                     bool (*stop)(void *ctx), void *ctx, struct error *e)
{
    struct tokenizer *tokenizer;
    struct t5 *encoder;
    int rc = open_both(dir, d, &tokenizer, &encoder, e);
    if (rc == 0) {
        t->padded_length = tokenizer_limit(tokenizer);
        t->width = t5_width(encoder);
    }
    for (size_t i = 0; i < t->count && rc == 0; i++)
        rc = stop(ctx) ? error_set(e, ERROR_CANCELLED, "interrupted while prompts were encoded")
                       : encode_one(t, &t->items[i], tokenizer, encoder, e);
    t5_free(encoder);
    tokenizer_close(tokenizer);
    return rc;
}

void wan_texts_free(struct wan_texts *t)
{
    free(t->items);
    arena_free(&t->arena);
    *t = (struct wan_texts){0};
}
