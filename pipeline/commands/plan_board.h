/* What a board would take of a machine, tier by tier: what `auteur-pipe plan` tells. */
#ifndef AUTEUR_PIPELINE_COMMANDS_PLAN_BOARD_H
#define AUTEUR_PIPELINE_COMMANDS_PLAN_BOARD_H

#include <stdio.h>

#include "stages/forecast/fit.h"

enum { MEND_SIZE = 300 };

/* The shots of one tier. */
struct plan_tier {
    const struct tier *tier;
    size_t shots;              /* 0: each of them is among the faults */
    int width, height, frames; /* of the largest, as its model makes it */
    /* Each stage with the memory of the shot that takes most of a GPU's, the most that any takes of
     * the host's, loaded once, and the work of all shots. */
    struct forecast all;
    double peak, host;    /* with models taking turns: of a GPU's memory, of the host's */
    bool fits;            /* so, as a run has them */
    char mend[MEND_SIZE]; /* when it does not: what would; else "" */
    /* All models there at once, which no run does. */
    struct forecast at_once;
    struct place places[PLACES_MOST]; /* on the machine's GPUs, the fullest first */
    int place_count;
    int resident_gpus; /* how many such GPUs that would take; 0: more than eight */
};

/* A shot that the figures leave out. */
struct plan_fault {
    const struct shot *shot;
    size_t more; /* other shots of which the same is said */
    struct error why;
    bool refused; /* by `check` too; else it is the machine that it is too much for */
};

enum { PLAN_TIERS = 8, PLAN_NOTES = 4 };
struct plan_board {
    const char *path; /* as the user typed it */
    struct machine machine;
    const char *notes[PLAN_NOTES]; /* what was asked for in vain */
    int note_count;
    struct plan_tier tiers[PLAN_TIERS];
    int count;
    struct plan_fault *faults;
    size_t fault_count, fault_room;
    size_t shots;       /* that no model makes: cards, stills, clips */
    size_t planned;     /* of all kinds */
    double films;       /* seconds for the titles and films of all shots */
    double film;        /* bytes of the host's memory for those of one shot, the most */
    double made;        /* bytes of masters and films */
    double disk;        /* bytes free where they go; 0: not known */
    double checkpoints; /* bytes of weight files that are read */
};

/* Of the shots whose id matches `only` ("" for all). -1: out of memory; what is wrong with a shot
 * is a fault in the plan, and the others are planned. Free the plan in both cases. */
int plan_board_make(const struct stage_env *env, const char *path, const char *only,
                    const struct machine *m, struct plan_board *out, struct error *e);
void plan_board_free(struct plan_board *p);
bool plan_board_fits(const struct plan_board *p);
/* Whether the disk has room for what is made. */
bool plan_disk_holds(const struct plan_board *p);
/* What models' work takes of the memory that films are made in, the host's or the one that there
 * is: they are at work on the next shot then, where there are several. */
double plan_beside_films(const struct plan_board *p);
/* Whether that memory has room for titles and films beside it. */
bool plan_films_fit(const struct plan_board *p);
/* Whether `check` would refuse a shot, or a tier's checkpoint lies there in a layout that is not
 * read. */
bool plan_board_is_bad(const struct plan_board *p);
bool plan_is_timed(const struct plan_board *p);
/* All of it, with the gain of step caches that may be hoped for and without any. */
double plan_seconds(const struct plan_board *p, bool hoped);
/* What of it is the reading of weights, at machine.disk bytes a second. */
double plan_loading(const struct plan_board *p);

void plan_board_show(FILE *out, const struct plan_board *p);
/* On stdout. */
int plan_board_json(const struct plan_board *p, struct error *e);

/* ---- parts */

double plan_gib(double bytes);

/* Whether `check` refuses the shot, *why; but for a checkpoint that is not there. *out: the
 * settings of a generated one that is not refused. */
bool plan_refuses(const struct stage_env *env, const struct shot *shot, struct settings *out,
                  struct error *why);
int plan_add_fault(struct plan_board *p, const struct shot *shot, const struct error *why,
                   bool refused, struct error *e);
/* What the stage that takes most of the host's memory takes. */
double plan_host(const struct forecast *f);
/* Of models that take turns, as a run has them. */
bool plan_fits(const struct machine *m, const struct forecast *f);
/* What would make the shot fit: other options, fewer frames, or that neither would. */
void plan_find_mend(const struct stage_env *env, const struct shot *shot, const struct machine *m,
                    char mend[MEND_SIZE]);

#endif
