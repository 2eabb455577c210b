#include "kernels/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open(const char *path, int *fd, uint64_t *size, struct error *e)
{
    struct stat st;
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int rc = 0;

    if (opened < 0)
        return error_errno(e, errno, "open", path);
    if (fstat(opened, &st) != 0)
        rc = error_errno(e, errno, "stat", path);
    else if (!S_ISREG(st.st_mode))
        rc = error_set(e, ERROR_IO, "%s is not a regular file", path);
    if (rc != 0) {
        close(opened);
        return -1;
    }
    *fd = opened;
    *size = (uint64_t)st.st_size;
    return 0;
}

int file_read(const char *path, size_t limit, char **bytes, size_t *size, struct error *e)
{
    char *data = NULL;
    size_t have = 0, room;
    uint64_t length;
    int fd, rc = -1;

    if (file_open(path, &fd, &length, e) != 0)
        return -1;
    if (length > limit) {
        error_set(e, ERROR_IO, "%s is too large: %llu bytes, at most %zu are read", path,
                  (unsigned long long)length, limit);
        goto done;
    }
    room = (size_t)length + 1;
    data = malloc(room);
    if (!data) {
        error_memory(e);
        goto done;
    }
    while (have < length) {
        ssize_t n = read(fd, data + have, (size_t)length - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_errno(e, errno, "read", path);
            goto done;
        }
        if (n == 0)
            break; /* shortened while we read: what is there is what we have */
        have += (size_t)n;
    }
    data[have] = '\0';
    *bytes = data;
    *size = have;
    data = NULL;
    rc = 0;
done:
    free(data);
    close(fd);
    return rc;
}

int file_refuse_lfs_pointer(const char *path, const void *bytes, size_t size, struct error *e)
{
    static const char first[] = "version https://git-lfs";

    if (size < sizeof first - 1 || memcmp(bytes, first, sizeof first - 1) != 0)
        return 0;
    return error_set(e, ERROR_MODEL,
                     "%s is a Git LFS pointer, a note where the file itself belongs: run `git lfs "
                     "pull` in the clone, or download the file",
                     path);
}

static int fsync_path(const char *path, int flags, struct error *e)
{
    int fd = open(path, flags | O_CLOEXEC);
    int rc = 0;

    if (fd < 0)
        return error_errno(e, errno, "open", path);
    if (fsync(fd) != 0 && errno != EINVAL) /* EINVAL: a file system without directory sync */
        rc = error_errno(e, errno, "sync", path);
    close(fd);
    return rc;
}

static int fsync_parent(const char *path, struct error *e)
{
    const char *slash = strrchr(path, '/');
    char *dir;
    int rc;

    if (!slash)
        return fsync_path(".", O_RDONLY | O_DIRECTORY, e);
    dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!dir)
        return error_memory(e);
    rc = fsync_path(dir, O_RDONLY | O_DIRECTORY, e);
    free(dir);
    return rc;
}

/* A file, or a folder with its files. */
static int fsync_tree(const char *path, struct error *e)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int rc = 0;

    if (!dir && errno != ENOTDIR)
        return error_errno(e, errno, "open", path);
    while (dir && rc == 0 && (entry = readdir(dir))) {
        char *file = NULL;

        if (entry->d_name[0] == '.')
            continue;
        if (asprintf(&file, "%s/%s", path, entry->d_name) < 0)
            rc = error_memory(e);
        else
            rc = fsync_path(file, O_RDONLY, e);
        free(file);
    }
    if (dir)
        closedir(dir);
    return rc == 0 ? fsync_path(path, O_RDONLY, e) : -1;
}

int file_publish(const char *from, const char *to, struct error *e)
{
    if (fsync_tree(from, e) != 0)
        return -1;
    if (rename(from, to) != 0)
        return error_errno(e, errno, "rename a finished file to", to);
    return fsync_parent(to, e);
}

int file_write_atomic(const char *path, const void *bytes, size_t size, struct error *e)
{
    const char *p = bytes;
    size_t left = size;
    char *temp = NULL;
    int fd = -1, rc = -1;

    if (asprintf(&temp, "%s.tmp.%ld", path, (long)getpid()) < 0)
        return error_memory(e);
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        error_errno(e, errno, "create", temp);
        goto done;
    }
    while (left) {
        ssize_t n = write(fd, p, left);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            error_errno(e, errno, "write", path);
            goto done;
        }
        p += n;
        left -= (size_t)n;
    }
    if (close(fd) != 0) {
        fd = -1;
        error_errno(e, errno, "write", path);
        goto done;
    }
    fd = -1;
    rc = file_publish(temp, path, e);
done:
    if (fd >= 0)
        close(fd);
    if (rc != 0)
        unlink(temp);
    free(temp);
    return rc;
}

