/* Text, one character at a time. Works on any bytes: what is no UTF-8 reads as U+FFFD. */
#ifndef AUTEUR_STAGES_COMPOSITE_TEXT_H
#define AUTEUR_STAGES_COMPOSITE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* The character at *s, and *s after it; 0 at the end. */
uint32_t text_next(const char **s);

/* How many of its first `most` bytes make whole characters: for naming it in a message. */
int text_head(const char *text, int most);

/* The direction of the first character that has one (UAX #9 P2). */
bool text_right_to_left(const char *text);

#endif
