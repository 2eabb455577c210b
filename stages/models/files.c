#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "kernels/weight_file.h"
#include "stages/models/inspect_impl.h"

/* Larger JSON files (a tokenizer's vocabulary) are left to the tokenizer's own check. */
enum { JSON_MAX = 1 << 20, POINTER_MAX = 1 << 10 };

static int inspect_file(struct inspection *i, const char *path, uint64_t size, struct error *e)
{
    struct error why = {0};
    json_t *root = NULL;
    char *bytes = NULL;
    int rc = 0;

    if (fnmatch("*.json", path, 0) == 0 && size <= JSON_MAX) {
        if (json_read(path, &root, &why) != 0)
            rc = inspection_error(i, &why, e);
        json_decref(root);
    } else if (size <= POINTER_MAX) {
        if (file_read(path, POINTER_MAX, &bytes, &(size_t){0}, &why) != 0 ||
            file_refuse_lfs_pointer(path, bytes, (size_t)size, &why) != 0)
            rc = inspection_error(i, &why, e);
        free(bytes);
    }
    return rc;
}

static int inspect_entry(struct inspection *i, const char *path, struct component *c,
                         struct error *e)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return inspection_fault(i, e, "%s leads to a file that is not there: download it", path);
    if (!S_ISREG(st.st_mode))
        return 0;
    c->files++;
    c->bytes += (uint64_t)st.st_size;
    return inspect_file(i, path, (uint64_t)st.st_size, e);
}

int inspect_files(struct inspection *i, const char *dir, struct component *c, struct error *e)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    int rc = 0;

    while (d && rc == 0 && (entry = readdir(d))) {
        if (entry->d_name[0] == '.' || weight_file_is_unfinished(entry->d_name))
            continue;
        const char *path = path_join(&i->arena, dir, entry->d_name);
        rc = path ? inspect_entry(i, path, c, e) : error_memory(e);
    }
    if (d)
        closedir(d);
    if (rc == 0 && c->files == 0)
        rc = inspection_fault(i, e, "%s holds no files: download them", dir);
    return rc;
}

/* How many unfinished files lie in the folder, and the path of one. */
static int count_unfinished(const char *dir, struct arena *a, const char **one)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    int count = 0;

    while (d && (entry = readdir(d)))
        if (weight_file_is_unfinished(entry->d_name)) {
            count++;
            *one = path_join(a, dir, entry->d_name);
        }
    if (d)
        closedir(d);
    return count;
}

int inspect_unfinished(struct inspection *i, const struct checkpoint *c, struct error *e)
{
    static const char *const rooms[] = {"", ".cache/huggingface/download"};
    struct arena *a = &i->arena;
    const char *one = NULL;
    int count = 0;

    for (size_t k = 0; k < sizeof rooms / sizeof *rooms; k++) {
        const char *room = *rooms[k] ? path_join(a, c->dir, rooms[k]) : c->dir;
        if (!room)
            return error_memory(e);
        count += count_unfinished(room, a, &one);
        for (size_t n = 0; n < c->component_count; n++) {
            const char *dir = path_join(a, room, c->components[n].name);
            if (!dir)
                return error_memory(e);
            count += count_unfinished(dir, a, &one);
        }
    }
    if (!count)
        return 0;
    return inspection_fault(i, e,
                            "%s%s is an unfinished download: run the download again, it goes on "
                            "from there",
                            one ? one : c->dir, count > 1 ? ", like others," : "");
}
