#include "stages/decode/picture.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "stages/decode/colour.h"
#include "stages/media/media.h"

int picture_alloc(struct picture *p, int width, int height, struct error *e)
{
    size_t count = (size_t)width * (size_t)height;

    if (p->width == width && p->height == height)
        return 0;
    picture_free(p);
    for (int c = 0; c < 3; c++) {
        p->planes[c] = malloc(count * sizeof *p->planes[c]);
        if (!p->planes[c]) {
            picture_free(p);
            return error_memory(e);
        }
    }
    p->width = width;
    p->height = height;
    return 0;
}

void picture_free(struct picture *p)
{
    for (int c = 0; c < 3; c++)
        free(p->planes[c]);
    *p = (struct picture){0};
}

struct picture_reader {
    struct SwsContext *scaler; /* Y'CbCr to RGB; NULL for RGB sources */
    AVFrame *rgb;              /* AV_PIX_FMT_GBRP16 */
    struct colour colour;
    uint16_t *line;
    int width, height;
    enum AVPixelFormat format;
};

void picture_reader_free(struct picture_reader *r)
{
    if (!r)
        return;
    sws_freeContext(r->scaler);
    av_frame_free(&r->rgb);
    colour_free(&r->colour);
    free(r->line);
    free(r);
}

static bool is_rgb(const AVPixFmtDescriptor *d)
{
    return d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL);
}

static bool is_full_range(const AVFrame *f)
{
    switch ((enum AVPixelFormat)f->format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
        return true;
    default: {
        const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);

        if (d->nb_components < 3 && f->color_range == AVCOL_RANGE_UNSPECIFIED)
            return true; /* grey pictures */
        return f->color_range == AVCOL_RANGE_JPEG;
    }
    }
}

static int matrix_of(const AVFrame *f)
{
    switch (f->colorspace) {
    case AVCOL_SPC_BT709:
        return SWS_CS_ITU709;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        return SWS_CS_BT2020;
    case AVCOL_SPC_SMPTE240M:
        return SWS_CS_SMPTE240M;
    case AVCOL_SPC_FCC:
        return SWS_CS_FCC;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
        return SWS_CS_ITU601;
    default: /* JPEG's own definition is BT.601 at any size */
        return f->height >= 720 && !is_full_range(f) ? SWS_CS_ITU709 : SWS_CS_ITU601;
    }
}

/* libswscale counts chroma positions in 1/256 of a luma sample. */
static int set_siting(struct SwsContext *s, const AVFrame *f, const AVPixFmtDescriptor *d)
{
    enum AVChromaLocation at = f->chroma_location;
    int h = -513, v = -513, status = 0; /* the library's "as usual" */

    if (at == AVCHROMA_LOC_UNSPECIFIED)
        at = is_full_range(f) ? AVCHROMA_LOC_CENTER : AVCHROMA_LOC_LEFT;
    if (d->log2_chroma_w == 1)
        h = at == AVCHROMA_LOC_CENTER || at == AVCHROMA_LOC_TOP ? 128 : 0;
    if (d->log2_chroma_h == 1)
        v = at == AVCHROMA_LOC_TOPLEFT || at == AVCHROMA_LOC_TOP ? 0 : 128;
    status |= av_opt_set_int(s, "src_h_chr_pos", h, 0);
    status |= av_opt_set_int(s, "src_v_chr_pos", v, 0);
    return status;
}

static int open_scaler(struct picture_reader *r, const AVFrame *f, const AVPixFmtDescriptor *d,
                       struct error *e)
{
    const int *to = sws_getCoefficients(SWS_CS_ITU709), *from = sws_getCoefficients(matrix_of(f));
    struct SwsContext *s = sws_alloc_context();
    int status = 0;

    r->scaler = s;
    r->rgb = av_frame_alloc();
    if (!s || !r->rgb)
        return error_memory(e);
    r->rgb->format = AV_PIX_FMT_GBRP16LE;
    r->rgb->width = f->width;
    r->rgb->height = f->height;
    if (av_frame_get_buffer(r->rgb, 0) < 0)
        return error_memory(e);
    status |= av_opt_set_int(s, "srcw", f->width, 0);
    status |= av_opt_set_int(s, "srch", f->height, 0);
    status |= av_opt_set_int(s, "dstw", f->width, 0);
    status |= av_opt_set_int(s, "dsth", f->height, 0);
    status |= av_opt_set_int(s, "src_format", f->format, 0);
    status |= av_opt_set_int(s, "dst_format", AV_PIX_FMT_GBRP16LE, 0);
    status |= av_opt_set_int(s, "src_range", is_full_range(f), 0);
    status |= av_opt_set_int(s, "dst_range", 1, 0);
    status |= av_opt_set_int(
        s, "sws_flags",
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT, 0);
    status |= set_siting(s, f, d);
    if (status != 0 || sws_init_context(s, NULL, NULL) < 0 ||
        sws_setColorspaceDetails(s, from, is_full_range(f), to, 1, 0, 1 << 16, 1 << 16) < 0)
        return error_set(e, ERROR_MEDIA, "pictures of the form %s cannot be converted", d->name);
    return 0;
}

