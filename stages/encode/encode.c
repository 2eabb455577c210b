/* Encode: master and title layer become the delivered film and its poster.
 *
 *   h264    MP4: H.264 High, 4:2:0 8-bit, constant quality (CRF), closed groups of a second
 *   prores  QuickTime: ProRes 422 HQ, 4:2:2 10-bit
 *
 * Both: BT.709, limited range, constant frame rate, a timecode track, the index
 * first, no dates: the same input gives the same bytes, whatever the number of cores.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stages/encode/titles.h"
#include "stages/encode/verify.h"
#include "stages/media/convert.h"
#include "stages/media/media.h"
#include "stages/media/reader.h"
#include "stages/media/writer.h"

/* Bytes of x264 depend on its number of threads; this many keep four cores busy and cost little on
 * one. */
enum { X264_THREADS = 4 };

static enum lane encode_lane(const struct stage_env *env, const struct shot *shot)
{
    (void)env, (void)shot;
    return LANE_CPU;
}

static int encode_describe(const struct stage_env *env, const struct shot *shot, struct inputs *in,
                           struct error *e)
{
    const struct deliver *d = &env->board->deliver;
    char timecode[TIMECODE_SIZE];

    (void)shot, (void)e;
    media_timecode(env->board, 0, timecode);
    in->text(in, "deliver.timecode", timecode);
    in->text(in, "deliver.codec", d->codec == DELIVER_PRORES ? "prores" : "h264");
    if (d->codec == DELIVER_H264)
        in->integer(in, "deliver.quality", d->quality);
    return 0;
}

struct encoding {
    struct stage_job *job;
    bool prores;
    double crf;
    char timecode[16];
    int poster_frame;
    const char *path, *poster_path;
    struct media_reader *master;
    struct titles *titles;
    struct media_writer *writer;
    AVFrame *out; /* what the encoder takes */
    struct print *prints;
};

static AVFrame *new_frame(enum AVPixelFormat format, int width, int height, struct error *e)
{
    AVFrame *f = av_frame_alloc();

    if (f) {
        f->format = format;
        f->width = width;
        f->height = height;
    }
    if (!f || av_frame_get_buffer(f, 0) < 0) {
        av_frame_free(&f);
        error_memory(e);
    }
    return f;
}

static int open_writer(struct encoding *x, struct error *e)
{
    const struct board *b = x->job->env->board;
    char options[160];
    struct media_form form = {
        .container = x->prores ? "mov" : "mp4",
        .encoder = x->prores ? "prores_ks" : "libx264",
        .encoder_options = options,
        .muxer_options = "movflags=+faststart+write_colr",
        .pixel_format = x->prores ? AV_PIX_FMT_YUV422P10LE : AV_PIX_FMT_YUV420P,
        .width = b->width,
        .height = b->height,
        .fps = b->fps,
        .threads = x->prores ? x->job->env->device.threads : X264_THREADS,
        .gop = x->prores ? 0 : (b->fps.num + b->fps.den / 2) / b->fps.den,
        .matrix = AVCOL_SPC_BT709,
        .range = AVCOL_RANGE_MPEG,
        .transfer = AVCOL_TRC_BT709,
        .timecode = x->timecode,
    };

    if (x->prores)
        snprintf(options, sizeof options, "profile=hq;vendor=apl0");
    else
        snprintf(options, sizeof options,
                 "preset=medium;profile=high;crf=%.2f;x264-params=cpu-independent=1", x->crf);
    x->out = new_frame(form.pixel_format, b->width, b->height, e);
    return x->out ? media_writer_open(x->path, &form, &x->writer, e) : -1;
}

/* A third into the shot, where a picture has settled and not yet begun to go. A card is its
 * lettering: there, the frame with the most of it. */
static int choose_poster(struct encoding *x, const char *titles, struct error *e)
{
    const struct shot *shot = x->job->shot;
    int fullest = -1;

    if (shot->kind == SHOT_CARD && titles &&
        titles_fullest(titles, x->job->env->board, shot->frames, &fullest, e) != 0)
        return -1;
    x->poster_frame = fullest >= 0 ? fullest : shot->frames / 3;
    return 0;
}

static int encoding_open(struct encoding *x, struct stage_job *job, struct error *e)
{
    const struct board *b = job->env->board;
    const struct artefact *master = job->input(job, STAGE_DECODE, "master.mkv");
    const struct artefact *layer = job->input(job, STAGE_COMPOSITE, "titles.mkv");
    const char *titles = layer ? layer->path : NULL; /* no file: no lettering */

    *x = (struct encoding){.job = job, .prores = b->deliver.codec == DELIVER_PRORES};
    x->crf = 14 + (80 - b->deliver.quality) * 0.35;
    media_timecode(b, 0, x->timecode);
    if (!master || !master->path)
        return error_set(e, ERROR_INTERNAL, "there is no master to encode");
    x->path = arena_printf(job->arena, "%s/deliver.%s", job->workdir, x->prores ? "mov" : "mp4");
    x->poster_path = arena_printf(job->arena, "%s/poster.png", job->workdir);
    x->prints = calloc((size_t)job->shot->frames, sizeof *x->prints);
    if (!x->path || !x->poster_path || !x->prints)
        return error_memory(e);
    /* More threads than cores: they decode ahead while this one mixes, converts and encodes. */
    if (media_reader_open(master->path, "the master", job->env->device.threads + 2, &x->master,
                          e) != 0 ||
        titles_open(titles, b, &x->titles, e) != 0 || choose_poster(x, titles, e) != 0)
        return -1;
    return open_writer(x, e);
}

