/* A growing string. A failed allocation sets `failed` and later appends do nothing, so that a
 * caller checks once, at the end. `text` is NUL-terminated, or NULL while nothing was appended. */
#ifndef AUTEUR_BASE_STRBUF_H
#define AUTEUR_BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf {
    char *text;
    size_t length, room;
    bool failed;
};

void strbuf_add(struct strbuf *b, const char *s);
void strbuf_addn(struct strbuf *b, const char *s, size_t n);
void strbuf_addf(struct strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Gives the text to the caller (free()) and empties the buffer; NULL when an append failed; an
 * empty buffer gives an empty string. */
char *strbuf_take(struct strbuf *b);
void strbuf_free(struct strbuf *b);

#endif
