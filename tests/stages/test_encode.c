/* The delivered film: every promise about it, read back from the file itself. */
#include "tests/stages/ffv1.h"
#include "tests/stages/media_job.h"

#include <math.h>
#include <sys/mount.h>

#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>

#include "stages/encode/verify.h"
#include "stages/media/convert.h"
#include "stages/media/reader.h"
#include "stages/media/writer.h"

static const struct rational film = {24, 1}, ntsc_film = {24000, 1001}, ntsc = {30000, 1001};

/* A card's master and the given overlays' layer, ready to encode. */
static struct media_job *prepared(int width, int height, struct rational fps, int frames,
                                  const struct overlay *o, size_t count)
{
    struct media_job *m = media_job_new(width, height, fps, frames);

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

    assert_non_null(a);
    assert_true(a->delivered);
    return a->path;
}

static struct media_reader *open_film(struct media_job *m, const char *name)
{
    struct media_reader *r;

    if (media_reader_open(made(m, name), "film", 1, &r, &m->e) != 0)
        fail_msg("%s", m->e.text);
    return r;
}

static void check_film(struct media_job *m, const char *name, const char *timecode)
{
    struct media_reader *r = open_film(m, name);
    const AVStream *s = media_reader_stream(r);
    const AVCodecParameters *p = s->codecpar;
    AVRational fps = {m->board.fps.num, m->board.fps.den};
    AVFrame *f;
    int n = 0;

    assert_int_equal(s->nb_frames, m->shot.frames);
    assert_int_equal(av_cmp_q(s->avg_frame_rate, fps), 0);
    assert_int_equal(av_cmp_q(s->r_frame_rate, fps), 0);
    assert_int_equal(p->color_primaries, AVCOL_PRI_BT709);
    assert_int_equal(p->color_trc, AVCOL_TRC_BT709);
    assert_int_equal(p->color_space, AVCOL_SPC_BT709);
    assert_int_equal(p->color_range, AVCOL_RANGE_MPEG);
    assert_int_equal(p->width, m->board.width);
    assert_int_equal(p->height, m->board.height);
    assert_string_equal(av_dict_get(s->metadata, "timecode", NULL, 0)->value, timecode);
    assert_null(av_dict_get(media_reader_container(r)->metadata, "creation_time", NULL, 0));
    while (media_reader_next(r, &f, &m->e) == 1) {
        /* On its time exactly: n frames of den/num seconds. */
        assert_int_equal(av_compare_ts(f->pts, s->time_base, n, av_inv_q(fps)), 0);
        n++;
    }
    assert_int_equal(n, m->shot.frames);
    media_reader_close(r);
}

static void rates_counts_tags_and_timecode_hold(void **state)
{
    static const struct {
        struct rational fps;
        const char *timecode;
    } cases[] = {{{24000, 1001}, "01:00:00:00"},
                 {{24, 1}, "01:00:00:00"},
                 {{25, 1}, "01:00:00:00"},
                 {{30000, 1001}, "01:00:00;00"},
                 {{60000, 1001}, "01:00:00;00"}};

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct media_job *m = prepared(128, 96, cases[i].fps, 31, NULL, 0);

        media_must(m, STAGE_ENCODE, &stage_encode);
        check_film(m, "deliver.mp4", cases[i].timecode);
        assert_non_null(strstr(m->notes, "\"frames\": 31"));
        media_job_free(m);
    }
}

static void one_frame_and_odd_rates_are_delivered(void **state)
{
    struct media_job *m = prepared(16, 16, film, 1, NULL, 0);

    (void)state;
    media_must(m, STAGE_ENCODE, &stage_encode);
    media_job_free(m);
    m = prepared(130, 98, (struct rational){25, 2}, 7, NULL, 0);
    media_must(m, STAGE_ENCODE, &stage_encode);
    check_film(m, "deliver.mp4", "01:00:00:00");
    media_job_free(m);
}

/* Tags in the file itself, not as a library fills them in: the colr box (ISO/IEC 14496-12 12.1.5)
 * and the timecode track. */
static void the_container_carries_the_tags(void **state)
{
    struct media_job *m = prepared(128, 96, ntsc_film, 5, NULL, 0);
    static const char colr[] = "colrnclx\0\1\0\1\0\1\0";
    char *bytes;
    size_t size;

    (void)state;
    media_must(m, STAGE_ENCODE, &stage_encode);
    assert_int_equal(file_read(made(m, "deliver.mp4"), 1 << 24, &bytes, &size, &m->e), 0);
    assert_non_null(memmem(bytes, size, colr, sizeof colr - 1));
    assert_non_null(memmem(bytes, size, "tmcd", 4));
    assert_true(memmem(bytes, size, "moov", 4) < memmem(bytes, size, "mdat", 4));
    free(bytes);
    media_job_free(m);
}

