#include "journal/codec.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void encode_bytes(struct encoder *w, const void *bytes, size_t size)
{
    if (w->failed)
        return;
    if (size > w->room - w->size) {
        size_t room = w->room ? w->room : 512;
        uint8_t *grown;

        while (room - w->size < size && room <= SIZE_MAX / 4)
            room *= 2;
        grown = room - w->size < size ? NULL : realloc(w->bytes, room);
        if (!grown) {
            w->failed = true;
            return;
        }
        w->bytes = grown;
        w->room = room;
    }
    if (size)
        memcpy(w->bytes + w->size, bytes, size);
    w->size += size;
}

static void store(uint8_t *to, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(x >> (8 * i));
}

static uint64_t load(const uint8_t *from, int bytes)
{
    uint64_t x = 0;

    for (int i = 0; i < bytes; i++)
        x |= (uint64_t)from[i] << (8 * i);
    return x;
}

static void encode_integer(struct encoder *w, uint64_t x, int bytes)
{
    uint8_t raw[8];

    store(raw, x, bytes);
    encode_bytes(w, raw, (size_t)bytes);
}

void encode_u8(struct encoder *w, uint8_t x)
{
    encode_integer(w, x, 1);
}

void encode_u32(struct encoder *w, uint32_t x)
{
    encode_integer(w, x, 4);
}

void encode_u64(struct encoder *w, uint64_t x)
{
    encode_integer(w, x, 8);
}

void encode_f64(struct encoder *w, double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    encode_u64(w, bits);
}

void encode_hash(struct encoder *w, struct hash128 h)
{
    encode_bytes(w, h.bytes, sizeof h.bytes);
}

void encode_string(struct encoder *w, const char *s)
{
    size_t n = s ? strlen(s) : 0;

    if (n > UINT32_MAX - 1) {
        w->failed = true;
        return;
    }
    encode_u32(w, (uint32_t)n);
    encode_bytes(w, s ? s : "", n + 1);
}

static const uint8_t *take(struct decoder *r, size_t size)
{
    const uint8_t *at = r->at;

    if (r->bad || size > (size_t)(r->end - r->at)) {
        r->bad = true;
        return NULL;
    }
    r->at += size;
    return at;
}

static uint64_t decode_integer(struct decoder *r, int bytes)
{
    const uint8_t *at = take(r, (size_t)bytes);

    return at ? load(at, bytes) : 0;
}

uint8_t decode_u8(struct decoder *r)
{
    return (uint8_t)decode_integer(r, 1);
}

uint32_t decode_u32(struct decoder *r)
{
    return (uint32_t)decode_integer(r, 4);
}

uint64_t decode_u64(struct decoder *r)
{
    return decode_integer(r, 8);
}

double decode_f64(struct decoder *r)
{
    uint64_t bits = decode_u64(r);
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

struct hash128 decode_hash(struct decoder *r)
{
    struct hash128 h = {{0}};
    const uint8_t *at = take(r, sizeof h.bytes);

    if (at)
        memcpy(h.bytes, at, sizeof h.bytes);
    return h;
}

const char *decode_string(struct decoder *r)
{
    uint32_t n = decode_u32(r);
    const uint8_t *at = take(r, (size_t)n + 1);

    if (!at || memchr(at, '\0', (size_t)n + 1) != at + n) {
        r->bad = true;
        return "";
    }
    return (const char *)at;
}

bool decode_done(const struct decoder *r)
{
    return !r->bad && r->at == r->end;
}

void envelope_begin(struct encoder *w, const void *key, size_t key_size, size_t payload_at,
                    unsigned version)
{
    static const uint8_t zeros[BLOB_OFFSET];
    size_t gap = payload_at ? payload_at - ENVELOPE_HEAD - key_size : 0;

    w->size = 0;
    encode_bytes(w, zeros, 20);
    encode_integer(w, key_size, 2);
    encode_u8(w, (uint8_t)version);
    encode_u8(w, (uint8_t)gap);
    encode_bytes(w, key, key_size);
    encode_bytes(w, zeros, gap);
}

void envelope_seal(uint8_t *value, size_t size, uint64_t serial)
{
    size_t before = ENVELOPE_HEAD + load(value + 20, 2) + value[23];

    store(value + 8, serial, 8);
    store(value + 16, size - before, 4);
    store(value, XXH3_64bits(value + 8, size - 8), 8);
}

bool envelope_open(const uint8_t *value, size_t size, bool exact, struct envelope *out)
{
    size_t before, whole;

    if (size < ENVELOPE_HEAD)
        return false;
    out->serial = load(value + 8, 8);
    out->payload_size = (size_t)load(value + 16, 4);
    out->key_size = (size_t)load(value + 20, 2);
    out->version = value[22];
    before = ENVELOPE_HEAD + out->key_size + value[23];
    whole = before + out->payload_size;
    if (out->key_size == 0 || (exact ? whole != size : whole > size))
        return false;
    if (load(value, 8) != XXH3_64bits(value + 8, whole - 8))
        return false;
    out->key = value + ENVELOPE_HEAD;
    out->payload = value + before;
    return true;
}

bool envelope_fits(const uint8_t *value, size_t have, size_t size, const void *key, size_t key_size)
{
    return have >= ENVELOPE_HEAD + key_size && load(value + 20, 2) == key_size &&
           ENVELOPE_HEAD + key_size + value[23] + load(value + 16, 4) == size &&
           memcmp(value + ENVELOPE_HEAD, key, key_size) == 0;
}
