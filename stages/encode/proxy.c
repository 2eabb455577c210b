#include "stages/encode/proxy.h"

#include <stdio.h>
#include <string.h>

#include <libswscale/swscale.h>

#include "stages/composite/composite.h"
#include "stages/media/convert.h"
#include "stages/media/media.h"

enum { PROXY_HEIGHT = 540, BURNED = 3 };

/* Small pictures, and words in them that can be read at a glance: quality is not what a proxy is
 * for. */
static const struct codec proxy_codec = {
    .ending = "mp4",
    .container = "mp4",
    .encoder = "libx264",
    .options = "preset=veryfast;profile=high;x264-params=cpu-independent=1",
    .format = AV_PIX_FMT_YUV420P,
    .decoded = AV_PIX_FMT_YUV420P,
    .threads = 4,
    .groups = true,
    .crf = 9,
    .convert = convert_to_yuv420p,
};

static struct board board_of(const struct board *b)
{
    struct board small = *b;

    if (small.height > PROXY_HEIGHT) {
        small.width = b->width * PROXY_HEIGHT / b->height & ~1;
        small.height = PROXY_HEIGHT;
    }
    small.deliver.start -= b->deliver.proxy == PROXY_SLATE;
    return small;
}

static struct overlay words(enum overlay_style style, enum overlay_position position,
                            const char *text, double in, double out)
{
    return (struct overlay){.style = style,
                            .position = position,
                            .text = text,
                            .subtext = "",
                            .font = "",
                            .in = in,
                            .out = out};
}

struct texts {
    char line[200], slate[600];
};

static void write_texts(const struct board *b, const struct shot *shot, struct texts *t)
{
    char timecode[TIMECODE_SIZE], seed[40] = "", rate[24];

    media_timecode(b, 0, timecode);
    if (shot->kind == SHOT_GENERATED)
        snprintf(seed, sizeof seed, "seed %llu", (unsigned long long)shot->seed);
    snprintf(t->line, sizeof t->line, "%s  %s  %s", shot->id, shot->tier, seed);
    snprintf(rate, sizeof rate, b->fps.den == 1 ? "%.0f" : "%.3f", (double)b->fps.num / b->fps.den);
    snprintf(t->slate, sizeof t->slate, "%s\n%s\n%s %s\n%d frames of %dx%d at %s\n%s", b->name,
             shot->id, shot->tier, seed, shot->frames, b->width, b->height, rate, timecode);
}

/* The slate has the first picture for itself. */
static size_t make_overlays(const struct board *b, const struct shot *shot, const struct texts *t,
                            struct overlay out[BURNED])
{
    int slate = b->deliver.proxy == PROXY_SLATE;
    double from = frames_to_seconds(slate, b->fps);
    double end = frames_to_seconds(shot->frames + slate, b->fps);
    size_t n = 0;

    out[n++] = words(OVERLAY_SLATE, POSITION_TOP_LEFT, t->line, from, end);
    out[n++] = words(OVERLAY_TIMECODE, POSITION_BOTTOM_RIGHT, "", from, end);
    if (slate) {
        out[n] = words(OVERLAY_SLATE, POSITION_CENTER, t->slate, 0, from);
        out[n++].size = 0.05;
    }
    return n;
}

int proxy_check(const struct board *b, const struct shot *shot, struct error *e)
{
    struct board small = board_of(b);
    struct overlay burned[BURNED];
    struct texts texts;
    size_t count;

    if (b->deliver.proxy == PROXY_NONE)
        return 0;
    write_texts(b, shot, &texts);
    count = make_overlays(b, shot, &texts, burned);
    if (composite_check_overlays(&small, shot->frames + 1, burned, count, e) != 0)
        return error_wrap(e, "deliver's proxy of shot %s", shot->id);
    return 0;
}

int proxy_describe(const struct board *b, const struct shot *shot, struct inputs *in)
{
    struct texts texts;

    if (b->deliver.proxy == PROXY_NONE)
        return 0;
    write_texts(b, shot, &texts);
    in->integer(in, "deliver.proxy", b->deliver.proxy);
    in->text(in, "deliver.proxy.text", b->deliver.proxy == PROXY_SLATE ? texts.slate : texts.line);
    return 0;
}

static int write_burn_in(struct proxy *p, struct stage_job *job, struct error *e)
{
    const struct board *b = job->env->board;
    struct overlay burned[BURNED];
    struct texts texts;
    size_t count;
    int stored;
    const char *path = arena_printf(job->arena, "%s/burn-in.mkv", job->workdir);

    if (!path)
        return error_memory(e);
    write_texts(b, job->shot, &texts);
    count = make_overlays(b, job->shot, &texts, burned);
    if (composite_layer(job, &p->board, job->shot->frames + p->slate, burned, count, path, &stored,
                        e) != 0)
        return -1;
    return titles_open(path, &p->board, &p->burn_in, e);
}

/* Burns in what stands at frame n of the proxy, and encodes it. */
static int put(struct proxy *p, int n, struct error *e)
{
    const AVFrame *unused;

    if (titles_at(p->burn_in, n, &unused, e) != 0)
        return -1;
    titles_apply(p->burn_in, p->small);
    return output_put(&p->output, p->small, n, e);
}

int proxy_open(struct proxy *p, struct stage_job *job, struct error *e)
{
    const struct board *b = job->env->board;

    p->board = board_of(b);
    p->slate = b->deliver.proxy == PROXY_SLATE;
    p->output = (struct output){.name = "deliver.proxy.mp4",
                                .codec = &proxy_codec,
                                .job = job,
                                .width = p->board.width,
                                .height = p->board.height,
                                .frames = job->shot->frames + p->slate,
                                .timecode = p->board.deliver.start - b->deliver.handles};
    p->small = media_frame_new(AV_PIX_FMT_GBRP10, p->board.width, p->board.height, e);
    if (!p->small || write_burn_in(p, job, e) != 0 || output_open(&p->output, e) != 0)
        return -1;
    p->scaler =
        sws_getContext(b->width, b->height, AV_PIX_FMT_GBRP10, p->board.width, p->board.height,
                       AV_PIX_FMT_GBRP10, SWS_AREA | SWS_BITEXACT, NULL, NULL, NULL);
    if (!p->scaler)
        return error_memory(e);
    for (int i = 0; i < 3; i++)
        memset(p->small->data[i], 0, (size_t)p->small->linesize[i] * (size_t)p->board.height);
    return p->slate ? put(p, 0, e) : 0;
}

int proxy_put(struct proxy *p, const AVFrame *picture, int n, struct error *e)
{
    int rows = sws_scale(p->scaler, (const uint8_t *const *)picture->data, picture->linesize, 0,
                         picture->height, p->small->data, p->small->linesize);

    if (rows != p->small->height)
        return error_set(e, ERROR_MEDIA, "frame %d cannot be made smaller for the proxy", n);
    return put(p, n + p->slate, e);
}

void proxy_close(struct proxy *p)
{
    output_close(&p->output);
    titles_close(p->burn_in);
    sws_freeContext(p->scaler);
    av_frame_free(&p->small);
}
