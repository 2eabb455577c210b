/* What words and pictures of several shots become: one model in memory for all of them, on the rung
 * of the ladder that it needs (stages/ladder.h). */
#ifndef AUTEUR_STAGES_GENERATE_ENCODING_H
#define AUTEUR_STAGES_GENERATE_ENCODING_H

#include "stages/generate/family.h"
#include "stages/stage.h"

struct encoding {
    const struct stage_group *group;
    const struct family *family;
    const char *dir, *name; /* of the checkpoint; of whose it is, for people */
    const struct shot_words {
        const struct generation *generation;
        struct conditions *conditions; /* empty before */
    } * shots;
    size_t count;
};

/* *peak: bytes of GPU memory that it took. What was encoded before a failure stays. */
int encode_all(const struct encoding *x, size_t *peak, struct error *e);

/* Adds the folders of a checkpoint's encoders, or of its denoiser. */
void encoding_soon(const struct family *family, const char *dir, bool encoders, struct prefetch *p);

#endif
