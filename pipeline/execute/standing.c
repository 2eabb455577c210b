#include "pipeline/execute/standing.h"

const char *standing_name(enum standing s)
{
    static const char *const names[STANDINGS] = {"left", "done", "failed", "running",
                                                 "interrupted"};

    return names[s];
}

enum standing standing_of(const struct plan_job *j, const struct stage_record *r, bool live)
{
    bool same = r && (j->uncompared || hash_equal(r->key, j->key));

    if (j->verdict == VERDICT_FRESH || (j->uncompared && j->reason == REASON_NONE))
        return STANDING_DONE;
    if (j->verdict == VERDICT_BROKEN && !j->uncompared)
        return STANDING_FAILED;
    if (same && r->status == RECORD_FAILED)
        return STANDING_FAILED;
    if (same && r->status == RECORD_RUNNING)
        return live ? STANDING_RUNNING : STANDING_INTERRUPTED;
    return STANDING_LEFT;
}

const char *standing_error(const struct plan *plan, size_t shot, int stage,
                           const struct stage_record *r)
{
    for (size_t i = 0; i < plan->problem_count && !plan_job(plan, shot, stage)->uncompared; i++)
        if (plan->problems[i].shot == shot && (int)plan->problems[i].stage == stage)
            return plan->problems[i].text;
    return r ? r->error : "";
}
