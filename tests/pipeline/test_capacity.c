/* What cannot fit is refused before a run begins it (pipeline/execute/capacity.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pipeline/execute/capacity.h"
#include "pipeline/execute/workspace.h"
#include "tests/pipeline/plan.h"

/* Before a run begins: a shot that surely does not fit is refused with the mend; one that might is
 * not. previs takes 0.8 GiB. */
static void a_run_refuses_what_cannot_fit(void **state)
{
    static const struct {
        const char *gpu;
        size_t refused;
    } cases[] = {{"0.5GiB", 1}, {"0.74GiB", 0}, {"8GiB", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct request r = {
            .board = board, .tier = "", .only = "c", .models = "", .device = "cpu"};
        struct workspace w = {0};
        struct machine m;
        struct error e = {0};

        if (workspace_board(&w, &r, NULL, &e) != 0 || workspace_plan(&w, &r, &e) != 0 ||
            machine_parse(cases[i].gpu, &m, &e) != 0)
            fail_msg("%s", e.text);
        assert_int_equal(w.plan.problem_count, 0);
        assert_int_equal(capacity_check_on(&w.env, &w.plan, &m, &e), 0);
        assert_int_equal(w.plan.problem_count, cases[i].refused);
        if (cases[i].refused) {
            assert_int_equal(w.plan.problems[0].shot, 2);
            assert_non_null(strstr(w.plan.problems[0].text, "tier previs cannot make 17 frames"));
            assert_non_null(strstr(w.plan.problems[0].text, "auteur-pipe plan"));
            assert_int_equal(w.plan.run[STAGE_GENERATE], 0);
        }
        assert_int_equal(capacity_check(&w.env, &w.plan, &e), 0); /* a processor: nothing more */
        assert_int_equal(w.plan.problem_count, cases[i].refused);
        workspace_close(&w);
    }
}

/* A limit that no tile keeps to is told before anything is made, on a processor too. */
static void a_run_refuses_a_limit_that_is_too_narrow(void **state)
{
    char out[100];
    struct program p;

    (void)state;
    snprintf(out, sizeof out, "%s/narrow", scratch);
    p = PROGRAM("run", board, "-o", out, "--only", "c", "--device", "cpu", "--vae-memory", "1M");
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_non_null(strstr(p.err, "FAILED c: --vae-memory is 1.0 MiB"));
    assert_null(strstr(p.out, "start "));
    program_free(&p);
    for (int i = 0; i < 2; i++) {
        const struct request r = {.board = board,
                                  .tier = "",
                                  .only = "c",
                                  .models = "",
                                  .vae_memory = i ? "1M" : "100M",
                                  .device = "cpu"};
        struct workspace w = {0};
        struct error e = {0};

        if (workspace_board(&w, &r, NULL, &e) != 0 || workspace_plan(&w, &r, &e) != 0)
            fail_msg("%s", e.text);
        assert_int_equal(capacity_check(&w.env, &w.plan, &e), 0);
        assert_int_equal(w.plan.problem_count, i);
        assert_true(i == 0 || w.plan.problems[0].stage == STAGE_DECODE);
        workspace_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_refuses_what_cannot_fit),
        cmocka_unit_test(a_run_refuses_a_limit_that_is_too_narrow),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
