/* How near is near enough. Relative L2 errors, one table. */
#include <string.h>

#include "stages/parity/report.h"

/* F32 differs from the reference in the order of sums only, and in exp() of the timesteps'
 * frequencies, of which PyTorch has one in sixty a last place off: told 6000, a model's output
 * moves by 5e-5 for that. That put right, a module differs by 3e-6. A chain that starts where
 * nearly all is noise (sigma 700 and above) differs by 5e-5, and the reference from itself in 64
 * bits by 9e-5. A GPU sums in other orders still, and its exponentials are of 2 ulp. A sampler's
 * steps carry on what up to a hundred of them rounded. */
static const double cpu[PARITY_CLASSES] = {1e-6, 3e-6, 1e-4, 1e-4, 1e-4, 1e-3};
static const double cuda_f32[PARITY_CLASSES] = {1e-6, 3e-6, 1e-3, 1e-3, 1e-3, 1e-3};

/* In 16 bits every operation rounds its result, and how much of that is left at the end is a
 * matter of the model: SVD's UNet takes differences of large numbers. So these are 1.5 times the
 * worst that the reference library itself, computing in that dtype, shows against its own F32 over
 * some ten to thirty small random models a family (tests/fixtures/make_errors.py; other seeds,
 * depths, head sizes, steps and guidance than one another's). A golden with an errors.json beside
 * it is held to its own figures instead. */
struct rounding {
    const char *family;
    struct {
        double conditions, denoiser, decoder, chain;
    } bf16, f16;
};
static const struct rounding roundings[] = {
    {"hunyuan_video", {0.011, 0.022, 0.077, 0.09}, {0.0012, 0.0023, 0.010, 0.012}},
    {"cogvideox", {0.015, 0.020, 0.021, 0.15}, {0.0015, 0.0023, 0.0026, 0.016}},
    {"wan", {0.015, 0.014, 0.027, 0.04}, {0.0016, 0.0016, 0.0033, 0.005}},
    {"sdxl", {0.016, 0.052, 0.021, 0.10}, {0.0018, 0.0070, 0.0026, 0.018}},
    {"svd", {0.032, 0.120, 0.034, 0.30}, {0.0036, 0.0150, 0.0038, 0.040}},
};

static void allow_rounding(const struct rounding *r, enum dtype activations, double *out)
{
    out[PARITY_CONDITION] = activations == DTYPE_F16 ? r->f16.conditions : r->bf16.conditions;
    out[PARITY_DENOISER] = activations == DTYPE_F16 ? r->f16.denoiser : r->bf16.denoiser;
    out[PARITY_DECODER] = activations == DTYPE_F16 ? r->f16.decoder : r->bf16.decoder;
    out[PARITY_CHAIN] = activations == DTYPE_F16 ? r->f16.chain : r->bf16.chain;
}

/* FP8 has four digits: a layer whose weights and inputs are rounded to it is off by 3 to 6 in a
 * hundred of what it gives, by itself (bench/quality measures it), and that is the price of the
 * format, not a fault. How much of it is left is a matter of the model, and of the guidance, which
 * multiplies what two passes differ in. These are 1.6 times, rounded up, the worst of the tiny
 * fixtures on a CPU, which rounds to FP8 and nothing else, plus what BF16 allows: enough for the
 * format, too little for a layer that is given another's scales. What is not in FP8, words and
 * decoders, is held to what its activations allow. */
static const struct coarse {
    const char *family;
    double denoiser, chain;
} coarse[] = {
    {"hunyuan_video", 0.06, 0.16}, {"cogvideox", 0.09, 0.67}, {"wan", 0.12, 0.17},
    {"sdxl", 0.08, 0.13},          {"svd", 0.14, 0.34},
};

static void allow_fp8(const char *family, double *out)
{
    for (size_t i = 0; i < sizeof coarse / sizeof *coarse; i++)
        if (strcmp(coarse[i].family, family) == 0) {
            out[PARITY_DENOISER] = coarse[i].denoiser;
            out[PARITY_CHAIN] = coarse[i].chain;
        }
}

void parity_tolerances(enum device_kind kind, enum dtype activations, enum dtype linears,
                       const char *family, double out[PARITY_CLASSES])
{
    memcpy(out, kind == DEVICE_CPU ? cpu : cuda_f32, sizeof cpu);
    if (kind != DEVICE_CPU && (activations == DTYPE_F16 || activations == DTYPE_BF16))
        for (size_t i = 0; i < sizeof roundings / sizeof *roundings; i++)
            if (strcmp(roundings[i].family, family) == 0)
                allow_rounding(&roundings[i], activations, out);
    if (linears == DTYPE_F8_E4M3)
        allow_fp8(family, out);
}
