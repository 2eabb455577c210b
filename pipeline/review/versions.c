/* The deliveries of a shot, told from the names in its folder. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "pipeline/review/review.h"

enum { SHEET_LIMIT = 16 << 20 };

/* What a file of a version is, by what follows ID or ID_vNNN in its name. Of several films the last
 * in this list is the one that browsers play best. */
static const struct {
    const char *suffix;
    size_t offset; /* of the path in struct review_version */
} kinds[] = {
    {".mov", offsetof(struct review_version, film)},
    {".mp4", offsetof(struct review_version, film)},
    {".h264.mp4", offsetof(struct review_version, film)},
    {".textless.mov", offsetof(struct review_version, textless)},
    {".textless.mp4", offsetof(struct review_version, textless)},
    {".proxy.mp4", offsetof(struct review_version, proxy)},
    {".poster.png", offsetof(struct review_version, poster)},
};

/* The suffix of a file of the shot, and its version: 0 for a stable name. NULL: another's. */
static const char *split_name(const char *name, const char *id, int *number)
{
    size_t n = strlen(id);
    const char *rest = name + n;
    char *end;
    long v;

    if (strncmp(name, id, n) != 0)
        return NULL;
    *number = 0;
    if (*rest == '.')
        return rest;
    if (strncmp(rest, "_v", 2) != 0 || !isdigit((unsigned char)rest[2]))
        return NULL;
    v = strtol(rest + 2, &end, 10);
    if (v < 1 || v > INT_MAX || *end != '.')
        return NULL;
    *number = (int)v;
    return end;
}

static struct review_version *version_of(struct review_shot *s, int number)
{
    for (size_t i = 0; i < s->version_count; i++)
        if (s->versions[i].number == number)
            return &s->versions[i];
    return NULL;
}

static json_t *read_sheet(const char *path)
{
    struct error ignored = {0};
    json_t *sheet = NULL;
    char *text;
    size_t size;

    if (file_read(path, SHEET_LIMIT, &text, &size, &ignored) == 0) {
        sheet = json_loadb(text, size, 0, NULL);
        free(text);
    }
    if (json_is_object(sheet))
        return sheet;
    json_decref(sheet);
    return NULL;
}

/* One file, if it is of the kind; a later one goes before an earlier one. */
static int take_file(struct review *r, struct review_shot *s, const char *name, const char *kind,
                     size_t offset, struct error *e)
{
    int number;
    const char *suffix = split_name(name, s->shot->id, &number);
    struct review_version *v = suffix ? version_of(s, number) : NULL;
    char *path;

    if (!v || strcmp(suffix, kind) != 0)
        return 0;
    path = arena_printf(&r->arena, "shots/%s/%s", s->shot->id, name);
    if (!path)
        return error_memory(e);
    *(const char **)(void *)((char *)v + offset) = path;
    return 0;
}

static int take_sheet(struct review *r, struct review_shot *s, const char *name, struct error *e)
{
    int number;
    const char *suffix = split_name(name, s->shot->id, &number), *path;
    struct review_version *v = suffix ? version_of(s, number) : NULL;

    if (!v || v->sheet || strcmp(suffix, ".json") != 0)
        return 0;
    path = arena_printf(&r->arena, "%s/%s/%s", r->production->shots, s->shot->id, name);
    if (!path)
        return error_memory(e);
    v->sheet = read_sheet(path);
    return 0;
}

static int take_files(struct review *r, struct review_shot *s, struct dirent *const *entries, int n,
                      struct error *e)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int i = 0; i < n; i++)
            if (take_file(r, s, entries[i]->d_name, kinds[k].suffix, kinds[k].offset, e) != 0)
                return -1;
    for (int i = 0; i < n; i++)
        if (take_sheet(r, s, entries[i]->d_name, e) != 0)
            return -1;
    return 0;
}

/* The version that the stable names point to; where they are files of their own, the newest. */
static int current_number(const struct review *r, const struct review_shot *s)
{
    static const char *const films[] = {"mp4", "mov"};
    const char *id = s->shot->id;
    char path[PATH_MAX], target[PATH_MAX];
    int number;

    for (size_t i = 0; i < 2; i++) {
        ssize_t n;

        snprintf(path, sizeof path, "%s/%s/%s.%s", r->production->shots, id, id, films[i]);
        n = readlink(path, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        if (n > 0 && split_name(target, id, &number) && number > 0)
            return number;
    }
    return s->version_count ? s->versions[s->version_count - 1].number : 0;
}

static int by_number(const void *a, const void *b)
{
    const struct review_version *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

/* Which numbers there are: those with a sheet, else the stable names alone as one. */
static int count_versions(struct review *r, struct review_shot *s, struct dirent *const *entries,
                          int n, struct error *e)
{
    bool stable = false;
    int number;

    s->versions = arena_array(&r->arena, (size_t)n + 1, sizeof *s->versions);
    if (!s->versions)
        return error_memory(e);
    for (int i = 0; i < n; i++) {
        const char *suffix = split_name(entries[i]->d_name, s->shot->id, &number);

        if (!suffix || strcmp(suffix, ".json") != 0)
            continue;
        stable |= number == 0;
        if (number > 0 && !version_of(s, number))
            s->versions[s->version_count++].number = number;
    }
    if (!s->version_count && stable)
        s->versions[s->version_count++].number = 0;
    qsort(s->versions, s->version_count, sizeof *s->versions, by_number);
    return 0;
}

int review_versions(struct review *r, struct review_shot *s, struct error *e)
{
    const char *dir = path_join(&r->arena, r->production->shots, s->shot->id);
    struct dirent **entries = NULL;
    int n, rc = -1, current;

    if (!dir)
        return error_memory(e);
    n = scandir(dir, &entries, NULL, alphasort);
    if (n < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? 0
                   : error_errno(e, errno, "read the shot's folder", dir);
    if (count_versions(r, s, entries, n, e) != 0 || take_files(r, s, entries, n, e) != 0)
        goto done;
    current = current_number(r, s);
    for (size_t i = 0; i < s->version_count; i++) {
        struct review_version *v = &s->versions[i];

        v->verdict = "";
        v->current = v->number == current;
        if (v->number == 0)
            v->number = 1;
    }
    rc = 0;
done:
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    return rc;
}
