/* The enhance and generate stages under a small executor of the test's own: same inputs, same
 * bytes; an interrupted shot goes on bit for bit; a checkpoint that cannot be used costs only time.
 * The model is the fixture's, as the board's flagship. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "kernels/base/strbuf.h"
#include "kernels/load_watch.h"
#include "stages/enhance.h"
#include "stages/generate/latents.h"
#include "stages/stage.h"

#define FIXTURE "tests/fixtures/wan2.2-t2v-a14b"
enum { STEPS = 5 };

/* ---- the executor */

struct fake {
    struct stage_job job;
    struct arena arena;
    struct artefact made[4]; /* bytes copied, so that they outlive the job */
    size_t made_count;
    const struct fake *earlier; /* the job of the stage before */
    int cancel_after;           /* units of progress; 0: never */
    double done;
    uint8_t *checkpoint;
    size_t checkpoint_size;
    int saves;
};

static const struct artefact *find_made(const struct fake *f, const char *name)
{
    for (size_t i = 0; i < f->made_count; i++)
        if (strcmp(f->made[i].name, name) == 0)
            return &f->made[i];
    return NULL;
}

static const struct artefact *fake_input(struct stage_job *job, enum stage_id stage,
                                         const char *name)
{
    const struct fake *f = job->executor;
    (void)stage;
    return f->earlier ? find_made(f->earlier, name) : NULL;
}

static int fake_output(struct stage_job *job, const struct artefact *a, struct error *e)
{
    struct fake *f = job->executor;
    (void)e;
    assert_true(f->made_count < 4);
    f->made[f->made_count] = *a;
    void *copy = malloc(a->size + 1);
    assert_non_null(copy);
    memcpy(copy, a->bytes, a->size);
    f->made[f->made_count++].bytes = copy;
    return 0;
}

static void fake_progress(struct stage_job *job, double done, double total, const char *unit)
{
    struct fake *f = job->executor;
    assert_true(done <= total);
    assert_non_null(unit);
    f->done = done;
}

static bool fake_cancelled(const struct stage_job *job)
{
    const struct fake *f = job->executor;
    return f->cancel_after > 0 && f->done >= f->cancel_after;
}

static const void *fake_load(struct stage_job *job, size_t *size)
{
    const struct fake *f = job->executor;
    *size = f->checkpoint_size;
    return f->checkpoint;
}

static int fake_save(struct stage_job *job, const void *bytes, size_t size, struct error *e)
{
    struct fake *f = job->executor;
    (void)e;
    free(f->checkpoint);
    f->checkpoint = malloc(size);
    assert_non_null(f->checkpoint);
    memcpy(f->checkpoint, bytes, size);
    f->checkpoint_size = size;
    f->saves++;
    return 0;
}

static json_t *enhanced_note; /* the first shot's "enhanced" */

static void fake_note(struct stage_job *job, const char *name, const char *json)
{
    json_error_t why;
    json_t *value = json_loads(json, JSON_DECODE_ANY, &why);
    (void)job;
    if (!value)
        fail_msg("note %s is no JSON: %s", name, json);
    if (strcmp(name, "enhanced") == 0 && !enhanced_note)
        enhanced_note = value;
    else
        json_decref(value);
}

static void fake_make(struct fake *f, const struct stage_env *env, const struct shot *shot,
                      const struct fake *earlier)
{
    *f = (struct fake){.earlier = earlier};
    f->job = (struct stage_job){.env = env,
                                .shot = shot,
                                .arena = &f->arena,
                                .workdir = "/nonexistent",
                                .input = fake_input,
                                .output = fake_output,
                                .progress = fake_progress,
                                .cancelled = fake_cancelled,
                                .checkpoint_load = fake_load,
                                .checkpoint_save = fake_save,
                                .note = fake_note,
                                .executor = f};
}

static void fake_drop(struct fake *f)
{
    for (size_t i = 0; i < f->made_count; i++)
        free((void *)f->made[i].bytes);
    free(f->checkpoint);
    arena_free(&f->arena);
}

/* Runs the job again from nothing but its checkpoint. */
static void fake_again(struct fake *f)
{
    for (size_t i = 0; i < f->made_count; i++)
        free((void *)f->made[i].bytes);
    f->made_count = 0;
    f->done = f->cancel_after = 0;
    arena_free(&f->arena);
}

