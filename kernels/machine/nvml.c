#include "kernels/machine/nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As nvml.h has them; the functions' names carry the version of their arguments. */
typedef struct nvmlDevice_st *nvml_device;
enum { NVML_OK = 0 };
struct nvml_memory {
    unsigned long long total, free, used;
};
struct nvml_utilization {
    unsigned gpu, memory; /* per cent */
};

struct functions {
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_string)(int);
    int (*driver_version)(char *, unsigned);
    int (*by_index)(unsigned, nvml_device *);
    int (*by_bus)(const char *, nvml_device *);
    int (*name)(nvml_device, char *, unsigned);
    int (*memory)(nvml_device, struct nvml_memory *);
    int (*utilization)(nvml_device, struct nvml_utilization *);
    int (*power)(nvml_device, unsigned *);
    int (*power_limit)(nvml_device, unsigned *);
    int (*power_default)(nvml_device, unsigned *);
    int (*pcie_generation)(nvml_device, unsigned *);
    int (*pcie_width)(nvml_device, unsigned *);
};

struct nvml {
    void *library;
    struct functions call;
    nvml_device device;
};

/* All of them are as old as the oldest driver that CUDA 12 takes. */
static const struct {
    const char *name;
    size_t offset;
} symbols[] = {
    {"nvmlInit_v2", offsetof(struct functions, init)},
    {"nvmlShutdown", offsetof(struct functions, shutdown)},
    {"nvmlErrorString", offsetof(struct functions, error_string)},
    {"nvmlSystemGetDriverVersion", offsetof(struct functions, driver_version)},
    {"nvmlDeviceGetHandleByIndex_v2", offsetof(struct functions, by_index)},
    {"nvmlDeviceGetHandleByPciBusId_v2", offsetof(struct functions, by_bus)},
    {"nvmlDeviceGetName", offsetof(struct functions, name)},
    {"nvmlDeviceGetMemoryInfo", offsetof(struct functions, memory)},
    {"nvmlDeviceGetUtilizationRates", offsetof(struct functions, utilization)},
    {"nvmlDeviceGetPowerUsage", offsetof(struct functions, power)},
    {"nvmlDeviceGetEnforcedPowerLimit", offsetof(struct functions, power_limit)},
    {"nvmlDeviceGetPowerManagementDefaultLimit", offsetof(struct functions, power_default)},
    {"nvmlDeviceGetMaxPcieLinkGeneration", offsetof(struct functions, pcie_generation)},
    {"nvmlDeviceGetMaxPcieLinkWidth", offsetof(struct functions, pcie_width)},
};

static int load(struct nvml *n, char *why, size_t size)
{
    n->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!n->library) {
        snprintf(why, size, "no NVIDIA driver: %s", dlerror());
        return -1;
    }
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *found = dlsym(n->library, symbols[i].name);

        if (!found) {
            snprintf(why, size, "the driver's libnvidia-ml.so.1 has no %s", symbols[i].name);
            return -1;
        }
        memcpy((char *)&n->call + symbols[i].offset, &found, sizeof found);
    }
    return 0;
}

struct nvml *nvml_open(const char *bus, char *why, size_t size)
{
    struct nvml *n = calloc(1, sizeof *n);
    int status;

    if (!n) {
        snprintf(why, size, "out of memory");
        return NULL;
    }
    if (load(n, why, size) != 0)
        goto fail;
    status = n->call.init();
    if (status != NVML_OK) {
        snprintf(why, size, "the driver's management library: %s", n->call.error_string(status));
        goto fail;
    }
    status = bus[0] ? n->call.by_bus(bus, &n->device) : n->call.by_index(0, &n->device);
    if (status == NVML_OK)
        return n;
    snprintf(why, size, "the driver's management library: GPU %s: %s", bus[0] ? bus : "0",
             n->call.error_string(status));
    n->call.shutdown();
fail:
    if (n->library)
        dlclose(n->library);
    free(n);
    return NULL;
}

void nvml_close(struct nvml *n)
{
    if (!n)
        return;
    n->call.shutdown();
    dlclose(n->library);
    free(n);
}

/* What one of the functions tells, in units of `unit`; `none` where it tells nothing. */
static double figure(const struct nvml *n, int (*ask)(nvml_device, unsigned *), double unit,
                     double none)
{
    unsigned value = 0;

    return ask(n->device, &value) == NVML_OK ? value * unit : none;
}

void nvml_facts(const struct nvml *n, struct nvml_facts *out)
{
    *out = (struct nvml_facts){0};
    if (n->call.driver_version(out->driver, sizeof out->driver) != NVML_OK)
        out->driver[0] = '\0';
    if (n->call.name(n->device, out->name, sizeof out->name) != NVML_OK)
        out->name[0] = '\0';
    out->power_cap = figure(n, n->call.power_limit, 1e-3, 0);
    out->power_default = figure(n, n->call.power_default, 1e-3, 0);
    out->pcie_generation = (int)figure(n, n->call.pcie_generation, 1, 0);
    out->pcie_width = (int)figure(n, n->call.pcie_width, 1, 0);
}

void nvml_sample(const struct nvml *n, struct nvml_sample *out)
{
    struct nvml_memory memory;
    struct nvml_utilization busy;

    *out = (struct nvml_sample){-1, -1, -1, -1, -1};
    if (n->call.memory(n->device, &memory) == NVML_OK) {
        out->memory_used = (double)memory.used;
        out->memory_total = (double)memory.total;
    }
    if (n->call.utilization(n->device, &busy) == NVML_OK) {
        out->busy = busy.gpu / 100.0;
        out->memory_busy = busy.memory / 100.0;
    }
    out->watts = figure(n, n->call.power, 1e-3, -1);
}
