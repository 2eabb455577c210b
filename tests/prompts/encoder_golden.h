/* Text encoders against what the reference library gives (tests/prompts/data/encoders), and
 * against checkpoints that have been tampered with. */
#ifndef AUTEUR_TESTS_PROMPTS_ENCODER_GOLDEN_H
#define AUTEUR_TESTS_PROMPTS_ENCODER_GOLDEN_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <dirent.h>

#include "kernels/base/file.h"
#include "kernels/device.h"
#include "kernels/safetensors.h"

#define ENCODERS "tests/prompts/data/encoders/"

/* F32 sums in another order than the golden's. DESIGN allows a module 1e-4. */
#define ENCODER_TOLERANCE 1e-5

struct encoder_golden {
    struct safetensors *file;
    struct error e;
};

static inline void golden_open(struct encoder_golden *g, const char *dir)
{
    char path[256];
    snprintf(path, sizeof path, "%s/golden.safetensors", dir);
    g->e = (struct error){0};
    if (safetensors_open(path, &g->file, &g->e) != 0)
        fail_msg("%s", g->e.text);
}

/* NULL when there is none of the name "CASE.WHAT". */
static inline const struct tensor *golden_find(const struct encoder_golden *g, int number,
                                               const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "%d.%s", number, what);
    return safetensors_find(g->file, name);
}

/* Relative to the golden's size: |got - wanted| / |wanted|. NaN fails. */
static inline void golden_equal(const char *name, const struct tensor *got,
                                const struct tensor *wanted)
{
    const float *a = got->data, *b = wanted->data;
    double difference = 0, size = 0;
    assert_int_equal(tensor_count(got), tensor_count(wanted));
    for (int64_t i = 0; i < tensor_count(got); i++) {
        difference += pow((double)a[i] - (double)b[i], 2);
        size += pow((double)b[i], 2);
    }
    if (!(sqrt(difference / size) <= ENCODER_TOLERANCE))
        fail_msg("%s: relative error %g", name, sqrt(difference / size));
}

/* The reference and the CPU's own, one after the other. */
static inline void on_each_device(void (*test)(struct device *d))
{
    struct error e = {0};
    struct device *d;
    assert_int_equal(device_open_reference(1, &d, &e), 0);
    test(d);
    device_close(d);
    assert_int_equal(device_open(&(struct device_options){.threads = 2}, &d, &e), 0);
    test(d);
    device_close(d);
}

/* A change to one file of a checkpoint: the first `from` becomes `to`, and loading must say `says`.
 * A safetensors header keeps its length. `to` NULL: the file is removed. */
struct tampering {
    const char *file, *from, *to, *says;
};

static inline void copy_file(struct arena *a, const char *from, const char *to, const char *name,
                             const struct tampering *t)
{
    struct error e = {0};
    char *bytes;
    size_t size;
    if (file_read(path_join(a, from, name), 1 << 24, &bytes, &size, &e) != 0)
        fail_msg("%s", e.text);
    if (strcmp(name, t->file) == 0 && t->to) {
        char *at = memmem(bytes, size, t->from, strlen(t->from));
        if (!at)
            fail_msg("%s/%s has no %s", from, name, t->from);
        size_t before = (size_t)(at - bytes), old = strlen(t->from), new = strlen(t->to);
        char *changed = arena_alloc(a, size - old + new);
        assert_non_null(changed);
        assert_true(old == new || !strstr(name, ".safetensors"));
        memcpy(changed, bytes, before);
        memcpy(changed + before, t->to, new);
        memcpy(changed + before + new, at + old, size - before - old);
        assert_int_equal(file_write_atomic(path_join(a, to, name), changed, size - old + new, &e),
                         0);
    } else if (strcmp(name, t->file) != 0) {
        assert_int_equal(file_write_atomic(path_join(a, to, name), bytes, size, &e), 0);
    }
    free(bytes);
}

/* A copy of `dir` with the change, in a new folder: the caller removes it. */
static inline char *tampered_copy(struct arena *a, const char *dir, const struct tampering *t)
{
    char *copy = arena_strdup(a, "/tmp/auteur-encoder-XXXXXX");
    assert_non_null(mkdtemp(copy));
    DIR *names = opendir(dir);
    assert_non_null(names);
    for (struct dirent *n; (n = readdir(names));)
        if (n->d_name[0] != '.')
            copy_file(a, dir, copy, n->d_name, t);
    closedir(names);
    return copy;
}

/* Loads copies of `dir` with a change each; load() must refuse them, with the device and without,
 * and say what is wrong. */
static inline void
refused_when_tampered(const char *dir, const struct tampering *list, size_t count,
                      int (*load)(const char *dir, struct device *d, struct error *e))
{
    struct error e = {0};
    struct device *d;
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    for (size_t i = 0; i < count; i++) {
        struct arena a = {0};
        const char *copy = tampered_copy(&a, dir, &list[i]);
        for (int with = 0; with < 2; with++) {
            error_clear(&e);
            if (load(copy, with ? d : NULL, &e) != -1)
                fail_msg("%s: \"%s\" for \"%s\" was taken", dir, list[i].to, list[i].from);
            assert_true(e.code == ERROR_MODEL || e.code == ERROR_IO);
            if (!strstr(e.text, list[i].says))
                fail_msg("says \"%s\", not \"%s\"", e.text, list[i].says);
        }
        assert_int_equal(path_remove(copy, &e), 0);
        arena_free(&a);
    }
    device_close(d);
}
#define REFUSED_WHEN_TAMPERED(dir, list, load)                                                     \
    refused_when_tampered((dir), (list), sizeof(list) / sizeof *(list), (load))

#endif
