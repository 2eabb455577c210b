/* Progress from events with a fake clock; the JSON stream against the schema in events.md; what a
 * terminal and a log see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <math.h>

#include "pipeline/progress/show.h"
#include "tests/pipeline/fake_stages.h"

enum { SHOTS = 8 };
static struct fake_board board;
static struct stage_env env;
static struct plan plan;
static double now;

/* Eight shots (six generated, two cards), all of which must run. */
static int set_up(void **state)
{
    struct plan_setup setup = {.stages = fake_stages, .env = &env, .dir = "/nowhere", .only = ""};
    struct error e;

    (void)state;
    fake_board_make(&board, SHOTS);
    env = (struct stage_env){.board = &board.board, .data_dir = "", .models_dir = "", .tier = ""};
    now = 1000;
    return plan_make(&plan, &setup, &e);
}

static int tear_down(void **state)
{
    (void)state;
    plan_free(&plan);
    return 0;
}

static void tell(struct show *s, void (*sink)(void *, const struct event *), struct event event)
{
    event.at = now;
    event.plan = &plan;
    event.shot_id = board.shots[event.shot].id;
    event.stage_name = fake_stages[event.stage]->name;
    sink(s, &event);
}

/* Runs one job of so many seconds, telling all about it. */
static void job(struct show *s, void (*sink)(void *, const struct event *), size_t shot,
                enum stage_id stage, double seconds)
{
    tell(s, sink,
         (struct event){.kind = EVENT_START,
                        .shot = shot,
                        .stage = stage,
                        .attempt = 1,
                        .reason = "failed before"});
    now += seconds;
    tell(s, sink,
         (struct event){.kind = EVENT_FINISH,
                        .shot = shot,
                        .stage = stage,
                        .attempt = 1,
                        .seconds = seconds,
                        .peak_kib = 2048});
}

static void silent(void *ctx, const struct event *event)
{
    progress_event(&((struct show *)ctx)->progress, event);
}

static struct show *begin(int jobs, const struct cost_table *costs,
                          void (*sink)(void *, const struct event *))
{
    static struct show s;
    static const struct cost_table nothing;

    s = (struct show){.out = stdout, .errors = stderr};
    progress_init(&s.progress, &env, fake_stages, jobs, costs ? costs : &nothing);
    if (sink == silent)
        tell(&s, sink, (struct event){.kind = EVENT_BEGIN});
    return &s;
}

/* What every stage costs a frame, as earlier runs had it; 24 frames a shot. */
static struct cost_table learnt(void)
{
    static const double a_shot[STAGES] = {1, 30, 6, 2, 4};
    struct cost_table t = {0};

    for (int stage = 0; stage < STAGES; stage++)
        for (int i = 0; i < 3; i++)
            cost_learn(&t, (enum stage_id)stage,
                       cost_tier(&t, ((const char *[]){"flagship", "previs", "title"})[i]), 240,
                       10 * a_shot[stage], false);
    return t;
}

static void nothing_is_promised_before_anything_is_known(void **state)
{
    struct show *s = begin(2, NULL, silent);

    (void)state;
    assert_true(isnan(progress_left(&s->progress, now, NULL)));
    job(s, silent, 0, STAGE_ENHANCE, 1);
    assert_true(isnan(progress_left(&s->progress, now, NULL)));
}

static void earlier_records_make_the_first_estimate(void **state)
{
    struct cost_table costs = learnt();
    struct show *s = begin(2, &costs, silent);
    /* engine: 6 generate and decode of generated shots; the pool: everything else over 8 shots */
    double engine = 6 * 36, pool = 6 * 1 + 2 * 6 + 8 * 2 + 8 * 4;

    (void)state;
    assert_true(fabs(progress_left(&s->progress, now, NULL) - (engine + pool / 8)) < 1e-6);
    assert_true(fabs(progress_stage_left(&s->progress, STAGE_GENERATE, now, NULL) - 180) < 1e-6);
}

