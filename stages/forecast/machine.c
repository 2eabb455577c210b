#include "stages/forecast/machine.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/suggest.h"

static const double GIB = 1024.0 * 1024 * 1024, GB = 1e9, TERA = 1e12;
static const double PROCESSOR_BYTES =
    20e9;                       /* a second, of a desktop's or a small server's memory */
static const double DISK = 2e9; /* bytes/s of a plain NVMe disk, where none was measured */

static const double LINK = 24e9; /* of PCIe 4 with 16 lanes; twice that of PCIe 5 */

/* The makers' figures: dense, with sums in F32 (which GeForce cards halve for 16-bit halves and
 * FP8). Memory as the driver tells it. */
static const struct known {
    const char *word;  /* as --gpu takes it */
    const char *title; /* a part of what the driver calls it */
    int major, minor;  /* compute capability */
    double gib;
    bool unified;
    double bf16, fp8, bandwidth; /* TFLOP/s, TFLOP/s, GB/s */
} known_gpus[] = {
    {"h200", "H200", 9, 0, 139.8, false, 989, 1979, 4800},
    {"h100", "H100", 9, 0, 79.6, false, 989, 1979, 3350},
    {"b200", "B200", 10, 0, 178.4, false, 2250, 4500, 8000},
    {"a100", "A100", 8, 0, 79.3, false, 312, 0, 2039},
    {"gb10", "GB10", 12, 1, 119.7, true, 125, 250, 273},
    {"l40s", "L40S", 8, 9, 44.5, false, 362, 733, 864},
    {"rtx6000ada", "RTX 6000 Ada", 8, 9, 47.5, false, 182, 364, 960},
    {"a6000", "RTX A6000", 8, 6, 47.5, false, 155, 0, 768},
    {"5090", "RTX 5090", 12, 0, 31.8, false, 210, 419, 1792},
    {"5080", "RTX 5080", 12, 0, 15.5, false, 113, 225, 960},
    {"4090", "RTX 4090", 8, 9, 23.5, false, 165, 330, 1008},
};
enum { KNOWN = sizeof known_gpus / sizeof *known_gpus };

static void take_known(struct machine *m, const struct known *k)
{
    m->bf16 = k->bf16 * TERA;
    m->fp8 = k->fp8 * TERA;
    m->bandwidth = k->bandwidth * GB;
    m->link = k->major >= 9 ? 2 * LINK : LINK;
    m->facts.unified = k->unified;
    m->facts.major = k->major;
    m->facts.minor = k->minor;
}

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* FLOP/s of a processor in one product of the size that models have; 0: it could not be had. */
static double measure_processor(struct device *d)
{
    enum { ROWS = 512, WIDTH = 1024, TURNS = 4 };
    struct arena a = device_arena(d);
    struct tensor x = TENSOR_NEW(&a, ROWS, WIDTH), out = TENSOR_NEW(&a, ROWS, WIDTH);
    struct tensor weight = TENSOR_NEW(&a, WIDTH, WIDTH);
    double flops = 2.0 * ROWS * WIDTH * WIDTH, best = 0;
    struct error ignored = {0};
    struct linear w;

    if (x.data && out.data && weight.data && linear_pack(d, &a, &weight, NULL, &w, &ignored) == 0)
        for (int i = 0; i < TURNS; i++) {
            double from = seconds_now();
            op_linear(d, &out, &x, &w, ACT_NONE);
            double rate = flops / (seconds_now() - from);
            best = rate > best && isfinite(rate) ? rate : best;
        }
    arena_free(&a);
    return device_status(d, &ignored) == 0 ? best : 0;
}

void machine_of_device(struct device *d, struct machine *out)
{
    size_t free_bytes, total;

    *out = (struct machine){.facts = *device_facts(d), .link = LINK, .disk = DISK};
    out->gpus = device_kind(d) == DEVICE_CUDA;
    out->host = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    if (!out->gpus) {
        device_memory(d, &free_bytes, &total);
        out->facts.memory = total;
        out->bf16 = measure_processor(d);
        out->bandwidth = PROCESSOR_BYTES;
        return;
    }
    for (int i = 0; i < KNOWN; i++)
        if (strstr(out->facts.name, known_gpus[i].title)) {
            take_known(out, &known_gpus[i]);
            break;
        }
    if (out->facts.memory_clock_khz > 0) /* two transfers a clock */
        out->bandwidth = 2e3 * out->facts.memory_clock_khz * out->facts.memory_bits / 8;
}

/* ---- described */

