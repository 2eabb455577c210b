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

int parity_run(const struct parity_options *options, FILE *out, struct error *e)
{
    struct parity p = {.dir = options->dir, .report = {.out = out}};
    int rc = -1;

    if (device_open(&options->device, &p.device, e))
        return -1;
    p.report.tolerance = parity_tolerances(device_kind(p.device), device_activations(p.device));
    if (golden_open(options->dir, options->golden, &p.golden, e))
        goto done;
    if (device_kind(p.device) == DEVICE_CUDA) /* on a CPU nothing is rounded */
        p.report.reference =
            json_object_get(p.golden.errors, dtype_name(device_activations(p.device)));
    if (run_family(&p, e))
        goto done;
    if (p.report.failures)
        error_set(e, ERROR_MODEL, "%s: %d of %d checks failed, the first is %s", options->dir,
                  p.report.failures, p.report.checks, p.report.first);
    else
        rc = 0;
done:
    golden_close(&p.golden);
    device_close(p.device);
    return rc;
}