static void this_run_corrects_earlier_ones(void **state)
{
    struct cost_table costs = learnt();
    struct show *s = begin(1, &costs, silent);

    (void)state;
    job(s, silent, 0, STAGE_GENERATE, 60); /* flagship: twice as slow as it was; previs waits */
    assert_true(fabs(progress_stage_left(&s->progress, STAGE_GENERATE, now, NULL) -
                     (3 * 60 + 2 * 30)) < 1e-6);
    job(s, silent, 1, STAGE_GENERATE, 60);
    assert_true(fabs(progress_stage_left(&s->progress, STAGE_GENERATE, now, NULL) - (3 * 60 + 60)) <
                1e-6);
}

static void a_step_count_tells_how_far_a_job_is(void **state)
{
    struct show *s = begin(1, NULL, silent);
    size_t flagship = 0;

    (void)state;
    /* Only shots 0, 2, 4, 6 are of one tier and generated; let the others be over. */
    for (size_t i = 0; i < SHOTS; i++)
        flagship += board.shots[i].kind == SHOT_GENERATED && i % 2 == 0;
    for (size_t i = 1; i < SHOTS; i += 2)
        if (board.shots[i].kind == SHOT_GENERATED)
            job(s, silent, i, STAGE_GENERATE, 5);
    tell(s, silent, (struct event){.kind = EVENT_START, .shot = 0, .stage = STAGE_GENERATE});
    now += 10;
    tell(s, silent,
         (struct event){.kind = EVENT_PROGRESS,
                        .shot = 0,
                        .stage = STAGE_GENERATE,
                        .done = 5,
                        .total = 20,
                        .unit = "step"});
    assert_true(fabs(progress_stage_left(&s->progress, STAGE_GENERATE, now, NULL) -
                     (40.0 * (double)flagship - 10)) < 1e-6);
}

static void a_failure_takes_its_later_stages_off_the_bill(void **state)
{
    struct cost_table costs = learnt();
    struct show *s = begin(1, &costs, silent);
    struct error e = {.code = ERROR_MODEL, .text = "no"};
    double before;

    (void)state;
    before = progress_left(&s->progress, now, NULL);
    tell(s, silent, (struct event){.kind = EVENT_START, .shot = 0, .stage = STAGE_GENERATE});
    tell(s, silent,
         (struct event){.kind = EVENT_FAILED, .shot = 0, .stage = STAGE_GENERATE, .error = &e});
    assert_true(progress_left(&s->progress, now, NULL) < before - 35);
    assert_int_equal(s->progress.failed, 1);
    assert_int_equal(s->progress.stage[STAGE_DECODE].failed, 1);
    assert_int_equal(s->progress.stage[STAGE_COMPOSITE].failed, 0);
    assert_int_equal(s->progress.stage[STAGE_ENCODE].failed, 1);
}

static void what_turns_out_to_be_fresh_is_off_the_bill(void **state)
{
    struct cost_table costs = learnt();
    struct show *s = begin(1, &costs, silent);

    (void)state;
    for (size_t i = 0; i < SHOTS; i++)
        if (board.shots[i].kind == SHOT_GENERATED)
            tell(s, silent,
                 (struct event){.kind = EVENT_FRESH, .shot = i, .stage = STAGE_GENERATE});
    assert_int_equal(s->progress.stage[STAGE_GENERATE].total, 0);
    assert_true(progress_stage_left(&s->progress, STAGE_GENERATE, now, NULL) == 0);
    assert_int_equal(s->progress.stage[STAGE_DECODE].total, 8);
    assert_int_equal(s->progress.failed, 0);
}

static void step(struct show *s, void (*sink)(void *, const struct event *), size_t shot,
                 double done, double total)
{
    tell(s, sink,
         (struct event){.kind = EVENT_PROGRESS,
                        .shot = shot,
                        .stage = STAGE_GENERATE,
                        .done = done,
                        .total = total,
                        .unit = "step"});
}

/* Nothing was ever made here: two steps of the first job tell what all generating costs, and the
 * stages that were never measured are guessed beside it. */
