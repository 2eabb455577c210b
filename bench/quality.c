/* What faster ways of sampling cost in quality: shots of a checkpoint as it was published, and with
 * step caches or FP8 layers; the blocks that were evaluated, and how far the decoded frames are
 * from the plain ones. With --fp8 also how far each layer and each prediction is.
 *
 *   bench/quality DIR [--cache first-block|timestep]... [--threshold T]... [--fp8 yes] [--frames N]
 *                 [--size WxH] [--steps N] [--guidance G] [--shots N] [--device cpu|cuda]
 *
 * FP8 is held against BF16, and on a processor BF16 against F32, which step caches are measured in;
 * one VAE decodes them all. A processor rounds to FP8 and BF16 as a GPU does (as_bf16.h), but for
 * the order of sums. PSNR (peak 1, RGB, all frames of a shot together) and SSIM (frames.h) are of
 * frames that are clamped but not rounded; means over shots, and the worst shot. Fewer blocks: all
 * there are in these shots / those that were evaluated.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/as_bf16.h"
#include "bench/frames.h"
#include "bench/layer_errors.h"
#include "bench/shots.h"

enum { THRESHOLDS = 16 };

struct options {
    struct shots_options shots;
    int thresholds;
    double threshold[THRESHOLDS];
    bool cache[STEP_CACHE_TIMESTEP + 1]; /* by enum step_cache_mode */
    bool fp8;
};

static bool read_cache(const char *value, struct options *o)
{
    for (int i = 1; step_cache_names[i]; i++)
        if (strcmp(value, step_cache_names[i]) == 0)
            return o->cache[i] = true;
    return false;
}

static bool own_option(void *ctx, const char *name, const char *value)
{
    struct options *o = ctx;

    if (strcmp(name, "--cache") == 0)
        return read_cache(value, o);
    if (strcmp(name, "--threshold") == 0 && o->thresholds < THRESHOLDS)
        o->threshold[o->thresholds++] = atof(value);
    else if (strcmp(name, "--fp8") == 0)
        o->fp8 = strcmp(value, "yes") == 0;
    else
        return false;
    return true;
}

enum precision { PLAIN, BF16, FP8, PRECISIONS };

struct engine {
    struct device *device; /* NULL: not asked for */
    void *model;
    struct frames made[SHOTS_MAX]; /* without a step cache */
};

struct bench {
    const struct options *o;
    struct shots shots;
    void *vae;
    struct engine engine[PRECISIONS];
};

/* What a precision is held against. */
static enum precision base_of(const struct bench *b, enum precision p)
{
    return p == FP8 && b->engine[BF16].device ? BF16 : PLAIN;
}

/* A row of the table. */
struct variant {
    enum precision precision;
    enum step_cache_mode mode;
    double threshold;
};

/* Samples and decodes shot i; *saved = blocks there are / blocks evaluated. */
static int make(struct bench *b, int i, const struct variant *v, struct frames *out, double *saved,
                struct error *e)
{
    struct generation g;
    struct sampling s = {0};
    int rc =
        shots_sample(&b->shots, i, b->engine[v->precision].model, v->mode, v->threshold, &s, &g, e);

    *saved = s.evaluated ? (double)(s.evaluated + s.left_out) / (double)s.evaluated : 1;
    out->count = 0;
    if (rc == 0)
        rc = b->shots.family->decode(b->vae, &s.latents, frames_keep, out, e);
    sampling_close(&s);
    return rc;
}

static const char *name_of(const struct bench *b, enum precision p)
{
    bool f32 = p == PLAIN && b->o->shots.kind == DEVICE_CPU;

    return p == FP8 ? "fp8" : f32 ? "f32" : "bf16";
}

static int compare(struct bench *b, const struct variant *v, struct error *e)
{
    double saved, evaluated = 0, psnr = 0, worst = INFINITY, ssim = 0, least = 1;
    enum precision base = base_of(b, v->precision);
    struct frames frames = {0};
    int rc = 0, shots = b->o->shots.count;

    for (int i = 0; i < shots && rc == 0; i++) {
        struct frames *to = v->mode == STEP_CACHE_OFF ? &b->engine[v->precision].made[i] : &frames;
        const struct frames *want = &b->engine[base].made[i];
        rc = make(b, i, v, to, &saved, e);
        if (rc != 0)
            break;
        double p = frames_psnr(want, to), s = frames_ssim(want, to);
        evaluated += 1 / saved / shots;
        psnr += p / shots;
        worst = fmin(worst, p);
        ssim += s / shots;
        least = fmin(least, s);
    }
    if (rc == 0)
        printf("%4s against %4s %-12s %9.3g %12.2f %6.1f %6.1f %7.4f %7.4f\n",
               name_of(b, v->precision), name_of(b, base), step_cache_names[v->mode], v->threshold,
               1 / evaluated, psnr, worst, ssim, least);
    fflush(stdout);
    frames_free(&frames);
    return rc;
}

