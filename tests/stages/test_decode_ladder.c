/* Memory that runs out while a shot is decoded, at every allocation of it: the master is the same,
 * or made of tiles and near it, and the journal is told; else one clear error. The device is a CPU
 * with memory of its own, the models are the fixtures'. */
#include "tests/stages/media_job.h"

#include <math.h>

#include "stages/generate/latents.h"
#include "stages/generate/tiers.h"
#include "stages/media/reader.h"
#include "tests/stages/generation.h"

static struct model_path models[] = {{.tier = "flagship", .path = "tests/fixtures/wan2.2-t2v-a14b"},
                                     {.tier = "workhorse", .path = "tests/fixtures/hunyuan-video"},
                                     {.tier = "experimental", .path = "tests/fixtures/cogvideox"},
                                     {.tier = "validator", .path = "tests/fixtures/svd-xt"},
                                     {.tier = "picture", .path = "tests/fixtures/sdxl"}};
enum { TIERS = sizeof models / sizeof *models };
static const double TILES_OFF = 0.05; /* of white, on average */

static struct memory_faults faults;
static int mended;
static char mended_text[600];

static void on_mended(void *ctx, const char *text)
{
    (void)ctx;
    mended++;
    snprintf(mended_text, sizeof mended_text, "%s", text);
}

/* Smooth in space, as real latents are. */
static void add_latents(struct media_job *m)
{
    const struct tier *tier = tier_find(m->shot.tier);
    struct device *d;
    struct tier_geometry geometry;
    struct generation g;
    struct tensor latents;
    uint8_t *blob;
    int64_t shape[4];
    void *model = NULL;
    struct error e = {0};

    tier_shot_geometry(&m->env, tier, &m->shot, &geometry);
    g = any_generation(geometry.width, geometry.height, geometry.frames, 1);
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    if (tier->family->model_open(m->board.models[0].path, d, &model, &e) != 0 ||
        tier->family->latents_shape(model, &g, shape, &e) != 0)
        fail_msg("%s", e.text);
    tier->family->model_close(model);
    device_close(d);
    latents = tensor_new(&m->arena, 4, shape);
    assert_non_null(latents.data);
    for (int64_t i = 0; i < tensor_count(&latents); i++)
        ((float *)latents.data)[i] = sinf((float)(i % shape[3]) * 0.3f) *
                                     cosf((float)(i / shape[3] % shape[2]) * 0.4f + (float)(i % 7));
    blob = arena_alloc(&m->arena, latents_size(&latents));
    assert_non_null(blob);
    latents_write(&latents, blob);
    m->now = STAGE_GENERATE;
    m->made_count = 0;
    media_output(
        &m->job,
        &(struct artefact){.name = "latents", .bytes = blob, .size = latents_size(&latents)}, &e);
}

static struct media_job *shot_of(const char *tier, int width, int height, int frames)
{
    struct media_job *m = media_job_new(width, height, (struct rational){24, 1}, frames);

    for (int i = 0; i < TIERS; i++)
        if (strcmp(models[i].tier, tier) == 0)
            m->board.models = &models[i];
    m->board.model_count = 1;
    m->shot.kind = SHOT_GENERATED;
    m->shot.tier = tier;
    m->env.device = (struct device_options){.threads = 1, .faults = &faults};
    m->env.mended = on_mended;
    add_latents(m);
    return m;
}

/* Decodes the shot; what was made before is forgotten. */
static int decode(struct media_job *m, struct memory_faults with)
{
    const struct shot *list[] = {&m->shot};
    struct stage_group group = {.env = &m->env, .name = m->shot.tier, .shots = list, .count = 1};
    void *session = NULL;
    int rc;

    m->made_count = 1;
    m->notes[0] = '\0';
    m->now = STAGE_DECODE;
    faults = with;
    mended = 0;
    error_clear(&m->e);
    rc = stage_decode.open(&group, &session, &m->e);
    if (rc == 0)
        rc = stage_decode.run(session, &m->job, &m->e);
    stage_decode.close(session);
    assert_int_equal(faults.held, 0);
    assert_int_equal(rc == 0, m->made_count == 2);
    return rc;
}

