#include "prompts/added_tokens.h"

#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <unistr.h>

/* ---- reading */

static int compare(const void *a, const void *b)
{
    const struct added_token *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
    return order ? order : x->size < y->size ? -1 : x->size > y->size;
}

static int read_one(struct added_tokens *t, const json_t *item, const struct text_normalizer *n,
                    const struct vocabulary *v, const char *path, struct error *e)
{
    const json_t *content = json_object_get(item, "content");
    const json_t *number = json_object_get(item, "id");
    double id = json_is_number(number) ? json_number_value(number) : -1;
    if (!json_is_string(content) || !(id >= 0 && id <= VOCABULARY_ID_MAX) || id != (int)id)
        return error_set(e, ERROR_MODEL,
                         "%s: an added token must have a content, and an id from 0 to %d", path,
                         VOCABULARY_ID_MAX);
    const char *text = json_string_value(content);
    size_t size = json_string_length(content);
    int known = vocabulary_find(v, text, size);
    if (known >= 0 && known != (int)id)
        return error_set(e, ERROR_MODEL,
                         "%s: the added token %.40s has the id %d, but %d in the "
                         "vocabulary",
                         path, text, (int)id, known);
    if (id >= t->size)
        t->size = (int)id + 1;
    struct added_token *a = &t->list[t->count];
    *a = (struct added_token){
        .id = (int32_t)id,
        .single_word = json_is_true(json_object_get(item, "single_word")),
        .strip_left = json_is_true(json_object_get(item, "lstrip")),
        .strip_right = json_is_true(json_object_get(item, "rstrip")),
    };
    if (text_normalize(n, text, size, &a->text, &a->size, e) != 0)
        return -1;
    if (a->size > 0)
        t->count++;
    else
        free(a->text);
    return 0;
}

int added_tokens_read(struct added_tokens *t, const json_t *list, bool normalized,
                      const struct text_normalizer *n, const struct vocabulary *v, const char *path,
                      struct error *e)
{
    struct text_normalizer *nothing = NULL;
    int rc = list && !json_is_array(list) && !json_is_null(list)
                 ? error_set(e, ERROR_MODEL, "%s: added_tokens is no list", path)
                 : text_normalizer_read(NULL, path, &nothing, e);
    t->list = calloc(json_array_size(list) + 1, sizeof *t->list);
    if (rc == 0 && !t->list)
        rc = error_memory(e);
    for (size_t i = 0; i < json_array_size(list) && rc == 0; i++) {
        const json_t *item = json_array_get(list, i);
        if (json_is_true(json_object_get(item, "normalized")) == normalized)
            rc = read_one(t, item, normalized ? n : nothing, v, path, e);
    }
    text_normalizer_free(nothing);
    if (rc != 0)
        return -1;
    qsort(t->list, t->count, sizeof *t->list, compare);
    for (size_t i = 1; i < t->count; i++)
        if (compare(&t->list[i - 1], &t->list[i]) == 0)
            return error_set(e, ERROR_MODEL, "%s: the added token %.40s stands there twice", path,
                             t->list[i].text);
    return 0;
}

void added_tokens_free(struct added_tokens *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->list[i].text);
    free(t->list);
    *t = (struct added_tokens){0};
}

/* ---- finding */

/* The byte of a token at `n`, -1 behind its end. */
static int byte_at(const struct added_token *a, size_t n)
{
    return n < a->size ? (unsigned char)a->text[n] : -1;
}

/* The first of the tokens from `low` to `high`, which share n bytes, whose next one is >= byte. */
static size_t first_from(const struct added_tokens *t, size_t low, size_t high, size_t n, int byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (byte_at(&t->list[middle], n) < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest token that the text begins with; NULL: none. */
static const struct added_token *longest(const struct added_tokens *t, const char *text,
                                         size_t size)
{
    const struct added_token *best = NULL;
    size_t low = 0, high = t->count;
    for (size_t n = 0; n < size && low < high; n++) {
        int byte = (unsigned char)text[n];
        low = first_from(t, low, high, n, byte);
        high = first_from(t, low, high, n, byte + 1);
        if (low < high && t->list[low].size == n + 1)
            best = &t->list[low];
    }
    return best;
}

/* What a regular expression's \w is: Unicode UTS 18, annex C. */
static bool is_word(ucs4_t c)
{
    return uc_is_property_alphabetic(c) || uc_is_property_join_control(c) ||
           uc_is_general_category_withtable(c, UC_CATEGORY_MASK_M | UC_CATEGORY_MASK_Nd |
                                                   UC_CATEGORY_MASK_Pc);
}

static bool stands_alone(const char *text, size_t size, size_t start, size_t end)
{
    ucs4_t c;
    const uint8_t *bytes = (const uint8_t *)text;
    if (start > 0 && u8_prev(&c, bytes + start, bytes) && is_word(c))
        return false;
    if (end < size) {
        u8_mbtouc(&c, bytes + end, size - end);
        if (is_word(c))
            return false;
    }
    return true;
}

static size_t spaces_before(const char *text, size_t start, size_t from)
{
    ucs4_t c;
    const uint8_t *bytes = (const uint8_t *)text, *before;
    while (start > from && (before = u8_prev(&c, bytes + start, bytes)) &&
           uc_is_property_white_space(c))
        start = (size_t)(before - bytes);
    return start > from ? start : from;
}

static size_t spaces_after(const char *text, size_t size, size_t end)
{
    ucs4_t c;
    while (end < size) {
        int n = u8_mbtouc(&c, (const uint8_t *)text + end, size - end);
        if (!uc_is_property_white_space(c))
            break;
        end += (size_t)n;
    }
    return end;
}

int added_tokens_cut(const struct added_tokens *t, const char *text, size_t size, added_piece *take,
                     void *ctx, struct error *e)
{
    size_t done = 0;
    for (size_t i = 0; i < size && t->count > 0;) {
        const struct added_token *a = longest(t, text + i, size - i);
        size_t start = i, end = a ? i + a->size : 0;
        i = a ? end : i + 1;
        if (!a || (a->single_word && !stands_alone(text, size, start, end)))
            continue;
        if (a->strip_left)
            start = spaces_before(text, start, done);
        if (a->strip_right)
            end = spaces_after(text, size, end);
        if (done < start && take(ctx, -1, text + done, start - done, e) != 0)
            return -1;
        if (take(ctx, a->id, NULL, 0, e) != 0)
            return -1;
        done = end;
    }
    return done < size ? take(ctx, -1, text + done, size - done, e) : 0;
}
