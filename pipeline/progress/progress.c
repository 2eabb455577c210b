#include "pipeline/progress/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void progress_init(struct progress *p, const struct stage_env *env,
                   const struct stage *const *stages, int jobs, const struct cost_table *costs)
{
    *p = (struct progress){.env = env, .stages = stages, .jobs = jobs, .costs = *costs};
}

static const struct shot *shot_at(const struct progress *p, size_t shot)
{
    return &p->env->board->shots[shot];
}

static int tier_of(struct progress *p, size_t shot)
{
    return cost_tier(&p->costs, cost_tier_name(p->env, shot_at(p, shot)));
}

/* Counts the jobs that the plan wants run; again after shots broke. */
static void count_plan(struct progress *p, const struct plan *plan)
{
    for (size_t shot = 0; shot < plan->shots; shot++) {
        bool wanted = false, run = false;

        for (int i = 0; i < STAGES; i++) {
            const struct plan_job *j = plan_job(plan, shot, i);
            struct stage_progress *s = &p->stage[i];
            int tier;

            wanted |= j->verdict != VERDICT_SKIP;
            run |= j->verdict == VERDICT_RUN || j->verdict == VERDICT_BROKEN;
            if (j->verdict != VERDICT_RUN)
                continue;
            tier = tier_of(p, shot);
            s->total++;
            s->remaining_jobs[tier]++;
            s->remaining_frames[tier] += shot_at(p, shot)->frames;
            s->engine[tier] = j->lane == LANE_ENGINE;
        }
        p->shots += wanted;
        p->delivered += wanted && !run;
    }
}

static void settle(struct progress *p, size_t shot, enum stage_id stage)
{
    struct stage_progress *s = &p->stage[stage];
    int tier = tier_of(p, shot);

    if (!s->remaining_jobs[tier])
        return;
    s->remaining_frames[tier] -= shot_at(p, shot)->frames;
    if (--s->remaining_jobs[tier] == 0)
        s->remaining_frames[tier] = 0;
}

static struct in_hand *find(struct progress *p, size_t shot, enum stage_id stage)
{
    for (size_t i = 0; i < p->in_hand_count; i++)
        if (p->in_hand[i].shot == shot && p->in_hand[i].stage == stage)
            return &p->in_hand[i];
    return NULL;
}

static void put_down(struct progress *p, size_t shot, enum stage_id stage)
{
    struct in_hand *h = find(p, shot, stage);

    if (h)
        memmove(h, h + 1, sizeof *h * (size_t)(p->in_hand + --p->in_hand_count - h));
}

static void started(struct progress *p, const struct event *event)
{
    struct stage_progress *s = &p->stage[event->stage];

    if (s->first_start == 0)
        s->first_start = event->at;
    if (p->in_hand_count < PROGRESS_IN_HAND)
        p->in_hand[p->in_hand_count++] =
            (struct in_hand){.shot = event->shot, .stage = event->stage, .started = event->at};
}

static void failed(struct progress *p, const struct event *event)
{
    put_down(p, event->shot, event->stage);
    if (event->retry)
        return;
    p->failed++;
    for (int i = (int)event->stage; i < STAGES; i++) {
        bool blocked = i == (int)event->stage;

        /* What reads the stage, directly or through another, is not made either. */
        for (int k = (int)event->stage; k < i; k++)
            blocked |= (p->stages[i]->reads & (1u << k)) != 0;
        if (!blocked || plan_job(event->plan, event->shot, i)->verdict != VERDICT_RUN)
            continue;
        settle(p, event->shot, (enum stage_id)i);
        p->stage[i].failed++;
    }
}

static void finished(struct progress *p, const struct event *event)
{
    struct stage_progress *s = &p->stage[event->stage];

    put_down(p, event->shot, event->stage);
    settle(p, event->shot, event->stage);
    s->done++;
    s->last_finish = event->at;
    cost_learn(&p->costs, event->stage, tier_of(p, event->shot), shot_at(p, event->shot)->frames,
               event->seconds, true);
}

/* A job that was counted need not run. */
static void dropped(struct progress *p, const struct event *event)
{
    settle(p, event->shot, event->stage);
    p->stage[event->stage].total--;
}

