/* One thing that is delivered: a film, or a folder of a picture a frame. Pictures go in one by one;
 * when they are all in, the file is finished, read back and compared (verify.h).
 *
 *     output_open(); output_put() per frame; output_finish(); output_close()
 */
#ifndef AUTEUR_STAGES_ENCODE_OUTPUT_H
#define AUTEUR_STAGES_ENCODE_OUTPUT_H

#include "stages/encode/codecs.h"
#include "stages/encode/verify.h"
#include "stages/media/media.h"

struct output {
    char name[ARTEFACT_NAME_SIZE]; /* "deliver.textless.mp4" */
    const struct codec *codec;
    struct stage_job *job;
    int width, height, frames;
    int64_t timecode; /* of its first frame; numbers the pictures of a folder */
    /* The rest is the output's own. */
    const char *path;
    char timecode_text[TIMECODE_SIZE], reel[MEDIA_REEL_SIZE];
    struct media_writer *writer; /* of a film */
    AVFrame *out;                /* what the film's encoder takes */
    struct sequence *sequence;   /* of pictures */
    struct print *prints;
    double worst;
};

/* Name, codec, job, size, frames and timecode are filled. Close it in both cases. */
int output_open(struct output *o, struct error *e);
/* Frame n, in the form that the codec's convert takes; NULL, of a film: the same as the one before.
 */
int output_put(struct output *o, const AVFrame *picture, int n, struct error *e);
/* Also adds what was found to the shot's JSON, under `note`, and hands the file over. */
int output_finish(struct output *o, const char *note, struct error *e);
void output_close(struct output *o);

/* One frame into a picture file of its own. */
int picture_write(const char *path, const struct media_form *form, const AVFrame *frame,
                  struct error *e);

#endif
