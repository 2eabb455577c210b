/* A file of a production as it is served: what it is, and which of its bytes. */
#ifndef AUTEUR_PIPELINE_REVIEW_SERVER_FILE_H
#define AUTEUR_PIPELINE_REVIEW_SERVER_FILE_H

#include <stdint.h>

struct server_file {
    int fd; /* -1: no bytes are to be sent */
    uint64_t first, count, size;
    const char *type;
    char tag[64];   /* of what it holds: size and time */
    char range[80]; /* "bytes 0-99/1000"; "": the whole */
};

/* The HTTP status: 200, 206, 304, 404 or 416. `root` is a folder's path without links; what lies
 * outside of it, by whatever links, is not found. The headers may be NULL. With 200 and 206 the
 * caller closes fd. */
unsigned server_file_open(struct server_file *f, const char *root, const char *path,
                          const char *range, const char *if_range, const char *if_none_match);

#endif
