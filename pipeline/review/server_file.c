#include "pipeline/review/server_file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OK = 200, PARTIAL = 206, NOT_MODIFIED = 304, NOT_FOUND = 404, NOT_SATISFIABLE = 416 };

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {".mp4", "video/mp4"}, {".mov", "video/quicktime"}, {".png", "image/png"}};
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* Where an open file lies, all links followed: asked of the file itself, so that nothing can change
 * between the question and the reading. */
static bool lies_within(int fd, const char *root)
{
    char link[40], path[PATH_MAX];
    size_t n = strlen(root);
    ssize_t length;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    return strncmp(path, root, n) == 0 && path[n] == '/';
}

static int open_within(const char *root, const char *path, struct stat *st)
{
    char whole[PATH_MAX];
    int fd;

    if (snprintf(whole, sizeof whole, "%s/%s", root, path) >= (int)sizeof whole)
        return -1;
    fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) && lies_within(fd, root))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool parse_number(const char **at, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)**at))
        return false;
    errno = 0;
    *out = strtoull(*at, &end, 10);
    *at = end;
    return errno == 0;
}

/* One range of RFC 9110, 14.1.2. What is none, or several, asks for the whole. */
static unsigned find_range(struct server_file *f, const char *range)
{
    uint64_t first = 0, last = f->size ? f->size - 1 : 0, n;
    const char *at = range + 6;

    if (strncmp(range, "bytes=", 6) != 0)
        return OK;
    if (*at == '-') {
        at++;
        if (!parse_number(&at, &n) || *at)
            return OK;
        if (n == 0 || f->size == 0)
            return NOT_SATISFIABLE;
        first = n < f->size ? f->size - n : 0;
    } else {
        if (!parse_number(&at, &first) || *at++ != '-')
            return OK;
        if (*at && (!parse_number(&at, &n) || *at || n < first))
            return OK;
        if (first >= f->size)
            return NOT_SATISFIABLE;
        if (at[-1] != '-' && n < last)
            last = n;
    }
    f->first = first;
    f->count = last - first + 1;
    snprintf(f->range, sizeof f->range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, last,
             f->size);
    return PARTIAL;
}

unsigned server_file_open(struct server_file *f, const char *root, const char *path,
                          const char *range, const char *if_range, const char *if_none_match)
{
    unsigned status = OK;
    struct stat st;

    *f = (struct server_file){.fd = open_within(root, path, &st), .type = type_of(path)};
    if (f->fd < 0)
        return NOT_FOUND;
    f->size = f->count = (uint64_t)st.st_size;
    snprintf(f->tag, sizeof f->tag, "\"%llx-%llx\"", (unsigned long long)st.st_size,
             (unsigned long long)st.st_mtim.tv_sec * 1000000000 +
                 (unsigned long long)st.st_mtim.tv_nsec);
    if (if_none_match && strcmp(if_none_match, f->tag) == 0)
        status = NOT_MODIFIED;
    else if (range && (!if_range || strcmp(if_range, f->tag) == 0))
        status = find_range(f, range);
    if (status == NOT_SATISFIABLE)
        snprintf(f->range, sizeof f->range, "bytes */%" PRIu64, f->size);
    if (status == NOT_SATISFIABLE || status == NOT_MODIFIED) {
        close(f->fd);
        f->fd = -1;
    }
    return status;
}
