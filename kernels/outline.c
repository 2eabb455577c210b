#include "kernels/outline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernels/base/strbuf.h"
#include "kernels/tensor.h"

enum { TABLE_MAX = 1 << 20, NAME_SIZE = 400, CHOICES_SIZE = 300, TENSORS_MAX = 1 << 20 };

static _Thread_local bool allowed_here;

void outline_allow(bool allowed)
{
    allowed_here = allowed;
}

bool outline_allowed(void)
{
    return allowed_here;
}

/* The header as it grows, and the bytes that it promises. */
struct outline {
    struct strbuf header;
    uint64_t promised;
    int tensors;
};

/* One line of a table. */
struct row {
    char name[NAME_SIZE], dtype[12], shape[64];
    char sizes[80]; /* the shape as JSON has it */
    uint64_t bytes;
};

static bool read_shape(struct row *r, size_t element)
{
    const char *p = r->shape;
    size_t n = 0;

    r->bytes = element;
    for (;;) {
        char *end;
        unsigned long long size = strtoull(p, &end, 10);

        if (end == p || *p == '-' || __builtin_mul_overflow(r->bytes, (uint64_t)size, &r->bytes))
            return false;
        n += (size_t)snprintf(r->sizes + n, sizeof r->sizes - n, "%s%llu", n ? "," : "", size);
        if (n >= sizeof r->sizes || (*end && *end != 'x'))
            return false;
        if (!*end)
            return true;
        p = end + 1;
    }
}

static bool read_row(struct row *r)
{
    for (int t = 0; t < DTYPES; t++)
        if (strcmp(dtype_name((enum dtype)t), r->dtype) == 0)
            return read_shape(r, dtype_size((enum dtype)t));
    return false;
}

static bool add_tensor(struct outline *o, const char *name, const struct row *r)
{
    uint64_t begin = o->promised;

    if (strpbrk(name, "\"\\") || __builtin_add_overflow(begin, r->bytes, &o->promised) ||
        o->promised > INT64_MAX / 2 || ++o->tensors > TENSORS_MAX)
        return false;
    strbuf_addf(&o->header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[",
                o->tensors > 1 ? "," : "", name, r->dtype, r->sizes);
    strbuf_addf(&o->header, "%" PRIu64 ",%" PRIu64 "]}", begin, o->promised);
    return true;
}

/* Every name that the pattern stands for. */
static bool expand(struct outline *o, const char *pattern, const struct row *r)
{
    const char *open = strchr(pattern, '{'), *close = open ? strchr(open, '}') : NULL;
    char name[NAME_SIZE], choices[CHOICES_SIZE], *rest, *choice;
    int first, last, before;

    if (!open)
        return add_tensor(o, pattern, r);
    if (!close || close - open > CHOICES_SIZE)
        return false;
    before = (int)(open - pattern);
    snprintf(choices, sizeof choices, "%.*s", (int)(close - open - 1), open + 1);
    if (sscanf(choices, "%d-%d", &first, &last) == 2) {
        for (int i = first; i <= last && last - first < TENSORS_MAX; i++) {
            snprintf(name, sizeof name, "%.*s%d%s", before, pattern, i, close + 1);
            if (!expand(o, name, r))
                return false;
        }
        return first <= last && last - first < TENSORS_MAX;
    }
    for (choice = strtok_r(choices, ",", &rest); choice; choice = strtok_r(NULL, ",", &rest)) {
        snprintf(name, sizeof name, "%.*s%s%s", before, pattern, choice, close + 1);
        if (!expand(o, name, r))
            return false;
    }
    return true;
}

static int read_table(struct outline *o, const char *path, char *text, struct error *e)
{
    char *rest, *line = strtok_r(text, "\n", &rest);

    strbuf_add(&o->header, "{");
    for (int n = 1; line; n++, line = strtok_r(NULL, "\n", &rest)) {
        struct row r = {0};
        char extra;

        if (sscanf(line, "%399s %11s %63s %c", r.name, r.dtype, r.shape, &extra) != 3 ||
            !read_row(&r) || !expand(o, r.name, &r))
            return error_set(e, ERROR_MODEL, "%s:%d: not a name, a dtype and a shape like 64x16",
                             path, n);
    }
    strbuf_add(&o->header, "}");
    return o->header.failed ? error_memory(e) : 0;
}

/* Reserved, not taken: only the pages of the header are ever written. */
static int lay_out(const struct outline *o, const char *path, struct file_map *out, struct error *e)
{
    uint64_t length = o->header.length;
    size_t size = sizeof length + o->header.length + (size_t)o->promised;
    uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        return error_errno(e, errno, "reserve addresses for", path);
    for (size_t i = 0; i < sizeof length; i++)
        p[i] = (uint8_t)(length >> 8 * i);
    memcpy(p + sizeof length, o->header.text, o->header.length);
    *out = (struct file_map){p, size};
    return 0;
}

int outline_open(const char *path, struct file_map *out, struct error *e)
{
    struct outline o = {0};
    char *text = NULL;
    size_t size;
    int rc = file_read(path, TABLE_MAX, &text, &size, e);

    if (rc == 0)
        rc = read_table(&o, path, text, e) == 0 ? lay_out(&o, path, out, e) : -1;
    free(text);
    strbuf_free(&o.header);
    return rc;
}
