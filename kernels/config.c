#include "kernels/config.h"

#include <math.h>
#include <string.h>

#include "kernels/base/file.h"

int config_open(const char *dir, const char *class_name, struct config *out, struct error *e)
{
    const char *found = NULL;

    *out = (struct config){0};
    out->path = path_join(&out->arena, dir, "config.json");
    if (!out->path) {
        error_memory(e);
        goto failed;
    }
    if (json_read(out->path, &out->root, e))
        goto failed;
    if (!class_name)
        return 0;
    if (json_get_string(out->root, out->path, "_class_name", &found, e))
        goto failed;
    if (strcmp(found, class_name) == 0)
        return 0;
    error_set(e, ERROR_MODEL, "%s: _class_name is %.100s, not %s", out->path, found, class_name);
failed:
    config_close(out);
    return -1;
}

void config_close(struct config *c)
{
    json_decref(c->root);
    arena_free(&c->arena);
    *c = (struct config){0};
}

int config_int(const struct config *c, const char *name, int low, int high, int *value,
               struct error *e)
{
    return json_get_int(c->root, c->path, name, low, high, value, e);
}

int config_number(const struct config *c, const char *name, double low, double high, double *value,
                  struct error *e)
{
    return json_get_number(c->root, c->path, name, low, high, value, e);
}

int config_bool(const struct config *c, const char *name, bool *value, struct error *e)
{
    return json_get_bool(c->root, c->path, name, value, e);
}

int config_expect(const struct config *c, const char *name, const char *value, struct error *e)
{
    const char *found = value;

    if (json_get_string(c->root, c->path, name, &found, e))
        return -1;
    if (strcmp(found, value) != 0)
        return error_set(e, ERROR_MODEL, "%s: %s is %.100s: only %s is supported", c->path, name,
                         found, value);
    return 0;
}

int config_refuse(const struct config *c, const char *name, struct error *e)
{
    const json_t *value = json_object_get(c->root, name);

    if (!value || json_is_null(value) || json_is_false(value) ||
        (json_is_array(value) && json_array_size(value) == 0))
        return 0;
    return error_set(e, ERROR_MODEL, "%s: %s is set: this form of the model is not supported",
                     c->path, name);
}

/* The list, or NULL when the default stands (*rc 0) or it is wrong (*rc -1). */
static const json_t *list_of(const struct config *c, const char *name, int max, int *count, int *rc,
                             struct error *e)
{
    const json_t *list = json_object_get(c->root, name);

    *rc = 0;
    if (!list || json_is_null(list)) {
        if (*count < 1)
            *rc = error_set(e, ERROR_MODEL, "%s: %s is missing", c->path, name);
        return NULL;
    }
    if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > (size_t)max) {
        *rc = error_set(e, ERROR_MODEL, "%s: %s must be a list of 1 to %d values", c->path, name,
                        max);
        return NULL;
    }
    *count = (int)json_array_size(list);
    return list;
}

int config_numbers(const struct config *c, const char *name, int max, double *values, int *count,
                   struct error *e)
{
    int rc;
    const json_t *list = list_of(c, name, max, count, &rc, e);

    for (int i = 0; list && i < *count; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        if (!json_is_number(item) || !isfinite(json_number_value(item)))
            return error_set(e, ERROR_MODEL, "%s: %s[%d] must be a number", c->path, name, i);
        values[i] = json_number_value(item);
    }
    return rc;
}

int config_ints(const struct config *c, const char *name, int low, int high, int max, int *values,
                int *count, struct error *e)
{
    int rc;
    const json_t *list = list_of(c, name, max, count, &rc, e);

    for (int i = 0; list && i < *count; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        double number = json_number_value(item);
        if (!json_is_number(item) || number != floor(number) || number < low || number > high)
            return error_set(e, ERROR_MODEL, "%s: %s[%d] must be a whole number from %d to %d",
                             c->path, name, i, low, high);
        values[i] = (int)number;
    }
    return rc;
}

int config_bools(const struct config *c, const char *name, int max, bool *values, int *count,
                 struct error *e)
{
    int rc;
    const json_t *list = list_of(c, name, max, count, &rc, e);

    for (int i = 0; list && i < *count; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        if (!json_is_boolean(item))
            return error_set(e, ERROR_MODEL, "%s: %s[%d] must be true or false", c->path, name, i);
        values[i] = json_is_true(item);
    }
    return rc;
}
