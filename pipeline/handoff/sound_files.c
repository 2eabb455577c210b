#include "pipeline/handoff/sound_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/hash.h"

/* The version that a file's name gives, when it is one of `stem`; else 0. */
static int version_of(const char *name, const char *stem)
{
    size_t length = strlen(stem);
    int version, end = 0;

    if (strncmp(name, stem, length) != 0 ||
        sscanf(name + length, "_v%6d.wav%n", &version, &end) != 1 || end == 0 ||
        name[length + (size_t)end])
        return 0;
    return version;
}

/* The version that had this content when the journal was last told, there or not; 0: none. *most:
 * the highest that it was told of, if that is higher. */
static int version_before(const struct sound_files *f, const char *stem, const char *digest,
                          int *most)
{
    const char *list;
    json_t *files;
    int found = 0;

    json_object_foreach(f->was, list, files) for (size_t i = 0; i < json_array_size(files); i++)
    {
        const json_t *file = json_array_get(files, i);
        const char *path = json_string_value(json_object_get(file, "path"));
        const char *had = json_string_value(json_object_get(file, "digest"));
        int version = path && strchr(path, '/') ? version_of(strchr(path, '/') + 1, stem) : 0;

        *most = version > *most ? version : *most;
        if (version && had && strcmp(had, digest) == 0)
            found = version;
    }
    return found;
}

/* Which number this content gets, and whether the file is there already. */
static int number_of(const struct sound_files *f, const char *stem, struct hash128 ours,
                     const char *digest, bool *stands, struct error *e)
{
    int found = 0, most = 0, before = version_before(f, stem, digest, &most);
    struct error ignored = {0};
    bool taken = before == 0;
    struct hash128 theirs;
    struct dirent *entry;
    char path[PATH_MAX];
    DIR *d = opendir(f->dir);

    *stands = false;
    if (!d)
        return error_errno(e, errno, "read", f->dir);
    while ((entry = readdir(d))) {
        int version = version_of(entry->d_name, stem);

        most = version > most ? version : most;
        taken |= version && version == before;
        if (version > found &&
            snprintf(path, sizeof path, "%s/%s", f->dir, entry->d_name) < (int)sizeof path &&
            hash_file(path, &theirs, &ignored) == 0 && hash_equal(ours, theirs))
            found = version;
    }
    closedir(d);
    *stands = found > 0;
    return found ? found : taken ? most + 1 : before;
}

static int tell(struct sound_files *f, const struct sound_file *of, const char *file,
                const char *digest, uint64_t size, struct error *e)
{
    json_t *files = json_object_get(f->made, of->list);

    if (!files) {
        files = json_array();
        json_object_set_new(f->made, of->list, files);
    }
    if (json_array_append_new(files,
                              json_pack("{ss ss+ ss sI sI sI}", "name", of->name, "path", "sound/",
                                        file, "digest", digest, "at", (json_int_t)of->at, "frames",
                                        (json_int_t)of->frames, "size", (json_int_t)size)) != 0)
        return error_memory(e);
    return 0;
}

int sound_files_write(struct sound_files *f, const struct sound_file *of, struct error *e)
{
    const struct board *b = f->board;
    const struct sound_label label = {.reference =
                                          sound_of_frame(b->deliver.start + of->at, b->fps),
                                      .description = of->name,
                                      .recipe = of->recipe};
    char *stem = arena_printf(f->arena, "%s.%s", of->name, of->kind);
    char *part = arena_printf(f->arena, "%s/.part", f->dir), *file, *path;
    char digest[HASH_HEX_SIZE];
    struct error ignored = {0};
    struct hash128 content;
    struct file_stat st;
    bool stands;
    int number;

    if (!stem || !part)
        return error_memory(e);
    if (sound_write_file(part, of->sound, &label, e) != 0 || hash_file(part, &content, e) != 0)
        goto failed;
    hash_hex(content, digest);
    number = number_of(f, stem, content, digest, &stands, e);
    if (number < 0)
        goto failed;
    file = arena_printf(f->arena, "%s_v%03d.wav", stem, number);
    path = file ? path_join(f->arena, f->dir, file) : NULL;
    if (!path) {
        error_memory(e);
        goto failed;
    }
    if (stands ? path_remove(part, e) != 0 : file_publish(part, path, e) != 0)
        goto failed;
    return file_stat(path, &st, e) == 0 ? tell(f, of, file, digest, st.size, e) : -1;
failed:
    path_remove(part, &ignored);
    return -1;
}
