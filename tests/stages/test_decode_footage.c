/* Footage becomes masters: right frames at any rate, right colours by its tags, right words when it
 * cannot. */
#include "tests/stages/ffv1.h"
#include "tests/stages/masters.h"

/* Every frame its own grey: 20 + 4n. */
static AVFrame *numbered(int n)
{
    int luma = 20 + 4 * n;

    return halves(AV_PIX_FMT_YUV420P, 64, 48, (int[]){luma, 128, 128}, (int[]){luma, 128, 128});
}

static struct media_form clip(const char *container, struct rational fps)
{
    struct media_form form = ffv1(64, 48, fps);

    form.container = container;
    form.pixel_format = AV_PIX_FMT_YUV420P;
    form.matrix = AVCOL_SPC_BT709;
    form.range = AVCOL_RANGE_MPEG;
    return form;
}

static void note_number(void *ctx, const AVFrame *f, int n)
{
    double luma = 16 + 219 * at(f, 1, 10, 10) / 1023.0;

    ((int *)ctx)[n] = (int)lround((luma - 20) / 4);
}

static void footage_keeps_every_frame_of_its_rate(void **state)
{
    static const struct rational rates[] = {{24000, 1001}, {24, 1}, {30000, 1001}, {50, 1}};

    (void)state;
    /* Matroska rounds times to milliseconds: no frame may double or drop for that. */
    for (int k = 0; k < 4; k++) {
        struct media_job *m = media_job_new(64, 48, rates[k], 40);
        struct media_form form = clip("matroska", rates[k]);
        int numbers[40];

        m->shot.kind = SHOT_FOOTAGE;
        write_frames(m, &form, source_path(m, "a.mkv"), numbered, 50);
        m->shot.source.in = 5.0 * rates[k].den / rates[k].num;
        assert_int_equal(stage_decode.check(&m->env, &m->shot, &m->e), 0);
        media_must(m, STAGE_DECODE, &stage_decode);
        assert_int_equal(read_master(m, note_number, numbers), 40);
        for (int n = 0; n < 40; n++)
            assert_int_equal(numbers[n], n + 5);
        media_job_free(m);
    }
}

static void footage_of_another_rate_is_conformed_by_time(void **state)
{
    struct media_job *m = media_job_new(32, 32, film, 20);
    struct media_form form = clip("matroska", (struct rational){48, 1});
    int numbers[40];

    (void)state;
    m->shot.kind = SHOT_FOOTAGE;
    write_frames(m, &form, source_path(m, "a.mkv"), numbered, 50);
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, note_number, numbers), 20);
    for (int n = 0; n < 20; n++)
        assert_int_equal(numbers[n], 2 * n);
    m->board.fps = (struct rational){120, 1};
    m->shot.frames = 40;
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, note_number, numbers), 40);
    for (int n = 0; n < 40; n++)
        assert_int_equal(numbers[n], n * 2 / 5);
    media_job_free(m);
}

static void a_late_start_is_found(void **state)
{
    struct media_job *m = media_job_new(64, 48, (struct rational){10, 1}, 5);
    struct media_form form = clip("mov", (struct rational){10, 1});
    int numbers[5];

    (void)state;
    m->shot.kind = SHOT_FOOTAGE;
    form.encoder = "mpeg4"; /* groups of twelve: the frame sought is no key frame */
    form.encoder_options = "flags=+qscale;global_quality=118;sc_threshold=1000000000";
    form.slices = 0;
    form.gop = 12;
    write_frames(m, &form, source_path(m, "a.mov"), numbered, 55);
    m->shot.source.in = 4.0;
    media_must(m, STAGE_DECODE, &stage_decode);
    assert_int_equal(read_master(m, note_number, numbers), 5);
    for (int n = 0; n < 5; n++)
        assert_int_equal(numbers[n], 40 + n);
    media_job_free(m);
}

static void a_clip_that_ends_early_says_how_much_there_is(void **state)
{
    struct media_job *m = media_job_new(64, 48, film, 51);
    struct media_form form = clip("matroska", film);
    char *bytes;
    size_t size;

    (void)state;
    m->shot.kind = SHOT_FOOTAGE;
    write_frames(m, &form, source_path(m, "a.mkv"), numbered, 50);
    expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA,
                 "a.mkv ends early: it has 50 frames at 24 frames a second, the shot needs 51");
    m->shot.frames = 60;
    expect_words(m, stage_decode.check(&m->env, &m->shot, &m->e), ERROR_MEDIA, "the shot needs 60");
    m->shot.frames = 10;
    m->shot.source.in = 1.75;
    expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA,
                 "it has 8 frames at 24 frames a second from 1.75 s on, the shot needs 10");
    m->shot.source.in = 0;
    m->shot.frames = 50;
    media_must(m, STAGE_DECODE, &stage_decode);
    /* The same file, cut in the middle of its pictures. */
    assert_int_equal(file_read(m->shot.source.path, 1 << 24, &bytes, &size, &m->e), 0);
    assert_int_equal(file_write_atomic(m->shot.source.path, bytes, size / 2, &m->e), 0);
    free(bytes);
    expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA, "a.mkv");
    media_job_free(m);
}

