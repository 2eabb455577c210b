#include "kernels/weight_file.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

static bool ends_with_one_of(const char *s, const char *const *ends)
{
    for (; *ends; ends++)
        if (ends_with(s, *ends))
            return true;
    return false;
}

bool weight_file_is_index(const char *name)
{
    return ends_with(name, ".json");
}

bool weight_file_is_pickle(const char *name)
{
    return ends_with_one_of(name, (const char *const[]){".bin", ".pt", ".pth", ".ckpt", NULL});
}

bool weight_file_is_unfinished(const char *name)
{
    return ends_with_one_of(name, (const char *const[]){".incomplete", ".part", ".partial",
                                                        ".crdownload", ".aria2", NULL});
}

/* In the order of preference. The two ways to name a variant's index are those of the reference
 * library, now and before. */
static const char *const names[] = {
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "model.safetensors.index.json",
    "model.safetensors",
    "diffusion_pytorch_model.safetensors.index.fp16.json",
    "diffusion_pytorch_model.fp16.safetensors.index.json",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.safetensors.index.fp16.json",
    "model.fp16.safetensors.index.json",
    "model.fp16.safetensors",
    "diffusion_pytorch_model.safetensors.index.bf16.json",
    "diffusion_pytorch_model.bf16.safetensors.index.json",
    "diffusion_pytorch_model.bf16.safetensors",
    "model.safetensors.index.bf16.json",
    "model.bf16.safetensors.index.json",
    "model.bf16.safetensors",
};

static bool is_lfs_pointer(const char *path)
{
    enum { POINTER_MAX = 1024 };
    struct error ignored = {0};
    char *bytes = NULL;
    size_t size;
    bool pointer = file_read(path, POINTER_MAX, &bytes, &size, &ignored) == 0 &&
                   file_refuse_lfs_pointer(path, bytes, size, &ignored) != 0;

    free(bytes);
    return pointer;
}

/* What lies in a folder that has none of the names. */
struct contents {
    const char *pickle, *shard, *unfinished; /* one of each; NULL: none */
};

static int look_around(const char *dir, struct arena *a, struct contents *out, struct error *e)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    int rc = 0;

    while (d && rc == 0 && (entry = readdir(d))) {
        const char **kind = weight_file_is_pickle(entry->d_name)       ? &out->pickle
                            : weight_file_is_unfinished(entry->d_name) ? &out->unfinished
                            : ends_with(entry->d_name, ".safetensors") ? &out->shard
                                                                       : NULL;
        if (!kind || *kind)
            continue;
        *kind = arena_strdup(a, entry->d_name);
        rc = *kind ? 0 : error_memory(e);
    }
    if (d)
        closedir(d);
    return rc;
}

static int none_found(const char *dir, struct arena *a, struct error *e)
{
    struct contents c = {0};

    if (look_around(dir, a, &c, e))
        return -1;
    if (c.unfinished)
        return error_set(e, ERROR_MODEL,
                         "%s holds no weights yet: %.200s is an unfinished download; run the "
                         "download again, it goes on from there",
                         dir, c.unfinished);
    if (c.shard && strstr(c.shard, "-of-"))
        return error_set(e, ERROR_MODEL,
                         "%s holds no weights that can be used: %.200s is one shard of several, "
                         "and their index (a file .safetensors.index.json) is not there; download "
                         "it from the same repository",
                         dir, c.shard);
    if (c.pickle)
        return error_set(e, ERROR_MODEL,
                         "%s holds no weights that can be read: %.200s is a pickle, which is a "
                         "program and never read; download the .safetensors files of the same "
                         "repository",
                         dir, c.pickle);
    return error_set(e, ERROR_MODEL,
                     "%s holds no weights: neither diffusion_pytorch_model.safetensors nor "
                     "model.safetensors, nor an index or an fp16 form of either%s%.200s%s",
                     dir, c.shard ? "; " : "", c.shard ? c.shard : "",
                     c.shard ? " is none of these names" : "");
}

int weight_file_find(const char *path, struct arena *a, const char **out, struct error *e)
{
    const char *pointer = NULL;

    *out = path;
    if (ends_with(path, ".safetensors") || weight_file_is_index(path)) {
        *out = arena_strdup(a, path);
        return *out ? 0 : error_memory(e);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *name = path_join(a, path, names[i]);
        if (!name)
            return error_memory(e);
        if (!path_exists(name))
            continue;
        *out = name;
        if (!is_lfs_pointer(name))
            return 0;
        if (!pointer)
            pointer = name;
    }
    *out = pointer; /* whoever reads it says what it is */
    return pointer ? 0 : none_found(path, a, e);
}

int weight_file_check_shard(const char *index, const char *shard, const char *path, struct error *e)
{
    if (!*shard || strchr(shard, '/'))
        return error_set(e, ERROR_MODEL, "%s names the shard \"%.200s\": not a plain file name",
                         index, shard);
    if (!path_exists(path))
        return error_set(e, ERROR_MODEL, "%s names a shard that is not there: %s; download it",
                         index, path);
    return 0;
}
