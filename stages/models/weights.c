#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "kernels/safetensors.h"
#include "kernels/weight_file.h"
#include "stages/models/inspect_impl.h"

enum { SHARDS_MAX = 1000, TENSORS_TOLD = 8 };

/* What is known of a component while its shards are opened, one after the other. */
struct reading {
    struct inspection *inspection;
    struct component *component;
    const char *path; /* the index */
    json_t *map;      /* tensor to shard, as the index says; NULL: a single file */
    json_t *found;    /* tensor to shard, as the shards' headers say */
    json_t *shards;   /* each shard once: true when it could be opened */
    bool dtypes[DTYPES];
};

static int measure(struct reading *r, const struct safetensors *s, const char *name,
                   struct error *e)
{
    struct component *c = r->component;

    for (size_t i = 0; i < safetensors_count(s); i++) {
        const char *tensor = safetensors_name(s, i);
        const struct tensor *t = safetensors_find(s, tensor);

        r->dtypes[t->dtype] = true;
        c->tensors++;
        c->parameters += tensor_count(t);
        if (json_object_get(r->found, tensor) &&
            inspection_fault(r->inspection, e, "%s: tensor %.200s is in two shards", r->path,
                             tensor) != 0)
            return -1;
        if (json_object_set_new(r->found, tensor, json_string(name)) != 0)
            return error_memory(e);
    }
    return 0;
}

/* *sound: the file could be read. */
static int read_file(struct reading *r, const char *path, const char *name, bool *sound,
                     struct error *e)
{
    struct safetensors *s;
    struct file_stat st;
    struct error why = {0};
    int rc;

    *sound = false;
    if (file_stat(path, &st, &why) != 0)
        return inspection_error(r->inspection, &why, e);
    r->component->files++;
    r->component->bytes += st.size;
    if (safetensors_open(path, &s, &why) != 0)
        return inspection_error(r->inspection, &why, e);
    *sound = true;
    rc = measure(r, s, name, e);
    safetensors_close(s);
    return rc;
}

static int read_shard(struct reading *r, const char *dir, const char *name, struct error *e)
{
    struct arena *a = &r->inspection->arena;
    const char *path = path_join(a, dir, name);
    struct error why = {0};
    bool sound = false;
    int rc = 0;

    if (!path)
        return error_memory(e);
    if (weight_file_check_shard(r->path, name, path, &why) != 0)
        rc = inspection_error(r->inspection, &why, e);
    else
        rc = read_file(r, path, name, &sound, e);
    if (rc == 0 && json_object_set_new(r->shards, name, json_boolean(sound)) != 0)
        rc = error_memory(e);
    return rc;
}

static int read_shards(struct reading *r, const char *dir, struct error *e)
{
    const char *tensor;
    json_t *value;

    json_object_foreach(r->map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (!name) {
            if (inspection_fault(r->inspection, e, "%s: the shard of %.200s is not a string",
                                 r->path, tensor) != 0)
                return -1;
            continue;
        }
        if (json_object_get(r->shards, name))
            continue;
        if (json_object_size(r->shards) == SHARDS_MAX)
            return inspection_fault(r->inspection, e, "%s names more than %d shards", r->path,
                                    (int)SHARDS_MAX);
        if (read_shard(r, dir, name, e) != 0)
            return -1;
    }
    return 0;
}

/* Tensors of sound shards that are not where the index says. */
static int compare_map(struct reading *r, struct error *e)
{
    const char *tensor;
    json_t *value;
    size_t missing = 0;

    json_object_foreach(r->map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (!json_is_true(json_object_get(r->shards, name ? name : "")) ||
            json_equal(json_object_get(r->found, tensor), value))
            continue;
        if (missing++ < TENSORS_TOLD &&
            inspection_fault(r->inspection, e, "%s: tensor %.200s is not in the shard %.200s",
                             r->path, tensor, name) != 0)
            return -1;
    }
    if (missing <= TENSORS_TOLD)
        return 0;
    return inspection_fault(r->inspection, e, "%s: and %zu more tensors are not where it says",
                            r->path, missing - TENSORS_TOLD);
}

static int read_index(struct reading *r, const char *dir, struct error *e)
{
    struct error why = {0};
    json_t *root = NULL;
    int rc = 0;

    if (json_read(r->path, &root, &why) != 0)
        return inspection_error(r->inspection, &why, e);
    r->map = json_object_get(root, "weight_map");
    if (!json_is_object(r->map) || json_object_size(r->map) == 0)
        rc = inspection_fault(r->inspection, e, "%s has no weight_map", r->path);
    else if (read_shards(r, dir, e) != 0 || compare_map(r, e) != 0)
        rc = -1;
    json_decref(root);
    return rc;
}

static int name_dtypes(struct reading *r, struct error *e)
{
    const char *text = "";

    for (int t = 0; t < DTYPES && text; t++)
        if (r->dtypes[t])
            text = arena_printf(&r->inspection->arena, "%s%s%s", text, *text ? ", " : "",
                                dtype_name((enum dtype)t));
    r->component->dtypes = text ? text : "";
    return text ? 0 : error_memory(e);
}

int inspect_weights(struct inspection *i, const char *dir, struct component *c, struct error *e)
{
    struct reading r = {.inspection = i, .component = c};
    struct error why = {0};
    bool sound;
    int rc;

    if (weight_file_find(dir, &i->arena, &r.path, &why) != 0)
        return inspection_error(i, &why, e);
    r.found = json_object();
    r.shards = json_object();
    if (!r.found || !r.shards)
        rc = error_memory(e);
    else if (weight_file_is_index(r.path))
        rc = read_index(&r, dir, e);
    else
        rc = read_file(&r, r.path, r.path, &sound, e);
    if (rc == 0)
        rc = name_dtypes(&r, e);
    json_decref(r.found);
    json_decref(r.shards);
    return rc;
}
