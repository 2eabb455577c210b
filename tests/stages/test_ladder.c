/* Memory that runs out while a shot is made: the stages go on with less and make the same, or say
 * in one clear error what was missing; nothing is left behind, and what worked is known to the next
 * run. The device is a CPU with memory of its own, the models are the fixtures'. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "stages/ladder.h"

enum { STEPS = 3 };

/* ---- an executor of one shot */

struct fake {
    struct stage_job job;
    struct arena arena;
    uint8_t *latents, *checkpoint;
    size_t latents_size, checkpoint_size;
    double first_done; /* of the last attempt: the step that it went on from */
    bool begun;
};

static struct memory_faults faults;
static int mended;
static char mended_text[1000];
static bool told_streamed;

static const struct artefact *group_input(const struct stage_group *group, size_t index,
                                          enum stage_id stage, const char *name)
{
    static const char text[] = "{\"prompt\": \"a ship in a storm\", \"negative\": \"blurry\"}";
    static const struct artefact prompt = {
        .name = "prompt.json", .bytes = text, .size = sizeof text - 1};
    (void)group, (void)index, (void)stage;
    return strcmp(name, "prompt.json") == 0 ? &prompt : NULL;
}

static bool group_goes_on(const struct stage_group *group)
{
    (void)group;
    return false;
}

static int fake_output(struct stage_job *job, const struct artefact *a, struct error *e)
{
    struct fake *f = job->executor;
    (void)e;
    f->latents = malloc(a->size);
    assert_non_null(f->latents);
    memcpy(f->latents, a->bytes, a->size);
    f->latents_size = a->size;
    return 0;
}

static void fake_progress(struct stage_job *job, double done, double total, const char *unit)
{
    struct fake *f = job->executor;
    (void)unit;
    assert_true(done <= total);
    if (!f->begun)
        f->first_done = done;
    f->begun = true;
}

static bool fake_goes_on(const struct stage_job *job)
{
    (void)job;
    return false;
}

static const void *fake_load(struct stage_job *job, size_t *size)
{
    struct fake *f = job->executor;
    f->begun = false;
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
    return 0;
}

static void fake_note(struct stage_job *job, const char *name, const char *json)
{
    (void)job;
    told_streamed |= strcmp(name, "weights") == 0 && strcmp(json, "\"streamed\"") == 0;
}

static void on_mended(void *ctx, const char *text)
{
    (void)ctx;
    mended++;
    snprintf(mended_text, sizeof mended_text, "%s", text);
}

static int identify(void *ctx, const char *path, struct hash128 *out, struct error *e)
{
    (void)ctx, (void)e;
    *out = hash_bytes(path, strlen(path));
    return 0;
}

static char folder[] = "/tmp/auteur-ladder-XXXXXX", two_models[64];
static struct model_path models[] = {{.tier = "flagship", .path = "tests/fixtures/wan2.2-t2v-a14b"},
                                     {.tier = "workhorse", .path = "tests/fixtures/hunyuan-video"},
                                     {.tier = "validator", .path = two_models}};
static struct board board = {
    .width = 48, .height = 32, .fps = {24, 1}, .models = models, .model_count = 3};
static struct stage_env env = {.board = &board,
                               .data_dir = "prompts",
                               .models_dir = "",
                               .tier = "",
                               .preset = "",
                               .device = {.threads = 1, .faults = &faults},
                               .identify = identify,
                               .mended = on_mended};
static struct shot shot = {.id = "1",
                           .prompt = "",
                           .negative = "",
                           .look = "",
                           .camera = "",
                           .seed = 11,
                           .frames = 5,
                           .steps = STEPS,
                           .guidance = -1,
                           .guidance_2 = -1,
                           .sampler = "",
                           .noise = -1,
                           .step_cache = "",
                           .keyframe = ""};

static size_t in_group = 1; /* shots like this one */
static bool may_retry;      /* as the executor does with what may pass */
static int retried;

