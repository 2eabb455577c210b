/* Encode: master and title layer become what is delivered: the burned-in film in every form that
 * the board asks for; of a shot with lettering also its textless film and its titles alone, with
 * alpha; and a poster. The master is read once, all are made from its frames side by side.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/encode/output.h"
#include "stages/encode/proxy.h"
#include "stages/encode/titles.h"
#include "stages/media/convert.h"
#include "stages/media/media.h"
#include "stages/media/reader.h"

enum { TEXTLESS = DELIVER_CODECS, TITLES, OUTPUTS };

static enum lane encode_lane(const struct stage_env *env, const struct shot *shot)
{
    (void)env, (void)shot;
    return LANE_CPU;
}

static int encode_describe(const struct stage_env *env, const struct shot *shot, struct inputs *in,
                           struct error *e)
{
    const struct deliver *d = &env->board->deliver;
    char timecode[TIMECODE_SIZE], codecs[160] = "";
    bool lossy = false;

    (void)e;
    media_timecode(env->board, 0, timecode);
    for (int i = 0; i < d->codecs.count; i++) {
        size_t used = strlen(codecs);

        snprintf(codecs + used, sizeof codecs - used, "%s%s", i ? " " : "",
                 deliver_codec_name(d->codecs.items[i]));
        lossy |= codec_of(d->codecs.items[i])->crf >= 0;
    }
    in->text(in, "deliver.timecode", timecode);
    in->text(in, "deliver.codec", codecs);
    if (lossy)
        in->integer(in, "deliver.quality", d->quality);
    if (shot->overlay_count)
        in->integer(in, "deliver.layers", d->layers);
    return proxy_describe(env->board, shot, in);
}

struct encoding {
    struct stage_job *job;
    int poster_frame;
    const char *poster_path;
    struct media_reader *master;
    struct titles *titles;
    bool lettered;
    struct output outputs[OUTPUTS];  /* the first `forms` are burned in, in the board's order */
    int forms, main;                 /* main: which of them poster and layers go with */
    struct output *textless, *alone; /* NULL: not wanted */
    struct proxy proxy;
};

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

static int open_output(struct encoding *x, struct output *o, const struct codec *codec,
                       const char *what, struct error *e)
{
    const struct board *b = x->job->env->board;

    o->job = x->job;
    o->codec = codec;
    o->width = b->width;
    o->height = b->height;
    o->frames = x->job->shot->frames;
    o->timecode = b->deliver.start - b->deliver.handles;
    snprintf(o->name, sizeof o->name, "deliver.%s%s%s", what, *what ? "." : "", codec->ending);
    return output_open(o, e);
}

/* The main film is ID.mp4; others have their codec's name before the ending, where that does not
 * say it already. */
static int open_outputs(struct encoding *x, struct error *e)
{
    const struct deliver *d = &x->job->env->board->deliver;
    int main_codec = deliver_main(d);

    if (main_codec < 0)
        main_codec = d->codecs.items[0];
    for (int i = 0; i < d->codecs.count; i++) {
        const struct codec *codec = codec_of(d->codecs.items[i]);
        bool is_main = d->codecs.items[i] == main_codec;

        if (is_main)
            x->main = i;
        x->forms++;
        if (open_output(x, &x->outputs[i], codec,
                        is_main || !codec->container ? "" : deliver_codec_name(d->codecs.items[i]),
                        e) != 0)
            return -1;
    }
    if (!x->lettered || d->layers == LAYERS_NONE)
        return 0;
    x->textless = &x->outputs[TEXTLESS];
    x->alone = &x->outputs[TITLES];
    return open_output(x, x->textless, codec_of(main_codec), "textless", e) == 0
               ? open_output(x, x->alone, &codec_titles, "titles", e)
               : -1;
}

