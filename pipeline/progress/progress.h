/* What is known of a run at a moment, gathered from its events: how far every stage is, what is in
 * hand, and how long the rest will take. Draws nothing, reads no clock: every event brings its
 * time. */
#ifndef AUTEUR_PIPELINE_PROGRESS_PROGRESS_H
#define AUTEUR_PIPELINE_PROGRESS_PROGRESS_H

#include "pipeline/execute/event.h"
#include "pipeline/progress/cost.h"

enum { PROGRESS_IN_HAND = 257 };

struct in_hand {
    size_t shot;
    enum stage_id stage;
    double started, done, total;
    double moved;           /* when `done` was last told; 0: not yet */
    double from, from_done; /* the first `done` of this unit, and when it was told */
    bool again;             /* an attempt before this one may have left a checkpoint */
    double told;            /* for a show: when it last told this job's progress */
    char unit[16];
};

struct stage_progress {
    size_t total, done, failed; /* jobs of this run; failed counts the blocked too */
    double remaining_frames[COST_TIERS];
    size_t remaining_jobs[COST_TIERS];
    bool engine[COST_TIERS];
    double first_start, last_finish; /* 0: not yet */
    double loading_since;            /* 0: no model is being loaded */
    double loaded, to_load;          /* bytes of it; 0: not told yet */
    double load_told;                /* for a show: when it last told */
};

struct progress {
    const struct stage_env *env;
    const struct stage *const *stages;
    int jobs;
    struct cost_table costs;
    struct stage_progress stage[STAGES];
    struct in_hand in_hand[PROGRESS_IN_HAND];
    size_t in_hand_count;
    size_t shots, delivered, failed; /* shots asked for; delivered counts those of earlier runs */
    double began;
};

/* costs: what earlier runs taught; zeroed for nothing. */
void progress_init(struct progress *p, const struct stage_env *env,
                   const struct stage *const *stages, int jobs, const struct cost_table *costs);
void progress_event(struct progress *p, const struct event *event);

/* Whether a show that tells of loading every so many seconds is to tell of this EVENT_LOADING. */
bool progress_load_is_due(struct progress *p, const struct event *event, double every);

/* The job in hand; NULL when it is not. */
struct in_hand *progress_in_hand(struct progress *p, size_t shot, enum stage_id stage);

/* Seconds until a stage's own jobs are done if they ran alone in their lane, and until all is
 * done. A kind of job that nothing has measured yet counts with cost_guess(); *about (unless NULL)
 * tells whether such guesses make more than a tenth. NAN while a generate stage is to come of which
 * nothing is known: the first steps of its first job end that. */
double progress_stage_left(const struct progress *p, enum stage_id stage, double now, bool *about);
double progress_left(const struct progress *p, double now, bool *about);

/* "1.4 s", "35 s", "2:05", "1:02:03"; "" for NAN. */
void duration_text(double seconds, char out[24]);

/* An error's text without the "STAGE: " before it, for where the stage is named already. */
const char *failure_text(const char *text, const char *stage);

#endif
