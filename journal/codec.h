/* Little-endian bytes, written and read one field at a time; and the envelope around every value in
 * the journal. Nothing here trusts a length: a reader that runs out of bytes turns `bad`, gives
 * zeros and empty strings from then on, and its user asks once, at the end.
 *
 * The envelope (sizes in bytes):
 *    0  8  checksum: XXH3-64 of everything behind it, to the end of the value
 *    8  8  serial: grows with every transaction, so that salvage can tell which of two is newer
 *   16  4  payload size
 *   20  2  key size
 *   22  1  version of the record's payload
 *   23  1  gap: zero bytes between key and payload
 *   24     the LMDB key again, gap, payload
 * The key is repeated so that a value proves by itself whose it is: a record under a wrong key is
 * found out, and salvage needs no tree.
 */
#ifndef AUTEUR_JOURNAL_CODEC_H
#define AUTEUR_JOURNAL_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/hash.h"

enum {
    ENVELOPE_HEAD = 24,
    /* Payloads of blobs begin here: an LMDB overflow page has a header of 16 bytes, so they stand
     * at a multiple of 64 in the map. */
    BLOB_OFFSET = 112
};

/* A growing buffer of the caller's; `failed` when memory ran out. Free bytes with free(). */
struct encoder {
    uint8_t *bytes;
    size_t size, room;
    bool failed;
};
void encode_bytes(struct encoder *w, const void *bytes, size_t size);
void encode_u8(struct encoder *w, uint8_t x);
void encode_u32(struct encoder *w, uint32_t x);
void encode_u64(struct encoder *w, uint64_t x);
void encode_f64(struct encoder *w, double x);
void encode_hash(struct encoder *w, struct hash128 h);
void encode_string(struct encoder *w, const char *s); /* u32 length, bytes, NUL; NULL is "" */

struct decoder {
    const uint8_t *at, *end;
    bool bad;
};
uint8_t decode_u8(struct decoder *r);
uint32_t decode_u32(struct decoder *r);
uint64_t decode_u64(struct decoder *r);
double decode_f64(struct decoder *r);
struct hash128 decode_hash(struct decoder *r);
const char *decode_string(struct decoder *r); /* points into the bytes; never NULL */
bool decode_done(const struct decoder *r);    /* not bad, and nothing left over */

struct envelope {
    const uint8_t *key, *payload;
    size_t key_size, payload_size;
    uint64_t serial;
    unsigned version;
};
/* Starts a value: an unsealed head, the key and, when payload_at is not 0, zeros up to it. */
void envelope_begin(struct encoder *w, const void *key, size_t key_size, size_t payload_at,
                    unsigned version);
/* Finishes a whole value in place: payload size, serial, checksum. */
void envelope_seal(uint8_t *value, size_t size, uint64_t serial);
/* False: the bytes are not a value, or not as they were written. `value` may hold more bytes than
 * the envelope says only when `exact` is false (salvage reads whole pages). */
bool envelope_open(const uint8_t *value, size_t size, bool exact, struct envelope *out);
/* Short of the checksum, from a value's first `have` bytes: are its size and its key these? */
bool envelope_fits(const uint8_t *value, size_t have, size_t size, const void *key,
                   size_t key_size);

#endif
