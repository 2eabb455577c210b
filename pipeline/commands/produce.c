#include "pipeline/commands/produce.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "pipeline/commands/command.h"
#include "pipeline/commands/hand_over.h"
#include "pipeline/commands/warnings.h"
#include "pipeline/execute/capacity.h"
#include "pipeline/execute/executor.h"
#include "pipeline/execute/job.h"
#include "pipeline/exit_code.h"
#include "pipeline/interrupt.h"
#include "pipeline/paths.h"
#include "pipeline/progress/progress_file.h"
#include "pipeline/progress/show.h"

static int jobs_for(int asked)
{
    int half = (paths_cores() + 1) / 2;

    return asked ? asked : half < 8 ? half : 8;
}

static enum exit_code status_of(const struct execution_result *r)
{
    if (r->interrupted)
        return EXIT_INTERRUPTED;
    if (r->halt.code != ERROR_NONE)
        return r->halt.code == ERROR_JOURNAL ? EXIT_JOURNAL : EXIT_SHOTS;
    return r->failed || r->remaining ? EXIT_SHOTS : EXIT_DELIVERED;
}

static const double MONITOR_PERIOD = 0.25; /* seconds */

/* Begins to watch the machine; says so where a GPU's figures cannot be had. */
static int watch_machine(const struct workspace *w, struct monitor **out, struct error *e)
{
    struct machine_sampler sampler;
    struct device *d;

    if (device_open(&w->env.device, &d, e) != 0)
        return -1;
    sampler = machine_sampler_open(device_facts(d)->bus);
    device_close(d);
    if (sampler.missing[0])
        fprintf(stderr, "auteur-pipe: --monitor has the host's figures alone: %s\n",
                sampler.missing);
    return monitor_start(&sampler, MONITOR_PERIOD, w->production.monitor, out, e);
}

/* A run and who looks at it. What a run makes is films, and what it prints only tells of them: when
 * nobody reads that any more (`run | head`, a log's pipe that broke in the night) it goes on, as
 * ffmpeg does. Who wants it stopped has Ctrl-C; a terminal that closes sends SIGHUP, which stops it
 * in order. */
struct display {
    struct event_sink show;
    const struct progress *progress;
    struct progress_file file;
    bool alone;
};

/* Whether what stands at the other end of the pipe or socket is gone. */
static bool nobody_reads(int fd)
{
    struct pollfd p = {.fd = fd};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP));
}

static void go_on_alone(struct display *d)
{
    int nowhere = -1;

    if (d->alone || !ferror(stdout) || !nobody_reads(STDOUT_FILENO))
        return;
    d->alone = true;
    nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0)
        clearerr(stdout);
    if (nowhere >= 0)
        close(nowhere);
    fprintf(stderr, "auteur-pipe: nobody reads what is printed any more; the run goes on, and "
                    "auteur-pipe status tells how far it is\n");
}

static void show_while_read(void *ctx, const struct event *event)
{
    struct display *d = ctx;

    d->show.emit(d->show.ctx, event);
    progress_file_event(&d->file, d->progress, event);
    go_on_alone(d);
}

static int carry_out(struct workspace *w, const struct request *r, const struct options *o,
                     double began)
{
    struct show *show = calloc(1, sizeof *show);
    struct display display = {.alone = false};
    struct cost_table costs = {0};
    struct execution_result result = {0};
    struct error e = {0};
    enum exit_code status;
    struct execution execution = {.setup = &w->setup,
                                  .plan = &w->plan,
                                  .production = &w->production,
                                  .journal = w->journal,
                                  .jobs = jobs_for(r->jobs),
                                  .interrupted = interrupt_requested};

    if (!show) {
        error_memory(&e);
        return command_failed(&e);
    }
    if (w->plan.to_run && cost_recall(&costs, w->journal, &w->board, w->setup.stages, &e) != 0)
        goto fail;
    progress_init(&show->progress, &w->env, w->setup.stages, execution.jobs, &costs);
    show->out = stdout;
    show->errors = stderr;
    show->verbose = o->verbose;
    show->color = show_wants_color(stdout);
    display.show = (struct event_sink){o->json                   ? show_json
                                       : show_can_redraw(stdout) ? show_terminal
                                                                 : show_plain,
                                       show};
    display.progress = &show->progress;
    display.file.production = &w->production;
    execution.sink = (struct event_sink){show_while_read, &display};
    if (o->monitor && w->plan.to_run && watch_machine(w, &execution.monitor, &e) != 0)
        goto fail;
    if (execution_run(&execution, &result, &e) != 0)
        goto fail;
    monitor_stop(execution.monitor);
    execution.monitor = NULL;
    status = status_of(&result);
    if (result.halt.code == ERROR_NONE && hand_over(w, o->json, &status, &e) != 0)
        goto fail;
    if (o->verbose && !o->json)
        heard_summary(stdout, &show->heard);
    if (!o->json)
        show_summary(stdout, &result, w->production.dir, clock_monotonic() - began);
    fflush(stdout);
    go_on_alone(&display);
    if (result.halt.code != ERROR_NONE)
        command_failed(&result.halt);
    free(show);
    return (int)status;
fail:
    monitor_stop(execution.monitor);
    free(show);
    return command_failed(&e);
}

/* One memory is all there is: weights stay where they are. */
static void refuse_safe(const char *whose)
{
    fprintf(stderr,
            "auteur-pipe: --memory safe is refused: %s, so that weights on the host take the same "
            "room and are copied besides; they stay where they are\n",
            whose);
}

/* A GPU that was asked for must be there before any work is done; so must the memory that weights
 * are to be kept out of. */
static int check_device(struct workspace *w, struct error *e)
{
    bool safe = w->env.device.memory == MEMORY_SAFE;
    struct device *d;
    char whose[sizeof((struct device_facts *)0)->name + 64];

    if (!safe && (w->env.device.kind != DEVICE_CUDA || w->env.device.or_cpu))
        return 0;
    if (device_open(&w->env.device, &d, e) != 0)
        return -1;
    snprintf(whose, sizeof whose, "%s shares its memory with the processor", device_facts(d)->name);
    if (safe && device_kind(d) == DEVICE_CPU) {
        refuse_safe("a processor's memory is the host's");
    } else if (safe && device_facts(d)->unified) {
        refuse_safe(whose);
        w->env.device.memory = MEMORY_SPEED;
    }
    device_close(d);
    return 0;
}

int produce(struct workspace *w, const struct request *r, const struct options *o, double began)
{
    struct error e = {0};

    interrupt_install(); /* before anything is written: whenever it comes, the same is left */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error, like a full disk */
    /* A request is remembered when it has been judged: one that is refused leaves a production as
     * it was, and begins none. */
    if (workspace_only(w, r->only, &e) != 0 || check_device(w, &e) != 0 ||
        workspace_journal(w, JOURNAL_WRITE, &e) != 0 || workspace_owns(w, &e) != 0 ||
        workspace_plan(w, r, &e) != 0 || capacity_check(&w->env, &w->plan, &e) != 0 ||
        workspace_remember(w, r, &e) != 0)
        return command_failed(&e);
    warnings_print(w, r->board);
    return carry_out(w, r, o, began);
}