/* Decodes the elementary stream alone, so that only the bitstream's own tags can show. */
static void the_bitstream_carries_the_tags(void **state)
{
    struct media_job *m = prepared(128, 96, ntsc_film, 5, NULL, 0);
    struct media_reader *r;
    AVCodecContext *c = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264));
    AVFrame *f = av_frame_alloc();
    AVPacket *p = av_packet_alloc();

    (void)state;
    media_must(m, STAGE_ENCODE, &stage_encode);
    r = open_film(m, "deliver.mp4");
    c->extradata_size = media_reader_stream(r)->codecpar->extradata_size;
    c->extradata = av_mallocz((size_t)c->extradata_size + AV_INPUT_BUFFER_PADDING_SIZE);
    memcpy(c->extradata, media_reader_stream(r)->codecpar->extradata, (size_t)c->extradata_size);
    assert_int_equal(avcodec_open2(c, NULL, NULL), 0);
    do {
        av_packet_unref(p);
        assert_int_equal(av_read_frame((AVFormatContext *)(uintptr_t)media_reader_container(r), p),
                         0);
    } while (p->stream_index != media_reader_stream(r)->index);
    assert_int_equal(avcodec_send_packet(c, p), 0);
    avcodec_send_packet(c, NULL);
    assert_int_equal(avcodec_receive_frame(c, f), 0);
    assert_int_equal(f->color_primaries, AVCOL_PRI_BT709);
    assert_int_equal(f->color_trc, AVCOL_TRC_BT709);
    assert_int_equal(f->colorspace, AVCOL_SPC_BT709);
    assert_int_equal(f->color_range, AVCOL_RANGE_MPEG);
    assert_int_equal(c->profile, FF_PROFILE_H264_HIGH);
    av_frame_free(&f);
    av_packet_free(&p);
    avcodec_free_context(&c);
    media_reader_close(r);
    media_job_free(m);
}

/* R'G'B' of a decoded 4:2:0 picture at a place, by BT.709. */
static void decoded_colour(const AVFrame *f, int x, int y, double rgb[3])
{
    double l = (f->data[0][y * f->linesize[0] + x] - 16) / 219.0;
    double cb = (f->data[1][y / 2 * f->linesize[1] + x / 2] - 128) / 224.0;
    double cr = (f->data[2][y / 2 * f->linesize[2] + x / 2] - 128) / 224.0;

    rgb[0] = 255 * (l + 1.5748 * cr);
    rgb[2] = 255 * (l + 1.8556 * cb);
    rgb[1] = 255 * (l - 0.2126 * 1.5748 / 0.7152 * cr - 0.0722 * 1.8556 / 0.7152 * cb);
}

/* The slate's panel is see-through and its letters thin, so a big title it is. The tolerance: a
 * step of Y', Cb or Cr each is worth up to 2.2 steps of one channel, and the encoder at CRF 14
 * moves flat parts by about one. */
static void text_colours_survive_to_the_delivered_film(void **state)
{
    static const unsigned colours[] = {0xFFFFFF, 0xE8B341, 0xC81020, 0x12345F, 0x30A060};
    static const double tolerance = 4;

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct overlay o = media_overlay(OVERLAY_TITLE, "\u2588\u2588\u2588"); /* full blocks */
        struct media_job *m;
        struct media_reader *r;
        double mean[3] = {0}, rgb[3];
        AVFrame *f;
        int count = 0;

        o.has_color = true;
        o.color = colours[i];
        o.size = 0.3;
        m = prepared(320, 180, film, 3, &o, 1);
        media_must(m, STAGE_ENCODE, &stage_encode);
        r = open_film(m, "deliver.mp4");
        assert_int_equal(media_reader_next(r, &f, &m->e), 1);
        for (int y = 80; y < 96; y++)
            for (int x = 150; x < 170; x++, count++) {
                decoded_colour(f, x, y, rgb);
                for (int c = 0; c < 3; c++) {
                    int want = (int)(colours[i] >> (16 - 8 * c) & 255);

                    mean[c] += rgb[c];
                    if (!(fabs(rgb[c] - want) <= tolerance + 3))
                        fail_msg("%06x: channel %d is %.1f at %d,%d", colours[i], c, rgb[c], x, y);
                }
            }
        for (int c = 0; c < 3; c++) {
            int want = (int)(colours[i] >> (16 - 8 * c) & 255);

            if (!(fabs(mean[c] / count - want) <= tolerance / 2))
                fail_msg("%06x: channel %d is %.2f on average", colours[i], c, mean[c] / count);
        }
        media_reader_close(r);
        media_job_free(m);
    }
}

