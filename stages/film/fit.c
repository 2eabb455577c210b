#include "stages/film/fit.h"

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "stages/media/media.h"

bool fitter_fits(const struct fitter *f, const AVFrame *picture)
{
    return picture->format == (int)f->format && picture->width == f->width &&
           picture->height == f->height && picture->color_range != AVCOL_RANGE_JPEG;
}

static bool is_rgb(enum AVPixelFormat format)
{
    return av_pix_fmt_desc_get(format)->flags & AV_PIX_FMT_FLAG_RGB;
}

static int prepare(struct fitter *f, const AVFrame *in, struct error *e)
{
    const int *from = sws_getCoefficients(in->colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_ITU709
                                                                                  : in->colorspace);
    bool full = is_rgb(in->format) || in->color_range == AVCOL_RANGE_JPEG;

    f->scaler = sws_getCachedContext(
        f->scaler, in->width, in->height, in->format, f->width, f->height, f->format,
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT,
        NULL, NULL, NULL);
    if (!f->scaler)
        return error_set(e, ERROR_MEDIA, "this FFmpeg cannot make %s from %s",
                         av_get_pix_fmt_name(f->format), av_get_pix_fmt_name(in->format));
    sws_setColorspaceDetails(f->scaler, from, full, sws_getCoefficients(SWS_CS_ITU709),
                             is_rgb(f->format), 0, 1 << 16, 1 << 16);
    return 0;
}

AVFrame *fitter_fit(struct fitter *f, const AVFrame *picture, struct error *e)
{
    AVFrame *out;
    int status;

    if (prepare(f, picture, e) != 0)
        return NULL;
    out = media_frame_new(f->format, f->width, f->height, e);
    if (!out)
        return NULL;
    status = sws_scale(f->scaler, (const uint8_t *const *)picture->data, picture->linesize, 0,
                       picture->height, out->data, out->linesize);
    if (status < 0) {
        media_error(e, status, ERROR_MEDIA, "cannot scale a picture");
        av_frame_free(&out);
    }
    return out;
}

void fitter_close(struct fitter *f)
{
    sws_freeContext(f->scaler);
    f->scaler = NULL;
}
