#include "pipeline/commands/plan_board.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/paths.h"
#include "stages/forecast/films.h"

/* Processor time and bytes for a pixel of a frame: 120 frames of 1280x720 took 12.0 s on 2026-11-22
 * to composite, encode and check (bench/README.md); a 10-bit master of a photographed scene with
 * some grain, and its film: without it is 1.7. Seconds for each shot besides: opening, writing
 * through to the disk and checking files (40 cards of two frames took 4.7 s on two cores, 1.2 s of
 * it at work). */
static const double FILM_SECONDS = 1.1e-7, FILM_BYTES = 2.5, FILM_ITSELF = 0.1;

/* Shots that are alike to a model, forecast once. */
struct alike {
    const struct shot *shot;
    struct settings settings;
    size_t shots;
    double frames; /* of them all, in their films */
    bool faulty;
    struct forecast forecast;
};

struct gathering {
    const struct stage_env *env;
    struct plan_board *plan;
    struct alike *alike;
    size_t count;
};

static bool are_alike(const struct settings *a, const struct settings *b)
{
    const struct generation *x = &a->generation, *y = &b->generation;

    return a->tier == b->tier && x->width == y->width && x->height == y->height &&
           x->frames == y->frames && x->steps == y->steps &&
           (x->guidance > 1) == (y->guidance > 1) && (x->guidance_2 > 1) == (y->guidance_2 > 1) &&
           x->step_cache.mode == y->step_cache.mode &&
           x->step_cache.threshold == y->step_cache.threshold &&
           strcmp(a->sampler, b->sampler) == 0 && a->flow_shift == b->flow_shift &&
           a->makes_keyframe == b->makes_keyframe;
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
    if (s->peak > to->peak) { /* of one shot, so that they add up */
        to->weights = s->weights;
        to->activations = s->activations;
        to->workspace = s->workspace;
        to->peak = s->peak;
    }
    to->host = more(to->host, s->host);
    to->streamed = more(to->streamed, s->streamed);
    to->stored = more(to->stored, s->stored);
    to->load = more(to->load, s->load);
    to->fewer = more(to->fewer, s->fewer);
    to->models = s->models > to->models ? s->models : to->models;
    to->cuts = s->cuts > to->cuts ? s->cuts : to->cuts;
    to->steps = s->steps > to->steps ? s->steps : to->steps;
    to->together = s->together > to->together ? s->together : to->together;
    to->work += s->work * (double)shots;
    to->hoped += s->hoped * (double)shots;
}

static void add_alike(struct plan_tier *t, const struct alike *a)
{
    const struct forecast *f = &a->forecast;
    const struct generation *g = &f->settings.generation;

    if (f->outlined && !t->all.outlined) {
        t->all.outlined = true;
        memcpy(t->all.published, f->published, sizeof f->published);
        t->all.lack = f->lack;
        t->all.unusable = f->unusable;
    }
    t->all.tier = t->tier;
    t->shots += a->shots;
    t->width = g->width;
    t->height = g->height;
    t->frames = g->frames > t->frames ? g->frames : t->frames;
    for (int i = 0; i < f->count; i++)
        add_stage(&t->all, &f->stage[i], a->shots);
}

/* ---- whether they fit */

/* No more of them go together than there are. */
static struct stage_env env_of(const struct gathering *g, const struct alike *a)
{
    const struct tier *tier = a->settings.tier;
    struct stage_env env = *g->env;
    int most = settings_batch(&env, tier->keyframe.family ? tier->keyframe.family : tier->family);

    env.batch = a->shots < (size_t)most ? (int)a->shots : most;
    return env;
}

static const struct alike *worst_of(const struct gathering *g, const struct plan_tier *t)
{
    const struct machine *m = &g->plan->machine;
    const struct alike *worst = NULL;

    for (size_t i = 0; i < g->count; i++)
        if (g->alike[i].settings.tier == t->tier && !g->alike[i].faulty &&
            (!worst ||
             forecast_peak(&g->alike[i].forecast, m) > forecast_peak(&worst->forecast, m)))
            worst = &g->alike[i];
    return worst;
}