static int encoding_open(struct encoding *x, struct stage_job *job, struct error *e)
{
    const struct board *b = job->env->board;
    const struct artefact *master = job->input(job, STAGE_DECODE, "master.mkv");
    const struct artefact *layer = job->input(job, STAGE_COMPOSITE, "titles.mkv");
    const char *titles = layer ? layer->path : NULL; /* no file: no lettering */

    *x = (struct encoding){.job = job, .lettered = titles};
    if (!master || !master->path)
        return error_set(e, ERROR_INTERNAL, "there is no master to encode");
    x->poster_path = arena_printf(job->arena, "%s/poster.png", job->workdir);
    if (!x->poster_path)
        return error_memory(e);
    /* More threads than cores: they decode ahead while this one mixes, converts and encodes. */
    if (media_reader_open(master->path, "the master", job->env->device.threads + 2, &x->master,
                          e) != 0 ||
        titles_open(titles, b, &x->titles, e) != 0 || choose_poster(x, titles, e) != 0)
        return -1;
    if (b->deliver.proxy != PROXY_NONE && proxy_open(&x->proxy, job, e) != 0)
        return -1;
    return open_outputs(x, e);
}

static void encoding_close(struct encoding *x)
{
    media_reader_close(x->master);
    titles_close(x->titles);
    proxy_close(&x->proxy);
    for (int i = 0; i < OUTPUTS; i++)
        output_close(&x->outputs[i]);
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
    AVFrame *rgb = media_frame_new(AV_PIX_FMT_RGB24, picture->width, picture->height, e);
    int rc;

    if (!rgb)
        return -1;
    convert_to_rgb24(picture, rgb);
    rc = picture_write(x->poster_path, &form, rgb, e);
    av_frame_free(&rgb);
    return rc;
}

/* Frame n of the master, without titles and with them, into the encoders. */
static int encode_frame(struct encoding *x, AVFrame *picture, int n, struct error *e)
{
    const struct board *b = x->job->env->board;
    const AVFrame *layer = NULL;

    if (picture->format != AV_PIX_FMT_GBRP10LE || picture->width != b->width ||
        picture->height != b->height)
        return error_set(e, ERROR_MEDIA, "the master is not in the form that decode makes");
    if (av_frame_make_writable(picture) < 0)
        return error_memory(e);
    if (x->textless && output_put(x->textless, picture, n, e) != 0)
        return -1;
    if (titles_at(x->titles, n, &layer, e) != 0 ||
        (x->alone && output_put(x->alone, layer, n, e) != 0))
        return -1;
    titles_apply(x->titles, picture);
    if (n == x->poster_frame && write_poster(x, picture, e) != 0)
        return -1;
    for (int i = 0; i < x->forms; i++)
        if (output_put(&x->outputs[i], picture, n, e) != 0)
            return -1;
    return x->proxy.small ? proxy_put(&x->proxy, picture, n, e) : 0;
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
    return 0;
}

/* The main film is noted as "delivered", the others by what follows "deliver." in their names. */
static int finish_all(struct encoding *x, struct error *e)
{
    struct artefact poster = {
        .name = "deliver.poster.png", .path = x->poster_path, .delivered = true};

    for (int i = 0; i < OUTPUTS; i++) {
        struct output *o = &x->outputs[i];

        if (o->codec && output_finish(o, i == x->main ? "delivered" : o->name, e) != 0)
            return -1;
    }
    if (x->proxy.small && output_finish(&x->proxy.output, "deliver.proxy.mp4", e) != 0)
        return -1;
    return x->job->output(x->job, &poster, e);
}

static int encode_run(void *session, struct stage_job *job, struct error *e)
{
    struct encoding x;
    int rc = -1;

    (void)session;
    if (encoding_open(&x, job, e) == 0 && encode_all(&x, e) == 0)
        rc = finish_all(&x, e);
    encoding_close(&x);
    return rc;
}

static int encode_check(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    const struct board *b = env->board;

    for (int i = 0; i < b->deliver.codecs.count; i++) {
        const struct codec *c = codec_of(b->deliver.codecs.items[i]);

        if (b->width < c->width_least || b->height < c->height_least)
            return error_set(e, ERROR_INPUT,
                             "%s holds pictures of %dx%d and more, the board's are %dx%d: give the "
                             "board a larger size, or another codec",
                             deliver_codec_name(b->deliver.codecs.items[i]), c->width_least,
                             c->height_least, b->width, b->height);
    }
    return proxy_check(b, shot, e);
}

const struct stage stage_encode = {
    .name = "encode",
    .version = 3,
    .lane = encode_lane,
    .describe = encode_describe,
    .reads = 1u << STAGE_DECODE | 1u << STAGE_COMPOSITE,
    .check = encode_check,
    .run = encode_run,
};
