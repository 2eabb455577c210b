#include "journal/verify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "journal/records.h"

enum { DEPTH_MAX = 32 /* LMDB's own cursor depth */ };

struct span {
    const uint8_t *bytes; /* NULL: no bound */
    size_t size;
};

struct walk {
    struct verify *v;
    struct page_file file;
    struct page_meta meta;
    uint8_t *used; /* a bit a page up to the meta's last one */
    uint8_t *pages[DEPTH_MAX];
    uint8_t *big; /* a value from overflow pages */
    size_t big_room;
    bool is_free_tree, stop, no_memory;
    struct page_tree seen;
    uint64_t serial; /* of the format record */
};

static void problem(struct walk *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void problem(struct walk *w, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (w->v->problem(w->v->ctx, text) != 0)
        w->stop = true;
}

/* Marks `count` pages from `first` as used; false when any is out of range or used already. */
static bool claim(struct walk *w, uint64_t first, uint64_t count)
{
    if (first < 2 || first > w->meta.last_page || count > w->meta.last_page - first + 1)
        return false;
    for (uint64_t p = first; p < first + count; p++) {
        if (w->used[p / 8] & 1u << (p % 8))
            return false;
        w->used[p / 8] |= (uint8_t)(1u << (p % 8));
    }
    return true;
}

static int key_compare(const struct walk *w, struct span a, struct span b)
{
    size_t n = a.size < b.size ? a.size : b.size;
    int order;

    if (w->is_free_tree) {
        uint64_t x, y;

        memcpy(&x, a.bytes, sizeof x);
        memcpy(&y, b.bytes, sizeof y);
        return x < y ? -1 : x > y;
    }
    order = memcmp(a.bytes, b.bytes, n);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static bool key_size_ok(const struct walk *w, size_t size)
{
    return w->is_free_tree ? size == 8 : size >= 1 && size <= KEY_MAX;
}

/* The data of a leaf node: in the page, or read from its overflow pages into w->big. False: it
 * cannot be had, and the problem was told. *out is NULL when it need not be read. */
static bool node_data(struct walk *w, uint64_t page, const struct page_node *n, const uint8_t **out)
{
    uint8_t raw[PAGE_HEAD + ENVELOPE_HEAD + KEY_MAX];
    struct page_head h;
    size_t whole = n->data_size + PAGE_HEAD, begin = whole < sizeof raw ? whole : sizeof raw;
    uint64_t least = (whole + w->file.page_size - 1) / w->file.page_size;
    char what[160];

    *out = n->data;
    if (!(n->flags & NODE_BIG))
        return true;
    if (!page_read(&w->file, n->page, raw, begin)) {
        problem(w, "page %llu points at page %llu, which %s", (unsigned long long)page,
                (unsigned long long)n->page, errno ? "cannot be read" : "is beyond the file's end");
        return false;
    }
    h = page_head(raw);
    if (h.number != n->page || h.flags != PAGE_OVERFLOW || h.overflow_pages < least ||
        h.overflow_pages > w->file.pages - n->page || !claim(w, n->page, h.overflow_pages)) {
        problem(w, "page %llu is not the start of the %llu overflow pages it should be",
                (unsigned long long)n->page, (unsigned long long)least);
        return false;
    }
    w->seen.overflow_pages += h.overflow_pages;
    if (!w->is_free_tree &&
        !envelope_fits(raw + PAGE_HEAD, begin - PAGE_HEAD, n->data_size, n->key, n->key_size)) {
        key_describe(n->key, n->key_size, what, sizeof what);
        problem(w, "page %llu: what lies there is not %s", (unsigned long long)n->page, what);
        return false;
    }
    if (!w->v->deep && !w->is_free_tree)
        return true;
    if (whole > w->big_room) {
        uint8_t *grown = realloc(w->big, whole);

        if (!grown) {
            w->no_memory = w->stop = true;
            return false;
        }
        w->big = grown;
        w->big_room = whole;
    }
    if (!page_read(&w->file, n->page, w->big, whole)) {
        problem(w, "the overflow pages from page %llu cannot be read", (unsigned long long)n->page);
        return false;
    }
    *out = w->big + PAGE_HEAD;
    return true;
}

/* A list of free pages: count, then page numbers, falling. */
static void free_list(struct walk *w, uint64_t page, const uint8_t *data, size_t size)
{
    uint64_t count = 0, before = UINT64_MAX, p;
    bool sound = size >= 8 && size % 8 == 0;

    if (sound)
        memcpy(&count, data, 8);
    sound = sound && count <= size / 8 - 1;
    for (uint64_t i = 1; sound && i <= count; i++) {
        memcpy(&p, data + 8 * i, 8);
        sound = p < before && claim(w, p, 1);
        before = p;
    }
    w->v->free_pages += sound ? count : 0;
    if (!sound)
        problem(w, "the list of free pages in page %llu is damaged", (unsigned long long)page);
}

/* Every transaction writes the format record anew, so its serial is the transaction's own: a meta
 * page whose number or root was damaged is found out by it. */
static void format_value(struct walk *w, const struct envelope *v)
{
    struct format_record f;

    w->serial = v->serial;
    if (decode_format(v, &f) && f.version == FORMAT_VERSION &&
        v->serial != f.serial_base + w->meta.txnid)
        problem(w, "the meta page's transaction number does not fit what it leads to");
}

static void value(struct walk *w, uint64_t page, const struct page_node *n, const uint8_t *data)
{
    struct envelope v = {0};
    char what[160];

    if (data && (!envelope_open(data, n->data_size, true, &v) || v.key_size != n->key_size ||
                 memcmp(v.key, n->key, n->key_size) != 0)) {
        key_describe(n->key, n->key_size, what, sizeof what);
        problem(w, "page %llu: %s is damaged: its checksum does not match",
                (unsigned long long)page, what);
        return;
    }
    if (w->v->value(w->v->ctx, n->key, n->key_size, &v) != 0)
        w->stop = true;
    else if (data && n->key_size == 1 && n->key[0] == TABLE_FORMAT)
        format_value(w, &v);
}

static void leaf(struct walk *w, uint64_t number, const uint8_t *page, struct span low,
                 struct span high)
{
    size_t count = page_node_count(page);
    struct span before = {0};

    w->seen.leaf_pages++;
    for (size_t i = 0; i < count && !w->stop; i++) {
        struct page_node n = page_node(page, i);
        struct span key = {n.key, n.key_size};
        const uint8_t *data;

        if (!key_size_ok(w, n.key_size) || (n.flags & ~NODE_BIG)) {
            problem(w, "page %llu: entry %zu is of a kind that no journal has",
                    (unsigned long long)number, i);
            continue;
        }
        if ((before.bytes && key_compare(w, before, key) >= 0) ||
            (i == 0 && low.bytes && key_compare(w, key, low) < 0) ||
            (high.bytes && key_compare(w, key, high) >= 0))
            problem(w, "page %llu: entry %zu is out of order", (unsigned long long)number, i);
        before = key;
        w->seen.entries++;
        if (w->stop || !node_data(w, number, &n, &data))
            continue;
        if (w->is_free_tree)
            free_list(w, number, data, n.data_size);
        else
            value(w, number, &n, data);
    }
}

static void subtree(struct walk *w, uint64_t number, unsigned level, struct span low,
                    struct span high);

static void branch(struct walk *w, uint64_t number, const uint8_t *page, unsigned level,
                   struct span low, struct span high)
{
    size_t count = page_node_count(page);
    struct span from = low;

    w->seen.branch_pages++;
    for (size_t i = 0; i < count && !w->stop; i++) {
        struct page_node n = page_node(page, i);
        struct span to = high;

        /* The first key of a branch page stands for "everything below"; LMDB does not read it. */
        if (i + 1 < count) {
            struct page_node next = page_node(page, i + 1);

            to = (struct span){next.key, next.key_size};
            if (!key_size_ok(w, to.size) || (from.bytes && key_compare(w, from, to) >= 0) ||
                (high.bytes && key_compare(w, to, high) >= 0)) {
                problem(w, "page %llu: entry %zu is out of order", (unsigned long long)number,
                        i + 1);
                return;
            }
        }
        subtree(w, n.page, level + 1, from, to);
        from = to;
    }
}

static void subtree(struct walk *w, uint64_t number, unsigned level, struct span low,
                    struct span high)
{
    uint8_t *page = w->pages[level];
    unsigned depth = w->is_free_tree ? w->meta.free.depth : w->meta.main.depth;
    const char *wrong;

    if (!claim(w, number, 1)) {
        problem(w, "page %llu is used twice or lies beyond the file's end",
                (unsigned long long)number);
        return;
    }
    if (!page) {
        page = w->pages[level] = malloc(w->file.page_size);
        if (!page) {
            w->no_memory = w->stop = true;
            return;
        }
    }
    if (!page_read(&w->file, number, page, w->file.page_size)) {
        problem(w, "page %llu %s", (unsigned long long)number,
                errno ? "cannot be read from the disk" : "is missing: the file was cut short");
        return;
    }
    wrong = page_check(page, w->file.page_size, number);
    if (!wrong && (page_head(page).flags == PAGE_LEAF) != (level + 1 == depth))
        wrong = "it stands at the wrong depth of the tree";
    if (wrong)
        problem(w, "page %llu is damaged: %s", (unsigned long long)number, wrong);
    else if (level + 1 == depth)
        leaf(w, number, page, low, high);
    else
        branch(w, number, page, level, low, high);
}

static void tree(struct walk *w, const struct page_tree *t, bool is_free_tree)
{
    const char *name = is_free_tree ? "free list" : "record tree";
    struct span none = {0};

    w->is_free_tree = is_free_tree;
    w->seen = (struct page_tree){0};
    if (t->root == PAGE_NONE && t->depth == 0) {
        if (t->entries || t->branch_pages || t->leaf_pages || t->overflow_pages)
            problem(w, "the meta page's counts of the %s are wrong", name);
        return;
    }
    if (t->depth == 0 || t->depth > DEPTH_MAX) {
        problem(w, "the meta page gives the %s an impossible depth", name);
        return;
    }
    subtree(w, t->root, 0, none, none);
    if (!w->stop &&
        (w->seen.entries != t->entries || w->seen.branch_pages != t->branch_pages ||
         w->seen.leaf_pages != t->leaf_pages || w->seen.overflow_pages != t->overflow_pages))
        problem(w, "the meta page's counts of the %s do not match what is in it", name);
    w->v->pages += w->seen.branch_pages + w->seen.leaf_pages + w->seen.overflow_pages;
}

/* The other meta is of the transaction before, whose pages are still whole while this one is the
 * newest or held. If it leads to a newer state than ours, its number was damaged to look older. */
static void other_meta(struct walk *w, const struct page_meta *other)
{
    uint64_t number = other->main.root;
    uint8_t *page = w->pages[0];
    struct envelope v;

    for (unsigned level = 0; page && other->txnid < w->meta.txnid && level < DEPTH_MAX; level++) {
        struct page_node n;

        if (!page_read(&w->file, number, page, w->file.page_size) ||
            page_check(page, w->file.page_size, number))
            return;
        n = page_node(page, 0);
        number = n.page;
        if (page_head(page).flags == PAGE_BRANCH)
            continue;
        if (n.data && envelope_open(n.data, n.data_size, true, &v) && v.serial >= w->serial)
            problem(w, "a meta page's transaction number does not fit what it leads to");
        return;
    }
}

int verify_run(struct verify *v, struct error *e)
{
    struct walk w = {.v = v};
    struct page_meta metas[2];
    struct error inner = {0};
    struct stat st;
    int at, rc = 0;

    v->pages = 2;
    v->free_pages = 0;
    if (page_metas(v->fd, metas, &at, &inner) != 0) {
        v->problem(v->ctx, inner.text);
        return 0;
    }
    if (v->txnid != VERIFY_NEWEST)
        at = (int)(v->txnid & 1);
    w.meta = metas[at];
    if (v->txnid != VERIFY_NEWEST && w.meta.txnid != v->txnid)
        return error_set(e, ERROR_BUSY, "the journal was written to while it was being read");
    if (fstat(v->fd, &st) != 0)
        return error_errno(e, errno, "stat", "the journal's data file");
    w.file = (struct page_file){.fd = v->fd,
                                .page_size = w.meta.page_size,
                                .pages = (uint64_t)st.st_size / w.meta.page_size};
    w.used = calloc((size_t)(w.meta.last_page / 8 + 1), 1);
    if (!w.used)
        return error_memory(e);
    tree(&w, &w.meta.main, false);
    if (!w.stop)
        tree(&w, &w.meta.free, true);
    if (!w.stop)
        other_meta(&w, &metas[!at]);
    if (w.no_memory)
        rc = error_memory(e);
    for (int i = 0; i < DEPTH_MAX; i++)
        free(w.pages[i]);
    free(w.big);
    free(w.used);
    return rc;
}