static int open_reader(struct picture_reader **out, const AVFrame *f, struct error *e)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    struct picture_reader *r = calloc(1, sizeof *r);

    *out = r;
    if (!r)
        return error_memory(e);
    if (!d || (d->flags & (AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_BAYER)) ||
        d->comp[0].depth > 16)
        return error_set(e, ERROR_MEDIA,
                         "pictures of the form %s (raw or floating point) cannot be converted: "
                         "give them in 8 to 16 bits",
                         d ? d->name : "unknown");
    r->width = f->width;
    r->height = f->height;
    r->format = f->format;
    r->line = malloc((size_t)f->width * sizeof *r->line);
    if (!r->line)
        return error_memory(e);
    if (!is_rgb(d) && open_scaler(r, f, d, e) != 0)
        return -1;
    return colour_open(&r->colour, f->color_primaries, f->color_trc, e);
}

/* One channel of one row, widened to 16 bits so that all ones stay all ones. */
static void read_line(const AVFrame *f, const AVPixFmtDescriptor *d, int y, int c, uint16_t *out)
{
    bool palette = d->flags & AV_PIX_FMT_FLAG_PAL;
    static const int in_palette[4] = {2, 1, 0, 3}; /* native-endian ARGB words */
    int depth = palette ? 8 : d->comp[c].depth;
    unsigned max = (1u << depth) - 1;

    if (palette) {
        const uint8_t *index = f->data[0] + (ptrdiff_t)y * f->linesize[0];

        for (int x = 0; x < f->width; x++)
            out[x] = f->data[1][4 * index[x] + in_palette[c]];
    } else {
        av_read_image_line(out, (const uint8_t **)(uintptr_t)f->data, f->linesize, d, 0, y, c,
                           f->width, 0);
    }
    if (depth < 16)
        for (int x = 0; x < f->width; x++)
            out[x] = (uint16_t)((out[x] * 65535u + max / 2) / max);
}

static void read_rgb(const AVFrame *f, const AVPixFmtDescriptor *d, struct picture *p)
{
    for (int y = 0; y < p->height; y++)
        for (int c = 0; c < 3; c++)
            read_line(f, d, y, c, p->planes[c] + (size_t)y * (size_t)p->width);
}

static int read_yuv(struct picture_reader *r, const AVFrame *f, struct picture *p, struct error *e)
{
    static const int plane_of[3] = {2, 0, 1};

    if (sws_scale(r->scaler, (const uint8_t *const *)f->data, f->linesize, 0, f->height,
                  r->rgb->data, r->rgb->linesize) != f->height)
        return error_set(e, ERROR_MEDIA, "a picture could not be converted");
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < p->height; y++)
            memcpy(p->planes[c] + (size_t)y * (size_t)p->width,
                   r->rgb->data[plane_of[c]] + (ptrdiff_t)y * r->rgb->linesize[plane_of[c]],
                   (size_t)p->width * sizeof(uint16_t));
    return 0;
}

/* Over black. The alpha channel is the last one, whatever comes before it. */
static void apply_alpha(struct picture_reader *r, const AVFrame *f, const AVPixFmtDescriptor *d,
                        struct picture *p)
{
    int alpha = d->flags & AV_PIX_FMT_FLAG_PAL ? 3 : d->nb_components - 1;

    for (int y = 0; y < p->height; y++) {
        read_line(f, d, y, alpha, r->line);
        for (int c = 0; c < 3; c++) {
            uint16_t *row = p->planes[c] + (size_t)y * (size_t)p->width;

            for (int x = 0; x < p->width; x++)
                row[x] = (uint16_t)(((uint32_t)row[x] * r->line[x] + 32767) / 65535);
        }
    }
}

int picture_read(struct picture_reader **reader, const AVFrame *f, struct picture *p,
                 struct error *e)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f->format);
    struct picture_reader *r = *reader;

    if (r && (r->width != f->width || r->height != f->height ||
              r->format != (enum AVPixelFormat)f->format)) {
        picture_reader_free(r);
        *reader = r = NULL;
    }
    if (!r && open_reader(reader, f, e) != 0)
        return -1;
    r = *reader;
    if (picture_alloc(p, f->width, f->height, e) != 0)
        return -1;
    if (!r->scaler)
        read_rgb(f, d, p);
    else if (read_yuv(r, f, p, e) != 0)
        return -1;
    if (d->flags & AV_PIX_FMT_FLAG_ALPHA)
        apply_alpha(r, f, d, p);
    colour_apply(&r->colour, p);
    return 0;
}

int picture_turn(struct picture *p, int turns, bool mirrored, struct error *e)
{
    struct picture q = {0};
    bool sideways = turns & 1;
    size_t w = (size_t)p->width, h = (size_t)p->height;

    if (turns == 0 && !mirrored)
        return 0;
    if (picture_alloc(&q, sideways ? p->height : p->width, sideways ? p->width : p->height, e) != 0)
        return -1;
    for (int c = 0; c < 3; c++)
        for (size_t y = 0; y < h; y++)
            for (size_t x = 0; x < w; x++) {
                uint16_t value = p->planes[c][y * w + (mirrored ? w - 1 - x : x)];
                uint16_t *to = q.planes[c];

                if (turns == 0)
                    to[y * w + x] = value;
                else if (turns == 1)
                    to[x * h + (h - 1 - y)] = value;
                else if (turns == 2)
                    to[(h - 1 - y) * w + (w - 1 - x)] = value;
                else
                    to[(w - 1 - x) * h + y] = value;
            }
    picture_free(p);
    *p = q;
    return 0;
}
