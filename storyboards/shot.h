/* One shot of a storyboard: its own fields, the defaults under them, and what follows from both. */
#ifndef AUTEUR_STORYBOARDS_SHOT_H
#define AUTEUR_STORYBOARDS_SHOT_H

#include "storyboards/media.h"

/* What holds for a shot that says nothing. */
struct shot_defaults {
    struct slots slots; /* as `defaults` gave them */
    struct shot_values values;
    struct media media;
    size_t overlays_made; /* by all shots so far, for those of `defaults` multiply */
};

enum { OVERLAYS_LIMIT = 1000000 };

/* `n` is the mapping under `defaults`, NULL when there is none. */
void shot_read_defaults(struct reader *r, const struct node *n, const struct board_values *board,
                        struct shot_defaults *d);
/* False: a complaint was added; the id may stand in *shot all the same (else it is ""). */
bool shot_read(struct reader *r, const struct node *n, struct shot_defaults *d, struct shot *shot);

#endif
