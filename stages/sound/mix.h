/* The film's sound: narration where it belongs, music under it, the loudness that was asked for.
 *
 * Every narration is brought to the film's loudness target and the music to `music_volume` LU above
 * it (integrated loudness, EBU R 128); what is too short to be measured is left as it is. While
 * somebody speaks the music is lowered by `duck` dB, beginning 0.3 s before and ending 0.8 s after.
 * Then all is brought to the target together and its true peaks below the limit. The two stems are
 * what the mix is made of, before that gain, which a word more or less may change by a trifle: so a
 * narration's stem depends on that narration alone. Their peaks are below the limit too. */
#ifndef AUTEUR_STAGES_SOUND_MIX_H
#define AUTEUR_STAGES_SOUND_MIX_H

#include "stages/sound/sound.h"

struct mix_narration {
    const struct sound *sound;
    int64_t at; /* sample of the film */
};

struct mix {
    struct sound narration, music,
        film; /* each as long as the film; music empty when there is none */
};

/* `music` may be NULL, and is silent behind its end. */
int mix_make(const struct board_sound *settings, int64_t samples,
             const struct mix_narration *narrations, size_t count, const struct sound *music,
             struct mix *out, struct error *e);
void mix_free(struct mix *m);

/* Integrated loudness in LUFS, below -69 where nothing can be measured; true peak in dBTP. */
struct loudness {
    double integrated, peak;
};
int mix_measure(const struct sound *s, struct loudness *out, struct error *e);

#endif
