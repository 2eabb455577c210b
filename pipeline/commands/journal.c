#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/suggest.h"
#include "pipeline/commands/command.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"

struct dumping {
    bool as_json, live; /* live: a run goes on */
};

static const char *status_text(const struct dumping *d, enum record_status status)
{
    if (status == RECORD_RUNNING && d->live)
        return "running";
    return status == RECORD_DONE ? "done" : status == RECORD_FAILED ? "failed" : "interrupted";
}

/* Every dumped thing is one object; as text it is the same, a line of name=value. */
static int put(const struct dumping *d, json_t *line)
{
    const char *name;
    json_t *value;
    int rc = 0;

    if (!line)
        return 1;
    if (d->as_json) {
        rc = json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    } else {
        json_object_foreach(line, name, value)
        {
            char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

            if (strcmp(name, "kind") == 0)
                printf("%-10s", json_string_value(value));
            else if (text)
                printf(" %s=%s", name, text);
            free(text);
        }
    }
    putchar('\n');
    json_decref(line);
    return rc;
}

static int dump_meta(void *ctx, const char *name, const char *value)
{
    return put(ctx, json_pack("{ss ss ss}", "kind", "meta", "name", name, "value", value));
}

static json_t *inputs_of(const struct stage_record *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->input_count; i++)
        json_array_append_new(list, json_pack("[ss]", r->inputs[i].name, r->inputs[i].value));
    return list;
}

static json_t *artefacts_of(const struct stage_record *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->artefact_count; i++) {
        const struct record_artefact *a = &r->artefacts[i];
        char hex[HASH_HEX_SIZE];

        hash_hex(a->digest, hex);
        json_array_append_new(list, json_pack("{ss ss sI ss}", "name", a->name, "path", a->path,
                                              "size", (json_int_t)a->size, "xxh3", hex));
    }
    return list;
}

static int dump_record(void *ctx, const char *shot, const char *stage, const struct stage_record *r)
{
    json_t *notes = json_loads(r->notes, 0, NULL);
    char hex[HASH_HEX_SIZE];

    hash_hex(r->key, hex);
    return put(ctx, json_pack("{ss ss ss ss ss si sf sI ss so so so}", "kind", "record", "shot",
                              shot, "stage", stage, "key", hex, "status",
                              status_text(ctx, r->status), "attempts", (int)r->attempts, "seconds",
                              r->seconds, "peak_kib", (json_int_t)r->peak_kib, "error", r->error,
                              "notes", notes ? notes : json_object(), "inputs", inputs_of(r),
                              "artefacts", artefacts_of(r)));
}

static int dump_attempt(void *ctx, const char *shot, const char *stage,
                        const struct stage_attempt *a)
{
    char hex[HASH_HEX_SIZE];

    hash_hex(a->key, hex);
    return put(ctx, json_pack("{ss ss ss ss si ss sf sf sI ss}", "kind", "attempt", "shot", shot,
                              "stage", stage, "key", hex, "number", (int)a->number, "status",
                              status_text(ctx, a->status), "started", (double)a->started_ns / 1e9,
                              "seconds", a->seconds, "peak_kib", (json_int_t)a->peak_kib, "error",
                              a->error));
}

static int dump_event(void *ctx, uint64_t time_ns, const char *kind, const char *shot,
                      const char *stage, const char *text)
{
    return put(ctx, json_pack("{ss sf ss ss ss ss}", "kind", "event", "time", (double)time_ns / 1e9,
                              "event", kind, "shot", shot, "stage", stage, "text", text));
}

static int dump_checkpoint(void *ctx, struct hash128 key, size_t size)
{
    char hex[HASH_HEX_SIZE];

    hash_hex(key, hex);
    return put(ctx,
               json_pack("{ss ss sI}", "kind", "checkpoint", "key", hex, "size", (json_int_t)size));
}

static int dump(const struct production *p, bool as_json)
{
    char who[JOURNAL_WHO_SIZE];
    struct dumping d = {as_json, journal_writer(p->journal, who) == 1};
    const struct journal_visitor visitor = {.ctx = &d,
                                            .meta = dump_meta,
                                            .record = dump_record,
                                            .attempt = dump_attempt,
                                            .event = dump_event,
                                            .checkpoint = dump_checkpoint};
    struct journal_view *view = NULL;
    struct journal *journal = NULL;
    struct error e = {0};
    int rc = -1;

    if (journal_open(p->journal, JOURNAL_READ, &journal, &e) == 0 &&
        journal_view_begin(journal, &view, &e) == 0)
        rc = journal_walk(view, &visitor, &e);
    if (view)
        journal_view_end(view);
    journal_close(journal);
    if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = error_set(&e, ERROR_IO, "the dump could not be written");
    return rc == 0 ? EXIT_DELIVERED : command_failed(&e);
}

/* check and salvage print what they found in either case. */
static int examine(const struct production *p,
                   int (*how)(const char *dir, char **report, struct error *e))
{
    struct error e = {0};
    char *report = NULL;
    int rc = how(p->journal, &report, &e);

    if (report)
        fputs(report, stdout);
    free(report);
    return rc == 0 ? EXIT_DELIVERED : command_failed(&e);
}

int command_journal(const struct options *o)
{
    const char *what = o->operands[0];
    struct suggestion s = {.word = what};
    struct production p = {0};
    struct error e = {0};
    int status;

    suggest_offer(&s, "dump");
    suggest_offer(&s, "check");
    suggest_offer(&s, "salvage");
    if (!s.best || strcmp(s.best, what) != 0) {
        error_set(&e, ERROR_USAGE, "journal cannot '%s'%s%s: dump, check or salvage", what,
                  s.best ? ", did you mean " : "", s.best ? s.best : "");
        return command_failed(&e);
    }
    if (production_find(&p, o->operand_count > 1 ? o->operands[1] : "", &e) != 0)
        return command_failed(&e);
    if (strcmp(what, "dump") == 0)
        status = dump(&p, o->json);
    else
        status = examine(&p, strcmp(what, "check") == 0 ? journal_check : journal_salvage);
    production_free(&p);
    return status;
}