static int not_understood(const char *part, size_t length, struct error *e)
{
    struct suggestion s = {.word = ""};
    char word[40];

    snprintf(word, sizeof word, "%.*s", (int)length, part);
    s.word = word;
    for (int i = 0; i < KNOWN; i++)
        suggest_offer(&s, known_gpus[i].word);
    return error_set(e, ERROR_USAGE,
                     "--gpu: '%s' is not understood%s%s%s: write a number of GPUs and their memory "
                     "or name, as 2x49GiB, 1x128GiB,unified, h200 or "
                     "24GiB,1008GB/s,165TFLOP/s",
                     word, s.best ? ", did you mean " : "", s.best ? s.best : "",
                     s.best ? "?" : "");
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

/* A positive number with a unit behind it: false where it is neither. */
static bool measure(const char *text, size_t length, const char *unit, double *out)
{
    size_t n = strlen(unit);
    char number[24], *end;

    if (length <= n || length - n >= sizeof number || strncasecmp(text + length - n, unit, n) != 0)
        return false;
    snprintf(number, sizeof number, "%.*s", (int)(length - n), text);
    for (const char *p = number; *p; p++)
        if (!isdigit((unsigned char)*p) && *p != '.')
            return false;
    *out = strtod(number, &end);
    return *end == '\0' && *out > 0 && isfinite(*out);
}

static bool read_memory(const char *text, size_t length, struct machine *m)
{
    double size;

    if (measure(text, length, "GiB", &size) || measure(text, length, "G", &size))
        size *= GIB;
    else if (measure(text, length, "GB", &size))
        size *= GB;
    else
        return false;
    if (size < GIB / 4 || size > 1e5 * GIB)
        return false;
    m->facts.memory = (size_t)size;
    return true;
}

/* The first part: "2x49GiB", "h200". */
static bool read_size(const char *text, size_t length, struct machine *m)
{
    size_t digits = strspn(text, "0123456789");

    m->gpus = 1;
    if (digits > 0 && digits <= 4 && digits + 1 < length && tolower(text[digits]) == 'x') {
        m->gpus = atoi(text);
        text += digits + 1;
        length -= digits + 1;
    }
    if (m->gpus < 1 || m->gpus > 1024)
        return false;
    for (int i = 0; i < KNOWN; i++)
        if (is_word(text, length, known_gpus[i].word)) {
            take_known(m, &known_gpus[i]);
            m->facts.memory = (size_t)(known_gpus[i].gib * GIB);
            return true;
        }
    return read_memory(text, length, m);
}

static bool read_more(const char *text, size_t length, struct machine *m)
{
    double value;

    if (is_word(text, length, "unified"))
        return m->facts.unified = true;
    if (measure(text, length, "GB/s", &value))
        m->bandwidth = value * GB;
    else if (measure(text, length, "TFLOP/s", &value) || measure(text, length, "TFLOPS", &value))
        m->bf16 = value * TERA;
    else
        return false;
    return true;
}

int machine_parse(const char *text, struct machine *out, struct error *e)
{
    struct machine m = {.link = LINK, .disk = DISK};
    size_t length = strcspn(text, ",");

    snprintf(m.facts.name, sizeof m.facts.name, "%s", text);
    if (!read_size(text, length, &m))
        return not_understood(text, length, e);
    for (text += length; *text; text += length) {
        text++;
        length = strcspn(text, ",");
        if (!read_more(text, length, &m))
            return not_understood(text, length, e);
    }
    *out = m;
    return 0;
}

/* ---- what models reach */

/* Parts of the sold figures that operations of models reached on an H200 on 2026-11-21, at its
 * power limit (bench/models --profile): products 692 of 989 TFLOP/s in BF16 and 1300 of 1979 in
 * FP8, attention 547; of heads of 64 numbers 445, in FP8 950 and 631
 * (kernels/README.md); copies 4.26 of 4.8 TB/s, of which row operations use some two thirds. */
struct dry_rates machine_rates(const struct machine *m)
{
    static const double products = 0.70, products8 = 0.66, attention = 0.55, narrow = 0.45,
                        attention8 = 0.48, narrow8 = 0.32, convolution = 0.50, moving = 0.6;
    static const double processor = 0.7; /* of what one large product reaches: denoiser and VAE */
    struct dry_rates r = {.bytes = m->bandwidth * moving, .link = m->link, .launch = 4e-6};

    if (m->bf16 <= 0 || m->bandwidth <= 0)
        return (struct dry_rates){0};
    for (int i = 0; m->gpus == 0 && i < DRY_CLASSES; i++)
        r.flops[i] = m->bf16 * processor;
    if (m->gpus == 0)
        return r;
    r.flops[DRY_PRODUCT] = m->bf16 * products;
    r.flops[DRY_PRODUCT8] = (m->fp8 > 0 ? m->fp8 : m->bf16) * products8;
    r.flops[DRY_ATTENTION] = m->bf16 * attention;
    r.flops[DRY_ATTENTION_64] = m->bf16 * narrow;
    r.flops[DRY_ATTENTION8] = (m->fp8 > 0 ? m->fp8 * attention8 : m->bf16 * attention);
    r.flops[DRY_ATTENTION8_64] = (m->fp8 > 0 ? m->fp8 * narrow8 : m->bf16 * narrow);
    r.flops[DRY_CONVOLUTION] = m->bf16 * convolution;
    return r;
}

/* A context, cuBLASLt and cuDNN with the kernels that they load, measured on an H200 with CUDA 13
 * and cuDNN 9.19: what was in use where models had what the dry device counted for them. */
size_t machine_base(const struct machine *m)
{
    return m->gpus > 0 ? (size_t)520 << 20 : 0;
}