/* ---- colours of footage, by its tags ---- */

static const int *codes; /* what the next frames are filled with */

static AVFrame *coded8(int n)
{
    (void)n;
    return halves(AV_PIX_FMT_YUV420P, 64, 48, codes, codes);
}

static AVFrame *coded10(int n)
{
    AVFrame *f = halves(AV_PIX_FMT_YUV420P10LE, 64, 48, codes, codes);

    (void)n;
    f->color_primaries = AVCOL_PRI_BT2020;
    f->color_trc = AVCOL_TRC_SMPTE2084;
    return f;
}

static void tags_decide_the_colours(void **state)
{
    /* Pure green and a skin tone, coded by each matrix and range (ITU-R BT.601 and BT.709). */
    static const struct {
        enum AVColorSpace matrix;
        enum AVColorRange range;
        int codes[3];
        unsigned rgb;
    } cases[] = {
        {AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, {173, 42, 26}, 0x00FF00},
        {AVCOL_SPC_SMPTE170M, AVCOL_RANGE_MPEG, {145, 54, 34}, 0x00FF00},
        {AVCOL_SPC_BT709, AVCOL_RANGE_JPEG, {182, 30, 12}, 0x00FF00},
        {AVCOL_SPC_SMPTE170M, AVCOL_RANGE_JPEG, {150, 44, 21}, 0x00FF00},
        {AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, {235, 128, 128}, 0xFFFFFF},
        {AVCOL_SPC_BT709, AVCOL_RANGE_JPEG, {255, 128, 128}, 0xFFFFFF},
        {AVCOL_SPC_BT709, AVCOL_RANGE_MPEG, {16, 128, 128}, 0x000000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct media_job *m = media_job_new(64, 48, film, 2);
        struct media_form form = clip("matroska", film);
        struct colour_at want[] = {{20, 20, cases[i].rgb, 1.6}, {0}};

        m->shot.kind = SHOT_FOOTAGE;
        form.matrix = cases[i].matrix;
        form.range = cases[i].range;
        codes = cases[i].codes;
        write_frames(m, &form, source_path(m, "a.mkv"), coded8, 2);
        if (cases[i].rgb == 0) {
            expect_words(m, media_run(m, STAGE_DECODE, &stage_decode), ERROR_MEDIA, "black");
        } else {
            media_must(m, STAGE_DECODE, &stage_decode);
            assert_int_equal(read_master(m, expect_colour, want), 2);
        }
        media_job_free(m);
    }
}

static void high_dynamic_range_comes_down(void **state)
{
    /* PQ codes in limited 10 bits: 203 cd/m2 (58.1 %: reference white) comes out near white,
     * 1000 cd/m2 (75.2 %) at white, 1 cd/m2 (15 %) dark but there. Grey stays grey. */
    static const struct {
        int codes[3];
        unsigned rgb;
        double tolerance;
    } cases[] = {
        {{64 + 659, 512, 512}, 0xFFFFFF, 1},
        {{64 + 509, 512, 512}, 0xE0E0E0, 24},
        {{64 + 131, 512, 512}, 0x1C1C1C, 8},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct media_job *m = media_job_new(64, 48, film, 2);
        struct media_form form = clip("matroska", film);
        struct colour_at want[] = {{20, 20, cases[i].rgb, cases[i].tolerance}, {0}};

        m->shot.kind = SHOT_FOOTAGE;
        form.pixel_format = AV_PIX_FMT_YUV420P10LE;
        form.matrix = AVCOL_SPC_BT2020_NCL;
        form.transfer = AVCOL_TRC_SMPTE2084;
        codes = cases[i].codes;
        write_frames(m, &form, source_path(m, "a.mkv"), coded10, 2);
        media_must(m, STAGE_DECODE, &stage_decode);
        assert_int_equal(read_master(m, expect_colour, want), 2);
        media_job_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(footage_keeps_every_frame_of_its_rate),
        cmocka_unit_test(footage_of_another_rate_is_conformed_by_time),
        cmocka_unit_test(a_late_start_is_found),
        cmocka_unit_test(a_clip_that_ends_early_says_how_much_there_is),
        cmocka_unit_test(tags_decide_the_colours),
        cmocka_unit_test(high_dynamic_range_comes_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
