/* Reads a whole LMDB file page by page, without LMDB, and tells what is wrong with it.
 *
 * Why, and when: LMDB crashes on damaged pages, so journal_open() runs this over every tree page
 * before the first LMDB read (about 20 ms for 50 MB of tree), and with the values that lie in tree
 * pages; of values on overflow pages (blobs, long records) the size and the key are looked at then,
 * and the whole when they are read. A forked child that reads first and may crash was the other
 * way; it proves less (LMDB may read astray without crashing), forks a threaded program, and says
 * "signal 11" where this says which page.
 *
 * Checked: both metas, and by the format record's serial that they lead to the states whose numbers
 * they bear (LMDB takes the greater number: a damaged one would bring an older state back); every
 * page's number, kind, bounds and packing; depth; keys in order within and between pages; every
 * page used once, as tree, overflow or free; the trees' own counts; the free list; every value's
 * envelope and that it lies under its own key.
 */
#ifndef AUTEUR_JOURNAL_VERIFY_H
#define AUTEUR_JOURNAL_VERIFY_H

#include "journal/codec.h"
#include "journal/page.h"

#define VERIFY_NEWEST UINT64_MAX

struct verify {
    int fd;
    uint64_t txnid; /* the snapshot to read, held by an LMDB read transaction, or VERIFY_NEWEST */
    bool deep;      /* values on overflow pages too */
    void *ctx;
    /* Every value of the main tree, in key order, that proved sound; v->payload is NULL when the
     * value was not read. Nonzero ends the walk. */
    int (*value)(void *ctx, const uint8_t *key, size_t key_size, const struct envelope *v);
    /* Something is wrong. Nonzero ends the walk; zero skips what is damaged and goes on. */
    int (*problem)(void *ctx, const char *text);
    uint64_t pages, free_pages; /* set at the end: pages in use and pages free */
};
/* 0: the walk was made, wholly or until a callback ended it; what it found is the callbacks'
 * affair. -1: out of memory, or the snapshot is gone from the metas (ERROR_BUSY: take a newer one).
 */
int verify_run(struct verify *v, struct error *e);

#endif
