#include "prompts/clip_files.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"

enum { MERGES_BYTES_MAX = 64 << 20 };

/* What does not come from the files. */
static const char pipeline[] =
    "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"},"
    "  {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"\\\\s+\"}, \"content\": \" \"},"
    "  {\"type\": \"Lowercase\"}]},"
    " \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": ["
    "  {\"type\": \"Split\", \"behavior\": \"Removed\", \"invert\": true, \"pattern\": {\"Regex\":"
    "   \"<\\\\|startoftext\\\\|>|<\\\\|endoftext\\\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\\\p{L}]+|"
    "[\\\\p{N}]|[^\\\\s\\\\p{L}\\\\p{N}]+\"}},"
    "  {\"type\": \"ByteLevel\", \"add_prefix_space\": false}]}}";

/* The lines of merges.txt, without the first, which gives a version, and empty ones. */
static int read_merges(const char *path, json_t **out, struct error *e)
{
    char *text;
    size_t size;
    if (file_read(path, MERGES_BYTES_MAX, &text, &size, e) != 0)
        return -1;
    json_t *list = json_array();
    int rc = list ? 0 : error_memory(e);
    for (const char *line = text, *end = text + size, *next; line < end && rc == 0; line = next) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((stop ? stop : end) - line);
        next = stop ? stop + 1 : end;
        if (n > 0 && line[n - 1] == '\r')
            n--;
        if (n == 0 || strncmp(line, "#version", 8) == 0)
            continue;
        json_t *merge = json_stringn(line, n);
        if (!merge || json_array_append_new(list, merge) != 0)
            rc = error_set(e, ERROR_MODEL, "%s: merge %zu is no UTF-8 text", path,
                           json_array_size(list) + 1);
    }
    free(text);
    if (rc == 0)
        *out = list;
    else
        json_decref(list);
    return rc;
}

static bool listed(const json_t *added, const char *content)
{
    for (size_t i = 0; i < json_array_size(added); i++) {
        const char *text = json_string_value(json_object_get(json_array_get(added, i), "content"));
        if (text && strcmp(text, content) == 0)
            return true;
    }
    return false;
}

/* added_tokens_decoder is an object of id: token; the list wants the id in the token. */
static int add_decoder_tokens(const struct tokenizer_config *c, json_t *added, struct error *e)
{
    json_t *decoder = json_object_get(c->root, "added_tokens_decoder"), *token;
    const char *id;
    json_object_foreach(decoder, id, token)
    {
        char *end;
        long number = strtol(id, &end, 10);
        json_t *copy = json_copy(token);
        if (*end || !json_is_object(copy) ||
            json_object_set_new(copy, "id", json_real((double)number)) != 0 ||
            json_array_append(added, copy) != 0) {
            json_decref(copy);
            return error_set(e, ERROR_MODEL, "%s: added_tokens_decoder: \"%.20s\" is no token",
                             c->path, id);
        }
        json_decref(copy);
    }
    return 0;
}

/* Adds a special token of the configuration that is not there yet. */
static int add_special_token(const struct tokenizer_config *c, const char *name,
                             const char *content, const json_t *vocabulary, json_t *added,
                             struct error *e)
{
    const json_t *id = json_object_get(vocabulary, content);
    if (listed(added, content))
        return 0;
    if (!json_is_number(id))
        return error_set(e, ERROR_MODEL, "%s: the %s is \"%.40s\", which vocab.json does not have",
                         c->path, name, content);
    json_t *token = json_pack("{s:f, s:s}", "id", json_number_value(id), "content", content);
    return token && json_array_append_new(added, token) == 0 ? 0 : error_memory(e);
}

static double id_in(const json_t *added, const char *content)
{
    for (size_t i = 0; i < json_array_size(added); i++) {
        const json_t *token = json_array_get(added, i);
        const char *text = json_string_value(json_object_get(token, "content"));
        if (text && strcmp(text, content) == 0)
            return json_number_value(json_object_get(token, "id"));
    }
    return -1;
}

static json_t *put_together(json_t *vocabulary, json_t *merges, json_t *added, const char *bos,
                            const char *eos, const char *unknown)
{
    json_t *root = json_loads(pipeline, 0, NULL);
    json_t *model = json_pack("{s:s, s:O, s:O, s:s, s:s}", "type", "BPE", "vocab", vocabulary,
                              "merges", merges, "unk_token", unknown, "end_of_word_suffix", "</w>");
    json_t *around = json_pack("{s:s, s:[s,f], s:[s,f]}", "type", "RobertaProcessing", "cls", bos,
                               id_in(added, bos), "sep", eos, id_in(added, eos));
    int failed = json_object_set_new(root, "model", model) |
                 json_object_set_new(root, "post_processor", around) |
                 json_object_set(root, "added_tokens", added);
    if (!failed)
        return root;
    json_decref(root);
    return NULL;
}

static int check_class(const struct tokenizer_config *c, const char *dir, struct error *e)
{
    static const char *const fits[] = {"CLIPTokenizer", "CLIPTokenizerFast", "TokenizersBackend",
                                       "PreTrainedTokenizerFast"};
    const char *class = json_string_value(json_object_get(c->root, "tokenizer_class"));
    for (size_t i = 0; class && i < sizeof fits / sizeof *fits; i++)
        if (strcmp(class, fits[i]) == 0)
            class = NULL;
    return class ? error_set(e, ERROR_MODEL,
                             "%s: tokenizer.json is missing: vocab.json and merges.txt alone are "
                             "enough for CLIPTokenizer, not for %.40s",
                             dir, class)
                 : 0;
}

int clip_files_read(const char *dir, const struct tokenizer_config *c, json_t **root,
                    struct error *e)
{
    const char *bos = tokenizer_config_token(c, "bos_token", "<|startoftext|>"),
               *eos = tokenizer_config_token(c, "eos_token", "<|endoftext|>"),
               *unknown = tokenizer_config_token(c, "unk_token", "<|endoftext|>"),
               *pad = tokenizer_config_token(c, "pad_token", "<|endoftext|>");
    struct arena a = {0};
    const char *vocab_path = path_join(&a, dir, "vocab.json"),
               *merges_path = path_join(&a, dir, "merges.txt");
    json_t *vocabulary = NULL, *merges = NULL, *added = json_array();
    int rc = -1;
    if (!vocab_path || !merges_path || !added)
        error_memory(e);
    else if (check_class(c, dir, e) == 0 && json_read(vocab_path, &vocabulary, e) == 0 &&
             read_merges(merges_path, &merges, e) == 0 && add_decoder_tokens(c, added, e) == 0 &&
             add_special_token(c, "bos_token", bos, vocabulary, added, e) == 0 &&
             add_special_token(c, "eos_token", eos, vocabulary, added, e) == 0 &&
             add_special_token(c, "unk_token", unknown, vocabulary, added, e) == 0 &&
             add_special_token(c, "pad_token", pad, vocabulary, added, e) == 0)
        rc = 0;
    if (rc == 0) {
        *root = put_together(vocabulary, merges, added, bos, eos, unknown);
        rc = *root ? 0 : error_memory(e);
    }
    json_decref(vocabulary);
    json_decref(merges);
    json_decref(added);
    arena_free(&a);
    return rc;
}
