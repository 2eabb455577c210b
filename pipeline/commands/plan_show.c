/* A plan for people. */
#include <string.h>

#include "pipeline/cli/help.h"
#include "pipeline/commands/plan_board.h"
#include "pipeline/progress/progress.h"

enum { TABLE = 80, PARAGRAPH = 600 }; /* columns, bytes */

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* Wrapped, after so many blanks. */
static void show_text(FILE *out, int indent, const char *text)
{
    help_wrap(out, text, indent, fprintf(out, "%*s", indent, ""), help_width(out));
}

/* Decimals of a figure in GiB: small ones have another. */
static int decimals(double bytes)
{
    return plan_gib(bytes) < 0.95 ? 2 : 1;
}

/* "1.3 GiB", "25 MiB". */
static void size_text(char text[24], double bytes)
{
    if (plan_gib(bytes) < 0.95)
        snprintf(text, 24, "%.0f MiB", plan_gib(bytes) * 1024);
    else
        snprintf(text, 24, "%.1f GiB", plan_gib(bytes));
}

/* Of weeks no one wants the seconds. */
static void time_text(char text[24], double seconds)
{
    static const double HOUR = 3600;

    if (seconds < 100 * HOUR)
        duration_text(seconds, text);
    else
        snprintf(text, 24, "%.0f days", seconds / (24 * HOUR));
}

/* ---- the machine */

static void show_machine(FILE *out, const struct plan_board *p)
{
    const struct machine *m = &p->machine;
    double each = (double)m->facts.memory;
    char text[PARAGRAPH];

    if (m->gpus == 0)
        snprintf(text, sizeof text, "On this machine's processor (%s), %.*f GiB of memory",
                 m->facts.name, decimals(each), plan_gib(each));
    else
        snprintf(text, sizeof text, "On %s: %d GPU%s of %.*f GiB%s", m->facts.name, m->gpus,
                 plural((size_t)m->gpus), decimals(each), plan_gib(each),
                 m->facts.unified ? ", one memory with the host's" : "");
    show_text(out, 0, text);
    if (plan_gib(m->taken) >= 0.1) {
        snprintf(text, sizeof text, "Others hold %.1f GiB of it now: %.*f GiB can be had",
                 plan_gib(m->taken), decimals(machine_room(m)), plan_gib(machine_room(m)));
        show_text(out, 0, text);
    }
    for (int i = 0; i < p->note_count; i++)
        show_text(out, 0, p->notes[i]);
}

/* ---- a tier's stages */

static void show_duration(FILE *out, const struct plan_board *p, double load, double work)
{
    char text[24] = "-";

    if (plan_is_timed(p))
        time_text(text, load + work);
    fprintf(out, " %8s\n", text);
}

static void show_size(FILE *out, int width, double bytes)
{
    fprintf(out, "%*.*f", width, decimals(bytes), plan_gib(bytes));
}

static void show_stage(FILE *out, const struct plan_board *p, const struct forecast_stage *s)
{
    char models[16] = "";

    if (s->models > 1)
        snprintf(models, sizeof models, "%d x", s->models);
    fprintf(out, "  %-17s%4s", s->name, models);
    show_size(out, 6, s->weights);
    show_size(out, 12, s->activations);
    show_size(out, 10, s->workspace);
    show_size(out, 7, s->peak);
    show_size(out, 6, s->host);
    show_size(out, 7, s->stored);
    show_duration(out, p, s->load, s->work);
}

/* The same in words, where a line has no room for the table. */
static void show_in_words(FILE *out, const struct plan_board *p, const struct forecast_stage *s)
{
    char text[PARAGRAPH], time[24] = "-", models[16] = "";

    if (plan_is_timed(p))
        time_text(time, s->load + s->work);
    if (s->models > 1)
        snprintf(models, sizeof models, "%d x ", s->models);
    snprintf(text, sizeof text,
             "%s: weights %s%.2f GiB, activations %.2f, workspace %.2f, peak %.2f; host %.2f; "
             "disk %.2f; time %s",
             s->name, models, plan_gib(s->weights), plan_gib(s->activations),
             plan_gib(s->workspace), plan_gib(s->peak), plan_gib(s->host), plan_gib(s->stored),
             time);
    show_text(out, 2, text);
}