static int open_first(struct bench *b, enum precision p, struct sampling *s, struct error *e)
{
    return sampling_open(s, b->shots.family, b->engine[p].model, &b->shots.config,
                         &b->shots.generation[0], &b->shots.conditions[0], e);
}

/* One prediction of both models for the same noise, and each of their layers. */
static int compare_layers(struct bench *b, struct error *e)
{
    struct sampling plain = {0}, fp8 = {0};
    enum precision base = base_of(b, FP8);
    int rc = open_first(b, base, &plain, e) || open_first(b, FP8, &fp8, e) ? -1 : 0;

    if (rc == 0)
        rc = layer_errors_record(b->engine[base].device, e);
    if (rc == 0)
        rc = sampling_step(&plain, e);
    if (rc == 0)
        rc = layer_errors_compare(b->engine[base].device, b->engine[FP8].device, e);
    if (rc == 0)
        rc = sampling_step(&fp8, e);
    layer_errors_print(b->engine[FP8].device);
    if (rc == 0)
        printf(
            "a prediction of the whole model: %.4f\n",
            layer_errors_between(plain.output.data, fp8.output.data, tensor_count(&plain.output)));
    sampling_close(&plain);
    sampling_close(&fp8);
    return rc;
}

static int compare_cache(struct bench *b, enum precision p, enum step_cache_mode mode,
                         struct error *e)
{
    const struct options *o = b->o;

    for (int t = 0; t < (o->thresholds ? o->thresholds : 1); t++) {
        double threshold = o->thresholds ? o->threshold[t] : step_cache_threshold(mode);
        if (compare(b, &(struct variant){p, mode, threshold}, e))
            return -1;
    }
    return 0;
}

/* A precision's rows. BF16 is there to be compared with. */
static int compare_precision(struct bench *b, enum precision p, struct error *e)
{
    if (p != PLAIN && compare(b, &(struct variant){p, STEP_CACHE_OFF, 0}, e))
        return -1;
    for (int i = 1; p != BF16 && step_cache_names[i]; i++)
        if (b->o->cache[i] && compare_cache(b, p, (enum step_cache_mode)i, e))
            return -1;
    return 0;
}

static int compare_all(struct bench *b, struct error *e)
{
    double saved;

    if (b->o->fp8 && compare_layers(b, e))
        return -1;
    for (int i = 0; i < b->o->shots.count; i++)
        if (make(b, i, &(struct variant){0}, &b->engine[PLAIN].made[i], &saved, e))
            return -1;
    printf("%-17s %-12s %9s %12s %6s %6s %7s %7s\n", "", "cache", "threshold", "fewer blocks",
           "PSNR", "worst", "SSIM", "worst");
    for (enum precision p = PLAIN; p < PRECISIONS; p++)
        if (b->engine[p].device && compare_precision(b, p, e))
            return -1;
    return 0;
}

static int open_model(struct bench *b, enum precision p, struct error *e)
{
    struct device_options options = shots_device(&b->o->shots);
    struct engine *g = &b->engine[p];

    options.linears = p == FP8 ? DTYPE_F8_E4M3 : 0;
    if (!g->device && device_open(&options, &g->device, e))
        return -1;
    if (p != PLAIN && device_kind(g->device) == DEVICE_CPU)
        as_bf16(g->device);
    return b->shots.family->model_open(b->o->shots.dir, g->device, &g->model, e);
}

static int open_all(struct bench *b, struct error *e)
{
    const struct shots_options *o = &b->o->shots;
    const struct device_options options = shots_device(o);
    struct engine *plain = &b->engine[PLAIN];

    if (device_open(&options, &plain->device, e) || shots_open(&b->shots, o, plain->device, e) ||
        open_model(b, PLAIN, e) || b->shots.family->vae_open(o->dir, plain->device, &b->vae, e))
        return -1;
    if (!b->o->fp8)
        return 0;
    return (o->kind == DEVICE_CPU && open_model(b, BF16, e)) || open_model(b, FP8, e) ? -1 : 0;
}

static int bench(struct bench *b, struct error *e)
{
    int rc = open_all(b, e) || compare_all(b, e) ? -1 : 0;

    if (b->shots.family) {
        b->shots.family->vae_close(b->vae);
        for (int p = 0; p < PRECISIONS; p++)
            b->shots.family->model_close(b->engine[p].model);
    }
    shots_close(&b->shots);
    for (int p = PRECISIONS - 1; p >= 0; p--) {
        for (int i = 0; i < SHOTS_MAX; i++)
            frames_free(&b->engine[p].made[i]);
        device_close(b->engine[p].device);
    }
    return rc;
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct options o = {0};
    struct error e = {0};

    if (shots_read(&o.shots, argc, argv, own_option, &o)) {
        fprintf(stderr,
                "usage: %s DIR [--frames N] [--size WxH] [--steps N] [--guidance G] [--shots N] "
                "[--cache first-block|timestep]... [--threshold T]... [--fp8 yes] "
                "[--device cpu|cuda]\n",
                argv[0]);
        return 1;
    }
    b.o = &o;
    if (bench(&b, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    return 0;
}
