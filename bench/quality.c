/* What faster ways of sampling cost in quality: shots of a checkpoint as it was published, and with
 * step caches or FP8 layers; the blocks that were evaluated, and how far the decoded frames are
 * from the plain ones. With --fp8 also how far each layer and each prediction is.
 *
 *   bench/quality DIR [--frames N] [--size WxH] [--steps N] [--guidance G] [--shots N]
 *                 [--cache first-block|timestep] [--threshold T]... [--fp8 yes] [--device cpu|cuda]
 *
 * PSNR is over all frames of a shot (peak 1, RGB), SSIM over luma in windows of 8 x 8, 4 apart. A
 * processor computes FP8 layers as a GPU does, but for the order of sums.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/frames.h"
#include "bench/layer_errors.h"
#include "stages/generate/sampling.h"
#include "stages/generate/tiers.h"

/* Of the kind that the previs model was taught on, with a seed each. */
static const char *const prompts[] = {
    "a red sailing boat on a calm sea at sunset",
    "waves breaking on a rocky coast under grey clouds",
    "a man walking through a forest in autumn",
    "city street at night in the rain, cars passing by",
    "snow falling on a mountain village",
    "a close-up of a flower moving in the wind",
};
enum { SHOTS = sizeof prompts / sizeof *prompts, THRESHOLDS = 16 };

struct options {
    const char *dir;
    int frames, width, height, steps, shots, thresholds;
    double guidance, threshold[THRESHOLDS];
    enum step_cache_mode mode; /* off: none */
    bool fp8;
    enum device_kind kind;
};

static int read_mode(const char *value, enum step_cache_mode *mode)
{
    for (int i = 1; step_cache_names[i]; i++)
        if (strcmp(value, step_cache_names[i]) == 0) {
            *mode = (enum step_cache_mode)i;
            return 0;
        }
    return -1;
}

static int read_options(struct options *o, int argc, char **argv)
{
    const struct tier *tier = tier_find("previs");
    *o = (struct options){.frames = 17,
                          .width = 384,
                          .height = 224,
                          .steps = tier->steps,
                          .guidance = tier->guidance,
                          .shots = SHOTS};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--frames") == 0)
            o->frames = atoi(value);
        else if (strcmp(argv[i], "--steps") == 0)
            o->steps = atoi(value);
        else if (strcmp(argv[i], "--shots") == 0)
            o->shots = atoi(value);
        else if (strcmp(argv[i], "--guidance") == 0)
            o->guidance = atof(value);
        else if (strcmp(argv[i], "--threshold") == 0 && o->thresholds < THRESHOLDS)
            o->threshold[o->thresholds++] = atof(value);
        else if (strcmp(argv[i], "--fp8") == 0)
            o->fp8 = strcmp(value, "yes") == 0;
        else if (strcmp(argv[i], "--device") == 0)
            o->kind = strcmp(value, "cuda") == 0 ? DEVICE_CUDA : DEVICE_CPU;
        else if (strcmp(argv[i], "--cache") == 0) {
            if (read_mode(value, &o->mode))
                return -1;
        } else if (strcmp(argv[i], "--size") == 0) {
            if (sscanf(value, "%dx%d", &o->width, &o->height) != 2)
                return -1;
        } else if (argv[i][0] != '-' && !o->dir) {
            o->dir = argv[i];
            continue;
        } else {
            return -1;
        }
        i++;
    }
    return o->dir && o->frames > 0 && o->steps > 0 && o->width > 0 && o->height > 0 &&
                   o->shots > 0 && o->shots <= SHOTS
               ? 0
               : -1;
}

struct bench {
    const struct options *o;
    const struct family *family;
    struct device *device, *device_fp8;
    void *model, *model_fp8, *vae;
    struct sampler_config config;
    struct generation generation[SHOTS];
    struct conditions conditions[SHOTS];
    struct frames plain[SHOTS];
};

/* A row of the table. */
struct variant {
    enum step_cache_mode mode;
    double threshold;
    bool fp8;
};

static int encode(struct bench *b, struct error *e)
{
    void *encoder = NULL;
    int rc = b->family->encoder_open(b->o->dir, b->device, &encoder, e);
    for (int i = 0; i < b->o->shots && rc == 0; i++) {
        b->generation[i] = (struct generation){.prompt = prompts[i],
                                               .negative = tier_find("previs")->negative,
                                               .seed = 1000 + (uint64_t)i,
                                               .width = b->o->width,
                                               .height = b->o->height,
                                               .frames = b->o->frames,
                                               .steps = b->o->steps,
                                               .guidance = b->o->guidance,
                                               .guidance_2 = b->o->guidance};
        rc = b->family->encode(encoder, &b->generation[i], &b->conditions[i], e);
    }
    b->family->encoder_close(encoder);
    return rc;
}

/* Samples and decodes shot i; *saved = blocks there are / blocks evaluated. */
static int make(struct bench *b, int i, const struct variant *v, struct frames *out, double *saved,
                struct error *e)
{
    struct generation g = b->generation[i];
    struct sampling s = {0};
    g.step_cache.mode = v->mode;
    g.step_cache.threshold = v->threshold;
    int rc = sampling_open(&s, b->family, v->fp8 ? b->model_fp8 : b->model, &b->config, &g,
                           &b->conditions[i], e);
    while (rc == 0 && s.sampler.index < s.sampler.steps)
        rc = sampling_step(&s, e);
    *saved = s.evaluated ? (double)(s.evaluated + s.left_out) / (double)s.evaluated : 1;
    out->count = 0;
    if (rc == 0)
        rc = b->family->decode(b->vae, &s.latents, frames_keep, out, e);
    sampling_close(&s);
    return rc;
}

