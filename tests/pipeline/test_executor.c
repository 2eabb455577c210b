/* Plan, scheduler and runner together over a real journal, with fake stages. */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include <jansson.h>

#include "tests/pipeline/fake_run.h"

static char scratch[64];
static struct fake_board board;

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.generate_steps = 2;
    fake_board_make(&board, 8);
    fake_scratch(scratch);
    return scratch[0] ? 0 : -1;
}

static int tear_down(void **state)
{
    struct error e;

    (void)state;
    return path_remove(scratch, &e);
}

/* One whole run; the result stays readable. */
static struct execution_result run_once(void)
{
    struct fake_run run;

    if (fake_begin(&run, &board, scratch) != 0 || fake_execute(&run) != 0)
        fail_msg("%s", run.error.text);
    fake_end(&run);
    return run.result;
}

static enum reason reason_of(size_t shot, enum stage_id stage, enum verdict *verdict)
{
    struct fake_run run;
    const struct plan_job *j;
    enum reason reason;

    if (fake_begin(&run, &board, scratch) != 0)
        fail_msg("%s", run.error.text);
    j = plan_job(&run.plan, shot, (int)stage);
    reason = (enum reason)j->reason;
    *verdict = (enum verdict)j->verdict;
    fake_end(&run);
    return reason;
}

static bool there(const char *relative)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", scratch, relative);
    return path_exists(path);
}

static void a_board_is_delivered_and_then_there_is_nothing_to_do(void **state)
{
    struct execution_result r = run_once();
    int runs[STAGES];

    (void)state;
    assert_int_equal(r.shots, 8);
    assert_int_equal(r.delivered, 8);
    assert_int_equal(r.failed, 0);
    assert_int_equal(r.made, 6 * 5 + 2 * 3);
    assert_true(there("shots/s000/s000.mp4"));
    assert_true(there("shots/s000/s000.poster.png"));
    assert_true(there("shots/s003/s003.json"));
    assert_false(there(".auteur/tmp"));
    assert_int_equal(fake.opens[STAGE_GENERATE], 2); /* two tiers, each loaded once */
    assert_int_equal(fake.closes[STAGE_GENERATE], 2);
    assert_int_equal(fake.soons[STAGE_GENERATE], 1); /* the second, while the first works */
    assert_int_equal(fake.soons[STAGE_DECODE], 1);   /* while the second does */
    for (int i = 0; i < STAGES; i++)
        runs[i] = fake.runs[i];
    r = run_once();
    assert_int_equal(r.made, 0);
    assert_int_equal(r.delivered, 8);
    for (int i = 0; i < STAGES; i++)
        assert_int_equal(fake.runs[i], runs[i]);
}

static void an_overlay_edit_makes_titles_and_delivery_of_that_shot_again(void **state)
{
    enum verdict v;

    (void)state;
    run_once();
    memset(fake.runs, 0, sizeof fake.runs);
    board.overlays[2].text = "Another title";
    assert_int_equal(reason_of(2, STAGE_COMPOSITE, &v), REASON_CHANGED);
    assert_int_equal(reason_of(2, STAGE_ENCODE, &v), REASON_EARLIER);
    assert_int_equal(reason_of(1, STAGE_ENCODE, &v), REASON_NONE);
    run_once();
    assert_int_equal(fake.runs[STAGE_ENHANCE], 0);
    assert_int_equal(fake.runs[STAGE_GENERATE], 0);
    assert_int_equal(fake.runs[STAGE_DECODE], 0);
    assert_int_equal(fake.runs[STAGE_COMPOSITE], 1);
    assert_int_equal(fake.runs[STAGE_ENCODE], 1);
}

