#include "stages/generate/sdxl_text.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "prompts/clip_text.h"
#include "prompts/tokenizer.h"

enum { READERS = 2, SKIPPED_LAYERS = 1 };

struct encoder {
    struct {
        struct tokenizer *tokenizer;
        struct clip_text *text;
    } reader[READERS];
    int tokens; /* to which texts are cut or padded */
    bool zeros_without_negative;
    int32_t ids[TOKENIZER_LIMIT_MAX];
    struct arena arena;
    struct tensor hidden; /* of one encoder */
    char *negative;       /* the last negative prompt, and what it became; NULL: none yet */
    struct tensor negative_embeds, negative_pooled;
};

int sdxl_encoder_width(const void *encoder)
{
    const struct encoder *n = encoder;
    return clip_text_width(n->reader[0].text) + clip_text_width(n->reader[1].text);
}

int sdxl_encoder_pooled_width(const void *encoder)
{
    const struct encoder *n = encoder;
    return clip_text_pooled_width(n->reader[1].text);
}

/* ---- loading */

static int load_reader(struct encoder *n, int i, const char *dir, struct device *d, struct error *e)
{
    static const char *const tokenizers[] = {"tokenizer", "tokenizer_2"};
    static const char *const texts[] = {"text_encoder", "text_encoder_2"};
    const char *tokenizer = path_join(&n->arena, dir, tokenizers[i]);
    const char *text = path_join(&n->arena, dir, texts[i]);
    int limit, ids;

    if (!tokenizer || !text)
        return error_memory(e);
    if (tokenizer_open(tokenizer, &n->reader[i].tokenizer, e) ||
        clip_text_load(text, i == 1, d, &n->reader[i].text, e))
        return -1;
    limit = clip_text_limit(n->reader[i].text);
    ids = tokenizer_vocabulary(n->reader[i].tokenizer);
    if (tokenizer_limit(n->reader[i].tokenizer) > limit)
        return error_set(e, ERROR_MODEL, "%s: model_max_length is %d, and %s reads %d tokens",
                         tokenizer, tokenizer_limit(n->reader[i].tokenizer), texts[i], limit);
    if (ids > clip_text_vocabulary(n->reader[i].text))
        return error_set(e, ERROR_MODEL, "%s: %d tokens, and %s knows %d", tokenizer, ids, texts[i],
                         clip_text_vocabulary(n->reader[i].text));
    return 0;
}

static int read_settings(struct encoder *n, const char *dir, struct error *e)
{
    const char *path = path_join(&n->arena, dir, "model_index.json");
    json_t *root;
    int rc;

    if (!path)
        return error_memory(e);
    if (json_read(path, &root, e))
        return -1;
    n->zeros_without_negative = true;
    rc = json_get_bool(root, path, "force_zeros_for_empty_prompt", &n->zeros_without_negative, e);
    json_decref(root);
    return rc;
}

static int open_all(struct encoder *n, const char *dir, struct device *d, struct error *e)
{
    int widest;

    if (read_settings(n, dir, e) || load_reader(n, 0, dir, d, e) || load_reader(n, 1, dir, d, e))
        return -1;
    n->tokens = tokenizer_limit(n->reader[0].tokenizer);
    if (n->tokens != tokenizer_limit(n->reader[1].tokenizer))
        return error_set(
            e, ERROR_MODEL,
            "%s: the tokenizers' model_max_length differ: %d and %d, but the encoders' "
            "tokens stand side by side",
            dir, n->tokens, tokenizer_limit(n->reader[1].tokenizer));
    widest = clip_text_width(n->reader[0].text);
    if (widest < clip_text_width(n->reader[1].text))
        widest = clip_text_width(n->reader[1].text);
    n->hidden = TENSOR_NEW(&n->arena, (int64_t)n->tokens * widest);
    n->negative_embeds = TENSOR_NEW(&n->arena, n->tokens, sdxl_encoder_width(n));
    n->negative_pooled = TENSOR_NEW(&n->arena, 1, sdxl_encoder_pooled_width(n));
    if (!n->hidden.data || !n->negative_embeds.data || !n->negative_pooled.data)
        return error_memory(e);
    return 0;
}

