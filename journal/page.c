#include "journal/page.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { META_MAGIC_AT = 16, META_SIZE = 16 + 24 + 2 * 48 + 16, INTEGER_KEYS = 8 };
_Static_assert(sizeof(size_t) == 8, "LMDB's file has the machine's word size; 64 bits here");
static const uint32_t MAGIC = 0xBEEFC0DE;
static const uint32_t VERSION = 1;

/* The file is in the machine's own order, so plain copies are right. */
static uint16_t u16(const uint8_t *p)
{
    uint16_t x;

    memcpy(&x, p, sizeof x);
    return x;
}
static uint32_t u32(const uint8_t *p)
{
    uint32_t x;

    memcpy(&x, p, sizeof x);
    return x;
}
static uint64_t u64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof x);
    return x;
}

static bool read_at(int fd, uint64_t at, void *out, size_t size)
{
    uint8_t *to = out;

    while (size) {
        ssize_t n = pread(fd, to, size, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n < 0 ? errno : 0;
            return false;
        }
        to += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

bool page_read(const struct page_file *f, uint64_t page, void *out, size_t size)
{
    if (page >= f->pages || size > (f->pages - page) * f->page_size) {
        errno = 0;
        return false;
    }
    return read_at(f->fd, page * f->page_size, out, size);
}

struct page_head page_head(const uint8_t *page)
{
    return (struct page_head){.number = u64(page),
                              .flags = u16(page + 10),
                              .lower = u16(page + 12),
                              .upper = u16(page + 14),
                              .overflow_pages = u32(page + 12)};
}

static struct page_tree tree(const uint8_t *p)
{
    return (struct page_tree){.pad = u32(p),
                              .flags = u16(p + 4),
                              .depth = u16(p + 6),
                              .branch_pages = u64(p + 8),
                              .leaf_pages = u64(p + 16),
                              .overflow_pages = u64(p + 24),
                              .entries = u64(p + 32),
                              .root = u64(p + 40)};
}

static const char *meta_read(int fd, uint64_t file_size, uint64_t number, size_t page_size,
                             struct page_meta *m)
{
    uint8_t raw[META_SIZE];
    const uint8_t *body = raw + PAGE_HEAD;

    if (!read_at(fd, number * page_size, raw, sizeof raw))
        return errno ? "it cannot be read from the disk" : "the file is too short";
    if (u32(body) != MAGIC)
        return "it is not an LMDB file of this kind of machine";
    if (u32(body + 4) != VERSION)
        return "it is of another LMDB version";
    m->map_size = u64(body + 16);
    m->free = tree(body + 24);
    m->main = tree(body + 72);
    m->last_page = u64(body + 120);
    m->txnid = u64(body + 128);
    m->page_size = m->free.pad;
    if (page_head(raw).number != number || page_head(raw).flags != PAGE_META)
        return "it is not marked as a meta page";
    if (m->page_size < PAGE_SIZE_MIN || m->page_size > PAGE_SIZE_MAX ||
        (m->page_size & (m->page_size - 1)) || (page_size && m->page_size != page_size))
        return "its page size is impossible";
    if (m->free.flags != INTEGER_KEYS || m->main.flags != 0)
        return "it has options that no journal has";
    /* Pages at the end that are free may never have been written: some room beyond the file. */
    if (m->last_page < 1 || m->last_page > file_size / m->page_size + (1u << 24))
        return "its count of pages is impossible";
    return NULL;
}

int page_metas(int fd, struct page_meta metas[2], int *newest, struct error *e)
{
    struct stat st;
    const char *wrong;
    uint64_t a, b;

    if (fstat(fd, &st) != 0)
        return error_errno(e, errno, "stat", "the journal's data file");
    if (!S_ISREG(st.st_mode))
        return error_set(e, ERROR_JOURNAL, "data.mdb is not a regular file");
    if (st.st_size == 0)
        return error_set(e, ERROR_JOURNAL, "data.mdb is empty: something cut it short");
    wrong = meta_read(fd, (uint64_t)st.st_size, 0, 0, &metas[0]);
    if (wrong)
        return error_set(e, ERROR_JOURNAL, "data.mdb: page 0: %s", wrong);
    wrong = meta_read(fd, (uint64_t)st.st_size, 1, metas[0].page_size, &metas[1]);
    if (wrong)
        return error_set(e, ERROR_JOURNAL, "data.mdb: page 1: %s", wrong);
    /* Transactions write the two in turn, so their numbers are neighbours of known parity: a
     * damaged one cannot pass an older state off as the newest. */
    a = metas[0].txnid;
    b = metas[1].txnid;
    if ((a | b) != 0 && ((a & 1) != 0 || (b & 1) != 1 || (a > b ? a - b : b - a) != 1))
        return error_set(e, ERROR_JOURNAL,
                         "data.mdb: the transaction numbers of its two meta "
                         "pages do not belong together");
    *newest = b > a;
    return 0;
}

size_t page_node_count(const uint8_t *page)
{
    return (size_t)(u16(page + 12) - PAGE_HEAD) / 2;
}

static size_t node_size(const uint8_t *node, bool leaf)
{
    size_t size = NODE_HEAD + u16(node + 6);

    if (leaf)
        size += u16(node + 4) & NODE_BIG ? 8 : (size_t)u16(node) | (size_t)u16(node + 2) << 16;
    return (size + 1) & ~(size_t)1;
}

const char *page_check(const uint8_t *page, size_t page_size, uint64_t number)
{
    struct page_head h = page_head(page);
    uint8_t starts[PAGE_SIZE_MAX / 2 / 8] = {0}; /* a bit for each even offset */
    bool leaf = h.flags == PAGE_LEAF;
    size_t count, at;

    if (h.number != number)
        return "it carries another page's number";
    if (!leaf && h.flags != PAGE_BRANCH)
        return "it is neither a branch nor a leaf";
    if (h.lower < PAGE_HEAD || h.lower > h.upper || h.upper > page_size || (h.lower & 1))
        return "its bounds are impossible";
    count = page_node_count(page);
    if (count < (leaf ? 1u : 2u))
        return "it has too few entries";
    for (size_t i = 0; i < count; i++) {
        size_t offset = u16(page + PAGE_HEAD + 2 * i);

        if ((offset & 1) || offset < h.upper || offset + NODE_HEAD > page_size)
            return "an entry lies outside it";
        starts[offset / 16] |= (uint8_t)(1u << (offset / 2 % 8));
    }
    /* Entry follows entry from `upper` to the page's end, as LMDB packs them: then none overlaps
     * another, and what LMDB moves inside the page stays inside it. */
    for (at = h.upper; at < page_size; count--) {
        if (page_size - at < NODE_HEAD || !(starts[at / 16] & 1u << (at / 2 % 8)))
            return "its entries do not follow each other";
        at += node_size(page + at, leaf);
        if (count == 0)
            return "it has more entries than it says";
    }
    return at == page_size && count == 0 ? NULL : "its entries do not fill it";
}

struct page_node page_node(const uint8_t *page, size_t index)
{
    const uint8_t *node = page + u16(page + PAGE_HEAD + 2 * index);
    struct page_node n = {.key = node + NODE_HEAD, .key_size = u16(node + 6)};
    uint64_t low = (uint64_t)u16(node) | (uint64_t)u16(node + 2) << 16;

    if (page_head(page).flags == PAGE_BRANCH) {
        n.page = low | (uint64_t)u16(node + 4) << 32;
        return n;
    }
    n.flags = u16(node + 4);
    n.data_size = (size_t)low;
    if (n.flags & NODE_BIG)
        n.page = u64(n.key + n.key_size);
    else
        n.data = n.key + n.key_size;
    return n;
}
