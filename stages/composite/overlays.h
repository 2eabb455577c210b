/* The overlays of a shot: the board's, then those that the prompt asked for. */
#ifndef AUTEUR_STAGES_COMPOSITE_OVERLAYS_H
#define AUTEUR_STAGES_COMPOSITE_OVERLAYS_H

#include "stages/stage.h"

/* Everything lives in the job's arena. */
int overlays_of_job(struct stage_job *job, const struct overlay **out, size_t *count,
                    struct error *e);

/* OVERLAY_TITLE for a name that is none. */
enum overlay_style overlay_style_named(const char *name);

/* Puts where it was written before the error: "overlay in line 7 (title)". Returns -1. */
int overlay_blame(const struct overlay *o, struct error *e);

#endif
