#include "kernels/machine/sampler.h"

#include <stdio.h>
#include <unistd.h>

#include "kernels/machine/nvml.h"

/* The second number of statm: resident pages. */
static double resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;
    double bytes = -1;

    if (!f)
        return -1;
    if (fscanf(f, "%*u %llu", &pages) == 1)
        bytes = (double)pages * (double)sysconf(_SC_PAGESIZE);
    fclose(f);
    return bytes;
}

static void take(void *ctx, struct machine_sample *out)
{
    struct nvml_sample gpu = {-1, -1, -1, -1, -1};

    if (ctx)
        nvml_sample(ctx, &gpu);
    *out = (struct machine_sample){.host_used = resident(),
                                   .device_used = gpu.memory_used,
                                   .busy = gpu.busy,
                                   .memory_busy = gpu.memory_busy,
                                   .watts = gpu.watts};
}

static void close_nvml(void *ctx)
{
    nvml_close(ctx);
}

struct machine_sampler machine_sampler_open(const char *bus)
{
    struct machine_sampler s = {.take = take, .close = close_nvml};
    struct nvml_facts facts;
    struct nvml_sample sample;

    if (!bus[0]) {
        snprintf(s.missing, sizeof s.missing, "no GPU is used");
        return s;
    }
    s.ctx = nvml_open(bus, s.missing, sizeof s.missing);
    if (!s.ctx)
        return s;
    nvml_facts(s.ctx, &facts);
    nvml_sample(s.ctx, &sample);
    snprintf(s.device, sizeof s.device, "%s", facts.name[0] ? facts.name : bus);
    s.device_total = sample.memory_total > 0 ? sample.memory_total : 0;
    return s;
}

void machine_sampler_close(struct machine_sampler *s)
{
    if (s->close)
        s->close(s->ctx);
    *s = (struct machine_sampler){0};
}
