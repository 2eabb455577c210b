#include "stages/forecast/fit.h"

#include <stdlib.h>

/* The system, and the program besides its models. */
static const double HOST_ITSELF = 3.0 * (1 << 30);
static const double SPARE = 1.1;

enum { MODELS_MAX = 2 * FORECAST_STAGES, GPUS_MAX = 8 };

bool machine_holds(const struct machine *m, double bytes)
{
    return bytes * SPARE <= (double)m->facts.memory;
}

static bool is_one_pool(const struct machine *m)
{
    return m->facts.unified || m->gpus == 0;
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

double forecast_peak(const struct forecast *f, const struct machine *m)
{
    double most = 0;

    for (int i = 0; i < f->count; i++)
        most = takes(&f->stage[i], m) > most ? takes(&f->stage[i], m) : most;
    return most + machine_itself(m);
}

/* Something that has a place, and what it takes besides while it works. */
struct placed {
    double weights, more;
};

static int by_weights(const void *a, const void *b)
{
    double x = ((const struct placed *)a)->weights, y = ((const struct placed *)b)->weights;
    return x > y ? -1 : x < y;
}

static int list_models(const struct forecast *f, const struct machine *m, struct placed *out)
{
    int count = 0;

    for (int i = 0; i < f->count; i++) {
        const struct forecast_stage *s = &f->stage[i];
        for (int k = 0; k < s->models && count < MODELS_MAX; k++)
            out[count++] =
                (struct placed){s->weights, takes(s, m) - s->weights - (double)machine_base(m)};
    }
    qsort(out, (size_t)count, sizeof *out, by_weights);
    return count;
}

/* The heaviest first, each where least lies. One model works at a time. */
double forecast_resident(const struct forecast *f, const struct machine *m, int gpus)
{
    struct placed models[MODELS_MAX], on[GPUS_MAX] = {{0}};
    int count = list_models(f, m, models);
    double most = 0;

    gpus = gpus > GPUS_MAX ? GPUS_MAX : gpus < 1 ? 1 : gpus;
    for (int i = 0; i < count; i++) {
        struct placed *to = on;
        for (int g = 1; g < gpus; g++)
            to = on[g].weights < to->weights ? &on[g] : to;
        to->weights += models[i].weights;
        to->more = models[i].more > to->more ? models[i].more : to->more;
    }
    for (int g = 0; g < gpus; g++)
        most = on[g].weights + on[g].more > most ? on[g].weights + on[g].more : most;
    return most + (double)machine_base(m) + machine_itself(m);
}

int forecast_gpus(const struct forecast *f, const struct machine *m)
{
    for (int n = 1; n <= GPUS_MAX; n++)
        if (machine_holds(m, forecast_resident(f, m, n)))
            return n;
    return 0;
}