static void the_same_input_gives_the_same_bytes(void **state)
{
    struct overlay o = media_overlay(OVERLAY_LOWER_THIRD, "Name");
    struct media_job *m = prepared(320, 180, ntsc, 40, &o, 1);
    struct hash128 film_a, film_b, poster_a, poster_b;

    (void)state;
    media_must(m, STAGE_ENCODE, &stage_encode);
    assert_int_equal(hash_file(made(m, "deliver.mp4"), &film_a, &m->e), 0);
    assert_int_equal(hash_file(made(m, "deliver.poster.png"), &poster_a, &m->e), 0);
    sleep(1);
    m->env.device.threads = 1; /* another number of cores */
    media_must(m, STAGE_ENCODE, &stage_encode);
    assert_int_equal(hash_file(made(m, "deliver.mp4"), &film_b, &m->e), 0);
    assert_int_equal(hash_file(made(m, "deliver.poster.png"), &poster_b, &m->e), 0);
    assert_true(hash_equal(film_a, film_b));
    assert_true(hash_equal(poster_a, poster_b));
    media_job_free(m);
}

static void the_poster_of_a_card_shows_its_title(void **state)
{
    struct overlay o = media_overlay(OVERLAY_TITLE, "\u2588\u2588");
    struct media_job *m;
    struct media_reader *r;
    AVFrame *f;

    (void)state;
    o.in = 0.9; /* a third in, the card is still empty */
    o.out = 1.1;
    o.size = 0.3;
    m = prepared(320, 180, film, 27, &o, 1);
    media_must(m, STAGE_ENCODE, &stage_encode);
    assert_int_equal(media_reader_open(made(m, "deliver.poster.png"), "poster", 1, &r, &m->e), 0);
    assert_int_equal(media_reader_next(r, &f, &m->e), 1);
    assert_int_equal(f->width, 320);
    assert_int_equal(f->height, 180);
    assert_int_equal(f->format, AV_PIX_FMT_RGB24);
    for (int c = 0; c < 3; c++)
        assert_int_equal(f->data[0][88 * f->linesize[0] + 3 * 160 + c], 255);
    media_reader_close(r);
    media_job_free(m);
}

static void prores_is_delivered_for_editors(void **state)
{
    struct overlay o = media_overlay(OVERLAY_CAPTION, "Caption");
    struct media_job *m = prepared(320, 180, ntsc_film, 7, &o, 1);
    struct media_reader *r;

    (void)state;
    m->board.deliver.codecs.items[0] = DELIVER_PRORES;
    media_must(m, STAGE_ENCODE, &stage_encode);
    check_film(m, "deliver.mov", "01:00:00:00");
    r = open_film(m, "deliver.mov");
    assert_int_equal(media_reader_stream(r)->codecpar->codec_id, AV_CODEC_ID_PRORES);
    assert_int_equal(media_reader_stream(r)->codecpar->codec_tag, MKTAG('a', 'p', 'c', 'h'));
    assert_int_equal(media_reader_stream(r)->codecpar->format, AV_PIX_FMT_YUV422P10LE);
    media_reader_close(r);
    media_job_free(m);
}

static void expect_words(struct media_job *m, enum error_code code, const char *words)
{
    int made = m->made_count;

    assert_int_equal(media_run(m, STAGE_ENCODE, &stage_encode), -1);
    assert_int_equal(m->made_count, made); /* nothing was handed over */
    if (m->e.code != code || !strstr(m->e.text, words))
        fail_msg("\"%s\" (%s) does not say \"%s\"", m->e.text, error_code_name(m->e.code), words);
}

/* As versions before wrote it. */
static void become_ffv1(struct media_job *m, const char *master)
{
    const struct media_form form = ffv1(m->board.width, m->board.height, m->board.fps);
    char path[100];
    struct media_reader *r;
    struct media_writer *w;
    AVFrame *f;
    int n = 0;

    snprintf(path, sizeof path, "%s/ffv1.mkv", m->dir);
    assert_int_equal(media_reader_open(master, "the master", 1, &r, &m->e), 0);
    assert_int_equal(media_reader_stream(r)->codecpar->codec_id, AV_CODEC_ID_FFVHUFF);
    assert_int_equal(media_writer_open(path, &form, &w, &m->e), 0);
    while (media_reader_next(r, &f, &m->e) == 1)
        assert_int_equal(media_writer_put(w, f, n++, &m->e), 0);
    assert_int_equal(media_writer_finish(w, &m->e), 0);
    media_writer_close(w);
    media_reader_close(r);
    assert_int_equal(rename(path, master), 0);
}

