/* How long a stage takes a frame, by tier: learnt from earlier records, and from this run, which
 * counts alone as soon as it knows anything. */
#ifndef AUTEUR_PIPELINE_PROGRESS_COST_H
#define AUTEUR_PIPELINE_PROGRESS_COST_H

#include <stdbool.h>

#include "journal/journal.h"
#include "stages/stage.h"

enum { COST_TIERS = 16, COST_NAME = 24 };

struct cost {
    double frames[2], seconds[2]; /* [0] earlier, [1] this run */
};
struct cost_table {
    char tiers[COST_TIERS][COST_NAME];
    int tier_count;
    struct cost costs[STAGES][COST_TIERS];
};

/* The tier's index; tiers beyond the table share the last. */
int cost_tier(struct cost_table *t, const char *tier);
void cost_learn(struct cost_table *t, enum stage_id stage, int tier, double frames, double seconds,
                bool this_run);
/* Seconds for so many frames; NAN when nothing is known. */
double cost_of(const struct cost_table *t, enum stage_id stage, int tier, double frames);

/* Seconds for one frame of so many megapixels where the tier was never measured in this stage: from
 * the stage's other tiers, from what generating costs, or from a table of orders of magnitude. NAN
 * where nothing at all was generated yet: tiers lie a thousandfold apart. */
double cost_guess(const struct cost_table *t, enum stage_id stage, double generate_frame,
                  double megapixels);

/* Learns from the records of a board's shots: of at most a few hundred, spread over the board. */
int cost_recall(struct cost_table *t, struct journal *journal, const struct board *board,
                const struct stage *const *stages, struct error *e);

/* The tier a shot is made with: --tier overrides generated shots. */
const char *cost_tier_name(const struct stage_env *env, const struct shot *shot);

#endif
