#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal/internal.h"

enum { HOLDER_SIZE = 256 /* always written whole, so that it never needs a new disk block */ };

/* Who holds it, as its holder wrote: "process 4711 on HOST since 2026-11-21 08:49:09 UTC". */
static void holder_read(int fd, char out[HOLDER_SIZE])
{
    char text[HOLDER_SIZE];
    ssize_t n = 0;

    /* It may have taken the lock a moment ago and not have written its name yet. */
    for (int tries = 0; tries < 20; tries++) {
        n = pread(fd, text, sizeof text - 1, 0);
        if (n > 0 && memchr(text, '\n', (size_t)n))
            break;
        usleep(5000);
    }
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    for (char *p = text; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    snprintf(out, HOLDER_SIZE, "%s", text[0] ? text : "another process");
}

static void holder_write(int fd)
{
    char text[HOLDER_SIZE] = {0}, host[64] = "", when[32] = "";
    time_t now = time(NULL);
    struct tm tm;
    ssize_t ignored;

    if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "an unnamed host");
    if (gmtime_r(&now, &tm))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &tm);
    snprintf(text, sizeof text, "process %ld on %s since %s\n", (long)getpid(), host, when);
    /* The lock is what counts: on a full disk the name is missing and nothing else. */
    ignored = pwrite(fd, text, sizeof text, 0);
    (void)ignored;
}

int writer_lock_take(const char *dir, int *out, struct error *e)
{
    char *path = NULL, holder[HOLDER_SIZE];
    int fd = -1, rc = -1;

    if (asprintf(&path, "%s/" WRITER_LOCK, dir) < 0)
        return error_memory(e);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (fd < 0) {
        error_errno(e, errno, "open the journal's lock", path);
    } else if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        holder_write(fd);
        *out = fd;
        fd = -1;
        rc = 0;
    } else if (errno == EWOULDBLOCK) {
        holder_read(fd, holder);
        error_set(e, ERROR_BUSY, "the journal %s is in use by %s: wait for it to end, or stop it",
                  dir, holder);
    } else {
        error_errno(e, errno, "lock", path);
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

void writer_lock_release(int fd)
{
    if (fd >= 0)
        close(fd); /* and with it the lock; the file stays, for the next */
}

/* The journals this process has open. */
struct opened {
    struct opened *next;
    const void *who;
    dev_t device;
    ino_t inode;
};
static pthread_mutex_t opened_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct opened *opened_all;

int opened_once(const char *dir, const void *who, struct error *e)
{
    struct opened *mine = malloc(sizeof *mine), *o;
    struct stat st;

    if (!mine)
        return error_memory(e);
    if (stat(dir, &st) != 0) {
        free(mine);
        return error_errno(e, errno, "open the journal", dir);
    }
    *mine = (struct opened){.who = who, .device = st.st_dev, .inode = st.st_ino};
    pthread_mutex_lock(&opened_mutex);
    for (o = opened_all; o; o = o->next)
        if (o->device == mine->device && o->inode == mine->inode)
            break;
    if (!o) {
        mine->next = opened_all;
        opened_all = mine;
    }
    pthread_mutex_unlock(&opened_mutex);
    if (!o)
        return 0;
    free(mine);
    return error_set(e, ERROR_BUSY, "the journal %s is already open in this process", dir);
}

void opened_no_more(const void *who)
{
    struct opened **at, *gone = NULL;

    pthread_mutex_lock(&opened_mutex);
    for (at = &opened_all; *at && (*at)->who != who; at = &(*at)->next)
        ;
    if (*at) {
        gone = *at;
        *at = gone->next;
    }
    pthread_mutex_unlock(&opened_mutex);
    free(gone);
}

enum {
    LMDB_LOCK_SIZE = 64 * 1024 /* room for about a thousand readers, a slot of 64 bytes each */
};

int lmdb_lock_prepare(const char *dir, bool writable, struct error *e)
{
    char *path = NULL;
    struct stat st;
    int fd, rc = 0;

    if (asprintf(&path, "%s/" LMDB_LOCK, dir) < 0)
        return error_memory(e);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0) {
        /* LMDB reads without locks where nothing can be written, and there nobody writes. */
        if (writable || errno != EROFS)
            rc = error_errno(e, errno, "open the journal's reader table", path);
    } else if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rc = error_set(e, ERROR_JOURNAL, "%s is in the way: it is not a regular file; remove it",
                       path);
    } else if (fallocate(fd, 0, 0, LMDB_LOCK_SIZE) != 0 && (errno == ENOSPC || errno == EDQUOT)) {
        rc = error_errno(e, errno, "make room for the journal's reader table", path);
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}
