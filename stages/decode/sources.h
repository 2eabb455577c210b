/* Where a master's pictures come from: one function a kind of shot. Each fills a master with
 * exactly shot->frames pictures of the board's size and finishes it. */
#ifndef AUTEUR_STAGES_DECODE_SOURCES_H
#define AUTEUR_STAGES_DECODE_SOURCES_H

#include "stages/decode/picture.h"
#include "stages/decode/resample.h"
#include "stages/decode/upscaler.h"
#include "stages/decode/vae_session.h"
#include "stages/stage.h"

/* upscaler: NULL for none. */
int decode_generated(struct vae_session *vae, struct upscaler *upscaler,
                     const struct tensor *latents, struct stage_job *job, struct error *e);
int decode_still(struct stage_job *job, struct error *e);
int decode_footage(struct stage_job *job, struct error *e);
int decode_card(struct stage_job *job, struct error *e);

/* What can be known before any work: the file is there, can be decoded, and is long enough. */
int check_still(const struct shot *shot, struct error *e);
int check_footage(const struct stage_env *env, const struct shot *shot, struct error *e);

/* How a source of another shape fills the board: the part of the source that is seen, and where on
 * the board it stands (all of it, or between black bars). aspect: width of a source pixel over its
 * height. */
struct placement {
    struct window seen;
    int left, top, width, height;
};
struct placement place_source(const struct picture *p, double aspect, enum source_fit fit,
                              int width, int height);

/* The part of a still that is seen at t = 0..1 of its move; inside the picture always. `base` is
 * what is seen without a move. */
struct window still_window(const struct picture *p, struct window base, enum still_move move,
                           double amount, double t);

/* `seen` of p, scaled into its place on the board; around it black. r is of the place's size. */
int place_picture(struct resampler *r, const struct picture *p, struct window seen,
                  const struct placement *at, struct picture *scratch, struct picture *board,
                  struct error *e);

#endif
