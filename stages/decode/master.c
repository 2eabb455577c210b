#include "stages/decode/master.h"

#include <stdlib.h>

#include "stages/media/convert.h"
#include "stages/media/watch.h"
#include "stages/media/writer.h"

struct master {
    struct stage_job *job;
    struct media_writer *writer;
    struct watch watch;
    bool still; /* see master_stands_still() */
    AVFrame *frame;
    const char *path;
    int frames;
};

int master_open(struct stage_job *job, struct master **out, struct error *e)
{
    const struct board *b = job->env->board;
    struct media_form form = {
        .container = "matroska",
        .encoder = "ffvhuff",
        .encoder_options = "pred=plane;context=1",
        .pixel_format = AV_PIX_FMT_GBRP10LE,
        .width = b->width,
        .height = b->height,
        .fps = b->fps,
        .threads = 1, /* tables of each frame come from those before */
        .matrix = AVCOL_SPC_RGB,
        .range = AVCOL_RANGE_JPEG,
        .transfer = AVCOL_TRC_BT709,
    };
    struct master *m = calloc(1, sizeof *m);

    if (!m)
        return error_memory(e);
    m->job = job;
    m->path = arena_printf(job->arena, "%s/master.mkv", job->workdir);
    m->frame = av_frame_alloc();
    if (!m->path || !m->frame) {
        error_memory(e);
        goto failed;
    }
    m->frame->format = AV_PIX_FMT_GBRP10LE;
    m->frame->width = b->width;
    m->frame->height = b->height;
    if (av_frame_get_buffer(m->frame, 0) < 0) {
        error_memory(e);
        goto failed;
    }
    if (watch_open(&m->watch, b->width, b->height, e) != 0 ||
        media_writer_open(m->path, &form, &m->writer, e) != 0)
        goto failed;
    *out = m;
    return 0;
failed:
    master_close(m);
    return -1;
}

static void fill_frame(AVFrame *f, const struct picture *p)
{
    static const int plane_of[3] = {2, 0, 1}; /* of red, green, blue */

    for (int c = 0; c < 3; c++)
        for (int y = 0; y < p->height; y++) {
            const uint16_t *from = p->planes[c] + (size_t)y * (size_t)p->width;
            uint8_t *row = f->data[plane_of[c]] + (ptrdiff_t)y * f->linesize[plane_of[c]];
            uint16_t *to = (uint16_t *)(void *)row;

            for (int x = 0; x < p->width; x++)
                to[x] = (uint16_t)((from[x] * (uint32_t)MASTER_MAX + 32767) / 65535);
        }
}

int master_add(struct master *m, const struct picture *p, struct error *e)
{
    if (p->width != m->frame->width || p->height != m->frame->height)
        return error_set(e, ERROR_INTERNAL, "a picture of %dx%d for a master of %dx%d", p->width,
                         p->height, m->frame->width, m->frame->height);
    if (av_frame_make_writable(m->frame) < 0)
        return error_memory(e);
    fill_frame(m->frame, p);
    return master_repeat(m, e);
}

void master_stands_still(struct master *m)
{
    m->still = true;
}

int master_repeat(struct master *m, struct error *e)
{
    if (m->job->cancelled(m->job))
        return error_set(e, ERROR_CANCELLED, "interrupted");
    watch_add(&m->watch, m->frame);
    if (media_writer_put(m->writer, m->frame, m->frames, e) != 0)
        return -1;
    m->frames++;
    m->job->progress(m->job, m->frames, m->job->shot->frames, "frame");
    return 0;
}

int master_frames(const struct master *m)
{
    return m->frames;
}

int master_finish(struct master *m, struct error *e)
{
    struct artefact a = {.name = "master.mkv", .path = m->path};
    char text[32];

    if (m->frames != m->job->shot->frames)
        return error_set(e, ERROR_INTERNAL, "%d frames were made, %d are needed", m->frames,
                         m->job->shot->frames);
    if (watch_verdict(&m->watch, m->still ? SHOT_STILL : m->job->shot->kind, e) != 0 ||
        media_writer_finish(m->writer, e) != 0)
        return -1;
    snprintf(text, sizeof text, "%d", m->frames);
    m->job->note(m->job, "frames", text);
    snprintf(text, sizeof text, "%d", m->watch.frozen);
    m->job->note(m->job, "frozen_frames", text);
    return m->job->output(m->job, &a, e);
}

void master_close(struct master *m)
{
    if (!m)
        return;
    media_writer_close(m->writer);
    watch_close(&m->watch);
    av_frame_free(&m->frame);
    free(m);
}
