/* What `watch` tells of a shot whose latents are being sampled, in every family: state, step and a
 * picture. A run is interrupted in the middle; another process then holds the journal as a run
 * would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>

#include "journal/journal.h"
#include "pipeline/review/live.h"
#include "tests/pipeline/tiers.h"

static char generating[200];

/* Later and later, until a step was done and saved. */
static void interrupt_in_the_middle(const char *shot)
{
    struct error e = {0};
    bool saved = false;

    start_over();
    write_board("64x48", shot);
    snprintf(generating, sizeof generating, "%s/.auteur/tmp/a.generate", dir);
    for (unsigned us = 80000; !saved && us < 3000000; us *= 2) {
        struct program p;

        if (path_exists(generating))
            assert_int_equal(path_remove(generating, &e), 0);
        p = program_run_when(
            SIGINT, generating, us,
            (const char *const[]){"run", board, "-o", dir, "--models", models, NULL});
        program_free(&p);
        p = PROGRAM("journal", "dump", dir);
        saved = strstr(p.out, "\ncheckpoint ") != NULL;
        program_free(&p);
    }
    assert_true(saved);
}

/* A process that writes the journal, until it is killed. */
static pid_t hold_journal(void)
{
    char path[200], who[JOURNAL_WHO_SIZE];
    struct journal *journal;
    struct error e = {0};
    pid_t pid;

    snprintf(path, sizeof path, "%s/.auteur/journal", dir);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        if (journal_open(path, JOURNAL_WRITE, &journal, &e) == 0)
            sleep(60);
        _exit(1);
    }
    for (int i = 0; i < 1000 && !journal_writer(path, who); i++)
        usleep(10000);
    return pid;
}

static const char *text_of(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static void is_previewed(const char *shot)
{
    const json_t *one, *preview;
    struct error e = {0};
    struct live *live;
    json_int_t pixels;
    pid_t holder;

    interrupt_in_the_middle(shot);
    assert_int_equal(live_open(dir, &live, &e), 0);
    one = json_array_get(json_object_get(live_data(live), "shots"), 0);
    assert_string_equal(text_of(one, "state"), "interrupted");
    assert_int_equal(json_array_size(json_object_get(live_data(live), "previews")), 0);
    live_close(live);
    holder = hold_journal();
    if (live_open(dir, &live, &e) != 0)
        fail_msg("%s", e.text);
    one = json_array_get(json_object_get(live_data(live), "shots"), 0);
    assert_string_equal(text_of(one, "state"), "running");
    assert_string_equal(text_of(one, "stage"), "generate");
    preview = json_array_get(json_object_get(live_data(live), "previews"), 0);
    assert_string_equal(text_of(preview, "shot"), "a");
    assert_true(json_integer_value(json_object_get(preview, "step")) > 0);
    assert_true(json_integer_value(json_object_get(preview, "step")) <=
                json_integer_value(json_object_get(preview, "steps")));
    pixels = json_integer_value(json_object_get(preview, "width")) *
             json_integer_value(json_object_get(preview, "height"));
    assert_true(pixels > 1);
    assert_int_equal(strlen(text_of(preview, "rgb")), (pixels * 3 + 2) / 3 * 4);
    live_close(live);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
}

static void latents_are_seen_while_they_are_sampled(void **state)
{
    (void)state;
    is_previewed("tier: workhorse, frames: 33, steps: 900");
    is_previewed("tier: experimental, frames: 17, steps: 900");
    is_previewed("tier: flagship, frames: 33, steps: 900");
    is_previewed("tier: validator, frames: 4, steps: 12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {ONE(latents_are_seen_while_they_are_sampled)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
