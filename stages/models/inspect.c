#include "stages/generate/sampling.h"
#include "stages/models/inspect.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "kernels/loader.h"
#include "stages/models/inspect_impl.h"
#include "stages/models/layout.h"

/* ---- faults */

enum { FAULTS_MAX = 200 }; /* more say nothing new */

static int add_fault(struct inspection *i, const char *text, struct error *e)
{
    for (size_t k = 0; k < i->fault_count; k++)
        if (strstr(text, i->faults[k]))
            return 0;
    if (i->fault_count == FAULTS_MAX)
        return 0;
    i->faults[i->fault_count] = arena_strdup(&i->arena, text);
    if (!i->faults[i->fault_count])
        return error_memory(e);
    i->fault_count++;
    return 0;
}

int inspection_fault(struct inspection *i, struct error *e, const char *format, ...)
{
    char text[sizeof e->text];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return add_fault(i, text, e);
}

int inspection_error(struct inspection *i, const struct error *fault, struct error *e)
{
    if (fault->code != ERROR_MEMORY)
        return add_fault(i, fault->text, e);
    *e = *fault;
    return -1;
}

/* ---- components */

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Tokenizers ("T5TokenizerFast"), schedulers and processors of pictures ("CLIPImageProcessorPil")
 * have none. */
static bool has_weights(const char *class)
{
    return !strstr(class, "Tokenizer") && !strstr(class, "Scheduler") &&
           !strstr(class, "Processor") && !strstr(class, "Extractor");
}

/* A component of the diffusers library says its own class as well. */
static int inspect_config(struct inspection *i, const char *dir, const struct component *c,
                          struct error *e)
{
    const char *path = path_join(&i->arena, dir, "config.json"), *class = c->class;
    struct error why = {0};
    json_t *root = NULL;
    int rc = 0;

    if (!path)
        return error_memory(e);
    if (json_read(path, &root, &why) != 0 ||
        json_get_string(root, path, "_class_name", &class, &why) != 0)
        rc = inspection_error(i, &why, e);
    else if (strcmp(class, c->class) != 0)
        rc = inspection_fault(i, e, "%s: _class_name is %.80s, but model_index.json says %.80s",
                              path, class, c->class);
    json_decref(root);
    return rc;
}

static int inspect_component(struct inspection *i, const struct checkpoint *of, struct component *c,
                             struct error *e)
{
    const char *dir = path_join(&i->arena, of->dir, c->name);

    if (!dir)
        return error_memory(e);
    if (!is_directory(dir))
        return inspection_fault(i, e,
                                "%s is not there, and model_index.json names it (%.80s): download "
                                "it",
                                dir, c->class);
    if (!has_weights(c->class))
        return inspect_files(i, dir, c, e);
    return inspect_config(i, dir, c, e) != 0 ? -1 : inspect_weights(i, dir, c, e);
}

/* Entries of model_index.json are settings, or components: a library and a class, both null where
 * the pipeline can do without and does. */
static const char *class_of_entry(const char *name, const json_t *entry)
{
    const char *class = json_string_value(json_array_get(entry, 1));
    bool plain = *name && *name != '.' && !strchr(name, '/');

    return *name != '_' && plain && json_array_size(entry) == 2 ? class : NULL;
}

static int inspect_components(struct inspection *i, struct checkpoint *c, json_t *index,
                              struct error *e)
{
    const char *name;
    json_t *entry;

    c->components = arena_array(&i->arena, json_object_size(index) + 1, sizeof *c->components);
    if (!c->components)
        return error_memory(e);
    json_object_foreach(index, name, entry)
    {
        struct component *one = &c->components[c->component_count];
        const char *class = class_of_entry(name, entry);
        if (!class)
            continue;
        one->dtypes = "";
        one->name = arena_strdup(&i->arena, name);
        one->class = arena_strdup(&i->arena, class);
        if (!one->name || !one->class)
            return error_memory(e);
        c->component_count++;
        if (inspect_component(i, c, one, e) != 0)
            return -1;
    }
    return 0;
}

/* ---- the family's own check: every tensor there in its shape, parts that fit each other */

