/* How fast VAEs decode, against a convolution that is measured beside. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/dry/dry.h"
#include "pipeline/commands/bench.h"
#include "pipeline/commands/bench_subject.h"
#include "pipeline/commands/bench_tiles.h"
#include "pipeline/commands/command.h"
#include "pipeline/execute/job.h"
#include "pipeline/paths.h"
#include "pipeline/progress/heard.h"
#include "stages/decode/rehearsal.h"
#include "stages/generate/torch_random.h"

/* ---- what is decoded */

static int count_frame(void *ctx, int index, const float *rgb, int width, int height,
                       struct error *e)
{
    (void)index, (void)rgb, (void)width, (void)height, (void)e;
    ++*(int *)ctx;
    return 0;
}

/* What is decoded, now that it is known how many pixels the VAE makes of a number; and the
 * arithmetic of that, as a GPU does it. */
static int prepare(struct bench_subject *j, double *flops, struct error *e)
{
    struct dry_run run = {.facts = {.name = "dry", .major = 9, .memory = (size_t)1 << 44}};
    struct device_options o = {
        .kind = DEVICE_CUDA, .threads = 1, .activations = j->family->gpu.vae, .dry = &run};
    struct device *d;
    void *vae = NULL;
    int frames = 0, rc;

    if (device_open(&o, &d, e))
        return -1;
    rc = j->family->vae_open(j->dir, d, &vae, e);
    if (rc == 0)
        rc = bench_latents(j, j->family->vae_factor ? j->family->vae_factor(vae) : 8, e);
    dry_begin(&run);
    if (rc == 0)
        rc = j->family->decode(vae, &j->latents, count_frame, &frames, e);
    *flops = 0;
    for (int i = 0; i < DRY_CLASSES; i++)
        *flops += run.flops[i];
    j->family->vae_close(vae);
    device_close(d);
    return rc;
}

/* ---- the limit */

static double now(void)
{
    return clock_monotonic();
}

/* FLOP/s of 3 x 3 x 3 convolutions of 128 channels, frames as large as fill the device; 0: failed.
 */
static double convolution_rate(struct device *d, struct error *e)
{
    enum { CHANNELS = 128, RUNS = 5 };
    bool gpu = device_kind(d) != DEVICE_CPU;
    int64_t h = gpu ? 360 : 48, w = gpu ? 640 : 64, n = gpu ? 8 : 2;
    struct arena a = device_arena(d), host = {0};
    struct tensor x = ACTIVATION_NEW(d, &a, n + 2, h + 2, w + 2, CHANNELS);
    struct tensor y = ACTIVATION_NEW(d, &a, n, h, w, CHANNELS);
    struct tensor weight = TENSOR_NEW(&host, CHANNELS, CHANNELS, 3, 3, 3), taps[3];
    const struct tensor *at[3] = {&taps[0], &taps[1], &taps[2]};
    struct conv conv;
    double best = 0;
    int rc = x.data && y.data && weight.data ? 0 : error_memory(e);

    if (rc == 0) {
        struct torch_random random;
        torch_random_seed(&random, 2);
        torch_random_normal(&random, weight.data, (size_t)tensor_count(&weight));
        rc = conv_pack(d, &a, &weight, NULL,
                       (struct conv_form){.scale = 1, .stride = 1, .edge = CONV_GIVEN}, &conv, e);
    }
    for (int i = 0; rc == 0 && i < 3; i++)
        taps[i] = tensor_slice(x, 0, i, n);
    for (int i = 0; rc == 0 && i < RUNS; i++) {
        double start = now(), took;
        for (int k = 0; k < (gpu ? 10 : 1); k++)
            op_conv(d, &y, at, &conv, NULL);
        rc = device_status(d, e);
        took = (now() - start) / (gpu ? 10 : 1);
        if (rc == 0 && i > 0)
            best = fmax(best, 2.0 * 27 * CHANNELS * CHANNELS * (double)(n * h * w) / took);
    }
    arena_free(&host);
    arena_free(&a);
    return rc == 0 ? best : 0;
}

/* ---- a VAE */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int time_decodes(const struct bench_subject *j, void *vae, struct device *d, double *median,
                        int *frames, struct error *e)
{
    double took[64];
    int repeat = j->options->repeat;

    /* A GPU's recordings are there after the second, or the third where the first took memory. */
    for (int i = device_kind(d) == DEVICE_CPU ? -1 : -3; i < repeat; i++) {
        double start = now();
        *frames = 0;
        if (tiling_decode(j->family, vae, d, &j->limits, &j->latents, count_frame, frames, e))
            return -1;
        if (i >= 0)
            took[i] = now() - start;
    }
    qsort(took, (size_t)repeat, sizeof *took, by_value);
    *median = took[repeat / 2];
    return 0;
}