static void flip_a_bit(const char *path, struct error *e)
{
    char *bytes;
    size_t size;

    assert_int_equal(file_read(path, 1 << 24, &bytes, &size, e), 0);
    bytes[size / 2] ^= 1;
    assert_int_equal(file_write_atomic(path, bytes, size, e), 0);
    free(bytes);
}

static void masters_of_versions_before_give_the_same_film(void **state)
{
    struct media_job *m = prepared(128, 96, film, 12, NULL, 0);
    const char *master = media_input(&m->job, STAGE_DECODE, "master.mkv")->path;
    struct hash128 now, before;

    (void)state;
    media_must(m, STAGE_ENCODE, &stage_encode);
    assert_int_equal(hash_file(made(m, "deliver.mp4"), &now, &m->e), 0);
    become_ffv1(m, master);
    media_must(m, STAGE_ENCODE, &stage_encode);
    assert_int_equal(hash_file(made(m, "deliver.mp4"), &before, &m->e), 0);
    assert_true(hash_equal(now, before));
    flip_a_bit(master, &m->e);
    expect_words(m, ERROR_MEDIA, "the master");
    media_job_free(m);
}

/* That every bit of it is as it was made is the executor's to see (test_executor). */
static void bad_masters_are_refused(void **state)
{
    struct media_job *m = prepared(128, 96, film, 12, NULL, 0);
    const char *master = media_input(&m->job, STAGE_DECODE, "master.mkv")->path;
    char *bytes;
    size_t size;

    (void)state;
    m->shot.frames = 13;
    expect_words(m, ERROR_MEDIA, "the master holds 12 frames, the shot needs 13");
    m->shot.frames = 11;
    expect_words(m, ERROR_MEDIA, "more than 11 frames");
    m->shot.frames = 12;
    assert_int_equal(file_read(master, 1 << 24, &bytes, &size, &m->e), 0);
    assert_int_equal(file_write_atomic(master, bytes, size / 2, &m->e), 0);
    expect_words(m, ERROR_MEDIA, "the master");
    assert_int_equal(file_write_atomic(master, "", 0, &m->e), 0);
    expect_words(m, ERROR_MEDIA, "the master is empty");
    free(bytes);
    media_job_free(m);
}

static void cancelling_stops_between_frames(void **state)
{
    struct media_job *m = prepared(128, 96, film, 12, NULL, 0);

    (void)state;
    m->cancel_after = 5;
    expect_words(m, ERROR_CANCELLED, "interrupted");
    assert_int_equal(m->progressed, 5);
    media_job_free(m);
}

/* At every size of a small disk the encoder either delivers all of it or says that there is no
 * space: in the header, in the pictures, in the trailer or while the index moves to the front. */
static void a_full_disk_is_an_error_of_space(void **state)
{
    struct overlay o = media_overlay(OVERLAY_TITLE, "Title");
    struct media_job *m = prepared(320, 180, film, 24, &o, 1);
    char dir[100], options[40];
    int refused = 0, delivered = 0;

    (void)state;
    snprintf(dir, sizeof dir, "%s/small", m->dir);
    assert_int_equal(dir_make(dir, &m->e), 0);
    m->job.workdir = dir;
    for (int kib = 4; kib <= 256 && delivered == 0; kib += 8) {
        snprintf(options, sizeof options, "size=%dk", kib);
        if (mount("tmpfs", dir, "tmpfs", 0, options) != 0) {
            print_message("skipped: mounting a tmpfs is not permitted here\n");
            m->job.workdir = m->dir;
            media_job_free(m);
            skip();
        }
        if (media_run(m, STAGE_ENCODE, &stage_encode) == 0) {
            delivered++;
        } else {
            refused++;
            if (m->e.code != ERROR_SPACE)
                print_message("with %d KiB: %s\n", kib, m->e.text);
        }
        umount(dir);
        if (!delivered)
            assert_int_equal(m->e.code, ERROR_SPACE);
    }
    assert_true(refused > 2);
    assert_int_equal(delivered, 1);
    media_job_free(m);
}

/* ---- the verifier must be able to fail ---- */

static AVFrame *grey(int width, int height, int luma)
{
    AVFrame *f = av_frame_alloc();

    f->format = AV_PIX_FMT_YUV420P;
    f->width = width;
    f->height = height;
    assert_int_equal(av_frame_get_buffer(f, 0), 0);
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < (p ? height / 2 : height); y++)
            memset(f->data[p] + y * f->linesize[p], p ? 128 : luma,
                   (size_t)(p ? width / 2 : width));
    return f;
}

