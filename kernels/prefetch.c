#include "kernels/prefetch.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/arena.h"
#include "kernels/base/file.h"
#include "kernels/device_impl.h"

/* What one call asks for: the system reads it before the call returns, or nearly so. */
enum { PIECE = 8 << 20 };

struct prefetch {
    struct arena arena;
    struct folder {
        struct folder *next;
        const char *path;
    } * first, **end;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    atomic_size_t bytes, budget;
};

struct prefetch *prefetch_new(void)
{
    struct prefetch *p = calloc(1, sizeof *p);

    if (p)
        p->end = &p->first;
    return p;
}

void prefetch_add(struct prefetch *p, const char *folder)
{
    struct folder *f = p && !p->started ? arena_alloc(&p->arena, sizeof *f) : NULL;

    if (!f || !(f->path = arena_strdup(&p->arena, folder)))
        return;
    f->next = NULL;
    *p->end = f;
    p->end = &f->next;
}

static bool goes_on(struct prefetch *p)
{
    return !atomic_load(&p->stop) && atomic_load(&p->bytes) < atomic_load(&p->budget);
}

static void bring_file(struct prefetch *p, const char *path)
{
    struct error ignored = {0};
    uint64_t size;
    int fd;

    if (file_open(path, &fd, &size, &ignored) != 0)
        return;
    for (uint64_t at = 0; at < size && goes_on(p); at += PIECE) {
        size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
        posix_fadvise(fd, (off_t)at, (off_t)n, POSIX_FADV_WILLNEED);
        atomic_fetch_add(&p->bytes, n);
    }
    close(fd);
}

/* deep: folders in it as well. */
static void bring_folder(struct prefetch *p, const char *path, bool deep)
{
    struct arena a = {0};
    struct dirent **list;
    int count = scandir(path, &list, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        const char *name = list[i]->d_name, *full = path_join(&a, path, name);
        if (full && name[0] != '.' && goes_on(p)) {
            if (fnmatch("*.safetensors", name, 0) == 0)
                bring_file(p, full);
            else if (deep)
                bring_folder(p, full, false);
        }
        free(list[i]);
    }
    if (count >= 0)
        free(list);
    arena_free(&a);
}

static void *run(void *arg)
{
    struct prefetch *p = arg;

    for (const struct folder *f = p->first; f && goes_on(p); f = f->next)
        bring_folder(p, f->path, true);
    return NULL;
}

void prefetch_start(struct prefetch *p)
{
    size_t left, all;

    if (!p || p->started || !p->first)
        return;
    host_memory(&left, &all);
    atomic_store(&p->budget, left / 2);
    p->started = pthread_create(&p->thread, NULL, run, p) == 0;
}

size_t prefetch_bytes(struct prefetch *p)
{
    return p ? atomic_load(&p->bytes) : 0;
}

void prefetch_finish(struct prefetch *p)
{
    if (p && p->started)
        pthread_join(p->thread, NULL);
    if (p)
        p->started = false;
}

void prefetch_free(struct prefetch *p)
{
    if (!p)
        return;
    atomic_store(&p->stop, true);
    prefetch_finish(p);
    arena_free(&p->arena);
    free(p);
}
