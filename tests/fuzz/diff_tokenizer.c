/* Compares a tokenizer with what the reference library made of the same texts.
 *
 *   diff_tokenizer DIR CORPUS [LENGTH]     (LENGTH: the ids are cut and padded to so many)
 *
 * CORPUS has one [text, [id, ...]] a line; make_tokenizer_corpus.py makes such files. Prints the
 * first differences and how many there are; exits 1 when there is one. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prompts/tokenizer.h"

enum { SHOWN = 20 };

/* True where the ids are the expected ones; else they are printed, if `show`. */
static bool same(const struct tokenizer *t, const json_t *pair, int length, bool show)
{
    struct error e = {0};
    const json_t *text = json_array_get(pair, 0), *wanted = json_array_get(pair, 1);
    int count = 0, max = (int)(4 * json_string_length(text) + 16) + length;
    int32_t *ids = calloc((size_t)max, sizeof *ids);
    bool equal = ids && (length ? tokenizer_encode_padded : tokenizer_encode)(
                            t, json_string_value(text), json_string_length(text), ids,
                            length ? length : max, &count, &e) == 0;
    count = length ? length : count;
    equal &= (size_t)count == json_array_size(wanted);
    for (int i = 0; i < count && equal; i++)
        equal = ids[i] == json_integer_value(json_array_get(wanted, (size_t)i));
    if (!equal && show) {
        json_t *got = json_array();
        for (int i = 0; i < count; i++)
            json_array_append_new(got, json_integer(ids[i]));
        char *is = json_dumps(got, JSON_COMPACT),
             *was = json_dumps(pair, JSON_COMPACT | JSON_ENSURE_ASCII);
        printf("%s\n  ours %s %s\n", was, is, e.text);
        free(is);
        free(was);
        json_decref(got);
    }
    free(ids);
    return equal;
}

int main(int argc, char **argv)
{
    struct tokenizer *t = NULL;
    struct error e = {0};
    if (argc < 3 || tokenizer_open(argv[1], &t, &e) != 0) {
        fprintf(stderr, "usage: diff_tokenizer DIR CORPUS [LENGTH]\n%s\n", e.text);
        return 2;
    }
    FILE *f = fopen(argv[2], "r");
    char *line = NULL;
    size_t room = 0;
    long texts = 0, different = 0;
    for (ssize_t n; f && (n = getline(&line, &room, f)) > 0; texts++) {
        json_t *pair = json_loadb(line, (size_t)n, JSON_ALLOW_NUL, NULL);
        different += !pair || !same(t, pair, argc > 3 ? atoi(argv[3]) : 0, different < SHOWN);
        json_decref(pair);
    }
    if (f)
        fclose(f);
    free(line);
    tokenizer_close(t);
    printf("%ld texts, %ld different\n", texts, different);
    return texts == 0 || different > 0;
}
