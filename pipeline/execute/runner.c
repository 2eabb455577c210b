#include "pipeline/execute/runner.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/load_watch.h"
#include "pipeline/execute/job.h"
#include "pipeline/execute/sheet.h"
#include "pipeline/execute/versions.h"

/* Writes the shot's sheet into the workdir as one more thing to deliver. `made`: the artefacts of
 * this, the last stage. */
static int add_sheet(struct job *j, const struct record_artefact *made, int version,
                     struct error *e)
{
    struct runner *r = j->runner;
    const struct plan_setup *setup = r->setup;
    struct stage_record records[STAGES] = {0};
    struct artefact sheet = {.name = VERSION_SHEET, .delivered = true};
    struct journal_view *view;
    char *text = NULL;
    int rc = -1;

    sheet.path = path_join(&j->arena, j->base.workdir, sheet.name);
    if (!sheet.path)
        return error_memory(e);
    if (journal_view_begin(r->journal, &view, e) != 0)
        return -1;
    for (int i = 0; i < (int)j->stage; i++)
        if (plan_job(r->plan, j->shot, i)->verdict != VERDICT_SKIP &&
            journal_get(view, job_shot(j)->id, setup->stages[i]->name, &records[i], e) < 0)
            goto done;
    records[j->stage] = j->record;
    records[j->stage].artefacts = made;
    records[j->stage].artefact_count = j->output_count;
    text = sheet_make(setup->env->board, job_shot(j), version, setup->stages, records, e);
    if (!text || file_write_atomic(sheet.path, text, strlen(text), e) != 0)
        goto done;
    rc = job_output(&j->base, &sheet, e);
done:
    free(text);
    journal_view_end(view);
    return rc;
}

/* Gives what is delivered the number of a version, of which the journal learns before any file has
 * its final name. The sheet, which tells of times, has no say in what makes two deliveries the
 * same.
 */
static int number_delivery(struct job *j, struct record_artefact *made, struct versions *versions,
                           struct version *fresh, struct error *e)
{
    struct runner *r = j->runner;
    const struct deliver *d = &r->setup->env->board->deliver;
    const char *shot = job_shot(j)->id;
    struct version_file *files = arena_array(&j->arena, MOST_ARTEFACTS, sizeof *files);
    struct journal_view *view;
    int rc;

    if (!files)
        return error_memory(e);
    *fresh = (struct version){.key = j->key,
                              .frames = job_shot(j)->frames,
                              .timecode = d->start - d->handles,
                              .files = files};
    for (size_t i = 0; i < j->output_count; i++)
        if (j->outputs[i].delivered)
            files[fresh->file_count++] =
                (struct version_file){.name = made[i].name, .digest = made[i].digest};
    if (journal_view_begin(r->journal, &view, e) != 0)
        return -1;
    rc = versions_read(view, shot, &j->arena, versions, e);
    journal_view_end(view);
    if (rc != 0)
        return -1;
    fresh->number =
        versions_number(versions, r->production, shot, j->key, files, fresh->file_count, e);
    for (size_t i = 0; fresh->number && i < fresh->file_count; i++) {
        files[i].path = version_path(&j->arena, shot, fresh->number, files[i].name);
        if (!files[i].path)
            return error_memory(e);
    }
    return fresh->number ? versions_add(r->journal, shot, &j->arena, versions, fresh, e) : -1;
}

/* What the last stage delivers, and its sheet: their final names. */
static int name_delivery(struct job *j, struct record_artefact *made, struct versions *versions,
                         bool *unrecorded, struct error *e)
{
    struct version fresh;

    if (number_delivery(j, made, versions, &fresh, e) != 0) {
        *unrecorded = e->code != ERROR_INPUT;
        return -1;
    }
    if (add_sheet(j, made, fresh.number, e) != 0 ||
        artefact_describe(&j->outputs[j->output_count - 1], job_shot(j), j->key, &j->arena,
                          &made[j->output_count - 1], e) != 0)
        return -1;
    for (size_t i = 0; i < j->output_count; i++)
        if (j->outputs[i].delivered) {
            made[i].path = version_path(&j->arena, job_shot(j)->id, fresh.number, made[i].name);
            if (!made[i].path)
                return error_memory(e);
        }
    return 0;
}

