#include "stages/generate/hunyuan_text.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "prompts/clip_text.h"
#include "prompts/llama.h"
#include "prompts/tokenizer.h"

enum { CLIP_LENGTH = 77 };

struct hunyuan_text {
    const char *dir; /* in arena */
    struct arena arena;
    struct tokenizer *words, *clip_words;
    struct llama *llama;
    struct clip_text *clip;
    int crop;
};

/* How many tokens the head has; and are its markers known, each of which is one token? */
static int measure_head(struct hunyuan_text *t, struct error *e)
{
    static const char head[] = HUNYUAN_TEMPLATE_HEAD, tail[] = HUNYUAN_TEMPLATE_TAIL;
    int none = tokenizer_count(t->words, "", 0, e);
    int one = none < 0 ? -1 : tokenizer_count(t->words, tail, sizeof tail - 1, e);

    t->crop = one < 0 ? -1 : tokenizer_count(t->words, head, sizeof head - 1, e);
    if (t->crop < 0)
        return -1;
    if (one != none + 1)
        return error_set(e, ERROR_MODEL,
                         "%s/tokenizer: %s is not one token: this is not the tokenizer of "
                         "HunyuanVideo's LLaMA-3",
                         t->dir, tail);
    return 0;
}

static int check_vocabularies(const struct hunyuan_text *t, struct error *e)
{
    if (tokenizer_vocabulary(t->words) > llama_vocabulary(t->llama))
        return error_set(e, ERROR_MODEL,
                         "%s: the tokenizer knows %d tokens, the text_encoder only %d", t->dir,
                         tokenizer_vocabulary(t->words), llama_vocabulary(t->llama));
    if (tokenizer_vocabulary(t->clip_words) > clip_text_vocabulary(t->clip))
        return error_set(e, ERROR_MODEL,
                         "%s: the tokenizer_2 knows %d tokens, the text_encoder_2 only %d", t->dir,
                         tokenizer_vocabulary(t->clip_words), clip_text_vocabulary(t->clip));
    return 0;
}

static const char *inside(struct hunyuan_text *t, const char *name)
{
    const char *path = path_join(&t->arena, t->dir, name);
    return path ? path : ""; /* out of memory: opening "" fails with its own message */
}

static int open_parts(struct hunyuan_text *t, struct device *d, struct error *e)
{
    return tokenizer_open(inside(t, "tokenizer"), &t->words, e) || measure_head(t, e) ||
                   tokenizer_open(inside(t, "tokenizer_2"), &t->clip_words, e) ||
                   llama_load(inside(t, "text_encoder"), HUNYUAN_TEXT_SKIP, d, &t->llama, e) ||
                   clip_text_load(inside(t, "text_encoder_2"), false, d, &t->clip, e) ||
                   check_vocabularies(t, e)
               ? -1
               : 0;
}

int hunyuan_text_open(const char *dir, struct device *d, struct hunyuan_text **out, struct error *e)
{
    struct hunyuan_text *t = calloc(1, sizeof *t);
    int rc;

    if (!t)
        return error_memory(e);
    t->dir = arena_strdup(&t->arena, dir);
    rc = t->dir ? open_parts(t, d, e) : error_memory(e);
    if (rc)
        hunyuan_text_close(t);
    else
        *out = t;
    return rc;
}

void hunyuan_text_close(struct hunyuan_text *t)
{
    if (!t)
        return;
    tokenizer_close(t->words);
    tokenizer_close(t->clip_words);
    llama_free(t->llama);
    clip_text_free(t->clip);
    arena_free(&t->arena);
    free(t);
}

int hunyuan_text_width(const struct hunyuan_text *t)
{
    return llama_width(t->llama);
}

int hunyuan_text_pooled_width(const struct hunyuan_text *t)
{
    return clip_text_pooled_width(t->clip);
}

int hunyuan_text_crop(const struct hunyuan_text *t)
{
    return t->crop;
}

/* ids [max], padded; *count of them are no padding, and come first. */
static int make_ids(struct hunyuan_text *t, const char *prompt, int max, struct arena *a,
                    int32_t **ids, int *count, struct error *e)
{
    const char *text =
        arena_printf(a, "%s%s%s", HUNYUAN_TEMPLATE_HEAD, prompt, HUNYUAN_TEMPLATE_TAIL);
    int32_t *bare = arena_array(a, (size_t)max, sizeof *bare);

    *ids = arena_array(a, (size_t)max, sizeof **ids);
    if (!text || !bare || !*ids)
        return error_memory(e);
    if (tokenizer_encode(t->words, text, strlen(text), bare, max, count, e) ||
        tokenizer_encode_padded(t->words, text, strlen(text), *ids, max, count, e))
        return -1;
    if (memcmp(bare, *ids, (size_t)*count * sizeof *bare) != 0)
        return error_set(e, ERROR_MODEL,
                         "%s/tokenizer/tokenizer_config.json: padding_side is left: HunyuanVideo's "
                         "is right",
                         t->dir);
    if (*count <= t->crop)
        return error_set(e, ERROR_INPUT, "a prompt of no tokens");
    return 0;
}

static int encode_words(struct hunyuan_text *t, const char *prompt, struct tensor *embeds,
                        struct tensor *mask, struct arena *a, struct error *e)
{
    int max = t->crop + (int)embeds->shape[0], count;
    int32_t *ids;

    if (make_ids(t, prompt, max, a, &ids, &count, e))
        return -1;
    for (int i = 0; i < count - t->crop; i++)
        ((float *)mask->data)[i] = 1;
    return llama_encode(t->llama, ids, max, count, embeds, e);
}

static int encode_summary(struct hunyuan_text *t, const char *prompt, struct tensor *pooled,
                          struct error *e)
{
    int32_t ids[CLIP_LENGTH];
    int limit = clip_text_limit(t->clip), length = limit < CLIP_LENGTH ? limit : CLIP_LENGTH;
    struct tensor row = TENSOR_VIEW(*pooled, 1, hunyuan_text_pooled_width(t));
    int count;

    if (tokenizer_encode_padded(t->clip_words, prompt, strlen(prompt), ids, length, &count, e))
        return -1;
    return clip_text_encode(t->clip, ids, length, 0, NULL, &row, e);
}

int hunyuan_text_encode(struct hunyuan_text *t, const char *prompt, struct tensor *embeds,
                        struct tensor *mask, struct tensor *pooled, struct error *e)
{
    struct arena a = {0};
    int rc = encode_words(t, prompt, embeds, mask, &a, e);

    arena_free(&a);
    return rc ? -1 : encode_summary(t, prompt, pooled, e);
}
