#include "kernels/machine/limits.h"

#include <stdio.h>
#include <string.h>

/* share: of the nominal figure, what a sound machine reaches at the least. Measured on an H200:
 * copies 0.89, GEMM 0.71 to 0.82 (fp8 0.69 to 0.77), attention 0.58, convolutions 0.62 to 0.79 of
 * nominal; half to three quarters of that still is a sound one in a warm case. */
static const struct {
    const char *name, *title, *unit;
    double scale, share;
} figures[FIGURES] = {
    [FIGURE_COPY] = {"copy", "copy on the device", "GB/s", 1e9, 0.7},
    [FIGURE_UPLOAD] = {"upload", "copy from pinned host memory", "GB/s", 1e9, 0.6},
    [FIGURE_DOWNLOAD] = {"download", "copy to pinned host memory", "GB/s", 1e9, 0.6},
    [FIGURE_GEMM_F16] = {"gemm_f16", "GEMM fp16", "TFLOP/s", 1e12, 0.55},
    [FIGURE_GEMM_BF16] = {"gemm_bf16", "GEMM bf16", "TFLOP/s", 1e12, 0.55},
    [FIGURE_GEMM_F8] = {"gemm_f8", "GEMM fp8", "TFLOP/s", 1e12, 0.45},
    [FIGURE_ATTENTION] = {"attention", "attention bf16", "TFLOP/s", 1e12, 0.35},
    [FIGURE_CONV] = {"conv", "convolution 3x3x3 bf16", "TFLOP/s", 1e12, 0.4},
    [FIGURE_PEER] = {"peer", "copy to another GPU", "GB/s", 1e9, 0.6},
    [FIGURE_ALL_REDUCE] = {"all_reduce", "NCCL all-reduce", "GB/s", 1e9, 0.5},
    [FIGURE_CPU_GEMM] = {"cpu_gemm", "CPU GEMM fp32", "GFLOP/s", 1e9, 1},
    [FIGURE_CPU_COPY] = {"cpu_copy", "CPU memory copy", "GB/s", 1e9, 1},
    [FIGURE_DISK] = {"disk", "disk, read in sequence", "MB/s", 1e6, 1},
};

/* Chips by the beginning of what follows "NVIDIA " in their name, the longer first. GB/s of memory
 * and between GPUs (one way; 0: by PCIe, NVLink bridges being an extra), TFLOP/s dense in 16 bits
 * with sums in F32; fp8 is twice that. From NVIDIA's data sheets and its RTX Blackwell white paper.
 * GB10's are no nominal figures: what people who own one check for, whatever they measure. */
static const struct chip {
    const char *name;
    double memory, compute, peer;
    bool floor; /* the figures are the limits themselves */
} chips[] = {
    {"H200 NVL", 4800, 836, 0, false},
    {"H200", 4800, 989, 450, false},
    {"GH200", 4000, 989, 0, false},
    {"H100 PCIe", 2000, 756, 0, false},
    {"H100 NVL", 3900, 835, 0, false},
    {"H100", 3350, 989, 450, false},
    {"GB10", 80, 10, 0, true},
    {"GeForce RTX 5090", 1792, 209.5, 0, false},
    {"GeForce RTX 5080", 960, 112.6, 0, false},
    {"GeForce RTX 5070 Ti", 896, 87.9, 0, false},
    {"GeForce RTX 5070", 672, 61.7, 0, false},
    {"GeForce RTX 5060 Ti", 448, 47.4, 0, false},
    {"GeForce RTX 5060", 448, 38.4, 0, false},
};

static const struct chip *chip_of(const char *name)
{
    if (strncmp(name, "NVIDIA ", 7) == 0)
        name += 7;
    if (strstr(name, "Laptop")) /* other chips under the same names, at many clocks */
        return NULL;
    for (size_t i = 0; i < sizeof chips / sizeof *chips; i++)
        if (strncmp(name, chips[i].name, strlen(chips[i].name)) == 0)
            return &chips[i];
    return NULL;
}

/* Dense products in 16 bits of one processor in one clock, additions and multiplications: NVIDIA's
 * architecture white papers. Consumer chips do half of it with sums in F32; that is what counts. */
static double flops_a_clock(const struct device_facts *gpu)
{
    switch (gpu->major) {
    case 8:
        return gpu->minor == 0 ? 2048 : 512;
    case 9:
        return 4096;
    case 10:
    case 11:
        return 8192;
    default:
        return 512; /* 12, and what is not known yet */
    }
}

