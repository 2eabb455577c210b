#include "stages/encode/verify.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/bswap.h>
#include <libavutil/common.h>
#include <libavutil/pixdesc.h>

#include "kernels/base/file.h"
#include "stages/media/media.h"
#include "stages/media/reader.h"

/* A component of a picture: where its samples lie, and what one is worth in 1/64 of 8-bit steps. */
struct component {
    const uint8_t *data;
    ptrdiff_t row, step; /* in bytes */
    int width, height, depth;
    bool real; /* a float, of which 1 is white */
};

static struct component component_of(const AVFrame *f, int index)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    const AVComponentDescriptor *c = &d->comp[index];
    bool chroma = !(d->flags & AV_PIX_FMT_FLAG_RGB) && (index == 1 || index == 2);

    return (struct component){
        .data = f->data[c->plane] + c->offset,
        .row = f->linesize[c->plane],
        .step = c->step,
        .width = chroma ? AV_CEIL_RSHIFT(f->width, d->log2_chroma_w) : f->width,
        .height = chroma ? AV_CEIL_RSHIFT(f->height, d->log2_chroma_h) : f->height,
        .depth = c->depth,
        .real = d->flags & AV_PIX_FMT_FLAG_FLOAT,
    };
}

/* Sum of a row's samples, as they are; of floats, in 1/64 of 8-bit steps. */
static double sum_row(const struct component *c, bool swapped, int y, int x0, int x1)
{
    const uint8_t *at = c->data + y * c->row + x0 * c->step;
    uint64_t sum = 0;
    double light = 0;

    if (c->real) {
        for (int x = x0; x < x1; x++, at += c->step)
            light += av_clipd(*(const float *)(const void *)at, 0, 1) * 255 * 64;
        return light;
    }
    if (c->depth <= 8)
        for (int x = x0; x < x1; x++, at += c->step)
            sum += *at;
    else if (swapped)
        for (int x = x0; x < x1; x++, at += c->step)
            sum += av_bswap16(*(const uint16_t *)(const void *)at);
    else
        for (int x = x0; x < x1; x++, at += c->step)
            sum += *(const uint16_t *)(const void *)at;
    return (double)sum * 64 / (1 << (c->depth - 8));
}

static uint16_t mean_of(const struct component *c, bool swapped, int x0, int y0, int x1, int y1)
{
    double sum = 0, count = (double)(x1 - x0) * (y1 - y0);

    for (int y = y0; y < y1; y++)
        sum += sum_row(c, swapped, y, x0, x1);
    return count > 0 ? (uint16_t)(sum / count) : 0;
}

/* What an encoder may do to the mean of a few pixels says nothing: a cell has 16 each way. */
static int cells(int pixels)
{
    int n = pixels / 16;

    return n < 1 ? 1 : n > PRINT_CELLS ? PRINT_CELLS : n;
}

/* Cells of luma and means of chroma; cells of green and means of red and blue; and means of alpha.
 */
void print_of(const AVFrame *f, struct print *out)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    bool rgb = d->flags & AV_PIX_FMT_FLAG_RGB, swapped = d->flags & AV_PIX_FMT_FLAG_BE;
    struct component of_cells = component_of(f, rgb ? 1 : 0);
    int across = cells(f->width), down = cells(f->height);

    *out = (struct print){0};
    for (int i = 0; i < PRINT_CELLS * PRINT_CELLS; i++) {
        int x = i % PRINT_CELLS, y = i / PRINT_CELLS;

        if (x < across && y < down)
            out->cells[i] = mean_of(&of_cells, swapped, f->width * x / across, f->height * y / down,
                                    f->width * (x + 1) / across, f->height * (y + 1) / down);
    }
    for (int i = 0; i < d->nb_components - 1; i++) {
        struct component c = component_of(f, rgb && i == 0 ? 0 : i + 1);

        out->means[i] = mean_of(&c, swapped, 0, 0, c.width, c.height);
    }
}

/* The largest difference between two, in 8-bit steps. */
static double distance(const struct print *a, const struct print *b)
{
    int most = 0;

    for (int i = 0; i < 3; i++)
        most = FFMAX(most, abs(a->means[i] - b->means[i]));
    for (int i = 0; i < PRINT_CELLS * PRINT_CELLS; i++)
        most = FFMAX(most, abs(a->cells[i] - b->cells[i]));
    return most / 64.0;
}