/* Makes the shot's latents; f->latents is the caller's to free. */
static int make(const char *tier, struct memory_faults with, enum memory_mode mode, struct fake *f,
                struct error *e)
{
    const struct shot *list[] = {&shot, &shot, &shot};
    struct stage_group group = {.env = &env,
                                .name = tier,
                                .shots = list,
                                .count = in_group,
                                .input = group_input,
                                .cancelled = group_goes_on};
    void *session = NULL;

    *f = (struct fake){0};
    f->job = (struct stage_job){.env = &env,
                                .shot = &shot,
                                .arena = &f->arena,
                                .workdir = "/nonexistent",
                                .output = fake_output,
                                .progress = fake_progress,
                                .cancelled = fake_goes_on,
                                .checkpoint_load = fake_load,
                                .checkpoint_save = fake_save,
                                .note = fake_note,
                                .executor = f};
    shot.tier = tier;
    faults = with;
    env.device.memory = mode;
    mended = 0;
    told_streamed = false;
    error_clear(e);
    int rc = stage_generate.open(&group, &session, e);
    if (rc == 0)
        rc = stage_generate.run(session, &f->job, e);
    if (rc != 0 && session && may_retry) {
        retried++;
        error_clear(e);
        rc = stage_generate.run(session, &f->job, e);
    }
    stage_generate.close(session);
    arena_free(&f->arena);
    free(f->checkpoint);
    assert_int_equal(faults.held, 0);
    assert_int_equal(rc == 0, f->latents != NULL);
    return rc;
}

static void expect_clear(const struct error *e)
{
    if (e->code != ERROR_MEMORY || !strstr(e->text, "GiB more were needed while") ||
        !strstr(e->text, "; "))
        fail_msg("not a clear error: %s", e->text);
}

/* A folder of this test's own for what is remembered. */
static void forget(void)
{
    struct error e = {0};
    assert_int_equal(path_remove(getenv("AUTEUR_CACHE"), &e), 0);
    assert_int_equal(dir_make(getenv("AUTEUR_CACHE"), &e), 0);
}

/* ---- tests */

/* Each allocation is refused once; the shot is made all the same, bit for bit. */
static void one_refusal_is_mended(void **state)
{
    static const char *const tiers[] = {"flagship", "workhorse"};
    (void)state;
    for (int t = 0; t < 2; t++) {
        struct fake whole, f;
        struct error e;
        forget();
        if (make(tiers[t], (struct memory_faults){0}, MEMORY_AUTO, &whole, &e))
            fail_msg("%s", e.text);
        assert_int_equal(mended, 0);
        long count = faults.taken;
        for (long n = 1; n <= count; n += 1 + n / 12) {
            forget();
            if (make(tiers[t], (struct memory_faults){.fail_at = n}, MEMORY_AUTO, &f, &e))
                fail_msg("%s, allocation %ld of %ld: %s", tiers[t], n, count, e.text);
            assert_int_equal(mended, 1);
            assert_int_equal(f.latents_size, whole.latents_size);
            assert_memory_equal(f.latents, whole.latents, f.latents_size);
            free(f.latents);
        }
        free(whole.latents);
    }
}

/* Less and less memory: the shot is made, or one error tells what was missing. */
static void little_memory_is_enough_or_is_told(void **state)
{
    struct fake f;
    struct error e;
    int made = 0, refused = 0;
    (void)state;
    forget();
    if (make("workhorse", (struct memory_faults){0}, MEMORY_AUTO, &f, &e))
        fail_msg("%s", e.text);
    free(f.latents);
    size_t most = faults.peak;
    for (size_t limit = most; limit > most / 64; limit -= limit / 8) {
        forget();
        if (make("workhorse", (struct memory_faults){.limit = limit}, MEMORY_AUTO, &f, &e) == 0) {
            made++;
            free(f.latents);
        } else {
            refused++;
            expect_clear(&e);
            assert_non_null(strstr(e.text, "make the shot smaller"));
        }
    }
    assert_true(made > 0 && refused > 0);
}

