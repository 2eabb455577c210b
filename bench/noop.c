/* A run with nothing to do: 10,000 shots of five stages, all up to date. The storyboard is read,
 * every key made anew and every artefact looked at. The peer is GNU make, asked to do nothing for
 * the same files, which only compares times.
 *
 *   bench/noop AUTEUR_PIPE MODEL [SHOTS]
 *
 * MODEL is a checkpoint directory that four of five shots name as theirs (tests/fixtures has one);
 * the fifth is a card. The production is made by the program's own executor and its own stages'
 * keys, with stages that write a few bytes; it lies on /dev/shm, where filling it is quick and
 * reading it is as from a warm cache. Prints the best of five, in seconds, the peak memory, and the
 * ratio.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "pipeline/execute/executor.h"
#include "pipeline/execute/job.h"
#include "pipeline/execute/workspace.h"

enum { ROUNDS = 5 };
static char scratch[] = "/dev/shm/auteur-noop-XXXXXX";

static void write_board(FILE *f, const char *model, int shots)
{
    static const char *const scenes[] = {
        "a harbour at dawn, fishing boats leaving", "a snow-capped mountain above a lake",
        "a city skyline at night, lit windows", "rolling hills under a summer sky"};

    fprintf(f,
            "name: noop\nfps: 24\nsize: 416x240\ndeliver: {film: none}\nlook: 35mm film grain\n");
    fprintf(f, "models: {flagship: \"%s\"}\nshots:\n", model);
    for (int i = 0; i < shots; i++) {
        fprintf(f, "  - id: s%05d\n", i);
        if (i % 5 == 4)
            fprintf(f, "    card: {background: \"#%06x\"}\n    duration: 2s\n", i * 37 & 0xffffff);
        else
            fprintf(f,
                    "    tier: flagship\n    prompt: %s, take %d\n    seed: %d\n"
                    "    frames: 33\n",
                    scenes[i % 4], i, i);
        fprintf(f, "    overlays:\n      - {style: title, text: Shot %d, in: 0.1, out: 1}\n", i);
    }
}

static int small_file(struct stage_job *job, const char *name, bool delivered, struct error *e)
{
    struct artefact a = {.path = path_join(job->arena, job->workdir, name), .delivered = delivered};

    snprintf(a.name, sizeof a.name, "%s", name);
    if (!a.path)
        return error_memory(e);
    if (file_write_atomic(a.path, name, strlen(name), e) != 0)
        return -1;
    return job->output(job, &a, e);
}

static int small_bytes(struct stage_job *job, const char *name, struct error *e)
{
    struct artefact a = {.bytes = "{}", .size = 2};

    snprintf(a.name, sizeof a.name, "%s", name);
    return job->output(job, &a, e);
}

/* As much as the real stages leave, by kind; none of it is looked into by a run with nothing to
 * do. */
static int run_enhance(void *session, struct stage_job *job, struct error *e)
{
    (void)session;
    return small_bytes(job, "prompt.json", e) == 0 ? small_bytes(job, "lettering.json", e) : -1;
}
static int run_generate(void *session, struct stage_job *job, struct error *e)
{
    (void)session;
    return small_bytes(job, "latents", e);
}
static int run_decode(void *session, struct stage_job *job, struct error *e)
{
    (void)session;
    return small_file(job, "master.mkv", false, e);
}
static int run_composite(void *session, struct stage_job *job, struct error *e)
{
    (void)session;
    return small_file(job, "titles.mkv", false, e);
}
static int run_encode(void *session, struct stage_job *job, struct error *e)
{
    (void)session;
    return small_file(job, "deliver.mp4", true, e) == 0
               ? small_file(job, "deliver.poster.png", true, e)
               : -1;
}

static bool never(void)
{
    return false;
}
static void say_nothing(void *ctx, const struct event *event)
{
    (void)ctx, (void)event;
}

static int fill(const char *board, const char *dir, struct error *e)
{
    static int (*const runs[STAGES])(void *, struct stage_job *, struct error *) = {
        run_enhance, run_generate, run_decode, run_composite, run_encode};
    const struct request r = {
        .board = board, .tier = "", .only = "", .models = "", .device = "auto"};
    struct stage quick[STAGES];
    const struct stage *list[STAGES];
    struct workspace w = {0};
    struct execution_result result = {0};
    int rc = -1;

    for (int i = 0; i < STAGES; i++) {
        quick[i] = *stages_all[i];
        quick[i].run = runs[i];
        quick[i].open = NULL;
        quick[i].close = NULL;
        quick[i].check = NULL;
        quick[i].batch = NULL;
        quick[i].run_batch = NULL;
        quick[i].soon = NULL;
        list[i] = &quick[i];
    }
    if (workspace_board(&w, &r, stderr, e) != 0 || production_name(&w.production, dir, e) != 0 ||
        workspace_journal(&w, JOURNAL_WRITE, e) != 0 || workspace_remember(&w, &r, e) != 0 ||
        workspace_plan(&w, &r, e) != 0)
        goto done;
    w.setup.stages = list;
    rc = execution_run(&(struct execution){.setup = &w.setup,
                                           .plan = &w.plan,
                                           .production = &w.production,
                                           .journal = w.journal,
                                           .jobs = 1,
                                           .interrupted = never,
                                           .sink = {say_nothing, NULL}},
                       &result, e);
    if (rc == 0 && result.delivered != w.board.shot_count)
        rc = error_set(e, ERROR_INTERNAL, "%zu of %zu shots filled", result.delivered,
                       w.board.shot_count);
done:
    workspace_close(&w);
    return rc;
}

