/* Cards and latents become masters: right pixels and count, right words when they cannot. */
#include "tests/stages/masters.h"

#include "stages/decode/master.h"
#include "stages/decode/upscaler.h"
#include "stages/generate/latents.h"
#include "stages/generate/tiers.h"

static void a_flat_card_is_exact_and_twice_the_same(void **state)
{
    struct media_job *m = media_job_new(64, 48, (struct rational){24000, 1001}, 25);
    struct colour_at want[] = {{0, 0, 0x12345F, 0.13}, {63, 47, 0x12345F, 0.13}, {0}};
    struct hash128 first, second;

    (void)state;
    m->shot.card.background = m->shot.card.background_to = 0x12345F;
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, expect_colour, want), 25);
    assert_int_equal(m->progressed, 25);
    assert_int_equal(hash_file(m->made[0].path, &first, &m->e), 0);
    m->env.device.threads = 1;
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(hash_file(m->made[1].path, &second, &m->e), 0);
    assert_true(hash_equal(first, second));
    media_job_free(m);
}

static void check_gradient(void *ctx, const AVFrame *f, int n)
{
    double before = -1;

    (void)ctx, (void)n;
    for (int y = 0; y < f->height; y++) {
        double sum = 0;
        int least = 1023, most = 0;

        for (int x = 0; x < f->width; x++) {
            int v = at(f, 0, x, y);

            sum += v;
            least = v < least ? v : least;
            most = v > most ? v : most;
        }
        assert_true(sum / f->width > before); /* every row lighter, by under a step of ten bits */
        assert_true(most - least <= 1);
        before = sum / f->width;
    }
}

static void a_gradient_card_rises_smoothly(void **state)
{
    struct media_job *m = media_job_new(512, 96, film, 1);

    (void)state;
    m->shot.card.background = 0x202020;
    m->shot.card.background_to = 0x302020; /* red: 16 steps of 8 bits over 96 rows */
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, check_gradient, NULL), 1);
    media_job_free(m);
}

static void cancelling_stops_between_frames(void **state)
{
    struct media_job *m = media_job_new(64, 48, film, 25);

    (void)state;
    m->cancel_after = 5;
    assert_int_equal(media_run(m, STAGE_DECODE, &stage_decode), -1);
    assert_int_equal(m->e.code, ERROR_CANCELLED);
    assert_int_equal(m->progressed, 5);
    assert_int_equal(m->made_count, 0);
    media_job_free(m);
}

/* Encoders have limits of their own. */
static void masters_of_any_size_can_be_begun(void **state)
{
    static const int sizes[][2] = {{8192, 8192}, {8192, 7814}, {8192, 7812}, {8000, 8000},
                                   {8192, 398},  {16, 8192},   {8192, 16},   {16, 16}};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct media_job *m = media_job_new(sizes[i][0], sizes[i][1], film, 1);
        struct master *made;

        if (master_open(&m->job, &made, &m->e) != 0)
            fail_msg("%dx%d: %s", sizes[i][0], sizes[i][1], m->e.text);
        master_close(made);
        media_job_free(m);
    }
}

/* ---- latents, through the fixture's small VAE ---- */

static const struct artefact *group_input(const struct stage_group *group, size_t index,
                                          enum stage_id stage, const char *name)
{
    (void)group, (void)index, (void)stage, (void)name;
    return NULL;
}

static bool group_cancelled(const struct stage_group *group)
{
    (void)group;
    return false;
}

/* Gives the job latents of the shot's geometry: noise, or all of one value. */
static void make_latents(struct media_job *m, bool noise, float value)
{
    struct artefact a = {.name = "latents"};
    struct tier_geometry g;
    struct tensor l;
    uint8_t *bytes;
    unsigned seed = 1;

    tier_geometry(tier_find(m->shot.tier), &m->board, &m->shot, 0, &g);
    l = TENSOR_NEW(&m->arena, 16, (g.frames - 1) / 4 + 1, g.height / 8, g.width / 8);
    bytes = arena_alloc(&m->arena, latents_size(&l));
    assert_true(l.data && bytes);
    for (size_t i = 0; i < (size_t)tensor_count(&l); i++) {
        seed = seed * 1664525u + 1013904223u;
        ((float *)l.data)[i] = noise ? (float)(seed >> 8) / (1 << 23) - 1 : value;
    }
    latents_write(&l, bytes);
    a.bytes = bytes;
    a.size = latents_size(&l);
    m->now = STAGE_GENERATE;
    assert_int_equal(media_output(&m->job, &a, &m->e), 0);
}