/* Steps that were done are not done again. */
static void it_goes_on_where_it_was(void **state)
{
    struct fake whole, f;
    struct error e;
    bool went_on = false;
    (void)state;
    forget();
    /* Wan's second expert is opened between steps. */
    if (make("flagship", (struct memory_faults){0}, MEMORY_AUTO, &whole, &e))
        fail_msg("%s", e.text);
    long count = faults.taken;
    for (long n = count; n > 1 && !went_on; n--) {
        forget();
        if (make("flagship", (struct memory_faults){.fail_at = n}, MEMORY_AUTO, &f, &e))
            fail_msg("%s", e.text);
        went_on = f.first_done > 0;
        if (went_on)
            assert_true(told_streamed && strstr(mended_text, "weights stay on the host"));
        assert_memory_equal(f.latents, whole.latents, f.latents_size);
        free(f.latents);
    }
    assert_true(went_on);
    free(whole.latents);
}

static void what_worked_is_known_to_the_next_run(void **state)
{
    struct memory_faults tight = {.limit = (size_t)64 << 20};
    struct fake f;
    struct error e;
    (void)state;
    forget();
    assert_int_equal(make("workhorse", tight, MEMORY_AUTO, &f, &e), 0);
    free(f.latents);
    tight.fail_at = faults.taken; /* the last one: of the model, while it works */
    assert_int_equal(make("workhorse", tight, MEMORY_AUTO, &f, &e), 0);
    free(f.latents);
    assert_int_equal(mended, 1);
    tight.fail_at = 0;
    assert_int_equal(make("workhorse", tight, MEMORY_AUTO, &f, &e), 0);
    free(f.latents);
    assert_true(mended == 0 && told_streamed);
    tight.limit *= 2; /* where more is free, it is tried again */
    assert_int_equal(make("workhorse", tight, MEMORY_AUTO, &f, &e), 0);
    free(f.latents);
    assert_true(mended == 0 && !told_streamed);
}

static void speed_that_was_asked_for_is_kept(void **state)
{
    struct fake f;
    struct error e;
    (void)state;
    forget();
    assert_int_equal(make("workhorse", (struct memory_faults){.fail_at = 3}, MEMORY_SPEED, &f, &e),
                     -1);
    expect_clear(&e);
    assert_int_equal(mended, 0);
    assert_non_null(strstr(e.text, "--no-offload"));
    assert_int_equal(make("workhorse", (struct memory_faults){0}, MEMORY_SAFE, &f, &e), 0);
    assert_true(told_streamed && mended == 0);
    free(f.latents);
}

/* Where weights must stay on the device, Wan's second expert that did not fit leaves none: the
 * session is as good as before when it is asked again. */
static void a_session_outlives_what_it_was_refused(void **state)
{
    struct fake whole, f;
    struct error e;
    (void)state;
    forget();
    if (make("flagship", (struct memory_faults){0}, MEMORY_SPEED, &whole, &e))
        fail_msg("%s", e.text);
    long count = faults.taken;
    may_retry = true;
    retried = 0;
    for (long n = count; n > 1 && retried < 6; n -= 1 + n / 24) {
        if (make("flagship", (struct memory_faults){.fail_at = n}, MEMORY_SPEED, &f, &e)) {
            assert_int_equal(retried, 0); /* it was the opening */
            expect_clear(&e);
            continue;
        }
        assert_int_equal(mended, 0);
        assert_memory_equal(f.latents, whole.latents, f.latents_size);
        free(f.latents);
    }
    may_retry = false;
    assert_true(retried >= 6);
    free(whole.latents);
}