/* Bytes a second of a PCIe link one way, after its line code. */
static double pcie_rate(int generation, int width)
{
    static const double lane[] = {0, 0.25e9, 0.5e9, 0.985e9, 1.969e9, 3.938e9, 7.563e9};

    if (generation < 1 || width < 1)
        return 0;
    return lane[generation > 6 ? 6 : generation] * width;
}

static bool is_product(enum figure f)
{
    return f >= FIGURE_GEMM_F16 && f <= FIGURE_GEMM_F8;
}

/* A share of what is nominal. */
static struct limit share(enum figure f, double nominal, const char *whose)
{
    struct limit l = {.value = nominal * figures[f].share};

    snprintf(l.basis, sizeof l.basis, "%s: %.0f %% of %.0f %s", whose, 100 * figures[f].share,
             nominal / figures[f].scale, figures[f].unit);
    return l;
}

static struct limit link_limit(const struct machine *m, enum figure f, const struct chip *chip)
{
    double nominal = pcie_rate(m->pcie_generation, m->pcie_width);
    char whose[40];

    if (chip && chip->peer > 0 && (f == FIGURE_PEER || f == FIGURE_ALL_REDUCE))
        return share(f, 1e9 * chip->peer, chip->name);
    snprintf(whose, sizeof whose, "PCIe %d.0 x%d", m->pcie_generation, m->pcie_width);
    return nominal > 0 ? share(f, nominal, whose) : (struct limit){.basis = "its link is not told"};
}

static struct limit gpu_limit(const struct machine *m, enum figure f)
{
    const struct device_facts *g = &m->gpu;
    const struct chip *chip = chip_of(g->name);
    double rate = f == FIGURE_GEMM_F8 ? 2 : 1;
    double memory = 2e3 * g->memory_clock_khz * g->memory_bits / 8;
    double compute = 1e3 * g->clock_khz * g->processors * flops_a_clock(g) * rate;
    struct limit l = {0};

    if (chip && chip->floor && f != FIGURE_PEER && f != FIGURE_ALL_REDUCE) {
        l.value = is_product(f) ? 1e12 * chip->compute : 1e9 * chip->memory;
        snprintf(l.basis, sizeof l.basis, "%s", chip->name);
        return l;
    }
    if (is_product(f) && chip && chip->compute > 0)
        return share(f, 1e12 * chip->compute * rate, chip->name);
    if (is_product(f))
        return share(f, compute, "clock x processors x width");
    if (f == FIGURE_COPY)
        return chip ? share(f, 1e9 * chip->memory, chip->name)
                    : share(f, memory, "memory clock x width of the bus");
    return link_limit(m, f, chip);
}

/* What holds no machine up that is whole: a processor of ten years ago, a hard disk of today. */
static struct limit host_limit(const struct machine *m, enum figure f)
{
    bool wide = strncmp(m->instructions, "AVX", 3) == 0;
    struct limit l = {0};

    if (f == FIGURE_CPU_GEMM) {
        l.value = (wide ? 10e9 : 2e9) * m->threads;
        snprintf(l.basis, sizeof l.basis, "%d GFLOP/s a thread with %s", wide ? 10 : 2,
                 m->instructions);
    } else if (f == FIGURE_CPU_COPY) {
        l.value = 4e9;
        snprintf(l.basis, sizeof l.basis, "one channel of memory, shared");
    } else {
        l.value = 100e6;
        snprintf(l.basis, sizeof l.basis, "26 GB of weights in under five minutes");
    }
    return l;
}

struct limit machine_limit(const struct machine *m, enum figure f)
{
    return f >= FIGURE_CPU_GEMM ? host_limit(m, f) : gpu_limit(m, f);
}

const char *figure_missing(const struct device_facts *gpu, enum figure f)
{
    bool fp8 = gpu->major > 8 || (gpu->major == 8 && gpu->minor == 9);

    if (f == FIGURE_GEMM_F8 && !fp8)
        return "this architecture has no fp8 units (sm_89 and newer have)";
    return NULL;
}

const char *figure_name(enum figure f)
{
    return figures[f].name;
}

const char *figure_title(enum figure f)
{
    return figures[f].title;
}

double figure_scale(enum figure f)
{
    return figures[f].scale;
}

const char *figure_unit(enum figure f)
{
    return figures[f].unit;
}
