/* What `watch` tells of a production, made anew when the journal or a run's progress have moved.
 * One thread. */
#ifndef AUTEUR_PIPELINE_REVIEW_LIVE_H
#define AUTEUR_PIPELINE_REVIEW_LIVE_H

#include <jansson.h>
#include <stdbool.h>

#include "kernels/base/error.h"
#include "kernels/base/hash.h"

struct live;

/* `dir` is a production's folder. -1 also where it cannot be told of now. */
int live_open(const char *dir, struct live **out, struct error *e);
void live_close(struct live *l); /* NULL-safe */

/* Looks again, if something moved and the last look is some time ago. What cannot be read for the
 * moment (a run that begins) stays as it was told before. */
void live_look(struct live *l);

const char *live_board(const struct live *l);
/* The page's data, and what stands in it of a run: review_json() with
 *   served true, elapsed, left, hand (progress_file.h),
 *   previews [{shot, step, steps, width, height, rgb (base64)}]. */
const json_t *live_data(const struct live *l);
const char *live_text(const struct live *l, size_t *size, struct hash128 *tag);

/* Whether the page refers to this file: a path relative to the production, not encoded. */
bool live_has_file(const struct live *l, const char *path);

#endif
