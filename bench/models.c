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
 * memory. Below it stands what `plan` tells of this machine for the very same calls, which go
 * through a dry device (kernels/dry) first; both without what driver and libraries take.
 * With --device dry nothing is computed: the times are what `plan` would tell of an H200,
 * and --profile lists operations with their FLOPs and bytes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/given.h"
#include "bench/profile.h"
#include "bench/synthetic.h"
#include "stages/decode/rehearsal.h"
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

struct result {
    double median, best, load;
    double peak; /* bytes of a GPU's memory; 0 of a processor's */
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

/* ---- measuring */

static struct result result_of(const struct options *o, double *seconds, double load,
                               const struct device *d)
{
    size_t peak = o->dry ? o->ledger.peak - o->ledger.base : device_memory_peak(d);

    for (int i = 1; i < o->repeat; i++)
        for (int k = i; k > 0 && seconds[k] < seconds[k - 1]; k--) {
            double t = seconds[k];
            seconds[k] = seconds[k - 1];
            seconds[k - 1] = t;
        }
    return (struct result){
        .median = seconds[o->repeat / 2], .best = seconds[0], .load = load, .peak = (double)peak};
}

static int time_steps(const struct options *o, const struct family *f, const struct generation *g,
                      struct device *d, struct result *out, struct error *e)
{
    struct conditions c = {0};
    struct sampling s[SAMPLING_MOST] = {0}, *all[SAMPLING_MOST];
    struct sampler_config config;
    double seconds[RUNS_MAX], start = now(o), load;
    void *model = NULL;
    int rc = -1;

    if (given_conditions(f, g, &c, e) || f->model_open(o->dir, d, &model, e))
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
    *out = result_of(o, seconds, load, d);
    rc = 0;
done:
    for (int i = 0; i < o->batch; i++)
        sampling_close(&s[i]);
    f->model_close(model);
    conditions_free(&c);
    return rc;
}

static int time_decode(const struct options *o, const struct family *f, const struct generation *g,
                       struct device *d, struct result *out, struct error *e)
{
    double seconds[RUNS_MAX], start = now(o), load;
    struct vae_limits limits = o->limits;
    struct arena a = {0};
    struct tensor latents;
    void *vae = NULL;
    int rc = -1;

    if (given_latents(f, g, &a, &latents, e) || f->vae_open(o->dir, d, &vae, e) ||
        rehearsal_open(f, o->dir, d, &limits.rehearsal, e))
        goto done;
    load = now(o) - start;
    limits.memory = limits.memory ? limits.memory : tiling_budget(d);
    for (int i = -UNCOUNTED; i < o->repeat; i++) {
        if (i == 0)
            profile_reset();
        start = now(o);
        if (tiling_decode(f, vae, d, &limits, &latents, rehearsal_frame, NULL, e))
            goto done;
        if (i >= 0)
            seconds[i] = now(o) - start;
    }
    *out = result_of(o, seconds, load, d);
    rc = 0;
done:
    rehearsal_close(limits.rehearsal);
    f->vae_close(vae);
    arena_free(&a);
    return rc;
}

static int measure(const struct options *o, const struct family *f, struct device *d,
                   struct result *out, struct error *e)
{
    const struct generation g = {.prompt = "",
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

    return o->vae ? time_decode(o, f, &g, d, out, e) : time_steps(o, f, &g, d, out, e);
}

static void use_ledger(struct options *o, const struct machine *m)
{
    o->ledger = machine_ledger(m);
    o->dry = true;
    o->device.dry = &o->ledger;
    o->device.kind = DEVICE_CUDA;
    if (m->gpus == 0) { /* as a forecast has it of a processor */
        o->device.activations = DTYPE_F32;
        o->device.memory = MEMORY_SPEED;
    }
}

/* What `plan` has to say of it on that device. */
static int tell(const struct options *o, const struct family *f, struct device *d,
                struct result *out, struct error *e)
{
    struct options told = *o;
    struct machine m;
    struct device *dry;

    machine_of_device(d, &m);
    use_ledger(&told, &m);
    if (device_open(&told.device, &dry, e))
        return -1;
    int rc = measure(&told, f, dry, out, e);
    device_close(dry);
    return rc;
}

static void print_result(const struct options *o, const struct family *f, const struct result *r,
                         const struct device *d)
{
    printf("%-14s %-5s %dx%d %3df x%-2d %s  median %9.4f s  best %9.4f s  peak %6.2f GiB  load "
           "%5.1f s\n",
           f->name, o->vae ? "vae" : "step", o->width, o->height, o->frames, o->batch,
           dtype_name(device_linears(d)), r->median, r->best, r->peak / (1 << 30), r->load);
}

static void print_told(const struct result *told, const struct result *measured)
{
    double off = measured->peak > 0 ? told->peak / measured->peak : 0;

    printf("  plan told");
    if (told->median > 0)
        printf(" %9.4f s (%.2f of measured)", told->median, told->median / measured->median);
    else
        printf(" no time");
    if (off > 0)
        printf(" %6.2f GiB (%.2f of measured: %s)", told->peak / (1 << 30), off,
               fabs(off - 1) <= 0.1 ? "within a tenth" : "NOT WITHIN A TENTH");
    printf("\n");
}

/* Opens the device, and asks before anything else is done with it. */
static int open_and_tell(struct options *o, const struct family *f, struct device **d,
                         struct result *told, struct error *e)
{
    struct machine m;

    if (o->dry && machine_parse("h200", &m, e))
        return -1;
    if (o->dry)
        use_ledger(o, &m);
    if (device_open(&o->device, d, e))
        return -1;
    if (o->dry || tell(o, f, *d, told, e) == 0)
        return 0;
    device_close(*d);
    return -1;
}

static int run(struct options *o, struct error *e)
{
    struct result result, told = {0};
    const struct family *f;
    struct device *d;
    int rc;

    if (family_of_checkpoint(o->dir, &f, e))
        return -1;
    if (!o->precision_given && o->device.kind == DEVICE_CUDA)
        o->device.activations = o->vae ? f->gpu.vae : f->gpu.model;
    if (open_and_tell(o, f, &d, &told, e))
        return -1;
    if (!o->dry)
        synthetic_weights(d);
    if (o->profile)
        profile_start(d);
    rc = measure(o, f, d, &result, e);
    if (rc == 0) {
        print_result(o, f, &result, d);
        if (!o->dry)
            print_told(&told, &result);
        fflush(stdout);
    }
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