static struct media_job *generated(int width, int height, int frames)
{
    static const struct model_path model = {"flagship", "tests/fixtures/wan2.2-t2v-a14b", 1};
    struct media_job *m = media_job_new(width, height, film, frames);

    m->shot.kind = SHOT_GENERATED;
    m->shot.tier = "flagship";
    m->board.models = &model;
    m->board.model_count = 1;
    return m;
}

static int run_generated(struct media_job *m)
{
    const struct shot *shots[] = {&m->shot};
    struct stage_group group = {.env = &m->env,
                                .shots = shots,
                                .count = 1,
                                .input = group_input,
                                .cancelled = group_cancelled};
    void *session = NULL;
    int rc;

    assert_int_equal(stage_decode.lane(&m->env, &m->shot), LANE_ENGINE);
    group.name = stage_decode.group(&m->env, &m->shot);
    if (stage_decode.open(&group, &session, &m->e) != 0)
        fail_msg("%s", m->e.text);
    m->now = STAGE_DECODE;
    m->progressed = 0;
    rc = stage_decode.run(session, &m->job, &m->e);
    stage_decode.close(session);
    return rc;
}

static void latents_become_exactly_the_shot(void **state)
{
    /* 72x40 is made as 80x48 and 7 frames as 9: the rest is cut off. */
    struct media_job *m = generated(72, 40, 7);

    (void)state;
    make_latents(m, true, 0);
    if (run_generated(m) != 0)
        fail_msg("%s", m->e.text);
    assert_int_equal(read_master(m, NULL, NULL), 7);
    media_job_free(m);
}

static void latents_that_are_none_are_refused(void **state)
{
    struct media_job *m = generated(64, 48, 9);
    struct tensor l;
    struct error e;

    (void)state;
    make_latents(m, false, NAN);
    expect_words(m, run_generated(m), ERROR_MODEL, "finite");
    assert_int_equal(latents_read("short", 5, &m->arena, &l, &e), -1);
    make_latents(m, true, 0);
    m->cancel_after = 2;
    expect_words(m, run_generated(m), ERROR_CANCELLED, "interrupted");
    media_job_free(m);
}

/* ---- pictures smaller than the board */

static int identify(void *ctx, const char *path, struct hash128 *out, struct error *e)
{
    (void)ctx, (void)e;
    *out = hash_bytes(path, strlen(path));
    return 0;
}

struct listed {
    struct inputs in;
    bool upscaler;
};

static void hear_digest(struct inputs *in, const char *name, struct hash128 value)
{
    (void)value;
    ((struct listed *)in)->upscaler |= strcmp(name, "model.upscaler") == 0;
}

static void hear_integer(struct inputs *in, const char *name, int64_t value)
{
    (void)in, (void)name, (void)value;
}

static void hear_text(struct inputs *in, const char *name, const char *value)
{
    (void)in, (void)name, (void)value;
}

static bool key_has_upscaler(struct media_job *m)
{
    struct listed l = {{.text = hear_text, .integer = hear_integer, .digest = hear_digest}, false};

    m->env.identify = identify;
    assert_int_equal(stage_decode.describe(&m->env, &m->shot, &l.in, &m->e), 0);
    return l.upscaler;
}

/* Its pixels, as a digest; `upscaler`: whether one is expected to take part. */
static struct hash128 enlarged(int width, int height, const char *models_dir,
                               enum deliver_upscale how, bool upscaler)
{
    struct media_job *m = generated(width, height, 2);
    struct model_path small = {"previs", "tests/fixtures/wan2.2-t2v-a14b", 1};
    struct hash128 digest;

    m->shot.tier = "previs"; /* 416 x 240 at most */
    m->board.models = &small;
    m->board.deliver.upscale = how;
    m->env.models_dir = models_dir;
    assert_int_equal(key_has_upscaler(m), upscaler);
    assert_int_equal(stage_decode.check(&m->env, &m->shot, &m->e), 0);
    make_latents(m, true, 0);
    if (run_generated(m) != 0)
        fail_msg("%s", m->e.text);
    assert_int_equal(read_master(m, NULL, NULL), 2);
    assert_int_equal(hash_file(m->made[m->made_count - 1].path, &digest, &m->e), 0);
    media_job_free(m);
    return digest;
}

