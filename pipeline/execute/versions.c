#include "pipeline/execute/versions.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"

static bool hash_of(const char *hex, struct hash128 *out)
{
    for (size_t i = 0; i < sizeof out->bytes; i++)
        if (!hex || sscanf(hex + 2 * i, "%2" SCNx8, &out->bytes[i]) != 1)
            return false;
    return true;
}

static bool read_file_item(const json_t *item, struct arena *arena, struct version_file *out)
{
    const char *name, *path, *digest;

    if (json_unpack((json_t *)(uintptr_t)item, "{s:s,s:s,s:s}", "name", &name, "path", &path,
                    "digest", &digest) != 0 ||
        !hash_of(digest, &out->digest))
        return false;
    out->name = arena_strdup(arena, name);
    out->path = arena_strdup(arena, path);
    return out->name && out->path;
}

static bool read_version(const json_t *item, struct arena *arena, struct version *out)
{
    const char *key;
    json_t *files;
    json_int_t timecode;
    struct version_file *list;

    if (json_unpack((json_t *)(uintptr_t)item, "{s:i,s:i,s:s,s:i,s:I,s:o}", "number", &out->number,
                    "turn", &out->turn, "key", &key, "frames", &out->frames, "timecode", &timecode,
                    "files", &files) != 0 ||
        !hash_of(key, &out->key))
        return false;
    out->timecode = timecode;
    out->file_count = json_array_size(files);
    out->files = list = arena_array(arena, out->file_count + 1, sizeof *list);
    for (size_t i = 0; list && i < out->file_count; i++)
        if (!read_file_item(json_array_get(files, i), arena, &list[i]))
            return false;
    return list;
}

/* The parsed value of a shot's meta; *out is NULL where there is none. */
static int read_meta(struct journal_view *view, const char *kind, const char *shot, json_t **out,
                     struct error *e)
{
    struct arena arena = {0};
    char *name = arena_printf(&arena, "%s:%s", kind, shot);
    const char *text;
    int found = name ? journal_meta_get(view, name, &text, e) : error_memory(e);

    *out = NULL;
    if (found > 0) {
        *out = json_loads(text, JSON_DECODE_ANY, NULL);
        if (!*out)
            found = error_set(e, ERROR_JOURNAL,
                              "the journal's %s is not what this program writes; \"auteur-pipe "
                              "journal check\" tells more",
                              name);
    }
    arena_free(&arena);
    return found < 0 ? -1 : 0;
}

static enum version_review review_of(const json_t *reviews, int number)
{
    char name[16];
    const char *said;

    snprintf(name, sizeof name, "%d", number);
    said = json_string_value(json_object_get(reviews, name));
    return !said                           ? REVIEW_NONE
           : strcmp(said, "approved") == 0 ? REVIEW_APPROVED
           : strcmp(said, "rejected") == 0 ? REVIEW_REJECTED
                                           : REVIEW_NONE;
}

int versions_read(struct journal_view *view, const char *shot, struct arena *arena,
                  struct versions *out, struct error *e)
{
    json_t *list = NULL, *reviews = NULL, *conformed = NULL;
    int rc = -1;

    *out = (struct versions){0};
    if (read_meta(view, "versions", shot, &list, e) != 0 ||
        read_meta(view, "review", shot, &reviews, e) != 0 ||
        read_meta(view, "conform", shot, &conformed, e) != 0)
        goto done;
    out->conformed = (int)json_integer_value(conformed);
    out->items = arena_array(arena, json_array_size(list) + 1, sizeof *out->items);
    if (!out->items) {
        error_memory(e);
        goto done;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct version *v = &out->items[i];

        *v = (struct version){0};
        if (!read_version(json_array_get(list, i), arena, v)) {
            error_set(e, ERROR_JOURNAL, "the journal's versions of shot %s cannot be read", shot);
            goto done;
        }
        v->review = review_of(reviews, v->number);
        out->count++;
    }
    rc = 0;
done:
    json_decref(list);
    json_decref(reviews);
    json_decref(conformed);
    return rc;
}

static json_t *version_json(const struct version *v)
{
    json_t *files = json_array();
    char hex[HASH_HEX_SIZE];
    bool ok = files;

    for (size_t i = 0; ok && i < v->file_count; i++) {
        const struct version_file *f = &v->files[i];

        hash_hex(f->digest, hex);
        ok = json_array_append_new(files, json_pack("{s:s,s:s,s:s}", "name", f->name, "path",
                                                    f->path, "digest", hex)) == 0;
    }
    if (!ok) {
        json_decref(files);
        return NULL;
    }
    hash_hex(v->key, hex);
    return json_pack("{s:i,s:i,s:s,s:i,s:I,s:o}", "number", v->number, "turn", v->turn, "key", hex,
                     "frames", v->frames, "timecode", (json_int_t)v->timecode, "files", files);
}