/* Numbers of all pictures of the master that was made last, 0..1; the caller's to free. */
static float *master(struct media_job *m, size_t *count)
{
    float *pixels = NULL;
    struct media_reader *r;
    AVFrame *f;

    *count = 0;
    assert_int_equal(media_reader_open(m->made[1].path, "master", 1, &r, &m->e), 0);
    while (media_reader_next(r, &f, &m->e) == 1) {
        pixels = realloc(pixels, (*count + (size_t)(3 * f->width * f->height)) * sizeof *pixels);
        assert_non_null(pixels);
        for (int row = 0; row < 3 * f->height; row++) {
            int plane = row / f->height;
            const uint8_t *line = f->data[plane] + row % f->height * f->linesize[plane];
            for (int x = 0; x < f->width; x++)
                pixels[(*count)++] = (float)((const uint16_t *)(const void *)line)[x] / 1023;
        }
    }
    media_reader_close(r);
    assert_true(*count > 0);
    return pixels;
}

/* How far the master is from `whole` on average, which it need not outlive. */
static double distance(struct media_job *m, const float *whole)
{
    size_t count;
    float *got = master(m, &count);
    double off = 0;

    for (size_t i = 0; i < count; i++)
        off += fabs((double)got[i] - (double)whole[i]);
    free(got);
    return off / (double)count;
}

/* The same, or said to be of tiles and near it. */
static void expect_near(struct media_job *m, const float *whole)
{
    double off = distance(m, whole);

    if (strstr(m->notes, "tile=\"") ? !(off < TILES_OFF) : off > 0)
        fail_msg("%s: %.2e from the whole picture; %s", m->shot.tier, off, m->notes);
}

static void expect_clear(const struct error *e)
{
    if (e->code != ERROR_MEMORY || !strstr(e->text, "out of the device's memory (VAE of ") ||
        !strstr(e->text, "GiB more were needed while") ||
        !strstr(e->text, "; make the shot smaller"))
        fail_msg("not a clear error: %s", e->text);
}

/* A folder of this test's own for what is remembered. */
static void forget(void)
{
    struct error e = {0};

    assert_int_equal(path_remove(getenv("AUTEUR_CACHE"), &e), 0);
    assert_int_equal(dir_make(getenv("AUTEUR_CACHE"), &e), 0);
}

/* Allocations that opening the model makes: there is nothing smaller to be had. */
static long allocations_of_opening(struct media_job *m)
{
    struct device_options o = m->env.device;
    struct device *d;
    void *vae = NULL;

    faults = (struct memory_faults){0};
    assert_int_equal(device_open(&o, &d, &m->e), 0);
    if (tier_find(m->shot.tier)->family->vae_open(m->board.models[0].path, d, &vae, &m->e) != 0)
        fail_msg("%s", m->e.text);
    tier_find(m->shot.tier)->family->vae_close(vae);
    device_close(d);
    return faults.taken;
}

/* Each allocation of a whole decode is refused once. */
static void every_refusal_is_mended_or_told(void **state)
{
    (void)state;
    for (int t = 0; t < TIERS; t++) {
        struct media_job *m = shot_of(models[t].tier, 48, 32, 5);
        long count, opening = allocations_of_opening(m);
        size_t size;
        float *whole;

        forget();
        if (decode(m, (struct memory_faults){0}) != 0)
            fail_msg("%s: %s", m->shot.tier, m->e.text);
        assert_int_equal(mended, 0);
        assert_null(strstr(m->notes, "smaller_pieces"));
        whole = master(m, &size);
        count = faults.taken;
        assert_true(count > opening);
        for (long n = 1; n <= count; n++) {
            int rc;
            forget();
            rc = decode(m, (struct memory_faults){.fail_at = n});
            if (n <= opening) {
                assert_int_equal(rc, -1);
                expect_clear(&m->e);
                continue;
            }
            if (rc != 0)
                fail_msg("%s, allocation %ld of %ld: %s", m->shot.tier, n, count, m->e.text);
            assert_int_equal(mended, 1);
            assert_non_null(strstr(mended_text, "it goes on in smaller pieces"));
            assert_non_null(strstr(m->notes, "smaller_pieces="));
            expect_near(m, whole);
        }
        free(whole);
        media_job_free(m);
    }
}

