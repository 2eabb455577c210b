#include "pipeline/commands/verify.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/cli/help.h"
#include "pipeline/commands/command.h"
#include "pipeline/exit_code.h"
#include "pipeline/interrupt.h"
#include "pipeline/paths.h"
#include "pipeline/progress/heard.h"
#include "pipeline/progress/show.h"
#include "pipeline/version.h"

enum { TITLE_COLUMN = 28, VALUE_COLUMN = 26, INDENT = 6 };
static const size_t DISK_MOST = (size_t)512 << 20;

/* A row as a line. What a threshold comes from stands in brackets where there is room, else below,
 * as what went wrong always does. */
static void print_row(void *ctx, const struct report_row *row)
{
    int width = show_columns(stdout), at;
    char title[80];

    (void)ctx;
    if (row->gpu > 0)
        snprintf(title, sizeof title, "GPU %d: %s", row->gpu, row->title);
    else
        snprintf(title, sizeof title, "%s", row->title);
    at = printf("%s  %-*s %-*s %s", report_status_name(row->status), TITLE_COLUMN, title,
                VALUE_COLUMN, row->value, row->wanted);
    if (row->note[0] && row->status == REPORT_PASS && at + (int)strlen(row->note) + 3 <= width) {
        printf(" (%s)\n", row->note);
    } else {
        putchar('\n');
        if (row->note[0])
            help_wrap(stdout, row->note, INDENT, 0, width);
    }
    fflush(stdout);
}

/* A number as it is, rounded to what it is worth; words as text; null where there is nothing. */
static json_t *json_figure(double number, const char *words, bool is_number)
{
    if (!is_number)
        return words[0] ? json_string(words) : json_null();
    return number < 0 ? json_null() : json_real(round(number * 100) / 100);
}

static void collect_row(void *ctx, const struct report_row *row)
{
    bool number = row->unit[0] != '\0';
    json_t *check = json_object();

    json_object_set_new(check, "name", json_string(row->name));
    json_object_set_new(check, "title", json_string(row->title));
    json_object_set_new(check, "gpu", row->gpu < 0 ? json_null() : json_integer(row->gpu));
    json_object_set_new(check, "value", json_figure(row->number, row->value, number));
    json_object_set_new(check, "threshold", json_figure(row->threshold, row->wanted, number));
    json_object_set_new(check, "unit", json_string(row->unit));
    json_object_set_new(check, "status", json_string(report_status_name(row->status)));
    json_object_set_new(check, "note", json_string(row->note));
    json_array_append_new(ctx, check);
}

static const char *verdict(const int counts[REPORT_STATES])
{
    return counts[REPORT_FAIL] ? "FAIL" : "PASS";
}

static int print_json(json_t *checks, const int counts[REPORT_STATES], struct error *e)
{
    json_t *root = json_pack("{ss sO si si si ss}", "version", AUTEUR_VERSION, "checks", checks,
                             "pass", counts[REPORT_PASS], "fail", counts[REPORT_FAIL], "skip",
                             counts[REPORT_SKIP], "verdict", verdict(counts));

    return command_json(root, e);
}

static void print_note(void *ctx, const struct note *note)
{
    const char *line = heard_note(ctx, note);

    if (line)
        printf("%s\n", line);
}

static int check_folder(const char *models, struct error *e)
{
    struct stat st;

    if (!models[0] || (stat(models, &st) == 0 && S_ISDIR(st.st_mode)))
        return 0;
    return error_set(e, ERROR_USAGE,
                     "%.200s is no folder: --models, else AUTEUR_MODELS, names the one where "
                     "checkpoints are",
                     models);
}

static int measure(const struct options *o, void (*row)(void *, const struct report_row *),
                   void *ctx, int counts[REPORT_STATES], struct error *e)
{
    const char *models = o->models[0] ? o->models : getenv("AUTEUR_MODELS");
    const char *tmp = getenv("TMPDIR");
    struct heard heard = {0};
    const struct report_options r = {
        .device = {.kind = strcmp(o->device, "cpu") == 0 ? DEVICE_CPU : DEVICE_CUDA,
                   .or_cpu = strcmp(o->device, "cuda") != 0,
                   .threads = paths_cores(),
                   .notes = {o->verbose && !o->json ? print_note : NULL, &heard}},
        .models = models ? models : "",
        .scratch = tmp && tmp[0] ? tmp : "/tmp",
        .disk_most = DISK_MOST,
        .row = row,
        .ctx = ctx,
        .cancelled = interrupt_requested};

    return check_folder(r.models, e) || machine_report(&r, counts, e) ? -1 : 0;
}

int command_verify(const struct options *o)
{
    json_t *checks = o->json ? json_array() : NULL;
    void (*row)(void *, const struct report_row *) = o->json ? collect_row : print_row;
    int counts[REPORT_STATES] = {0}, rc;
    struct error e = {0};

    interrupt_install();
    if (o->json && !checks)
        rc = error_memory(&e);
    else if (o->smoke)
        rc = verify_smoke(o, o->verbose && !o->json ? stdout : NULL, row, checks, counts, &e);
    else
        rc = measure(o, row, checks, counts, &e);
    if (rc == 0 && o->json)
        rc = print_json(checks, counts, &e);
    else if (rc == 0)
        printf("%s: %d passed, %d failed, %d skipped\n", verdict(counts), counts[REPORT_PASS],
               counts[REPORT_FAIL], counts[REPORT_SKIP]);
    json_decref(checks);
    if (rc != 0)
        return command_failed(&e);
    return counts[REPORT_FAIL] ? EXIT_SHOTS : EXIT_DELIVERED;
}
