/* How long a published model takes for a step and for a decode, at its published size and on
 * weights that are not there: DIR is made by bench/make_checkpoint.py --sparse.
 *
 *   bench/models DIR [--part step|vae] [--size WxH] [--frames N] [--guidance X] [--precision P]
 *                    [--batch N] [--memory auto|speed|safe] [--device cuda|cpu|dry] [--repeat N]
 *                    [--profile LINES] [--search 0|1|2]
 *                    [--vae-memory GIB] [--vae-tile WxH] [--vae-frames N]
 *
 * Prints the median of `repeat` runs after three that are not counted (algorithms are chosen,
 * graphs recorded), and the GPU memory that was in use at most. A step is all that happens between
 * two states of the latents, sampler and copies included; a decode ends with the last frame in host
 * memory. With --device dry nothing is computed: the times are what `plan` would tell of an H200,
 * and --profile lists operations with their FLOPs and bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/profile.h"
#include "bench/synthetic.h"
#include "stages/decode/tiling.h"
#include "stages/forecast/machine.h"
#include "stages/generate/sampling.h"

enum { RUNS_MAX = 64, UNCOUNTED = 3 };

struct options {
    const char *dir;
    bool vae;
    int width, height, frames, batch, repeat, profile;
    double guidance;
    struct device_options device;
    bool precision_given; /* of activations */
    bool dry;
    struct dry_run ledger;
    struct vae_limits limits;
};

static double now(const struct options *o)
{
    struct timespec t;
    if (o->dry)
        return o->ledger.seconds;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool read_precision(struct options *o, const char *name)
{
    static const struct {
        const char *name;
        enum dtype activations, linears;
    } known[] = {{"f32", DTYPE_F32, 0},
                 {"f16", DTYPE_F16, 0},
                 {"bf16", DTYPE_BF16, 0},
                 {"fp8", 0, DTYPE_F8_E4M3}}; /* with activations as the family has them */
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0) {
            o->device.activations = known[i].activations;
            o->device.linears = o->device.attention = known[i].linears;
            o->precision_given = !known[i].linears;
            return true;
        }
    return false;
}

static bool read_memory(struct options *o, const char *name)
{
    static const char *const modes[] = {"auto", "speed", "safe"};
    for (int i = 0; i < 3; i++)
        if (strcmp(modes[i], name) == 0) {
            o->device.memory = (enum memory_mode)i;
            return true;
        }
    return false;
}

static bool read_option(struct options *o, const char *name, const char *value)
{
    if (strcmp(name, "--part") == 0)
        return (o->vae = strcmp(value, "vae") == 0) || strcmp(value, "step") == 0;
    if (strcmp(name, "--size") == 0)
        return sscanf(value, "%dx%d", &o->width, &o->height) == 2;
    if (strcmp(name, "--frames") == 0)
        return (o->frames = atoi(value)) > 0;
    if (strcmp(name, "--batch") == 0)
        return (o->batch = atoi(value)) > 0 && o->batch <= SAMPLING_MOST;
    if (strcmp(name, "--guidance") == 0)
        return (o->guidance = atof(value)) > 0;
    if (strcmp(name, "--repeat") == 0)
        return (o->repeat = atoi(value)) > 0 && o->repeat <= RUNS_MAX;
    if (strcmp(name, "--profile") == 0)
        return (o->profile = atoi(value)) > 0;
    if (strcmp(name, "--precision") == 0)
        return read_precision(o, value);
    if (strcmp(name, "--memory") == 0)
        return read_memory(o, value);
    if (strcmp(name, "--search") == 0)
        return (o->device.patience = (enum patience)atoi(value)) <= PATIENCE_ENOUGH;
    if (strcmp(name, "--vae-memory") == 0)
        return (o->limits.memory = (size_t)(atof(value) * (1 << 30))) > 0;
    if (strcmp(name, "--vae-tile") == 0)
        return sscanf(value, "%dx%d", &o->limits.tile_width, &o->limits.tile_height) == 2;
    if (strcmp(name, "--vae-frames") == 0)
        return (o->limits.frames = atoi(value)) > 0;
    if (strcmp(name, "--device") == 0) {
        o->device.kind = strcmp(value, "cpu") == 0 ? DEVICE_CPU : DEVICE_CUDA;
        o->dry = strcmp(value, "dry") == 0;
        return o->dry || o->device.kind == DEVICE_CPU || strcmp(value, "cuda") == 0;
    }
    return false;
}

