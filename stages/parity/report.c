#include "stages/parity/report.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"

static void count(struct report *r, const char *name, bool ok)
{
    r->checks++;
    if (ok)
        return;
    if (r->failures++ == 0)
        snprintf(r->first, sizeof r->first, "%s", name);
}

static double limit(const struct report *r, const char *name, enum parity_class what)
{
    const json_t *known = what <= PARITY_SAMPLER ? NULL : json_object_get(r->reference, name);
    return json_is_number(known) ? 1.5 * json_number_value(known) : r->tolerance[what];
}

/* A NaN stays. */
static double larger(double a, double b)
{
    return isnan(a) || a >= b ? a : b;
}

void report_error(struct report *r, const char *name, double value, enum parity_class what)
{
    double tolerance = limit(r, name, what);
    bool ok = value <= tolerance; /* NaN is not */

    fprintf(r->out, "%-34s %10.2e  <= %-8.0e %s\n", name, value, tolerance, ok ? "ok" : "FAIL");
    count(r, name, ok);
    r->worst[what] = larger(r->worst[what], value);
    r->nearest = larger(r->nearest, value / tolerance);
}

void report_fact(struct report *r, const char *name, bool ok, const char *what)
{
    fprintf(r->out, "%-34s %-24s %s\n", name, what, ok ? "ok" : "FAIL");
    count(r, name, ok);
}

static const char *swap_suffix(struct arena *a, const char *path, const char *from, const char *to)
{
    size_t n = strlen(path), m = strlen(from);
    if (n < m || strcmp(path + n - m, from) != 0)
        return NULL;
    return arena_printf(a, "%.*s%s", (int)(n - m), path, to);
}

static const char *golden_path(struct arena *a, const char *dir, const char *name)
{
    if (!name || !*name)
        return path_join(a, dir, "golden.json");
    if (swap_suffix(a, name, ".json", ""))
        return strchr(name, '/') ? name : path_join(a, dir, name);
    if (strchr(name, '/'))
        return path_join(a, name, "golden.json");
    return arena_printf(a, "%s/golden.%s.json", dir, name);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static int is_golden(const struct dirent *entry)
{
    const char *name = entry->d_name;
    return strncmp(name, "golden.", 7) == 0 && ends_with(name, ".json") &&
           !ends_with(name, ".errors.json");
}

/* "golden.json" before all others. */
static int in_order(const struct dirent **a, const struct dirent **b)
{
    bool first = strcmp((*a)->d_name, "golden.json") == 0;
    bool second = strcmp((*b)->d_name, "golden.json") == 0;
    return first != second ? (first ? -1 : 1) : strcmp((*a)->d_name, (*b)->d_name);
}

int golden_list(const char *dir, struct arena *a, const char ***names, int *count, struct error *e)
{
    struct dirent **entries;
    bool failed = false;

    *count = scandir(dir, &entries, is_golden, in_order);
    if (*count < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return error_errno(e, errno, "read", dir);
        *count = 0;
        entries = NULL;
    }
    *names = arena_array(a, (size_t)*count + 1, sizeof **names);
    for (int i = 0; i < *count; i++) {
        const char *name = *names ? arena_strdup(a, entries[i]->d_name) : NULL;
        failed |= !name;
        if (name)
            (*names)[i] = name;
        free(entries[i]);
    }
    free(entries);
    return failed || !*names ? error_memory(e) : 0;
}

int golden_open(const char *dir, const char *name, struct golden *out, struct error *e)
{
    const char *tensors, *errors;

    *out = (struct golden){0};
    out->path = golden_path(&out->arena, dir, name);
    tensors = out->path ? swap_suffix(&out->arena, out->path, ".json", ".safetensors") : NULL;
    errors = out->path ? swap_suffix(&out->arena, out->path, ".json", ".errors.json") : NULL;
    if (!tensors || !errors) {
        error_memory(e);
        goto failed;
    }
    if (json_read(out->path, &out->json, e) || safetensors_open(tensors, &out->tensors, e) ||
        (path_exists(errors) && json_read(errors, &out->errors, e))) {
        error_wrap(e, "golden");
        goto failed;
    }
    return 0;
failed:
    golden_close(out);
    return -1;
}

void golden_close(struct golden *g)
{
    json_decref(g->json);
    json_decref(g->errors);
    safetensors_close(g->tensors);
    arena_free(&g->arena);
    *g = (struct golden){0};
}

/* Timesteps are written as integers. */
static void integers_to_f32(const struct tensor *t, float *out)
{
    for (int64_t i = 0; i < tensor_count(t); i++) {
        int64_t n;
        memcpy(&n, (char *)t->data + (size_t)i * sizeof n, sizeof n);
        out[i] = (float)n;
    }
}

bool golden_get(struct golden *g, struct report *r, const char *name, int rank, struct tensor *out)
{
    const struct tensor *t = safetensors_find(g->tensors, name);
    int drop;

    if (!t || (!dtype_is_float(t->dtype) && t->dtype != DTYPE_I64)) {
        report_fact(r, name, false, t ? "not numbers" : "missing in the golden");
        return false;
    }
    drop = t->rank - rank;
    if (drop < 0 || drop > 1 || (drop == 1 && t->shape[0] != 1)) {
        report_fact(r, name, false, "unexpected shape");
        return false;
    }
    *out = tensor_new(&g->arena, rank, t->shape + drop);
    if (!out->data) {
        report_fact(r, name, false, "out of memory");
        return false;
    }
    if (t->dtype == DTYPE_I64)
        integers_to_f32(t, out->data);
    else
        tensor_to_f32(t, out->data);
    return true;
}

void golden_check(struct golden *g, struct report *r, const char *name, const char *label,
                  const float *got, int64_t n, enum parity_class what)
{
    const struct tensor *t = safetensors_find(g->tensors, name);
    double error = 0, norm = 0;
    struct tensor want;

    if (!golden_get(g, r, name, t ? t->rank : 0, &want))
        return;
    if (tensor_count(&want) != n) {
        report_fact(r, label, false, "unexpected shape");
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        double w = ((float *)want.data)[i];
        error += (got[i] - w) * (got[i] - w);
        norm += w * w;
    }
    report_error(r, label, norm > 0 ? sqrt(error / norm) : sqrt(error), what);
}