enum { FILES_MAX = 64, TENSORS_TOLD = 8 };

struct listening {
    struct inspection *inspection;
    int part; /* that is checked now */
    struct faulty_file {
        const char *path;
        int part, faults; /* told in the part that it was first met in: others say the same */
    } files[FILES_MAX];
    int file_count;
    struct error *error;
    int rc;
};

/* NULL: out of memory, or too many files. */
static struct faulty_file *file_of(struct listening *l, const struct error *fault)
{
    const char *end = strstr(fault->text, ": tensor ");
    size_t length = end ? (size_t)(end - fault->text) : strlen(fault->text);

    for (int k = 0; k < l->file_count; k++)
        if (strncmp(l->files[k].path, fault->text, length) == 0 && !l->files[k].path[length])
            return &l->files[k];
    if (l->file_count == FILES_MAX)
        return NULL;
    const char *path = arena_strndup(&l->inspection->arena, fault->text, length);
    if (!path)
        return NULL;
    l->files[l->file_count] = (struct faulty_file){path, l->part, 0};
    return &l->files[l->file_count++];
}

static void listen(void *ctx, const struct error *fault)
{
    struct listening *l = ctx;
    struct faulty_file *f = file_of(l, fault);

    if (l->rc == 0 && f && f->part == l->part && f->faults++ < TENSORS_TOLD)
        l->rc = inspection_error(l->inspection, fault, l->error);
}

static void tell_counts(struct listening *l)
{
    for (int k = 0; k < l->file_count && l->rc == 0; k++)
        if (l->files[k].faults > TENSORS_TOLD)
            l->rc = inspection_fault(l->inspection, l->error, "%s: and %d more tensors",
                                     l->files[k].path, l->files[k].faults - TENSORS_TOLD);
}

static int check_part(struct listening *l, int rc, struct error *why)
{
    if (l->rc == 0 && rc != 0)
        l->rc = inspection_error(l->inspection, why, l->error);
    error_clear(why);
    l->part++;
    return rc;
}

/* Each part by itself, so that a fault of one hides none of another; then what they are together.
 */
static void check_parts(struct listening *l, const struct family *f, const char *dir)
{
    struct error why = {0};
    void *part;

    if (check_part(l, f->encoder_open(dir, NULL, &part, &why), &why) == 0)
        f->encoder_close(part);
    if (check_part(l, f->model_open(dir, NULL, &part, &why), &why) == 0)
        f->model_close(part);
    if (check_part(l, f->vae_open(dir, NULL, &part, &why), &why) == 0)
        f->vae_close(part);
    check_part(l, sampling_config(dir, "", 0, &(struct sampler_config){0}, &why), &why);
    check_part(l, f->check(dir, &why), &why);
}

static int check_family(struct inspection *i, const struct checkpoint *c, struct error *e)
{
    struct listening l = {.inspection = i, .error = e};

    loader_listen(listen, &l);
    check_parts(&l, c->family, c->dir);
    loader_listen(NULL, NULL);
    tell_counts(&l);
    return l.rc;
}

/* ---- checkpoints */

static void find_tier(struct checkpoint *c)
{
    c->part = "";
    for (int k = 0; k < tier_count; k++) {
        const struct tier *t = &tiers_all[k];
        bool makes_keyframe = c->family && t->keyframe.family == c->family;

        if (t->embedded || !c->family || (t->family != c->family && !makes_keyframe))
            continue;
        c->tier = t;
        if (t->keyframe.family)
            c->part = makes_keyframe ? "picture" : "motion";
        return;
    }
}

