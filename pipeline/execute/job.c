#include "pipeline/execute/job.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/execute/key.h"
#include "pipeline/execute/recipe.h"

struct loaded {
    struct loaded *next;
    enum stage_id stage;
    const struct artefact *artefact;
};

uint64_t clock_unix_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

double clock_monotonic(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

const struct shot *job_shot(const struct job *j)
{
    return &j->runner->setup->env->board->shots[j->shot];
}

const char *job_stage_name(const struct job *j)
{
    return j->runner->setup->stages[j->stage]->name;
}

static const struct artefact *job_input(struct stage_job *base, enum stage_id stage,
                                        const char *name)
{
    struct job *j = (struct job *)base;
    struct runner *r = j->runner;
    const struct artefact *a;
    struct loaded *entry;

    for (entry = j->loaded; entry; entry = entry->next)
        if (entry->stage == stage && strcmp(entry->artefact->name, name) == 0)
            return entry->artefact;
    if (artefact_load(r->journal, r->production, r->setup, r->plan, j->shot, stage, name, &j->arena,
                      &a, &j->unread) != 0 ||
        !a)
        return NULL;
    entry = arena_alloc(&j->arena, sizeof *entry);
    if (!entry)
        return NULL;
    *entry = (struct loaded){j->loaded, stage, a};
    j->loaded = entry;
    return a;
}

int job_output(struct stage_job *base, const struct artefact *a, struct error *e)
{
    struct job *j = (struct job *)base;
    struct artefact *out = &j->outputs[j->output_count];

    if (artefact_check(j->outputs, j->output_count, a, e) != 0)
        return -1;
    *out = *a;
    if (a->path) {
        out->path = arena_strdup(&j->arena, a->path);
        if (!out->path)
            return error_memory(e);
    }
    j->output_count++;
    return 0;
}

static void job_progress(struct stage_job *base, double done, double total, const char *unit)
{
    struct job *j = (struct job *)base;

    j->runner->progress(j->runner->ctx, j->shot, j->stage, done, total, unit);
}

static bool job_cancelled(const struct stage_job *base)
{
    const struct job *j = (const struct job *)base;

    /* What is made without an input that should be there is not kept. */
    return j->unread.code != ERROR_NONE || j->runner->cancelled(j->runner->ctx);
}

static const void *job_checkpoint_load(struct stage_job *base, size_t *size)
{
    struct job *j = (struct job *)base;
    struct error ignored = {0}; /* no checkpoint: the stage begins anew */
    struct journal_view *view;
    const void *bytes;
    void *copy = NULL;

    if (journal_view_begin(j->runner->journal, &view, &ignored) != 0)
        return NULL;
    if (journal_checkpoint_get(view, j->key, &bytes, size, &ignored) == 1) {
        copy = arena_alloc(&j->arena, *size ? *size : 1);
        if (copy)
            memcpy(copy, bytes, *size);
    }
    journal_view_end(view);
    return copy;
}

static int job_checkpoint_save(struct stage_job *base, const void *bytes, size_t size,
                               struct error *e)
{
    struct job *j = (struct job *)base;

    return journal_checkpoint_put(j->runner->journal, j->key, bytes, size, e);
}

static void job_note(struct stage_job *base, const char *name, const char *json_value)
{
    struct job *j = (struct job *)base;
    json_t *value = json_loads(json_value, JSON_DECODE_ANY, NULL);

    /* A note that is no JSON is still worth reading, as text; one that finds no memory is lost. */
    json_object_set_new(j->notes, name, value ? value : json_string(json_value));
}

/* What the journal remembers of this stage: how often this key was tried, whether anything stands.
 */
static int recall(struct job *j, struct error *e)
{
    struct journal_view *view;
    struct stage_record before;
    int found;

    if (journal_view_begin(j->runner->journal, &view, e) != 0)
        return -1;
    found = journal_get(view, job_shot(j)->id, job_stage_name(j), &before, e);
    j->kept = found > 0 && before.status != RECORD_FAILED;
    if (found > 0 && hash_equal(before.key, j->key))
        j->record.attempts = before.attempts;
    journal_view_end(view);
    return found < 0 ? -1 : 0;
}

int job_put(struct job *j, enum record_status status, const char *event, struct error *e)
{
    struct stage_record r = j->record;

    r.status = status;
    return journal_put(j->runner->journal, job_shot(j)->id, job_stage_name(j), &r, NULL, 0, event,
                       e);
}

struct job *job_begin(struct runner *r, size_t shot, enum stage_id stage, struct error *e)
{
    struct job *j = calloc(1, sizeof *j);

    if (!j) {
        error_memory(e);
        return NULL;
    }
    j->runner = r;
    j->shot = shot;
    j->stage = stage;
    j->key = plan_job(r->plan, shot, stage)->key;
    j->record = (struct stage_record){.key = j->key, .error = "", .notes = "{}"};
    if (recall(j, e) != 0) {
        job_free(j);
        return NULL;
    }
    j->record.attempts++;
    j->record.started_ns = j->record.finished_ns = clock_unix_ns();
    return j;
}

int job_fill(struct job *j, struct error *e)
{
    struct runner *r = j->runner;
    struct hash128 reads[STAGES];
    struct record_input *inputs;

    plan_reads(r->plan, r->setup, j->shot, j->stage, reads);
    if (key_inputs(&j->arena, r->setup->stages[j->stage], r->setup->stages, reads, r->setup->env,
                   job_shot(j), &inputs, &j->record.input_count, e) != 0)
        return -1;
    j->record.inputs = inputs;
    j->notes = json_object();
    j->base = (struct stage_job){
        .env = r->setup->env,
        .shot = job_shot(j),
        .arena = &j->arena,
        .workdir = arena_printf(&j->arena, "%s/%s.%s", r->production->tmp, job_shot(j)->id,
                                job_stage_name(j)),
        .input = job_input,
        .output = job_output,
        .progress = job_progress,
        .cancelled = job_cancelled,
        .checkpoint_load = job_checkpoint_load,
        .checkpoint_save = job_checkpoint_save,
        .note = job_note,
    };
    if (!j->notes || !j->base.workdir)
        return error_memory(e);
    return j->stage == plan_last_stage(r->plan, j->shot)
               ? recipe_make(r->plan, r->setup, j->shot, &j->arena, &j->base.recipe, e)
               : 0;
}

void job_free(struct job *j)
{
    if (!j)
        return;
    json_decref(j->notes);
    arena_free(&j->arena);
    free(j);
}
