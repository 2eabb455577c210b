/* A board and the fixtures as models of every tier that wants a checkpoint, for whole runs. */
#ifndef AUTEUR_TESTS_PIPELINE_TIERS_H
#define AUTEUR_TESTS_PIPELINE_TIERS_H

#include "tests/pipeline/models.h"

/* A board of one shot `a`; `size` as "64x48", `shot` its further fields. */
static inline void write_board(const char *size, const char *shot)
{
    char text[900];

    snprintf(text, sizeof text,
             "name: tiers\nsize: %s\nfps: 8\nshots:\n"
             "  - {id: a, prompt: a boat at dawn, seed: 3, %s}\n",
             size, shot);
    write_file(board, text);
}

static inline int set_up(void **state)
{
    (void)state;
    if (make_models() != 0)
        return -1;
    link_fixture("hunyuan-video", "workhorse");
    link_fixture("cogvideox", "experimental");
    link_fixture("wan2.2-t2v-a14b", "flagship");
    link_fixture("sdxl", "validator/sdxl");
    link_fixture("svd-xt", "validator/svd-xt");
    return 0;
}

static inline void start_over(void)
{
    struct error e;

    if (path_exists(dir))
        assert_int_equal(path_remove(dir, &e), 0);
}

static inline void delivered(struct program p)
{
    if (p.status != 0)
        printf("%s%s", p.out, p.err);
    assert_int_equal(p.status, 0);
    program_free(&p);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, remove_models)

#endif
