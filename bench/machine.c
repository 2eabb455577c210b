/* What `auteur-pipe verify` measures, without the rest of the program: for machines where FFmpeg
 * and the other packages are not installed. Arguments: [cpu|cuda|auto] [MODELS]. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernels/machine/report.h"
#include "kernels/machine/sampler.h"

static void print(void *ctx, const struct report_row *row)
{
    (void)ctx;
    printf("%s  %-28s %2d %-36s %-20s %s\n", report_status_name(row->status), row->title, row->gpu,
           row->value, row->wanted, row->note);
    fflush(stdout);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What a sample of `run --monitor` costs, and the last of them. */
static void time_samples(const struct device_options *o)
{
    enum { SAMPLES = 40 };
    struct machine_sampler s;
    struct machine_sample last = {0};
    struct device *d;
    struct error e = {0};
    double start;

    if (device_open(o, &d, &e) != 0)
        return;
    s = machine_sampler_open(device_facts(d)->bus);
    start = now();
    for (int i = 0; i < SAMPLES; i++)
        s.take(s.ctx, &last);
    printf("a sample takes %.3f ms: %s%s, host %.0f MB, GPU %.0f MB, busy %.2f, memory busy %.2f, "
           "%.0f W\n",
           (now() - start) / SAMPLES * 1e3, s.device, s.missing, last.host_used / 1e6,
           last.device_used / 1e6, last.busy, last.memory_busy, last.watts);
    machine_sampler_close(&s);
    device_close(d);
}

int main(int argc, char **argv)
{
    const char *device = argc > 1 ? argv[1] : "auto";
    const struct report_options o = {
        .device = {.kind = strcmp(device, "cpu") == 0 ? DEVICE_CPU : DEVICE_CUDA,
                   .or_cpu = strcmp(device, "cuda") != 0},
        .models = argc > 2 ? argv[2] : "",
        .scratch = "/tmp",
        .disk_most = (size_t)512 << 20,
        .row = print};
    int counts[REPORT_STATES];
    struct error e = {0};

    time_samples(&o.device);
    if (machine_report(&o, counts, &e) != 0) {
        fprintf(stderr, "machine: %s\n", e.text);
        return 1;
    }
    printf("%d PASS, %d FAIL, %d SKIP\n", counts[REPORT_PASS], counts[REPORT_FAIL],
           counts[REPORT_SKIP]);
    return counts[REPORT_FAIL] ? 3 : 0;
}
