/* The film's sound beside its shots, in sound/: 48 kHz, 24 bits, stereo, broadcast WAV whose time
 * reference is the timecode's. ID.narration_v001.wav for each narration, cut to whole frames of the
 * film; BOARD.music_v001.wav and the mix of all, BOARD.mix_v001.wav, as long as the film to the
 * sample.
 *
 * What a name said once it says for ever: other content gets the next number, content that was
 * there before keeps its own. */
#ifndef AUTEUR_PIPELINE_HANDOFF_SOUND_H
#define AUTEUR_PIPELINE_HANDOFF_SOUND_H

#include "journal/journal.h"
#include "pipeline/execute/production.h"
#include "pipeline/handoff/timeline.h"
#include "stages/stage.h"

/* Makes what is not up to date, and remembers in the journal which files are the film's now.
 * Nothing where the board has neither narration nor music. */
int sound_write(const struct stage_env *env, const struct production *p, struct journal *journal,
                struct error *e);

enum { SOUND_TRACKS = 2 };
/* The tracks that the journal's files make, "Narration" and "Music", in the arena. */
int sound_tracks(const struct board *b, struct journal *journal, struct arena *arena,
                 struct track tracks[SOUND_TRACKS], size_t *count, struct error *e);
/* The mix, relative to the production's folder, in the arena; "" for none. */
int sound_mix(struct journal *journal, struct arena *arena, const char **path, struct error *e);

#endif
