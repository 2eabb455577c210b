/* Whether a shot's pictures are enlarged by a learned upscaler (upscaler.h), and which. */
#ifndef AUTEUR_STAGES_UPSCALER_CHOICE_H
#define AUTEUR_STAGES_UPSCALER_CHOICE_H

#include "stages/generate/tiers.h"

/* *path: the folder of its weights; NULL: a filter does it, since the board says so, the model's
 * picture is as large as the board, or there are none. The weights lie in `upscaler` of the model's
 * checkpoint, whose look they were taught, else in `upscaler` of env->models_dir, for all models; a
 * link there that leads nowhere is ERROR_MODEL. All shots of a tier have the same. The path lives
 * in the arena or the board. */
int upscaler_choose(const struct stage_env *env, const struct tier *tier, const struct shot *shot,
                    struct arena *a, const char **path, struct error *e);

#endif