int file_update(const char *path, const void *bytes, size_t size, struct error *e)
{
    struct error ignored = {0};
    size_t there;
    char *now;
    bool same = false;

    if (file_read(path, size, &now, &there, &ignored) == 0) {
        same = there == size && memcmp(now, bytes, size) == 0;
        free(now);
    }
    return same ? 0 : file_write_atomic(path, bytes, size, e);
}

int dir_make(const char *path, struct error *e)
{
    char *copy = strdup(path);
    int rc = 0;

    if (!copy)
        return error_memory(e);
    for (char *p = copy + 1; rc == 0; p++) {
        char c = *p;

        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            rc = error_errno(e, errno, "make the directory", copy);
        *p = c;
        if (c == '\0')
            break;
    }
    if (rc == 0) {
        struct stat st;

        if (stat(path, &st) != 0)
            rc = error_errno(e, errno, "stat", path);
        else if (!S_ISDIR(st.st_mode))
            rc = error_set(e, ERROR_IO, "%s is in the way: it is not a directory", path);
    }
    free(copy);
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st, (void)type, (void)walk;
    return remove(path);
}

int path_remove(const char *path, struct error *e)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return error_errno(e, errno, "remove", path);
    return 0;
}

char *path_join(struct arena *a, const char *dir, const char *name)
{
    size_t n = strlen(dir);

    if (name[0] == '/' || n == 0)
        return arena_strdup(a, name);
    return arena_printf(a, "%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

bool path_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

int file_stat(const char *path, struct file_stat *out, struct error *e)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return error_errno(e, errno, "stat", path);
    *out = (struct file_stat){.size = (uint64_t)st.st_size,
                              .mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
                                          (uint64_t)st.st_mtim.tv_nsec,
                              .inode = (uint64_t)st.st_ino,
                              .device = (uint64_t)st.st_dev};
    return 0;
}

/* ---- mapped files, which stay open: as many as a model has, not as many as a process may have */

enum { SOURCES = 64 };
static struct source {
    const uint8_t *bytes; /* NULL: free */
    size_t size;
    int fd;
} sources[SOURCES];
static pthread_mutex_t sources_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Takes fd over; false: there is no room. */
static bool remember(const uint8_t *bytes, size_t size, int fd)
{
    int i = 0;

    pthread_mutex_lock(&sources_mutex);
    while (i < SOURCES && sources[i].bytes)
        i++;
    if (i < SOURCES)
        sources[i] = (struct source){bytes, size, fd};
    pthread_mutex_unlock(&sources_mutex);
    return i < SOURCES;
}

static void forget(const uint8_t *bytes)
{
    pthread_mutex_lock(&sources_mutex);
    for (int i = 0; i < SOURCES; i++)
        if (sources[i].bytes == bytes) {
            close(sources[i].fd);
            sources[i] = (struct source){0};
        }
    pthread_mutex_unlock(&sources_mutex);
}

int file_map_source(const void *bytes, size_t size, int64_t *at)
{
    uintptr_t from = (uintptr_t)bytes;
    int fd = -1;

    pthread_mutex_lock(&sources_mutex);
    for (int i = 0; i < SOURCES && fd < 0; i++) {
        uintptr_t begin = (uintptr_t)sources[i].bytes;
        if (begin && from >= begin && from - begin <= sources[i].size &&
            size <= sources[i].size - (from - begin)) {
            *at = (int64_t)(from - begin);
            fd = sources[i].fd;
        }
    }
    pthread_mutex_unlock(&sources_mutex);
    return fd;
}

int file_map_open(const char *path, struct file_map *out, struct error *e)
{
    uint64_t size;
    int fd, rc = 0;

    if (file_open(path, &fd, &size, e) != 0)
        return -1;
    *out = (struct file_map){0};
    if (size) {
        void *p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (p == MAP_FAILED)
            rc = error_errno(e, errno, "map", path);
        else
            *out = (struct file_map){p, (size_t)size};
    }
    if (!out->bytes || !remember(out->bytes, out->size, fd))
        close(fd);
    return rc;
}

void file_map_close(struct file_map *map)
{
    if (map->bytes) {
        forget(map->bytes);
        munmap((void *)(uintptr_t)map->bytes, map->size);
    }
    *map = (struct file_map){0};
}

bool cache_folder(char *out, size_t size)
{
    const char *own = getenv("AUTEUR_CACHE"), *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    struct error ignored = {0};
    int n;

    if (own && *own)
        n = snprintf(out, size, "%s", own);
    else if (cache && cache[0] == '/')
        n = snprintf(out, size, "%s/auteur-pipe", cache);
    else if (home && home[0] == '/')
        n = snprintf(out, size, "%s/.cache/auteur-pipe", home);
    else
        return false;
    return n > 0 && (size_t)n < size && dir_make(out, &ignored) == 0;
}
