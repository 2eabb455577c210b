#include "stages/parity/parity.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
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
    return error_set(e, ERROR_MODEL, "%s: the family %.40s is not known", p->golden.path, family);
}

/* One golden, and what came of it. */
struct job {
    struct job *next;
    const char *dir, *golden; /* golden: as in parity_options */
    char name[64];            /* as the table has it */
    struct report report;     /* its out closed when it has run */
    bool ran;
    struct error why; /* where it did not hold, or did not run */
};

/* ---- which goldens there are */

struct plan {
    struct arena arena;
    struct job *first, **end;
    int count;
};

/* The folder's own name, and the golden's where it has one: "sdxl euler_karras". */
static void name_job(struct job *job)
{
    const char *start = job->dir, *end = start + strlen(start), *golden = job->golden;
    size_t n;

    while (end > start + 1 && end[-1] == '/')
        end--;
    for (const char *c = start; c < end; c++)
        if (*c == '/' && c + 1 < end)
            start = c + 1;
    n = (size_t)(end - start);
    snprintf(job->name, sizeof job->name, "%.*s", (int)(n < 40 ? n : 40), start);
    n = strlen(golden);
    if (strncmp(golden, "golden.", 7) == 0 && n > 12) /* golden.NAME.json */
        snprintf(job->name + strlen(job->name), sizeof job->name - strlen(job->name), " %.*s",
                 (int)(n - 12), golden + 7);
}

static int add_job(struct plan *plan, const char *dir, const char *golden, struct error *e)
{
    struct job *job = arena_array(&plan->arena, 1, sizeof *job);

    if (!job)
        return error_memory(e);
    *job = (struct job){.dir = dir, .golden = golden};
    name_job(job);
    *plan->end = job;
    plan->end = &job->next;
    plan->count++;
    return 0;
}

/* Every golden of a checkpoint's directory; there may be none. */
static int add_goldens(struct plan *plan, const char *dir, struct error *e)
{
    const char **names;
    int count;

    if (golden_list(dir, &plan->arena, &names, &count, e))
        return -1;
    for (int i = 0; i < count; i++)
        if (add_job(plan, dir, names[i], e))
            return -1;
    return 0;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int add_folder(struct plan *plan, const char *dir, struct error *e)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, not_hidden, alphasort), rc = 0;

    for (int i = 0; i < count; i++) {
        const char *path = rc ? NULL : path_join(&plan->arena, dir, entries[i]->d_name);
        if (rc == 0)
            rc = path ? add_goldens(plan, path, e) : error_memory(e);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return rc;
}

static int add_dir(struct plan *plan, const char *dir, const char *golden, struct error *e)
{
    int before = plan->count;

    if (golden && *golden)
        return add_job(plan, dir, golden, e);
    if (add_goldens(plan, dir, e) || (plan->count == before && add_folder(plan, dir, e)))
        return -1;
    if (plan->count == before)
        return error_set(e, ERROR_USAGE,
                         "%s has no golden.json: parity wants the directory of a checkpoint with "
                         "the golden tensors that were recorded from it (golden.json, "
                         "golden.safetensors), or a folder of such directories",
                         dir);
    return 0;
}

/* ---- running them */

static int run_golden(struct parity *p, const char *name, struct error *e)
{
    int rc = golden_open(p->dir, name, &p->golden, e);
    const char *family = json_string_value(json_object_get(p->golden.json, "family"));

    parity_tolerances(device_kind(p->device), device_activations(p->device),
                      device_linears(p->device), family ? family : "", p->report.tolerance);
    /* On a CPU nothing is rounded, and the reference computes nothing in FP8. */
    if (rc == 0 && device_kind(p->device) == DEVICE_CUDA &&
        device_linears(p->device) != DTYPE_F8_E4M3)
        p->report.reference =
            json_object_get(p->golden.errors, dtype_name(device_activations(p->device)));
    if (rc == 0)
        rc = run_family(p, e);
    if (rc == 0 && p->report.checks == 0)
        rc = error_set(e, ERROR_MODEL, "%s holds nothing that can be compared", p->golden.path);
    golden_close(&p->golden);
    p->report.reference = NULL;
    return rc;
}

static void run_job(struct job *job, struct device *d, FILE *out)
{
    struct parity p = {.dir = job->dir, .device = d, .report = {.out = out}};

    job->ran = run_golden(&p, job->golden, &job->why) == 0;
    job->report = p.report;
    if (job->ran && p.report.failures)
        error_set(&job->why, ERROR_MODEL, "%s: %d of %d checks failed, the first is %s", job->dir,
                  p.report.failures, p.report.checks, p.report.first);
}

/* Over some classes; samplers alone have none of them. */
static void print_worst(const struct report *r, int first, int last, FILE *out)
{
    double worst = 0;

    for (int i = first; i <= last; i++)
        worst = isnan(r->worst[i]) || r->worst[i] > worst ? r->worst[i] : worst;
    if (worst == 0)
        fprintf(out, " %12s", "-");
    else
        fprintf(out, " %12.2e", worst);
}

static void print_row(const struct job *job, FILE *out)
{
    const struct report *r = &job->report;

    fprintf(out, "%-28s", job->name);
    if (!job->ran) {
        fprintf(out, " %6s %12s %12s %10s  could not be run\n", "-", "-", "-", "-");
        return;
    }
    fprintf(out, " %6d", r->checks);
    print_worst(r, PARITY_CONDITION, PARITY_DECODER, out);
    print_worst(r, PARITY_CHAIN, PARITY_CHAIN, out);
    fprintf(out, " %9.0f%%  ", 100 * r->nearest);
    if (r->failures)
        fprintf(out, "%d FAILED, first %s\n", r->failures, r->first);
    else
        fprintf(out, "ok\n");
}

static void print_table(const struct plan *plan, FILE *out)
{
    fprintf(out, "\n%-28s %6s %12s %12s %10s  %s\n", "fixture", "checks", "worst module",
            "worst chain", "of allowed", "verdict");
    for (const struct job *job = plan->first; job; job = job->next)
        print_row(job, out);
}

static int run_plan(struct plan *plan, struct device *d, FILE *out, struct error *e)
{
    const struct job *bad = NULL;
    int failed = 0;

    for (struct job *job = plan->first; job; job = job->next) {
        if (plan->count > 1)
            fprintf(out, "%s%s\n", job == plan->first ? "" : "\n", job->name);
        run_job(job, d, out);
        if (plan->count > 1 && !job->ran)
            fprintf(out, "%s\n", job->why.text);
        if (!job->why.code)
            continue;
        bad = failed++ ? bad : job;
    }
    if (plan->count > 1)
        print_table(plan, out);
    if (failed == 0)
        return 0;
    *e = bad->why;
    return plan->count > 1 ? error_wrap(e, "%d of %d goldens do not hold, the first is %s", failed,
                                        plan->count, bad->name)
                           : -1;
}

int parity_run_all(const struct parity_options *options, const char *const *dirs, int count,
                   FILE *out, struct error *e)
{
    struct plan plan = {.end = &plan.first};
    struct device *d = NULL;
    int rc = 0;

    for (int i = 0; rc == 0 && i < count; i++)
        rc = add_dir(&plan, dirs[i], options->golden, e);
    if (rc == 0)
        rc = device_open(&options->device, &d, e);
    if (rc == 0)
        rc = run_plan(&plan, d, out, e);
    device_close(d);
    arena_free(&plan.arena);
    return rc;
}

int parity_run(const struct parity_options *options, FILE *out, struct error *e)
{
    return parity_run_all(options, &options->dir, 1, out, e);
}
