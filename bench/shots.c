#include "bench/shots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/generate/tiers.h"

static const char *const prompts[] = {
    "a red sailing boat on a calm sea at sunset",
    "waves breaking on a rocky coast under grey clouds",
    "a man walking through a forest in autumn",
    "city street at night in the rain, cars passing by",
    "snow falling on a mountain village",
    "a close-up of a flower moving in the wind",
    "aerial shot of a train in green hills at midday, camera pans left",
    "a caravan in desert dunes at dawn, wide shot, dolly in",
};
enum { PROMPTS = sizeof prompts / sizeof *prompts };

static struct shots_options defaults(void)
{
    const struct tier *tier = tier_find("previs");

    return (struct shots_options){.frames = 17,
                                  .width = 416,
                                  .height = 240,
                                  .steps = tier->steps,
                                  .guidance = tier->guidance,
                                  .count = PROMPTS};
}

static bool take(struct shots_options *o, const char *name, const char *value)
{
    if (strcmp(name, "--frames") == 0)
        o->frames = atoi(value);
    else if (strcmp(name, "--steps") == 0)
        o->steps = atoi(value);
    else if (strcmp(name, "--shots") == 0)
        o->count = atoi(value);
    else if (strcmp(name, "--guidance") == 0)
        o->guidance = atof(value);
    else if (strcmp(name, "--device") == 0)
        o->kind = strcmp(value, "cuda") == 0 ? DEVICE_CUDA : DEVICE_CPU;
    else
        return strcmp(name, "--size") == 0 && sscanf(value, "%dx%d", &o->width, &o->height) == 2;
    return true;
}

static bool are_whole(const struct shots_options *o)
{
    return o->dir && o->frames > 0 && o->steps > 0 && o->width > 0 && o->height > 0 &&
           o->count > 0 && o->count <= SHOTS_MAX;
}

int shots_read(struct shots_options *o, int argc, char **argv, shots_own_option_fn *own, void *ctx)
{
    *o = defaults();
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (argv[i][0] != '-' && !o->dir)
            o->dir = argv[i];
        else if (own(ctx, argv[i], value) || take(o, argv[i], value))
            i++;
        else
            return -1;
    }
    return are_whole(o) ? 0 : -1;
}

struct device_options shots_device(const struct shots_options *o)
{
    return (struct device_options){.kind = o->kind,
                                   .activations = o->kind == DEVICE_CUDA ? DTYPE_BF16 : DTYPE_F32};
}

static int encode(struct shots *s, struct device *d, struct error *e)
{
    const struct shots_options *o = s->options;
    void *encoder = NULL;
    int rc = s->family->encoder_open(o->dir, d, &encoder, e);

    for (int i = 0; i < o->count && rc == 0; i++) {
        s->generation[i] = (struct generation){.prompt = prompts[i % PROMPTS],
                                               .negative = tier_find("previs")->negative,
                                               .seed = 1000 + (uint64_t)i,
                                               .width = o->width,
                                               .height = o->height,
                                               .frames = o->frames,
                                               .steps = o->steps,
                                               .guidance = o->guidance,
                                               .guidance_2 = o->guidance};
        rc = s->family->encode(encoder, &s->generation[i], &s->conditions[i], e);
    }
    s->family->encoder_close(encoder);
    return rc;
}

int shots_open(struct shots *s, const struct shots_options *o, struct device *d, struct error *e)
{
    *s = (struct shots){.options = o};
    return family_of_checkpoint(o->dir, &s->family, e) ||
                   sampling_config(o->dir, "", 0, &s->config, e) || encode(s, d, e)
               ? -1
               : 0;
}

void shots_close(struct shots *s)
{
    for (int i = 0; i < SHOTS_MAX; i++)
        conditions_free(&s->conditions[i]);
}

int shots_sample(const struct shots *s, int i, void *model, enum step_cache_mode mode,
                 double threshold, struct sampling *out, struct generation *g, struct error *e)
{
    *g = s->generation[i];
    g->step_cache.mode = mode;
    g->step_cache.threshold = threshold;
    int rc = sampling_open(out, s->family, model, &s->config, g, &s->conditions[i], e);
    while (rc == 0 && out->sampler.index < out->sampler.steps)
        rc = sampling_step(out, e);
    return rc;
}
