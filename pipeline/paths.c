#include "pipeline/paths.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"

int paths_data_dir(struct arena *arena, const char **out, struct error *e)
{
    const char *given = getenv("AUTEUR_DATA");
    char exe[PATH_MAX], *beside, *installed;
    ssize_t n;

    if (given && given[0]) {
        *out = paths_absolute(arena, given);
        if (!*out)
            return error_memory(e);
        if (!path_exists(*out))
            return error_set(e, ERROR_USAGE, "AUTEUR_DATA is %s, and there is no such directory",
                             given);
        return 0;
    }
    n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return error_set(e, ERROR_IO,
                         "cannot tell where this program is: set AUTEUR_DATA to its "
                         "data directory (share/auteur-pipe)");
    exe[n] = '\0';
    *strrchr(exe, '/') = '\0';
    beside = arena_printf(arena, "%s/share/auteur-pipe", exe);
    installed = arena_printf(arena, "%s/../share/auteur-pipe", exe);
    if (!beside || !installed)
        return error_memory(e);
    *out = path_exists(beside) ? beside : installed;
    if (!path_exists(*out))
        return error_set(e, ERROR_IO,
                         "the program's data files are neither in %s nor in %s: run make, or set "
                         "AUTEUR_DATA",
                         beside, installed);
    return 0;
}

const char *paths_absolute(struct arena *arena, const char *path)
{
    char *cwd;
    const char *out;

    if (path[0] == '/')
        return arena_strdup(arena, path);
    cwd = getcwd(NULL, 0);
    out = cwd ? path_join(arena, cwd, path) : NULL;
    free(cwd);
    return out;
}

int paths_cores(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    return 1;
}