static void show_step_cache(FILE *out, const struct plan_board *p, const struct forecast_stage *s)
{
    char text[PARAGRAPH], hoped[24];

    if (s->fewer == 0 || !plan_is_timed(p))
        return;
    time_text(hoped, s->load + s->hoped);
    if (s->fewer > 1)
        snprintf(text, sizeof text,
                 "%s is told without any gain of its step cache. Where that leaves out what it did "
                 "on previs, the one model it was measured on (up to %.2f times fewer blocks, "
                 "bench/README.md), it takes about %s",
                 s->name, s->fewer, hoped);
    else
        snprintf(text, sizeof text,
                 "%s is told without any gain of its step cache: none was measured with so low a "
                 "threshold or so few steps",
                 s->name);
    show_text(out, 2, text);
}

static void show_stages(FILE *out, const struct plan_board *p, const struct plan_tier *t)
{
    bool wide = help_width(out) >= TABLE;

    if (wide)
        fprintf(out, "  %-17s%10s %11s %9s %6s %5s %6s%9s\n", "GiB", "weights", "activations",
                "workspace", "peak", "host", "disk", "time");
    for (int i = 0; i < t->all.count; i++)
        (wide ? show_stage : show_in_words)(out, p, &t->all.stage[i]);
    for (int i = 0; i < t->all.count; i++) {
        const struct forecast_stage *s = &t->all.stage[i];

        if (s->together > 1)
            fprintf(out, "  %s: %d shots at once\n", s->name, s->together);
        if (s->cuts > 0)
            fprintf(out, "  %s: in smaller pieces than usual, to fit\n", s->name);
        show_step_cache(out, p, s);
    }
}

/* ---- whether it fits, and why */

/* "13.6 left", and what would have to be where that is too little; what rounds to nothing is. */
static void left_text(char text[80], const struct machine *m, double bytes)
{
    double left = machine_room(m) - bytes, wanted = bytes / 10;

    if (plan_gib(left) <= -0.05)
        snprintf(text, 80, "%.1f too little", plan_gib(-left));
    else if (machine_holds(m, bytes))
        snprintf(text, 80, "%.1f left", plan_gib(left));
    else if (plan_gib(left) < 0.05)
        snprintf(text, 80, "nothing left where a tenth, %.1f, must be", plan_gib(wanted));
    else
        snprintf(text, 80, "%.1f left where a tenth, %.1f, must be", plan_gib(left),
                 plan_gib(wanted));
}

/* What it takes of the host's memory, where that is too little or not known. */
static void host_text(char text[160], const struct machine *m, double bytes)
{
    text[0] = '\0';
    if (!machine_hosts(m, bytes))
        snprintf(text, 160, "; of the host's memory %.1f GiB and %.1f for the system, of %.1f",
                 plan_gib(bytes), plan_gib(machine_system()), plan_gib((double)m->host));
    else if (m->host == 0 && m->gpus > 0 && !m->facts.unified && plan_gib(bytes) >= 1)
        snprintf(text, 160,
                 "; the host needs %.1f GiB of memory for it (with its memory named, as "
                 "%s,host=64GiB, that is judged, too)",
                 plan_gib(bytes + machine_system()), m->facts.name);
}

static void show_turns(FILE *out, const struct plan_board *p, const struct plan_tier *t)
{
    const struct machine *m = &p->machine;
    const struct forecast_stage *most = forecast_largest(&t->all, m);
    char text[MEND_SIZE + PARAGRAPH], itself[80] = "", left[80], host[160];

    if (machine_itself(m) > 0)
        snprintf(itself, sizeof itself, " with %.1f for the system and the program itself",
                 plan_gib(machine_itself(m)));
    host_text(host, m, t->host);
    left_text(left, m, t->peak);
    snprintf(text, sizeof text,
             "%s: %s takes most, %.1f of %.*f GiB%s, %s%s; one model after another%s%s%s",
             t->fits ? "fits" : "DOES NOT FIT", most->name, plan_gib(t->peak),
             decimals(machine_room(m)), plan_gib(machine_room(m)), itself, left, host,
             forecast_streams(&t->all)
                 ? ", weights of large ones kept by the host and brought block by block"
                 : "",
             *t->mend ? "; " : "", t->mend);
    show_text(out, 2, text);
}

