#include "kernels/machine/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/device_impl.h"
#include "kernels/machine/measure.h"
#include "kernels/machine/nvml.h"

static const double LEAST_MEMORY = 8e9; /* SDXL and SVD in 16 bits, with small tiles */

struct report {
    const struct report_options *o;
    struct machine machine;
    struct nvml_facts nvml; /* of the GPU in hand */
    char nvml_missing[200]; /* why it is empty; "" when it is not */
    int *counts;
};

const char *report_status_name(enum report_status s)
{
    return s == REPORT_PASS ? "PASS" : s == REPORT_FAIL ? "FAIL" : "SKIP";
}

static void tell(struct report *r, const struct report_row *row)
{
    r->counts[row->status]++;
    r->o->row(r->o->ctx, row);
}

static struct report_row row_of(const char *name, const char *title, int gpu)
{
    return (struct report_row){
        .name = name, .title = title, .gpu = gpu, .number = -1, .threshold = -1, .unit = ""};
}

__attribute__((format(printf, 2, 3))) static void note(struct report_row *row, const char *format,
                                                       ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(row->note, sizeof row->note, format, args);
    va_end(args);
}

/* ---- what it is */

/* A word, and what it should be. */
static void tell_word(struct report *r, const char *name, const char *title, int gpu,
                      const char *value, const char *wanted, bool good)
{
    struct report_row row = row_of(name, title, gpu);

    snprintf(row.value, sizeof row.value, "%s", value);
    snprintf(row.wanted, sizeof row.wanted, "%s", wanted);
    row.status = good ? REPORT_PASS : REPORT_FAIL;
    tell(r, &row);
}

static void set_number(struct report_row *row, double number, double threshold, double scale,
                       const char *unit)
{
    row->number = number / scale;
    row->threshold = threshold / scale;
    row->scale = scale;
    row->unit = unit;
    snprintf(row->value, sizeof row->value, "%.*f %s", row->number < 10, row->number, unit);
    if (threshold > 0)
        snprintf(row->wanted, sizeof row->wanted, ">= %.*f %s", row->threshold < 10, row->threshold,
                 unit);
    row->status = number >= threshold ? REPORT_PASS : REPORT_FAIL;
}

static void tell_memory(struct report *r, const char *name, const char *title, int gpu,
                        double bytes)
{
    struct report_row row = row_of(name, title, gpu);

    set_number(&row, bytes, LEAST_MEMORY, 1e9, "GB");
    note(&row, "what the smallest published tier takes");
    tell(r, &row);
}

static void tell_power(struct report *r, int gpu)
{
    struct report_row row = row_of("power", "power cap", gpu);

    set_number(&row, r->nvml.power_cap, 0.9 * r->nvml.power_default, 1, "W");
    note(&row, "90 %% of the %.0f W that it is sold with", r->nvml.power_default);
    if (r->nvml.power_cap <= 0) {
        row = row_of("power", "power cap", gpu);
        row.status = REPORT_SKIP;
        note(&row, "%s", r->nvml_missing[0] ? r->nvml_missing : "the driver does not tell it");
    }
    tell(r, &row);
}

static void tell_gpu(struct report *r, int gpu)
{
    const struct device_facts *g = &r->machine.gpu;
    char value[96], wanted[64];

    snprintf(value, sizeof value, "%.60s (sm_%d%d)", g->name, g->major, g->minor);
    tell_word(r, "gpu", "GPU", gpu, value, "sm_80 or newer", g->major >= 8);
    snprintf(value, sizeof value, "%.40s%sCUDA %d.%d", r->nvml.driver,
             r->nvml.driver[0] ? ", " : "", g->driver / 1000, g->driver / 10 % 100);
    snprintf(wanted, sizeof wanted, "CUDA %d or newer", g->runtime / 1000);
    tell_word(r, "driver", "driver", gpu, value, wanted, g->driver / 1000 >= g->runtime / 1000);
    tell_memory(r, "memory", "device memory", gpu, (double)g->memory);
    tell_word(r, "memory_kind", "kind of memory", gpu,
              g->unified ? "unified with the host's" : "discrete", "", true);
    snprintf(value, sizeof value, "%d.%02d.%02d", g->cudnn / 10000, g->cudnn / 100 % 100,
             g->cudnn % 100);
    tell_word(r, "cudnn", "cuDNN", gpu, g->cudnn ? value : "not used", "9.13.01 or newer",
              g->cudnn >= 91301);
    tell_power(r, gpu);
}

/* ---- what it reaches */

struct report_row report_figure(const struct machine *m, enum figure figure, int gpu,
                                double measured)
{
    struct limit limit = machine_limit(m, figure);
    struct report_row row = row_of(figure_name(figure), figure_title(figure), gpu);

    set_number(&row, measured, limit.value, figure_scale(figure), figure_unit(figure));
    note(&row, "%s", limit.basis);
    return row;
}

static struct report_row row_of_outcome(struct report *r, enum figure figure, int gpu, int rc,
                                        const struct measured *m, const struct error *e)
{
    struct report_row row = row_of(figure_name(figure), figure_title(figure), gpu);

    if (rc == 0) {
        row = report_figure(&r->machine, figure, gpu, m->value);
        if (m->note[0])
            note(&row, "%s; %s", machine_limit(&r->machine, figure).basis, m->note);
        return row;
    }
    row.status = rc > 0 ? REPORT_SKIP : REPORT_FAIL;
    note(&row, "%s", rc > 0 ? m->note : e->text);
    return row;
}

