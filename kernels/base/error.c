#include "kernels/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *e, enum error_code code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    e->code = code;
    return -1;
}

int error_wrap(struct error *e, const char *format, ...)
{
    char inner[sizeof e->text];
    va_list args;
    int n;

    memcpy(inner, e->text, sizeof inner);
    va_start(args, format);
    n = vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    if (n >= 0 && (size_t)n + 3 < sizeof e->text) {
        size_t room = sizeof e->text - (size_t)n - 3, length = strnlen(inner, room);

        memcpy(e->text + n, ": ", 2);
        memcpy(e->text + n + 2, inner, length);
        e->text[(size_t)n + 2 + length] = '\0';
    }
    return -1;
}

int error_errno(struct error *e, int errnum, const char *what, const char *path)
{
    enum error_code code = errnum == ENOSPC || errnum == EDQUOT ? ERROR_SPACE : ERROR_IO;

    return error_set(e, code, "cannot %s %s: %s", what, path, strerror(errnum));
}

int error_memory(struct error *e)
{
    return error_set(e, ERROR_MEMORY, "out of memory");
}

void error_clear(struct error *e)
{
    e->code = ERROR_NONE;
    e->text[0] = '\0';
}

const char *error_code_name(enum error_code code)
{
    static const char *const names[] = {"none",   "usage",     "input",   "io",    "space",
                                        "memory", "journal",   "busy",    "model", "absent",
                                        "media",  "cancelled", "internal"};

    return (unsigned)code < sizeof names / sizeof names[0] ? names[code] : "internal";
}
