/* How fast the engine is: one denoiser call (a sampler step makes two, with guidance) and a whole
 * VAE decode of a Wan checkpoint, in milliseconds and GFLOP/s, against what this machine's cores
 * can do at most.
 *
 *   bench/engine DIR [--frames N] [--size WxH] [--threads N] [--repeat N] [--precision f32|f16]
 *
 * f16: the denoiser as films are made, whose products may be of halves; the VAE is F32 all the
 * same. Prints the best of `repeat` runs. bench/peer_torch.py runs it beside PyTorch on the same
 * weights.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/peak.h"
#include "stages/decode/wan_vae.h"
#include "stages/generate/wan_transformer.h"

struct options {
    const char *dir;
    int frames, width, height, threads, repeat, tokens;
    enum dtype precision;
};

static int read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.frames = 49, .width = 416, .height = 240, .repeat = 5, .tokens = 40};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--frames") == 0)
            o->frames = atoi(value);
        else if (strcmp(argv[i], "--threads") == 0)
            o->threads = atoi(value);
        else if (strcmp(argv[i], "--repeat") == 0)
            o->repeat = atoi(value);
        else if (strcmp(argv[i], "--precision") == 0)
            o->precision = strcmp(value, "f16") == 0 ? DTYPE_F16 : DTYPE_F32;
        else if (strcmp(argv[i], "--size") == 0) {
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
    return o->dir && o->frames > 0 && o->repeat > 0 && o->width > 0 && o->height > 0 ? 0 : -1;
}

/* The best of several runs, by the clock and by the time that cores spent: the second tells of the
 * engine alone when others use the machine too. */
struct best {
    double seconds, cpu_seconds;
    double started, cpu_started;
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void start(struct best *b)
{
    b->started = now_seconds();
    b->cpu_started = cpu_seconds();
}

static void stop(struct best *b)
{
    double seconds = now_seconds() - b->started, cpu = cpu_seconds() - b->cpu_started;
    b->seconds = b->seconds == 0 || seconds < b->seconds ? seconds : b->seconds;
    b->cpu_seconds = b->cpu_seconds == 0 || cpu < b->cpu_seconds ? cpu : b->cpu_seconds;
}

static void print_result(const char *name, const struct best *b, double flops, double peak)
{
    double rate = flops / b->seconds / 1e9;
    printf("%-9s %9.1f ms  %9.1f ms of cores  %7.1f GFLOP  %6.1f GFLOP/s  %4.2f of peak\n", name,
           b->seconds * 1e3, b->cpu_seconds * 1e3, flops / 1e9, rate, rate / peak);
    fflush(stdout);
}

/* Any numbers of a normal size will do. */
static void fill(struct tensor *t)
{
    unsigned state = 1;
    for (int64_t i = 0; i < tensor_count(t); i++) {
        state = state * 1664525u + 1013904223u;
        ((float *)t->data)[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
}

static int bench_denoiser(const struct options *o, struct device *d, const struct tensor *latents,
                          struct arena *a, double peak, struct error *e)
{
    struct wan_transformer *m = NULL;
    struct wan_conditioning *c = NULL;
    const char *dir = arena_printf(a, "%s/transformer", o->dir);
    struct tensor out = tensor_new(a, 4, latents->shape), text;
    struct best best = {0};
    int rc = -1;

    if (!dir || !out.data)
        return error_memory(e);
    if (wan_transformer_load(dir, d, &m, e))
        return -1;
    text = TENSOR_NEW(a, o->tokens, wan_transformer_text_dim(m));
    if (!text.data) {
        error_memory(e);
        goto done;
    }
    fill(&text);
    if (wan_transformer_prepare(m, &text, 128, &c, e))
        goto done;
    for (int i = 0; i <= o->repeat; i++) { /* the first is not counted */
        start(&best);
        if (wan_transformer_forward(m, c, latents, 500, &out, e))
            goto done;
        if (i > 0)
            stop(&best);
    }
    print_result("denoiser", &best, wan_transformer_flops(m, c, latents->shape), peak);
    rc = 0;
done:
    wan_conditioning_free(c);
    wan_transformer_free(m);
    return rc;
}

static int drop_frame(void *ctx, int index, const float *rgb, int width, int height,
                      struct error *e)
{
    (void)ctx, (void)index, (void)rgb, (void)width, (void)height, (void)e;
    return 0;
}

static int bench_vae(const struct options *o, struct device *d, struct wan_vae *v,
                     const struct tensor *latents, double peak, struct error *e)
{
    struct best best = {0};

    (void)d;
    for (int i = 0; i <= o->repeat; i++) {
        start(&best);
        if (wan_vae_decode(v, latents, drop_frame, NULL, e))
            return -1;
        if (i > 0)
            stop(&best);
    }
    print_result("vae", &best, wan_vae_flops(v, latents->shape), peak);
    return 0;
}

static int bench(const struct options *o, struct error *e)
{
    struct arena arena = {0};
    struct device *d = NULL;
    struct wan_vae *v = NULL;
    struct tensor latents;
    const char *dir = arena_printf(&arena, "%s/vae", o->dir);
    double peak;
    int rc = -1;

    if (!dir) {
        error_memory(e);
        goto done;
    }
    if (device_open(&(struct device_options){.threads = o->threads, .activations = o->precision},
                    &d, e) ||
        wan_vae_load(dir, d, &v, e))
        goto done;
    latents = TENSOR_NEW(&arena, wan_vae_channels(v), (o->frames - 1) / wan_vae_time_factor(v) + 1,
                         o->height / wan_vae_space_factor(v), o->width / wan_vae_space_factor(v));
    if (!latents.data) {
        error_memory(e);
        goto done;
    }
    fill(&latents);
    peak = peak_gflops(device_threads(d), 0.5);
    printf("peak      %d threads: %.1f GFLOP/s\n", device_threads(d), peak);
    if (bench_denoiser(o, d, &latents, &arena, peak, e) || bench_vae(o, d, v, &latents, peak, e))
        goto done;
    rc = 0;
done:
    wan_vae_free(v);
    device_close(d);
    arena_free(&arena);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o;
    struct error e = {0};

    if (read_options(&o, argc, argv)) {
        fprintf(stderr,
                "usage: %s DIR [--frames N] [--size WxH] [--threads N] [--repeat N] "
                "[--precision f32|f16]\n",
                argv[0]);
        return 1;
    }
    if (bench(&o, &e)) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    return 0;
}