static void a_first_run_knows_its_length_after_a_few_steps(void **state)
{
    struct show *s = begin(2, NULL, silent);
    double left, before;
    bool about;

    (void)state;
    job(s, silent, 0, STAGE_ENHANCE, 0.01);
    tell(s, silent, (struct event){.kind = EVENT_START, .shot = 0, .stage = STAGE_GENERATE});
    now += 5; /* the first step is slower than the others */
    step(s, silent, 0, 1, 20);
    assert_false(isnan(progress_left(&s->progress, now, NULL)));
    now += 2;
    step(s, silent, 0, 2, 20);
    /* Six shots of 20 steps of 2 s, less two; the tier not begun yet is taken for like. */
    assert_true(fabs(progress_stage_left(&s->progress, STAGE_GENERATE, now, &about) - 236) < 1e-6);
    assert_true(about);
    left = progress_left(&s->progress, now, &about);
    assert_true(left > 236 + 12 && left < 1.5 * 236); /* a tenth for decoding, and the pool's */
    for (int i = 3; i <= 20; i++) {
        before = left;
        now += 1;
        assert_true(progress_left(&s->progress, now, NULL) < before); /* falls between steps too */
        now += 1;
        step(s, silent, 0, i, 20);
        left = progress_left(&s->progress, now, NULL);
        assert_true(left < before);
    }
    job(s, silent, 1, STAGE_GENERATE, 40);
    for (size_t shot = 0; shot < 2; shot++)
        for (int stage = STAGE_DECODE; stage < STAGES; stage++)
            job(s, silent, shot, (enum stage_id)stage, 0.5);
    progress_stage_left(&s->progress, STAGE_GENERATE, now, &about);
    assert_false(about);
    progress_left(&s->progress, now, &about);
    assert_false(about);
}

/* It stood at step 15 at once: that tells nothing of how long a step takes. */
static void a_checkpoint_is_not_taken_for_speed(void **state)
{
    struct show *s = begin(1, NULL, silent);
    struct event start = {.kind = EVENT_START, .shot = 0, .stage = STAGE_GENERATE, .attempt = 2};

    (void)state;
    tell(s, silent, start);
    now += 1;
    step(s, silent, 0, 15, 20);
    assert_true(isnan(progress_left(&s->progress, now, NULL)));
    now += 3;
    step(s, silent, 0, 16, 20);
    assert_true(fabs(progress_stage_left(&s->progress, STAGE_GENERATE, now, NULL) -
                     (6 * 60 - 16 * 3)) < 1e-6);
}

static void durations_read_well(void **state)
{
    char text[24];

    (void)state;
    duration_text(0.4, text);
    assert_string_equal(text, "0.4 s");
    duration_text(59.4, text);
    assert_string_equal(text, "59 s");
    duration_text(125, text);
    assert_string_equal(text, "2:05");
    duration_text(3723, text);
    assert_string_equal(text, "1:02:03");
    duration_text(NAN, text);
    assert_string_equal(text, "");
}

static const struct note notes[] = {
    {NOTE_GRAPH, NOTE_ACTIVE, "HOPPER_ENGINE", "CUDA Graph Captured (Decoding Latency Optimized)."},
    {NOTE_TILES, NOTE_ACTIVE, "HOPPER_ENGINE",
     "Optimized Tile Size: 1280x1280 based on 16GB VRAM."},
    {NOTE_TILES, NOTE_ACTIVE, "HOPPER_ENGINE", "Optimized Tile Size: 640x640 based on 16GB VRAM."},
    {NOTE_FP8, NOTE_OFF, "HOPPER_ENGINE", "--precision bf16"},
    {NOTE_CUDNN, NOTE_UNAVAILABLE, "HOPPER_ENGINE", "libcudnn.so.9: no such file"}};