static int wrong(struct error *e, const char *what, const char *is, const char *meant)
{
    return error_set(e, ERROR_MEDIA, "the delivered file's %s is %s, not %s", what, is, meant);
}

static int wrong_number(struct error *e, const char *what, int64_t is, int64_t meant)
{
    return error_set(e, ERROR_MEDIA, "the delivered file's %s is %lld, not %lld", what,
                     (long long)is, (long long)meant);
}

/* BT.709 in limited range, in words that a picture or a stream was tagged with. */
static int check_colours(const char *where, int primaries, int transfer, int matrix, int range,
                         struct error *e)
{
    if (primaries == AVCOL_PRI_BT709 && transfer == AVCOL_TRC_BT709 && matrix == AVCOL_SPC_BT709 &&
        range == AVCOL_RANGE_MPEG)
        return 0;
    return error_set(e, ERROR_MEDIA,
                     "the delivered file's %s is tagged %s/%s/%s/%s, not bt709/bt709/bt709/tv",
                     where, av_color_primaries_name(primaries), av_color_transfer_name(transfer),
                     av_color_space_name(matrix), av_color_range_name(range));
}

/* Read back, the frames have as many digits as the rate needs: "01:00:00:0" at 8 frames a second.
 */
static bool same_timecode(const char *found, const char *asked)
{
    const char *frames = strrchr(asked, asked[8]) + 1;
    size_t head = (size_t)(frames - asked);

    return strncmp(found, asked, head) == 0 && strlen(found) > head &&
           atoi(found + head) == atoi(frames);
}

static int check_stream(const AVStream *s, const struct delivery *d, struct error *e)
{
    const AVCodecParameters *p = s->codecpar;
    const AVDictionaryEntry *timecode = av_dict_get(s->metadata, "timecode", NULL, 0);
    AVRational fps = media_rational(d->fps);

    if (p->width != d->width)
        return wrong_number(e, "width", p->width, d->width);
    if (p->height != d->height)
        return wrong_number(e, "height", p->height, d->height);
    if (p->format != d->pixel_format)
        return wrong(e, "pixel format", av_get_pix_fmt_name(p->format),
                     av_get_pix_fmt_name(d->pixel_format));
    if (s->nb_frames != d->frames)
        return wrong_number(e, "frame count", s->nb_frames, d->frames);
    if (d->frames > 1 && av_cmp_q(s->avg_frame_rate, fps) != 0)
        return error_set(e, ERROR_MEDIA, "the delivered file's frame rate is %d/%d, not %d/%d",
                         s->avg_frame_rate.num, s->avg_frame_rate.den, fps.num, fps.den);
    if (av_compare_ts(s->duration, s->time_base, d->frames, av_inv_q(fps)) != 0)
        return error_set(e, ERROR_MEDIA, "the delivered file lasts %g s, not %g s",
                         (double)s->duration * av_q2d(s->time_base),
                         frames_to_seconds(d->frames, d->fps));
    if (!timecode || !same_timecode(timecode->value, d->timecode))
        return wrong(e, "timecode", timecode ? timecode->value : "missing", d->timecode);
    return check_colours("stream", p->color_primaries, p->color_trc, p->color_space, p->color_range,
                         e);
}

static int compare(const AVFrame *f, int n, const struct delivery *d, double *worst,
                   struct error *e)
{
    struct print print;
    double off;

    if (f->width != d->width || f->height != d->height || f->format != (int)d->pixel_format)
        return error_set(e, ERROR_MEDIA, "frame %d of the delivered file is of another form", n);
    print_of(f, &print);
    off = distance(&print, &d->prints[n]);
    if (!(off <= d->tolerance))
        return error_set(
            e, ERROR_MEDIA,
            "frame %d of the delivered file is not the picture that was encoded: it is "
            "off by %.1f steps of 255, at most %.1f are allowed",
            n, off, d->tolerance);
    *worst = fmax(*worst, off);
    return 0;
}

static int check_picture(const AVStream *s, const AVFrame *f, int n, const struct delivery *d,
                         double *worst, struct error *e)
{
    if (av_compare_ts(f->pts, s->time_base, n, av_inv_q(media_rational(d->fps))) != 0)
        return error_set(e, ERROR_MEDIA, "frame %d of the delivered file is not on its time", n);
    if (check_colours("picture", f->color_primaries, f->color_trc, f->colorspace, f->color_range,
                      e) != 0)
        return -1;
    return compare(f, n, d, worst, e);
}

