/* Who speaks: eSpeak NG's library, or a program that the board names. Both write a sound file. */
#ifndef AUTEUR_STAGES_SOUND_VOICE_H
#define AUTEUR_STAGES_SOUND_VOICE_H

#include "kernels/base/error.h"

/* Raise it when the same words are spoken otherwise. */
enum { VOICE_VERSION = 1 };

struct speech {
    const char *text, *voice; /* voice: "" for none */
    int speed;                /* words a minute */
    const char *command;      /* "" for the built-in voice */
};

/* Speaks into a new file. Errors say what is wrong with voice, text or command, and the mend. */
int voice_speak(const struct speech *s, const char *path, struct error *e);

/* The two behind it. The built-in one: the library is opened for one text and closed again, since
 * what it says depends on what it said before; one text at a time, any thread. A text in letters
 * that are not Latin needs a voice. */
int voice_espeak(const struct speech *s, const char *path, struct error *e);
/* Runs `command`, split into words at spaces, where '...' and "..." keep spaces; no shell sees it.
 * In each word {voice}, {speed} and {file} are replaced. The program reads the text from its
 * standard input and writes a sound file to the standard output, or to the {file} that it was told.
 * Killed, with what it started, after `limit` seconds. */
int voice_program(const struct speech *s, const char *path, double limit, struct error *e);

#endif