/* Everything after a stage's run() has succeeded: the order is that of artefacts.h. */
static int deliver(struct job *j, bool *unrecorded, struct error *e)
{
    struct runner *r = j->runner;
    struct record_artefact made[MOST_ARTEFACTS];
    struct journal_blob blobs[MOST_ARTEFACTS];
    struct versions versions = {0};
    struct error ignored = {0};
    bool last = j->stage == plan_last_stage(r->plan, j->shot);
    size_t blob_count = 0;

    for (size_t i = 0; i < j->output_count; i++)
        if (artefact_describe(&j->outputs[i], job_shot(j), j->key, &j->arena, &made[i], e) != 0)
            return -1;
    if (last && name_delivery(j, made, &versions, unrecorded, e) != 0)
        return -1;
    for (size_t i = 0; i < j->output_count; i++) {
        const struct artefact *a = &j->outputs[i];

        if (a->bytes)
            blobs[blob_count++] = (struct journal_blob){a->name, a->bytes, a->size};
        else if (artefact_publish(r->production, a, &made[i], &j->arena, e) != 0)
            return -1;
    }
    j->record.status = RECORD_DONE;
    j->record.artefacts = made;
    j->record.artefact_count = j->output_count;
    if (journal_put(r->journal, job_shot(j)->id, job_stage_name(j), &j->record, blobs, blob_count,
                    NULL, e) != 0) {
        *unrecorded = true;
        return -1;
    }
    if (last) /* what fails here the run's end tries again, and says */
        versions_point(r->production, job_shot(j)->id, &versions, &ignored);
    return 0;
}

/* Peaks of the machine, for the record and the shot's sheet: while the stage ran and, where there
 * is one, while its session was opened (a model is loaded there, prompts are encoded). */
static void note_peaks(struct job *j, const void *session, const struct monitor_peaks *ran)
{
    json_t *peaks;

    if (!j->runner->monitor)
        return;
    peaks = monitor_json(ran);
    if (session)
        json_object_set_new(peaks, "opening", monitor_json(&j->runner->opening));
    json_object_set_new(j->notes, "monitor", peaks);
}

/* What comes before the stage's own work: its record says that it runs. */
static int start(struct job *j, bool *unrecorded, struct error *e)
{
    if (job_fill(j, e) != 0)
        return -1;
    if (job_put(j, RECORD_RUNNING, NULL, e) != 0) {
        *unrecorded = true;
        return -1;
    }
    return path_remove(j->base.workdir, e) == 0 ? dir_make(j->base.workdir, e) : -1;
}

/* The stage's own work. The record's seconds and peak are of that alone; jobs that run together
 * share the time. */
static void run_stage(struct job *const *jobs, size_t count, void *session, struct error **errors)
{
    struct runner *r = jobs[0]->runner;
    const struct stage *stage = r->setup->stages[jobs[0]->stage];
    struct stage_job *bases[STAGE_BATCH_MOST];
    struct error found[STAGE_BATCH_MOST] = {0};
    double from = clock_monotonic(), seconds;
    int slot = peak_begin(r->peak), watched = monitor_begin(r->monitor);
    struct monitor_peaks peaks;
    uint64_t peak;

    for (size_t i = 0; i < count; i++)
        bases[i] = &jobs[i]->base;
    if (count > 1)
        stage->run_batch(session, bases, count, found);
    else if (stage->run(session, bases[0], &found[0]) == 0)
        error_clear(&found[0]);
    peak = peak_end(r->peak, slot);
    peaks = monitor_end(r->monitor, watched);
    seconds = (clock_monotonic() - from) / (double)count;
    for (size_t i = 0; i < count; i++) {
        note_peaks(jobs[i], session, &peaks);
        jobs[i]->record.peak_kib = peak;
        jobs[i]->record.seconds = seconds;
        jobs[i]->record.finished_ns = clock_unix_ns();
        *errors[i] = jobs[i]->unread.code ? jobs[i]->unread : found[i];
    }
}

static int hand_over(struct job *j, bool *unrecorded, struct error *e)
{
    char *notes = json_dumps(j->notes, JSON_SORT_KEYS | JSON_COMPACT);
    int rc;

    j->record.notes = notes ? notes : "{}";
    rc = deliver(j, unrecorded, e);
    j->record.notes = "{}";
    free(notes);
    return rc;
}

/* A failure is recorded after the workdir is gone: on a full disk that makes the room. */
static void record_failure(struct job *j, bool *unrecorded, struct error *e)
{
    struct error why = {0};

    if (*unrecorded || e->code == ERROR_CANCELLED)
        return;
    j->record.error = e->text;
    if (job_put(j, RECORD_FAILED, e->text, &why) == 0)
        return;
    *unrecorded = true;
    error_set(e, why.code, "%.400s; and this could not be recorded: %.400s", e->text, why.text);
}

