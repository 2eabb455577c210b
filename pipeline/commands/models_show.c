#include "pipeline/commands/models.h"

#include <string.h>

#include "pipeline/cli/help.h"
#include "stages/models/published.h"

enum { WIDTH = 80, NAME_COLUMN = 14, CLASS_COLUMN = 22 };

static const char *size_text(uint64_t bytes, char out[16])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    int unit = 0;

    while (size >= 1000 && unit < 4) {
        size /= 1024;
        unit++;
    }
    snprintf(out, 16, "%.*f %s", unit && size < 99.95 ? 1 : 0, size, units[unit]);
    return out;
}

static const char *count_text(int64_t count, char out[16])
{
    static const char *const units[] = {"", " thousand", " M", " B"};
    double size = (double)count;
    int unit = 0;

    while (size >= 1000 && unit < 3) {
        size /= 1000;
        unit++;
    }
    snprintf(out, 16, "%.*f%s", unit && size < 99.95 ? 1 : 0, size, units[unit]);
    return out;
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- a folder */

static void show_component(FILE *out, const struct component *c)
{
    char size[16], parameters[16];

    fprintf(out, "  %-*s%s\n%*s", CLASS_COLUMN - 2, c->name, c->class, CLASS_COLUMN, "");
    if (c->tensors)
        fprintf(out, "%s, %lld tensor%s, %s parameters,\n%*s", c->dtypes, (long long)c->tensors,
                plural(c->tensors), count_text(c->parameters, parameters), CLASS_COLUMN, "");
    if (c->files)
        fprintf(out, "%d file%s, %s\n", c->files, plural(c->files), size_text(c->bytes, size));
    else
        fprintf(out, "nothing that can be read\n");
}

static void show_checkpoint(FILE *out, const struct checkpoint *c)
{
    char size[16];

    fprintf(out, "%s\n", c->dir);
    fprintf(out, "  %s", c->pipeline[0] ? c->pipeline : "no pipeline's name");
    if (c->tier)
        fprintf(out, ", serves tier %s%s%s%s", c->tier->name, c->part[0] ? " (its " : "", c->part,
                c->part[0] ? ")" : "");
    fprintf(out, "; %s on disk\n", size_text(checkpoint_bytes(c), size));
    for (size_t k = 0; k < c->component_count; k++)
        show_component(out, &c->components[k]);
    fprintf(out, "\n");
}

void models_show_inspection(FILE *out, const struct inspection *i)
{
    for (int k = 0; k < i->checkpoint_count; k++)
        show_checkpoint(out, &i->checkpoints[k]);
    if (i->note[0])
        fprintf(out, "%s\n", i->note);
    for (size_t k = 0; k < i->fault_count; k++) {
        int at = fprintf(out, "fault: ");
        help_wrap(out, i->faults[k], at, at, WIDTH);
    }
    if (i->fault_count)
        fprintf(out, "%zu fault%s\n", i->fault_count, plural((int64_t)i->fault_count));
    else
        fprintf(out, "complete: every tensor is there in its shape\n");
}

/* ---- the list */

static void show_download(FILE *out, const struct tier_models *t, const struct published *p)
{
    const char *below = p->folder[0] ? "/" : "";

    fprintf(out, "%*shf download %s \\\n%*s  --local-dir ", NAME_COLUMN, "", p->repository,
            NAME_COLUMN, "");
    if (t->folder)
        fprintf(out, "%s%s%s\n", t->folder, below, p->folder);
    else
        fprintf(out, "MODELS/%s%s%s\n", t->tier->name, below, p->folder);
    if (p->or_else)
        fprintf(out, "%*sor %s\n", NAME_COLUMN, "", p->or_else);
}

static const char *state_text(const struct tier_models *t, char *out, size_t size)
{
    char disk[16];
    uint64_t bytes = 0;

    for (int k = 0; k < t->inspection.checkpoint_count; k++)
        bytes += checkpoint_bytes(&t->inspection.checkpoints[k]);
    if (!t->there)
        snprintf(out, size, "not there");
    else if (t->inspection.fault_count)
        snprintf(out, size, "%zu fault%s", t->inspection.fault_count,
                 plural((int64_t)t->inspection.fault_count));
    else
        snprintf(out, size, "complete, %s", size_text(bytes, disk));
    return out;
}

void models_show_tier(FILE *out, const struct tier_models *t)
{
    char state[64];

    fprintf(out, "%-*s%s: %s\n", NAME_COLUMN, t->tier->name, t->tier->model,
            state_text(t, state, sizeof state));
    if (t->folder)
        fprintf(out, "%*s%s\n", NAME_COLUMN, "", t->folder);
    if (t->there && t->inspection.fault_count)
        fprintf(out, "%*sauteur-pipe models inspect %s\n", NAME_COLUMN, "", t->folder);
    for (int k = 0; k < published_count && !t->there; k++)
        if (strcmp(published_all[k].tier, t->tier->name) == 0)
            show_download(out, t, &published_all[k]);
}

/* ---- as JSON */

static json_t *component_json(const struct component *c)
{
    return json_pack("{ss ss ss sI sI si sI}", "name", c->name, "class", c->class, "dtype",
                     c->dtypes, "tensors", (json_int_t)c->tensors, "parameters",
                     (json_int_t)c->parameters, "files", c->files, "bytes", (json_int_t)c->bytes);
}

static json_t *checkpoint_json(const struct checkpoint *c)
{
    json_t *components = json_array();

    for (size_t k = 0; k < c->component_count; k++)
        json_array_append_new(components, component_json(&c->components[k]));
    return json_pack("{ss ss ss* ss* ss sI so}", "path", c->dir, "pipeline", c->pipeline, "family",
                     c->family ? c->family->name : NULL, "tier", c->tier ? c->tier->name : NULL,
                     "part", c->part, "bytes", (json_int_t)checkpoint_bytes(c), "components",
                     components);
}

json_t *models_inspection_json(const struct inspection *i)
{
    json_t *checkpoints = json_array(), *faults = json_array();

    for (int k = 0; k < i->checkpoint_count; k++)
        json_array_append_new(checkpoints, checkpoint_json(&i->checkpoints[k]));
    for (size_t k = 0; k < i->fault_count; k++)
        json_array_append_new(faults, json_string(i->faults[k]));
    return json_pack("{ss so ss so sb}", "path", i->dir, "checkpoints", checkpoints, "note",
                     i->note, "faults", faults, "complete", i->fault_count == 0);
}

json_t *models_tier_json(const struct tier_models *t)
{
    json_t *published = json_array();

    for (int k = 0; k < published_count; k++)
        if (strcmp(published_all[k].tier, t->tier->name) == 0)
            json_array_append_new(published,
                                  json_pack("{ss ss ss*}", "folder", published_all[k].folder,
                                            "repository", published_all[k].repository, "or_else",
                                            published_all[k].or_else));
    return json_pack("{ss ss ss* sb so so*}", "tier", t->tier->name, "model", t->tier->model,
                     "path", t->folder, "there", (int)t->there, "published", published,
                     "inspection", t->there ? models_inspection_json(&t->inspection) : NULL);
}
