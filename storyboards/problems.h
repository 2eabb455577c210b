/* Collecting complaints: what this room's own sources use; board.h has what others see. */
#ifndef AUTEUR_STORYBOARDS_PROBLEMS_H
#define AUTEUR_STORYBOARDS_PROBLEMS_H

#include <stdarg.h>

#include "storyboards/board.h"

/* A hostile file must not fill the memory with complaints: later ones are only counted. */
enum { PROBLEMS_KEPT = 1000 };

/* False: out of memory. */
bool problems_add(struct board_problems *p, int line, int column, bool warning, const char *format,
                  va_list args);
/* File order; the same complaint at the same place (a mapping used twice by alias) stays once. */
void problems_sort(struct board_problems *p);

/* The nearest of `count` words to a misspelt one, or NULL when none is near
 * (kernels/base/suggest.h). */
const char *suggest(const char *word, const char *const *words, size_t count);

#endif
