#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "pipeline/commands/verify.h"
#include "pipeline/execute/executor.h"
#include "pipeline/execute/job.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/interrupt.h"
#include "pipeline/paths.h"
#include "pipeline/progress/heard.h"
#include "stages/generate/tiers.h"

/* Two latent frames at least, so that whatever runs in time does. */
static const char *const board_text = "name: smoke\nsize: 64x64\nfps: 8\nshots:\n"
                                      "  - {id: smoke, prompt: a boat at dawn, seed: 3, tier: %s, "
                                      "frames: 9, steps: 2}\n";

struct smoke {
    const char *models, *device;
    const char *scratch; /* a folder of its own */
    FILE *notes;
    struct heard heard;
    struct error failure; /* the last that a stage told of */
};

static void hear(void *ctx, const struct event *event)
{
    struct smoke *s = ctx;
    const char *line;

    if (event->kind == EVENT_FAILED || event->kind == EVENT_BROKEN) {
        s->failure = *event->error;
        error_wrap(&s->failure, "%s", event->stage_name);
    }
    line = event->kind == EVENT_NOTE && s->notes ? heard_note(&s->heard, event->note) : NULL;
    if (line)
        fprintf(s->notes, "%s\n", line);
}

/* Plans and carries out the shot of a board that is in the workspace. */
static int make_shot(struct smoke *s, struct workspace *w, const struct request *r,
                     struct execution_result *result, struct error *e)
{
    struct execution x = {.setup = &w->setup,
                          .plan = &w->plan,
                          .production = &w->production,
                          .jobs = 1,
                          .interrupted = interrupt_requested,
                          .sink = {hear, s}};

    if (workspace_journal(w, JOURNAL_WRITE, e) != 0 || workspace_plan(w, r, e) != 0)
        return -1;
    x.journal = w->journal;
    return execution_run(&x, result, e);
}

/* 0: the film is there. */
static int smoke_tier(struct smoke *s, const char *tier, struct error *e)
{
    struct execution_result result = {0};
    struct request r = {
        .board = "smoke.yaml", .tier = "", .only = "", .models = s->models, .device = s->device};
    struct workspace w = {0};
    char text[400], *copy;
    const char *dir;
    int rc;

    snprintf(text, sizeof text, board_text, tier);
    copy = strdup(text);
    dir = arena_printf(&w.arena, "%s/%s", s->scratch, tier);
    if (!copy || !dir) {
        free(copy);
        workspace_close(&w);
        return error_memory(e);
    }
    w.board_text = copy;
    w.board_size = strlen(copy);
    error_clear(&s->failure);
    rc = workspace_board_text(&w, &r, stderr, e);
    if (rc == 0)
        rc = production_name(&w.production, dir, e);
    if (rc == 0)
        rc = make_shot(s, &w, &r, &result, e);
    if (rc == 0 && result.interrupted)
        rc = error_set(e, ERROR_CANCELLED, "interrupted");
    else if (rc == 0 && result.delivered != 1)
        rc = error_set(e, ERROR_MODEL, "%s",
                       s->failure.code ? s->failure.text : "the shot was not delivered");
    workspace_close(&w);
    return rc;
}

static int smoke_all(struct smoke *s, void (*row)(void *ctx, const struct report_row *row),
                     void *ctx, int counts[REPORT_STATES], struct error *e)
{
    for (int i = 0; i < tier_count; i++) {
        const char *tier = tiers_all[i].name;
        double from = clock_monotonic();
        struct error why = {0};
        struct report_row r = {.name = tier,
                               .title = tier,
                               .gpu = -1,
                               .threshold = -1,
                               .scale = 1,
                               .unit = "s",
                               .wanted = "a film of 9 frames"};
        int rc = smoke_tier(s, tier, &why);

        if (rc != 0 && why.code == ERROR_CANCELLED) {
            *e = why;
            return -1;
        }
        r.number = clock_monotonic() - from;
        snprintf(r.value, sizeof r.value, "%.1f s", r.number);
        r.status = rc == 0 ? REPORT_PASS : REPORT_FAIL;
        snprintf(r.note, sizeof r.note, "%.239s", rc == 0 ? "" : why.text);
        counts[r.status]++;
        row(ctx, &r);
    }
    return 0;
}

/* ---- the folder that it works in, which it holds a lock on while it lives */

#define FOLDER "auteur-smoke-"
enum { OLD = 60 }; /* seconds: beyond those between making a folder and locking it */

static int lock_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void remove_if_left(const char *path)
{
    struct error ignored = {0};
    struct stat st;
    int fd = lock_folder(path);

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && st.st_mtime + OLD < time(NULL))
        path_remove(path, &ignored);
    if (fd >= 0)
        close(fd);
}

/* Folders of this user's that were left by kill -9. */
static void remove_left(const char *tmp, struct arena *a)
{
    DIR *d = opendir(tmp);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        const char *path = strncmp(entry->d_name, FOLDER, sizeof FOLDER - 1) == 0
                               ? path_join(a, tmp, entry->d_name)
                               : NULL;

        if (path)
            remove_if_left(path);
    }
    if (d)
        closedir(d);
}

/* *out lives in the arena. Returns the lock, -1 for none, -2 with *e. */
static int make_folder(struct arena *a, char **out, struct error *e)
{
    const char *tmp = getenv("TMPDIR");
    bool named = tmp && tmp[0];

    tmp = named ? tmp : "/tmp";
    remove_left(tmp, a);
    *out = arena_printf(a, "%s/" FOLDER "XXXXXX", tmp);
    if (!*out)
        error_memory(e);
    else if (!mkdtemp(*out))
        error_errno(e, errno,
                    named ? "make a folder where TMPDIR says, like" : "make a folder like", *out);
    else
        return lock_folder(*out);
    return -2;
}

int verify_smoke(const struct options *o, FILE *notes,
                 void (*row)(void *ctx, const struct report_row *row), void *ctx,
                 int counts[REPORT_STATES], struct error *e)
{
    struct smoke *s = calloc(1, sizeof *s);
    struct arena arena = {0};
    struct error ignored = {0};
    char *scratch = NULL;
    const char *data;
    int rc = -1, lock = -2;

    memset(counts, 0, REPORT_STATES * sizeof *counts);
    if (!s)
        return error_memory(e);
    if (paths_data_dir(&arena, &data, e) != 0)
        goto done;
    s->models = path_join(&arena, data, "smoke");
    if (!s->models) {
        error_memory(e);
        goto done;
    }
    lock = make_folder(&arena, &scratch, e);
    if (lock == -2)
        goto done;
    s->scratch = scratch;
    s->device = o->device;
    s->notes = notes;
    rc = smoke_all(s, row, ctx, counts, e);
    path_remove(scratch, &ignored);
done:
    if (lock >= 0)
        close(lock);
    arena_free(&arena);
    free(s);
    return rc;
}
