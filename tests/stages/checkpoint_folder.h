/* Folders of weights for tests, made of links to fixtures' files and of damaged copies of Wan's. */
#ifndef AUTEUR_TESTS_STAGES_CHECKPOINT_FOLDER_H
#define AUTEUR_TESTS_STAGES_CHECKPOINT_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "stages/models/inspect.h"

#define FIXTURE "tests/fixtures/wan2.2-t2v-a14b"

static char scratch[64]; /* where the folders are made: set before any */

static inline const char *in_scratch(const char *name)
{
    static char path[8][400];
    static int next;
    char *p = path[next++ % 8];

    snprintf(p, sizeof path[0], "%s/%s", scratch, name);
    return p;
}

static inline void write_bytes(const char *name, const void *bytes, size_t size)
{
    struct error e = {0};
    char dir[400];

    snprintf(dir, sizeof dir, "%s", in_scratch(name));
    *strrchr(dir, '/') = '\0';
    assert_int_equal(dir_make(dir, &e), 0);
    assert_int_equal(path_remove(in_scratch(name), &e), 0); /* a link stays what it leads to */
    if (file_write_atomic(in_scratch(name), bytes, size, &e) != 0)
        fail_msg("%s", e.text);
}

static inline void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* Every file of `from` below `to` in the scratch folder, as links. */
static inline void link_tree(const char *from, const char *to)
{
    DIR *d = opendir(from);
    struct dirent *entry;
    struct error e = {0};

    assert_non_null(d);
    assert_int_equal(dir_make(in_scratch(to), &e), 0);
    while ((entry = readdir(d))) {
        char source[300], target[300], *real;
        struct stat st;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        assert_int_equal(stat(source, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            link_tree(source, target);
            continue;
        }
        real = realpath(source, NULL);
        assert_non_null(real);
        assert_int_equal(symlink(real, in_scratch(target)), 0);
        free(real);
    }
    closedir(d);
}

static inline void fresh(const char *fixture, const char *to)
{
    struct error e = {0};
    assert_int_equal(path_remove(in_scratch(to), &e), 0);
    link_tree(fixture, to);
}

static inline char *read_fixture(const char *name, size_t *size)
{
    struct error e = {0};
    struct arena a = {0};
    char *bytes = NULL;

    assert_int_equal(file_read(path_join(&a, FIXTURE, name), 8 << 20, &bytes, size, &e), 0);
    arena_free(&a);
    return bytes;
}

/* The fixture's file, changed by one replacement of text of the same length where weights follow.
 */
static inline void edit(const char *name, const char *from, const char *to)
{
    size_t size, at, before = strlen(from), after = strlen(to);
    char *bytes = read_fixture(name, &size), *found, *out;
    char target[200];

    found = memmem(bytes, size, from, before);
    assert_non_null(found);
    at = (size_t)(found - bytes);
    out = malloc(size + after);
    assert_non_null(out);
    memcpy(out, bytes, at);
    memcpy(out + at, to, after);
    memcpy(out + at + after, found + before, size - at - before);
    snprintf(target, sizeof target, "m/%s", name);
    write_bytes(target, out, size - before + after);
    free(out);
    free(bytes);
}

static inline void cut(const char *name, size_t length)
{
    size_t size;
    char *bytes = read_fixture(name, &size), target[200];

    snprintf(target, sizeof target, "m/%s", name);
    write_bytes(target, bytes, length < size ? length : size);
    free(bytes);
}

static inline void drop(const char *name)
{
    struct error e = {0};
    char target[200];

    snprintf(target, sizeof target, "m/%s", name);
    assert_int_equal(path_remove(in_scratch(target), &e), 0);
}

/* A safetensors file of one F32 number under this name. */
static inline void write_tensor(const char *file, const char *tensor)
{
    char bytes[400] = {0};
    int n = snprintf(bytes + 8, sizeof bytes - 8,
                     "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", tensor);

    bytes[0] = (char)(n & 255);
    bytes[1] = (char)(n >> 8);
    write_bytes(file, bytes, (size_t)n + 12);
}

static inline void inspected(const char *dir, struct inspection *i)
{
    struct error e = {0};
    if (inspect_models(dir, i, &e) != 0)
        fail_msg("%s", e.text);
}

static inline void print_faults(const struct inspection *i)
{
    for (size_t k = 0; k < i->fault_count; k++)
        print_error("%s\n", i->faults[k]);
}

#endif