/* A short run with one of every event, into memory. */
static char *play_verbose(void (*sink)(void *, const struct event *), int columns, bool verbose,
                          char **errors)
{
    struct cost_table costs = learnt();
    struct error e = {.code = ERROR_MEDIA, .text = "the clip ends early"};
    struct execution_result result = {.shots = 8, .delivered = 7, .failed = 1, .made = 3};
    struct show *s = begin(2, &costs, sink);
    char *out = NULL;
    size_t size, errors_size;

    s->out = open_memstream(&out, &size);
    s->errors = open_memstream(errors, &errors_size);
    s->columns = columns;
    s->verbose = verbose;
    tell(s, sink, (struct event){.kind = EVENT_BEGIN});
    tell(s, sink,
         (struct event){.kind = EVENT_BROKEN, .shot = 3, .stage = STAGE_COMPOSITE, .error = &e});
    job(s, sink, 0, STAGE_ENHANCE, 1);
    tell(s, sink,
         (struct event){
             .kind = EVENT_OPEN, .stage = STAGE_GENERATE, .group = "flagship", .count = 3});
    tell(s, sink, (struct event){.kind = EVENT_TICK});
    for (int i = 1; i <= 4; i++) {
        now += 3;
        tell(s, sink,
             (struct event){.kind = EVENT_LOADING,
                            .stage = STAGE_GENERATE,
                            .done = 6.4e9 * i,
                            .total = 25.6e9});
        tell(s, sink, (struct event){.kind = EVENT_TICK});
    }
    tell(s, sink,
         (struct event){.kind = EVENT_MENDED,
                        .stage = STAGE_GENERATE,
                        .text = "out of GPU memory: weights are streamed from the host"});
    tell(s, sink,
         (struct event){.kind = EVENT_OPENED,
                        .stage = STAGE_GENERATE,
                        .group = "flagship",
                        .count = 3,
                        .seconds = 2.5});
    tell(s, sink,
         (struct event){.kind = EVENT_START,
                        .shot = 0,
                        .stage = STAGE_GENERATE,
                        .attempt = 1,
                        .reason = "never made"});
    for (int i = 1; i <= 3; i++) {
        now += 2;
        tell(s, sink,
             (struct event){.kind = EVENT_PROGRESS,
                            .shot = 0,
                            .stage = STAGE_GENERATE,
                            .done = i,
                            .total = 20,
                            .unit = "step"});
        tell(s, sink, (struct event){.kind = EVENT_TICK});
    }
    tell(s, sink,
         (struct event){.kind = EVENT_FAILED,
                        .shot = 0,
                        .stage = STAGE_GENERATE,
                        .attempt = 1,
                        .seconds = 6,
                        .error = &e,
                        .retry = true});
    job(s, sink, 0, STAGE_GENERATE, 30);
    tell(s, sink, (struct event){.kind = EVENT_FRESH, .shot = 2, .stage = STAGE_GENERATE});
    tell(s, sink, (struct event){.kind = EVENT_DELIVERED, .shot = 0, .stage = STAGE_ENCODE});
    for (int i = 0; i < 2; i++) /* of two devices */
        for (size_t k = 0; k < sizeof notes / sizeof *notes; k++)
            tell(s, sink,
                 (struct event){.kind = EVENT_NOTE, .stage = STAGE_DECODE, .note = &notes[k]});
    tell(s, sink, (struct event){.kind = EVENT_INTERRUPT});
    tell(s, sink, (struct event){.kind = EVENT_TICK});
    tell(s, sink, (struct event){.kind = EVENT_END, .result = &result});
    fclose(s->out);
    fclose(s->errors);
    return out;
}

static char *play(void (*sink)(void *, const struct event *), int columns, char **errors)
{
    return play_verbose(sink, columns, false, errors);
}

/* The fenced JSON of events.md. */
static json_t *documented(void)
{
    struct error e;
    char *text, *from, *to;
    size_t size;
    json_t *schema;

    assert_int_equal(file_read("pipeline/events.md", 1 << 20, &text, &size, &e), 0);
    from = strstr(text, "```json\n");
    assert_non_null(from);
    from += strlen("```json\n");
    to = strstr(from, "```");
    assert_non_null(to);
    schema = json_loadb(from, (size_t)(to - from), 0, NULL);
    assert_non_null(schema);
    free(text);
    return schema;
}

static bool is_of_type(const json_t *value, const char *type)
{
    if (strcmp(type, "number|null") == 0)
        return json_is_null(value) || json_is_number(value);
    if (strcmp(type, "number") == 0)
        return json_is_number(value);
    if (strcmp(type, "integer") == 0)
        return json_is_integer(value);
    if (strcmp(type, "boolean") == 0)
        return json_is_boolean(value);
    if (strcmp(type, "object") == 0)
        return json_is_object(value);
    return json_is_string(value);
}