struct times {
    double seconds, flops, rate; /* of a decode; its arithmetic; a convolution's FLOP/s */
    int frames;
    size_t peak; /* bytes of GPU memory; 0: a processor */
    const char *dtype;
};

/* A VAE of so little arithmetic that a run of it is over before the clock has moved much, or whose
 * channels are few, is no measure of convolutions. */
static bool is_comparable(const struct times *t)
{
    return t->flops >= 1e10;
}

static void print_times(const struct bench_subject *j, const struct times *t)
{
    int asked = j->options->frames;

    printf("%-13s %dx%d %4d %s", j->name, j->width, j->height, t->frames,
           t->frames == 1 ? "frame " : "frames");
    if (asked && asked != t->frames)
        printf(" (%d asked for)", asked);
    printf(" %-4s %8.3f s %8.2f ms a frame %8.2f frames/s", t->dtype, t->seconds,
           t->seconds / t->frames * 1e3, t->frames / t->seconds);
    if (is_comparable(t))
        printf(" %6.2f TFLOP/s, %.2f of a convolution's %.2f", t->flops / t->seconds * 1e-12,
               t->flops / t->seconds / t->rate, t->rate * 1e-12);
    else
        printf(" %6.2f GFLOP, too few to be held against a convolution", t->flops * 1e-9);
    if (t->peak)
        printf(", %.2f GiB at most", (double)t->peak / (1 << 30));
    putchar('\n');
    fflush(stdout);
}

static json_t *times_json(const struct bench_subject *j, const struct times *t)
{
    return json_pack("{ss si si si ss sf sf sf sf sf so so}", "name", j->name, "width", j->width,
                     "height", j->height, "frames", t->frames, "dtype", t->dtype, "seconds",
                     t->seconds, "ms_per_frame", t->seconds / t->frames * 1e3, "frames_per_second",
                     t->frames / t->seconds, "flop", t->flops, "convolution_flop_per_second",
                     t->rate, "share_of_convolution",
                     is_comparable(t) ? json_real(t->flops / t->seconds / t->rate) : json_null(),
                     "gpu_peak_bytes", t->peak ? json_integer((json_int_t)t->peak) : json_null());
}

/* The times, and what tiles change where they were asked for: lines, or an object in one. */
static int tell(const struct bench_subject *j, void *vae, struct device *d, const struct times *t,
                struct error *e)
{
    bool tiles = j->limits.tile_width > 0 && j->family->vae_factor;
    struct tiles_difference difference;
    json_t *line;

    if (!j->options->json)
        print_times(j, t);
    if (tiles && bench_tiles(j->family, vae, d, &j->limits, &j->latents, &difference, e))
        return -1;
    if (tiles && !j->options->json)
        tiles_difference_print(&difference);
    if (!j->options->json)
        return 0;
    line = times_json(j, t);
    if (line && tiles)
        json_object_set_new(line, "tiles", tiles_difference_json(&difference));
    return command_json_line(line, e);
}

static int measure(struct bench_subject *j, struct error *e)
{
    const struct vae_limits asked = j->limits;
    struct device_options o = j->device;
    struct times t = {0};
    struct device *d;
    void *vae = NULL;
    int rc;

    o.activations = j->family->gpu.vae;
    if (prepare(j, &t.flops, e) || device_open(&o, &d, e))
        return -1;
    t.rate = convolution_rate(d, e);
    rc = t.rate > 0 ? j->family->vae_open(j->dir, d, &vae, e) : -1;
    if (rc == 0)
        rc = rehearsal_open(j->family, j->dir, d, &j->limits.rehearsal, e);
    if (rc == 0 && !j->limits.memory)
        j->limits.memory = tiling_budget(d);
    if (rc == 0)
        rc = time_decodes(j, vae, d, &t.seconds, &t.frames, e);
    t.peak = device_memory_peak(d);
    t.dtype = dtype_name(device_activations(d));
    if (rc == 0)
        rc = tell(j, vae, d, &t, e);
    rehearsal_close(j->limits.rehearsal);
    j->family->vae_close(vae);
    device_close(d);
    j->limits = asked;
    return rc;
}

/* ---- which VAEs */

