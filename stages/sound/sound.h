/* Sound in memory, and files of it: stereo at 48 kHz, as post-production has it. A film of an hour
 * takes 1.4 GB.
 *
 * A frame of the film begins at a sample that is computed from the frame's number each time and
 * rounded once: at 29.97 a second frames last 1601.6 samples, and sums of rounded ones would
 * drift. */
#ifndef AUTEUR_STAGES_SOUND_SOUND_H
#define AUTEUR_STAGES_SOUND_SOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"
#include "storyboards/board.h"

enum { SOUND_RATE = 48000, SOUND_CHANNELS = 2 };

/* `count` samples of each channel, left and right by turns; 1 is full scale. */
struct sound {
    float *samples;
    int64_t count, room;
};

int sound_make(struct sound *s, int64_t count, struct error *e); /* silence */
int sound_append(struct sound *s, const float *samples, int64_t count, struct error *e);
void sound_free(struct sound *s); /* harmless twice */
bool sound_is_silent(const struct sound *s);

/* The sample on which a frame of the film begins. */
int64_t sound_of_frame(int64_t frame, struct rational fps);
double sound_seconds(int64_t samples);

/* Whatever FFmpeg decodes, as it begins, at most `most` samples of it. `name` is how messages call
 * the file. */
int sound_read_file(const char *path, const char *name, int64_t most, struct sound *out,
                    struct error *e);
/* The same of samples of one channel at another rate. */
int sound_of_mono(const int16_t *samples, int64_t count, int rate, struct sound *out,
                  struct error *e);
/* What a sound file says of itself. */
struct sound_label {
    int64_t reference;       /* of its first sample, counted from midnight */
    const char *description; /* "" for none */
    const char *recipe;      /* its comment; NULL: none */
};
/* WAV of 24 bits with a broadcast extension chunk (EBU Tech 3285). The same samples give the same
 * bytes; what is above full scale is cut to it. */
int sound_write_file(const char *path, const struct sound *s, const struct sound_label *label,
                     struct error *e);

#endif
