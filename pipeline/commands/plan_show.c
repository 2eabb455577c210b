/* A plan for people and as JSON. */
#include <jansson.h>
#include <string.h>

#include "pipeline/cli/help.h"
#include "pipeline/commands/plan_board.h"
#include "pipeline/progress/progress.h"

enum { WIDTH = 80 };

static double gib(double bytes)
{
    return bytes / (1024.0 * 1024 * 1024);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static bool is_timed(const struct machine *m)
{
    return machine_rates(m).bytes > 0;
}

/* ---- the machine */

static void show_machine(FILE *out, const struct machine *m)
{
    double each = gib((double)m->facts.memory);

    if (m->gpus == 0)
        fprintf(out, "On this machine's processor (%s), %.1f GiB of memory\n", m->facts.name, each);
    else
        fprintf(out, "On %s: %d GPU%s of %.1f GiB%s\n", m->facts.name, m->gpus,
                plural((size_t)m->gpus), each,
                m->facts.unified ? ", one memory with the host's" : "");
    if (m->gpus > 1)
        fprintf(out, "This version computes on one of them, models taking turns\n");
    if (!is_timed(m))
        fprintf(out, "Times are not told: name the GPU, or add its GB/s and TFLOP/s to --gpu\n");
}

/* ---- a tier */

static void show_duration(FILE *out, const struct plan_board *p, double load, double work)
{
    char text[24];

    if (!is_timed(&p->machine)) {
        fprintf(out, "%9s\n", "-");
        return;
    }
    duration_text(load + work, text);
    fprintf(out, "%9s\n", text);
}

/* In GiB; small ones with another digit. */
static void show_size(FILE *out, int width, double bytes)
{
    fprintf(out, "%*.*f", width, gib(bytes) < 0.95 ? 2 : 1, gib(bytes));
}

static void show_stage(FILE *out, const struct plan_board *p, const struct forecast_stage *s)
{
    char models[16] = "";

    if (s->models > 1)
        snprintf(models, sizeof models, "%d x", s->models);
    fprintf(out, "  %-18s%4s", s->name, models);
    show_size(out, 6, s->weights);
    show_size(out, 12, s->activations);
    show_size(out, 10, s->workspace);
    show_size(out, 10, s->peak);
    show_size(out, 10, s->host);
    show_duration(out, p, s->load, s->work);
}

/* What to do about a tier that does not fit. */
static const char *mend_of(const struct plan_board *p, const struct plan_tier *t)
{
    if (t->fits || t->mend[0])
        return t->mend;
    return p->machine.gpus == 0
               ? "shorter shots would not fit either: take a smaller frame, or a machine with more "
                 "memory"
               : "neither FP8 nor shorter shots would make it fit: take a smaller frame, or a GPU "
                 "with more memory";
}

static void show_turns(FILE *out, const struct plan_board *p, const struct plan_tier *t)
{
    char text[MEND_SIZE + 300], itself[80] = "";
    const char *mend = mend_of(p, t);

    if (machine_itself(&p->machine) > 0)
        snprintf(itself, sizeof itself, " with %.1f GiB for the system and the program itself,",
                 gib(machine_itself(&p->machine)));
    int n = snprintf(
        text, sizeof text, "  %s: %.1f of %.1f GiB at most,%s one model after another%s%s",
        t->fits ? "fits" : "DOES NOT FIT", gib(t->peak), gib((double)p->machine.facts.memory),
        itself,
        forecast_streams(&t->all) ? ", large ones kept by the host and brought block by block" : "",
        *mend ? "; " : "");

    snprintf(text + n, sizeof text - (size_t)n, "%s", mend);
    help_wrap(out, text + 2, 2, fprintf(out, "  "), WIDTH);
}

/* All of it there at once: what is called no offload. */
static void show_resident(FILE *out, const struct plan_board *p, const struct plan_tier *t)
{
    const struct machine *m = &p->machine;
    bool holds = machine_holds(m, t->resident);
    char text[400], where[120] = "";

    if (m->gpus == 0)
        return;
    if (m->gpus > 1)
        snprintf(where, sizeof where, " on the fullest of %d GPUs, each model whole on one",
                 m->gpus);
    int n = snprintf(text, sizeof text, "without offload, all models there at once: %.1f GiB%s: %s",
                     gib(t->resident), where, holds ? "fits" : "does not fit");
    if (!holds && t->resident_gpus > m->gpus)
        snprintf(text + n, sizeof text - (size_t)n, "; on %d such GPUs it would", t->resident_gpus);
    help_wrap(out, text, 2, fprintf(out, "  "), WIDTH);
}

static void show_tier(FILE *out, const struct plan_board *p, const struct plan_tier *t)
{
    fprintf(out, "\n%s (%s)", t->tier->name, t->tier->model);
    if (t->why.code != ERROR_NONE) {
        fprintf(out, ": shot %s %s: %s\n", t->faulty,
                t->why.code == ERROR_MEMORY ? "DOES NOT FIT" : "cannot be planned", t->why.text);
        return;
    }
    fprintf(out, ": %zu shot%s of %dx%d, %d frame%s%s\n", t->shots, plural(t->shots), t->width,
            t->height, t->frames, plural((size_t)t->frames),
            t->shots > 1 && t->frames > 1 ? " at most" : "");
    if (t->all.outlined)
        fprintf(out, "  its checkpoint is not there: sizes of the published one\n");
    fprintf(out, "  %-18s%10s %11s %9s %9s %9s%9s\n", "GiB", "weights", "activations", "workspace",
            "peak", "host", "time");
    for (int i = 0; i < t->all.count; i++)
        show_stage(out, p, &t->all.stage[i]);
    for (int i = 0; i < t->all.count; i++)
        if (t->all.stage[i].together > 1)
            fprintf(out, "  %s: %d shots at once\n", t->all.stage[i].name,
                    t->all.stage[i].together);
    show_turns(out, p, t);
    show_resident(out, p, t);
}

static double seconds_of(const struct plan_board *p)
{
    double sum = p->films;

    for (int i = 0; i < p->count; i++)
        for (int k = 0; k < p->tiers[i].all.count; k++)
            sum += p->tiers[i].all.stage[k].load + p->tiers[i].all.stage[k].work;
    return sum;
}

void plan_board_show(FILE *out, const struct plan_board *p)
{
    char films[24], all[24];

    show_machine(out, &p->machine);
    for (int i = 0; i < p->count; i++)
        show_tier(out, p, &p->tiers[i]);
    duration_text(p->films, films);
    fprintf(out, "\ntitles and films of all shots: %s, beside the models' work\n", films);
    fprintf(out, "disk: %.1f GiB of weights are read, some %.1f GiB are made\n",
            gib(p->checkpoints), gib(p->made));
    if (is_timed(&p->machine)) {
        duration_text(seconds_of(p), all);
        fprintf(out, "time: some %s, loading included\n", all);
    }
}

/* ---- JSON */

static json_t *stage_json(const struct plan_board *p, const struct forecast_stage *s)
{
    json_t *o = json_pack("{ss si sI sI sI sI sI sI sI}", "stage", s->name, "models", s->models,
                          "weights", (json_int_t)s->weights, "activations",
                          (json_int_t)s->activations, "workspace", (json_int_t)s->workspace, "peak",
                          (json_int_t)s->peak, "host", (json_int_t)s->host, "streamed",
                          (json_int_t)s->streamed, "stored", (json_int_t)s->stored);

    if (o && s->steps)
        json_object_set_new(o, "steps", json_integer(s->steps));
    if (o && s->together)
        json_object_set_new(o, "together", json_integer(s->together));
    if (o && is_timed(&p->machine)) {
        json_object_set_new(o, "load_seconds", json_real(s->load));
        json_object_set_new(o, "work_seconds", json_real(s->work));
    }
    return o;
}

static json_t *tier_json(const struct plan_board *p, const struct plan_tier *t)
{
    json_t *stages;

    if (t->why.code != ERROR_NONE)
        return json_pack("{ss ss ss ss sb}", "tier", t->tier->name, "model", t->tier->model, "shot",
                         t->faulty, "error", t->why.text, "fits", false);
    stages = json_array();
    for (int i = 0; i < t->all.count; i++)
        json_array_append_new(stages, stage_json(p, &t->all.stage[i]));
    return json_pack("{ss ss sI si si si sb so sI sb sI sb si ss}", "tier", t->tier->name, "model",
                     t->tier->model, "shots", (json_int_t)t->shots, "width", t->width, "height",
                     t->height, "frames", t->frames, "there", !t->all.outlined, "stages", stages,
                     "peak", (json_int_t)t->peak, "fits", t->fits, "resident",
                     (json_int_t)t->resident, "resident_fits",
                     machine_holds(&p->machine, t->resident), "resident_gpus", t->resident_gpus,
                     "mend", t->mend);
}

int plan_board_json(FILE *out, const struct plan_board *p, struct error *e)
{
    const struct machine *m = &p->machine;
    json_t *tiers = json_array(), *root;
    int rc;

    for (int i = 0; i < p->count; i++)
        json_array_append_new(tiers, tier_json(p, &p->tiers[i]));
    root = json_pack("{s{ss si sI sb} so sI sf sI sI sb}", "machine", "name", m->facts.name, "gpus",
                     m->gpus, "memory", (json_int_t)m->facts.memory, "unified", m->facts.unified,
                     "tiers", tiers, "other_shots", (json_int_t)p->shots, "films_seconds", p->films,
                     "disk_made", (json_int_t)p->made, "disk_read", (json_int_t)p->checkpoints,
                     "fits", plan_board_fits(p));
    if (root && is_timed(m))
        json_object_set_new(root, "seconds", json_real(seconds_of(p)));
    rc = root && json_dumpf(root, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF
             ? 0
             : error_memory(e);
    json_decref(root);
    return rc;
}