/* A batch that did not fit begins as large as the one that did, until there is more memory. */
static void halves_of_a_batch_are_remembered(void **state)
{
    struct device_options o = {.threads = 1, .faults = &faults};
    struct ladder l;
    struct device *d;
    struct error e = {0};
    (void)state;
    forget();
    faults = (struct memory_faults){.limit = (size_t)64 << 20};
    assert_int_equal(device_open(&o, &d, &e), 0);
    ladder_begin(&l, &env, d, false, "model of %s", "picture");
    assert_int_equal(ladder_together(&l), 16);
    error_set(&e, ERROR_MODEL, "something else");
    assert_false(ladder_halve(&l, d, 6, &e));
    error_set(&e, ERROR_MEMORY, "out of memory");
    assert_true(ladder_halve(&l, d, 6, &e));
    assert_int_equal(e.code, ERROR_NONE);
    assert_non_null(strstr(mended_text, "it goes on with 2 shots at once instead of 6"));
    assert_int_equal(ladder_together(&l), 2);
    ladder_done(&l, d);
    ladder_begin(&l, &env, d, false, "model of %s", "picture");
    assert_int_equal(ladder_together(&l), 2);
    faults.limit *= 2;
    ladder_begin(&l, &env, d, false, "model of %s", "picture");
    assert_int_equal(ladder_together(&l), 16);
    device_close(d);
}

/* SDXL makes the pictures of three shots, SVD sets them in motion. Neither can leave its weights on
 * the host: what is refused while a model is opened is told, fewer shots at once and smaller pieces
 * of a picture are tried. */
static void keyframes_are_made_with_less_or_it_is_told(void **state)
{
    int made = 0, refused = 0, halved = 0, in_pieces = 0;
    struct fake whole, f;
    struct error e;
    (void)state;
    in_group = 3;
    env.preset = "batch"; /* fewest steps */
    forget();
    if (make("validator", (struct memory_faults){0}, MEMORY_AUTO, &whole, &e))
        fail_msg("%s", e.text);
    assert_int_equal(mended, 0);
    long count = faults.taken;
    for (long n = 1; n <= count; n += 7) { /* a keyframe's decoding asks for more than 7 */
        forget();
        if (make("validator", (struct memory_faults){.fail_at = n}, MEMORY_AUTO, &f, &e)) {
            refused++;
            expect_clear(&e);
            continue;
        }
        made++;
        assert_int_equal(mended, 1);
        assert_int_equal(f.latents_size, whole.latents_size);
        halved += strstr(mended_text, "with 1 shots at once instead of 3") != NULL;
        in_pieces += strstr(mended_text, "VAE of validator's keyframes") != NULL;
        if (strstr(mended_text, "at once"))
            assert_memory_equal(f.latents, whole.latents, f.latents_size);
        free(f.latents);
    }
    assert_true(made > 0 && refused > 0 && halved > 0 && in_pieces > 0);
    free(whole.latents);
    in_group = 1;
    env.preset = "";
}

static void link_fixture(const char *fixture, const char *name)
{
    char to[128], *real = realpath(fixture, NULL);
    assert_non_null(real);
    snprintf(to, sizeof to, "%s/%s", two_models, name);
    assert_int_equal(symlink(real, to), 0);
    free(real);
}

static int make_folder(void **state)
{
    static char cache[64];
    struct error e = {0};
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(two_models, sizeof two_models, "%s/models", folder);
    snprintf(cache, sizeof cache, "%s/cache", folder);
    assert_int_equal(dir_make(two_models, &e), 0);
    link_fixture("tests/fixtures/sdxl", "sdxl");
    link_fixture("tests/fixtures/svd-xt", "svd-xt");
    return setenv("AUTEUR_CACHE", cache, 1);
}

static int drop_folder(void **state)
{
    struct error e = {0};
    (void)state;
    return path_remove(folder, &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_refusal_is_mended),
        cmocka_unit_test(little_memory_is_enough_or_is_told),
        cmocka_unit_test(it_goes_on_where_it_was),
        cmocka_unit_test(what_worked_is_known_to_the_next_run),
        cmocka_unit_test(speed_that_was_asked_for_is_kept),
        cmocka_unit_test(a_session_outlives_what_it_was_refused),
        cmocka_unit_test(halves_of_a_batch_are_remembered),
        cmocka_unit_test(keyframes_are_made_with_less_or_it_is_told),
    };
    return cmocka_run_group_tests_name("ladder", tests, make_folder, drop_folder);
}
