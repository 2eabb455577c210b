#include "pipeline/commands/plan_board.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/paths.h"

/* Processor time and bytes for a pixel of a frame: 120 frames of 1280x720 took 17.1 s to composite,
 * encode and check (bench/README.md); a 10-bit FFV1 master of a photographed scene and its film. */
static const double FILM_SECONDS = 1.55e-7, FILM_BYTES = 2.1;

/* Shots that are alike to a model, forecast once. */
struct alike {
    const struct shot *shot;
    const struct tier *tier;
    size_t shots;
    struct forecast forecast;
};

struct gathering {
    const struct stage_env *env;
    struct plan_board *plan;
    struct alike *alike;
    size_t count;
};

static bool are_alike(const struct shot *a, const struct shot *b)
{
    return a->frames == b->frames && a->steps == b->steps && a->guidance == b->guidance &&
           !*a->keyframe == !*b->keyframe && strcmp(a->tier, b->tier) == 0;
}

static struct plan_tier *tier_of(struct plan_board *p, const struct tier *tier)
{
    for (int i = 0; i < p->count; i++)
        if (p->tiers[i].tier == tier)
            return &p->tiers[i];
    if (p->count == PLAN_TIERS)
        return NULL;
    p->tiers[p->count].tier = tier;
    return &p->tiers[p->count++];
}

static struct alike *find_alike(struct gathering *g, const struct shot *shot)
{
    for (size_t i = 0; i < g->count; i++)
        if (are_alike(g->alike[i].shot, shot))
            return &g->alike[i];
    return NULL;
}

/* ---- stages of all shots */

static double more(double a, double b)
{
    return a > b ? a : b;
}

static struct forecast_stage *stage_named(struct forecast *all, const char *name)
{
    for (int i = 0; i < all->count; i++)
        if (strcmp(all->stage[i].name, name) == 0)
            return &all->stage[i];
    if (all->count == FORECAST_STAGES)
        return NULL;
    all->stage[all->count] = (struct forecast_stage){.name = name};
    return &all->stage[all->count++];
}

static void add_stage(struct forecast *all, const struct forecast_stage *s, size_t shots)
{
    struct forecast_stage *to = stage_named(all, s->name);

    if (!to)
        return;
    to->weights = more(to->weights, s->weights);
    to->activations = more(to->activations, s->activations);
    to->workspace = more(to->workspace, s->workspace);
    to->peak = more(to->peak, s->peak);
    to->host = more(to->host, s->host);
    to->streamed = more(to->streamed, s->streamed);
    to->stored = more(to->stored, s->stored);
    to->load = more(to->load, s->load);
    to->models = s->models > to->models ? s->models : to->models;
    to->cuts = s->cuts > to->cuts ? s->cuts : to->cuts;
    to->steps = s->steps > to->steps ? s->steps : to->steps;
    to->together = s->together > to->together ? s->together : to->together;
    to->work += s->work * (double)shots;
}

static void add_alike(struct plan_tier *t, const struct alike *a)
{
    const struct forecast *f = &a->forecast;
    const struct generation *g = &f->settings.generation;

    t->all.tier = t->tier;
    t->all.outlined |= f->outlined;
    t->width = g->width;
    t->height = g->height;
    t->frames = g->frames > t->frames ? g->frames : t->frames;
    for (int i = 0; i < f->count; i++)
        add_stage(&t->all, &f->stage[i], a->shots);
}

/* ---- what would help */

/* No more of them go together than there are. */
static struct stage_env env_of(const struct gathering *g, const struct alike *a)
{
    const struct tier *tier = a->tier;
    struct stage_env env = *g->env;
    int most = settings_batch(&env, tier->keyframe.family ? tier->keyframe.family : tier->family);

    env.batch = a->shots < (size_t)most ? (int)a->shots : most;
    return env;
}

static bool would_fit(const struct gathering *g, const struct stage_env *env,
                      const struct shot *shot, struct forecast *f)
{
    const struct machine *m = &g->plan->machine;
    struct error ignored = {0};

    return forecast_shot(env, shot, m, f, &ignored) == 0 && machine_holds(m, forecast_peak(f, m));
}

/* Fewer frames, as many as still fit by halves. */
static void mend_by_frames(const struct gathering *g, const struct alike *longest,
                           struct plan_tier *t)
{
    const struct stage_env env = env_of(g, longest);
    struct shot shot = *longest->shot;
    struct forecast f;

    for (shot.frames /= 2; shot.frames >= 17; shot.frames /= 2)
        if (would_fit(g, &env, &shot, &f)) {
            snprintf(t->mend, sizeof t->mend, "shots of at most %d frames fit: %.1f GiB",
                     f.settings.geometry.frames,
                     forecast_peak(&f, &g->plan->machine) / 1073741824.0);
            return;
        }
}

static const struct alike *worst_of(const struct gathering *g, const struct plan_tier *t)
{
    const struct machine *m = &g->plan->machine;
    const struct alike *worst = NULL;

    for (size_t i = 0; i < g->count; i++)
        if (g->alike[i].tier == t->tier && (!worst || forecast_peak(&g->alike[i].forecast, m) >
                                                          forecast_peak(&worst->forecast, m)))
            worst = &g->alike[i];
    return worst;
}

