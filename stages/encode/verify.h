/* A delivered file is opened and decoded again before it counts: what a player will find is what
 * was meant, or the shot fails.
 *
 * While encoding, a fingerprint is kept of every picture as it went into the encoder: the mean luma
 * (or green) of a grid of cells (8 by 8, fewer where one would be under 16 pixels), and the means
 * of the other components. Decoding again must give the same within what the quality allows,
 * picture by picture. So a delivery that is black, flat or frozen where the master was not, in
 * wrong colours or out of order cannot pass; whether the master itself may be black, flat or frozen
 * was decode's question.
 */
#ifndef AUTEUR_STAGES_ENCODE_VERIFY_H
#define AUTEUR_STAGES_ENCODE_VERIFY_H

#include <libavutil/frame.h>

#include "stages/stage.h"

enum { PRINT_CELLS = 8 };
struct print { /* in 1/64 of an 8-bit step */
    uint16_t cells[PRINT_CELLS * PRINT_CELLS], means[3];
};
/* Of any format of whole bytes: YUV, RGB, with alpha or without, of integers or of floats. */
void print_of(const AVFrame *f, struct print *out);

/* What the file must be. */
struct delivery {
    const char *path;
    enum AVPixelFormat pixel_format;
    int width, height, frames;
    struct rational fps;
    const char *timecode;
    double tolerance;           /* of the fingerprints, in 8-bit steps */
    const struct print *prints; /* [frames] */
};

/* A film, whose index (moov) must come before its pictures. *worst: the largest difference found,
 * in 8-bit steps. ERROR_MEDIA says what is wrong with the file; ERROR_CANCELLED. */
int verify_film(struct stage_job *job, const struct delivery *d, double *worst, struct error *e);
/* A picture file, which is frame n. */
int verify_picture(const struct delivery *d, int n, double *worst, struct error *e);
/* Adds what was found to the shot's JSON. */
void verify_note(struct stage_job *job, const char *name, const struct delivery *d, double worst);

#endif
