/* The forms of delivery as one table: what file, which encoder, which pixels.
 *
 *   h264, h265      MP4: constant quality (CRF), closed groups of a second; 4:2:0 of 8 and 10 bits
 *   prores, dnxhr   QuickTime: ProRes 422 HQ, DNxHR HQX: 4:2:2, 10 bits
 *   prores-4444     QuickTime: 4:4:4, 10 bits (with alpha for titles)
 *   png, tiff       a picture a frame: R'G'B' of 16 bits; PNG has chunks, TIFF a profile that say
 *                   BT.709
 *   exr             a picture a frame: linear light of 16-bit floats; without chromaticities, as
 *                   here, the format means BT.709's
 *
 * Films are BT.709 in limited range, of constant frame rate, with a timecode track and the index
 * first. Nothing has a date: the same input gives the same bytes, whatever the number of cores.
 */
#ifndef AUTEUR_STAGES_ENCODE_CODECS_H
#define AUTEUR_STAGES_ENCODE_CODECS_H

#include <libavutil/frame.h>

#include "stages/media/writer.h"
#include "storyboards/board.h"

struct codec {
    const char *ending;    /* of the file, or of the folder of pictures */
    const char *container; /* a muxer; NULL: a picture a frame */
    const char *encoder, *options;
    uint32_t tag;                       /* of media_form */
    enum AVPixelFormat format, decoded; /* what goes in, and what decoding gives */
    int threads; /* of the encoder, where bytes depend on it; 0: any number */
    bool groups; /* pictures between key frames; else every one is one */
    double crf;  /* on top of the quality's; < 0: there is none */
    int width_least, height_least;
    void (*convert)(const AVFrame *master, AVFrame *out);
    /* Adds to a picture's file what the encoder does not say; NULL: it says all. */
    int (*complete)(const char *path, struct error *e);
};

const struct codec *codec_of(enum deliver_codec codec);
/* Titles alone: ProRes 4444 with alpha, from a title layer instead of the master. */
extern const struct codec codec_titles;

double codec_crf(const struct codec *c, int quality);
/* How far means over cells of a picture may move, in 8-bit steps. */
double codec_tolerance(const struct codec *c, int quality);
/* `options` is room for the encoder's, which the form points to. */
enum { CODEC_OPTIONS_SIZE = 200 };
struct media_form codec_form(const struct codec *c, int quality, int width, int height,
                             struct rational fps, const char *timecode, int threads,
                             char options[CODEC_OPTIONS_SIZE]);

#endif
