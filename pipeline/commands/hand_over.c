#include "pipeline/commands/hand_over.h"

#include <jansson.h>
#include <stdio.h>

#include "kernels/base/file.h"
#include "pipeline/execute/job.h"
#include "pipeline/handoff/film.h"
#include "pipeline/handoff/sound.h"
#include "pipeline/interrupt.h"
#include "pipeline/progress/show.h"
#include "pipeline/review/page.h"
#include "stages/film/contact_sheet.h"

/* Its time says when all was last handed over. */
#define STAMP ".auteur/handed-over"

struct telling {
    bool json, drawn;
    double told;
};

static void tell_progress(void *ctx, int64_t done, int64_t total)
{
    struct telling *t = ctx;
    double now = clock_monotonic();

    if (t->json || now - t->told < 0.1 || !show_can_redraw(stdout))
        return;
    t->told = now;
    t->drawn = true;
    printf("\rfilm   %lld of %lld frames\033[K", (long long)done, (long long)total);
    fflush(stdout);
}

static void wipe_progress(struct telling *t)
{
    if (t->drawn)
        fputs("\r\033[K", stdout);
    t->drawn = false;
}

static void tell_film(const struct telling *t, const char *made, double seconds)
{
    json_t *line;

    if (!made[0])
        return;
    if (!t->json) {
        printf("film   %s, %.1f s\n", made, seconds);
        return;
    }
    line = json_pack("{s:s, s:s, s:f}", "event", "film", "file", made, "seconds", seconds);
    if (line && json_dumpf(line, stdout, JSON_COMPACT) == 0)
        putchar('\n');
    json_decref(line);
}

static void complain(const char *what, const struct error *why, enum exit_code *status)
{
    if (why->code == ERROR_CANCELLED) {
        *status = EXIT_INTERRUPTED;
        fprintf(stderr, "interrupted: %s is made by the next run\n", what);
        return;
    }
    fprintf(stderr, "auteur-pipe: %s could not be made: %s\n", what, why->text);
    if (*status == EXIT_DELIVERED)
        *status = EXIT_SHOTS;
}

/* When a file was last written, in nanoseconds; 0: it is not there. */
static uint64_t written(const char *dir, const char *name)
{
    struct arena arena = {0};
    struct error ignored = {0};
    struct file_stat st = {0};
    char *path = path_join(&arena, dir, name);

    if (path && file_stat(path, &st, &ignored) != 0)
        st.mtime_ns = 0;
    arena_free(&arena);
    return st.mtime_ns;
}

/* Everything that is handed over follows from the journal and the board: where neither has changed
 * since it last was, and all of it is as it was left, there is nothing to do. */
static bool is_due(const struct workspace *w)
{
    const struct production *p = &w->production;
    const struct {
        const char *name;
        bool wanted;
    } files[] = {{"index.html", true},
                 {"contact-sheet.png", w->board.shot_count <= CONTACT_SHEET_MOST},
                 {"film.mp4", w->board.deliver.film == FILM_ROUGH_CUT}};
    uint64_t last = written(p->dir, STAMP);

    if (last == 0 || last < written(p->journal, "data.mdb") ||
        last < written(p->dir, ".auteur/board.yaml"))
        return true;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        uint64_t at = written(p->dir, files[i].name);

        if (files[i].wanted && (at == 0 || at > last))
            return true;
    }
    return !handoff_is_as_left(&w->board, p, last);
}

static int put_stamp(const struct workspace *w, struct error *e)
{
    struct arena arena = {0};
    char *path = path_join(&arena, w->production.dir, STAMP);
    int rc = path ? file_write_atomic(path, "", 0, e) : error_memory(e);

    arena_free(&arena);
    return rc;
}

int hand_over(struct workspace *w, bool json, enum exit_code *status, struct error *e)
{
    struct telling telling = {.json = json};
    struct film_request request = {.production = &w->production,
                                   .journal = w->journal,
                                   .threads = w->env.device.threads,
                                   .interrupted = interrupt_requested,
                                   .progress = tell_progress,
                                   .ctx = &telling};
    char made[FILM_NAME_SIZE];
    double began = clock_monotonic();
    struct error why = {0};
    struct handoff *h;
    bool whole = true;
    int rc;

    if (sound_write(&w->env, &w->production, w->journal, e) != 0)
        return -1;
    if (!is_due(w))
        return 0;
    if (handoff_open(&w->board, &w->production, w->journal, &h, e) != 0)
        return -1;
    rc = handoff_write(h, e);
    if (rc != 0 || *status == EXIT_INTERRUPTED)
        goto done;
    request.handoff = h;
    request.sound = handoff_mix(h);
    if (contact_sheet_update(h, &w->production, w->journal, &why) != 0) {
        complain("contact-sheet.png", &why, status);
        whole = false;
    }
    error_clear(&why);
    *made = '\0';
    rc = w->board.deliver.film == FILM_NONE ? 0 : film_write(&request, made, &why);
    wipe_progress(&telling);
    whole &= rc == 0;
    if (rc != 0)
        complain("film.mp4", &why, status);
    else
        tell_film(&telling, made, clock_monotonic() - began);
    rc = page_write(w, e);
    if (rc == 0 && whole)
        rc = put_stamp(w, e);
done:
    handoff_close(h);
    return rc;
}
