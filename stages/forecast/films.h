/* What making masters, titles and films takes of the host's memory, in bytes, besides the program
 * itself: it grows with the size that is delivered.
 *
 * Measured by process peaks on 2026-11-22 with FFmpeg 5.1, x264 164 and two threads: the master of
 * a shot of 4096x4096, with the VAE's work, took 7 % less than is told; films of 1920x1080 and more
 * 1 to 19 % less, and 27 % less where they are short, for titles decide then; smaller films up to
 * 120 MiB less. tests/pipeline/test_plan_memory.c holds a run against them.
 */
#ifndef AUTEUR_STAGES_FORECAST_FILMS_H
#define AUTEUR_STAGES_FORECAST_FILMS_H

#include "storyboards/board.h"

/* Of the master of a shot whose pictures come in this size, and are made the board's. */
double film_master(const struct board *b, int width, int height);
/* Of the titles and the film of a shot, one after the other, on a machine of so many threads. */
double film_delivery(const struct board *b, int frames, int threads);

#endif