static const struct artefact *group_input(const struct stage_group *group, size_t index,
                                          enum stage_id stage, const char *name)
{
    const struct fake *f = group->executor;
    assert_int_equal(stage, STAGE_ENHANCE);
    return find_made(&f[index], name);
}

static bool group_goes_on(const struct stage_group *group)
{
    (void)group;
    return false;
}

static bool group_stops(const struct stage_group *group)
{
    (void)group;
    return true;
}

static int identify(void *ctx, const char *path, struct hash128 *out, struct error *e)
{
    (void)ctx;
    if (!path_exists(path))
        return error_set(e, ERROR_IO, "no %s", path);
    *out = hash_bytes(path, strlen(path));
    return 0;
}

/* ---- a board of two shots */

static struct model_path models[] = {{.tier = "flagship", .path = FIXTURE}};
static struct board board = {
    .width = 64, .height = 48, .fps = {24, 1}, .models = models, .model_count = 1};
static struct stage_env env = {.board = &board,
                               .data_dir = "prompts", /* where lexicon.yaml is */
                               .models_dir = "",
                               .tier = "",
                               .device = {.threads = 2},
                               .identify = identify};
static struct shot shots[] = {
    {.id = "1",
     .tier = "flagship",
     .prompt = "A frigate at dawn with the title \"THE LONG WATCH\"",
     .negative = "",
     .look = "",
     .camera = "static camera",
     .seed = 11,
     .frames = 7,
     .steps = STEPS,
     .guidance = -1,
     .guidance_2 = -1,
     .sampler = "",
     .step_cache = "",
     .noise = -1,
     .keyframe = ""},
    {.id = "2",
     .tier = "flagship",
     .prompt = "Sunset over mountains",
     .negative = "people",
     .look = "noir",
     .camera = "",
     .seed = UINT64_MAX,
     .frames = 1,
     .steps = STEPS,
     .guidance = 1,
     .guidance_2 = -1,
     .sampler = "",
     .step_cache = "",
     .noise = -1,
     .keyframe = ""},
};
static struct fake enhanced[2];

static int enhance_all(void **state)
{
    (void)state;
    const struct shot *list[] = {&shots[0], &shots[1]};
    struct stage_group group = {.env = &env,
                                .name = "flagship",
                                .shots = list,
                                .count = 2,
                                .input = group_input,
                                .cancelled = group_goes_on,
                                .executor = enhanced};
    struct error e = {0};
    void *session = NULL;
    int rc = stage_enhance.open(&group, &session, &e);
    for (int i = 0; i < 2 && rc == 0; i++) {
        fake_make(&enhanced[i], &env, &shots[i], NULL);
        rc = stage_enhance.run(session, &enhanced[i].job, &e);
    }
    stage_enhance.close(session);
    if (rc != 0)
        print_error("%s\n", e.text);
    return rc;
}

static int drop_all(void **state)
{
    (void)state;
    json_decref(enhanced_note);
    fake_drop(&enhanced[0]);
    fake_drop(&enhanced[1]);
    return 0;
}

static void *open_generate(void)
{
    const struct shot *list[] = {&shots[0], &shots[1]};
    struct stage_group group = {.env = &env,
                                .name = "flagship",
                                .shots = list,
                                .count = 2,
                                .input = group_input,
                                .cancelled = group_goes_on,
                                .executor = enhanced};
    struct error e = {0};
    void *session = NULL;
    if (stage_generate.open(&group, &session, &e) != 0)
        fail_msg("%s", e.text);
    return session;
}

/* ---- tests */

/* What enhance made under this name; the caller lets go of it. */
static json_t *made_json(const char *name)
{
    const struct artefact *a = find_made(&enhanced[0], name);
    json_error_t why;
    assert_non_null(a);
    return json_loadb(a->bytes, a->size, 0, &why);
}

