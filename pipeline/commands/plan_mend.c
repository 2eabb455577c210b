/* What would make fit what does not. */
#include "pipeline/commands/plan_board.h"

double plan_gib(double bytes)
{
    return bytes / (1024.0 * 1024 * 1024);
}

double plan_host(const struct forecast *f)
{
    double most = 0;

    for (int i = 0; i < f->count; i++)
        most = f->stage[i].host > most ? f->stage[i].host : most;
    return most;
}

bool plan_fits(const struct machine *m, const struct forecast *f)
{
    return machine_holds(m, forecast_peak(f, m)) && machine_hosts(m, plan_host(f));
}

/* ---- other options: each says whether it changes anything */

static bool one_at_once(struct stage_env *env, const struct machine *m)
{
    bool many = env->batch > 1;

    (void)m;
    env->batch = 1;
    return many;
}

static bool let_weights_go(struct stage_env *env, const struct machine *m)
{
    bool kept = env->device.memory == MEMORY_SPEED && m->gpus > 0;

    env->device.memory = MEMORY_AUTO;
    return kept;
}

static bool any_memory(struct stage_env *env, const struct machine *m)
{
    bool asked = env->vae.memory_asked;

    (void)m;
    env->vae.memory = 0;
    env->vae.memory_asked = false;
    return asked;
}

static bool any_tile(struct stage_env *env, const struct machine *m)
{
    bool asked = env->vae.tile_width > 0;

    (void)m;
    env->vae.tile_width = env->vae.tile_height = 0;
    return asked;
}

static bool in_fp8(struct stage_env *env, const struct machine *m)
{
    bool new = env->device.linears != DTYPE_F8_E4M3 && m->gpus > 0 && dry_has_f8(&m->facts);

    env->device.linears = DTYPE_F8_E4M3;
    return new;
}

static const struct {
    const char *words;
    bool (*change)(struct stage_env *env, const struct machine *m);
} options[] = {
    {"with --batch 1", one_at_once},      {"without --no-offload (--memory speed)", let_weights_go},
    {"without --vae-memory", any_memory}, {"without --vae-tile", any_tile},
    {"with --precision fp8", in_fp8},
};

static bool fits_with(const struct stage_env *env, const struct shot *shot, const struct machine *m,
                      struct forecast *f)
{
    struct error ignored = {0};

    return forecast_shot(env, shot, m, f, &ignored) == 0 && plan_fits(m, f);
}

/* Fewer frames, as many as still fit: video models make them in steps of four or eight. */
static bool fewer_frames(const struct stage_env *env, const struct shot *longest,
                         const struct machine *m, char mend[MEND_SIZE])
{
    enum { FEWEST = 17, STEP = 4 };
    struct shot shot = *longest;
    struct forecast f, most;
    int fit = FEWEST, too_many = longest->frames;

    shot.frames = fit;
    if (too_many <= fit || !fits_with(env, &shot, m, &most))
        return false;
    while (too_many - fit > STEP) {
        shot.frames = fit + (too_many - fit) / 2;
        if (fits_with(env, &shot, m, &f)) {
            most = f;
            fit = f.settings.geometry.frames;
        } else {
            too_many = shot.frames;
        }
    }
    snprintf(mend, MEND_SIZE, "shots of at most %d frames fit: %.1f GiB",
             most.settings.geometry.frames, plan_gib(forecast_peak(&most, m)));
    return true;
}

void plan_find_mend(const struct stage_env *env, const struct shot *shot, const struct machine *m,
                    char mend[MEND_SIZE])
{
    struct error ignored = {0};
    struct forecast f;

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct stage_env other = *env;

        if (options[i].change(&other, m) && fits_with(&other, shot, m, &f)) {
            snprintf(mend, MEND_SIZE, "%s it fits: %.1f GiB", options[i].words,
                     plan_gib(forecast_peak(&f, m)));
            return;
        }
    }
    if (fewer_frames(env, shot, m, mend))
        return;
    if (forecast_shot(env, shot, m, &f, &ignored) == 0 && machine_holds(m, forecast_peak(&f, m)))
        snprintf(mend, MEND_SIZE, "it is the host that needs more memory, or %s",
                 forecast_streams(&f) ? "a GPU so large that no weights stay with the host"
                                      : "the board a smaller size");
    else
        snprintf(mend, MEND_SIZE,
                 "nothing that was tried helps: take a smaller frame, or a %s with more memory%s",
                 m->gpus > 0 ? "GPU" : "machine", m->gpus == 0 ? "" : "; more GPUs would not help");
}