/* Without what the memory mode keeps on the host. */
static void judge_at_once(const struct gathering *g, struct plan_tier *t, const struct alike *worst)
{
    const struct machine *m = &g->plan->machine;
    struct stage_env env = env_of(g, worst);
    struct error ignored = {0};

    env.device.memory = MEMORY_SPEED;
    if (!forecast_streams(&t->all) ||
        forecast_shot(&env, worst->shot, m, &t->at_once, &ignored) != 0)
        t->at_once = t->all;
    t->place_count = forecast_place(&t->at_once, m, m->gpus, t->places);
    t->resident_gpus = forecast_gpus(&t->at_once, m);
}

static void judge(const struct gathering *g, struct plan_tier *t)
{
    const struct machine *m = &g->plan->machine;
    const struct alike *worst = worst_of(g, t);

    if (!worst)
        return;
    for (int i = 0; i < t->all.count; i++)
        g->plan->checkpoints += t->all.stage[i].stored;
    t->host = plan_host(&t->all);
    t->peak = forecast_peak(&t->all, m);
    t->fits = plan_fits(m, &t->all);
    judge_at_once(g, t, worst);
    if (!t->fits) {
        struct stage_env env = env_of(g, worst);
        plan_find_mend(&env, worst->shot, m, t->mend);
    }
}

/* ---- the board */

static int add_generated(struct gathering *g, const struct shot *shot, const struct settings *s,
                         struct error *e)
{
    if (!tier_of(g->plan, s->tier))
        return error_set(e, ERROR_INTERNAL, "more than %d tiers", PLAN_TIERS);
    for (size_t i = 0; i < g->count; i++)
        if (are_alike(&g->alike[i].settings, s)) {
            g->alike[i].shots++;
            g->alike[i].frames += shot->frames;
            return 0;
        }
    g->alike[g->count++] =
        (struct alike){.shot = shot, .settings = *s, .shots = 1, .frames = shot->frames};
    return 0;
}

/* Of so many frames together. Those that no model makes have their master made there, too. */
static void add_films(struct gathering *g, size_t shots, double frames, const struct shot *shot)
{
    const struct board *b = g->env->board;
    double pixels = (double)b->width * b->height * frames;
    int cores = paths_cores();

    g->plan->films += pixels * FILM_SECONDS / (cores < 8 ? cores : 8) + (double)shots * FILM_ITSELF;
    g->plan->made += pixels * FILM_BYTES;
    g->plan->planned += shots;
    g->plan->film = more(g->plan->film, film_delivery(b, shot->frames, g->env->device.threads));
    if (shot->kind != SHOT_GENERATED)
        g->plan->film = more(g->plan->film, film_master(b, b->width, b->height));
}

static int add_shot(struct gathering *g, const struct shot *shot, struct error *e)
{
    struct settings s;
    struct error why = {0};

    if (plan_refuses(g->env, shot, &s, &why))
        return plan_add_fault(g->plan, shot, &why, true, e);
    if (shot->kind == SHOT_GENERATED)
        return add_generated(g, shot, &s, e);
    add_films(g, 1, shot->frames, shot);
    g->plan->shots++;
    return 0;
}

static int forecast_alike(struct gathering *g, struct alike *a, struct error *e)
{
    struct plan_board *p = g->plan;
    const struct stage_env env = env_of(g, a);
    struct error why = {0};

    if (forecast_shot(&env, a->shot, &p->machine, &a->forecast, &why) == 0) {
        add_alike(tier_of(p, a->settings.tier), a);
        add_films(g, a->shots, a->frames, a->shot);
        return 0;
    }
    a->faulty = true;
    for (size_t i = 0; i < a->shots; i++)
        if (plan_add_fault(p, a->shot, &why, why.code == ERROR_USAGE, e) != 0)
            return -1;
    return 0;
}

