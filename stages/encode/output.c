#include "stages/encode/output.h"
#include "stages/media/media.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/common.h>

#include "kernels/base/file.h"
#include "kernels/pool.h"

/* What the form points to is the output's and `options`. */
static struct media_form form_of(const struct output *o, char options[CODEC_OPTIONS_SIZE])
{
    const struct board *b = o->job->env->board;
    struct media_form form = codec_form(o->codec, b->deliver.quality, o->width, o->height, b->fps,
                                        o->timecode_text, o->job->env->device.threads, options);

    form.comment = o->codec->container ? o->job->recipe : NULL;
    form.reel = o->codec->container ? o->reel : NULL;
    return form;
}

int picture_write(const char *path, const struct media_form *form, const AVFrame *frame,
                  struct error *e)
{
    struct media_writer *w = NULL;
    int rc = -1;

    if (media_writer_open(path, form, &w, e) == 0 && media_writer_put(w, frame, 0, e) == 0)
        rc = media_writer_finish(w, e);
    media_writer_close(w);
    return rc;
}

/* Pictures are written, read back and compared several at a time, one a core. */
enum { SEQUENCE_MOST = 32 };
struct sequence {
    struct pool *pool;
    AVFrame *frames[SEQUENCE_MOST];
    struct error errors[SEQUENCE_MOST];
    double worst[SEQUENCE_MOST];
    int first, count, room; /* frames first..first + count - 1 wait */
};

static int sequence_open(struct output *o, struct error *e)
{
    int threads = o->job->env->device.threads;
    struct sequence *s = o->sequence = calloc(1, sizeof *s);
    const char *recipe;

    if (!s)
        return error_memory(e);
    s->room = FFMIN(2 * threads, SEQUENCE_MOST);
    for (int i = 0; i < s->room; i++) {
        s->frames[i] = media_frame_new(o->codec->format, o->width, o->height, e);
        if (!s->frames[i])
            return -1;
    }
    if (pool_open(threads, &s->pool, e) != 0 || dir_make(o->path, e) != 0)
        return -1;
    recipe = arena_printf(o->job->arena, "%s/recipe.json", o->path);
    if (!recipe)
        return error_memory(e);
    return o->job->recipe ? file_write_atomic(recipe, o->job->recipe, strlen(o->job->recipe), e)
                          : 0;
}

static void sequence_close(struct sequence *s)
{
    if (!s)
        return;
    pool_close(s->pool);
    for (int i = 0; i < SEQUENCE_MOST; i++)
        av_frame_free(&s->frames[i]);
    free(s);
}

static struct delivery delivery_of(const struct output *o)
{
    const struct board *b = o->job->env->board;

    return (struct delivery){
        .path = o->path,
        .pixel_format = o->codec->decoded,
        .width = o->width,
        .height = o->height,
        .frames = o->frames,
        .fps = b->fps,
        .timecode = o->timecode_text,
        .tolerance = codec_tolerance(o->codec, b->deliver.quality),
        .prints = o->prints,
    };
}

/* "ID.0086400.png": the number is the frame's timecode in frames, which editing programs read as
 * such. */
static int make_picture(const struct output *o, int n, const AVFrame *frame, double *worst,
                        struct error *e)
{
    char options[CODEC_OPTIONS_SIZE], path[4096 + 128];
    struct delivery d = delivery_of(o);
    struct media_form form = form_of(o, options);

    snprintf(path, sizeof path, "%s/%s.%07" PRId64 ".%s", o->path, o->job->shot->id,
             o->timecode + n, o->codec->ending);
    d.path = path;
    print_of(frame, &o->prints[n]);
    if (picture_write(path, &form, frame, e) != 0 ||
        (o->codec->complete && o->codec->complete(path, e) != 0))
        return -1;
    return verify_picture(&d, n, worst, e);
}

static void make_pictures(const void *job, int64_t from, int64_t to, int thread)
{
    const struct output *o = job;
    struct sequence *s = o->sequence;

    (void)thread;
    for (int64_t i = from; i < to; i++)
        make_picture(o, s->first + (int)i, s->frames[i], &s->worst[i], &s->errors[i]);
}

static int sequence_flush(struct output *o, struct error *e)
{
    struct sequence *s = o->sequence;
    int count = s->count;

    memset(s->errors, 0, sizeof s->errors);
    pool_run(s->pool, count, 1, make_pictures, o);
    s->first += count;
    s->count = 0;
    for (int i = 0; i < count; i++) {
        o->worst = FFMAX(o->worst, s->worst[i]);
        if (s->errors[i].code != ERROR_NONE) {
            *e = s->errors[i];
            return -1;
        }
    }
    return 0;
}

static int sequence_put(struct output *o, const AVFrame *picture, struct error *e)
{
    struct sequence *s = o->sequence;

    o->codec->convert(picture, s->frames[s->count++]);
    return s->count == s->room ? sequence_flush(o, e) : 0;
}

int output_open(struct output *o, struct error *e)
{
    const struct board *b = o->job->env->board;
    char options[CODEC_OPTIONS_SIZE];
    struct media_form form;

    timecode_format(o->timecode, b->fps, b->deliver.drop, o->timecode_text);
    media_reel(o->job->shot->id, o->reel);
    o->path = arena_printf(o->job->arena, "%s/%s", o->job->workdir, o->name);
    o->prints = calloc((size_t)o->frames, sizeof *o->prints);
    if (!o->path || !o->prints)
        return error_memory(e);
    if (!o->codec->container)
        return sequence_open(o, e);
    o->out = media_frame_new(o->codec->format, o->width, o->height, e);
    if (!o->out)
        return -1;
    form = form_of(o, options);
    return media_writer_open(o->path, &form, &o->writer, e);
}

int output_put(struct output *o, const AVFrame *picture, int n, struct error *e)
{
    if (o->sequence)
        return sequence_put(o, picture, e);
    if (picture) {
        if (av_frame_make_writable(o->out) < 0)
            return error_memory(e);
        o->codec->convert(picture, o->out);
        print_of(o->out, &o->prints[n]);
    } else {
        o->prints[n] = o->prints[n - 1];
    }
    return media_writer_put(o->writer, o->out, n, e);
}

int output_finish(struct output *o, const char *note, struct error *e)
{
    struct artefact made = {.path = o->path, .delivered = true};
    struct delivery d = delivery_of(o);

    if (o->sequence
            ? sequence_flush(o, e) != 0
            : media_writer_finish(o->writer, e) != 0 || verify_film(o->job, &d, &o->worst, e) != 0)
        return -1;
    verify_note(o->job, note, &d, o->worst);
    snprintf(made.name, sizeof made.name, "%s", o->name);
    return o->job->output(o->job, &made, e);
}

void output_close(struct output *o)
{
    media_writer_close(o->writer);
    sequence_close(o->sequence);
    av_frame_free(&o->out);
    free(o->prints);
    *o = (struct output){.codec = NULL};
}
