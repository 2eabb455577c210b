#include "prompts/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/arena.h"
#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "prompts/bpe_tokenizer.h"
#include "prompts/charsmap.h"
#include "prompts/clip_files.h"
#include "prompts/sentencepiece.h"
#include "prompts/tokenizer_config.h"

enum { MODEL_BYTES_MAX = 256 << 20 };

/* The markers around a text. */
struct around {
    const int32_t *ids;
    int count;
};

struct tokenizer {
    struct spm *spm;           /* one of these two */
    struct bpe_tokenizer *bpe; /* is not NULL */
    struct around before, behind;
    int32_t eos; /* SentencePiece: the one id behind a text */
    int limit, vocabulary;
    int32_t padding; /* -1: there is no such token */
    bool pad_left;
};

/* ---- opening */

static int load_spm(struct tokenizer *t, const char *path, const char *pad, struct error *e)
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
    t->behind = (struct around){&t->eos, 1};
    t->padding = spm_find(t->spm, pad ? pad : "<pad>");
    return 0;
}

static int load_bpe(struct tokenizer *t, const json_t *root, const char *path, const char *pad,
                    struct error *e)
{
    const char *model = json_string_value(json_object_get(json_object_get(root, "model"), "type"));
    if (model && strcmp(model, "Unigram") == 0)
        return error_set(e, ERROR_MODEL,
                         "%s: describes a SentencePiece tokenizer, which is read from its "
                         "spiece.model: that file is missing here",
                         path);
    if (bpe_tokenizer_read(root, path, &t->bpe, e) != 0)
        return -1;
    t->vocabulary = bpe_tokenizer_vocabulary(t->bpe);
    t->before.count = bpe_tokenizer_before(t->bpe, &t->before.ids);
    t->behind.count = bpe_tokenizer_behind(t->bpe, &t->behind.ids);
    t->padding = pad ? bpe_tokenizer_find(t->bpe, pad) : -1;
    return 0;
}

enum kind { SENTENCEPIECE, TOKENIZER_JSON, CLIP_FILES };

/* What lies in a folder; the first that is there counts. */
static int find_model(struct arena *a, const char *dir, enum kind *kind, const char **path,
                      struct error *e)
{
    static const struct {
        const char *name;
        enum kind kind;
    } files[] = {{"spiece.model", SENTENCEPIECE},
                 {"tokenizer.model", SENTENCEPIECE},
                 {"tokenizer.json", TOKENIZER_JSON},
                 {"vocab.json", CLIP_FILES}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        *path = path_join(a, dir, files[i].name);
        *kind = files[i].kind;
        if (!*path)
            return error_memory(e);
        if (path_exists(*path))
            return 0;
    }
    return error_set(e, ERROR_MODEL,
                     "%s: has neither spiece.model nor tokenizer.model (T5), nor tokenizer.json "
                     "(LLaMA), nor vocab.json and merges.txt (CLIP)",
                     dir);
}

static int load_model(struct tokenizer *t, struct arena *a, enum kind kind, const char *dir,
                      const char *path, const struct tokenizer_config *c, struct error *e)
{
    const char *pad = tokenizer_config_token(c, "pad_token", NULL);
    json_t *root = NULL;
    if (kind == SENTENCEPIECE)
        return load_spm(t, path, pad, e);
    int rc = kind == TOKENIZER_JSON ? json_read(path, &root, e) : clip_files_read(dir, c, &root, e);
    if (rc == 0 && kind == CLIP_FILES && !(path = arena_printf(a, "%s, merges.txt", path)))
        rc = error_memory(e);
    if (rc == 0)
        rc = load_bpe(t, root, path, pad, e);
    json_decref(root);
    return rc;
}

static int load_settings(struct tokenizer *t, const struct tokenizer_config *c, struct error *e)
{
    double limit = TOKENIZER_LIMIT_MAX; /* some tokenizers give 1e30 for "no limit" */
    const char *side = "right";
    if (json_get_number(c->root, c->path, "model_max_length", 2, 1e300, &limit, e) != 0 ||
        json_get_string(c->root, c->path, "padding_side", &side, e) != 0)
        return -1;
    t->limit = limit < TOKENIZER_LIMIT_MAX ? (int)limit : TOKENIZER_LIMIT_MAX;
    t->pad_left = strcmp(side, "left") == 0;
    return 0;
}

int tokenizer_open(const char *dir, struct tokenizer **out, struct error *e)
{
    struct arena a = {0};
    struct tokenizer_config c = {0};
    struct tokenizer *t = calloc(1, sizeof *t);
    const char *path = NULL;
    enum kind kind = SENTENCEPIECE;
    int rc = t ? find_model(&a, dir, &kind, &path, e) : error_memory(e);
    if (rc == 0)
        rc = tokenizer_config_open(&c, &a, dir, e);
    if (rc == 0)
        rc = load_settings(t, &c, e);
    if (rc == 0)
        rc = load_model(t, &a, kind, dir, path, &c, e);
    tokenizer_config_close(&c);
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
    bpe_tokenizer_free(t->bpe);
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

int tokenizer_unknown(const struct tokenizer *t)
{
    return t->spm ? spm_find(t->spm, "<unk>") : -1;
}

/* ---- encoding */

/* How many ids a text has without its markers; the first `max` of them are written. */
static int inner_ids(const struct tokenizer *t, const char *text, size_t size, int32_t *ids,
                     int max, struct error *e)
{
    char message[SPM_MESSAGE];
    if (size > TOKENIZER_BYTES_MAX)
        return error_set(e, ERROR_INPUT, "a text of %zu bytes: at most %d are possible", size,
                         TOKENIZER_BYTES_MAX);
    if (t->bpe)
        return bpe_tokenizer_encode(t->bpe, text, size, ids, max, e);
    int count = spm_encode(t->spm, text, size, ids, max, message);
    if (count < 0)
        return error_set(e, ERROR_MODEL, "tokenizer: %s", message);
    return count;
}

int tokenizer_encode(const struct tokenizer *t, const char *text, size_t size, int32_t *ids,
                     int max, int *count, struct error *e)
{
    int before = t->before.count, behind = t->behind.count, room = max - before - behind;
    if (room < 0)
        return error_set(e, ERROR_INTERNAL, "tokenizer: no room for ids");
    int n = inner_ids(t, text, size, ids + before, room, e);
    if (n < 0)
        return -1;
    if (n > room)
        n = room;
    for (int i = 0; i < before; i++)
        ids[i] = t->before.ids[i];
    for (int i = 0; i < behind; i++)
        ids[before + n + i] = t->behind.ids[i];
    *count = before + n + behind;
    return 0;
}

int tokenizer_encode_padded(const struct tokenizer *t, const char *text, size_t size, int32_t *ids,
                            int length, int *count, struct error *e)
{
    if (t->padding < 0)
        return error_set(e, ERROR_MODEL,
                         "tokenizer_config.json names no pad_token that the "
                         "tokenizer has: texts cannot be padded");
    if (tokenizer_encode(t, text, size, ids, length, count, e) != 0)
        return -1;
    int32_t *rest = ids + *count;
    int missing = length - *count;
    if (t->pad_left) {
        memmove(ids + missing, ids, (size_t)*count * sizeof *ids);
        rest = ids;
    }
    for (int i = 0; i < missing; i++)
        rest[i] = t->padding;
    return 0;
}

int tokenizer_count(const struct tokenizer *t, const char *text, size_t size, struct error *e)
{
    int n = inner_ids(t, text, size, NULL, 0, e);
    return n < 0 ? -1 : t->before.count + n + t->behind.count;
}