/* A picture of several tiles: where the largest pieces are refused, smaller ones are asked for. */
static void refusals_lead_to_tiles(void **state)
{
    (void)state;
    for (int t = 0; t < 3; t++) {
        struct media_job *m = shot_of(models[t].tier, 288, 160, 1);
        size_t size;
        float *whole;

        forget();
        if (decode(m, (struct memory_faults){0}) != 0)
            fail_msg("%s: %s", m->shot.tier, m->e.text);
        whole = master(m, &size);
        forget();
        if (decode(m, (struct memory_faults){.fail_at = faults.taken}) != 0)
            fail_msg("%s: %s", m->shot.tier, m->e.text);
        assert_non_null(strstr(m->notes, "tile=\""));
        expect_near(m, whole);
        free(whole);
        media_job_free(m);
    }
}

/* Less and less memory: the shot is made, or one error tells what was missing. */
static void little_memory_is_enough_or_is_told(void **state)
{
    struct media_job *m = shot_of("flagship", 288, 160, 5);
    int whole_ones = 0, tiled = 0, refused = 0;
    size_t size, most;
    float *whole;

    (void)state;
    forget();
    assert_int_equal(decode(m, (struct memory_faults){0}), 0);
    whole = master(m, &size);
    most = faults.peak;
    for (size_t limit = most + most / 2; limit > most / 16; limit -= limit / 4) {
        forget();
        if (decode(m, (struct memory_faults){.limit = limit}) == 0) {
            expect_near(m, whole);
            *(strstr(m->notes, "tile=\"") ? &tiled : &whole_ones) += 1;
        } else {
            refused++;
            assert_int_equal(m->e.code, ERROR_MEMORY);
            assert_non_null(strstr(m->e.text, "out of "));
            assert_non_null(strstr(m->e.text, "; "));
            assert_non_null(strstr(m->e.text, "or take a smaller tier"));
        }
    }
    assert_true(whole_ones > 0 && tiled > 0 && refused > 0);
    free(whole);
    media_job_free(m);
}

static void what_worked_is_known_to_the_next_run(void **state)
{
    struct media_job *m = shot_of("flagship", 288, 160, 1);
    struct memory_faults tight = {.limit = (size_t)256 << 20};
    char tiles[sizeof m->notes];

    (void)state;
    forget();
    assert_int_equal(decode(m, tight), 0);
    assert_null(strstr(m->notes, "tile=\""));
    tight.fail_at = faults.taken;
    assert_int_equal(decode(m, tight), 0);
    assert_int_equal(mended, 1);
    assert_non_null(strstr(m->notes, "tile=\""));
    memcpy(tiles, m->notes, sizeof tiles);
    tight.fail_at = 0;
    assert_int_equal(decode(m, tight), 0);
    assert_int_equal(mended, 0);
    assert_string_equal(m->notes, tiles);
    tight.limit *= 2; /* where more is free, it is tried again */
    assert_int_equal(decode(m, tight), 0);
    assert_null(strstr(m->notes, "tile=\""));
    media_job_free(m);
}

static char folder[] = "/tmp/auteur-decode-ladder-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? setenv("AUTEUR_CACHE", folder, 1) : -1;
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
        cmocka_unit_test(every_refusal_is_mended_or_told),
        cmocka_unit_test(refusals_lead_to_tiles),
        cmocka_unit_test(little_memory_is_enough_or_is_told),
        cmocka_unit_test(what_worked_is_known_to_the_next_run),
    };
    return cmocka_run_group_tests_name("decode_ladder", tests, make_folder, drop_folder);
}