static int compare(struct bench *b, const struct variant *v, struct error *e)
{
    double saved, fewer = 0, psnr = 0, worst = INFINITY, ssim = 0;
    struct frames frames = {0};
    int rc = 0;
    for (int i = 0; i < b->o->shots && rc == 0; i++) {
        rc = make(b, i, v, &frames, &saved, e);
        if (rc != 0)
            break;
        double p = frames_psnr(&b->plain[i], &frames);
        fewer += saved / b->o->shots;
        psnr += p / b->o->shots;
        worst = fmin(worst, p);
        ssim += frames_ssim(&b->plain[i], &frames) / b->o->shots;
    }
    if (rc == 0)
        printf("%-5s %-12s %9.3g %12.2f %9.1f %9.1f %9.4f\n", v->fp8 ? "fp8" : "plain",
               step_cache_names[v->mode], v->threshold, fewer, psnr, worst, ssim);
    fflush(stdout);
    frames_free(&frames);
    return rc;
}

/* One prediction of both models for the same noise, and each of their layers. */
static int compare_layers(struct bench *b, struct error *e)
{
    struct sampling plain = {0}, fp8 = {0};
    int rc = sampling_open(&plain, b->family, b->model, &b->config, &b->generation[0],
                           &b->conditions[0], e);
    if (rc == 0)
        rc = sampling_open(&fp8, b->family, b->model_fp8, &b->config, &b->generation[0],
                           &b->conditions[0], e);
    if (rc == 0)
        rc = layer_errors_record(b->device, e);
    if (rc == 0)
        rc = sampling_step(&plain, e);
    if (rc == 0)
        rc = layer_errors_compare(b->device, b->device_fp8, e);
    if (rc == 0)
        rc = sampling_step(&fp8, e);
    layer_errors_print(b->device_fp8);
    if (rc == 0)
        printf(
            "a prediction of the whole model: %.4f\n",
            layer_errors_between(plain.output.data, fp8.output.data, tensor_count(&plain.output)));
    sampling_close(&plain);
    sampling_close(&fp8);
    return rc;
}

static int compare_all(struct bench *b, struct error *e)
{
    const struct options *o = b->o;
    double saved;
    if (o->fp8 && compare_layers(b, e))
        return -1;
    for (int i = 0; i < o->shots; i++)
        if (make(b, i, &(struct variant){0}, &b->plain[i], &saved, e))
            return -1;
    printf("%-5s %-12s %9s %12s %9s %9s %9s\n", "", "cache", "threshold", "fewer blocks", "PSNR",
           "worst", "SSIM");
    if (o->fp8 && compare(b, &(struct variant){.fp8 = true}, e))
        return -1;
    for (int t = 0; o->mode != STEP_CACHE_OFF && t < (o->thresholds ? o->thresholds : 1); t++) {
        double threshold = o->thresholds ? o->threshold[t] : step_cache_threshold(o->mode);
        for (int fp8 = 0; fp8 <= o->fp8; fp8++)
            if (compare(b, &(struct variant){o->mode, threshold, fp8}, e))
                return -1;
    }
    return 0;
}

static int open_models(struct bench *b, struct error *e)
{
    struct device_options options = {
        .kind = b->o->kind, .activations = b->o->kind == DEVICE_CUDA ? DTYPE_BF16 : DTYPE_F32};
    if (device_open(&options, &b->device, e) || encode(b, e) ||
        b->family->model_open(b->o->dir, b->device, &b->model, e) ||
        b->family->vae_open(b->o->dir, b->device, &b->vae, e))
        return -1;
    options.linears = DTYPE_F8_E4M3;
    return b->o->fp8 && (device_open(&options, &b->device_fp8, e) ||
                         b->family->model_open(b->o->dir, b->device_fp8, &b->model_fp8, e))
               ? -1
               : 0;
}

static int bench(const struct options *o, struct error *e)
{
    struct bench b = {.o = o};
    int rc = -1;
    if (family_of_checkpoint(o->dir, &b.family, e) == 0 &&
        sampling_config(o->dir, "", 0, &b.config, e) == 0 && open_models(&b, e) == 0)
        rc = compare_all(&b, e);
    if (b.family) {
        b.family->vae_close(b.vae);
        b.family->model_close(b.model);
        b.family->model_close(b.model_fp8);
    }
    for (int i = 0; i < SHOTS; i++) {
        conditions_free(&b.conditions[i]);
        frames_free(&b.plain[i]);
    }
    device_close(b.device_fp8);
    device_close(b.device);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o;
    struct error e = {0};

    if (read_options(&o, argc, argv)) {
        fprintf(stderr,
                "usage: %s DIR [--frames N] [--size WxH] [--steps N] [--guidance G] [--shots N] "
                "[--cache first-block|timestep] [--threshold T]... [--fp8 yes] "
                "[--device cpu|cuda]\n",
                argv[0]);
        return 1;
    }
    if (bench(&o, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    return 0;
}
