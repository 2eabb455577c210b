/* What a production has to show: every shot of its board in order, how it stands, the versions that
 * were delivered, and what people said of them. One function gathers it, from the journal and the
 * sheets on disk; the page, `watch` and `notes` tell it. */
#ifndef AUTEUR_PIPELINE_REVIEW_REVIEW_H
#define AUTEUR_PIPELINE_REVIEW_REVIEW_H

#include <jansson.h>

#include "pipeline/execute/workspace.h"
#include "storyboards/film.h"

/* One delivery of a shot. Paths are relative to the production, "/" between folders; NULL: there is
 * no such file. */
struct review_version {
    int number;           /* from 1 */
    const char *film;     /* what plays: with its titles */
    const char *textless; /* without them */
    const char *proxy;    /* small, with slate and timecode */
    const char *poster;
    json_t *sheet;       /* ID.json as it was delivered; NULL: none that can be read */
    const char *verdict; /* "approved", "rejected", or "" */
    bool current;        /* the shot's stable names are this one's */
};

struct review_shot {
    const struct shot *shot;
    struct film_place place; /* in the film */
    const char *state;       /* "delivered", "running", "failed", "interrupted", "waiting" */
    const char *stage;       /* that runs, failed or was interrupted; "" */
    const char *error;       /* of a failed one; "" */
    struct hash128 key;      /* of `stage`, where it runs: its checkpoint's */
    struct review_version *versions; /* the oldest first */
    size_t version_count;
    json_t *notes; /* an array of notes as notes.md tells; NULL: none */
};

struct review {
    struct arena arena;
    const struct board *board;           /* the workspace's */
    const struct production *production; /* likewise */
    bool live;                           /* a run goes on */
    struct review_shot *shots;           /* shot_count of the board */
    size_t count;
};

/* `plan` is of now and of all shots, the journal is open. Free the review in both cases. */
int review_gather(struct review *out, const struct workspace *w, const struct plan *plan, bool live,
                  struct error *e);
void review_free(struct review *r);

/* The versions of a shot in its folder shots/ID: ID_vNNN.json and what lies beside it, else ID.json
 * as version 1. */
int review_versions(struct review *r, struct review_shot *shot, struct error *e);

/* The whole as one JSON object, with sorted keys; NULL: out of memory. What is in it: page_data.c.
 */
json_t *review_json(const struct review *r);

#endif
