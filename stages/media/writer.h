/* Pictures into a file, and sound beside them where it is asked for: a stream and an encoder each,
 * one muxer. Bytes depend on the pictures and the form alone: bit-exact flags, no dates, a fixed
 * number of encoder threads.
 *
 *     media_writer_open(); media_writer_put() per picture; media_writer_finish();
 *     media_writer_close()
 *
 * Only a finish() that returned 0 means that the file is whole: encoder, trailer, flush and close
 * have all succeeded. Errors name the file; a full disk is ERROR_SPACE.
 */
#ifndef AUTEUR_STAGES_MEDIA_WRITER_H
#define AUTEUR_STAGES_MEDIA_WRITER_H

#include <stdbool.h>

#include <libavutil/frame.h>
#include <libavutil/pixfmt.h>

#include "kernels/base/error.h"
#include "storyboards/board.h"

struct media_form {
    const char *container;       /* muxer name: "matroska", "mp4", "mov", "image2pipe" */
    const char *encoder;         /* "ffv1", "libx264", "prores_ks", "png" */
    const char *encoder_options; /* "crf=14:preset=medium", or NULL */
    const char *muxer_options;   /* "movflags=+faststart", or NULL */
    uint32_t tag; /* the stream's four letters in the file (MKTAG); 0: the muxer's choice */
    enum AVPixelFormat pixel_format;
    int width, height;
    struct rational fps;
    int threads, slices; /* of the encoder; part of the form because bytes may depend on them */
    int gop;             /* pictures between key frames at most; 0: the encoder's own */
    enum AVColorSpace matrix;
    enum AVColorRange range;
    enum AVColorTransferCharacteristic transfer;
    const char *comment;  /* in the container's metadata; NULL for none */
    const char *timecode; /* of the first picture, for a timecode track; NULL for none */
    const char *reel;     /* in QuickTime's timecode track; MP4's has no place; NULL for none */
    bool sound;           /* there is a stream of it: AAC, 192 kb/s, 48 kHz, stereo */
};

struct media_writer;
int media_writer_open(const char *path, const struct media_form *form, struct media_writer **out,
                      struct error *e);
/* `at` is the picture's place in pictures (1/fps), rising. The picture stays the caller's. */
int media_writer_put(struct media_writer *w, const AVFrame *picture, int64_t at, struct error *e);
/* Samples (AV_SAMPLE_FMT_FLTP), MEDIA_SOUND_FRAME at a time but for the last; `at` is the first's
 * place in samples. Sound and pictures are written in the order of their times: put neither far
 * ahead of the other. */
enum { MEDIA_SOUND_FRAME = 1024 };
int media_writer_put_sound(struct media_writer *w, AVFrame *samples, int64_t at, struct error *e);
int media_writer_finish(struct media_writer *w, struct error *e);
void media_writer_close(struct media_writer *w); /* NULL-safe; leaves the file where it is */

#endif
