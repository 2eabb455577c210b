/* What a board would take of a machine, tier by tier: what `auteur-pipe plan` tells. */
#ifndef AUTEUR_PIPELINE_COMMANDS_PLAN_BOARD_H
#define AUTEUR_PIPELINE_COMMANDS_PLAN_BOARD_H

#include <stdio.h>

#include "stages/forecast/fit.h"

enum { MEND_SIZE = 300 };

/* The shots of one tier. */
struct plan_tier {
    const struct tier *tier;
    size_t shots;
    int width, height, frames; /* of the largest, as its model makes it */
    /* Each stage with the most memory that any of the shots takes, loaded once, and the work of all
     * shots. */
    struct forecast all;
    double peak;          /* with models taking turns */
    double resident;      /* on the fullest GPU when nothing leaves */
    int resident_gpus;    /* how many such GPUs that would take; 0: more than eight */
    bool fits;            /* one model at a time */
    char mend[MEND_SIZE]; /* when it does not: what would; "" when nothing that was tried does */
    struct error why;     /* ERROR_NONE, or why nothing can be told; ERROR_MEMORY: a shot does not
                           * even fit the limits that were set */
    const char *faulty;   /* then: the shot's id */
};

enum { PLAN_TIERS = 8 };
struct plan_board {
    struct machine machine;
    struct plan_tier tiers[PLAN_TIERS];
    int count;
    size_t shots;       /* that no model makes: cards, stills, clips */
    double films;       /* seconds for the titles and films of all shots */
    double made;        /* bytes of masters and films */
    double checkpoints; /* bytes of weight files that are read */
};

/* Of the shots whose id matches `only` ("" for all). -1: out of memory; a tier that cannot be told
 * of says so itself. */
int plan_board_make(const struct stage_env *env, const char *only, const struct machine *m,
                    struct plan_board *out, struct error *e);
bool plan_board_fits(const struct plan_board *p);

void plan_board_show(FILE *out, const struct plan_board *p);
int plan_board_json(FILE *out, const struct plan_board *p, struct error *e);

#endif