static struct media_form good_form(void)
{
    return (struct media_form){.container = "mp4",
                               .encoder = "libx264",
                               .encoder_options = "preset=ultrafast;crf=14",
                               .muxer_options = "movflags=+faststart+write_colr",
                               .pixel_format = AV_PIX_FMT_YUV420P,
                               .width = 64,
                               .height = 48,
                               .fps = {24, 1},
                               .threads = 1,
                               .gop = 24,
                               .matrix = AVCOL_SPC_BT709,
                               .range = AVCOL_RANGE_MPEG,
                               .transfer = AVCOL_TRC_BT709,
                               .timecode = "01:00:00:00"};
}

/* Writes 10 frames of rising grey in `form`, with frame `black_at` black instead, and verifies. */
static void verify_words(struct media_form form, int black_at, int count, const char *words)
{
    struct media_job *m = media_job_new(64, 48, film, 10);
    struct print prints[10];
    struct delivery d = {.path = arena_printf(&m->arena, "%s/a.mp4", m->dir),
                         .pixel_format = AV_PIX_FMT_YUV420P,
                         .width = 64,
                         .height = 48,
                         .frames = 10,
                         .fps = {24, 1},
                         .timecode = "01:00:00:00",
                         .tolerance = 3,
                         .prints = prints};
    struct media_writer *w;
    double worst = 0;
    int rc;

    if (media_writer_open(d.path, &form, &w, &m->e) != 0)
        fail_msg("%s", m->e.text);
    for (int n = 0; n < 10; n++) {
        AVFrame *f = grey(form.width, form.height, 40 + 10 * n);

        print_of(f, &prints[n]);
        if (n == black_at)
            memset(f->data[0], 16, (size_t)(f->linesize[0] * f->height));
        if (n < count)
            assert_int_equal(media_writer_put(w, f, n, &m->e), 0);
        av_frame_free(&f);
    }
    assert_int_equal(media_writer_finish(w, &m->e), 0);
    media_writer_close(w);
    rc = verify_film(&m->job, &d, &worst, &m->e);
    if (rc != (words ? -1 : 0) || (words && !strstr(m->e.text, words)))
        fail_msg("%d \"%s\" does not say \"%s\"", rc, m->e.text, words ? words : "");
    media_job_free(m);
}

static void the_verifier_sees_what_is_wrong(void **state)
{
    struct media_form form = good_form();

    (void)state;
    verify_words(form, -1, 10, NULL);
    verify_words(form, 4, 10, "frame 4 of the delivered file is not the picture");
    verify_words(form, -1, 9, "frame count is 9, not 10");
    form.muxer_options = NULL;
    verify_words(form, -1, 10, "index does not come before");
    form = good_form();
    form.timecode = NULL;
    verify_words(form, -1, 10, "timecode is missing, not 01:00:00:00");
    form = good_form();
    form.matrix = AVCOL_SPC_SMPTE170M;
    verify_words(form, -1, 10, "tagged bt709/bt709/smpte170m/tv");
    form = good_form();
    form.range = AVCOL_RANGE_UNSPECIFIED;
    form.matrix = AVCOL_SPC_UNSPECIFIED;
    form.transfer = AVCOL_TRC_UNSPECIFIED;
    verify_words(form, -1, 10, "not bt709/bt709/bt709/tv");
    form = good_form();
    form.fps = (struct rational){25, 1};
    verify_words(form, -1, 10, "frame rate is 25/1, not 24/1");
    form = good_form();
    form.width = 66;
    verify_words(form, -1, 10, "width is 66, not 64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_counts_tags_and_timecode_hold),
        cmocka_unit_test(one_frame_and_odd_rates_are_delivered),
        cmocka_unit_test(the_container_carries_the_tags),
        cmocka_unit_test(the_bitstream_carries_the_tags),
        cmocka_unit_test(text_colours_survive_to_the_delivered_film),
        cmocka_unit_test(the_same_input_gives_the_same_bytes),
        cmocka_unit_test(the_poster_of_a_card_shows_its_title),
        cmocka_unit_test(prores_is_delivered_for_editors),
        cmocka_unit_test(masters_of_versions_before_give_the_same_film),
        cmocka_unit_test(bad_masters_are_refused),
        cmocka_unit_test(cancelling_stops_between_frames),
        cmocka_unit_test(a_full_disk_is_an_error_of_space),
        cmocka_unit_test(the_verifier_sees_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
