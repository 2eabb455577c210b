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
 * FP8). Memory as the driver tells it. A title that begins like another stands before it. */
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
    {"5070ti", "RTX 5070 Ti", 12, 0, 15.5, false, 87.9, 176, 896},
    {"5070", "RTX 5070", 12, 0, 11.5, false, 61.7, 123, 672},
    {"5060ti", "RTX 5060 Ti", 12, 0, 15.5, false, 47.4, 94.8, 448},
    {"4090", "RTX 4090", 8, 9, 23.5, false, 165, 330, 1008},
    {"3090", "RTX 3090", 8, 6, 23.6, false, 71, 0, 936},
};
enum { KNOWN = sizeof known_gpus / sizeof *known_gpus };

const char *machine_word(int index)
{
    return index >= 0 && index < KNOWN ? known_gpus[index].word : NULL;
}

/* In what the driver calls a GPU. Laptops have other chips under the same names. */
static const struct known *known_by_title(const char *name)
{
    for (int i = 0; i < KNOWN && !strcasestr(name, "laptop"); i++) {
        const char *at = strcasestr(name, known_gpus[i].title);
        if (at && (at == name || !isalnum((unsigned char)at[-1])) && /* a GH200 is no H200 */
            !isalnum((unsigned char)at[strlen(known_gpus[i].title)]))
            return &known_gpus[i];
    }
    return NULL;
}

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
        out->threads = device_threads(d);
        out->bf16 = measure_processor(d);
        out->bandwidth = PROCESSOR_BYTES;
        return;
    }
    const struct known *known = known_by_title(out->facts.name);
    struct device_facts facts = out->facts;
    if (known)
        take_known(out, known);
    out->facts = facts; /* what it says of itself counts */
    device_memory(d, &free_bytes, &total);
    /* Of one memory, what files are cached in counts as taken, and is given back. */
    if (!facts.unified && total > free_bytes + machine_base(out))
        out->taken = (double)(total - free_bytes - machine_base(out));
    if (out->facts.memory_clock_khz > 0) /* two transfers a clock */
        out->bandwidth = 2e3 * out->facts.memory_clock_khz * out->facts.memory_bits / 8;
}

/* ---- described */

/* One word of the description: as it was written, and in small letters without what people write
 * or leave out (blanks, "NVIDIA GeForce RTX"). */
struct part {
    char written[80], text[80];
};

static void leave_out(char *text, const char *word)
{
    char *at = strstr(text, word);
    if (at)
        memmove(at, at + strlen(word), strlen(at + strlen(word)) + 1);
}

/* The next part; false: it is the last. */
static bool next_part(const char **text, struct part *out)
{
    size_t length = strcspn(*text, ","), n = 0;

    snprintf(out->written, sizeof out->written, "%.*s", (int)length, *text);
    for (const char *c = out->written; *c; c++)
        if (!isspace((unsigned char)*c) && *c != '-' && *c != '_')
            out->text[n++] = (char)tolower((unsigned char)*c);
        else if (*c == '-' && (n == 0 || out->text[n - 1] == '='))
            out->text[n++] = *c; /* no number is negative */
    out->text[n] = '\0';
    leave_out(out->text, "nvidia");
    leave_out(out->text, "geforce");
    leave_out(out->text, "rtx");
    *text += length;
    return *(*text) == ',' && ++*text;
}

/* " (did you mean 5060ti?)", or "". */
static void meant_text(char text[48], const char *word)
{
    struct suggestion s = {.word = word};
    size_t begun = strlen(word);

    for (int i = 0; i < KNOWN; i++)
        suggest_offer(&s, known_gpus[i].word);
    for (int i = 0; i < KNOWN && begun > 1; i++)
        if (strncmp(known_gpus[i].word, word, begun) == 0)
            s.best = known_gpus[i].word;
    snprintf(text, 48, "%s%s%s", s.best ? " (did you mean " : "", s.best ? s.best : "",
             s.best ? "?)" : "");
}

