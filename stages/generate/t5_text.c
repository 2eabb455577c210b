#include "stages/generate/t5_text.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "prompts/t5.h"
#include "prompts/tokenizer.h"

/* A text and what became of it. */
struct encoded {
    struct arena arena;
    const char *text;
    struct tensor states; /* [length, width] */
};

struct t5_text {
    enum t5_padding padding;
    int length;
    struct tokenizer *tokenizer;
    struct t5 *encoder;
    struct encoded prompt, negative;
};

static int open_parts(struct t5_text *t, const char *dir, struct device *d, struct error *e)
{
    struct arena a = {0};
    const char *words = path_join(&a, dir, "tokenizer");
    const char *model = path_join(&a, dir, "text_encoder");
    int rc = words && model ? 0 : error_memory(e);
    if (rc == 0)
        rc = tokenizer_open(words, &t->tokenizer, e);
    if (rc == 0)
        rc = t5_load(model, d, &t->encoder, e);
    if (rc == 0 && tokenizer_vocabulary(t->tokenizer) > t5_vocabulary(t->encoder))
        rc = error_set(e, ERROR_MODEL, "%s: the tokenizer has %d pieces, the text encoder %d", dir,
                       tokenizer_vocabulary(t->tokenizer), t5_vocabulary(t->encoder));
    arena_free(&a);
    return rc;
}

int t5_text_open(const char *dir, enum t5_padding padding, int length, struct device *d,
                 struct t5_text **out, struct error *e)
{
    struct t5_text *t = calloc(1, sizeof *t);
    if (!t)
        return error_memory(e);
    t->padding = padding;
    if (open_parts(t, dir, d, e) != 0) {
        t5_text_close(t);
        return -1;
    }
    t->length = length > 0 ? length : tokenizer_limit(t->tokenizer);
    *out = t;
    return 0;
}

void t5_text_close(struct t5_text *t)
{
    if (!t)
        return;
    arena_free(&t->prompt.arena);
    arena_free(&t->negative.arena);
    t5_free(t->encoder);
    tokenizer_close(t->tokenizer);
    free(t);
}

int t5_text_width(const struct t5_text *t)
{
    return t5_width(t->encoder);
}

static int fill(struct t5_text *t, const char *text, struct tensor *states, struct error *e)
{
    int32_t ids[T5_TEXT_MAX];
    int length = (int)states->shape[0], count;
    if (tokenizer_encode_padded(t->tokenizer, text, strlen(text), ids, length, &count, e) != 0)
        return -1;
    if (t->padding == T5_PADDING_READ)
        count = length;
    struct tensor read = tensor_slice(*states, 0, 0, count); /* the rest stays zero */
    return t5_encode(t->encoder, ids, count, &read, e);
}

static int encode(struct t5_text *t, struct encoded *kept, const char *text, int length,
                  struct error *e)
{
    if (kept->text && strcmp(kept->text, text) == 0 && kept->states.shape[0] == length)
        return 0;
    arena_free(&kept->arena);
    kept->text = NULL;
    kept->states = TENSOR_NEW(&kept->arena, length, t5_width(t->encoder));
    if (!kept->states.data)
        return error_memory(e);
    if (fill(t, text, &kept->states, e) != 0)
        return -1;
    kept->text = arena_strdup(&kept->arena, text);
    return kept->text ? 0 : error_memory(e);
}

static int condition(struct t5_text *t, struct encoded *kept, const char *text, int length,
                     struct conditions *out, const char *name, struct error *e)
{
    if (encode(t, kept, text, length, e) != 0)
        return -1;
    struct tensor *to = conditions_add(out, name, 2, kept->states.shape);
    if (!to->data)
        return error_memory(e);
    memcpy(to->data, kept->states.data, (size_t)tensor_count(to) * sizeof(float));
    return 0;
}

int t5_text_encode(struct t5_text *t, const struct generation *g, bool guided,
                   struct conditions *out, struct error *e)
{
    int length = g->text_length > 0 ? g->text_length : t->length;
    if (length < 2 || length > T5_TEXT_MAX)
        return error_set(e, ERROR_INPUT, "a text of %d tokens: 2 to %d are possible", length,
                         T5_TEXT_MAX);
    if (condition(t, &t->prompt, g->prompt, length, out, "prompt_embeds", e) != 0)
        return -1;
    const char *negative = g->negative ? g->negative : "";
    return guided ? condition(t, &t->negative, negative, length, out, "negative_prompt_embeds", e)
                  : 0;
}

int64_t t5_text_rows(const struct tensor *states)
{
    const float *numbers = states->data;
    int64_t count = tensor_count(states);
    while (count > 0 && numbers[count - 1] == 0)
        count--;
    return (count + states->shape[1] - 1) / states->shape[1];
}
