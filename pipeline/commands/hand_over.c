#include "pipeline/commands/hand_over.h"

#include <jansson.h>
#include <stdio.h>

#include "pipeline/execute/job.h"
#include "pipeline/handoff/film.h"
#include "pipeline/handoff/sound.h"
#include "pipeline/interrupt.h"
#include "pipeline/progress/show.h"
#include "pipeline/review/page.h"

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
    int rc;

    if (sound_write(&w->env, &w->production, w->journal, e) != 0 ||
        handoff_open(&w->board, &w->production, w->journal, &h, e) != 0)
        return -1;
    rc = handoff_write(h, e);
    if (rc != 0 || *status == EXIT_INTERRUPTED)
        goto done;
    request.handoff = h;
    request.sound = handoff_mix(h);
    if (contact_sheet_update(h, &w->production, w->journal, &why) != 0)
        complain("contact-sheet.png", &why, status);
    error_clear(&why);
    rc = film_write(&request, made, &why);
    wipe_progress(&telling);
    if (rc != 0)
        complain("film.mp4", &why, status);
    else
        tell_film(&telling, made, clock_monotonic() - began);
    rc = page_is_due(&w->production) ? page_write(w, e) : 0;
done:
    handoff_close(h);
    return rc;
}
