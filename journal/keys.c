#include <stdio.h>
#include <string.h>

#include "journal/records.h"

static void add(struct key *k, const void *bytes, size_t size)
{
    memcpy(k->bytes + k->size, bytes, size);
    k->size += size;
}

static void start(struct key *k, enum table t)
{
    k->bytes[0] = (uint8_t)t;
    k->size = 1;
}

/* Big-endian, so that LMDB's byte order is the numbers' order. */
static void add_number(struct key *k, uint64_t x, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        k->bytes[k->size++] = (uint8_t)(x >> (8 * i));
}

static int add_name(struct key *k, const char *what, const char *name, size_t most, size_t nul,
                    struct error *e)
{
    size_t n = strlen(name);

    if (n == 0 || n > most)
        return error_set(e, ERROR_INTERNAL, "the journal takes a %s of 1 to %zu bytes, not %zu",
                         what, most, n);
    add(k, name, n + nul);
    return 0;
}

int key_stage(struct key *k, enum table t, const char *shot, const char *stage, struct error *e)
{
    start(k, t);
    if (add_name(k, "shot id", shot, SHOT_MAX, 1, e) != 0)
        return -1;
    return add_name(k, "stage name", stage, NAME_SIZE_MAX, 1, e);
}

int key_attempt(struct key *k, const char *shot, const char *stage, struct hash128 key,
                uint32_t number, struct error *e)
{
    if (key_stage(k, TABLE_ATTEMPT, shot, stage, e) != 0)
        return -1;
    add(k, key.bytes, sizeof key.bytes);
    add_number(k, number, 4);
    return 0;
}

int key_blob(struct key *k, struct hash128 key, const char *name, struct error *e)
{
    key_hash(k, TABLE_BLOB, key);
    return add_name(k, "blob name", name, NAME_SIZE_MAX, 0, e);
}

int key_meta(struct key *k, const char *name, struct error *e)
{
    start(k, TABLE_META);
    return add_name(k, "name", name, NAME_SIZE_MAX, 0, e);
}

void key_hash(struct key *k, enum table t, struct hash128 hash)
{
    start(k, t);
    add(k, hash.bytes, sizeof hash.bytes);
}

void key_event(struct key *k, uint64_t sequence)
{
    start(k, TABLE_EVENT);
    add_number(k, sequence, 8);
}

void key_format(struct key *k)
{
    start(k, TABLE_FORMAT);
}

size_t table_payload_at(int table)
{
    return table == TABLE_BLOB || table == TABLE_CHECKPOINT ? BLOB_OFFSET : 0;
}

bool key_split(const uint8_t *key, size_t size, const char **shot, const char **stage,
               const uint8_t **rest, size_t *rest_size)
{
    const uint8_t *end = key + size, *nul, *second;

    if (size < 4)
        return false;
    nul = memchr(key + 1, '\0', size - 1);
    second = nul ? memchr(nul + 1, '\0', (size_t)(end - nul - 1)) : NULL;
    if (!second)
        return false;
    *shot = (const char *)key + 1;
    *stage = (const char *)nul + 1;
    *rest = second + 1;
    *rest_size = (size_t)(end - second - 1);
    return true;
}

uint64_t key_event_sequence(const uint8_t *key)
{
    uint64_t x = 0;

    for (int i = 1; i <= 8; i++)
        x = x << 8 | key[i];
    return x;
}

/* Names in keys may be damaged bytes: only printable ASCII reaches a person's terminal. */
static void add_printable(char *out, size_t room, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    size_t n = strlen(out);

    for (size_t i = 0; i < size && n + 1 < room; i++)
        out[n++] = p[i] >= 0x20 && p[i] < 0x7f ? (char)p[i] : '?';
    out[n] = '\0';
}

static void describe_hash(const uint8_t *key, size_t size, const char *what, char *out, size_t room)
{
    struct hash128 h;
    char hex[HASH_HEX_SIZE];

    memcpy(h.bytes, key + 1, sizeof h.bytes);
    hash_hex(h, hex);
    snprintf(out, room, "%s %s", what, hex);
    if (size > 17) {
        snprintf(out, room, "the %s of %s, ", what, hex);
        add_printable(out, room, key + 17, size - 17);
    }
}

void key_describe(const void *bytes, size_t size, char *out, size_t room)
{
    const uint8_t *key = bytes, *rest;
    const char *shot, *stage;
    size_t rest_size;
    int table = size ? key[0] : 0;

    snprintf(out, room, "a record of an unknown kind");
    if (table == TABLE_FORMAT)
        snprintf(out, room, "the format record");
    if (table == TABLE_META) {
        snprintf(out, room, "the value of ");
        add_printable(out, room, key + 1, size - 1);
    }
    if ((table == TABLE_KEY || table == TABLE_RECORD || table == TABLE_ATTEMPT) &&
        key_split(key, size, &shot, &stage, &rest, &rest_size)) {
        snprintf(out, room, "%s of shot ", table == TABLE_ATTEMPT ? "an attempt" : "the record");
        add_printable(out, room, shot, strlen(shot));
        add_printable(out, room, ", stage ", 8);
        add_printable(out, room, stage, strlen(stage));
    }
    if (table == TABLE_EVENT && size == 9)
        snprintf(out, room, "event %llu", (unsigned long long)key_event_sequence(key));
    if (table == TABLE_BLOB && size > 17)
        describe_hash(key, size, "blob", out, room);
    if (table == TABLE_CHECKPOINT && size == 17)
        describe_hash(key, size, "the checkpoint of", out, room);
    if ((table == TABLE_DIGEST || table == TABLE_PATH) && size == 17)
        describe_hash(key, size, "the file entry", out, room);
}
