/* Shots of a checkpoint for measurements of quality: eight prompts of the kind that the previs
 * model was taught on, each with several seeds, sampled as its tier does unless told otherwise. */
#ifndef AUTEUR_BENCH_SHOTS_H
#define AUTEUR_BENCH_SHOTS_H

#include "stages/generate/sampling.h"

enum { SHOTS_MAX = 32 };

struct shots_options {
    const char *dir;
    int frames, width, height, steps, count; /* shot i has prompt i % 8 and a seed of its own */
    double guidance;
    enum device_kind kind;
};

struct shots {
    const struct shots_options *options;
    const struct family *family;
    struct sampler_config config;
    struct generation generation[SHOTS_MAX];
    struct conditions conditions[SHOTS_MAX];
};

/* An option of the program's own; true: it was taken. */
typedef bool shots_own_option_fn(void *ctx, const char *name, const char *value);
/* The checkpoint's folder, --frames, --size, --steps, --guidance, --shots and --device; what is not
 * told is as previs makes them, but of 17 frames. `own` is asked first. -1: something is wrong or
 * missing. */
int shots_read(struct shots_options *o, int argc, char **argv, shots_own_option_fn *own, void *ctx);

/* BF16 on a GPU, F32 on a processor. */
struct device_options shots_device(const struct shots_options *o);

/* Reads the checkpoint's settings and encodes the prompts. `s` may be uninitialised; close it also
 * when this fails. The options must outlive it. */
int shots_open(struct shots *s, const struct shots_options *o, struct device *d, struct error *e);
void shots_close(struct shots *s);
/* Shot i to its last step, with a step cache or without. out->latents are done; close it with
 * sampling_close(), also when this fails. *g: filled, and outlives it. */
int shots_sample(const struct shots *s, int i, void *model, enum step_cache_mode mode,
                 double threshold, struct sampling *out, struct generation *g, struct error *e);

#endif
