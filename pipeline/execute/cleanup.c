#include "pipeline/execute/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"

static void drop(void *ctx, const char *path)
{
    const struct production *p = ctx;
    struct arena arena = {0};
    bool ours = strncmp(path, ".auteur/artefacts/", 18) == 0; /* what is delivered stays */
    char *full = path_join(&arena, p->dir, path);

    /* Paths come from the journal, which may be damaged or foreign: never climb out. */
    if (full && ours && !strstr(path, "/.."))
        unlink(full);
    arena_free(&arena);
}

/* The names in .auteur/artefacts that records refer to. */
struct names {
    struct arena arena;
    char **list;
    size_t count, room;
    bool failed;
};

static int collect(void *ctx, const char *shot, const char *stage, const struct stage_record *r)
{
    struct names *n = ctx;

    (void)shot, (void)stage;
    for (size_t i = 0; i < r->artefact_count; i++) {
        const char *path = r->artefacts[i].path;

        if (strncmp(path, ".auteur/artefacts/", 18) != 0)
            continue;
        if (n->count == n->room) {
            size_t room = n->room * 2 + 64;
            char **grown = realloc(n->list, room * sizeof *grown);

            if (!grown) {
                n->failed = true;
                return 1;
            }
            n->list = grown;
            n->room = room;
        }
        n->list[n->count] = arena_strdup(&n->arena, path + 18);
        if (!n->list[n->count]) {
            n->failed = true;
            return 1;
        }
        n->count++;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int remove_unnamed(const struct production *p, const struct names *names, struct error *e)
{
    struct arena arena = {0};
    struct dirent *entry;
    DIR *dir = opendir(p->artefacts);
    int rc = 0;

    if (!dir)
        return errno == ENOENT ? 0 : error_errno(e, errno, "list the directory", p->artefacts);
    while (rc == 0 && (entry = readdir(dir))) {
        char *name = entry->d_name, *path;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            (names->count && bsearch(&name, names->list, names->count, sizeof name, by_name)))
            continue;
        path = path_join(&arena, p->artefacts, name);
        rc = path ? path_remove(path, e) : error_memory(e);
    }
    closedir(dir);
    arena_free(&arena);
    return rc;
}

static int remove_orphans(const struct production *p, struct journal *journal, struct error *e)
{
    struct names names = {0};
    const struct journal_visitor visitor = {.ctx = &names, .record = collect};
    struct journal_view *view;
    int rc;

    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    rc = journal_walk(view, &visitor, e);
    journal_view_end(view);
    if (rc == 0 && names.failed)
        rc = error_memory(e);
    if (rc == 0) {
        if (names.count)
            qsort(names.list, names.count, sizeof *names.list, by_name);
        rc = remove_unnamed(p, &names, e);
    }
    free(names.list);
    arena_free(&names.arena);
    return rc;
}

bool cleanup_due(const struct production *p)
{
    return path_exists(p->tmp);
}

int cleanup_begin(const struct production *p, struct journal *journal, struct error *e)
{
    bool killed = path_exists(p->tmp);

    if (killed && (path_remove(p->tmp, e) != 0 ||
                   journal_sweep(journal, drop, (void *)(uintptr_t)p, e) != 0 ||
                   remove_orphans(p, journal, e) != 0))
        return -1;
    if (dir_make(p->artefacts, e) != 0 || dir_make(p->shots, e) != 0)
        return -1;
    return dir_make(p->tmp, e);
}

void cleanup_end(const struct production *p, struct journal *journal)
{
    struct error ignored = {0};

    journal_sweep(journal, drop, (void *)(uintptr_t)p, &ignored);
    path_remove(p->tmp, &ignored);
}