static void enhance_tells_all_and_hands_each_reader_its_part(void **state)
{
    (void)state;
    json_t *root = enhanced_note;
    json_t *prompts = made_json("prompt.json"), *lettering = made_json("lettering.json");
    assert_non_null(root);
    assert_int_equal(json_object_size(prompts), 2);
    assert_true(json_equal(json_object_get(prompts, "prompt"), json_object_get(root, "prompt")));
    assert_true(
        json_equal(json_object_get(prompts, "negative"), json_object_get(root, "negative")));
    assert_int_equal(json_object_size(lettering), 1);
    assert_true(
        json_equal(json_object_get(lettering, "overlays"), json_object_get(root, "overlays")));
    json_decref(prompts);
    json_decref(lettering);
    assert_string_equal(json_string_value(json_object_get(root, "original")), shots[0].prompt);
    const char *prompt = json_string_value(json_object_get(root, "prompt"));
    assert_ptr_equal(strstr(prompt, "A frigate at dawn, static camera"), prompt);
    assert_null(strstr(prompt, "WATCH"));
    assert_non_null(strstr(json_string_value(json_object_get(root, "negative")), "watermark"));
    json_t *overlay = json_array_get(json_object_get(root, "overlays"), 0);
    assert_string_equal(json_string_value(json_object_get(overlay, "style")), "title");
    assert_string_equal(json_string_value(json_object_get(overlay, "text")), "THE LONG WATCH");
    assert_true(json_integer_value(json_object_get(root, "prompt_tokens")) > 5);
    assert_int_equal(json_integer_value(json_object_get(root, "limit")), 512);
    assert_true(json_array_size(json_object_get(root, "notes")) > 0);
}

static void same_inputs_give_the_same_latents(void **state)
{
    (void)state;
    struct error e = {0};
    struct fake first, second, still;
    void *session = open_generate();
    fake_make(&first, &env, &shots[0], &enhanced[0]);
    fake_make(&second, &env, &shots[0], &enhanced[0]);
    fake_make(&still, &env, &shots[1], &enhanced[1]);
    assert_int_equal(stage_generate.run(session, &first.job, &e), 0);
    assert_int_equal(stage_generate.run(session, &still.job, &e), 0);
    assert_int_equal(stage_generate.run(session, &second.job, &e), 0);
    assert_int_equal(first.made_count, 1);
    assert_int_equal(first.made[0].size, second.made[0].size);
    assert_memory_equal(first.made[0].bytes, second.made[0].bytes, first.made[0].size);
    struct arena a = {0};
    struct tensor l;
    assert_int_equal(latents_read(first.made[0].bytes, first.made[0].size, &a, &l, &e), 0);
    assert_true(l.shape[0] == 16 && l.shape[1] == 3 && l.shape[2] == 6 && l.shape[3] == 8);
    assert_int_equal(latents_read(still.made[0].bytes, still.made[0].size, &a, &l, &e), 0);
    assert_int_equal(l.shape[1], 1);
    arena_free(&a);
    fake_drop(&first);
    fake_drop(&second);
    fake_drop(&still);
    stage_generate.close(session);
}

static void interrupted_shots_go_on_bit_for_bit(void **state)
{
    (void)state;
    struct error e = {0};
    struct fake whole, cut;
    void *session = open_generate();
    fake_make(&whole, &env, &shots[0], &enhanced[0]);
    assert_int_equal(stage_generate.run(session, &whole.job, &e), 0);
    for (int after = 1; after <= STEPS; after++) {
        fake_make(&cut, &env, &shots[0], &enhanced[0]);
        cut.cancel_after = after;
        error_clear(&e);
        assert_int_equal(stage_generate.run(session, &cut.job, &e), -1);
        assert_int_equal(e.code, ERROR_CANCELLED);
        assert_true(cut.done == after);
        assert_int_equal(cut.saves, 1);
        stage_generate.close(session); /* another process, as it were */
        session = open_generate();
        fake_again(&cut);
        error_clear(&e);
        assert_int_equal(stage_generate.run(session, &cut.job, &e), 0);
        assert_memory_equal(cut.made[0].bytes, whole.made[0].bytes, whole.made[0].size);
        fake_drop(&cut);
    }
    fake_drop(&whole);
    stage_generate.close(session);
}

/* Bytes of weights that this thread has loaded. */
static void watch_load(void *ctx, size_t done, size_t total)
{
    (void)total;
    *(size_t *)ctx = done;
}

/* Both through the first expert, then both through the second: what they make alone, and the second
 * is loaded once. */
