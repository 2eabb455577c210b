#include "prompts/text_splitter.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "prompts/text_pattern.h"

enum { STEPS_MAX = 8 };

/* Cuts a text into matches of a pattern and what is between them, and keeps one sort or both. */
struct step {
    struct text_pattern *pattern;
    bool keep_matches, keep_others;
};

struct text_splitter {
    struct step steps[STEPS_MAX];
    int count;
    bool bytes; /* ByteLevel was named */
};

/* ByteLevel's own pattern, that of GPT-2. */
static const char gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/* ---- reading */

static int new_step(struct text_splitter *s, const json_t *pattern, bool keep_matches,
                    bool keep_others, const char *path, struct error *e)
{
    if (s->count == STEPS_MAX)
        return error_set(e, ERROR_MODEL, "%s: more than %d pre_tokenizers", path, STEPS_MAX);
    struct step *step = &s->steps[s->count++];
    step->keep_matches = keep_matches;
    step->keep_others = keep_others;
    return text_pattern_read(pattern, path, &step->pattern, e);
}

static int read_split(struct text_splitter *s, const json_t *settings, const char *path,
                      struct error *e)
{
    const char *behavior = json_string_value(json_object_get(settings, "behavior"));
    bool invert = json_is_true(json_object_get(settings, "invert"));
    bool removed = behavior && strcmp(behavior, "Removed") == 0;
    if (!removed && (!behavior || strcmp(behavior, "Isolated") != 0))
        return error_set(e, ERROR_MODEL, "%s: pre_tokenizer Split as %.40s is not supported", path,
                         behavior ? behavior : "nothing");
    return new_step(s, json_object_get(settings, "pattern"), !removed || invert,
                    !removed || !invert, path, e);
}

static int read_byte_level(struct text_splitter *s, const json_t *settings, const char *path,
                           struct error *e)
{
    s->bytes = true;
    /* Both are true where they are missing. */
    if (!json_is_false(json_object_get(settings, "add_prefix_space")))
        return error_set(e, ERROR_MODEL, "%s: ByteLevel with add_prefix_space is not supported",
                         path);
    if (json_is_false(json_object_get(settings, "use_regex")))
        return 0;
    json_t *pattern = json_pack("{s:s}", "Regex", gpt2_pattern);
    int rc = pattern ? new_step(s, pattern, true, true, path, e) : error_memory(e);
    json_decref(pattern);
    return rc;
}

static int read_step(struct text_splitter *s, const json_t *settings, const char *path,
                     struct error *e)
{
    const char *type = json_string_value(json_object_get(settings, "type"));
    if (!type)
        return error_set(e, ERROR_MODEL, "%s: a pre_tokenizer has no type", path);
    if (s->bytes)
        return error_set(e, ERROR_MODEL,
                         "%s: the pre_tokenizer %.40s after ByteLevel is not "
                         "supported",
                         path, type);
    if (strcmp(type, "Split") == 0)
        return read_split(s, settings, path, e);
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level(s, settings, path, e);
    if (strcmp(type, "Sequence") != 0)
        return error_set(e, ERROR_MODEL, "%s: the pre_tokenizer %.40s is not supported", path,
                         type);
    const json_t *list = json_object_get(settings, "pretokenizers");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (read_step(s, json_array_get(list, i), path, e) != 0)
            return -1;
    return 0;
}

int text_splitter_read(const json_t *settings, const char *path, struct text_splitter **out,
                       struct error *e)
{
    struct text_splitter *s = calloc(1, sizeof *s);
    if (!s)
        return error_memory(e);
    int rc = read_step(s, settings, path, e);
    if (rc == 0 && !s->bytes)
        rc = error_set(e, ERROR_MODEL,
                       "%s: is no byte-level tokenizer: ByteLevel is not among its "
                       "pre_tokenizers",
                       path);
    if (rc == 0)
        *out = s;
    else
        text_splitter_free(s);
    return rc;
}

void text_splitter_free(struct text_splitter *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->count; i++)
        text_pattern_free(s->steps[i].pattern);
    free(s);
}

/* ---- use */

struct receiver {
    text_word *take;
    void *ctx;
};

static int split_from(const struct text_splitter *s, int step, const char *text, size_t size,
                      const struct receiver *to, struct error *e)
{
    if (size == 0)
        return 0;
    if (step == s->count)
        return to->take(to->ctx, text, size, e);
    const struct step *now = &s->steps[step];
    struct text_matches m;
    size_t start, end, done = 0;
    int found, rc = text_matches_begin(&m, now->pattern, text, size, e);
    if (rc != 0)
        return -1;
    while (rc == 0 && (found = text_matches_next(&m, &start, &end, e)) != 0) {
        rc = found;
        if (found < 0)
            break;
        rc = now->keep_others ? split_from(s, step + 1, text + done, start - done, to, e) : 0;
        if (rc == 0 && now->keep_matches)
            rc = split_from(s, step + 1, text + start, end - start, to, e);
        done = end;
    }
    if (rc == 0 && now->keep_others)
        rc = split_from(s, step + 1, text + done, size - done, to, e);
    text_matches_end(&m);
    return rc;
}

int text_split(const struct text_splitter *s, const char *text, size_t size, text_word *take,
               void *ctx, struct error *e)
{
    return split_from(s, 0, text, size, &(struct receiver){take, ctx}, e);
}
