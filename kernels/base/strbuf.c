#include "kernels/base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct strbuf *b, size_t more)
{
    size_t need = b->length + more + 1;

    if (b->failed)
        return false;
    if (need > b->room) {
        size_t room = b->room ? b->room * 2 : 128;
        char *text;

        if (room < need)
            room = need;
        text = realloc(b->text, room);
        if (!text) {
            b->failed = true;
            return false;
        }
        b->text = text;
        b->room = room;
    }
    return true;
}

void strbuf_addn(struct strbuf *b, const char *s, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->text + b->length, s, n);
    b->length += n;
    b->text[b->length] = '\0';
}

void strbuf_add(struct strbuf *b, const char *s)
{
    strbuf_addn(b, s, strlen(s));
}

void strbuf_addf(struct strbuf *b, const char *format, ...)
{
    va_list args, again;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        b->failed = true;
    else if (reserve(b, (size_t)n)) {
        vsnprintf(b->text + b->length, (size_t)n + 1, format, again);
        b->length += (size_t)n;
    }
    va_end(again);
}

char *strbuf_take(struct strbuf *b)
{
    char *text;

    strbuf_add(b, "");
    text = b->failed ? NULL : b->text;
    if (b->failed)
        free(b->text);
    *b = (struct strbuf){0};
    return text;
}

void strbuf_free(struct strbuf *b)
{
    free(b->text);
    *b = (struct strbuf){0};
}
