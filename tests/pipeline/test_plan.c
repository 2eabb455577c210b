/* `auteur-pipe plan`: what it tells, as text and as JSON, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>

#include "pipeline/execute/capacity.h"
#include "pipeline/execute/workspace.h"
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

static void link_data(const char *from, const char *name)
{
    char target[120], *real = realpath(from, NULL);

    assert_non_null(real);
    snprintf(target, sizeof target, "%s/data/%s", scratch, name);
    assert_int_equal(symlink(real, target), 0);
    free(real);
}

static int set_up(void **state)
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

static int tear_down(void **state)
{
    struct error e = {0};

    (void)state;
    return path_remove(scratch, &e);
}

static json_t *plan_json(const char *gpu, int status)
{
    struct program p = PROGRAM("plan", board, "--json", "--gpu", gpu);
    json_t *root = json_loads(p.out, 0, NULL);

    if (p.status != status || !root)
        fail_msg("status %d: %s%s", p.status, p.out, p.err);
    program_free(&p);
    return root;
}

static double number(const json_t *o, const char *name)
{
    const json_t *value = json_object_get(o, name);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void json_tells_every_stage(void **state)
{
    json_t *root = plan_json("h100", EXIT_DELIVERED);
    const json_t *tiers = json_object_get(root, "tiers"), *tier = json_array_get(tiers, 0);
    const json_t *stages = json_object_get(tier, "stages"), *stage;
    size_t i;

    (void)state;
    assert_int_equal(json_array_size(tiers), 2);
    assert_string_equal(json_string_value(json_object_get(tier, "tier")), "validator");
    assert_true(number(tier, "shots") == 2);
    assert_true(json_is_false(json_object_get(tier, "there")));
    assert_true(json_is_true(json_object_get(json_array_get(tiers, 1), "there")));
    assert_int_equal(json_array_size(stages), 6); /* of the keyframe and of the motion */
    json_array_foreach(stages, i, stage)
    {
        double sum =
            number(stage, "weights") + number(stage, "activations") + number(stage, "workspace");
        assert_true(number(stage, "weights") > 0 && number(stage, "stored") > 0);
        assert_true(sum > 0.999 * number(stage, "peak") && sum < 1.001 * number(stage, "peak"));
        assert_true(number(stage, "work_seconds") > 0);
        assert_true(number(tier, "peak") >= number(stage, "peak"));
    }
    assert_true(number(root, "other_shots") == 1);
    assert_true(number(root, "seconds") > 0);
    json_decref(root);
}

/* Twice the shots take twice the work and no more memory. */
static void shots_add_time_and_no_memory(void **state)
{
    struct program p = PROGRAM("plan", board, "--json", "--gpu", "h100", "--only", "a");
    json_t *one = json_loads(p.out, 0, NULL), *all = plan_json("h100", EXIT_DELIVERED);
    const json_t *a = json_array_get(json_object_get(one, "tiers"), 0);
    const json_t *b = json_array_get(json_object_get(all, "tiers"), 0);
    const json_t *x = json_array_get(json_object_get(a, "stages"), 4);
    const json_t *y = json_array_get(json_object_get(b, "stages"), 4);
    double ratio = number(y, "work_seconds") / number(x, "work_seconds");

    (void)state;
    assert_true(number(a, "shots") == 1);
    assert_true(number(a, "peak") == number(b, "peak"));
    assert_true(number(x, "load_seconds") == number(y, "load_seconds"));
    assert_true(ratio > 1.99 && ratio < 2.01);
    json_decref(one);
    json_decref(all);
    program_free(&p);
}

static void what_does_not_fit_is_said_with_the_mend(void **state)
{
    struct program p = PROGRAM("plan", board, "--gpu", "4GiB");

    (void)state;
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_non_null(strstr(p.out, "DOES NOT FIT: "));
    assert_non_null(strstr(p.out, "previs"));
    assert_non_null(strstr(p.out, "Times are not told"));
    program_free(&p);
    p = PROGRAM("plan", board, "--gpu", "24GiB");
    assert_int_equal(p.status, EXIT_DELIVERED);
    assert_non_null(strstr(p.out, "fits: "));
    assert_null(strstr(p.out, "DOES NOT FIT"));
    assert_non_null(strstr(p.out, "its checkpoint is not there"));
    program_free(&p);
}