static int bench_one(struct bench_subject *j, struct error *e)
{
    int rc = family_of_checkpoint(j->dir, &j->family, e) || measure(j, e) ? -1 : 0;

    arena_free(&j->arena);
    return rc;
}

static void print_note(void *ctx, const struct note *note)
{
    const char *line = heard_note(ctx, note);

    if (line)
        printf("%s\n", line);
}

/* All that was asked for is timed, whatever one of them runs into. */
struct bench {
    struct bench_subject job;
    struct stage_env env;
    struct arena arena;
    int done, failed;
    struct error usage; /* what was asked for cannot be: nothing more is timed */
};

/* The failure is told at once, in e. */
static void count(struct bench *b, int rc, const struct error *e)
{
    b->done++;
    if (rc == 0)
        return;
    b->failed++;
    if (e->code == ERROR_USAGE)
        b->usage = *e;
    else
        command_failed(e);
}

static void bench_folder(struct bench *b, const struct tier *tier, const char *name,
                         const char *dir)
{
    struct error e = {0};
    int rc;

    if (b->usage.code)
        return;
    b->job.tier = tier;
    b->job.name = name;
    b->job.dir = dir;
    rc = bench_one(&b->job, &e);
    count(b, rc, &e);
}

/* A tier of two models has two VAEs; unless it was asked for, its folder may hold the first model
 * alone, for the tier that shares it. */
static void bench_tier(struct bench *b, const struct tier *tier, bool asked)
{
    const char *path = NULL, *pictures = NULL;
    struct error e = {0}, ignored = {0};
    bool both = tier->keyframe.family &&
                tier_prompt_checkpoint(&b->env, tier, &b->arena, &pictures, &ignored) == 0 &&
                pictures;

    if (tier_checkpoint(&b->env, tier, &b->arena, &path, &e) == 0)
        bench_folder(b, tier, tier->name, path);
    else if (asked || !both || !path || path_exists(path))
        count(b, -1, &e);
    if (both)
        bench_folder(b, tier_find("picture"), "picture", pictures);
}

/* Those that are there; a tier that shares another's model is timed with it. */
static void bench_tiers(struct bench *b)
{
    for (int i = 0; i < tier_count; i++) {
        const struct tier *tier = &tiers_all[i], *shared = NULL;
        const char *own = tier_folder(&b->env, tier, &b->arena), *other = NULL;
        struct error ignored = {0};

        if (!own || !path_exists(own))
            continue;
        if (tier->shares)
            shared = tier_find(tier->shares);
        if (shared && tier_prompt_checkpoint(&b->env, shared, &b->arena, &other, &ignored) == 0 &&
            other && strcmp(own, other) == 0)
            continue;
        bench_tier(b, tier, false);
    }
}

int bench_vae(const struct options *o, struct error *e)
{
    static const struct board no_board;
    const char *models = o->models[0] ? o->models : getenv("AUTEUR_MODELS");
    struct heard heard = {0};
    struct bench b = {
        .env = {.board = &no_board, .models_dir = models ? models : "", .tier = ""},
        .job = {.options = o,
                .device = {.kind = strcmp(o->device, "cpu") == 0 ? DEVICE_CPU : DEVICE_CUDA,
                           .or_cpu = strcmp(o->device, "cuda") != 0,
                           .patience = PATIENCE_SOME}}};
    int rc;

    if (o->verbose && !o->json)
        b.job.device.notes = (struct note_listener){print_note, &heard};
    rc = vae_limits_read(o->vae_memory, o->vae_tile, &b.job.limits, e) ||
                 paths_data_dir(&b.arena, &b.env.data_dir, e)
             ? -1
             : 0;
    b.job.limits.frames = o->vae_frames;
    for (int i = 1; rc == 0 && i < o->operand_count; i++) {
        const struct tier *tier = tier_find(o->operands[i]);

        if (tier)
            bench_tier(&b, tier, true);
        else
            bench_folder(&b, NULL, o->operands[i], o->operands[i]);
    }
    if (rc == 0 && o->operand_count == 1)
        bench_tiers(&b);
    arena_free(&b.arena);
    if (rc == 0 && b.done == 0)
        return error_set(e, ERROR_USAGE,
                         "no tier's checkpoint is there: name a folder, or where they are with "
                         "--models");
    if (b.usage.code) {
        *e = b.usage;
        return -1;
    }
    if (b.failed)
        return error_set(e, ERROR_MODEL, "%d of %d VAEs could not be timed", b.failed, b.done);
    return rc;
}