static void show_place(FILE *out, const struct machine *m, const struct plan_tier *t, int gpu)
{
    const struct place *place = &t->places[gpu];
    const struct forecast *f = &t->at_once;
    char text[PARAGRAPH], left[80];
    size_t n = (size_t)snprintf(text, sizeof text, "GPU %d: ", gpu + 1);

    for (int i = 0; i < place->count && n < sizeof text; i++) {
        const struct forecast_stage *s = &f->stage[place->model[i].stage];

        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "", s->name);
        if (s->models > 1 && n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, " %d of %d",
                                  place->model[i].number + 1, s->models);
    }
    left_text(left, m, place->total);
    if (n < sizeof text)
        snprintf(text + n, sizeof text - n,
                 ": weights %.1f, at work %.1f more, %s %.1f: %.1f of %.*f GiB, %s",
                 plan_gib(place->weights), plan_gib(place->working),
                 machine_itself(m) > 0 ? "driver and system" : "driver",
                 plan_gib(place->total - place->weights - place->working), plan_gib(place->total),
                 decimals(machine_room(m)), plan_gib(machine_room(m)), left);
    show_text(out, 4, text);
}

/* All of it there at once: what is called no offload. Of one GPU or several no run does that. */
static void show_at_once(FILE *out, const struct plan_board *p, const struct plan_tier *t)
{
    const struct machine *m = &p->machine;
    bool holds = machine_holds(m, t->places[0].total);
    char text[PARAGRAPH], more[48] = "";

    if (m->gpus == 0)
        return;
    if (!holds && t->resident_gpus > m->gpus)
        snprintf(more, sizeof more, "; on %d such GPUs it would", t->resident_gpus);
    snprintf(text, sizeof text,
             "without offload, all models there at once%s: %s%s (this version does not do that: "
             "its models take turns%s)",
             m->gpus > 1 ? ", each whole on one GPU" : "", holds ? "fits" : "does not fit", more,
             m->gpus > 1 ? " on one GPU" : "");
    show_text(out, 2, text);
    for (int i = 0; i < t->place_count; i++)
        show_place(out, m, t, i);
    if (t->place_count < m->gpus)
        fprintf(out, "    the other%s: nothing\n", plural((size_t)(m->gpus - t->place_count)));
}

/* Of what sizes are told where no checkpoint is. */
static void show_outlined(FILE *out, const struct forecast *f)
{
    char text[sizeof f->lack.text + PARAGRAPH];
    int n = snprintf(text, sizeof text, "%s%s sizes of the published one, %s",
                     f->lack.code ? f->lack.text : "its checkpoint is not there",
                     f->lack.code ? "; these are the" : ":", f->published[0]->repository);

    if (f->published[1])
        snprintf(text + n, sizeof text - (size_t)n, " and %s", f->published[1]->repository);
    show_text(out, 2, text);
}

static void show_tier(FILE *out, const struct plan_board *p, const struct plan_tier *t)
{
    char text[PARAGRAPH];
    int n = snprintf(text, sizeof text, "%s (%s): ", t->tier->name, t->tier->model);

    if (t->shots == 0)
        snprintf(text + n, sizeof text - (size_t)n, "none of its shots can be planned");
    else
        snprintf(text + n, sizeof text - (size_t)n, "%zu shot%s of %dx%d, %d frame%s%s", t->shots,
                 plural(t->shots), t->width, t->height, t->frames, plural((size_t)t->frames),
                 t->shots > 1 && t->frames > 1 ? " at most" : "");
    fputc('\n', out);
    show_text(out, 0, text);
    if (t->shots == 0)
        return;
    if (t->all.outlined)
        show_outlined(out, &t->all);
    show_stages(out, p, t);
    show_turns(out, p, t);
    show_at_once(out, p, t);
}

