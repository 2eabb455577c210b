#include "stages/parity/parity.h"

#include <string.h>

#include "stages/parity/families.h"

static const struct {
    const char *name;
    int (*run)(struct parity *p, struct error *e);
} families[] = {
    {"wan", parity_wan},
    {"hunyuan_video", parity_hunyuan_video},
    {"cogvideox", parity_cogvideox},
    {"sdxl", parity_sdxl},
    {"svd", parity_svd},
};

static int run_family(struct parity *p, struct error *e)
{
    const char *family = NULL;

    if (!json_object_get(p->golden.json, "family") && parity_is_schedulers(&p->golden))
        return parity_schedulers(p, e);
    if (json_get_string(p->golden.json, p->golden.path, "family", &family, e))
        return -1;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i].name, family) == 0)
            return families[i].run(p, e);
    return error_set(e, ERROR_MODEL, "%s: the family %.40s cannot be run yet (wan can)",
                     p->golden.path, family);
}

static int run_golden(struct parity *p, const char *name, struct error *e)
{
    int rc = golden_open(p->dir, name, &p->golden, e);

    p->report.reference = NULL;
    if (rc == 0 && device_kind(p->device) == DEVICE_CUDA) /* on a CPU nothing is rounded */
        p->report.reference =
            json_object_get(p->golden.errors, dtype_name(device_activations(p->device)));
    if (rc == 0)
        rc = run_family(p, e);
    golden_close(&p->golden);
    return rc;
}

static int run_all(struct parity *p, struct error *e)
{
    struct arena a = {0};
    const char **names;
    int count, rc = golden_list(p->dir, &a, &names, &count, e);

    if (rc == 0 && count == 0)
        rc = error_set(e, ERROR_USAGE,
                       "%s has no golden.json: parity wants the directory of a checkpoint with the "
                       "golden tensors that were recorded from it (golden.json, "
                       "golden.safetensors)",
                       p->dir);
    for (int i = 0; rc == 0 && i < count; i++) {
        if (count > 1)
            fprintf(p->report.out, "%s%s\n", i ? "\n" : "", names[i]);
        rc = run_golden(p, names[i], e);
    }
    arena_free(&a);
    return rc;
}

int parity_run(const struct parity_options *options, FILE *out, struct error *e)
{
    struct parity p = {.dir = options->dir, .report = {.out = out}};
    bool named = options->golden && *options->golden;
    int rc;

    if (device_open(&options->device, &p.device, e))
        return -1;
    p.report.tolerance = parity_tolerances(device_kind(p.device), device_activations(p.device));
    rc = named ? run_golden(&p, options->golden, e) : run_all(&p, e);
    if (rc == 0 && p.report.failures)
        rc = error_set(e, ERROR_MODEL, "%s: %d of %d checks failed, the first is %s", options->dir,
                       p.report.failures, p.report.checks, p.report.first);
    device_close(p.device);
    return rc;
}
