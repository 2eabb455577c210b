/* The pages of an LMDB 0.9 data file, read with every bound checked. LMDB itself trusts its file:
 * it has no page checksums, and a flipped bit in a page header makes it read outside its map. So
 * nothing is handed to it that has not been looked at here first (verify.h), and salvage reads
 * through here alone.
 *
 * Form (lmdb's mdb.c; numbers in the machine's own byte order and word size, 64 bits here):
 *   every page     u64 number, u16 pad, u16 flags, then u16 lower, u16 upper of the free space in a
 *                  tree page, or u32 page count on the first page of an overflow run
 *   pages 0 and 1  the two metas; the one with the greater transaction id holds
 *   tree page      u16 node offsets from byte 16 up to `lower`; nodes fill `upper` to the end
 *   node           u16 lo, u16 hi, u16 flags, u16 key size, key, then in a leaf the data:
 *                  lo|hi<<16 bytes of it, or (flag 1) the u64 number of an overflow page;
 *                  in a branch lo|hi<<16|flags<<32 is the child's page number
 */
#ifndef AUTEUR_JOURNAL_PAGE_H
#define AUTEUR_JOURNAL_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/error.h"

enum { PAGE_HEAD = 16, NODE_HEAD = 8, PAGE_SIZE_MIN = 256, PAGE_SIZE_MAX = 65536 };
enum page_kind { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8 };
enum { NODE_BIG = 1 };
#define PAGE_NONE UINT64_MAX /* the root of an empty tree */

struct page_tree {
    uint32_t pad;
    uint16_t flags, depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};
struct page_meta {
    uint64_t map_size, last_page, txnid;
    struct page_tree free, main;
    size_t page_size;
};

/* The file of pages. A read past its end or a bad sector is `false`, with errno 0 at the end. */
struct page_file {
    int fd;
    size_t page_size;
    uint64_t pages; /* whole ones */
};
bool page_read(const struct page_file *f, uint64_t page, void *out, size_t size);

/* Reads and checks both metas of the file behind fd (its size too). On success *newest is 0 or 1.
 * ERROR_JOURNAL says what is wrong, without naming the file. */
int page_metas(int fd, struct page_meta metas[2], int *newest, struct error *e);

struct page_head {
    uint64_t number;
    uint16_t flags, lower, upper;
    uint32_t overflow_pages;
};
struct page_head page_head(const uint8_t *page);

struct page_node {
    const uint8_t *key;
    size_t key_size;
    uint16_t flags;
    const uint8_t *data; /* leaf, not NODE_BIG */
    size_t data_size;    /* leaf */
    uint64_t page;       /* branch: the child; leaf with NODE_BIG: the overflow page */
};
/* NULL when `page` is a sound branch or leaf page numbered `number`: its nodes lie inside it, end
 * to end, without overlap. Otherwise what is wrong with it. */
const char *page_check(const uint8_t *page, size_t page_size, uint64_t number);
size_t page_node_count(const uint8_t *page);
/* Only of a page that passed page_check(). */
struct page_node page_node(const uint8_t *page, size_t index);

#endif