static int unknown_gpu(const struct part *p, const char *word, struct error *e)
{
    char names[16 * KNOWN] = "", meant[48];

    meant_text(meant, word);
    for (int i = 0; i < KNOWN; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "",
                 known_gpus[i].word);
    return error_set(e, ERROR_USAGE,
                     "--gpu: '%s' is no GPU that is known here%s: write its memory, as 16GiB or "
                     "2x49GiB (1x128GiB,unified), for times also its bandwidth and speed, as "
                     "24GiB,1008GB/s,165TFLOP/s, or one of %s",
                     p->written, meant, names);
}

/* A positive number with a unit behind it: false where it is neither. */
static bool measure(const char *text, const char *unit, double *out)
{
    size_t n = strlen(unit), length = strlen(text), digits = strspn(text, "0123456789.");
    char *end;

    if (digits == 0 || length != digits + n || strcmp(text + digits, unit) != 0)
        return false;
    *out = strtod(text, &end);
    return end == text + digits && isfinite(*out);
}

/* Bytes of memory. false: it is none; an error is in *e where there is none such. */
static bool read_memory(const struct part *p, const char *text, const char *whose, size_t *out,
                        struct error *e)
{
    double size;

    if (measure(text, "gib", &size) || measure(text, "g", &size))
        size *= GIB;
    else if (measure(text, "mib", &size)) /* as nvidia-smi has it */
        size *= GIB / 1024;
    else if (measure(text, "tib", &size))
        size *= GIB * 1024;
    else if (measure(text, "gb", &size))
        size *= GB;
    else if (measure(text, "mb", &size))
        size *= GB / 1000;
    else if (measure(text, "tb", &size))
        size *= GB * 1000;
    else
        return false;
    if (size < GIB / 4 || size > 4096 * GIB)
        error_set(e, ERROR_USAGE, "--gpu: '%s' is no %s's memory: write from 0.25GiB to 4096GiB",
                  p->written, whose);
    *out = e->code == ERROR_NONE ? (size_t)size : 0;
    return true;
}

/* What drivers write behind a name: the board's form, its memory's kind, and how much it is, which
 * must be what the GPU is known by. */
static bool is_same(const struct known *k, const char *more)
{
    static const char *const forms[] = {"pcie",  "sxm2",  "sxm3", "sxm4", "sxm5",      "sxm",
                                        "hbm2e", "hbm3e", "hbm3", "hbm2", "generation"};
    size_t digits = strspn(more, "0123456789");

    if (!*more)
        return true;
    if (digits > 0 && digits < 5 && strncmp(more + digits, "gb", 2) == 0)
        return fabs(atof(more) / k->gib - 1) < 0.1 && is_same(k, more + digits + 2);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strncmp(more, forms[i], strlen(forms[i])) == 0)
            return is_same(k, more + strlen(forms[i]));
    return false;
}

static const struct known *known_by_word(const char *text)
{
    if (strcmp(text, "spark") == 0 || strcmp(text, "dgxspark") == 0)
        text = "gb10";
    for (int i = 0; i < KNOWN; i++) {
        char word[24];
        snprintf(word, sizeof word, "%s", known_gpus[i].word);
        leave_out(word, "rtx");
        if (strncmp(text, word, strlen(word)) == 0 && is_same(&known_gpus[i], text + strlen(word)))
            return &known_gpus[i];
    }
    return NULL;
}

static int read_which(const struct part *p, const char *text, struct machine *m, struct error *e)
{
    const struct known *known;

    if (read_memory(p, text, "GPU", &m->facts.memory, e))
        return e->code == ERROR_NONE ? 0 : -1;
    known = known_by_word(text);
    if (!known)
        return unknown_gpu(p, text, e);
    take_known(m, known);
    m->facts.memory = (size_t)(known->gib * GIB);
    return 0;
}