static int read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){
        .width = 1280, .height = 720, .frames = 17, .batch = 1, .repeat = 3, .guidance = 1};
    o->device.kind = DEVICE_CUDA;
    o->device.patience = PATIENCE_SOME; /* as a run */
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && !o->dir) {
            o->dir = argv[i];
            continue;
        }
        if (i + 1 >= argc || !read_option(o, argv[i], argv[i + 1])) {
            fprintf(stderr, "bench/models: %s: not understood\n", argv[i]);
            return -1;
        }
        i++;
    }
    return o->dir ? 0 : -1;
}

/* ---- what a shot of each family is told: random numbers in the shapes that are published */

static const struct wanted {
    const char *family, *name;
    int rank;
    int64_t shape[4]; /* -1, -2: height and width of latents; -3: 2 with guidance, else 1 */
} conditions_wanted[] = {
    {"wan", "prompt_embeds", 2, {512, 4096}},
    {"wan", "negative_prompt_embeds", 2, {512, 4096}},
    {"hunyuan_video", "prompt_embeds", 2, {77, 4096}},
    {"hunyuan_video", "prompt_attention_mask", 1, {77}},
    {"hunyuan_video", "pooled_prompt_embeds", 1, {768}},
    {"cogvideox", "prompt_embeds", 2, {226, 4096}},
    {"cogvideox", "negative_prompt_embeds", 2, {226, 4096}},
    {"sdxl", "prompt_embeds", 2, {77, 2048}},
    {"sdxl", "negative_prompt_embeds", 2, {77, 2048}},
    {"sdxl", "pooled_prompt_embeds", 2, {1, 1280}},
    {"sdxl", "negative_pooled_prompt_embeds", 2, {1, 1280}},
    {"svd", "image_embeddings", 3, {-3, 1, 1024}},
    {"svd", "image_latents", 4, {-3, 4, -1, -2}},
};

static int make_conditions(const struct family *f, const struct generation *g, struct conditions *c,
                           struct error *e)
{
    for (size_t i = 0; i < sizeof conditions_wanted / sizeof *conditions_wanted; i++) {
        const struct wanted *w = &conditions_wanted[i];
        int64_t shape[4];
        struct tensor *t;
        if (strcmp(w->family, f->name) != 0)
            continue;
        for (int k = 0; k < w->rank; k++)
            shape[k] = w->shape[k] == -1   ? g->height / 8
                       : w->shape[k] == -2 ? g->width / 8
                       : w->shape[k] == -3 ? 1 + (g->guidance > 1)
                                           : w->shape[k];
        t = conditions_add(c, w->name, w->rank, shape);
        if (!t || !t->data)
            return error_memory(e);
        synthetic_normal(t->data, tensor_count(t), i + 1, 1);
        if (strstr(w->name, "mask"))
            for (int64_t k = 0; k < tensor_count(t); k++)
                ((float *)t->data)[k] = 1;
    }
    return 0;
}

/* What the denoiser leaves for these frames. */
static int make_latents(const struct family *f, const struct generation *g, struct arena *a,
                        struct tensor *out, struct error *e)
{
    bool frames_first = strcmp(f->name, "cogvideox") == 0 || strcmp(f->name, "svd") == 0;
    int64_t channels = strcmp(f->name, "sdxl") == 0 || strcmp(f->name, "svd") == 0 ? 4 : 16;
    int64_t frames = channels == 4 ? g->frames : (g->frames - 1) / 4 + 1;
    int64_t shape[4] = {frames_first ? frames : channels, frames_first ? channels : frames,
                        g->height / 8, g->width / 8};

    *out = tensor_new(a, 4, shape);
    if (!out->data)
        return error_memory(e);
    synthetic_normal(out->data, tensor_count(out), 1, 1);
    return 0;
}

/* ---- measuring */

static void print_result(const struct options *o, const struct family *f, const char *part,
                         double *seconds, int runs, double load, struct device *d)
{
    for (int i = 1; i < runs; i++)
        for (int k = i; k > 0 && seconds[k] < seconds[k - 1]; k--) {
            double t = seconds[k];
            seconds[k] = seconds[k - 1];
            seconds[k - 1] = t;
        }
    printf("%-14s %-5s %dx%d %3df x%-2d %s  median %9.4f s  best %9.4f s  peak %6.2f GiB  load "
           "%5.1f s\n",
           f->name, part, o->width, o->height, o->frames, o->batch, dtype_name(device_linears(d)),
           seconds[runs / 2], seconds[0],
           (double)(o->dry ? o->ledger.peak : device_memory_peak(d)) / (1 << 30), load);
    fflush(stdout);
}