static void reasons_and_changes_are_named(void **state)
{
    struct arena arena = {0};
    struct plan_change *changes;
    struct journal_view *view;
    struct fake_run run;
    enum verdict v;
    size_t n;

    (void)state;
    assert_int_equal(reason_of(0, STAGE_ENHANCE, &v), REASON_NEVER);
    run_once();
    board.shots[0].prompt = "a valley at night";
    board.shots[0].guidance = 5.5;
    assert_int_equal(fake_begin(&run, &board, scratch), 0);
    assert_int_equal(journal_view_begin(run.journal, &view, &run.error), 0);
    assert_int_equal(plan_changes(&run.plan, &run.setup, view, 0, STAGE_ENHANCE, &arena, &changes,
                                  &n, &run.error),
                     0);
    assert_int_equal(n, 1);
    assert_string_equal(plan_reason(&run.plan, &run.setup, 0, STAGE_ENHANCE, &arena),
                        "prompt changed");
    assert_string_equal(changes[0].name, "prompt");
    assert_string_equal(changes[0].was, "a hill at dawn, 0");
    assert_string_equal(changes[0].now, "a valley at night");
    assert_int_equal(plan_changes(&run.plan, &run.setup, view, 0, STAGE_GENERATE, &arena, &changes,
                                  &n, &run.error),
                     0);
    assert_int_equal(n, 1); /* what enhance will make is not known yet */
    assert_string_equal(changes[0].name, "guidance");
    assert_string_equal(changes[0].now, "5.5");
    assert_int_equal(plan_job(&run.plan, 0, STAGE_GENERATE)->reason, REASON_CHANGED);
    assert_int_equal(plan_job(&run.plan, 0, STAGE_DECODE)->reason, REASON_EARLIER);
    assert_int_equal(plan_job(&run.plan, 0, STAGE_COMPOSITE)->reason, REASON_OPEN);
    assert_int_equal(run.plan.to_run, 5);
    journal_view_end(view);
    arena_free(&arena);
    fake_end(&run);
}

static void files_that_are_gone_or_altered_are_made_again(void **state)
{
    char path[256];
    enum verdict v;
    FILE *f;

    (void)state;
    run_once();
    snprintf(path, sizeof path, "%s/shots/s001/s001_v001.mp4", scratch);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(reason_of(1, STAGE_ENCODE, &v), REASON_MISSING);
    assert_int_equal(v, VERDICT_RUN);
    assert_int_equal(reason_of(1, STAGE_DECODE, &v), REASON_NONE);
    run_once();
    assert_true(path_exists(path));
    f = fopen(path, "ab");
    assert_non_null(f);
    fputs("scribble", f);
    fclose(f);
    assert_int_equal(reason_of(1, STAGE_ENCODE, &v), REASON_ALTERED);
    assert_int_equal(run_once().made, 1);
}

