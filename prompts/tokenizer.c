#include "prompts/tokenizer.h"

#include <stdlib.h>

#include "kernels/base/arena.h"
#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "prompts/charsmap.h"
#include "prompts/sentencepiece.h"

enum { MODEL_BYTES_MAX = 256 << 20 };

struct tokenizer {
    struct spm *spm;
    int limit, vocabulary, eos;
};

static const char *model_path(struct arena *a, const char *dir, struct error *e)
{
    static const char *const names[] = {"spiece.model", "tokenizer.model"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = path_join(a, dir, names[i]);
        if (!path) {
            error_memory(e);
            return NULL;
        }
        if (path_exists(path))
            return path;
    }
    error_set(e, ERROR_MODEL, "%s: has neither spiece.model nor tokenizer.model", dir);
    return NULL;
}

static int load_model(struct tokenizer *t, const char *path, struct error *e)
{
    char *bytes = NULL, message[SPM_MESSAGE];
    size_t size;
    if (file_read(path, MODEL_BYTES_MAX, &bytes, &size, e) != 0)
        return -1;
    int rc = -1;
    if (!charsmap_sound((const uint8_t *)bytes, size))
        error_set(e, ERROR_MODEL, "%s: the table of character normalisations is damaged", path);
    else if (!(t->spm = spm_new(bytes, size, message)))
        error_set(e, ERROR_MODEL, "%s: %s", path, message);
    else
        rc = 0;
    free(bytes);
    if (rc != 0)
        return -1;
    t->vocabulary = spm_vocabulary(t->spm);
    t->eos = spm_eos(t->spm);
    if (t->eos < 0)
        return error_set(e, ERROR_MODEL, "%s: has no end-of-sentence piece </s>", path);
    return 0;
}

static int load_limit(struct tokenizer *t, const char *path, struct error *e)
{
    json_t *root;
    if (json_read(path, &root, e) != 0)
        return -1;
    double limit = TOKENIZER_LIMIT_MAX; /* some tokenizers give 1e30 for "no limit" */
    int rc = json_get_number(root, path, "model_max_length", 2, 1e300, &limit, e);
    t->limit = limit < TOKENIZER_LIMIT_MAX ? (int)limit : TOKENIZER_LIMIT_MAX;
    json_decref(root);
    return rc;
}

int tokenizer_open(const char *dir, struct tokenizer **out, struct error *e)
{
    struct arena a = {0};
    struct tokenizer *t = calloc(1, sizeof *t);
    int rc = -1;
    if (!t) {
        error_memory(e);
        goto done;
    }
    const char *model = model_path(&a, dir, e);
    if (!model || load_model(t, model, e) != 0)
        goto done;
    const char *config = path_join(&a, dir, "tokenizer_config.json");
    if (!config) {
        error_memory(e);
        goto done;
    }
    rc = load_limit(t, config, e);
done:
    arena_free(&a);
    if (rc == 0)
        *out = t;
    else
        tokenizer_close(t);
    return rc;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    spm_free(t->spm);
    free(t);
}

int tokenizer_limit(const struct tokenizer *t)
{
    return t->limit;
}

int tokenizer_vocabulary(const struct tokenizer *t)
{
    return t->vocabulary;
}

/* How many pieces, the first `max` of them written. */
static int pieces(const struct tokenizer *t, const char *text, size_t size, int32_t *ids, int max,
                  struct error *e)
{
    char message[SPM_MESSAGE];
    if (size > TOKENIZER_BYTES_MAX)
        return error_set(e, ERROR_INPUT, "a text of %zu bytes: at most %d are possible", size,
                         TOKENIZER_BYTES_MAX);
    int count = spm_encode(t->spm, text, size, ids, max, message);
    if (count < 0)
        return error_set(e, ERROR_MODEL, "tokenizer: %s", message);
    return count;
}

int tokenizer_encode(const struct tokenizer *t, const char *text, size_t size, int32_t *ids,
                     int max, int *count, struct error *e)
{
    if (max < 1)
        return error_set(e, ERROR_INTERNAL, "tokenizer: no room for ids");
    int n = pieces(t, text, size, ids, max - 1, e);
    if (n < 0)
        return -1;
    if (n > max - 1)
        n = max - 1;
    ids[n] = t->eos;
    *count = n + 1;
    return 0;
}

int tokenizer_count(const struct tokenizer *t, const char *text, size_t size, struct error *e)
{
    int n = pieces(t, text, size, NULL, 0, e);
    return n < 0 ? -1 : n + 1;
}