static int time_steps(const struct options *o, const struct family *f, const struct generation *g,
                      struct device *d, struct error *e)
{
    struct conditions c = {0};
    struct sampling s[SAMPLING_MOST] = {0}, *all[SAMPLING_MOST];
    struct sampler_config config;
    double seconds[RUNS_MAX], start = now(o), load;
    void *model = NULL;
    int rc = -1;

    if (make_conditions(f, g, &c, e) || f->model_open(o->dir, d, &model, e))
        goto done;
    load = now(o) - start;
    if (sampling_config(o->dir, NULL, 0, &config, e))
        goto done;
    for (int i = 0; i < o->batch; i++) {
        all[i] = &s[i];
        if (sampling_prepare(&s[i], f, model, &config, g, &c, e))
            goto done;
    }
    if (sampling_begin(all, o->batch, e))
        goto done;
    for (int i = -UNCOUNTED; i < o->repeat; i++) {
        if (i == 0)
            profile_reset();
        start = now(o);
        if (sampling_step_all(all, o->batch, e))
            goto done;
        if (i >= 0)
            seconds[i] = now(o) - start;
    }
    print_result(o, f, "step", seconds, o->repeat, load, d);
    rc = 0;
done:
    for (int i = 0; i < o->batch; i++)
        sampling_close(&s[i]);
    f->model_close(model);
    conditions_free(&c);
    return rc;
}

static int drop_frame(void *ctx, int index, const float *rgb, int width, int height,
                      struct error *e)
{
    (void)ctx, (void)index, (void)rgb, (void)width, (void)height, (void)e;
    return 0;
}

static int time_decode(const struct options *o, const struct family *f, const struct generation *g,
                       struct device *d, struct error *e)
{
    double seconds[RUNS_MAX], start = now(o), load;
    struct vae_limits limits = o->limits;
    struct arena a = {0};
    struct tensor latents;
    void *vae = NULL;
    int rc = -1;

    if (make_latents(f, g, &a, &latents, e) || f->vae_open(o->dir, d, &vae, e))
        goto done;
    load = now(o) - start;
    limits.memory = limits.memory ? limits.memory : tiling_budget(d);
    for (int i = -UNCOUNTED; i < o->repeat; i++) {
        if (i == 0)
            profile_reset();
        start = now(o);
        if (tiling_decode(f, vae, d, &limits, &latents, drop_frame, NULL, e))
            goto done;
        if (i >= 0)
            seconds[i] = now(o) - start;
    }
    print_result(o, f, "vae", seconds, o->repeat, load, d);
    rc = 0;
done:
    f->vae_close(vae);
    arena_free(&a);
    return rc;
}

static int open_ledger(struct options *o, struct error *e)
{
    struct machine m;

    if (machine_parse("h200", &m, e))
        return -1;
    o->ledger = (struct dry_run){.rates = machine_rates(&m), .facts = m.facts};
    o->device.dry = &o->ledger;
    return 0;
}

static int run(struct options *o, struct error *e)
{
    struct generation g = {.prompt = "",
                           .seed = 1,
                           .width = o->width,
                           .height = o->height,
                           .frames = o->frames,
                           .steps = UNCOUNTED + o->repeat,
                           .guidance = o->guidance,
                           .guidance_2 = o->guidance,
                           .fps = 7,
                           .motion_bucket = 127,
                           .noise_strength = 0.02};
    const struct family *f;
    struct device *d;
    int rc;

    if (family_of_checkpoint(o->dir, &f, e))
        return -1;
    if (!o->precision_given && o->device.kind == DEVICE_CUDA)
        o->device.activations = o->vae ? f->gpu.vae : f->gpu.model;
    if (o->dry && open_ledger(o, e))
        return -1;
    if (device_open(&o->device, &d, e))
        return -1;
    if (!o->dry)
        synthetic_weights(d);
    if (o->profile)
        profile_start(d);
    rc = o->vae ? time_decode(o, f, &g, d, e) : time_steps(o, f, &g, d, e);
    if (o->profile && rc == 0)
        profile_print(o->profile, o->repeat);
    device_close(d);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o;
    struct error e = {0};

    if (read_options(&o, argc, argv)) {
        fprintf(stderr, "usage: bench/models DIR [--part step|vae] [--size WxH] [--frames N] "
                        "[--guidance X] [--precision f32|f16|bf16|fp8] [--batch N] "
                        "[--memory auto|speed|safe] [--device cuda|cpu|dry] [--repeat N] "
                        "[--profile LINES]\n");
        return 1;
    }
    if (run(&o, &e)) {
        fprintf(stderr, "bench/models: %s\n", e.text);
        return 1;
    }
    return 0;
}