static void an_upscaler_takes_part_where_it_should(void **state)
{
    const char *with = "tests/stages/data", *without = "tests/stages";
    struct hash128 filtered = enlarged(1248, 720, without, UPSCALE_LEARNED, false);
    struct hash128 learned = enlarged(1248, 720, with, UPSCALE_LEARNED, true);

    (void)state;
    assert_true(hash_equal(filtered, enlarged(1248, 720, with, UPSCALE_LANCZOS, false)));
    assert_false(hash_equal(filtered, learned));
    assert_true(hash_equal(learned, enlarged(1248, 720, with, UPSCALE_LEARNED, true)));
    enlarged(1280, 720, with, UPSCALE_LEARNED, true); /* three times is not the board's size */
    enlarged(72, 40, with, UPSCALE_LEARNED, false);   /* nothing to enlarge */
}

/* Writes the test's upscaler into the job's folder; broken: every number of it is none. */
static void copy_upscaler(struct media_job *m, bool broken)
{
    char path[128];
    char *bytes;
    size_t size;
    uint64_t header;

    assert_int_equal(
        file_read("tests/stages/data/upscaler/model.safetensors", 1 << 20, &bytes, &size, &m->e),
        0);
    memcpy(&header, bytes, sizeof header);
    if (broken)
        memset(bytes + 8 + header, 0xFF, size - 8 - header);
    snprintf(path, sizeof path, "%s/upscaler", m->dir);
    assert_int_equal(dir_make(path, &m->e), 0);
    snprintf(path, sizeof path, "%s/upscaler/model.safetensors", m->dir);
    assert_int_equal(file_write_atomic(path, bytes, size, &m->e), 0);
    free(bytes);
}

/* A shot that would be enlarged by what lies in its own folder. */
static struct media_job *to_be_enlarged(void)
{
    static const struct model_path small = {"previs", "tests/fixtures/wan2.2-t2v-a14b", 1};
    struct media_job *m = generated(832, 480, 1);

    m->shot.tier = "previs";
    m->board.models = &small;
    m->board.deliver.upscale = UPSCALE_LEARNED;
    m->env.models_dir = m->dir;
    return m;
}

static void a_link_that_leads_nowhere_is_told(void **state)
{
    struct media_job *m = to_be_enlarged();
    char link[128];

    (void)state;
    snprintf(link, sizeof link, "%s/upscaler", m->dir);
    assert_int_equal(symlink("nowhere", link), 0);
    expect_words(m, stage_decode.check(&m->env, &m->shot, &m->e), ERROR_MODEL, link);
    assert_non_null(strstr(m->e.text, UPSCALER_MEND));
    m->board.deliver.upscale = UPSCALE_LANCZOS;
    error_clear(&m->e);
    assert_int_equal(stage_decode.check(&m->env, &m->shot, &m->e), 0);
    media_job_free(m);
}

static void who_made_no_picture_is_named(void **state)
{
    static const char *const whose[] = {
        "the model made a picture that is no picture",
        "/upscaler/model.safetensors made a picture that is no picture"};

    (void)state;
    for (int broken = 0; broken < 2; broken++) {
        struct media_job *m = to_be_enlarged();

        copy_upscaler(m, broken);
        make_latents(m, broken, 3e38f); /* too much for a VAE */
        expect_words(m, run_generated(m), broken ? ERROR_MODEL : ERROR_MEDIA, whose[broken]);
        assert_int_equal(strstr(m->e.text, UPSCALER_MEND) != NULL, broken);
        media_job_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flat_card_is_exact_and_twice_the_same),
        cmocka_unit_test(a_gradient_card_rises_smoothly),
        cmocka_unit_test(cancelling_stops_between_frames),
        cmocka_unit_test(masters_of_any_size_can_be_begun),
        cmocka_unit_test(latents_become_exactly_the_shot),
        cmocka_unit_test(latents_that_are_none_are_refused),
        cmocka_unit_test(an_upscaler_takes_part_where_it_should),
        cmocka_unit_test(a_link_that_leads_nowhere_is_told),
        cmocka_unit_test(who_made_no_picture_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