static void shots_go_through_one_expert_after_the_other(void **state)
{
    (void)state;
    struct error e = {0}, errors[2] = {0};
    struct fake alone[2], together[2];
    struct arena a = {0};
    size_t one = 0, both = 0, most = 0;
    void *session = open_generate();
    fake_make(&alone[0], &env, &shots[0], &enhanced[0]);
    load_watch(watch_load, &one);
    assert_int_equal(stage_generate.run(session, &alone[0].job, &e), 0);
    load_watch(NULL, NULL);
    assert_true(one > 0); /* the second expert */
    fake_make(&alone[1], &env, &shots[1], &enhanced[1]);
    assert_int_equal(stage_generate.run(session, &alone[1].job, &e), 0);
    stage_generate.close(session);

    const char *number = stage_generate.batch(&env, &shots[0], &a, &most);
    assert_non_null(number);
    assert_string_equal(stage_generate.batch(&env, &shots[1], &a, &most), number);
    assert_true(most >= 2);
    session = open_generate();
    for (int i = 0; i < 2; i++)
        fake_make(&together[i], &env, &shots[i], &enhanced[i]);
    struct stage_job *const jobs[] = {&together[0].job, &together[1].job};
    load_watch(watch_load, &both);
    stage_generate.run_batch(session, jobs, 2, errors);
    load_watch(NULL, NULL);
    assert_int_equal(both, one);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(errors[i].code, ERROR_NONE);
        assert_int_equal(together[i].saves, 1); /* where the experts change */
        assert_int_equal(together[i].made[0].size, alone[i].made[0].size);
        assert_memory_equal(together[i].made[0].bytes, alone[i].made[0].bytes,
                            alone[i].made[0].size);
        fake_drop(&alone[i]);
        fake_drop(&together[i]);
    }
    stage_generate.close(session);
    arena_free(&a);
}

static void unusable_checkpoints_cost_only_time(void **state)
{
    (void)state;
    struct error e = {0};
    struct fake whole, cut;
    void *session = open_generate();
    fake_make(&whole, &env, &shots[0], &enhanced[0]);
    assert_int_equal(stage_generate.run(session, &whole.job, &e), 0);
    fake_make(&cut, &env, &shots[0], &enhanced[0]);
    cut.cancel_after = 2;
    assert_int_equal(stage_generate.run(session, &cut.job, &e), -1);
    size_t size = cut.checkpoint_size;
    const size_t shorter[] = {0, 1, 23, 24, size / 2, size - 1};
    for (size_t i = 0; i < sizeof shorter / sizeof *shorter; i++) {
        fake_again(&cut);
        cut.checkpoint_size = shorter[i];
        error_clear(&e);
        assert_int_equal(stage_generate.run(session, &cut.job, &e), 0);
        assert_memory_equal(cut.made[0].bytes, whole.made[0].bytes, whole.made[0].size);
    }
    fake_again(&cut);
    cut.checkpoint_size = size;
    cut.checkpoint[3] ^= 1; /* the version's magic */
    assert_int_equal(stage_generate.run(session, &cut.job, &e), 0);
    assert_memory_equal(cut.made[0].bytes, whole.made[0].bytes, whole.made[0].size);
    fake_drop(&cut);
    fake_drop(&whole);
    stage_generate.close(session);
}

static void opening_can_be_interrupted(void **state)
{
    (void)state;
    const struct shot *list[] = {&shots[0]};
    struct stage_group group = {.env = &env,
                                .name = "flagship",
                                .shots = list,
                                .count = 1,
                                .input = group_input,
                                .cancelled = group_stops,
                                .executor = enhanced};
    struct error e = {0};
    void *session = NULL;
    assert_int_equal(stage_generate.open(&group, &session, &e), -1);
    assert_int_equal(e.code, ERROR_CANCELLED);
    assert_null(session);
    stage_generate.close(NULL);
    stage_enhance.close(NULL);
}

/* What describe() names, as one text. */
struct listing {
    struct inputs in;
    struct strbuf text;
};

static void list_text(struct inputs *in, const char *name, const char *value)
{
    strbuf_addf(&((struct listing *)in)->text, "%s=%s\n", name, value);
}

