#include "pipeline/handoff/media_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/strbuf.h"

/* What RFC 3986 lets stand in a path, and the slash. */
void media_url_add(struct strbuf *b, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~/!$&'()*+,;=:@";

    for (; *path; path++) {
        if (strchr(plain, *path))
            strbuf_addn(b, path, 1);
        else
            strbuf_addf(b, "%%%02X", (unsigned char)*path);
    }
}

char *media_url_absolute(const struct timeline *t, const struct medium *m, const char *host)
{
    struct strbuf b = {0};

    strbuf_addf(&b, "file://%s", host);
    if (*m->path != '/') {
        media_url_add(&b, t->root);
        strbuf_add(&b, "/");
    }
    media_url_add(&b, m->path);
    return strbuf_take(&b);
}

char *media_url(const struct timeline *t, const struct medium *m)
{
    struct strbuf b = {0};

    if (*m->path == '/')
        return media_url_absolute(t, m, "");
    media_url_add(&b, m->path);
    return strbuf_take(&b);
}
