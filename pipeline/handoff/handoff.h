/* What an editor opens: timelines of the whole production, at the top of its folder, beside
 * shots/: NAME.otio, NAME.edl, NAME.xml (Final Cut Pro 7's, for Premiere Pro) and NAME.fcpxml, or
 * those that deliver's `timeline` asks for. */
#ifndef AUTEUR_PIPELINE_HANDOFF_HANDOFF_H
#define AUTEUR_PIPELINE_HANDOFF_HANDOFF_H

#include "journal/journal.h"
#include "pipeline/execute/production.h"
#include "pipeline/handoff/timeline.h"
#include "storyboards/board.h"

/* What the journal says is delivered, as a timeline: a shot that is not stands as a gap of its
 * length. The board and the production must outlive it. */
struct handoff;
int handoff_open(const struct board *b, const struct production *p, struct journal *journal,
                 struct handoff **out, struct error *e);
void handoff_close(struct handoff *h); /* NULL-safe */
const struct board *handoff_board(const struct handoff *h);
/* Burned-in films and their sound; its first track has one clip a shot, in the board's order. */
const struct timeline *handoff_timeline(const struct handoff *h);
/* The mix of the film's sound, a path; NULL: there is none. */
const char *handoff_mix(const struct handoff *h);
/* Of the content of a shot's medium; zero where there is none. */
struct hash128 handoff_digest(const struct handoff *h, size_t shot);

/* Replaces a file only when it would say something else, and removes those that are no longer asked
 * for. Every write is atomic. */
int handoff_write(struct handoff *h, struct error *e);
/* Whether the files that are asked for are there and not written since (Unix time in ns). */
bool handoff_is_as_left(const struct board *b, const struct production *p, uint64_t since);
/* All of it: what the journal says now, written. */
int handoff_update(const struct board *b, const struct production *p, struct journal *journal,
                   struct error *e);

#endif