static void list_number(struct inputs *in, const char *name, double value)
{
    strbuf_addf(&((struct listing *)in)->text, "%s=%.17g\n", name, value);
}

static void list_integer(struct inputs *in, const char *name, int64_t value)
{
    strbuf_addf(&((struct listing *)in)->text, "%s=%lld\n", name, (long long)value);
}

static void list_digest(struct inputs *in, const char *name, struct hash128 value)
{
    char hex[HASH_HEX_SIZE];
    hash_hex(value, hex);
    strbuf_addf(&((struct listing *)in)->text, "%s=%s\n", name, hex);
}

static char *describe(const struct stage *stage, const struct shot *shot)
{
    struct listing l = {.in = {list_text, list_number, list_integer, list_digest}};
    struct error e = {0};
    if (stage->describe(&env, shot, &l.in, &e) != 0)
        fail_msg("%s", e.text);
    return strbuf_take(&l.text);
}

static void keys_follow_what_matters(void **state)
{
    (void)state;
    struct overlay overlay = {.style = OVERLAY_TITLE, .text = "X"};
    char *before[] = {describe(&stage_enhance, &shots[0]), describe(&stage_generate, &shots[0])};
    struct shot changed = shots[0];
    changed.overlays = &overlay;
    changed.overlay_count = 1;
    changed.frames = 8; /* the model makes nine for both */
    char *after[] = {describe(&stage_enhance, &changed), describe(&stage_generate, &changed)};
    assert_string_equal(before[0], after[0]);
    assert_string_equal(before[1], after[1]);
    struct shot asking = shots[0];
    asking.additions = ADDITIONS_LIGHT;
    char *asked = describe(&stage_enhance, &asking);
    assert_string_not_equal(before[0], asked);
    assert_non_null(strstr(asked, "additions=light\n"));
    free(asked);
    changed.seed++;
    char *seeded = describe(&stage_generate, &changed);
    assert_string_not_equal(before[1], seeded);
    assert_non_null(strstr(seeded, "seed=12\n"));
    assert_non_null(strstr(seeded, "model.transformer_2="));
    free(before[0]);
    free(before[1]);
    free(after[0]);
    free(after[1]);
    free(seeded);
}

static void checks_find_what_is_missing(void **state)
{
    (void)state;
    static const struct {
        const char *tier, *says;
        int steps, frames;
    } bad[] = {
        {"nonsense", "there is no tier nonsense", 0, 9},
        {"previs", "is no directory", 0, 9},
        {"flagship", "at most 121", 0, 500},
        {"flagship", "at most 1000", 5000, 9},
    };
    struct error e = {0};
    assert_int_equal(stage_enhance.check(&env, &shots[0], &e), 0);
    assert_int_equal(stage_generate.check(&env, &shots[0], &e), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct shot shot = shots[0];
        shot.tier = bad[i].tier;
        shot.steps = bad[i].steps;
        shot.frames = bad[i].frames;
        error_clear(&e);
        assert_int_equal(stage_generate.check(&env, &shot, &e), -1);
        if (!strstr(e.text, bad[i].says))
            fail_msg("%s: says \"%s\", not \"%s\"", bad[i].tier, e.text, bad[i].says);
    }
    struct shot card = {.kind = SHOT_CARD};
    assert_int_equal(stage_enhance.lane(&env, &card), LANE_NONE);
    assert_int_equal(stage_generate.lane(&env, &card), LANE_NONE);
    assert_int_equal(stage_generate.lane(&env, &shots[0]), LANE_ENGINE);
    assert_string_equal(stage_generate.group(&env, &shots[0]), "flagship");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enhance_tells_all_and_hands_each_reader_its_part),
        cmocka_unit_test(same_inputs_give_the_same_latents),
        cmocka_unit_test(interrupted_shots_go_on_bit_for_bit),
        cmocka_unit_test(shots_go_through_one_expert_after_the_other),
        cmocka_unit_test(unusable_checkpoints_cost_only_time),
        cmocka_unit_test(opening_can_be_interrupted),
        cmocka_unit_test(keys_follow_what_matters),
        cmocka_unit_test(checks_find_what_is_missing),
    };
    return cmocka_run_group_tests(tests, enhance_all, drop_all);
}
