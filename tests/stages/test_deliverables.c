/* Every form of delivery, read back from the files: what they hold, how they are tagged, and that
 * textless film and titles together are the burned-in film. */
#include "tests/stages/media_job.h"

#include <dirent.h>
#include <lcms2.h>
#include <math.h>
#include <tiffio.h>

#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>

#include "kernels/base/file.h"
#include "stages/media/reader.h"

enum { WIDTH = 320, HEIGHT = 180, FRAMES = 9 };

static const struct rational ntsc_film = {24000, 1001};

static struct media_job *prepared(const struct overlay *o, size_t count)
{
    struct media_job *m = media_job_new(WIDTH, HEIGHT, ntsc_film, FRAMES);

    m->shot.card.background = 0x203040;
    m->shot.card.background_to = 0x806040;
    m->shot.overlays = o;
    m->shot.overlay_count = count;
    media_must(m, STAGE_DECODE, &stage_decode);
    media_must(m, STAGE_COMPOSITE, &stage_composite);
    return m;
}

static const char *made(struct media_job *m, const char *name)
{
    const struct artefact *a = media_input(&m->job, STAGE_ENCODE, name);

    if (!a)
        fail_msg("there is no %s", name);
    assert_true(a->delivered);
    return a->path;
}

static struct media_reader *open_made(struct media_job *m, const char *name)
{
    struct media_reader *r;

    if (media_reader_open(made(m, name), name, 1, &r, &m->e) != 0)
        fail_msg("%s", m->e.text);
    return r;
}

/* Each film in its own form, the main one under the plain name. */
static void every_film_is_what_it_says(void **state)
{
    static const struct {
        enum deliver_codec codec;
        const char *name;
        enum AVCodecID id;
        uint32_t tag;
        enum AVPixelFormat format;
        int profile;
    } films[] = {
        {DELIVER_PRORES, "deliver.mov", AV_CODEC_ID_PRORES, MKTAG('a', 'p', 'c', 'h'),
         AV_PIX_FMT_YUV422P10LE, FF_PROFILE_PRORES_HQ},
        {DELIVER_H264, "deliver.h264.mp4", AV_CODEC_ID_H264, MKTAG('a', 'v', 'c', '1'),
         AV_PIX_FMT_YUV420P, FF_PROFILE_H264_HIGH},
        {DELIVER_H265, "deliver.h265.mp4", AV_CODEC_ID_HEVC, MKTAG('h', 'v', 'c', '1'),
         AV_PIX_FMT_YUV420P10LE, FF_PROFILE_HEVC_MAIN_10},
        {DELIVER_PRORES_4444, "deliver.prores-4444.mov", AV_CODEC_ID_PRORES,
         MKTAG('a', 'p', '4', 'h'), AV_PIX_FMT_YUV444P12LE, FF_PROFILE_PRORES_4444},
        {DELIVER_DNXHR, "deliver.dnxhr.mov", AV_CODEC_ID_DNXHD, MKTAG('A', 'V', 'd', 'h'),
         AV_PIX_FMT_YUV422P10LE, FF_PROFILE_DNXHR_HQX},
    };
    enum { FILMS = sizeof films / sizeof films[0] };
    struct media_job *m = prepared(NULL, 0);

    (void)state;
    m->board.deliver.codecs.count = FILMS;
    for (int i = 0; i < FILMS; i++)
        m->board.deliver.codecs.items[i] = films[i].codec;
    media_must(m, STAGE_ENCODE, &stage_encode);
    for (int i = 0; i < FILMS; i++) {
        struct media_reader *r = open_made(m, films[i].name);
        const AVStream *s = media_reader_stream(r);
        const AVCodecParameters *p = s->codecpar;
        AVFrame *f;
        int n = 0;

        assert_int_equal(p->codec_id, films[i].id);
        assert_int_equal(p->codec_tag, films[i].tag);
        assert_int_equal(p->format, films[i].format);
        assert_int_equal(p->profile, films[i].profile);
        assert_int_equal(p->color_primaries, AVCOL_PRI_BT709);
        assert_int_equal(p->color_trc, AVCOL_TRC_BT709);
        assert_int_equal(p->color_space, AVCOL_SPC_BT709);
        assert_int_equal(p->color_range, AVCOL_RANGE_MPEG);
        assert_string_equal(av_dict_get(s->metadata, "timecode", NULL, 0)->value, "01:00:00:00");
        assert_int_equal(s->nb_frames, FRAMES);
        while (media_reader_next(r, &f, &m->e) == 1)
            assert_int_equal(av_compare_ts(f->pts, s->time_base, n++, (AVRational){1001, 24000}),
                             0);
        assert_int_equal(n, FRAMES);
        media_reader_close(r);
    }
    assert_null(media_input(&m->job, STAGE_ENCODE, "deliver.titles.mov"));
    media_job_free(m);
}