/* After the stage's work, or in place of it. */
static void finish(struct job *j, struct job_report *report, struct error *e)
{
    struct error ignored = {0};

    if (e->code == ERROR_NONE)
        hand_over(j, &report->unrecorded, e);
    if (j->base.workdir)
        path_remove(j->base.workdir, &ignored); /* what stays is swept at the next start */
    if (e->code != ERROR_NONE)
        record_failure(j, &report->unrecorded, e);
    report->seconds = j->record.seconds;
    report->peak_kib = j->record.peak_kib;
    report->attempt = j->record.attempts;
}

void runner_run(struct runner *r, const uint32_t *shots, size_t count, enum stage_id stage,
                void *session, struct job_report *reports, struct error *errors)
{
    struct job *jobs[STAGE_BATCH_MOST] = {0}, *started[STAGE_BATCH_MOST];
    struct error *of[STAGE_BATCH_MOST];
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        errors[i] = (struct error){0};
        jobs[i] = job_begin(r, shots[i], stage, &errors[i]);
        reports[i] = (struct job_report){.unrecorded = !jobs[i]};
        if (jobs[i] && start(jobs[i], &reports[i].unrecorded, &errors[i]) == 0) {
            started[n] = jobs[i];
            of[n++] = &errors[i];
        }
    }
    if (n > 0)
        run_stage(started, n, session, of);
    for (size_t i = 0; i < count; i++)
        if (jobs[i]) {
            finish(jobs[i], &reports[i], &errors[i]);
            job_free(jobs[i]);
        }
}

int runner_refuse(struct runner *r, size_t shot, enum stage_id stage, const char *text,
                  struct error *e)
{
    struct job *j = job_begin(r, shot, stage, e);
    int rc;

    if (!j)
        return -1;
    j->record.error = text;
    /* Work that was finished or begun is not thrown away because a source or a model is away for a
     * day: the record is what keeps its files and its checkpoint. */
    if (j->kept)
        rc = journal_event(r->journal, "refused", job_shot(j)->id, job_stage_name(j), text, e);
    else
        rc = job_put(j, RECORD_FAILED, text, e);
    job_free(j);
    return rc;
}

/* What stage_group.executor points at during open(). */
struct opening {
    struct runner *runner;
    const uint32_t *shots;
    struct arena arena; /* what input() gives lives as long as open() */
};

static const struct artefact *group_input(const struct stage_group *group, size_t index,
                                          enum stage_id stage, const char *name)
{
    struct opening *o = group->executor;
    struct runner *r = o->runner;
    struct error ignored = {0};
    const struct artefact *a;

    if (index >= group->count ||
        artefact_load(r->journal, r->production, r->setup, r->plan, o->shots[index], stage, name,
                      &o->arena, &a, &ignored) != 0)
        return NULL;
    return a;
}

static bool group_cancelled(const struct stage_group *group)
{
    const struct opening *o = group->executor;

    return o->runner->cancelled(o->runner->ctx);
}

int runner_open(struct runner *r, enum stage_id stage, const uint32_t *shots, size_t count,
                void **session, struct error *e)
{
    const struct stage *about = r->setup->stages[stage];
    const struct board *board = r->setup->env->board;
    const char *name = r->plan->groups[plan_job(r->plan, shots[0], stage)->group];
    struct opening opening = {.runner = r, .shots = shots};
    const struct shot **list;
    int rc, watched;

    *session = NULL;
    if (!about->open || !name[0])
        return 0;
    list = calloc(count, sizeof *list);
    if (!list)
        return error_memory(e);
    for (size_t i = 0; i < count; i++)
        list[i] = &board->shots[shots[i]];
    watched = monitor_begin(r->monitor);
    load_watch(r->loading, r->ctx);
    rc = about->open(&(struct stage_group){.env = r->setup->env,
                                           .name = name,
                                           .shots = list,
                                           .count = count,
                                           .input = group_input,
                                           .cancelled = group_cancelled,
                                           .executor = &opening},
                     session, e);
    load_watch(NULL, NULL);
    r->opening = monitor_end(r->monitor, watched);
    free(list);
    arena_free(&opening.arena);
    return rc;
}

void runner_close(struct runner *r, enum stage_id stage, void *session)
{
    if (session && r->setup->stages[stage]->close)
        r->setup->stages[stage]->close(session);
}
