#include "pipeline/progress/spark.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/progress/progress.h"

enum { LEVELS = 8 };
static const char *const blocks[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const plain[LEVELS] = {".", ":", "-", "=", "+", "*", "%", "#"};

bool spark_locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);

        if (value && value[0]) /* the first that is set counts */
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

char *spark_line(const double *values, int count, double top, bool utf8, char out[SPARK_SIZE])
{
    int columns = count < SPARK_COLUMNS ? count : SPARK_COLUMNS;

    out[0] = '\0';
    for (int c = 0; c < columns; c++) {
        double most = -1;
        int level;

        for (int i = c * count / columns; i < (c + 1) * count / columns; i++)
            most = fmax(most, values[i]);
        level = top > 0 ? (int)(most / top * LEVELS) : 0;
        level = level < 0 ? 0 : level >= LEVELS ? LEVELS - 1 : level;
        strcat(out, most < 0 ? " " : utf8 ? blocks[level] : plain[level]);
    }
    return out;
}

static double host_used(const struct machine_sample *s)
{
    return s->host_used;
}
static double device_used(const struct machine_sample *s)
{
    return s->device_used;
}
static double busy(const struct machine_sample *s)
{
    return s->busy;
}
static double memory_busy(const struct machine_sample *s)
{
    return s->memory_busy;
}
static double watts(const struct machine_sample *s)
{
    return s->watts;
}

/* One series. top 0: its own largest value. */
static void series(FILE *out, const struct monitor_history *h, const char *title,
                   double (*value)(const struct machine_sample *), double unit, const char *name,
                   double top, bool utf8)
{
    double values[MONITOR_HISTORY], most = -1;
    char line[SPARK_SIZE];
    int told = h->count < SPARK_COLUMNS ? h->count : SPARK_COLUMNS;

    for (int i = 0; i < h->count; i++) {
        values[i] = value(&h->samples[i]);
        most = fmax(most, values[i]);
    }
    if (most < 0)
        return;
    spark_line(values, h->count, top > 0 ? top : most, utf8, line);
    fprintf(out, "  %-14s %s%*s %6.*f %s, most %.*f\n", title, line, SPARK_COLUMNS - told, "",
            unit >= 0x1p30, fmax(values[h->count - 1], 0) / unit, name, unit >= 0x1p30,
            most / unit);
}

void spark_history(FILE *out, const struct monitor_history *h, double now, bool utf8)
{
    double ago = now - h->last;
    char age[24], span[24];

    if (!h->count)
        return;
    duration_text(ago, age);
    duration_text(h->count * h->period, span);
    fprintf(out, "machine%s%s, %s%s%s%s\n", h->device[0] ? ": " : "", h->device, span,
            ago < 5 ? " until now" : " until ", ago < 5 ? "" : age, ago < 5 ? "" : " ago");
    series(out, h, "GPU memory", device_used, 0x1p30, "GiB", h->device_total, utf8);
    series(out, h, "GPU busy", busy, 0.01, "%", 1, utf8);
    series(out, h, "memory busy", memory_busy, 0.01, "%", 1, utf8);
    series(out, h, "power", watts, 1, "W", 0, utf8);
    series(out, h, "host memory", host_used, 0x1p30, "GiB", 0, utf8);
    if (h->missing[0])
        fprintf(out, "  no figures of a GPU: %s\n", h->missing);
}