/* What green is in the middle of a picture, 0 to 1; of light, as a signal again. */
static double green_of(const AVFrame *f)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    const AVComponentDescriptor *c = &d->comp[1];
    const uint8_t *at = f->data[c->plane] + (ptrdiff_t)(f->height / 2) * f->linesize[c->plane] +
                        f->width / 2 * c->step + c->offset;
    double light;

    if (!(d->flags & AV_PIX_FMT_FLAG_FLOAT))
        return (d->flags & AV_PIX_FMT_FLAG_BE ? at[0] * 256 + at[1] : at[1] * 256 + at[0]) /
               65535.0;
    light = *(const float *)(const void *)at;
    return light < 0.018 ? 4.5 * light : 1.099 * pow(light, 0.45) - 0.099;
}

static double master_green(struct media_job *m)
{
    const struct artefact *a = media_input(&m->job, STAGE_DECODE, "master.mkv");
    struct media_reader *r;
    AVFrame *f;
    double green;

    assert_int_equal(media_reader_open(a->path, "master", 1, &r, &m->e), 0);
    assert_int_equal(media_reader_next(r, &f, &m->e), 1);
    green = ((const uint16_t *)(const void *)(f->data[0] + (ptrdiff_t)(f->height / 2) *
                                                               f->linesize[0]))[f->width / 2] /
            1023.0;
    media_reader_close(r);
    return green;
}

/* The red primary as profiles have it, adapted to D50, and what BT.709's transfer makes of a half:
 * ((0.5 + 0.099) / 1.099) ^ (1 / 0.45). A step of a profile's numbers is 1/65536. */
static void profile_is_bt709(const char *path)
{
    TIFF *file = TIFFOpen(path, "r");
    uint32_t size = 0;
    void *bytes = NULL;
    const cmsCIEXYZ *red;
    const cmsToneCurve *curve;
    cmsHPROFILE profile;

    assert_non_null(file);
    assert_int_equal(TIFFGetField(file, TIFFTAG_ICCPROFILE, &size, &bytes), 1);
    profile = cmsOpenProfileFromMem(bytes, size);
    assert_non_null(profile);
    red = cmsReadTag(profile, cmsSigRedColorantTag);
    assert_non_null(red);
    assert_float_equal(red->X, 0.4361, 2e-4);
    assert_float_equal(red->Y, 0.2225, 2e-4);
    curve = cmsReadTag(profile, cmsSigGreenTRCTag);
    assert_non_null(curve);
    assert_float_equal(cmsEvalToneCurveFloat(curve, 0.5F), 0.25959, 2e-4);
    cmsCloseProfile(profile);
    TIFFClose(file);
}

static void chunks_are_bt709(const char *path)
{
    struct error e = {0};
    size_t size;
    char *bytes;

    assert_int_equal(file_read(path, 1 << 24, &bytes, &size, &e), 0);
    /* White and red of PNG's cHRM, of 1/100000: 0.3127, 0.329, 0.64, 0.33. */
    assert_non_null(memmem(bytes, size, "cHRM\0\0\x7a\x26\0\0\x80\x84\0\0\xfa\0\0\0\x80\xe8", 20));
    assert_non_null(memmem(bytes, size, "gAMA", 4));
    free(bytes);
}