/* As after a copy or from a backup: the content decides, also where the length tells nothing. */
static void a_files_time_alone_makes_nothing_again(void **state)
{
    const struct timespec long_ago[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    char path[256];
    enum verdict v;
    int c;
    FILE *f;

    (void)state;
    run_once();
    snprintf(path, sizeof path, "%s/shots/s001/s001.mp4", scratch);
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
    assert_int_equal(reason_of(1, STAGE_ENCODE, &v), REASON_NONE);
    assert_int_equal(run_once().made, 0);
    f = fopen(path, "r+b");
    assert_non_null(f);
    c = fgetc(f);
    rewind(f);
    fputc(c ^ 1, f);
    fclose(f);
    assert_int_equal(reason_of(1, STAGE_ENCODE, &v), REASON_ALTERED);
}

/* As a disk rots: neither the length nor the time tells. */
static void a_rotten_master_is_never_delivered_and_made_again(void **state)
{
    char pattern[256], path[256];
    struct execution_result r;
    struct stat before;
    glob_t found;
    FILE *f;

    (void)state;
    run_once();
    snprintf(path, sizeof path, "%s/shots/s001/s001_v001.mp4", scratch);
    assert_int_equal(unlink(path), 0);
    snprintf(pattern, sizeof pattern, "%s/.auteur/artefacts/*.s001.master.mkv", scratch);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(stat(found.gl_pathv[0], &before), 0);
    f = fopen(found.gl_pathv[0], "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 20, SEEK_SET), 0);
    fputc(1, f);
    fclose(f);
    assert_int_equal(utimensat(AT_FDCWD, found.gl_pathv[0],
                               (const struct timespec[2]){before.st_atim, before.st_mtim}, 0),
                     0);
    r = run_once();
    assert_int_equal(r.failed, 1);
    assert_false(path_exists(path));
    assert_false(path_exists(found.gl_pathv[0]));
    r = run_once();
    assert_int_equal(r.made, 2);
    assert_int_equal(r.delivered, 8);
    globfree(&found);
}

static void a_failure_stays_with_its_shot_and_is_tried_again_next_time(void **state)
{
    struct execution_result r;
    enum verdict v;

    (void)state;
    fake.fail_shot = "s001";
    fake.fail_stage = STAGE_DECODE;
    fake.fail_code = ERROR_MEDIA;
    fake.fail_times = 1;
    r = run_once();
    assert_int_equal(r.delivered, 7);
    assert_int_equal(r.failed, 1);
    assert_false(there("shots/s001/s001.mp4"));
    assert_true(there("shots/s002/s002.mp4"));
    assert_int_equal(reason_of(1, STAGE_DECODE, &v), REASON_FAILED);
    assert_int_equal(reason_of(1, STAGE_ENCODE, &v), REASON_NEVER);
    r = run_once();
    assert_int_equal(r.made, 2);
    assert_int_equal(r.delivered, 8);
}

static void a_transient_failure_is_tried_again_at_once(void **state)
{
    const struct stage_attempt *attempts;
    struct journal_view *view;
    struct fake_run run;
    size_t n;

    (void)state;
    fake.fail_shot = "s003";
    fake.fail_stage = STAGE_ENCODE;
    fake.fail_code = ERROR_IO;
    fake.fail_times = 1;
    assert_int_equal(run_once().delivered, 8);
    assert_int_equal(fake.runs[STAGE_ENCODE], 9);
    assert_int_equal(fake_begin(&run, &board, scratch), 0);
    assert_int_equal(journal_view_begin(run.journal, &view, &run.error), 0);
    assert_int_equal(journal_attempts(view, "s003", "encode", &attempts, &n, &run.error), 0);
    assert_int_equal(n, 2);
    assert_int_equal(attempts[0].status, RECORD_FAILED);
    assert_string_equal(attempts[0].error, "as the test asked");
    assert_int_equal(attempts[1].status, RECORD_DONE);
    assert_int_equal(attempts[1].number, 2);
    journal_view_end(view);
    fake_end(&run);
}

static void a_failed_edit_keeps_the_film_that_was_delivered_before(void **state)
{
    (void)state;
    run_once();
    board.overlays[1].text = "An edit";
    fake.fail_shot = "s001";
    fake.fail_stage = STAGE_ENCODE;
    fake.fail_code = ERROR_MEDIA;
    fake.fail_times = 1;
    assert_int_equal(run_once().failed, 1);
    assert_true(there("shots/s001/s001.mp4"));
    assert_int_equal(run_once().delivered, 8);
}

static void a_model_that_does_not_load_fails_its_shots(void **state)
{
    struct execution_result r;

    (void)state;
    fake.fail_open = true;
    r = run_once();
    assert_int_equal(r.failed, 6);
    assert_int_equal(r.delivered, 2); /* the cards */
    fake.fail_open = false;
    assert_int_equal(run_once().delivered, 8);
}

static void a_failed_check_or_a_missing_source_stops_a_shot_before_any_work(void **state)
{
    struct execution_result r;

    (void)state;
    fake.fail_check = true;
    fake.fail_shot = "s000";
    board.shots[3].source.path = "/nowhere/clip.mov";
    r = run_once();
    assert_int_equal(r.failed, 2);
    assert_int_equal(r.delivered, 6);
    assert_int_equal(fake.runs[STAGE_ENHANCE], 5);
    assert_false(there("shots/s000"));
    fake.fail_check = false;
    board.shots[3].source.path = "";
    assert_int_equal(run_once().delivered, 8);
}

static void only_some_shots_may_be_asked_for(void **state)
{
    struct fake_run run;

    (void)state;
    assert_int_equal(fake_begin(&run, &board, scratch), 0);
    plan_free(&run.plan);
    run.setup.only = "s00[12]";
    assert_int_equal(plan_make(&run.plan, &run.setup, &run.error), 0);
    assert_int_equal(fake_execute(&run), 0);
    assert_int_equal(run.result.shots, 2);
    assert_int_equal(run.result.delivered, 2);
    fake_end(&run);
    assert_false(there("shots/s003"));
    assert_int_equal(run_once().delivered, 8);
}

static void the_pool_overlaps_the_engine(void **state)
{
    (void)state;
    fake.step_us = 3000;
    fake.generate_steps = 4;
    run_once();
    assert_true(fake.overlapped);
}

/* Two cards with the same words have the same keys throughout; each has its own files. */
static void twins_do_not_disturb_each_other(void **state)
{
    (void)state;
    board.overlays[3].text = board.overlays[7].text = "The same";
    assert_int_equal(run_once().delivered, 8);
    assert_int_equal(run_once().made, 0);
    board.overlays[3].text = "Another";
    assert_int_equal(run_once().made, 2);
    assert_int_equal(run_once().made, 0);
}

static _Atomic int polls;
static bool interrupted_soon(void)
{
    return ++polls > 2;
}

static void an_interrupt_checkpoints_and_the_next_run_goes_on(void **state)
{
    struct fake_run run;
    int runs;

    (void)state;
    fake.step_us = 20000;
    fake.generate_steps = 40;
    polls = 0;
    assert_int_equal(fake_begin(&run, &board, scratch), 0);
    run.execution.interrupted = interrupted_soon;
    assert_int_equal(fake_execute(&run), 0);
    assert_true(run.result.interrupted);
    assert_true(run.result.remaining > 0);
    assert_int_equal(run.result.failed, 0);
    fake_end(&run);
    runs = fake.runs[STAGE_ENHANCE];
    fake.step_us = 0;
    fake.resumed_at = -1;
    polls = 0;
    assert_int_equal(run_once().delivered, 8);
    assert_int_equal(fake.runs[STAGE_ENHANCE], 6); /* none was made twice */
    assert_true(runs <= 6);
}

/* The events of a run, counted. */
static struct {
    int fresh[STAGES], delivered;
    char reasons[STAGES][80];
} heard;
static void hear(void *ctx, const struct event *event)
{
    (void)ctx;
    if (event->kind == EVENT_FRESH)
        heard.fresh[event->stage]++;
    heard.delivered += event->kind == EVENT_DELIVERED;
    if (event->kind == EVENT_START)
        snprintf(heard.reasons[event->stage], sizeof heard.reasons[0], "%s", event->reason);
}

static void run_heard(struct fake_run *run)
{
    memset(&heard, 0, sizeof heard);
    memset(fake.runs, 0, sizeof fake.runs);
    memset(fake.opens, 0, sizeof fake.opens);
    assert_int_equal(fake_begin(run, &board, scratch), 0);
    run->execution.sink.emit = hear;
    assert_int_equal(fake_execute(run), 0);
    fake_end(run);
}

static void expect_runs(int enhance, int generate, int decode, int composite, int encode)
{
    assert_int_equal(fake.runs[STAGE_ENHANCE], enhance);
    assert_int_equal(fake.runs[STAGE_GENERATE], generate);
    assert_int_equal(fake.runs[STAGE_DECODE], decode);
    assert_int_equal(fake.runs[STAGE_COMPOSITE], composite);
    assert_int_equal(fake.runs[STAGE_ENCODE], encode);
}

static void lettering_of_the_prompt_never_generates_again(void **state)
{
    struct fake_run run;
    enum verdict v;

    (void)state;
    board.shots[0].prompt = "a hill|Midnight";
    run_once();
    board.shots[0].prompt = "a hill|Noon";
    assert_int_equal(reason_of(0, STAGE_GENERATE, &v), REASON_OPEN);
    assert_int_equal(v, VERDICT_RUN);
    assert_int_equal(reason_of(0, STAGE_DECODE, &v), REASON_OPEN);
    assert_int_equal(reason_of(1, STAGE_GENERATE, &v), REASON_NONE);
    run_heard(&run);
    expect_runs(1, 0, 0, 1, 1);
    assert_int_equal(fake.opens[STAGE_GENERATE], 0); /* the model is not even loaded */
    assert_int_equal(heard.fresh[STAGE_GENERATE], 1);
    assert_int_equal(heard.fresh[STAGE_DECODE], 1);
    assert_int_equal(heard.fresh[STAGE_COMPOSITE], 0);
    assert_int_equal(heard.delivered, 1);
    assert_string_equal(heard.reasons[STAGE_COMPOSITE], "enhance.lettering.json changed");
    assert_string_equal(heard.reasons[STAGE_ENCODE], "an earlier stage changed");
    assert_int_equal(run.result.made, 3);
    assert_int_equal(run.result.delivered, 8);
    assert_int_equal(run.result.remaining, 0);
    run_heard(&run);
    assert_int_equal(run.result.made, 0);
}

static void other_words_generate_again_and_keep_the_titles(void **state)
{
    struct fake_run run;

    (void)state;
    board.shots[0].prompt = "a hill|Noon";
    run_once();
    board.shots[0].prompt = "a dale|Noon";
    run_heard(&run);
    expect_runs(1, 1, 1, 0, 1);
    assert_int_equal(heard.fresh[STAGE_COMPOSITE], 1);
    assert_string_equal(heard.reasons[STAGE_GENERATE], "enhance.prompt.json changed");
    assert_int_equal(run.result.delivered, 8);
    run_heard(&run);
    assert_int_equal(run.result.made, 0);
}

/* As an edit of the lexicon that changes no prompt: enhance runs, and nothing else. */
static void what_makes_the_same_again_changes_nothing(void **state)
{
    struct fake_run run;

    (void)state;
    board.shots[0].prompt = "a hill, old";
    board.shots[0].look = "film";
    board.shots[2].prompt = "a dale, old";
    board.shots[2].look = "film";
    run_once();
    board.shots[0].prompt = "a hill";
    board.shots[0].look = "old, film";
    board.shots[2].prompt = "a dale";
    board.shots[2].look = "old, film";
    run_heard(&run);
    expect_runs(2, 0, 0, 0, 0);
    assert_int_equal(fake.opens[STAGE_GENERATE], 0);
    for (int i = STAGE_GENERATE; i < STAGES; i++)
        assert_int_equal(heard.fresh[i], 2);
    assert_int_equal(heard.delivered, 2);
    assert_int_equal(run.result.delivered, 8);
    assert_int_equal(run.result.remaining, 0);
    run_heard(&run);
    assert_int_equal(run.result.made, 0);
}

/* A file that is gone is made again whatever enhance makes. */
static void a_lost_film_is_encoded_from_what_stands(void **state)
{
    char path[256];
    struct fake_run run;

    (void)state;
    board.shots[0].prompt = "a hill, old";
    run_once();
    snprintf(path, sizeof path, "%s/shots/s000/s000_v001.mp4", scratch);
    assert_int_equal(unlink(path), 0);
    board.shots[0].prompt = "a hill";
    board.shots[0].look = "old, film";
    run_heard(&run);
    expect_runs(1, 0, 0, 0, 1);
    assert_true(path_exists(path));
    assert_int_equal(run.result.delivered, 8);
}

static void a_failed_or_retried_stage_settles_when_it_is_done(void **state)
{
    struct fake_run run;
    enum verdict v;

    (void)state;
    board.shots[0].prompt = "a hill|Midnight";
    run_once();
    board.shots[0].prompt = "a hill|Noon";
    fake.fail_shot = "s000";
    fake.fail_stage = STAGE_ENHANCE;
    fake.fail_code = ERROR_MEDIA;
    fake.fail_times = 1;
    run_heard(&run);
    expect_runs(1, 0, 0, 0, 0);
    assert_int_equal(run.result.failed, 1);
    assert_int_equal(run.result.delivered, 7);
    assert_true(there("shots/s000/s000.mp4"));
    assert_int_equal(reason_of(0, STAGE_GENERATE, &v), REASON_EARLIER);
    fake.fail_code = ERROR_IO; /* transient: tried again in the same run */
    fake.fail_times = 1;
    run_heard(&run);
    expect_runs(2, 0, 0, 1, 1);
    assert_int_equal(run.result.delivered, 8);
    assert_int_equal(run.result.failed, 0);
}

/* The run ends between enhance and what follows: the next one knows what enhance made. */
static bool interrupted_after_enhance(void)
{
    return fake.runs[STAGE_ENHANCE] > 0;
}

static void a_run_that_ended_after_enhance_goes_on(void **state)
{
    struct fake_run run;
    enum verdict v;

    (void)state;
    board.shots[0].prompt = "a hill|Midnight";
    run_once();
    board.shots[0].prompt = "a hill|Noon";
    fake.step_us = 300000; /* longer than a tick: the interrupt is noticed while enhance runs */
    memset(fake.runs, 0, sizeof fake.runs);
    assert_int_equal(fake_begin(&run, &board, scratch), 0);
    run.execution.interrupted = interrupted_after_enhance;
    assert_int_equal(fake_execute(&run), 0);
    fake_end(&run);
    fake.step_us = 0;
    expect_runs(1, 0, 0, 0, 0);
    assert_true(run.result.interrupted);
    assert_int_equal(run.result.remaining, 1);
    assert_int_equal(run.result.delivered, 7);
    assert_int_equal(reason_of(0, STAGE_ENHANCE, &v), REASON_NONE);
    assert_int_equal(reason_of(0, STAGE_GENERATE, &v), REASON_NONE);
    assert_int_equal(reason_of(0, STAGE_COMPOSITE, &v), REASON_CHANGED);
    run_heard(&run);
    expect_runs(0, 0, 0, 1, 1);
    assert_int_equal(run.result.delivered, 8);
}

/* Everything but "timings" is the same when the same shot is made again elsewhere. */
static void sheets_are_stable_but_for_their_timings(void **state)
{
    json_t *sheets[2], *shot;
    char path[256];
    struct error e;

    (void)state;
    board.shots[1].sampler = "unipc";
    board.shots[1].motion = 20;
    for (int i = 0; i < 2; i++) {
        if (i)
            assert_int_equal(path_remove(scratch, &e), 0);
        run_once();
        snprintf(path, sizeof path, "%s/shots/s001/s001.json", scratch);
        sheets[i] = json_load_file(path, 0, NULL);
        assert_non_null(sheets[i]);
        assert_non_null(json_object_get(json_object_get(sheets[i], "timings"), "generate"));
        assert_int_equal(json_object_del(sheets[i], "timings"), 0);
    }
    assert_true(json_equal(sheets[0], sheets[1]));
    shot = json_object_get(sheets[0], "asked");
    assert_string_equal(json_string_value(json_object_get(shot, "prompt")), "a hill at dawn, 1");
    assert_string_equal(json_string_value(json_object_get(shot, "sampler")), "unipc");
    assert_int_equal(json_integer_value(json_object_get(shot, "motion")), 20);
    assert_null(json_object_get(shot, "shift"));
    assert_null(json_object_get(shot, "keyframe"));
    assert_true(json_is_true(json_object_get(
        json_object_get(json_object_get(json_object_get(sheets[0], "made"), "enhance"), "notes"),
        "enhanced")));
    json_decref(sheets[0]);
    json_decref(sheets[1]);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_board_is_delivered_and_then_there_is_nothing_to_do),
        ONE(an_overlay_edit_makes_titles_and_delivery_of_that_shot_again),
        ONE(reasons_and_changes_are_named),
        ONE(files_that_are_gone_or_altered_are_made_again),
        ONE(a_files_time_alone_makes_nothing_again),
        ONE(a_rotten_master_is_never_delivered_and_made_again),
        ONE(a_failure_stays_with_its_shot_and_is_tried_again_next_time),
        ONE(a_transient_failure_is_tried_again_at_once),
        ONE(a_failed_edit_keeps_the_film_that_was_delivered_before),
        ONE(a_model_that_does_not_load_fails_its_shots),
        ONE(a_failed_check_or_a_missing_source_stops_a_shot_before_any_work),
        ONE(only_some_shots_may_be_asked_for),
        ONE(the_pool_overlaps_the_engine),
        ONE(twins_do_not_disturb_each_other),
        ONE(an_interrupt_checkpoints_and_the_next_run_goes_on),
        ONE(lettering_of_the_prompt_never_generates_again),
        ONE(other_words_generate_again_and_keep_the_titles),
        ONE(what_makes_the_same_again_changes_nothing),
        ONE(a_lost_film_is_encoded_from_what_stands),
        ONE(a_failed_or_retried_stage_settles_when_it_is_done),
        ONE(a_run_that_ended_after_enhance_goes_on),
        ONE(sheets_are_stable_but_for_their_timings),
    };

    return cmocka_run_group_tests_name("executor", tests, NULL, NULL);
}