/* What has no effect on such a machine. */
static void add_notes(const struct stage_env *env, struct plan_board *p)
{
    const struct machine *m = &p->machine;

    if (m->gpus > 1)
        p->notes[p->note_count++] =
            "This version computes on one of them, models taking turns: the others make nothing "
            "fit, and nothing faster.";
    if (env->device.memory == MEMORY_SAFE && (m->facts.unified || m->gpus == 0))
        p->notes[p->note_count++] =
            "--memory safe is refused there: models' memory is the host's, so that weights on the "
            "host take the same room and are copied besides; they stay where they are.";
    if (env->device.linears == DTYPE_F8_E4M3 && m->gpus > 0 && !dry_has_f8(&m->facts))
        p->notes[p->note_count++] =
            m->facts.major > 0
                ? "--precision fp8 changes nothing there: only Hopper GPUs (h100, h200) are known "
                  "to have its products; layers stay in 16 bits."
                : "--precision fp8 is not counted: name the GPU, for only Hopper ones (h100, h200) "
                  "are known to have its products.";
    if (env->device.linears == DTYPE_F8_E4M3 && m->gpus == 0)
        p->notes[p->note_count++] =
            "--precision fp8 takes a processor several times as long as is told: it rounds as a "
            "GPU would.";
    if (!plan_is_timed(p))
        p->notes[p->note_count++] =
            m->bandwidth > 0 ? "Times are not told: name the GPU, or add its TFLOP/s to --gpu, too."
            : m->bf16 > 0
                ? "Times are not told: name the GPU, or add its GB/s to --gpu, too."
                : "Times are not told: name the GPU, or add its GB/s and TFLOP/s to --gpu.";
}

int plan_board_make(const struct stage_env *env, const char *path, const char *only,
                    const struct machine *m, struct plan_board *out, struct error *e)
{
    const struct board *b = env->board;
    struct gathering g = {.env = env, .plan = out};
    int rc = 0;

    *out = (struct plan_board){.path = path, .machine = *m};
    g.alike = calloc(b->shot_count + 1, sizeof *g.alike);
    if (!g.alike)
        return error_memory(e);
    add_notes(env, out);
    for (size_t i = 0; i < b->shot_count && rc == 0; i++)
        if (!*only || fnmatch(only, b->shots[i].id, 0) == 0)
            rc = add_shot(&g, &b->shots[i], e);
    for (size_t i = 0; i < g.count && rc == 0; i++)
        rc = forecast_alike(&g, &g.alike[i], e);
    for (int i = 0; i < out->count && rc == 0; i++)
        judge(&g, &out->tiers[i]);
    free(g.alike);
    return rc;
}

void plan_board_free(struct plan_board *p)
{
    free(p->faults);
    *p = (struct plan_board){0};
}

/* ---- what is asked of it */

bool plan_board_fits(const struct plan_board *p)
{
    for (int i = 0; i < p->count; i++)
        if (!p->tiers[i].fits)
            return false;
    return p->fault_count == 0 && plan_disk_holds(p) && plan_films_fit(p);
}

bool plan_disk_holds(const struct plan_board *p)
{
    return p->disk == 0 || p->made <= p->disk;
}

double plan_beside_films(const struct plan_board *p)
{
    const struct machine *m = &p->machine;
    double most = 0;

    for (int i = 0; i < p->count && p->planned > 1; i++)
        most = more(most, machine_itself(m) > 0 ? p->tiers[i].peak - machine_itself(m)
                                                : p->tiers[i].host);
    return most;
}

bool plan_films_fit(const struct plan_board *p)
{
    const struct machine *m = &p->machine;
    double all = p->film + plan_beside_films(p);

    return machine_itself(m) > 0 ? machine_holds(m, all + machine_itself(m))
                                 : machine_hosts(m, all);
}

bool plan_board_is_bad(const struct plan_board *p)
{
    for (int i = 0; i < p->count; i++)
        if (p->tiers[i].all.unusable)
            return true;
    for (size_t i = 0; i < p->fault_count; i++)
        if (p->faults[i].refused)
            return true;
    return false;
}

bool plan_is_timed(const struct plan_board *p)
{
    return machine_rates(&p->machine).bytes > 0;
}

double plan_loading(const struct plan_board *p)
{
    return p->checkpoints / p->machine.disk;
}

/* Films are made on the processor beside the models' work on a GPU, but for the last. */
double plan_seconds(const struct plan_board *p, bool hoped)
{
    double models = 0, last = p->planned > 0 ? p->films / (double)p->planned : 0;

    for (int i = 0; i < p->count; i++)
        for (int k = 0; k < p->tiers[i].all.count; k++) {
            const struct forecast_stage *s = &p->tiers[i].all.stage[k];
            models += s->load + (hoped ? s->hoped : s->work);
        }
    return p->machine.gpus == 0 ? models + p->films : more(models + last, p->films);
}
