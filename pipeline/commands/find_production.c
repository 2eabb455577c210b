#include "pipeline/commands/find_production.h"

#include <sys/stat.h>

#include "kernels/base/file.h"
#include "storyboards/board.h"

int find_production(struct production *p, const char *given, struct error *e)
{
    struct board_problems problems = {0};
    struct board board = {0};
    struct arena arena = {0};
    struct stat st;
    const char *dir;
    int rc = -1;

    if (!given[0] || stat(given, &st) != 0 || !S_ISREG(st.st_mode))
        return production_find(p, given, e);
    if (board_read(given, &board, &problems, e) == 0) {
        dir = arena_printf(&arena, "out/%s", board.name);
        rc = dir ? production_find(p, dir, e) : error_memory(e);
        if (rc != 0 && dir && !path_exists(dir))
            error_set(e, ERROR_USAGE,
                      "%s has no production at %s: run it first, or name its folder", given, dir);
    }
    board_problems_free(&problems);
    board_free(&board);
    arena_free(&arena);
    return rc;
}
