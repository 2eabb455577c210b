/* Files and paths. Every function that writes names the path in its error; a full disk is
 * ERROR_SPACE. */
#ifndef AUTEUR_BASE_FILE_H
#define AUTEUR_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"

/* Opens a regular file for reading; anything else (a folder, a device, a pipe that nobody writes
 * to) is refused at once. The caller closes *fd. */
int file_open(const char *path, int *fd, uint64_t *size, struct error *e);

/* The whole file, NUL-terminated (the NUL is not counted). Refuses more than `limit` bytes and
 * anything but a regular file. Caller frees *bytes. */
int file_read(const char *path, size_t limit, char **bytes, size_t *size, struct error *e);

/* A clone made without Git LFS has small notes where the large files belong. Refuses one
 * (ERROR_MODEL, with the mend): `bytes` are the file's, or its beginning. */
int file_refuse_lfs_pointer(const char *path, const void *bytes, size_t size, struct error *e);

/* Temporary name beside `path`, write, fsync, rename, fsync the directory: a reader sees the old
 * file or the new one, never a part. */
int file_write_atomic(const char *path, const void *bytes, size_t size, struct error *e);

/* The same, unless the file says so already: what shows it need not read it again. */
int file_update(const char *path, const void *bytes, size_t size, struct error *e);

/* fsync `from`, a file or a folder of files, rename it to `to` (same file system), fsync `to`'s
 * directory. */
int file_publish(const char *from, const char *to, struct error *e);

/* Makes every missing directory of `path`. */
int dir_make(const char *path, struct error *e);
/* Removes a file or a whole directory tree; a missing one is no error. Never follows links. */
int path_remove(const char *path, struct error *e);

/* Where what can be found out again is kept from run to run, made where it is missing:
 * AUTEUR_CACHE, else auteur-pipe of XDG_CACHE_HOME or ~/.cache. False: there is none. */
bool cache_folder(char *out, size_t size);

/* "a/b", or b alone when it is absolute. NULL: out of memory. */
char *path_join(struct arena *a, const char *dir, const char *name);
bool path_exists(const char *path);

/* What changes when a file's content does, short of reading it. */
struct file_stat {
    uint64_t size, mtime_ns, inode, device;
};
int file_stat(const char *path, struct file_stat *out, struct error *e);

/* A file mapped read-only. `bytes` is NULL for an empty file. */
struct file_map {
    const uint8_t *bytes;
    size_t size;
};
int file_map_open(const char *path, struct file_map *out, struct error *e);
void file_map_close(struct file_map *map);
/* The open file that these bytes of a mapping are in, and where; -1: not known. To read them there
 * instead costs no page faults, and a file that was cut short meanwhile is an error, not a signal.
 * Good until the map is closed. */
int file_map_source(const void *bytes, size_t size, int64_t *at);

#endif
