#include "stages/forecast/checkpoint.h"

#include "kernels/base/file.h"
#include "stages/models/layout.h"

/* The outline that stands for a checkpoint that cannot be had; -1: there is none. */
static int take_outline(const struct stage_env *env, bool picture, const struct error *why,
                        struct arena *a, struct forecast *f, const char **dir, struct error *e)
{
    const struct tier *tier = f->tier;
    const char *folder =
        tier->keyframe.family ? picture ? tier->keyframe.folder : tier->keyframe.motion_folder : "";
    const struct published *p = published_find(tier->name, folder);
    const char *where = tier_folder(env, tier, a);

    if (!p) {
        *e = *why;
        return -1;
    }
    f->published[f->outlined] = p;
    f->outlined = true;
    if (where && f->lack.code == ERROR_NONE)
        f->lack = *why;
    f->unusable |= where && layout_explain(where, a);
    *dir = arena_printf(a, "%s/" PUBLISHED_OUTLINES "/%s", env->data_dir, p->outline);
    if (!*dir)
        return error_memory(e);
    return path_exists(*dir) ? 0 : error_set(e, ERROR_IO, "the program's data files lack %s", *dir);
}

int forecast_checkpoint(const struct stage_env *env, bool picture, struct arena *a,
                        struct forecast *f, const char **dir, bool *outlined, struct error *e)
{
    struct error why = {0};
    int rc = picture ? tier_prompt_checkpoint(env, f->tier, a, dir, &why)
                     : tier_checkpoint(env, f->tier, a, dir, &why);

    *outlined = rc != 0 || !*dir;
    return *outlined ? take_outline(env, picture, &why, a, f, dir, e) : 0;
}
