#include "kernels/base/json.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/base/file.h"

enum { JSON_BYTES_MAX = 64 << 20 };

int json_read(const char *path, json_t **root, struct error *e)
{
    char *text;
    size_t size;
    if (file_read(path, JSON_BYTES_MAX, &text, &size, e) != 0)
        return -1;
    if (file_refuse_lfs_pointer(path, text, size, e) != 0) {
        free(text);
        return -1;
    }
    json_error_t bad;
    json_t *read = json_loadb(text, size, JSON_DECODE_INT_AS_REAL, &bad);
    free(text);
    if (!read)
        return error_set(e, ERROR_MODEL, "%s:%d:%d: %s", path, bad.line > 0 ? bad.line : 1,
                         bad.column > 0 ? bad.column : 1, bad.text);
    if (!json_is_object(read)) {
        json_decref(read);
        return error_set(e, ERROR_MODEL, "%s: not a JSON object", path);
    }
    *root = read;
    return 0;
}

static json_t *find(const json_t *root, const char *name)
{
    json_t *value = json_object_get(root, name);
    return json_is_null(value) ? NULL : value;
}

int json_get_number(const json_t *root, const char *path, const char *name, double low, double high,
                    double *value, struct error *e)
{
    json_t *found = find(root, name);
    double number = found ? json_number_value(found) : *value;
    if (found && !json_is_number(found))
        return error_set(e, ERROR_MODEL, "%s: %s must be a number", path, name);
    if (number >= low && number <= high) {
        *value = number;
        return 0;
    }
    if (!found)
        return error_set(e, ERROR_MODEL, "%s: %s is missing", path, name);
    return error_set(e, ERROR_MODEL, "%s: %s is %g: must be from %g to %g", path, name, number, low,
                     high);
}

int json_get_int(const json_t *root, const char *path, const char *name, int low, int high,
                 int *value, struct error *e)
{
    double number = *value;
    if (json_get_number(root, path, name, low, high, &number, e) != 0)
        return -1;
    if (number != floor(number))
        return error_set(e, ERROR_MODEL, "%s: %s is %g: must be a whole number", path, name,
                         number);
    *value = (int)number;
    return 0;
}

int json_get_bool(const json_t *root, const char *path, const char *name, bool *value,
                  struct error *e)
{
    json_t *found = find(root, name);
    if (found && !json_is_boolean(found))
        return error_set(e, ERROR_MODEL, "%s: %s must be true or false", path, name);
    if (found)
        *value = json_is_true(found);
    return 0;
}

int json_get_string(const json_t *root, const char *path, const char *name, const char **value,
                    struct error *e)
{
    json_t *found = find(root, name);
    if (found && !json_is_string(found))
        return error_set(e, ERROR_MODEL, "%s: %s must be a string", path, name);
    if (found)
        *value = json_string_value(found);
    if (!*value)
        return error_set(e, ERROR_MODEL, "%s: %s is missing", path, name);
    return 0;
}