static int check_cancelled(const struct report *r, struct error *e)
{
    return r->o->cancelled && r->o->cancelled() ? error_set(e, ERROR_CANCELLED, "interrupted") : 0;
}

static int tell_figure(struct report *r, enum figure figure, int gpu, int peer, struct error *e)
{
    struct device_options device = r->o->device;
    struct measured m;
    struct error why = {0};
    struct report_row row;
    int rc;

    if (check_cancelled(r, e) != 0)
        return -1;
    device.index = gpu;
    if (figure == FIGURE_DISK)
        rc = measure_disk(r->o->models, r->o->scratch, r->o->disk_most, &m, &why);
    else if (figure > FIGURE_ALL_REDUCE)
        rc = measure_cpu(figure, device, &m, &why);
    else
        rc = measure_gpu(figure, device, peer, &m, &why);
    row = row_of_outcome(r, figure, gpu, rc, &m, &why);
    if (figure == FIGURE_PEER && rc >= 0) {
        char to[40];

        snprintf(to, sizeof to, "to GPU %d: ", peer);
        memmove(row.note + strlen(to), row.note, sizeof row.note - strlen(to));
        memcpy(row.note, to, strlen(to));
        row.note[sizeof row.note - 1] = '\0';
    }
    tell(r, &row);
    return 0;
}

/* ---- the parts of a machine */

static int report_host(struct report *r, struct error *e)
{
    size_t spare, all;
    char value[96];
    struct device *d;
    static const enum figure figures[] = {FIGURE_CPU_GEMM, FIGURE_CPU_COPY, FIGURE_DISK};

    if (device_open(&(struct device_options){.threads = r->o->device.threads}, &d, e) != 0)
        return -1;
    r->machine.threads = device_threads(d);
    r->machine.instructions = cpu_instruction_set();
    device_memory(d, &spare, &all);
    device_close(d);
    snprintf(value, sizeof value, "%s, %d %s", r->machine.instructions, r->machine.threads,
             r->machine.threads == 1 ? "thread" : "threads");
    tell_word(r, "cpu", "CPU", -1, value, "AVX2 or NEON",
              strcmp(r->machine.instructions, "SSE2") != 0);
    tell_memory(r, "host_memory", "host memory", -1, (double)all);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (tell_figure(r, figures[i], -1, 0, e) != 0)
            return -1;
    return 0;
}

/* Of the GPU of this index: 0; 1: it cannot be used, *e says why. */
static int look_at(struct report *r, int index, struct error *e)
{
    struct nvml *n;
    struct device *d;

    r->nvml = (struct nvml_facts){0};
    r->nvml_missing[0] = '\0';
    if (device_open(
            &(struct device_options){
                .kind = DEVICE_CUDA, .threads = 1, .activations = DTYPE_BF16, .index = index},
            &d, e) != 0)
        return 1;
    r->machine.gpu = *device_facts(d);
    device_close(d);
    n = nvml_open(r->machine.gpu.bus, r->nvml_missing, sizeof r->nvml_missing);
    if (n)
        nvml_facts(n, &r->nvml);
    nvml_close(n);
    r->machine.pcie_generation = r->nvml.pcie_generation;
    r->machine.pcie_width = r->nvml.pcie_width;
    return 0;
}

static int report_gpu(struct report *r, int index, struct error *e)
{
    tell_gpu(r, index);
    for (int f = 0; f <= FIGURE_GEMM_F8; f++)
        if (tell_figure(r, (enum figure)f, index, 0, e) != 0)
            return -1;
    if (r->machine.gpu.gpus < 2)
        return 0;
    return tell_figure(r, FIGURE_PEER, index, (index + 1) % r->machine.gpu.gpus, e);
}

static int report_gpus(struct report *r, struct error *e)
{
    int gpus = 1;

    for (int i = 0; i < gpus; i++) {
        struct error why = {0};

        if (look_at(r, i, &why) != 0) {
            struct report_row row = row_of("gpu", "GPU", i > 0 ? i : -1); /* the first: any */

            row.status = r->o->device.or_cpu && i == 0 ? REPORT_SKIP : REPORT_FAIL;
            snprintf(row.value, sizeof row.value, "none that can be used");
            note(&row, "%s", why.text);
            tell(r, &row);
            continue;
        }
        gpus = r->machine.gpu.gpus;
        if (report_gpu(r, i, e) != 0)
            return -1;
    }
    return gpus > 1 ? tell_figure(r, FIGURE_ALL_REDUCE, 0, 0, e) : 0;
}

int machine_report(const struct report_options *o, int counts[REPORT_STATES], struct error *e)
{
    struct report r = {.o = o, .counts = counts};

    memset(counts, 0, REPORT_STATES * sizeof *counts);
    if (report_host(&r, e) != 0)
        return -1;
    return o->device.kind == DEVICE_CUDA ? report_gpus(&r, e) : 0;
}