/* What is wrong with one tier is said of that tier; the others are planned. */
static void a_tier_at_fault_leaves_the_others(void **state)
{
    static const char two[] =
        "name: two\n"
        "fps: 24\n"
        "size: 768x432\n"
        "shots:\n"
        "  - {id: a, prompt: A ship, frames: 81, steps: 3, tier: experimental}\n"
        "  - {id: b, prompt: A ship, frames: 25, steps: 3, tier: validator}\n"
        "  - {id: c, prompt: A ship, frames: 17, steps: 3, tier: previs}\n";
    char path[100];
    struct error e = {0};

    (void)state;
    snprintf(path, sizeof path, "%s/two.yaml", scratch);
    assert_int_equal(file_write_atomic(path, two, strlen(two), &e), 0);
    struct program p = PROGRAM("plan", path, "--gpu", "49GiB", "--vae-memory", "100M");
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_non_null(strstr(p.out, "shot a cannot be planned: 81 frames: tier experimental makes"));
    assert_non_null(strstr(p.out, "shot b cannot be planned: --vae-memory is 100"));
    assert_non_null(strstr(p.out, ": 1 shot of"));
    assert_non_null(strstr(p.out, "fits: "));
    program_free(&p);
    p = PROGRAM("plan", path, "--json", "--gpu", "49GiB", "--vae-memory", "100M");
    json_t *root = json_loads(p.out, 0, NULL), *tiers = json_object_get(root, "tiers");
    assert_int_equal(p.status, EXIT_SHOTS);
    assert_int_equal(json_array_size(tiers), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *tier = json_array_get(tiers, i);
        assert_int_equal(json_is_true(json_object_get(tier, "fits")), i == 2);
        assert_int_equal(json_is_string(json_object_get(tier, "error")), i != 2);
    }
    json_decref(root);
    program_free(&p);
}

/* The sampling of six pictures of one size. */
static const json_t *pictures(const char *path, const char *gpu, const char *batch, json_t **root)
{
    struct program p = PROGRAM("plan", path, "--json", "--gpu", gpu, "--batch", batch);
    const json_t *tier, *stage;

    *root = json_loads(p.out, 0, NULL);
    if (p.status != EXIT_DELIVERED || !*root)
        fail_msg("status %d: %s%s", p.status, p.out, p.err);
    program_free(&p);
    tier = json_array_get(json_object_get(*root, "tiers"), 0);
    assert_true(number(tier, "shots") == 6);
    stage = json_array_get(json_object_get(tier, "stages"), 1);
    assert_string_equal(json_string_value(json_object_get(stage, "stage")), "sampling");
    return stage;
}

/* As the preset says, no more than there are, and fewer where memory does not hold them. */
static void pictures_are_made_together(void **state)
{
    static const struct {
        const char *gpu, *batch;
        int together;
    } cases[] = {{"h200", "1", 1},
                 {"h200", "0", 4},
                 {"h200", "16", 6},
                 {"7.5GiB", "16", 3},
                 {"7GiB", "16", 1}};
    char path[100], six[600] = "name: six\nfps: 24\nsize: 1024x576\nshots:\n";
    double alone = 0, least = 0;
    struct error e = {0};

    (void)state;
    for (int i = 0; i < 6; i++)
        sprintf(six + strlen(six),
                "  - {id: a%d, prompt: A ship, frames: 1, steps: 2, tier: picture}\n", i);
    snprintf(path, sizeof path, "%s/six.yaml", scratch);
    assert_int_equal(file_write_atomic(path, six, strlen(six), &e), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *root;
        const json_t *s = pictures(path, cases[i].gpu, cases[i].batch, &root);

        assert_int_equal((int)number(s, "together"), cases[i].together);
        if (i == 0) {
            alone = number(s, "work_seconds");
            least = number(s, "activations");
        } else {
            assert_true(cases[i].together == 1 || number(s, "activations") > 1.5 * least);
            assert_true(i > 2 || number(s, "work_seconds") < alone);
        }
        json_decref(root);
    }
}

/* Nothing is said of this machine but what is so: previs runs on any. */
static void this_machine_is_planned_for_without_a_gpu(void **state)
{
    struct program p = PROGRAM("plan", board, "--device", "cpu", "--only", "c");

    (void)state;
    if (p.status != EXIT_DELIVERED)
        fail_msg("%d: %s%s", p.status, p.out, p.err);
    assert_non_null(strstr(p.out, "this machine's processor"));
    assert_non_null(strstr(p.out, "at most, with 3.0 GiB for"));
    assert_null(strstr(p.out, "kept by the host"));
    assert_null(strstr(p.out, "validator"));
    program_free(&p);
}

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

static void bad_words_end_at_once(void **state)
{
    static const char *const bad[] = {"2x", "49MiB", "h20", "2x49GiB,fast"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct program p = PROGRAM("plan", board, "--gpu", bad[i]);
        assert_int_equal(p.status, EXIT_USAGE);
        assert_string_equal(p.out, "");
        assert_non_null(strstr(p.err, "auteur-pipe: --gpu: '"));
        assert_ptr_equal(strchr(p.err, '\n'), p.err + strlen(p.err) - 1);
        program_free(&p);
    }
    struct program p = PROGRAM("plan", board, "--gpu", "h100", "--only", "zz");
    assert_int_equal(p.status, EXIT_USAGE);
    program_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_tells_every_stage),
        cmocka_unit_test(shots_add_time_and_no_memory),
        cmocka_unit_test(what_does_not_fit_is_said_with_the_mend),
        cmocka_unit_test(a_tier_at_fault_leaves_the_others),
        cmocka_unit_test(pictures_are_made_together),
        cmocka_unit_test(this_machine_is_planned_for_without_a_gpu),
        cmocka_unit_test(a_run_refuses_what_cannot_fit),
        cmocka_unit_test(bad_words_end_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
