/* `auteur-pipe plan` beside a run of the same board on a processor: what it tells of memory is what
 * the run takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/pipeline/plan.h"

/* MiB that the program itself and its libraries may take more or less here. A sanitizer keeps more
 * than they do. */
#if defined(__SANITIZE_ADDRESS__)
static const double ITSELF = 4000;
#else
static const double ITSELF = 30;
#endif
static const double TABLES = 124; /* and arenas, of which small films use little (films.h) */

struct peaks {
    double generate, decode, encode; /* MiB of the process while they were made */
};

/* One job at a time: each is told its own peak, where the system lets marks be set back. */
static struct peaks run(const char *path)
{
    char out[100], *line, *rest;
    struct peaks peaks = {0};

    snprintf(out, sizeof out, "%s/out", scratch);
    struct program p = PROGRAM("run", path, "--device", "cpu", "-j", "1", "--json", "-o", out);
    if (p.status != EXIT_DELIVERED)
        fail_msg("%d: %s%s", p.status, p.out, p.err);
    for (line = strtok_r(p.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *event = json_loads(line, 0, NULL);
        const char *stage = json_string_value(json_object_get(event, "stage"));
        const json_t *kib = json_object_get(event, "peak_kib");
        double *to = !kib                             ? NULL
                     : strcmp(stage, "generate") == 0 ? &peaks.generate
                     : strcmp(stage, "decode") == 0   ? &peaks.decode
                     : strcmp(stage, "encode") == 0   ? &peaks.encode
                                                      : NULL;
        if (to)
            *to = json_number_value(kib) / 1024;
        json_decref(event);
    }
    program_free(&p);
    return peaks;
}

static double stage_takes(const json_t *root, const char *name)
{
    const json_t *s = stage_of(root, name);

    return (number(s, "peak") + number(s, "host")) / (1 << 20);
}

static void check(const char *size, const char *what, double told, double taken, double more)
{
    if (told < taken - ITSELF || told > 1.15 * taken + ITSELF + more)
        fail_msg("%s: %s is told to take %.0f MiB, took %.0f", size, what, told, taken);
}

static void what_is_told_of_a_processor_is_what_a_run_takes(void **state)
{
    static const struct {
        const char *size;
        int frames;
        bool film; /* large enough for its tables to count little */
    } cases[] = {{"416x240", 49, false},
                 {"128x64", 9, false},
                 {"768x432", 17, false},
                 {"1024x1024", 17, true}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char shot[100];

        snprintf(shot, sizeof shot,
                 "  - {id: a%zu, prompt: A ship, frames: %d, steps: 1, tier: previs}\n", i,
                 cases[i].frames);
        const char *path = write_board(cases[i].size, shot);
        struct program p = PROGRAM("plan", path, "--json", "--device", "cpu");
        json_t *root = json_loads(p.out, 0, NULL);
        struct peaks peaks = run(path);

        assert_int_equal(p.status, EXIT_DELIVERED);
        check(cases[i].size, "sampling", stage_takes(root, "sampling"), peaks.generate, 0);
        check(cases[i].size, "decoding", stage_takes(root, "decoding"), peaks.decode, 0);
        if (cases[i].film)
            check(cases[i].size, "a film", 46 + number(root, "film_memory") / (1 << 20),
                  peaks.encode, TABLES);
        json_decref(root);
        program_free(&p);
    }
}

/* A GPU's machine: what is delivered decides, not the model's frame. */
static void the_hosts_memory_grows_with_the_delivered_size(void **state)
{
    static const char shot[] = "  - {id: a, prompt: A ship, frames: 5, steps: 1, tier: previs}\n";
    json_t *small, *large;

    (void)state;
    small = stages_with(write_board("1024x1024", shot), "4090", "--only", "a");
    large = stages_with(write_board("2048x2048", shot), "4090", "--only", "a");
    double a = number(stage_of(small, "decoding"), "host");
    double b = number(stage_of(large, "decoding"), "host");
    double pixel = (b - a) / (2048 * 2048 - 1024 * 1024);
    assert_true(pixel > 30 && pixel < 36); /* beside a part that is the model's frame alone */
    assert_true(number(stage_of(small, "decoding"), "peak") ==
                number(stage_of(large, "decoding"), "peak"));
    assert_true(number(large, "film_memory") > 2.5 * number(small, "film_memory"));
    json_decref(small);
    json_decref(large);
}

static void large_boards_are_refused_a_small_host(void **state)
{
    static const char one[] = "  - {id: a, prompt: A ship, frames: 5, steps: 1, tier: previs}\n";
    const char *path = write_board("8192x7600", one);
    struct program p = planned(path, "4090,host=4GiB", EXIT_SHOTS);

    (void)state;
    assert_non_null(strstr(p.out, "of the host's memory "));
    assert_non_null(strstr(p.out, " GiB and 3.0 for the system, of 4.0"));
    assert_non_null(strstr(p.out, "DOES NOT FIT the host's memory: a film takes "));
    program_free(&p);
    p = planned(path, "4090,host=12GiB", EXIT_DELIVERED);
    assert_null(strstr(p.out, "DOES NOT FIT"));
    program_free(&p);
    path = write_board("8192x7600",
                       "  - {id: a, prompt: A ship, frames: 5, steps: 1, tier: previs}\n"
                       "  - {id: b, prompt: A ship, frames: 5, steps: 1, tier: previs}\n");
    p = planned(path, "4090,host=9GiB", EXIT_SHOTS); /* one is decoded, one encoded */
    assert_non_null(strstr(p.out, " fits: "));
    assert_non_null(strstr(p.out, " for models at work on the next shot, the system 3.0, of 9.0"));
    program_free(&p);
    p = planned(path, "4090,host=64GiB", EXIT_DELIVERED);
    assert_null(strstr(p.out, "DOES NOT FIT"));
    program_free(&p);
    p = planned(path, "128GiB,unified", EXIT_DELIVERED);
    program_free(&p);
    path = write_board("5000x5000", "  - {id: a, card: {background: \"#203040\"}, duration: 1s}\n");
    p = PROGRAM("plan", path, "--gpu", "4090,host=6GiB", "--json");
    json_t *root = json_loads(p.out, 0, NULL);
    assert_int_equal(p.status, EXIT_SHOTS); /* without any model */
    assert_true(json_is_false(json_object_get(root, "films_fit")));
    json_decref(root);
    program_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_of_a_processor_is_what_a_run_takes),
        cmocka_unit_test(the_hosts_memory_grows_with_the_delivered_size),
        cmocka_unit_test(large_boards_are_refused_a_small_host),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