int verify_picture(const struct delivery *d, int n, double *worst, struct error *e)
{
    struct media_reader *file = NULL;
    AVFrame *f;
    int rc = -1, got;

    if (media_reader_open(d->path, "the delivered picture", 1, &file, e) != 0)
        return -1;
    got = media_reader_next(file, &f, e);
    if (got == 1)
        rc = compare(f, n, d, worst, e);
    else if (got == 0)
        error_set(e, ERROR_MEDIA, "the delivered picture of frame %d is empty", n);
    media_reader_close(file);
    return rc;
}

static int check_pictures(struct stage_job *job, struct media_reader *file,
                          const struct delivery *d, double *worst, struct error *e)
{
    AVFrame *f;
    int got, n = 0;

    while ((got = media_reader_next(file, &f, e)) == 1) {
        if (job->cancelled(job))
            return error_set(e, ERROR_CANCELLED, "interrupted");
        if (n >= d->frames)
            return error_set(e, ERROR_MEDIA, "the delivered file holds more than %d frames",
                             d->frames);
        if (check_picture(media_reader_stream(file), f, n, d, worst, e) != 0)
            return -1;
        n++;
    }
    if (got == 0 && n != d->frames)
        return wrong_number(e, "count of decoded frames", n, d->frames);
    return got;
}

/* In the order of the file's top-level boxes (ISO/IEC 14496-12 4.2). */
static int check_index_first(const char *path, struct error *e)
{
    FILE *f = fopen(path, "rb");
    uint8_t head[16];
    int rc = -1;

    if (!f)
        return error_errno(e, errno, "open", path);
    while (fread(head, 1, sizeof head, f) == sizeof head) {
        uint64_t size = (uint64_t)head[0] << 24 | head[1] << 16 | head[2] << 8 | head[3];

        if (memcmp(head + 4, "moov", 4) == 0) {
            rc = 0;
            break;
        }
        if (size == 1)
            for (int i = 8; i < 16; i++)
                size = size << 8 | head[i];
        if (memcmp(head + 4, "mdat", 4) == 0 || size < 8 ||
            fseeko(f, (off_t)size - (off_t)sizeof head, SEEK_CUR) != 0)
            break;
    }
    fclose(f);
    return rc == 0 ? 0
                   : error_set(e, ERROR_MEDIA,
                               "the delivered file's index does not come before its pictures");
}

void verify_note(struct stage_job *job, const char *name, const struct delivery *d, double worst)
{
    bool light = d->pixel_format == AV_PIX_FMT_GBRPF32LE;
    bool rgb = av_pix_fmt_desc_get(d->pixel_format)->flags & AV_PIX_FMT_FLAG_RGB;
    struct file_stat st = {0};
    struct error ignored;
    char text[400];

    file_stat(d->path, &st, &ignored);
    snprintf(text, sizeof text,
             "{\"frames\": %d, \"width\": %d, \"height\": %d, \"fps\": \"%d/%d\", "
             "\"duration\": %.6f, \"pixel_format\": \"%s\", \"color\": \"%s\", "
             "\"timecode\": \"%s\", \"bytes\": %llu, \"largest_difference\": %.2f}",
             d->frames, d->width, d->height, d->fps.num, d->fps.den,
             frames_to_seconds(d->frames, d->fps), av_get_pix_fmt_name(d->pixel_format),
             light ? "bt709 linear"
             : rgb ? "bt709 full"
                   : "bt709 limited",
             d->timecode, (unsigned long long)st.size, worst);
    job->note(job, name, text);
}

int verify_film(struct stage_job *job, const struct delivery *d, double *worst, struct error *e)
{
    struct media_reader *file = NULL;
    int rc = -1;

    if (check_index_first(d->path, e) != 0)
        return -1;
    if (media_reader_open(d->path, "the delivered file", job->env->device.threads, &file, e) == 0 &&
        check_stream(media_reader_stream(file), d, e) == 0)
        rc = check_pictures(job, file, d, worst, e);
    media_reader_close(file);
    return rc;
}
