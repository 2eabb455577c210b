/* What is spoken over shots: the sound itself, how long it makes shots, and what is wrong with it.
 *
 * What a voice said is kept beside other things that can be found out again (cache_folder()), a
 * file for each text and voice: `check`, `plan`, `status` and `run` see shots of one length, also
 * where a program speaks that never says a thing twice alike. Where there is no such folder, or the
 * file in it is damaged, it is spoken again. */
#ifndef AUTEUR_PIPELINE_EXECUTE_NARRATION_H
#define AUTEUR_PIPELINE_EXECUTE_NARRATION_H

#include "stages/sound/sound.h"
#include "storyboards/board.h"
#include "storyboards/film.h"

/* Speaks or reads it. The shot has a narration. */
int narration_load(const struct board *b, const struct shot *shot, struct sound *out,
                   struct error *e);
/* The frame of the film on which a shot's narration begins. */
int64_t narration_begins(const struct board *b, const struct film_place *places, size_t shot);

/* Lengthens the shots that stretch to their narration. `problems`: NULL, and nothing else is done
 * nor said; else what is wrong with narrations and music is added to it, for `tier`, which
 * overrides every generated shot's ("" for none). -1: memory has run out. */
int narration_settle(struct board *b, const char *tier, struct board_problems *problems,
                     struct error *e);

#endif