/* The same files as make knows them: each shot's from its master and titles, those from the
 * board. */
static int list_artefacts(struct workspace *w, FILE *f, struct error *e)
{
    struct journal_view *view;
    size_t files = 0;

    if (journal_view_begin(w->journal, &view, e) != 0)
        return -1;
    fprintf(f, "all: delivered\n.SUFFIXES:\n");
    for (size_t i = 0; i < w->board.shot_count; i++) {
        const char *id = w->board.shots[i].id;
        struct stage_record r[STAGES] = {0};

        for (int s = STAGE_DECODE; s < STAGES; s++)
            if (journal_get(view, id, stages_all[s]->name, &r[s], e) != 1)
                goto fail;
        for (int s = STAGE_DECODE; s <= STAGE_COMPOSITE; s++)
            for (size_t k = 0; k < r[s].artefact_count; k++, files++)
                fprintf(f, "%s: board.yaml\n\ttouch $@\n", r[s].artefacts[k].path);
        for (size_t k = 0; k < r[STAGE_ENCODE].artefact_count; k++, files++)
            fprintf(f, "delivered: %s\n%s: %s %s\n\ttouch $@\n", r[STAGE_ENCODE].artefacts[k].path,
                    r[STAGE_ENCODE].artefacts[k].path, r[STAGE_DECODE].artefacts[0].path,
                    r[STAGE_COMPOSITE].artefacts[0].path);
    }
    fprintf(f, ".PHONY: all delivered\n");
    printf("%zu shots, %zu files\n", w->board.shot_count, files);
    journal_view_end(view);
    return 0;
fail:
    journal_view_end(view);
    return e->code ? -1 : error_set(e, ERROR_INTERNAL, "a record is missing");
}

static int write_makefile(const char *dir, const char *board, const char *path, struct error *e)
{
    const struct request r = {
        .board = board, .tier = "", .only = "", .models = "", .device = "auto"};
    struct workspace w = {0};
    FILE *f = fopen(path, "w");
    int rc = -1;

    if (!f)
        return error_set(e, ERROR_IO, "cannot write %s", path);
    if (workspace_board(&w, &r, NULL, e) == 0 && production_name(&w.production, dir, e) == 0 &&
        workspace_journal(&w, JOURNAL_READ, e) == 0)
        rc = list_artefacts(&w, f, e);
    if (fclose(f) != 0 && rc == 0)
        rc = error_set(e, ERROR_IO, "cannot write %s", path);
    workspace_close(&w);
    return rc;
}

/* Seconds of the fastest run of a command, and its peak memory. */
static double best(char *const argv[], const char *dir, long *peak_kib)
{
    double least = 1e9;

    for (int i = 0; i < ROUNDS; i++) {
        double from = clock_monotonic(), took;
        struct rusage usage;
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            int quiet = open("/dev/null", O_WRONLY);

            dup2(quiet, STDOUT_FILENO);
            if (chdir(dir) == 0)
                execvp(argv[0], argv);
            _exit(127);
        }
        if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || !WIFEXITED(status) ||
            WEXITSTATUS(status) != 0) {
            fprintf(stderr, "%s did not end well\n", argv[0]);
            return -1;
        }
        took = clock_monotonic() - from;
        least = took < least ? took : least;
        *peak_kib = usage.ru_maxrss;
    }
    return least;
}

int main(int argc, char **argv)
{
    int shots = argc > 3 ? atoi(argv[3]) : 10000, rc = 1;
    struct arena arena = {0};
    struct error e = {0}, ignored;
    char *program, *model, *board, *dir, *makefile;
    long ours_kib = 0, make_kib = 0;
    double ours, make;
    FILE *f;

    if (argc < 3 || shots < 1) {
        fprintf(stderr, "usage: noop AUTEUR_PIPE MODEL [SHOTS]\n");
        return 1;
    }
    program = realpath(argv[1], NULL);
    model = realpath(argv[2], NULL);
    if (!program || !model || !mkdtemp(scratch)) {
        fprintf(stderr, "%s, %s or %s is not there\n", argv[1], argv[2], scratch);
        return 1;
    }
    board = path_join(&arena, scratch, "board.yaml");
    dir = path_join(&arena, scratch, "out");
    makefile = path_join(&arena, dir, "Makefile");
    f = fopen(board, "w");
    if (!f)
        goto done;
    write_board(f, model, shots);
    fclose(f);
    if (fill(board, dir, &e) != 0 || write_makefile(dir, board, makefile, &e) != 0)
        goto done;
    /* make compares with the board too: it must be older than what was made from it. */
    symlink(board, path_join(&arena, dir, "board.yaml"));
    ours = best((char *[]){program, "run", board, "-o", dir, NULL}, scratch, &ours_kib);
    make = best((char *[]){"make", "-s", NULL}, dir, &make_kib);
    if (ours < 0 || make < 0)
        goto done;
    printf("auteur-pipe run: %.3f s, %ld MiB (at most 0.5 s and 200 MB asked)\n", ours,
           ours_kib / 1024);
    printf("make:            %.3f s, %ld MiB\n", make, make_kib / 1024);
    printf("ratio:           %.2f\n", ours / make);
    rc = 0;
done:
    if (e.code)
        fprintf(stderr, "%s\n", e.text);
    path_remove(scratch, &ignored);
    arena_free(&arena);
    free(program);
    free(model);
    return rc;
}