static void encoding_close(struct encoding *x)
{
    media_reader_close(x->master);
    titles_close(x->titles);
    media_writer_close(x->writer);
    av_frame_free(&x->out);
    free(x->prints);
}

static int write_poster(const struct encoding *x, const AVFrame *picture, struct error *e)
{
    struct media_form form = {
        .container = "image2pipe",
        .encoder = "png",
        .pixel_format = AV_PIX_FMT_RGB24,
        .width = picture->width,
        .height = picture->height,
        .fps = {25, 1},
        .threads = 1,
        .matrix = AVCOL_SPC_RGB,
        .range = AVCOL_RANGE_JPEG,
        .transfer = AVCOL_TRC_IEC61966_2_1, /* what viewers of pictures expect */
    };
    AVFrame *rgb = new_frame(AV_PIX_FMT_RGB24, picture->width, picture->height, e);
    struct media_writer *w = NULL;
    int rc = -1;

    if (!rgb)
        return -1;
    convert_to_rgb24(picture, rgb);
    if (media_writer_open(x->poster_path, &form, &w, e) == 0 && media_writer_put(w, rgb, 0, e) == 0)
        rc = media_writer_finish(w, e);
    media_writer_close(w);
    av_frame_free(&rgb);
    return rc;
}

/* Frame n of the master, with titles, into the encoder. */
static int encode_frame(struct encoding *x, AVFrame *picture, int n, struct error *e)
{
    const struct board *b = x->job->env->board;

    if (picture->format != AV_PIX_FMT_GBRP10LE || picture->width != b->width ||
        picture->height != b->height)
        return error_set(e, ERROR_MEDIA, "the master is not in the form that decode makes");
    if (av_frame_make_writable(picture) < 0 || av_frame_make_writable(x->out) < 0)
        return error_memory(e);
    if (titles_apply(x->titles, n, picture, e) != 0)
        return -1;
    if (n == x->poster_frame && write_poster(x, picture, e) != 0)
        return -1;
    if (x->prores)
        convert_to_yuv422p10(picture, x->out);
    else
        convert_to_yuv420p(picture, x->out);
    print_of(x->out, &x->prints[n]);
    return media_writer_put(x->writer, x->out, n, e);
}

static int encode_all(struct encoding *x, struct error *e)
{
    struct stage_job *job = x->job;
    AVFrame *picture;
    int got, n = 0;

    while ((got = media_reader_next(x->master, &picture, e)) == 1) {
        if (job->cancelled(job))
            return error_set(e, ERROR_CANCELLED, "interrupted");
        if (n == job->shot->frames)
            break;
        if (encode_frame(x, picture, n, e) != 0)
            return -1;
        job->progress(job, ++n, job->shot->frames, "frame");
    }
    if (got < 0)
        return -1;
    if (got == 1 || n != job->shot->frames)
        return error_set(e, ERROR_MEDIA, "the master holds %s%d frames, the shot needs %d",
                         got == 1 ? "more than " : "", n, job->shot->frames);
    return media_writer_finish(x->writer, e);
}

static int hand_over(const struct encoding *x, struct error *e)
{
    struct artefact film = {.path = x->path, .delivered = true};
    struct artefact poster = {
        .name = "deliver.poster.png", .path = x->poster_path, .delivered = true};

    snprintf(film.name, sizeof film.name, "deliver.%s", x->prores ? "mov" : "mp4");
    if (x->job->output(x->job, &film, e) != 0)
        return -1;
    return x->job->output(x->job, &poster, e);
}

/* How far means over cells of a picture may move, in 8-bit steps: measured 0.3 at CRF 7 to 14, 1.5
 * at 31 and 5 at 42 on pictures, twice that on noise. */
static double tolerance(const struct encoding *x)
{
    return x->prores || x->crf <= 14 ? 3 : 3 + (x->crf - 14) * 0.6;
}

static int encode_run(void *session, struct stage_job *job, struct error *e)
{
    const struct board *b = job->env->board;
    struct encoding x;
    int rc = -1;

    (void)session;
    if (encoding_open(&x, job, e) == 0 && encode_all(&x, e) == 0) {
        struct delivery d = {
            .path = x.path,
            .pixel_format = x.prores ? AV_PIX_FMT_YUV422P10LE : AV_PIX_FMT_YUV420P,
            .width = b->width,
            .height = b->height,
            .frames = job->shot->frames,
            .fps = b->fps,
            .timecode = x.timecode,
            .tolerance = tolerance(&x),
            .prints = x.prints,
            .index_first = true,
        };

        rc = verify_delivery(job, &d, e);
        if (rc == 0)
            rc = hand_over(&x, e);
    }
    encoding_close(&x);
    return rc;
}

const struct stage stage_encode = {
    .name = "encode",
    .version = 1,
    .lane = encode_lane,
    .describe = encode_describe,
    .reads = 1u << STAGE_DECODE | 1u << STAGE_COMPOSITE,
    .run = encode_run,
};