/* A file a frame, whose number is its timecode; ten bits are kept, and colours are said. */
static void sequences_hold_a_picture_a_frame(void **state)
{
    static const struct {
        enum deliver_codec codec;
        const char *ending;
        enum AVPixelFormat format;
        double step; /* 16 bits, or a half's 11 about the middle, where its slope is 2 */
    } kinds[] = {{DELIVER_PNG, "png", AV_PIX_FMT_RGB48BE, 1 / 65535.0},
                 {DELIVER_TIFF, "tiff", AV_PIX_FMT_RGB48LE, 1 / 65535.0},
                 {DELIVER_EXR, "exr", AV_PIX_FMT_GBRPF32LE, 2 / 2048.0}};
    struct media_job *m = prepared(NULL, 0);
    double green = master_green(m);

    (void)state;
    m->board.deliver.codecs =
        (struct choices){4, {DELIVER_PNG, DELIVER_H264, DELIVER_TIFF, DELIVER_EXR}};
    m->board.deliver.handles = 4;
    media_must(m, STAGE_ENCODE, &stage_encode);
    made(m, "deliver.mp4");
    for (int i = 0; i < 3; i++) {
        char name[32], path[300];

        snprintf(name, sizeof name, "deliver.%s", kinds[i].ending);
        for (int n = 0; n < FRAMES; n++) {
            struct media_reader *r;
            AVFrame *f;

            snprintf(path, sizeof path, "%s/s1.%07d.%s", made(m, name), 86400 - 4 + n,
                     kinds[i].ending);
            if (media_reader_open(path, "picture", 1, &r, &m->e) != 0)
                fail_msg("%s", m->e.text);
            assert_int_equal(media_reader_next(r, &f, &m->e), 1);
            assert_int_equal(f->format, kinds[i].format);
            assert_int_equal(f->width, WIDTH);
            if (!(fabs(green_of(f) - green) <= kinds[i].step))
                fail_msg("%s: green is %.6f, not %.6f", path, green_of(f), green);
            media_reader_close(r);
        }
        if (kinds[i].codec == DELIVER_TIFF)
            profile_is_bt709(path);
        else if (kinds[i].codec == DELIVER_PNG)
            chunks_are_bt709(path);
        snprintf(path, sizeof path, "%s/s1.%07d.%s", made(m, name), 86400 - 4 + FRAMES,
                 kinds[i].ending);
        assert_false(path_exists(path));
    }
    media_job_free(m);
}

static uint16_t sample(const AVFrame *f, int plane, int x, int y)
{
    return (
        (const uint16_t *)(const void *)(f->data[plane] + (ptrdiff_t)y * f->linesize[plane]))[x];
}

/* The mean and the largest difference between textless with titles over it, and the burned-in film,
 * in luma of 10 bits. */
static void lay_over(const AVFrame *textless, const AVFrame *titles, const AVFrame *burned,
                     double *mean, double *most, double *ink)
{
    double sum = 0;

    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            double alpha = sample(titles, 3, x, y) / 4095.0;
            double over =
                sample(textless, 0, x, y) * (1 - alpha) + sample(titles, 0, x, y) / 4.0 * alpha;
            double off = fabs(over - sample(burned, 0, x, y));

            sum += off;
            *ink += alpha;
            *most = fmax(*most, off);
        }
    *mean = fmax(*mean, sum / (WIDTH * HEIGHT));
}

static void textless_and_titles_are_the_burned_in_film(void **state)
{
    struct overlay o = media_overlay(OVERLAY_TITLE, "Harbour");
    struct media_job *m;
    struct media_reader *r[3];
    AVFrame *f[3];
    double mean = 0, most = 0, ink[FRAMES] = {0};
    int n = 0;

    (void)state;
    o.in = 3 * 1001 / 24000.0; /* stands from frame 3 to the end */
    m = prepared(&o, 1);
    m->board.deliver.codecs.items[0] = DELIVER_PRORES;
    media_must(m, STAGE_ENCODE, &stage_encode);
    r[0] = open_made(m, "deliver.textless.mov");
    r[1] = open_made(m, "deliver.titles.mov");
    r[2] = open_made(m, "deliver.mov");
    assert_int_equal(media_reader_stream(r[1])->codecpar->codec_tag, MKTAG('a', 'p', '4', 'h'));
    for (;; n++) {
        int got = 0;

        for (int i = 0; i < 3; i++)
            got += media_reader_next(r[i], &f[i], &m->e);
        if (got != 3) { /* all end together */
            assert_int_equal(got, 0);
            break;
        }
        assert_int_equal(f[1]->format, AV_PIX_FMT_YUVA444P12LE);
        lay_over(f[0], f[1], f[2], &mean, &most, &ink[n]);
    }
    assert_int_equal(n, FRAMES);
    assert_true(ink[2] == 0 && ink[3] > 100);
    /* Steps of 1023. Three times through ProRes, which rounds about letters; laying over in luma
     * instead of in R'G'B' is the same for grey lettering. Seen: mean 0.3, most 28. */
    if (!(mean < 1 && most < 60))
        fail_msg("mean %.2f, most %.1f", mean, most);
    for (int i = 0; i < 3; i++)
        media_reader_close(r[i]);
    media_job_free(m);
}

