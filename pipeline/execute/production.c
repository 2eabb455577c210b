#include "pipeline/execute/production.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"

int production_name(struct production *p, const char *dir, struct error *e)
{
    char *cwd = NULL;
    size_t n = strlen(dir);
    int rc = -1;

    *p = (struct production){0};
    while (n > 1 && dir[n - 1] == '/')
        n--;
    p->dir = arena_strndup(&p->arena, dir, n);
    if (dir[0] != '/') {
        cwd = getcwd(NULL, 0);
        if (!cwd) {
            error_errno(e, errno, "find", "the current directory");
            goto done;
        }
        if (strcmp(dir, ".") == 0)
            p->dir = arena_strdup(&p->arena, cwd);
        else if (p->dir)
            p->dir = path_join(&p->arena, cwd, p->dir);
    }
    if (!p->dir) {
        error_memory(e);
        goto done;
    }
    p->journal = path_join(&p->arena, p->dir, ".auteur/journal");
    p->artefacts = path_join(&p->arena, p->dir, ".auteur/artefacts");
    p->board_copy = path_join(&p->arena, p->dir, ".auteur/board.yaml");
    p->tmp = path_join(&p->arena, p->dir, ".auteur/tmp");
    p->monitor = path_join(&p->arena, p->dir, ".auteur/monitor.json");
    p->shots = path_join(&p->arena, p->dir, "shots");
    if (!p->journal || !p->artefacts || !p->board_copy || !p->tmp || !p->monitor || !p->shots) {
        error_memory(e);
        goto done;
    }
    rc = 0;
done:
    free(cwd);
    if (rc != 0)
        production_free(p);
    return rc;
}

void production_free(struct production *p)
{
    arena_free(&p->arena);
    *p = (struct production){0};
}

static bool is_production(const char *dir)
{
    struct arena arena = {0};
    char *journal = path_join(&arena, dir, ".auteur/journal");
    bool is = journal && path_exists(journal);

    arena_free(&arena);
    return is;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int production_find(struct production *p, const char *given, struct error *e)
{
    struct arena arena = {0};
    struct strbuf names = {0};
    struct dirent **entries = NULL;
    const char *only = NULL;
    int n, count = 0, rc = -1;

    if (given[0]) {
        if (!is_production(given))
            return error_set(
                e, ERROR_USAGE,
                "%s is not a production: it has no .auteur/journal; name the folder that "
                "a run wrote, or begin one with: auteur-pipe run BOARD -o %s",
                given, given);
        return production_name(p, given, e);
    }
    if (is_production("."))
        return production_name(p, ".", e);
    n = scandir("out", &entries, not_hidden, alphasort);
    for (int i = 0; i < n; i++) {
        char *dir = path_join(&arena, "out", entries[i]->d_name);

        free(entries[i]);
        if (!dir || !is_production(dir))
            continue;
        strbuf_addf(&names, "%s%s", count++ ? ", " : "", dir);
        only = dir;
    }
    free(entries);
    if (count == 1)
        rc = production_name(p, only, e);
    else if (count == 0)
        error_set(e, ERROR_USAGE, "there is no production here or under ./out: name its directory");
    else
        error_set(e, ERROR_USAGE, "which production? Name one of %s after the command",
                  names.failed ? "those under ./out" : names.text);
    strbuf_free(&names);
    arena_free(&arena);
    return rc;
}
