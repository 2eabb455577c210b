/* What generate prepares for a group of shots of one tier, one model in memory at a time: keyframes
 * where the tier makes them, then what words and pictures become, then the denoiser. */
#ifndef AUTEUR_STAGES_GENERATE_SESSION_H
#define AUTEUR_STAGES_GENERATE_SESSION_H

#include "stages/generate/settings.h"

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
    size_t encoder_peak; /* bytes of GPU memory while words and pictures were encoded; 0: none */
    void *model;
    struct prepared_shot *shots;
    size_t count;
};

int session_open(const struct stage_group *group, struct session **out, struct error *e);
void session_close(struct session *s); /* NULL-safe */
/* NULL: the shot was not of the group. */
struct prepared_shot *session_shot(struct session *s, const char *id);

#endif