static double mean_luma(const AVFrame *f, int x0, int y0, int x1, int y1)
{
    double sum = 0;

    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            sum += f->data[0][(ptrdiff_t)y * f->linesize[0] + x];
    return sum / ((x1 - x0) * (y1 - y0));
}

/* One picture more than the shot, a frame of timecode earlier; panels at top left and bottom right.
 */
static void a_proxy_tells_what_it_shows(void **state)
{
    struct media_job *m = prepared(NULL, 0);
    struct media_reader *r;
    AVFrame *f;
    int n = 0;

    (void)state;
    m->board.name = "film";
    m->board.deliver.proxy = PROXY_SLATE;
    assert_int_equal(stage_encode.check(&m->env, &m->shot, &m->e), 0);
    media_must(m, STAGE_ENCODE, &stage_encode);
    r = open_made(m, "deliver.proxy.mp4");
    assert_string_equal(av_dict_get(media_reader_stream(r)->metadata, "timecode", NULL, 0)->value,
                        "00:59:59:23");
    for (; media_reader_next(r, &f, &m->e) == 1; n++) {
        double middle = mean_luma(f, 140, 60, 180, 120), edge = mean_luma(f, 0, 170, 40, 180);
        double panel = mean_luma(f, 18, 11, 22, 15), bare = mean_luma(f, 200, 11, 204, 15);

        if (n == 0)
            assert_true(edge < 17 && middle > 30); /* words on black */
        else
            assert_true(edge > 80 && panel < 0.6 * bare);
    }
    assert_int_equal(n, FRAMES + 1);
    media_reader_close(r);
    m->board.width = m->board.height = 32;
    assert_int_equal(stage_encode.check(&m->env, &m->shot, &m->e), -1);
    assert_non_null(strstr(m->e.text, "deliver's proxy of shot s1"));
    media_job_free(m);
}

static void layers_are_left_out_when_not_wanted(void **state)
{
    struct overlay o = media_overlay(OVERLAY_CAPTION, "Caption");
    struct media_job *m = prepared(&o, 1);

    (void)state;
    m->board.deliver.layers = LAYERS_NONE;
    media_must(m, STAGE_ENCODE, &stage_encode);
    made(m, "deliver.mp4");
    assert_null(media_input(&m->job, STAGE_ENCODE, "deliver.textless.mp4"));
    assert_null(media_input(&m->job, STAGE_ENCODE, "deliver.titles.mov"));
    media_job_free(m);
}

static void the_same_forms_give_the_same_bytes(void **state)
{
    struct hash128 first[3], second;
    static const char *const names[3] = {"deliver.h265.mp4", "deliver.exr", "deliver.dnxhr.mov"};

    (void)state;
    for (int threads = 1; threads <= 4; threads += 3) {
        struct media_job *m = prepared(NULL, 0);

        m->env.device.threads = threads;
        m->board.deliver.codecs =
            (struct choices){4, {DELIVER_H264, DELIVER_H265, DELIVER_EXR, DELIVER_DNXHR}};
        media_must(m, STAGE_ENCODE, &stage_encode);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(
                hash_path(made(m, names[i]), threads == 1 ? &first[i] : &second, &m->e), 0);
            if (threads > 1)
                assert_true(hash_equal(first[i], second));
        }
        media_job_free(m);
    }
}

static void a_form_that_cannot_hold_the_size_is_refused_at_check(void **state)
{
    struct media_job *m = media_job_new(128, 96, ntsc_film, 2);

    (void)state;
    m->board.deliver.codecs = (struct choices){2, {DELIVER_H264, DELIVER_DNXHR}};
    assert_int_equal(stage_encode.check(&m->env, &m->shot, &m->e), -1);
    assert_non_null(strstr(m->e.text, "dnxhr holds pictures of 256x120 and more"));
    m->board.deliver.codecs.count = 1;
    assert_int_equal(stage_encode.check(&m->env, &m->shot, &m->e), 0);
    media_job_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_film_is_what_it_says),
        cmocka_unit_test(sequences_hold_a_picture_a_frame),
        cmocka_unit_test(textless_and_titles_are_the_burned_in_film),
        cmocka_unit_test(a_proxy_tells_what_it_shows),
        cmocka_unit_test(layers_are_left_out_when_not_wanted),
        cmocka_unit_test(the_same_forms_give_the_same_bytes),
        cmocka_unit_test(a_form_that_cannot_hold_the_size_is_refused_at_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
