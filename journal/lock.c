#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal/internal.h"

enum {
    HOLDER_SIZE =
        JOURNAL_WHO_SIZE /* always written whole, so that it never needs a new disk block */
};

/* Who holds it: as its holder wrote it ("process 4711 on HOST since 2026-11-21 08:49:09 UTC"), if
 * the kernel says that it is the same process; it may not have written its name yet, or on a full
 * disk never. */
static void holder_read(int fd, char out[HOLDER_SIZE])
{
    struct flock held = {0};
    char text[HOLDER_SIZE] = "";

    for (int tries = 0; tries < 20; tries++) {
        ssize_t n = pread(fd, text, sizeof text - 1, 0);

        text[n > 0 ? n : 0] = '\0';
        held = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(fd, F_GETLK, &held) != 0 || held.l_type == F_UNLCK)
            held.l_pid = 0; /* it has just let go, or is on another machine */
        if (strchr(text, '\n') &&
            (held.l_pid <= 0 || strtol(text + strcspn(text, "0123456789"), NULL, 10) == held.l_pid))
            break;
        text[0] = '\0';
        usleep(5000);
    }
    text[strcspn(text, "\n")] = '\0';
    for (char *p = text; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    if (text[0])
        snprintf(out, HOLDER_SIZE, "%s", text);
    else if (held.l_pid > 0)
        snprintf(out, HOLDER_SIZE, "process %ld", (long)held.l_pid);
    else
        snprintf(out, HOLDER_SIZE, "another process");
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

int journal_writer(const char *dir, char who[JOURNAL_WHO_SIZE])
{
    struct flock held = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = NULL;
    int fd = -1, found = 0;

    who[0] = '\0';
    if (asprintf(&path, "%s/" WRITER_LOCK, dir) < 0)
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 && fcntl(fd, F_GETLK, &held) == 0 && held.l_type != F_UNLCK) {
        holder_read(fd, who);
        found = 1;
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return found;
}

/* A lock of the process (fcntl), not of the open file (flock): a forked child does not keep it
 * alive, and the kernel lets go of it however the process ends. It would also be lost if this
 * process opened and closed the file once more; opened_once() is asked before, so that it never
 * does. */
int writer_lock_take(const char *dir, int *out, struct error *e)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = NULL, holder[HOLDER_SIZE];
    int fd = -1, rc = -1;

    if (asprintf(&path, "%s/" WRITER_LOCK, dir) < 0)
        return error_memory(e);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (fd < 0) {
        error_errno(e, errno, "open the journal's lock", path);
    } else if (fcntl(fd, F_SETLK, &whole) == 0) {
        holder_write(fd);
        *out = fd;
        fd = -1;
        rc = 0;
    } else if (errno == EAGAIN || errno == EACCES) {
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

/* The journals this process has open; what a parent had open is not this process's. */
struct opened {
    struct opened *next;
    const void *who;
    pid_t pid;
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
    *mine = (struct opened){.who = who, .pid = getpid(), .device = st.st_dev, .inode = st.st_ino};
    pthread_mutex_lock(&opened_mutex);
    for (o = opened_all; o; o = o->next)
        if (o->pid == mine->pid && o->device == mine->device && o->inode == mine->inode)
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

/* Who reads without a line in the table could see pages written anew under him: not while somebody
 * writes. */
static int without_table(const char *dir, struct error *e)
{
    char who[JOURNAL_WHO_SIZE];

    if (journal_writer(dir, who) == 0)
        return 1;
    return error_set(e, ERROR_BUSY,
                     "the journal %s is in use by %s: meanwhile only those may read it who may "
                     "write %s/" LMDB_LOCK,
                     dir, who, dir);
}

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
        if (!writable && errno == EACCES)
            rc = without_table(dir, e);
        else if (writable || errno != EROFS)
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
