/* Reading a board that a test writes in place. */
#ifndef AUTEUR_TESTS_READ_H
#define AUTEUR_TESTS_READ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/storyboards/invariants.h"

struct reading {
    struct board board;
    struct board_problems problems;
    struct error e;
    int rc;
    char *messages; /* as board_problems_print() gives them, for the path "t.yaml" */
};

static inline char *problems_text(const struct board_problems *problems, const char *path)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    board_problems_print(problems, path, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static inline struct reading read_sized(const char *yaml, size_t size)
{
    struct reading r = {0};

    r.rc = board_read_bytes(yaml, size, "t.yaml", &r.board, &r.problems, &r.e);
    r.messages = problems_text(&r.problems, "t.yaml");
    if (r.rc == 0)
        board_holds(&r.board);
    return r;
}

static inline struct reading read_text(const char *yaml)
{
    return read_sized(yaml, strlen(yaml));
}

/* A board that must be accepted without a word. */
static inline struct reading read_good(const char *yaml)
{
    struct reading r = read_text(yaml);

    assert_string_equal(r.messages, "");
    assert_int_equal(r.rc, 0);
    return r;
}

static inline void reading_free(struct reading *r)
{
    board_free(&r->board);
    board_problems_free(&r->problems);
    free(r->messages);
}

/* A board that must be refused with exactly these lines. */
static inline void expect_messages(const char *yaml, const char *messages)
{
    struct reading r = read_text(yaml);

    assert_string_equal(r.messages, messages);
    assert_int_equal(r.rc, -1);
    assert_int_equal(r.e.code, ERROR_INPUT);
    reading_free(&r);
}

#endif
