#include "stages/encode/codecs.h"

#include <stdio.h>

#include "stages/encode/tiff_profile.h"
#include "stages/media/convert.h"

/* Bytes of x264 depend on its number of threads, those of x265 on that of its frame threads; this
 * many keep four cores busy and cost little on one. */
enum { X264_THREADS = 4 };

static const struct codec codecs[DELIVER_CODECS] = {
    [DELIVER_H264] = {.ending = "mp4",
                      .container = "mp4",
                      .encoder = "libx264",
                      .options = "preset=medium;profile=high;x264-params=cpu-independent=1",
                      .format = AV_PIX_FMT_YUV420P,
                      .decoded = AV_PIX_FMT_YUV420P,
                      .threads = X264_THREADS,
                      .groups = true,
                      .convert = convert_to_yuv420p},
    [DELIVER_H265] = {.ending = "mp4",
                      .container = "mp4",
                      .encoder = "libx265",
                      .tag = MKTAG('h', 'v', 'c', '1'), /* QuickTime plays no hev1 */
                      .options = "preset=medium;x265-params=frame-threads=2:info=0:log-level=none",
                      .format = AV_PIX_FMT_YUV420P10LE,
                      .decoded = AV_PIX_FMT_YUV420P10LE,
                      .groups = true,
                      .crf = 3, /* where x265's quality is x264's */
                      .convert = convert_to_yuv10},
    [DELIVER_PRORES] = {.ending = "mov",
                        .container = "mov",
                        .encoder = "prores_ks",
                        .options = "profile=hq;vendor=apl0",
                        .format = AV_PIX_FMT_YUV422P10LE,
                        .decoded = AV_PIX_FMT_YUV422P10LE,
                        .crf = -1,
                        .convert = convert_to_yuv10},
    [DELIVER_PRORES_4444] = {.ending = "mov",
                             .container = "mov",
                             .encoder = "prores_ks",
                             .options = "profile=4444;vendor=apl0",
                             .format = AV_PIX_FMT_YUV444P10LE,
                             .decoded = AV_PIX_FMT_YUV444P12LE, /* as FFmpeg reads all of it */
                             .crf = -1,
                             .convert = convert_to_yuv10},
    [DELIVER_DNXHR] = {.ending = "mov",
                       .container = "mov",
                       .encoder = "dnxhd",
                       .options = "profile=dnxhr_hqx",
                       .format = AV_PIX_FMT_YUV422P10LE,
                       .decoded = AV_PIX_FMT_YUV422P10LE,
                       .crf = -1,
                       .width_least = 256,
                       .height_least = 120,
                       .convert = convert_to_yuv10},
    [DELIVER_PNG] = {.ending = "png",
                     .encoder = "png",
                     .options = "compression_level=3;pred=up",
                     .format = AV_PIX_FMT_RGB48BE,
                     .decoded = AV_PIX_FMT_RGB48BE,
                     .crf = -1,
                     .convert = convert_to_rgb48},
    [DELIVER_TIFF] = {.ending = "tiff",
                      .encoder = "tiff",
                      .options = "compression_algo=deflate",
                      .format = AV_PIX_FMT_RGB48LE,
                      .decoded = AV_PIX_FMT_RGB48LE,
                      .crf = -1,
                      .convert = convert_to_rgb48,
                      .complete = tiff_profile_add},
    [DELIVER_EXR] = {.ending = "exr",
                     .encoder = "exr",
                     .options = "compression=zip16;format=half",
                     .format = AV_PIX_FMT_GBRPF32LE,
                     .decoded = AV_PIX_FMT_GBRPF32LE,
                     .crf = -1,
                     .convert = convert_to_light},
};

const struct codec codec_titles = {
    .ending = "mov",
    .container = "mov",
    .encoder = "prores_ks",
    .options = "profile=4444;vendor=apl0;alpha_bits=16",
    .format = AV_PIX_FMT_YUVA444P10LE,
    .decoded = AV_PIX_FMT_YUVA444P12LE,
    .crf = -1,
    .convert = convert_layer_to_yuva444p10,
};

const struct codec *codec_of(enum deliver_codec codec)
{
    return &codecs[codec];
}

double codec_crf(const struct codec *c, int quality)
{
    return 14 + (80 - quality) * 0.35 + c->crf;
}

/* Measured: 0.3 at CRF 7 to 14, 1.5 at 31 and 5 at 42 on pictures, twice that on noise. */
double codec_tolerance(const struct codec *c, int quality)
{
    double crf = c->crf < 0 ? 0 : codec_crf(c, quality) - c->crf;

    return crf <= 14 ? 3 : 3 + (crf - 14) * 0.6;
}

struct media_form codec_form(const struct codec *c, int quality, int width, int height,
                             struct rational fps, const char *timecode, int threads,
                             char options[CODEC_OPTIONS_SIZE])
{
    bool light = c->format == AV_PIX_FMT_GBRPF32LE;
    struct media_form form = {
        .container = c->container ? c->container : "image2pipe",
        .encoder = c->encoder,
        .encoder_options = options,
        .tag = c->tag,
        .muxer_options = c->container ? "movflags=+faststart+write_colr" : NULL,
        .pixel_format = c->format,
        .width = width,
        .height = height,
        .fps = fps,
        .threads = c->threads     ? c->threads
                   : c->container ? threads
                                  : 1,
        .gop = c->groups ? (fps.num + fps.den / 2) / fps.den : 0,
        .matrix = c->container ? AVCOL_SPC_BT709 : AVCOL_SPC_RGB,
        .range = c->container ? AVCOL_RANGE_MPEG : AVCOL_RANGE_JPEG,
        .transfer = light ? AVCOL_TRC_LINEAR : AVCOL_TRC_BT709,
        .timecode = c->container ? timecode : NULL,
    };

    if (c->crf < 0)
        snprintf(options, CODEC_OPTIONS_SIZE, "%s", c->options);
    else
        snprintf(options, CODEC_OPTIONS_SIZE, "crf=%.2f;%s", codec_crf(c, quality), c->options);
    return form;
}