void progress_event(struct progress *p, const struct event *event)
{
    struct in_hand *h;

    switch (event->kind) {
    case EVENT_BEGIN:
        p->began = event->at;
        count_plan(p, event->plan);
        break;
    case EVENT_BROKEN:
        p->failed++;
        break;
    case EVENT_OPEN:
        p->stage[event->stage].loading_since = event->at;
        break;
    case EVENT_OPENED:
        p->stage[event->stage].loading_since = 0;
        break;
    case EVENT_START:
        started(p, event);
        break;
    case EVENT_PROGRESS:
        h = find(p, event->shot, event->stage);
        if (h) {
            h->done = event->done;
            h->total = event->total;
            snprintf(h->unit, sizeof h->unit, "%s", event->unit);
        }
        break;
    case EVENT_FINISH:
        finished(p, event);
        break;
    case EVENT_FRESH:
        dropped(p, event);
        break;
    case EVENT_FAILED:
        failed(p, event);
        break;
    case EVENT_DELIVERED:
        p->delivered++;
        break;
    case EVENT_INTERRUPT:
    case EVENT_TICK:
    case EVENT_END:
        break;
    }
}

static int known_tier(const struct progress *p, size_t shot)
{
    const char *name = cost_tier_name(p->env, shot_at(p, shot));
    int i = 0;

    while (i < p->costs.tier_count - 1 && strncmp(p->costs.tiers[i], name, COST_NAME - 1) != 0)
        i++;
    return i;
}

/* Seconds a frame takes; the first job of its kind tells by how far it is. NAN: not known. */
static double per_frame(const struct progress *p, enum stage_id stage, int tier, double now)
{
    double seconds = cost_of(&p->costs, stage, tier, 1);

    for (size_t i = 0; i < p->in_hand_count && isnan(seconds); i++) {
        const struct in_hand *h = &p->in_hand[i];

        if (h->stage == stage && h->done > 0 && h->total > 0 && known_tier(p, h->shot) == tier)
            seconds = (now - h->started) * h->total / h->done / shot_at(p, h->shot)->frames;
    }
    return seconds;
}

/* Seconds of work left in one lane of one stage. *known turns false when nothing tells how long
 * some of it takes. */
static double work_left(const struct progress *p, enum stage_id stage, bool engine, double now,
                        bool *known)
{
    const struct stage_progress *s = &p->stage[stage];
    double left = 0;

    for (int tier = 0; tier < p->costs.tier_count; tier++) {
        double each;

        if (!s->remaining_jobs[tier] || s->engine[tier] != engine)
            continue;
        each = per_frame(p, stage, tier, now);
        if (isnan(each)) {
            *known = false;
            continue;
        }
        left += each * s->remaining_frames[tier];
        for (size_t i = 0; i < p->in_hand_count; i++) {
            const struct in_hand *h = &p->in_hand[i];
            double whole = each * shot_at(p, h->shot)->frames;

            if (h->stage != stage || known_tier(p, h->shot) != tier)
                continue;
            left -=
                h->total > 0 ? whole * fmin(h->done / h->total, 1) : fmin(now - h->started, whole);
        }
    }
    return fmax(left, 0);
}

double progress_stage_left(const struct progress *p, enum stage_id stage, double now)
{
    bool engine_known = true, pool_known = true;
    double engine = work_left(p, stage, true, now, &engine_known);
    double pool = work_left(p, stage, false, now, &pool_known) / p->jobs;

    return engine_known && pool_known ? fmax(engine, pool) : NAN;
}

double progress_left(const struct progress *p, double now)
{
    double engine = 0, pool = 0;
    size_t undelivered = p->shots - p->delivered - p->failed;

    for (int i = 0; i < STAGES; i++) {
        bool known = true;

        engine += work_left(p, (enum stage_id)i, true, now, &known);
        pool += work_left(p, (enum stage_id)i, false, now, &known);
        if (!known)
            return NAN;
    }
    /* The last shot of the engine still has its own pool work before it. */
    if (engine > 0 && undelivered > 0)
        engine += pool / (double)undelivered;
    return fmax(engine, pool / p->jobs);
}

void duration_text(double seconds, char out[24])
{
    long s;

    if (isnan(seconds) || seconds < 0 || seconds > 1e7) {
        out[0] = '\0';
        return;
    }
    s = lround(seconds);
    if (seconds < 10)
        snprintf(out, 24, "%.1f s", seconds);
    else if (s < 60)
        snprintf(out, 24, "%ld s", s);
    else if (s < 3600)
        snprintf(out, 24, "%ld:%02ld", s / 60, s % 60);
    else
        snprintf(out, 24, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}