int sdxl_encoder_open(const char *dir, struct device *d, void **encoder, struct error *e)
{
    struct encoder *n = calloc(1, sizeof *n);

    if (!n)
        return error_memory(e);
    if (open_all(n, dir, d, e)) {
        sdxl_encoder_close(n);
        return -1;
    }
    *encoder = n;
    return 0;
}

void sdxl_encoder_close(void *encoder)
{
    struct encoder *n = encoder;

    if (!n)
        return;
    for (int i = 0; i < READERS; i++) {
        tokenizer_close(n->reader[i].tokenizer);
        clip_text_free(n->reader[i].text);
    }
    free(n->negative);
    arena_free(&n->arena);
    free(n);
}

/* ---- encoding */

/* Fills embeds [tokens, width] and pooled [1, pooled width]. */
static int encode_text(struct encoder *n, const char *text, struct tensor *embeds,
                       struct tensor *pooled, struct error *e)
{
    int64_t column = 0;
    int count;

    for (int i = 0; i < READERS; i++) {
        struct clip_text *m = n->reader[i].text;
        int64_t width = clip_text_width(m);
        struct tensor hidden = TENSOR_F32(n->hidden.data, n->tokens, width);

        if (tokenizer_encode_padded(n->reader[i].tokenizer, text, strlen(text), n->ids, n->tokens,
                                    &count, e) ||
            clip_text_encode(m, n->ids, n->tokens, SKIPPED_LAYERS, &hidden, i == 1 ? pooled : NULL,
                             e))
            return -1;
        for (int64_t t = 0; t < n->tokens; t++)
            memcpy((float *)embeds->data + t * embeds->shape[1] + column,
                   (float *)hidden.data + t * width, (size_t)width * sizeof(float));
        column += width;
    }
    return 0;
}

static void zero(struct tensor *t)
{
    memset(t->data, 0, (size_t)tensor_count(t) * sizeof(float));
}

/* Into n->negative_embeds and n->negative_pooled, where the last one's may already be. NULL: the
 * shot has none, which is not the same as an empty one. */
static int encode_negative(struct encoder *n, const char *text, struct error *e)
{
    bool none = !text && n->zeros_without_negative;

    text = text ? text : "";
    if (!none && n->negative && strcmp(n->negative, text) == 0)
        return 0;
    free(n->negative);
    n->negative = NULL;
    if (none) {
        zero(&n->negative_embeds);
        zero(&n->negative_pooled);
        return 0;
    }
    if (encode_text(n, text, &n->negative_embeds, &n->negative_pooled, e))
        return -1;
    n->negative = strdup(text);
    return n->negative ? 0 : error_memory(e);
}

static int keep(struct conditions *c, const char *name, const struct tensor *value, struct error *e)
{
    struct tensor *t = conditions_add(c, name, value->rank, value->shape);

    if (!t || !t->data)
        return error_memory(e);
    memcpy(t->data, value->data, (size_t)tensor_count(value) * sizeof(float));
    return 0;
}

int sdxl_encode(void *encoder, const struct generation *g, struct conditions *out, struct error *e)
{
    struct encoder *n = encoder;
    struct tensor *embeds, *pooled;

    embeds = conditions_add(out, "prompt_embeds", 2, n->negative_embeds.shape);
    pooled = conditions_add(out, "pooled_prompt_embeds", 2, n->negative_pooled.shape);
    if (!embeds || !embeds->data || !pooled || !pooled->data)
        return error_memory(e);
    if (encode_text(n, g->prompt, embeds, pooled, e))
        return -1;
    if (g->guidance <= 1)
        return 0;
    return encode_negative(n, g->negative, e) ||
                   keep(out, "negative_prompt_embeds", &n->negative_embeds, e) ||
                   keep(out, "negative_pooled_prompt_embeds", &n->negative_pooled, e)
               ? -1
               : 0;
}
