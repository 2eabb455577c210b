/* What a command needs before it can plan: the storyboard, the surroundings of the stages, and the
 * production's journal. Opened in steps; workspace_close() takes any of them back. */
#ifndef AUTEUR_PIPELINE_EXECUTE_WORKSPACE_H
#define AUTEUR_PIPELINE_EXECUTE_WORKSPACE_H

#include <stdio.h>

#include "journal/journal.h"
#include "pipeline/execute/identify.h"
#include "pipeline/execute/plan.h"
#include "pipeline/execute/production.h"

struct workspace {
    struct arena arena;
    struct board board;
    char *board_text; /* as it was read */
    size_t board_size;
    struct production production;
    struct journal *journal;
    bool writable; /* the journal is open for writing */
    struct identify *identify;
    struct stage_env env;
    struct plan_setup setup;
    struct plan plan;
};

/* What was asked for on the command line, now or when the production was last run. "" and 0: not
 * given. Strings in the workspace's arena when they come from the journal. */
struct request {
    const char *board, *tier, *only, *models;
    const char *device;          /* "auto", "cpu" or "cuda" */
    const char *memory;          /* "auto", "safe" or "speed"; NULL: not given */
    const char *vae_memory;      /* "12G"; NULL, "": not given */
    const char *vae_tile;        /* "640x480"; likewise */
    int vae_frames;              /* 0: as published */
    const char *precision;       /* "fp8"; NULL, "": as models are published */
    const char *step_cache;      /* NULL, "": as the board says */
    double step_cache_threshold; /* 0: likewise */
    bool compile;                /* patience for algorithms */
    const char *preset;          /* NULL, "": the first */
    int batch;                   /* 0: as the preset says */
    int jobs;
};

/* Reads the storyboard, prints its problems on `problems`, finds the data files. After printed
 * errors *e only sums up. */
int workspace_board(struct workspace *w, const struct request *r, FILE *problems, struct error *e);
/* The same of text that is already in w->board_text. */
int workspace_board_text(struct workspace *w, const struct request *r, FILE *problems,
                         struct error *e);
/* The same from the copy that the production keeps: what it was last run from. */
int workspace_board_copy(struct workspace *w, const struct request *r, struct error *e);

/* Opens the journal of the production in w->production, for writing with everything made that is
 * missing. Needs no board. */
int workspace_journal(struct workspace *w, enum journal_mode mode, struct error *e);

/* Refuses a glob that no shot's id matches: a slip, not a success. "" matches all. */
int workspace_only(const struct workspace *w, const char *only, struct error *e);

/* Refuses a --step-cache-threshold where neither --step-cache nor a shot switches the cache on. */
int workspace_step_cache(const struct workspace *w, const struct request *r, struct error *e);

/* Makes the plan; without a journal, as if nothing had been made. Needs the board. */
int workspace_plan(struct workspace *w, const struct request *r, struct error *e);

/* The request the production was last run with. ERROR_INPUT when it never was. */
int workspace_recall(struct workspace *w, struct request *r, struct error *e);
/* Refuses (ERROR_USAGE) a production that is of another board. */
int workspace_owns(struct workspace *w, struct error *e);
/* Remembers the request, and the board's text. */
int workspace_remember(struct workspace *w, const struct request *r, struct error *e);

void workspace_close(struct workspace *w);

#endif