/* ---- all of it */

static const char *verdict_of(const struct plan_fault *f)
{
    if (f->refused)
        return "cannot be made";
    /* limits that a person set are input */
    return f->why.code == ERROR_MEMORY || f->why.code == ERROR_INPUT ? "DOES NOT FIT"
                                                                     : "cannot be planned";
}

static void show_faults(FILE *out, const struct plan_board *p)
{
    char text[sizeof p->faults->why.text + PARAGRAPH];

    if (p->fault_count > 0)
        fprintf(out, "\nNot in these figures:\n");
    for (size_t i = 0; i < p->fault_count; i++) {
        const struct plan_fault *f = &p->faults[i];
        int n =
            snprintf(text, sizeof text, "%.200s:%d: shot %s", p->path, f->shot->line, f->shot->id);

        if (f->more)
            n += snprintf(text + n, sizeof text - (size_t)n, " and %zu more", f->more);
        snprintf(text + n, sizeof text - (size_t)n, " %s: %s", verdict_of(f), f->why.text);
        help_wrap(out, text, 4, fprintf(out, "  "), help_width(out));
    }
}

static void show_films_fault(FILE *out, const struct plan_board *p)
{
    const struct machine *m = &p->machine;
    double beside = plan_beside_films(p);
    char text[PARAGRAPH], models[80] = "";

    if (beside > 0)
        snprintf(models, sizeof models, ", %.1f for models at work on the next shot",
                 plan_gib(beside));
    snprintf(text, sizeof text,
             "DOES NOT FIT the host's memory: a film takes %.1f GiB%s, the system %.1f, of %.1f",
             plan_gib(p->film), models, plan_gib(machine_system()),
             plan_gib(machine_itself(m) > 0 ? machine_room(m) : (double)m->host));
    show_text(out, 0, text);
}

static void show_totals(FILE *out, const struct plan_board *p)
{
    char text[PARAGRAPH], least[24], most[24], made[24], film[24];

    if (p->planned == 0) {
        fprintf(out, "\nno shot is planned\n");
        return;
    }
    time_text(most, p->films);
    size_text(film, p->film);
    snprintf(text, sizeof text,
             "titles and films: %s of this machine's processor%s; one at a time takes up to %s of "
             "%s memory",
             most, p->machine.gpus > 0 ? ", beside the GPU's work" : "", film,
             p->machine.gpus > 0 ? "the host's" : "its");
    fputc('\n', out);
    show_text(out, 0, text);
    if (!plan_films_fit(p))
        show_films_fault(out, p);
    size_text(least, p->checkpoints);
    size_text(made, p->made);
    if (p->checkpoints > 0)
        snprintf(text, sizeof text, "disk: %s of weights are read, about %s are made", least, made);
    else
        snprintf(text, sizeof text, "disk: about %s are made", made);
    show_text(out, 0, text);
    if (!plan_disk_holds(p)) {
        size_text(least, p->disk);
        fprintf(out, "DOES NOT FIT the disk: %s are free there\n", least);
    }
    if (!plan_is_timed(p))
        return;
    time_text(least, plan_seconds(p, true));
    time_text(most, plan_seconds(p, false));
    int n = snprintf(text, sizeof text, "time: about %s", most);
    if (plan_seconds(p, true) < plan_seconds(p, false))
        n += snprintf(text + n, sizeof text - (size_t)n,
                      " without any gain of step caches, with what is hoped %s", least);
    time_text(least, plan_loading(p));
    if (p->checkpoints > 0)
        snprintf(text + n, sizeof text - (size_t)n,
                 "; %s of it for loading from a disk taken to read %.0f GB/s, which was not "
                 "measured: less where files are in memory already",
                 least, p->machine.disk / 1e9);
    show_text(out, 0, text);
}

void plan_board_show(FILE *out, const struct plan_board *p)
{
    show_machine(out, p);
    for (int i = 0; i < p->count; i++)
        show_tier(out, p, &p->tiers[i]);
    show_faults(out, p);
    show_totals(out, p);
}
