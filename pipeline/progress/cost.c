#include "pipeline/progress/cost.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *cost_tier_name(const struct stage_env *env, const struct shot *shot)
{
    return env->tier[0] && shot->kind == SHOT_GENERATED ? env->tier : shot->tier;
}

int cost_tier(struct cost_table *t, const char *tier)
{
    int i = 0;

    while (i < t->tier_count && strncmp(t->tiers[i], tier, COST_NAME - 1) != 0)
        i++;
    if (i < t->tier_count)
        return i;
    if (i == COST_TIERS)
        return COST_TIERS - 1;
    snprintf(t->tiers[i], COST_NAME, "%s", tier);
    return t->tier_count++;
}

void cost_learn(struct cost_table *t, enum stage_id stage, int tier, double frames, double seconds,
                bool this_run)
{
    struct cost *c = &t->costs[stage][tier];

    c->frames[this_run] += frames;
    c->seconds[this_run] += seconds;
}

double cost_of(const struct cost_table *t, enum stage_id stage, int tier, double frames)
{
    const struct cost *c = &t->costs[stage][tier];
    int from = c->frames[1] > 0;

    return c->frames[from] > 0 ? frames * c->seconds[from] / c->frames[from] : NAN;
}

/* Orders of magnitude, of one core at its slowest settings in use: enhancing is milliseconds a
 * shot, scaling and drawing touch every pixel a few times, encoding writes a lossless master and an
 * H.264 delivery. They stand only until the first such job of the run is done, and beside a
 * generate stage they hardly count. */
static const double coarse[STAGES] = {[STAGE_ENHANCE] = 1e-4, /* seconds a megapixel */
                                      [STAGE_GENERATE] = NAN,
                                      [STAGE_DECODE] = 0.02,
                                      [STAGE_COMPOSITE] = 0.05,
                                      [STAGE_ENCODE] = 0.2};
/* A video decoder's pass beside tens of sampler steps. */
static const double decode_beside_generate = 0.1;

double cost_guess(const struct cost_table *t, enum stage_id stage, double generate_frame,
                  double megapixels)
{
    double frames = 0, seconds = 0;

    for (int tier = 0; tier < t->tier_count; tier++) {
        const struct cost *c = &t->costs[stage][tier];
        int from = c->frames[1] > 0;

        frames += c->frames[from];
        seconds += c->seconds[from];
    }
    if (frames > 0)
        return seconds / frames;
    if (stage == STAGE_DECODE && !isnan(generate_frame))
        return decode_beside_generate * generate_frame;
    return coarse[stage] * megapixels;
}

int cost_recall(struct cost_table *t, struct journal *journal, const struct board *board,
                const struct stage *const *stages, struct error *e)
{
    enum { SAMPLE = 400 };
    size_t step = board->shot_count / SAMPLE + 1;
    struct journal_view *view;
    int rc = 0;

    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    for (size_t shot = 0; shot < board->shot_count && rc == 0; shot += step)
        for (int i = 0; i < STAGES && rc == 0; i++) {
            const struct shot *about = &board->shots[shot];
            struct stage_record r;
            int found = journal_get(view, about->id, stages[i]->name, &r, e);

            if (found < 0)
                rc = -1;
            else if (found && r.status == RECORD_DONE)
                cost_learn(t, (enum stage_id)i, cost_tier(t, about->tier), about->frames, r.seconds,
                           false);
        }
    journal_view_end(view);
    return rc;
}
