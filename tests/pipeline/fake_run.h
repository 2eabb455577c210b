/* A production in a scratch directory, run with the fake stages. */
#ifndef AUTEUR_TESTS_PIPELINE_FAKE_RUN_H
#define AUTEUR_TESTS_PIPELINE_FAKE_RUN_H

#include "journal/journal.h"
#include "pipeline/execute/executor.h"
#include "pipeline/execute/identify.h"
#include "tests/pipeline/fake_stages.h"

/* A production in a directory, opened for one or several runs. */
struct fake_run {
    struct fake_board *board;
    struct production production;
    struct journal *journal;
    struct identify *identify;
    struct stage_env env;
    struct plan_setup setup;
    struct plan plan;
    struct execution execution;
    struct execution_result result;
    struct error error;
    int jobs;
};

static inline bool never_interrupted(void)
{
    return false;
}
static inline void no_sink(void *ctx, const struct event *event)
{
    (void)ctx, (void)event;
}

/* Opens and plans. 0, or -1 with run->error. */
static inline int fake_begin(struct fake_run *run, struct fake_board *board, const char *dir)
{
    *run = (struct fake_run){.board = board, .jobs = 2};
    if (production_name(&run->production, dir, &run->error) != 0 ||
        dir_make(run->production.dir, &run->error) != 0 ||
        dir_make(run->production.journal, &run->error) != 0 ||
        journal_open(run->production.journal, JOURNAL_WRITE, &run->journal, &run->error) != 0)
        return -1;
    run->identify = identify_new(run->journal, true);
    if (!run->identify)
        return -1;
    run->env = (struct stage_env){.board = &board->board,
                                  .data_dir = "",
                                  .models_dir = "",
                                  .tier = "",
                                  .device = {.threads = 1},
                                  .identify = identify_path,
                                  .identify_ctx = run->identify};
    run->setup = (struct plan_setup){.stages = fake_stages,
                                     .env = &run->env,
                                     .journal = run->journal,
                                     .dir = run->production.dir,
                                     .only = ""};
    run->execution = (struct execution){.setup = &run->setup,
                                        .plan = &run->plan,
                                        .production = &run->production,
                                        .journal = run->journal,
                                        .interrupted = never_interrupted,
                                        .sink = {no_sink, NULL}};
    return plan_make(&run->plan, &run->setup, &run->error);
}

static inline int fake_execute(struct fake_run *run)
{
    run->execution.jobs = run->jobs;
    return execution_run(&run->execution, &run->result, &run->error);
}

static inline void fake_end(struct fake_run *run)
{
    plan_free(&run->plan);
    identify_free(run->identify);
    journal_close(run->journal);
    production_free(&run->production);
}

static inline void fake_scratch(char out[64])
{
    const char *tmp = getenv("TMPDIR");

    snprintf(out, 64, "%s/auteur-test-XXXXXX", tmp && strlen(tmp) < 30 ? tmp : "/tmp");
    if (!mkdtemp(out))
        out[0] = '\0';
}

#endif