/* The first part: "2x49GiB", "h200". */
static int read_first(const struct part *p, struct machine *m, struct error *e)
{
    size_t digits = strspn(p->text, "0123456789");
    const char *text = p->text;

    m->gpus = 1;
    if (digits > 0 && text[digits] == 'x') {
        m->gpus = digits > 4 ? 0 : atoi(text);
        text += digits + 1;
    }
    if (m->gpus < 1 || m->gpus > 1024)
        return error_set(e, ERROR_USAGE,
                         "--gpu: '%s' is no number of GPUs: write 1 to 1024, as 2x49GiB",
                         p->written);
    if (!*text)
        return error_set(e, ERROR_USAGE,
                         "--gpu: '%s' does not say which GPU: write its memory or name, as "
                         "2x49GiB or 2xh200",
                         p->written);
    if (strspn(p->written, "0123456789. xX") == strlen(p->written) && !known_by_word(text) &&
        atof(text) > 0 && atof(text) <= 1024) {
        char meant[48];
        meant_text(meant, text);
        return error_set(e, ERROR_USAGE,
                         "--gpu: '%s' has no unit and is no GPU that is known here%s: write its "
                         "memory, as %sGiB",
                         p->written, meant, text);
    }
    return read_which(p, text, m, e);
}

/* "host=64GiB" */
static int read_host(const struct part *p, struct machine *m, struct error *e)
{
    if (!read_memory(p, p->text + 5, "host", &m->host, e))
        return error_set(e, ERROR_USAGE,
                         "--gpu: '%s' is not understood: the host's memory is written host=64GiB",
                         p->written);
    return m->host ? 0 : -1;
}

/* What a part says. */
enum { SAYS_UNIFIED = 1, SAYS_HOST = 2, SAYS_MEMORY = 4, SAYS_BANDWIDTH = 8, SAYS_SPEED = 16 };

/* Returns which of them it was; -1 with *e. */
static int read_more(const struct part *p, struct machine *m, struct error *e)
{
    double value = 0;

    if (strcmp(p->text, "unified") == 0) {
        if (m->facts.major > 0 && !m->facts.unified)
            return error_set(e, ERROR_USAGE,
                             "--gpu: 'unified' is not so: such a GPU has memory of its own");
        m->facts.unified = true;
        return SAYS_UNIFIED;
    }
    if (strncmp(p->text, "host=", 5) == 0)
        return read_host(p, m, e) == 0 ? SAYS_HOST : -1;
    if (read_memory(p, p->text, "GPU", &m->facts.memory, e))
        return e->code == ERROR_NONE ? SAYS_MEMORY : -1;
    if (measure(p->text, "gb/s", &value) && value > 0 && value <= 1e6) {
        m->bandwidth = value * GB;
        return SAYS_BANDWIDTH;
    }
    if ((measure(p->text, "tflop/s", &value) || measure(p->text, "tflops", &value)) && value > 0 &&
        value <= 1e6) {
        m->bf16 = value * TERA;
        return SAYS_SPEED;
    }
    return error_set(e, ERROR_USAGE,
                     "--gpu: '%s' is not understood: after the GPU may stand unified, its "
                     "memory (94GiB), bandwidth (1008GB/s), speed (165TFLOP/s) and the "
                     "host's memory (host=64GiB)",
                     p->written);
}

static int said_twice(const struct part *p, int what, struct error *e)
{
    if (what == SAYS_MEMORY)
        return error_set(e, ERROR_USAGE,
                         "--gpu: '%s' is memory, which stands before it already: bandwidth is "
                         "written 1008GB/s, the host's memory host=64GiB",
                         p->written);
    return error_set(e, ERROR_USAGE,
                     "--gpu: '%s' says again what stands before it already: write it once",
                     p->written);
}

/* What stands after the GPU, in any order. */
static int read_rest(const char *text, struct machine *m, struct error *e)
{
    int said = m->facts.major == 0 ? SAYS_MEMORY : 0; /* it has no name */
    bool more = true;

    while (more) {
        struct part part;
        int what;

        more = next_part(&text, &part);
        what = read_more(&part, m, e);
        if (what < 0)
            return -1;
        if (said & what)
            return said_twice(&part, what, e);
        said |= what;
    }
    if (m->facts.unified && m->host > 0)
        return error_set(e, ERROR_USAGE,
                         "--gpu: 'host=' is too much: with unified memory the host has none of its "
                         "own; the GPU's may be written, as gb10,64GiB or 128GiB,unified");
    return 0;
}

