/* The program's side of the CUDA object: found, opened, asked. Links no CUDA library. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/cuda/entry.h"

static const char *const places[] = {
    "%s/libauteur-cuda.so", "%s/lib/libauteur-cuda.so", "%s/../lib/auteur-pipe/libauteur-cuda.so",
    "%s/../../libauteur-cuda.so", /* of a test program in the build folder */
};

/* The directory of the running program. */
static int program_folder(char *out, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    char *slash;

    if (n <= 0)
        return -1;
    out[n] = '\0';
    slash = strrchr(out, '/');
    if (!slash)
        return -1;
    *slash = '\0';
    return 0;
}

static int find_object(char *out, size_t size, struct error *e)
{
    const char *given = getenv("AUTEUR_CUDA");
    char folder[PATH_MAX];

    if (given && *given) {
        if (access(given, R_OK) == 0 && strlen(given) < size) {
            memcpy(out, given, strlen(given) + 1);
            return 0;
        }
        return error_set(e, ERROR_USAGE, "AUTEUR_CUDA names %s, which cannot be read", given);
    }
    if (program_folder(folder, sizeof folder) == 0)
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            int n = snprintf(out, size, places[i], folder);
            if (n > 0 && (size_t)n < size && access(out, R_OK) == 0)
                return 0;
        }
    return error_set(e, ERROR_USAGE,
                     "no libauteur-cuda.so beside the program: build it with `make cuda` (it needs "
                     "NVIDIA's CUDA toolkit), name it in AUTEUR_CUDA, or use --device cpu");
}

int cuda_load(struct device *d, int index, struct error *e)
{
    static const struct cuda_host host = {
        .interface = CUDA_INTERFACE,
        .device_size = sizeof(struct device),
        .ops_size = sizeof(struct ops),
        .tensor_size = sizeof(struct tensor),
        .fail = device_fail,
        .note = device_note_state,
        .alloc = arena_alloc,
        .take = device_take,
        .give = device_give,
        .pool_run = pool_run,
        .file_map_source = file_map_source,
        .tuning_open = tuning_open,
        .tuning_close = tuning_close,
        .tuning_find = tuning_find,
        .tuning_keep = tuning_keep,
        .tuning_path = tuning_path,
    };
    char path[PATH_MAX + 64];
    cuda_open_fn *open;
    void *object;

    if (find_object(path, sizeof path, e))
        return -1;
    object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        return error_set(e, ERROR_USAGE,
                         "cannot open %s: %s. It needs NVIDIA's cuBLAS (libcublasLt) of the CUDA "
                         "release that it was built with",
                         path, dlerror());
    *(void **)&open = dlsym(object, CUDA_OPEN_SYMBOL);
    if (!open) {
        dlclose(object);
        return error_set(e, ERROR_USAGE, "%s is no CUDA object of this program", path);
    }
    /* It stays open: CUDA does not survive being unloaded. */
    if (open(&host, d, index, e))
        return error_wrap(e, "%s", path);
    return 0;
}