static int put_meta(struct journal *journal, const char *kind, const char *shot,
                    const json_t *value, struct error *e)
{
    struct arena arena = {0};
    char *name = arena_printf(&arena, "%s:%s", kind, shot);
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
    int rc = name && text ? journal_meta_put(journal, name, text, e) : error_memory(e);

    free(text);
    arena_free(&arena);
    return rc;
}

int versions_add(struct journal *journal, const char *shot, struct arena *arena, struct versions *v,
                 const struct version *fresh, struct error *e)
{
    struct version *items = arena_array(arena, v->count + 1, sizeof *items);
    size_t at = 0;
    int turn = 0;
    json_t *list = json_array();
    bool ok = items && list;
    int rc;

    if (ok && v->count)
        memcpy(items, v->items, v->count * sizeof *items);
    while (at < v->count && v->items[at].number < fresh->number)
        at++;
    for (size_t i = 0; i < v->count; i++)
        turn = v->items[i].turn > turn ? v->items[i].turn : turn;
    if (ok) {
        if (at == v->count)
            v->count++;
        else if (v->items[at].number != fresh->number)
            memmove(&items[at + 1], &items[at], (v->count++ - at) * sizeof *items);
        items[at] = *fresh;
        items[at].turn = turn + 1;
        v->items = items;
    }
    for (size_t i = 0; ok && i < v->count; i++)
        ok = json_array_append_new(list, version_json(&items[i])) == 0;
    rc = ok ? put_meta(journal, "versions", shot, list, e) : error_memory(e);
    json_decref(list);
    return rc;
}

int versions_conform(struct journal *journal, const char *shot, int number, struct error *e)
{
    json_t *value = json_integer(number);
    int rc = put_meta(journal, "conform", shot, value, e);

    json_decref(value);
    return rc;
}

char *version_path(struct arena *arena, const char *shot, int number, const char *name)
{
    const char *dot = strchr(name, '.');

    return arena_printf(arena, "shots/%s/%s_v%03d%s", shot, shot, number, dot ? dot : "");
}

const struct version_file *version_file(const struct version *v, const char *name)
{
    for (size_t i = 0; v && i < v->file_count; i++)
        if (strcmp(v->files[i].name, name) == 0)
            return &v->files[i];
    return NULL;
}

const struct version *versions_of(const struct versions *v, int number)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->items[i].number == number)
            return &v->items[i];
    return NULL;
}

static const struct version *newest(const struct versions *v, enum version_review review)
{
    const struct version *found = NULL;

    for (size_t i = 0; i < v->count; i++)
        if (v->items[i].review == review && (!found || v->items[i].turn > found->turn))
            found = &v->items[i];
    return found;
}

const struct version *versions_current(const struct versions *v)
{
    const struct version *found = newest(v, REVIEW_APPROVED);

    if (!found)
        found = newest(v, REVIEW_NONE);
    return found ? found : newest(v, REVIEW_REJECTED);
}

const struct version *versions_shown(const struct versions *v)
{
    const struct version *chosen = v->conformed ? versions_of(v, v->conformed) : NULL;

    return chosen ? chosen : versions_current(v);
}

/* Whether what stands of a version is as it was left; what is gone can be put back. */
static bool stands_unaltered(const struct production *p, const struct version *v)
{
    struct arena arena = {0};
    struct error ignored = {0};
    bool good = true;

    for (size_t i = 0; good && i < v->file_count; i++) {
        char *path = path_join(&arena, p->dir, v->files[i].path);
        struct hash128 found;

        good = path && (!path_exists(path) || (hash_path(path, &found, &ignored) == 0 &&
                                               hash_equal(found, v->files[i].digest)));
    }
    arena_free(&arena);
    return good;
}

static bool is_same(const struct version *v, const struct version_file *files, size_t count)
{
    if (v->file_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct version_file *f = version_file(v, files[i].name);

        if (!f || !hash_equal(f->digest, files[i].digest))
            return false;
    }
    return true;
}

/* The number in "ID_v012.mp4", or 0. */
static int number_in(const char *name, const char *shot)
{
    size_t n = strlen(shot);
    int number = 0, digits = 0;

    if (strncmp(name, shot, n) != 0 || name[n] != '_' || name[n + 1] != 'v')
        return 0;
    for (name += n + 2; *name >= '0' && *name <= '9' && digits < 6; name++, digits++)
        number = 10 * number + (*name - '0');
    return *name == '.' || *name == '\0' ? number : 0;
}

