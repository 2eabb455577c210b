#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/machine/measure.h"

enum { CHUNK = 8 << 20, ALIGNMENT = 4096 };
static const double LONGEST = 10; /* seconds; a slow disk is known before its end */
/* Of statfs(2): tmpfs; /proc, whose links lead into what every process sees. */
static const long MEMORY_FILE_SYSTEM = 0x01021994, PROCESSES = 0x9fa0;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* nftw() hands nothing through. */
static _Thread_local struct {
    char path[PATH_MAX];
    off_t size;
} largest;

static bool is_of(const char *path, long file_system)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && (long)fs.f_type == file_system;
}

static int see_file(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    bool whole = (off_t)st->st_blocks * 512 >= st->st_size / 10 * 9; /* holes are not read */

    (void)at;
    if (kind == FTW_D && is_of(path, PROCESSES))
        return FTW_SKIP_SUBTREE;
    if (kind == FTW_F && S_ISREG(st->st_mode) && whole && st->st_size > largest.size &&
        strlen(path) < sizeof largest.path && access(path, R_OK) == 0) {
        largest.size = st->st_size;
        strcpy(largest.path, path);
    }
    return 0;
}

/* -1, or 1 where there is no room for the file (a limit on a file's size is one, too). */
static int cannot_write(const char *path, struct error *e)
{
    int number = errno;

    error_errno(e, number, "write", path);
    return number == ENOSPC || number == EDQUOT || number == EFBIG ? 1 : -1;
}

/* A file of so many bytes that nothing can pack smaller, on the disk and not only in memory. */
static int write_file(int fd, const char *path, char *chunk, size_t most, struct error *e)
{
    uint64_t state = 88172645463325252u;

    for (size_t at = 0; at < most; at += CHUNK) {
        for (size_t i = 0; i < CHUNK / sizeof state; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            memcpy(chunk + i * sizeof state, &state, sizeof state);
        }
        for (size_t done = 0; done < CHUNK;) {
            ssize_t n = write(fd, chunk + done, CHUNK - done);

            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                return cannot_write(path, e);
            done += (size_t)n;
        }
    }
    return fsync(fd) == 0 ? 0 : cannot_write(path, e);
}

/* Past the page cache, or through one that was emptied of it. */
static int open_uncached(const char *path, bool *direct, struct error *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);

    *direct = fd >= 0;
    if (fd < 0)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, errno, "read", path);
    if (!*direct)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* advice: a refusal shows in the figure */
    return fd;
}

static int read_file(const char *path, char *chunk, size_t most, struct measured *out,
                     struct error *e)
{
    bool direct;
    struct statfs fs;
    size_t done = 0;
    ssize_t n = 1;
    double start;
    int fd = open_uncached(path, &direct, e);

    if (fd < 0)
        return -1;
    start = now();
    while (done < most && n > 0 && now() - start < LONGEST) {
        n = read(fd, chunk, CHUNK);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            done += (size_t)n;
    }
    out->value = (double)done / (now() - start);
    if (n < 0) {
        error_errno(e, errno, "read", path);
        close(fd);
        return -1;
    }
    snprintf(out->note, sizeof out->note, "%zu MB of %.150s%s", done / 1000000, path,
             fstatfs(fd, &fs) == 0 && (long)fs.f_type == MEMORY_FILE_SYSTEM
                 ? ", which is memory, no disk"
             : direct ? ""
                      : ", through the page cache");
    close(fd);
    return 0;
}

/* 1: the file cannot be made or has no room there, *e says why. */
static int read_temporary(const char *dir, char *chunk, size_t most, struct measured *out,
                          struct error *e)
{
    char path[PATH_MAX];
    int fd, rc;

    if (snprintf(path, sizeof path, "%s/auteur-verify-XXXXXX", dir) >= (int)sizeof path)
        return error_set(e, ERROR_USAGE, "%.200s: too long a name", dir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        error_errno(e, errno, "make a file in", dir);
        return 1;
    }
    rc = write_file(fd, path, chunk, most, e);
    close(fd);
    if (rc == 0)
        rc = read_file(path, chunk, most, out, e);
    unlink(path);
    return rc;
}

/* Links are followed: weights are often links to files elsewhere. */
static int find_largest(const char *models, struct error *e)
{
    struct stat st;

    largest.size = 0;
    if (!models[0])
        return 0;
    if (stat(models, &st) != 0)
        return error_errno(e, errno, "look through", models);
    if (!S_ISDIR(st.st_mode))
        return error_set(e, ERROR_USAGE,
                         "%.200s is no folder: --models names the one where checkpoints are",
                         models);
    return nftw(models, see_file, 16, FTW_ACTIONRETVAL) == 0
               ? 0
               : error_errno(e, errno, "look through", models);
}

int measure_disk(const char *models, const char *scratch, size_t most, struct measured *out,
                 struct error *e)
{
    char *chunk = aligned_alloc(ALIGNMENT, CHUNK);
    int rc;

    *out = (struct measured){0};
    if (!chunk)
        return error_memory(e);
    rc = find_largest(models, e);
    /* Less than this is over before a disk shows what it can. */
    if (rc == 0 && largest.size >= (off_t)most / 4)
        rc = read_file(largest.path, chunk, most, out, e);
    else if (rc == 0)
        rc = read_temporary(models[0] ? models : scratch, chunk, most, out, e);
    if (rc > 0) {
        snprintf(out->note, sizeof out->note, "no large file to read, and %.200s", e->text);
        error_clear(e);
    }
    free(chunk);
    return rc;
}
