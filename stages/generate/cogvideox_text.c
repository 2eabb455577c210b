#include "stages/generate/cogvideox_text.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/config.h"
#include "prompts/t5.h"
#include "prompts/tokenizer.h"

enum { TOKENS_MAX = 4096 };

/* A text and what became of it, kept for the next shot. */
struct encoded {
    struct arena arena;
    const char *text;
    struct tensor states; /* [tokens, width] */
};

struct encoder {
    struct tokenizer *tokenizer;
    struct t5 *t5;
    int text_length; /* as the denoiser's config.json has it */
    struct encoded prompt, negative;
};

static int read_text_length(const char *transformer, int *length, struct error *e)
{
    struct config c;
    int rc;

    if (config_open(transformer, NULL, &c, e))
        return -1;
    *length = 226;
    rc = config_int(&c, "max_text_seq_length", 1, TOKENS_MAX, length, e);
    config_close(&c);
    return rc;
}

static int open_parts(struct encoder *n, const char *dir, struct device *d, struct error *e)
{
    struct arena a = {0};
    const char *words = path_join(&a, dir, "tokenizer");
    const char *model = path_join(&a, dir, "text_encoder");
    const char *transformer = path_join(&a, dir, "transformer");
    int rc = words && model && transformer ? 0 : error_memory(e);

    if (rc == 0)
        rc = read_text_length(transformer, &n->text_length, e);
    if (rc == 0)
        rc = tokenizer_open(words, &n->tokenizer, e);
    if (rc == 0)
        rc = t5_load(model, d, &n->t5, e);
    if (rc == 0 && tokenizer_vocabulary(n->tokenizer) > t5_vocabulary(n->t5))
        rc = error_set(e, ERROR_MODEL, "%s: the tokenizer has %d pieces, the text encoder %d", dir,
                       tokenizer_vocabulary(n->tokenizer), t5_vocabulary(n->t5));
    arena_free(&a);
    return rc;
}

int cogvideox_encoder_open(const char *dir, struct device *d, void **encoder, struct error *e)
{
    struct encoder *n = calloc(1, sizeof *n);

    if (!n)
        return error_memory(e);
    if (open_parts(n, dir, d, e)) {
        cogvideox_encoder_close(n);
        return -1;
    }
    *encoder = n;
    return 0;
}

void cogvideox_encoder_close(void *encoder)
{
    struct encoder *n = encoder;

    if (!n)
        return;
    arena_free(&n->prompt.arena);
    arena_free(&n->negative.arena);
    t5_free(n->t5);
    tokenizer_close(n->tokenizer);
    free(n);
}

int cogvideox_encoder_width(const void *encoder)
{
    return t5_width(((const struct encoder *)encoder)->t5);
}

static int encode_text(struct encoder *n, struct encoded *kept, const char *text, int length,
                       struct error *e)
{
    int32_t ids[TOKENS_MAX];
    int count;

    if (kept->text && strcmp(kept->text, text) == 0 && kept->states.shape[0] == length)
        return 0;
    arena_free(&kept->arena);
    kept->text = NULL;
    kept->states = TENSOR_NEW(&kept->arena, length, t5_width(n->t5));
    if (!kept->states.data)
        return error_memory(e);
    if (tokenizer_encode_padded(n->tokenizer, text, strlen(text), ids, length, &count, e) ||
        t5_encode(n->t5, ids, length, &kept->states, e))
        return -1;
    kept->text = arena_strdup(&kept->arena, text);
    return kept->text ? 0 : error_memory(e);
}

static int condition(struct encoder *n, struct encoded *kept, const char *text, int length,
                     struct conditions *out, const char *name, struct error *e)
{
    struct tensor *to;

    if (encode_text(n, kept, text, length, e))
        return -1;
    to = conditions_add(out, name, 2, kept->states.shape);
    if (!to || !to->data)
        return error_memory(e);
    memcpy(to->data, kept->states.data, (size_t)tensor_count(to) * sizeof(float));
    return 0;
}

int cogvideox_encode(void *encoder, const struct generation *g, struct conditions *out,
                     struct error *e)
{
    struct encoder *n = encoder;
    int length = g->text_length > 0 ? g->text_length : n->text_length;
    const char *negative = g->negative ? g->negative : "";

    if (length > TOKENS_MAX)
        return error_set(e, ERROR_INPUT, "a text of %d tokens: at most %d", length, TOKENS_MAX);
    if (condition(n, &n->prompt, g->prompt, length, out, "prompt_embeds", e))
        return -1;
    return g->guidance > 1
               ? condition(n, &n->negative, negative, length, out, "negative_prompt_embeds", e)
               : 0;
}
