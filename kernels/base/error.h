/* Errors are values: a code for the program, a sentence for the person.
 *
 * A function that can fail returns 0 on success and -1 on failure, takes `struct error *` as its
 * last argument and leaves its outputs untouched (or freeable) when it fails. The text names the
 * file, the place in it and the mend. The first failure wins: error_wrap() adds what the caller was
 * doing in front of it ("shot 012: decode: ..."). `e` is never NULL.
 */
#ifndef AUTEUR_BASE_ERROR_H
#define AUTEUR_BASE_ERROR_H

enum error_code {
    ERROR_NONE = 0,
    ERROR_USAGE,     /* the command line */
    ERROR_INPUT,     /* a storyboard, a lexicon: what a person wrote */
    ERROR_IO,        /* a file could not be read or written */
    ERROR_SPACE,     /* the disk or the journal's map is full */
    ERROR_MEMORY,    /* an allocation failed */
    ERROR_JOURNAL,   /* the journal is damaged or of another version */
    ERROR_BUSY,      /* another process holds the journal */
    ERROR_MODEL,     /* a checkpoint does not hold what its form promises */
    ERROR_ABSENT,    /* a checkpoint is not where it should be: its drive is not plugged in */
    ERROR_MEDIA,     /* a clip, picture or font; or a delivered file that fails its checks */
    ERROR_CANCELLED, /* the user interrupted; nothing is wrong */
    ERROR_INTERNAL   /* our own mistake */
};

struct error {
    enum error_code code;
    char text[1000];
};

/* Both return -1, so that `return error_set(e, ...)` reads well. Overlong text is cut. */
int error_set(struct error *e, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "<formatted>: " before the text; the code stays. */
int error_wrap(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "cannot <what> <path>: <strerror>": ENOSPC and EDQUOT become ERROR_SPACE, the rest ERROR_IO. */
int error_errno(struct error *e, int errnum, const char *what, const char *path);
int error_memory(struct error *e); /* "out of memory" */
void error_clear(struct error *e);

/* A stable lower-case word for a code ("space", "media"): for JSON and the journal. */
const char *error_code_name(enum error_code code);

#endif