/* The highest number that the shot's folder knows: a journal may be lost, and a person may have put
 * files there. */
static int highest_on_disk(const struct production *p, const char *shot)
{
    struct arena arena = {0};
    char *path = arena_printf(&arena, "%s/shots/%s", p->dir, shot);
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;
    int most = 0;

    while (dir && (entry = readdir(dir))) {
        int number = number_in(entry->d_name, shot);

        most = number > most ? number : most;
    }
    if (dir)
        closedir(dir);
    arena_free(&arena);
    return most;
}

int versions_number(const struct versions *v, const struct production *p, const char *shot,
                    struct hash128 key, const struct version_file *files, size_t count,
                    struct error *e)
{
    int most = highest_on_disk(p, shot);

    for (size_t i = 0; i < v->count; i++) {
        const struct version *old = &v->items[i];

        if (hash_equal(old->key, key) && is_same(old, files, count) && stands_unaltered(p, old))
            return old->number;
        most = old->number > most ? old->number : most;
    }
    if (most < VERSION_MOST)
        return most + 1;
    error_set(e, ERROR_INPUT, "shot %s has a version of number %d: take it out of shots/%s", shot,
              most, shot);
    return 0;
}

/* Makes `link` a symbolic link to `target`, in place of an older link; leaves anything else. */
static int point(const char *link, const char *target, const char *tmp, struct error *e)
{
    char old[512];
    struct stat st;
    ssize_t n;

    if (lstat(link, &st) == 0 && !S_ISLNK(st.st_mode))
        return 0;
    n = readlink(link, old, sizeof old);
    if (n > 0 && (size_t)n == strlen(target) && memcmp(old, target, (size_t)n) == 0)
        return 0;
    if (path_remove(tmp, e) != 0)
        return -1;
    if (symlink(target, tmp) != 0) /* a file system without them has no stable names */
        return errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS
                   ? 0
                   : error_errno(e, errno, "link", link);
    if (rename(tmp, link) == 0)
        return 0;
    n = errno;
    unlink(tmp);
    return error_errno(e, (int)n, "link", link);
}

/* Takes away the stable names that lead to another version than the current one. */
static void unpoint(const char *folder, const char *shot, const struct version *current)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char target[512];

    while (dir && (entry = readdir(dir))) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        int number;

        if (n <= 0)
            continue;
        target[n] = '\0';
        number = number_in(target, shot);
        if (number && (!current || number != current->number))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

static int point_file(const struct production *p, const char *shot, int number, const char *name,
                      struct arena *arena, struct error *e)
{
    const char *dot = strchr(name, '.'), *path = version_path(arena, shot, number, name);
    char *link = arena_printf(arena, "%s/shots/%s/%s%s", p->dir, shot, shot, dot ? dot : "");
    char *tmp = arena_printf(arena, "%s/.auteur/link.%s", p->dir, shot);

    return path && link && tmp ? point(link, strrchr(path, '/') + 1, tmp, e) : error_memory(e);
}

int versions_point(const struct production *p, const char *shot, const struct versions *v,
                   struct error *e)
{
    const struct version *current = versions_current(v);
    struct arena arena = {0};
    char *folder = arena_printf(&arena, "%s/shots/%s", p->dir, shot);
    int rc = folder ? 0 : error_memory(e);

    for (size_t i = 0; rc == 0 && current && i < current->file_count; i++)
        rc = point_file(p, shot, current->number, current->files[i].name, &arena, e);
    if (rc == 0 && current)
        rc = point_file(p, shot, current->number, VERSION_SHEET, &arena, e);
    if (rc == 0)
        unpoint(folder, shot, current);
    arena_free(&arena);
    return rc;
}

int versions_point_all(const struct production *p, const struct board *b, struct journal *journal,
                       struct error *e)
{
    struct journal_view *view;
    int rc = 0;

    if (journal_view_begin(journal, &view, e) != 0)
        return -1;
    for (size_t i = 0; rc == 0 && i < b->shot_count; i++) {
        struct arena arena = {0};
        struct versions versions;

        rc = versions_read(view, b->shots[i].id, &arena, &versions, e);
        if (rc == 0)
            rc = versions_point(p, b->shots[i].id, &versions, e);
        arena_free(&arena);
    }
    journal_view_end(view);
    return rc;
}
