#include "stages/forecast/fit.h"

#include <math.h>
#include <string.h>

/* The system, and the program besides its models, masters and films (films.h). */
static const double HOST_ITSELF = 3.0 * (1 << 30);
static const double SPARE = 1.1;

static bool is_one_pool(const struct machine *m)
{
    return m->facts.unified || m->gpus == 0;
}

bool machine_holds(const struct machine *m, double bytes)
{
    return bytes * SPARE <= machine_room(m);
}

bool machine_hosts(const struct machine *m, double bytes)
{
    return m->host == 0 || is_one_pool(m) || bytes + HOST_ITSELF <= (double)m->host;
}

double machine_system(void)
{
    return HOST_ITSELF;
}

double machine_itself(const struct machine *m)
{
    return is_one_pool(m) ? HOST_ITSELF : 0;
}

/* What a stage takes of the memory that is asked about. */
static double takes(const struct forecast_stage *s, const struct machine *m)
{
    return s->peak + (is_one_pool(m) ? s->host : 0);
}

bool forecast_streams(const struct forecast *f)
{
    for (int i = 0; i < f->count; i++)
        if (f->stage[i].streamed > 0)
            return true;
    return false;
}

const struct forecast_stage *forecast_largest(const struct forecast *f, const struct machine *m)
{
    const struct forecast_stage *most = NULL;

    for (int i = 0; i < f->count; i++)
        if (!most || takes(&f->stage[i], m) > takes(most, m))
            most = &f->stage[i];
    return most;
}

double forecast_peak(const struct forecast *f, const struct machine *m)
{
    const struct forecast_stage *most = forecast_largest(f, m);

    return (most ? takes(most, m) : 0) + machine_itself(m);
}

/* ---- all at once */

/* The heaviest first. */
static int list_models(const struct forecast *f, struct placed out[PLACED_MOST])
{
    int count = 0;

    for (int i = 0; i < f->count; i++)
        for (int k = 0; k < f->stage[i].models && count < PLACED_MOST; k++) {
            int at = count++;
            for (; at > 0 && f->stage[out[at - 1].stage].weights < f->stage[i].weights; at--)
                out[at] = out[at - 1];
            out[at] = (struct placed){.stage = i, .number = k};
        }
    return count;
}

static void put(struct place *to, const struct forecast *f, const struct machine *m,
                struct placed model)
{
    const struct forecast_stage *s = &f->stage[model.stage];
    double working = takes(s, m) - s->weights - (double)machine_base(m);

    to->model[to->count++] = model;
    to->weights += s->weights;
    to->working = working > to->working ? working : to->working;
    to->total = to->weights + to->working + (double)machine_base(m) + machine_itself(m);
}

/* The search for the way of laying models that leaves the fullest GPU least full. */
struct packing {
    const struct forecast *forecast;
    const struct machine *machine;
    struct placed models[PLACED_MOST];
    int count, gpus;
    struct place now[PLACES_MOST];
    struct place *best; /* [PLACES_MOST] */
    double least;       /* on the fullest of `best` */
};

static double fullest_of(const struct place places[PLACES_MOST])
{
    double most = 0;

    for (int g = 0; g < PLACES_MOST; g++)
        most = places[g].total > most ? places[g].total : most;
    return most;
}

/* Every way in which the models from `next` on can lie, now that `used` GPUs have one. GPUs are
 * alike, so one empty one stands for all; it comes first, so that of ways that are as good the one
 * that spreads models most is kept. */
static void pack(struct packing *p, int next, int used)
{
    if (fullest_of(p->now) >= p->least)
        return;
    if (next == p->count) {
        memcpy(p->best, p->now, sizeof p->now);
        p->least = fullest_of(p->now);
        return;
    }
    for (int g = used < p->gpus ? used : used - 1; g >= 0; g--) {
        const struct place before = p->now[g];

        put(&p->now[g], p->forecast, p->machine, p->models[next]);
        pack(p, next + 1, used + (g == used));
        p->now[g] = before;
    }
}

int forecast_place(const struct forecast *f, const struct machine *m, int gpus,
                   struct place places[PLACES_MOST])
{
    struct packing p = {.forecast = f,
                        .machine = m,
                        .gpus = gpus > PLACES_MOST ? PLACES_MOST
                                : gpus < 1         ? 1
                                                   : gpus,
                        .best = places,
                        .least = INFINITY};
    int used = 0, fullest = 0;

    p.count = list_models(f, p.models);
    pack(&p, 0, 0);
    while (used < p.gpus && places[used].count > 0)
        used++;
    for (int g = 1; g < used; g++)
        fullest = places[g].total > places[fullest].total ? g : fullest;
    struct place first = places[0];
    places[0] = places[fullest];
    places[fullest] = first;
    return used;
}

double forecast_resident(const struct forecast *f, const struct machine *m, int gpus)
{
    struct place places[PLACES_MOST];

    forecast_place(f, m, gpus, places);
    return places[0].total;
}

int forecast_gpus(const struct forecast *f, const struct machine *m)
{
    for (int n = 1; n <= PLACES_MOST; n++)
        if (machine_holds(m, forecast_resident(f, m, n)))
            return n;
    return 0;
}