static void the_event_stream_is_as_documented(void **state)
{
    json_t *schema = documented();
    char *errors, *out = play(show_json, 0, &errors), *rest = out, *line;
    json_t *seen = json_object();

    (void)state;
    while ((line = strsep(&rest, "\n")) && *line) {
        json_t *event = json_loads(line, 0, NULL), *fields, *type;
        const char *name, *kind;

        assert_non_null(event);
        kind = json_string_value(json_object_get(event, "event"));
        assert_non_null(kind);
        assert_true(json_is_number(json_object_get(event, "time")));
        fields = json_object_get(schema, kind);
        if (!fields)
            fail_msg("%s is not documented", kind);
        json_object_foreach(fields, name, type) if (!is_of_type(json_object_get(event, name),
                                                                json_string_value(type)))
            fail_msg("%s.%s is not a %s: %s", kind, name, json_string_value(type), line);
        assert_int_equal(json_object_size(event), json_object_size(fields) + 2);
        json_object_set_new(seen, kind, json_true());
        json_decref(event);
    }
    assert_int_equal(json_object_size(seen), json_object_size(schema)); /* every kind came */
    json_decref(seen);
    assert_string_equal(errors, "");
    json_decref(schema);
    free(errors);
    free(out);
}

static void json_tells_progress_once_a_second_at_most(void **state)
{
    struct show *s = begin(1, NULL, show_json);
    char *out = NULL;
    size_t size, lines = 0;

    (void)state;
    s->out = open_memstream(&out, &size);
    tell(s, show_json, (struct event){.kind = EVENT_BEGIN});
    for (size_t shot = 0; shot < 2; shot++)
        tell(s, show_json,
             (struct event){
                 .kind = EVENT_START, .shot = shot, .stage = STAGE_GENERATE, .reason = "never"});
    for (int i = 1; i <= 20; i++) {
        now += 0.1;
        for (size_t shot = 0; shot < 2; shot++)
            step(s, show_json, shot, i, 20);
    }
    fclose(s->out);
    for (const char *p = out; (p = strstr(p, "\"progress\"")); p++)
        lines++;
    assert_int_equal(lines, 4); /* two jobs, two seconds */
    free(out);
}

static void a_log_has_a_line_for_a_start_and_a_finish(void **state)
{
    char *errors, *out = play(show_plain, 0, &errors);

    (void)state;
    assert_non_null(strstr(out, "start  s000 generate (never made)\n"));
    assert_non_null(strstr(out, "done   s000 generate, 30.0 s, 2 MiB"));
    assert_null(strstr(out, "\033"));
    assert_non_null(strstr(errors, "FAILED s003: the clip ends early\n"));
    assert_non_null(strstr(errors, "again  s000 generate: the clip ends early\n"));
    assert_null(strstr(out, "6.4 of 25.6 GB")); /* not every tick */
    assert_non_null(strstr(out, "load   generate 12.8 of 25.6 GB\n"));
    assert_non_null(strstr(errors, "mended generate: out of GPU memory: weights are streamed"));
    free(errors);
    free(out);
}

static void a_terminal_line_never_wraps(void **state)
{
    static const int widths[] = {20, 40, 80, 200};

    (void)state;
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        char *errors, *out = play(show_terminal, widths[i], &errors);
        int column = 0;
        bool escape = false;

        for (const char *p = out; *p; p++) {
            if (*p == '\033')
                escape = true;
            else if (escape)
                escape = !((*p >= 'A' && *p <= 'Z') || *p == 'm');
            else if (*p == '\n' || *p == '\r')
                column = 0;
            else
                assert_true(++column < widths[i]);
        }
        if (widths[i] == 200)
            assert_true(strstr(out, "s000 step 3/20") &&
                        strstr(out, "loading the model, 19.2 of 25.6 GB"));
        assert_non_null(strstr(errors, "FAILED s003: the clip ends early\n"));
        free(errors);
        free(out);
    }
}

static size_t times(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *p = text; (p = strstr(p, part)); p++)
        n++;
    return n;
}

