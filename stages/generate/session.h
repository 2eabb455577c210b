/* What generate prepares for a group of shots of one tier, one model in memory at a time: keyframes
 * where the tier makes them, then what words and pictures become, then the denoiser. */
#ifndef AUTEUR_STAGES_GENERATE_SESSION_H
#define AUTEUR_STAGES_GENERATE_SESSION_H

#include "stages/generate/settings.h"
#include "stages/ladder.h"

/* One shot of the group, ready to be sampled. */
struct prepared_shot {
    const char *id;
    struct settings settings; /* its generation has prompt, negative and picture */
    struct conditions conditions;
};

struct session {
    const struct tier *tier;
    struct arena arena;
    struct device *device;
    size_t encoder_peak;  /* bytes of GPU memory while words and pictures were encoded; 0: none */
    int keyframe_cuts;    /* how often keyframes were made in smaller pieces, memory being short */
    void *model;          /* NULL: it could not be opened again after memory ran out */
    struct ladder ladder; /* of the model */
    const char *dir;      /* of the checkpoint */
    const struct stage_env *env;
    struct prepared_shot *shots;
    size_t count;
};

int session_open(const struct stage_group *group, struct session **out, struct error *e);
void session_close(struct session *s); /* NULL-safe */
/* Before a shot: the model, should memory have run out with the last one. */
int session_ready(struct session *s, struct error *e);
/* After a shot failed: whether memory ran out and the model is open again where it needs less; then
 * the shot can go on from its checkpoint. */
bool session_mend(struct session *s, struct error *e);
/* NULL: the shot was not of the group. */
struct prepared_shot *session_shot(struct session *s, const char *id);

#endif
