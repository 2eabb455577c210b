#include "stages/decode/upscaler_choice.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/file.h"
#include "stages/decode/upscaler.h"

/* `upscaler` in this folder, where it is there. A link that leads nowhere was put there by somebody
 * who wants it. */
static int beside(const char *folder, struct arena *a, const char **path, struct error *e)
{
    const char *at = path_join(a, folder, "upscaler");
    struct stat st;

    if (!at)
        return error_memory(e);
    *path = NULL;
    if (lstat(at, &st) != 0)
        return 0;
    if (stat(at, &st) != 0)
        return error_set(e, ERROR_MODEL, "cannot open %s: %s" UPSCALER_MEND, at, strerror(errno));
    *path = at;
    return 0;
}

int upscaler_choose(const struct stage_env *env, const struct tier *tier, const struct shot *shot,
                    struct arena *a, const char **path, struct error *e)
{
    const struct board *b = env->board;
    struct tier_geometry g;
    const char *checkpoint;

    *path = NULL;
    if (b->deliver.upscale != UPSCALE_LEARNED)
        return 0;
    tier_shot_geometry(env, tier, shot, &g);
    if (g.picture_width >= b->width && g.picture_height >= b->height)
        return 0;
    if (tier_checkpoint(env, tier, a, &checkpoint, e) != 0 || beside(checkpoint, a, path, e) != 0)
        return -1;
    if (*path || !env->models_dir || !*env->models_dir)
        return 0;
    return beside(env->models_dir, a, path, e);
}