int machine_parse(const char *text, struct machine *out, struct error *e)
{
    struct machine m = {.link = LINK, .disk = DISK};
    struct part part;
    bool more;

    snprintf(m.facts.name, sizeof m.facts.name, "%s", text);
    if (strlen(text) >= sizeof part.written)
        return error_set(e, ERROR_USAGE,
                         "--gpu: '%.20s...' is too long: write a number of GPUs and their memory "
                         "or name, as 2x49GiB or h200",
                         text);
    more = next_part(&text, &part);
    if (read_first(&part, &m, e) != 0 || (more && read_rest(text, &m, e) != 0))
        return -1;
    *out = m;
    return 0;
}

double machine_room(const struct machine *m)
{
    return (double)m->facts.memory - m->taken;
}

/* ---- what models reach: here a measurement corrects what forecasts say of time */

/* Parts of what a GPU is sold with that operations of models reach. A row is corrected by what
 * bench/models --profile says of its kernels, at the power limit; bench/models itself says how far
 * a whole step then is off. */
static const struct reached {
    enum dry_class class;
    bool fp8; /* of what it is sold with in FP8, where it has that; else in BF16 */
    double part;
} reached[] = {
    /* H200 (989, 1979 TFLOP/s), 2026-11-21, bench/models --profile */
    {DRY_PRODUCT, false, 0.70},      /* 692 TFLOP/s */
    {DRY_PRODUCT8, true, 0.66},      /* 1300 */
    {DRY_ATTENTION, false, 0.55},    /* 547 */
    {DRY_ATTENTION_64, false, 0.45}, /* 445 */
    /* the same day, check_ops (kernels/README.md) */
    {DRY_ATTENTION8, true, 0.48},    /* 950 */
    {DRY_ATTENTION8_64, true, 0.32}, /* 631 */
    /* the same day: so that whole decodes take what was measured (bench/README.md); single
     * convolutions reach 600 to 700 */
    {DRY_CONVOLUTION, false, 0.50},
};
/* Of its bandwidth: copies 4.26 of 4.8 TB/s there, of which row operations use some two thirds. */
static const double MOVING = 0.6;
/* Seconds between two short kernels: not measured. */
static const double LAUNCH = 4e-6;
/* Of what one large product reaches on a processor: previs' denoiser 0.71 and 0.76, its VAE
 * 0.69 and 0.79, in two runs (bench/engine, EPYC Zen 5, 2026-11-21). */
static const double PROCESSOR = 0.7;

struct dry_rates machine_rates(const struct machine *m)
{
    struct dry_rates r = {.bytes = m->bandwidth * MOVING, .link = m->link, .launch = LAUNCH};

    if (m->bf16 <= 0 || m->bandwidth <= 0)
        return (struct dry_rates){0};
    for (int i = 0; m->gpus == 0 && i < DRY_CLASSES; i++)
        r.flops[i] = m->bf16 * PROCESSOR;
    for (size_t i = 0; m->gpus > 0 && i < sizeof reached / sizeof *reached; i++)
        r.flops[reached[i].class] =
            reached[i].part * (reached[i].fp8 && m->fp8 > 0 ? m->fp8 : m->bf16);
    return r;
}

struct dry_run machine_ledger(const struct machine *m)
{
    struct dry_run run = {.rates = machine_rates(m),
                          .facts = m->facts,
                          .threads = m->gpus > 0 ? 0 : m->threads,
                          .base = machine_base(m)};

    run.facts.memory = (size_t)machine_room(m);
    return run;
}

/* A context, cuBLASLt and cuDNN with the kernels that they load, measured on an H200 with CUDA 13
 * and cuDNN 9.19: what was in use where models had what the dry device counted for them. On a
 * processor: what a run had resident before its first model, 42 MiB, 2026-11-22, Debian 12. */
size_t machine_base(const struct machine *m)
{
    return (size_t)(m->gpus > 0 ? 520 : 46) << 20;
}
