#include "pipeline/execute/monitor_file.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"

enum { LARGEST = 1 << 20 };

/* The series of the file: whole numbers in these units, null where nothing was told. */
static const struct {
    const char *name;
    size_t offset;
    double unit;
} series[] = {
    {"host_mib", offsetof(struct machine_sample, host_used), 0x1p20},
    {"device_mib", offsetof(struct machine_sample, device_used), 0x1p20},
    {"busy", offsetof(struct machine_sample, busy), 0.01},
    {"memory_busy", offsetof(struct machine_sample, memory_busy), 0.01},
    {"watts", offsetof(struct machine_sample, watts), 1},
};

static double *field(struct machine_sample *s, size_t i)
{
    return (double *)((char *)s + series[i].offset);
}

static json_t *series_json(const struct monitor_history *h, size_t which)
{
    json_t *list = json_array();

    for (int i = 0; i < h->count; i++) {
        struct machine_sample s = h->samples[i];
        double value = *field(&s, which);

        json_array_append_new(
            list, value < 0 ? json_null()
                            : json_integer((json_int_t)llround(value / series[which].unit)));
    }
    return list;
}

json_t *monitor_history_json(const struct monitor_history *h)
{
    json_t *o = json_pack("{ss ss sI sf sf}", "device", h->device, "missing", h->missing,
                          "device_total_mib", (json_int_t)llround(h->device_total / 0x1p20),
                          "period", h->period, "time", h->last);

    for (size_t i = 0; o && i < sizeof series / sizeof *series; i++)
        json_object_set_new(o, series[i].name, series_json(h, i));
    return o;
}

int monitor_write(const char *path, const struct monitor_history *h)
{
    json_t *o = monitor_history_json(h);
    char temporary[PATH_MAX];
    int rc = -1;

    if (o && snprintf(temporary, sizeof temporary, "%s.new", path) < (int)sizeof temporary)
        rc = json_dump_file(o, temporary, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(o);
    return rc == 0 ? rename(temporary, path) : -1;
}

static void read_series(const json_t *root, size_t which, struct monitor_history *h)
{
    const json_t *list = json_object_get(root, series[which].name);

    for (int i = 0; i < h->count; i++) {
        const json_t *value = json_array_get(list, (size_t)i);

        *field(&h->samples[i], which) =
            json_is_number(value) ? json_number_value(value) * series[which].unit : -1;
    }
}

static void read_text(const json_t *root, const char *name, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(root, name));

    snprintf(out, size, "%s", text ? text : "");
}

int monitor_recall(const char *path, struct monitor_history *out, struct error *e)
{
    json_error_t bad;
    json_t *root;
    size_t size, count;
    char *text;

    if (!path_exists(path))
        return 1;
    if (file_read(path, LARGEST, &text, &size, e) != 0)
        return -1;
    root = json_loadb(text, size, 0, &bad);
    free(text);
    if (!json_is_object(root)) {
        json_decref(root);
        return error_set(e, ERROR_JOURNAL, "%s is no monitor's file: %s; remove it", path,
                         bad.text);
    }
    *out = (struct monitor_history){0};
    read_text(root, "device", out->device, sizeof out->device);
    read_text(root, "missing", out->missing, sizeof out->missing);
    out->device_total = 0x1p20 * json_number_value(json_object_get(root, "device_total_mib"));
    out->period = json_number_value(json_object_get(root, "period"));
    out->last = json_number_value(json_object_get(root, "time"));
    count = json_array_size(json_object_get(root, series[0].name));
    out->count = count < MONITOR_HISTORY ? (int)count : MONITOR_HISTORY;
    for (size_t i = 0; i < sizeof series / sizeof *series; i++)
        read_series(root, i, out);
    json_decref(root);
    return 0;
}
