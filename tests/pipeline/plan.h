/* A board of several tiers whose models are only known by their outlines, for `plan`. */
#ifndef AUTEUR_TESTS_PIPELINE_PLAN_H
#define AUTEUR_TESTS_PIPELINE_PLAN_H

#include <ctype.h>
#include <jansson.h>

#include "pipeline/exit_code.h"
#include "tests/pipeline/program.h"

static char scratch[64];
static char board[100];

static const char text[] = "name: plan\n"
                           "fps: 24\n"
                           "size: 1024x576\n"
                           "shots:\n"
                           "  - {id: a, prompt: A ship, frames: 25, steps: 3, tier: validator}\n"
                           "  - {id: b, prompt: A ship, frames: 25, steps: 3, tier: validator}\n"
                           "  - {id: c, prompt: A ship, frames: 17, steps: 3, tier: previs}\n"
                           "  - {id: d, card: {background: \"#000000\"}, duration: 1s}\n";

static inline void link_data(const char *from, const char *name)
{
    char target[120], *real = realpath(from, NULL);

    assert_non_null(real);
    snprintf(target, sizeof target, "%s/data/%s", scratch, name);
    assert_int_equal(symlink(real, target), 0);
    free(real);
}

static inline int set_up(void **state)
{
    char data[80];
    struct error e = {0};

    (void)state;
    if (program_scratch(scratch) != 0)
        return -1;
    snprintf(data, sizeof data, "%s/data", scratch);
    snprintf(board, sizeof board, "%s/board.yaml", scratch);
    if (dir_make(data, &e) != 0 || setenv("AUTEUR_DATA", data, 1) != 0)
        return -1;
    link_data("stages/models/published", "published");
    link_data("stages/generate/previs/checkpoint", "previs");
    link_data("prompts/lexicon.yaml", "lexicon.yaml");
    return file_write_atomic(board, text, strlen(text), &e);
}

static inline int tear_down(void **state)
{
    struct error e = {0};

    (void)state;
    return path_remove(scratch, &e);
}

static inline json_t *plan_json(const char *gpu, int status)
{
    struct program p = PROGRAM("plan", board, "--json", "--gpu", gpu);
    json_t *root = json_loads(p.out, 0, NULL);

    if (p.status != status || !root)
        fail_msg("status %d: %s%s", p.status, p.out, p.err);
    program_free(&p);
    return root;
}

static inline double number(const json_t *o, const char *name)
{
    const json_t *value = json_object_get(o, name);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* A board of 1024x576 unless said otherwise, in the test's own folder. */
static inline const char *write_board(const char *size, const char *shots)
{
    static char path[100];
    char whole[8000];
    struct error e = {0};

    snprintf(path, sizeof path, "%s/own.yaml", scratch);
    snprintf(whole, sizeof whole, "name: own\nfps: 24\nsize: %s\nshots:\n%s", size, shots);
    assert_int_equal(file_write_atomic(path, whole, strlen(whole), &e), 0);
    return path;
}

/* What it printed, in one line. */
static inline const char *joined(struct program *p)
{
    char *to = p->out;

    for (const char *from = p->out; *from; from++)
        if (!isspace((unsigned char)*from))
            *to++ = *from;
        else if (to > p->out && to[-1] != ' ')
            *to++ = ' ';
    *to = '\0';
    return p->out;
}

/* `plan` of a board for a described machine ends so; what it printed is in one line. */
static inline struct program planned(const char *path, const char *gpu, int status)
{
    struct program p = PROGRAM("plan", path, "--gpu", gpu);

    joined(&p);
    if (p.status != status)
        fail_msg("status %d: %s%s", p.status, p.out, p.err);
    return p;
}

/* The stages of the board's first tier on a GPU with one or two more options. */
static inline json_t *stages_with(const char *path, const char *gpu, const char *option,
                                  const char *value)
{
    struct program p = PROGRAM("plan", path, "--json", "--gpu", gpu, option, value);
    json_t *root = json_loads(p.out, 0, NULL);

    if (!root)
        fail_msg("status %d: %s%s", p.status, p.out, p.err);
    program_free(&p);
    return root;
}

static inline const json_t *stage_of(const json_t *root, const char *name)
{
    const json_t *tier = json_array_get(json_object_get(root, "tiers"), 0), *stage;
    size_t i;

    json_array_foreach(json_object_get(tier, "stages"), i, stage)
    {
        if (strcmp(json_string_value(json_object_get(stage, "stage")), name) == 0)
            return stage;
    }
    fail_msg("no stage %s", name);
    return NULL;
}

#endif