/* With -v each line stands once, whole, and nowhere without it; the stream has them always. */
static void what_took_effect_is_said_once(void **state)
{
    static const char *const lines[] = {
        "[HOPPER_ENGINE] CUDA Graph Captured (Decoding Latency Optimized).\n",
        "[HOPPER_ENGINE] Optimized Tile Size: 1280x1280 based on 16GB VRAM.\n",
        "[HOPPER_ENGINE] Optimized Tile Size: 640x640 based on 16GB VRAM.\n",
        "[HOPPER_ENGINE] FP8 Path Switched Off: --precision bf16\n",
        "[HOPPER_ENGINE] cuDNN Unavailable: libcudnn.so.9: no such file\n"};
    void (*const sinks[])(void *, const struct event *) = {show_plain, show_terminal};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *errors, *out = play_verbose(sinks[i], 200, true, &errors);

        for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
            assert_int_equal(times(out, lines[k]), 1);
        assert_int_equal(times(errors, "ENGINE"), 0);
        free(errors);
        free(out);
        out = play(sinks[i], 200, &errors);
        assert_int_equal(times(out, "ENGINE"), 0);
        free(errors);
        free(out);
    }
    char *errors, *out = play(show_json, 0, &errors);
    assert_int_equal(times(out, "\"event\":\"note\""), 5);
    assert_int_equal(
        times(out, "\"topic\":\"fp8\",\"state\":\"off\",\"text\":\"--precision bf16\""), 1);
    free(errors);
    free(out);
}

static void the_summary_names_what_took_effect_and_what_did_not(void **state)
{
    static struct heard heard;
    const struct note cpu = {NOTE_DEVICE, NOTE_ACTIVE, "CPU_ENGINE", "AVX2 Kernels Activated."};
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);

    (void)state;
    heard_summary(f, &heard);
    fflush(f);
    assert_int_equal(size, 0);
    for (size_t k = 0; k < sizeof notes / sizeof *notes; k++)
        assert_non_null(heard_note(&heard, &notes[k]));
    assert_null(heard_note(&heard, &notes[1]));
    assert_non_null(heard_note(&heard, &cpu));
    heard_summary(f, &heard);
    fclose(f);
    assert_string_equal(out, "[HOPPER_ENGINE] Summary: Active: CUDA Graph, Tile Size\n"
                             "[HOPPER_ENGINE] Summary: Switched Off: FP8 Path (--precision bf16)\n"
                             "[HOPPER_ENGINE] Summary: Unavailable: cuDNN (libcudnn.so.9: no such "
                             "file)\n"
                             "[CPU_ENGINE] Summary: Active: Device\n");
    free(out);
}

/* What does not fit is left out, not cut: "12.5 shot" would be another figure. */
static void a_narrow_terminal_shows_whole_figures(void **state)
{
    char *out = NULL;
    size_t size;

    (void)state;
    for (int width = 24; width <= 90; width++) {
        struct show *s = begin(1, NULL, show_terminal);

        s->out = open_memstream(&out, &size);
        s->columns = width;
        tell(s, show_terminal, (struct event){.kind = EVENT_BEGIN});
        job(s, show_terminal, 0, STAGE_ENHANCE, 0.001);
        job(s, show_terminal, 0, STAGE_GENERATE, 0.2);
        tell(s, show_terminal, (struct event){.kind = EVENT_TICK});
        fclose(s->out);
        assert_non_null(strstr(out, "1/6"));
        if (strstr(out, "5.0 s"))
            assert_non_null(strstr(out, "5.0 shots/s"));
        assert_true(width < 40 || strstr(out, "5.0 shots/s"));
        assert_null(strstr(out, "1000"));
        free(out);
    }
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(what_took_effect_is_said_once),
        ONE(the_summary_names_what_took_effect_and_what_did_not),
        ONE(nothing_is_promised_before_anything_is_known),
        ONE(earlier_records_make_the_first_estimate),
        ONE(this_run_corrects_earlier_ones),
        ONE(a_step_count_tells_how_far_a_job_is),
        ONE(a_first_run_knows_its_length_after_a_few_steps),
        ONE(a_checkpoint_is_not_taken_for_speed),
        ONE(a_failure_takes_its_later_stages_off_the_bill),
        ONE(what_turns_out_to_be_fresh_is_off_the_bill),
        ONE(durations_read_well),
        ONE(the_event_stream_is_as_documented),
        ONE(json_tells_progress_once_a_second_at_most),
        ONE(a_log_has_a_line_for_a_start_and_a_finish),
        ONE(a_terminal_line_never_wraps),
        ONE(a_narrow_terminal_shows_whole_figures),
    };

    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