static void find_mend(const struct gathering *g, struct plan_tier *t, const struct alike *worst)
{
    struct stage_env smaller = env_of(g, worst), one = smaller;
    struct forecast f;

    one.batch = 1; /* a processor's run does not find out by itself */
    if (smaller.batch > 1 && would_fit(g, &one, worst->shot, &f)) {
        snprintf(t->mend, sizeof t->mend, "with --batch 1 it fits: %.1f GiB",
                 forecast_peak(&f, &g->plan->machine) / 1073741824.0);
        return;
    }
    smaller.device.linears = DTYPE_F8_E4M3;
    if (g->plan->machine.gpus > 0 && would_fit(g, &smaller, worst->shot, &f)) {
        snprintf(t->mend, sizeof t->mend, "with --precision fp8 it fits: %.1f GiB",
                 forecast_peak(&f, &g->plan->machine) / 1073741824.0);
        return;
    }
    mend_by_frames(g, worst, t);
}

/* ---- the board */

/* Without what the memory mode keeps on the host. */
static void judge_resident(const struct gathering *g, struct plan_tier *t,
                           const struct alike *worst)
{
    const struct machine *m = &g->plan->machine;
    struct stage_env env = env_of(g, worst);
    struct error ignored = {0};
    struct forecast f;

    env.device.memory = MEMORY_SPEED;
    if (!forecast_streams(&t->all) || forecast_shot(&env, worst->shot, m, &f, &ignored) != 0)
        f = t->all;
    t->resident = forecast_resident(&f, m, m->gpus);
    t->resident_gpus = forecast_gpus(&f, m);
}

static void judge(const struct gathering *g, struct plan_tier *t)
{
    const struct machine *m = &g->plan->machine;

    if (t->why.code != ERROR_NONE)
        return;
    for (int i = 0; i < t->all.count; i++)
        g->plan->checkpoints += t->all.stage[i].stored;
    t->peak = forecast_peak(&t->all, m);
    t->fits = machine_holds(m, t->peak);
    judge_resident(g, t, worst_of(g, t));
    if (!t->fits)
        find_mend(g, t, worst_of(g, t));
}

static int add_generated(struct gathering *g, const struct shot *shot, struct error *e)
{
    struct alike *a = find_alike(g, shot);
    const struct tier *tier;

    if (a) {
        a->shots++;
        return 0;
    }
    tier = tier_find(tier_name_of_shot(g->env, shot));
    if (!tier)
        return tier_of_shot(g->env, shot, &tier, e);
    struct plan_tier *t = tier_of(g->plan, tier);
    if (!t)
        return error_set(e, ERROR_INTERNAL, "more than %d tiers", PLAN_TIERS);
    g->alike[g->count++] = (struct alike){.shot = shot, .tier = tier, .shots = 1};
    return 0;
}

static void forecast_alike(const struct gathering *g, struct alike *a)
{
    struct plan_tier *t = tier_of(g->plan, a->tier);
    const struct stage_env env = env_of(g, a);

    if (t->why.code != ERROR_NONE)
        return;
    if (forecast_shot(&env, a->shot, &g->plan->machine, &a->forecast, &t->why) != 0) {
        t->faulty = a->shot->id;
        return;
    }
    t->shots += a->shots;
    add_alike(t, a);
}

static int add_shot(struct gathering *g, const struct shot *shot, struct error *e)
{
    const struct board *b = g->env->board;
    double pixels = (double)b->width * b->height * shot->frames;
    int cores = paths_cores();

    g->plan->films += pixels * FILM_SECONDS / (cores < 8 ? cores : 8);
    g->plan->made += pixels * FILM_BYTES;
    if (shot->kind == SHOT_GENERATED)
        return add_generated(g, shot, e);
    g->plan->shots++;
    return 0;
}

int plan_board_make(const struct stage_env *env, const char *only, const struct machine *m,
                    struct plan_board *out, struct error *e)
{
    const struct board *b = env->board;
    struct gathering g = {.env = env, .plan = out};
    int rc = 0;

    *out = (struct plan_board){.machine = *m};
    g.alike = calloc(b->shot_count + 1, sizeof *g.alike);
    if (!g.alike)
        return error_memory(e);
    for (size_t i = 0; i < b->shot_count && rc == 0; i++)
        if (!*only || fnmatch(only, b->shots[i].id, 0) == 0)
            rc = add_shot(&g, &b->shots[i], e);
    for (size_t i = 0; i < g.count && rc == 0; i++)
        forecast_alike(&g, &g.alike[i]);
    for (int i = 0; i < out->count && rc == 0; i++)
        judge(&g, &out->tiers[i]);
    free(g.alike);
    return rc;
}

bool plan_board_fits(const struct plan_board *p)
{
    for (int i = 0; i < p->count; i++)
        if (!p->tiers[i].fits)
            return false;
    return true;
}