static int inspect_checkpoint(struct inspection *i, const char *dir, struct error *e)
{
    struct checkpoint *c = &i->checkpoints[i->checkpoint_count++];
    const char *path = path_join(&i->arena, dir, "model_index.json"), *class = "";
    size_t before = i->fault_count;
    struct error why = {0};
    json_t *index = NULL;
    int rc;

    *c = (struct checkpoint){.dir = dir, .pipeline = "", .part = ""};
    if (!path)
        return error_memory(e);
    if (json_read(path, &index, &why) != 0 ||
        json_get_string(index, path, "_class_name", &class, &why) != 0 ||
        family_of_checkpoint(dir, &c->family, &why) != 0)
        rc = inspection_error(i, &why, e);
    else
        rc = 0;
    c->pipeline = arena_strdup(&i->arena, class);
    if (rc == 0 && !c->pipeline)
        rc = error_memory(e);
    if (rc == 0 && index)
        rc = inspect_components(i, c, index, e);
    json_decref(index);
    find_tier(c);
    if (rc == 0 && c->family)
        rc = check_family(i, c, e);
    return rc == 0 && i->fault_count > before ? inspect_unfinished(i, c, e) : rc;
}

static bool has_index(struct arena *a, const char *dir)
{
    const char *path = path_join(a, dir, "model_index.json");
    return path && path_exists(path);
}

/* The folder of a tier of two models: the second is needed, the first only for shots that do not
 * bring their picture. */
static int inspect_both(struct inspection *i, const struct tier *t, struct error *e)
{
    const char *first = path_join(&i->arena, i->dir, t->keyframe.folder);
    const char *second = path_join(&i->arena, i->dir, t->keyframe.motion_folder);

    if (!first || !second)
        return error_memory(e);
    if (is_directory(first) && inspect_checkpoint(i, first, e) != 0)
        return -1;
    if (!is_directory(first))
        i->note = arena_printf(&i->arena, "%s is not there: shots must bring their own keyframe",
                               t->keyframe.folder);
    if (!i->note)
        return error_memory(e);
    if (is_directory(second))
        return inspect_checkpoint(i, second, e);
    return inspection_fault(i, e, "%s is not there: tier %s needs it", second, t->name);
}

static const struct tier *tier_of_two(const struct inspection *i, struct arena *a)
{
    for (int k = 0; k < tier_count; k++) {
        const struct tier *t = &tiers_all[k];
        const char *first = t->keyframe.family ? path_join(a, i->dir, t->keyframe.folder) : NULL;
        const char *second =
            t->keyframe.family ? path_join(a, i->dir, t->keyframe.motion_folder) : NULL;
        if ((first && is_directory(first)) || (second && is_directory(second)))
            return t;
    }
    return NULL;
}

/* The folder that --models names. */
static bool is_folder_of_tiers(struct inspection *i)
{
    for (int k = 0; k < tier_count; k++) {
        const char *path = path_join(&i->arena, i->dir, tiers_all[k].name);
        if (path && is_directory(path))
            return true;
    }
    return false;
}

static int inspect_other(struct inspection *i, struct error *e)
{
    const char *known = layout_explain(i->dir, &i->arena);

    if (is_folder_of_tiers(i))
        known = "a folder of tiers: auteur-pipe models --models tells of them all";
    return inspection_fault(i, e, "%s is %s", i->dir,
                            known ? known
                                  : "no checkpoint: it has no model_index.json (auteur-pipe models "
                                    "lists what there is to download)");
}

int inspect_models(const char *dir, struct inspection *out, struct error *e)
{
    struct inspection i = {.note = ""};
    const struct tier *both;
    int rc;

    i.dir = arena_strdup(&i.arena, dir);
    i.faults = arena_array(&i.arena, FAULTS_MAX, sizeof *i.faults);
    if (!i.dir || !i.faults)
        rc = error_memory(e);
    else if (!path_exists(dir))
        rc = error_set(e, ERROR_MODEL, "%s is not there", dir);
    else if (has_index(&i.arena, dir))
        rc = inspect_checkpoint(&i, i.dir, e);
    else if ((both = tier_of_two(&i, &i.arena)))
        rc = inspect_both(&i, both, e);
    else
        rc = inspect_other(&i, e);
    if (rc == 0)
        *out = i;
    else
        inspection_free(&i);
    return rc;
}

void inspection_free(struct inspection *i)
{
    arena_free(&i->arena);
    *i = (struct inspection){0};
}

uint64_t checkpoint_bytes(const struct checkpoint *c)
{
    uint64_t bytes = 0;

    for (size_t k = 0; k < c->component_count; k++)
        bytes += c->components[k].bytes;
    return bytes;
}
