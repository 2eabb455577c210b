/* What the journal's keys and payloads mean. Every key begins with its table's letter:
 *
 *   F                              the format record: magic, version, serial base
 *   m NAME                         a small named value
 *   k SHOT 0 STAGE 0               content key and status alone, for a run with nothing to do
 *   r SHOT 0 STAGE 0               the whole stage record
 *   a SHOT 0 STAGE 0 KEY16 N4      attempt N (big-endian) of KEY
 *   e SEQUENCE8                    an event (big-endian, so that they sort in order)
 *   b KEY16 NAME                   a blob; payload at BLOB_OFFSET
 *   c KEY16                        a checkpoint; payload at BLOB_OFFSET
 *   d HASH16                       content digest of the file whose path has that hash
 *   p HASH16                       the path of a file that some record once referred to
 */
#ifndef AUTEUR_JOURNAL_RECORDS_H
#define AUTEUR_JOURNAL_RECORDS_H

#include "journal/codec.h"
#include "journal/journal.h"

enum { FORMAT_VERSION = 1, RECORD_VERSION = 1, KEY_MAX = 511, SHOT_MAX = 200, NAME_SIZE_MAX = 96 };
enum table {
    TABLE_FORMAT = 'F',
    TABLE_META = 'm',
    TABLE_KEY = 'k',
    TABLE_RECORD = 'r',
    TABLE_ATTEMPT = 'a',
    TABLE_EVENT = 'e',
    TABLE_BLOB = 'b',
    TABLE_CHECKPOINT = 'c',
    TABLE_DIGEST = 'd',
    TABLE_PATH = 'p'
};

struct key {
    uint8_t bytes[KEY_MAX];
    size_t size;
};
/* Shot ids of 1..SHOT_MAX bytes, stage, blob and meta names of 1..NAME_SIZE_MAX: else
 * ERROR_INTERNAL. */
int key_stage(struct key *k, enum table t, const char *shot, const char *stage, struct error *e);
int key_attempt(struct key *k, const char *shot, const char *stage, struct hash128 key,
                uint32_t number, struct error *e);
int key_blob(struct key *k, struct hash128 key, const char *name, struct error *e);
int key_meta(struct key *k, const char *name, struct error *e);
void key_hash(struct key *k, enum table t, struct hash128 hash);
void key_event(struct key *k, uint64_t sequence);
void key_format(struct key *k);

/* Where payloads of a table begin, as envelope_begin() wants it. */
size_t table_payload_at(int table);
/* A person's words for a key: "the record of shot 012, stage decode". */
void key_describe(const void *key, size_t size, char *out, size_t room);
/* The parts of a k, r or a key, pointing into it; false when it is no such key. */
bool key_split(const uint8_t *key, size_t size, const char **shot, const char **stage,
               const uint8_t **rest, size_t *rest_size);
uint64_t key_event_sequence(const uint8_t *key); /* of a key of 9 bytes */

/* Payloads. Decoding gives false on bytes that are not such a payload; strings point into them,
 * arrays come from the arena (*no_memory tells that apart). */
struct format_record {
    uint32_t version;
    uint64_t serial_base, created_ns;
};
void encode_format(struct encoder *w, const struct format_record *f);
bool decode_format(const struct envelope *v, struct format_record *f); /* any version */

void encode_key_status(struct encoder *w, struct hash128 key, enum record_status status);
bool decode_key_status(const struct envelope *v, struct hash128 *key, enum record_status *status);

void encode_record(struct encoder *w, const struct stage_record *r);
bool decode_record(const struct envelope *v, struct arena *a, struct stage_record *r,
                   bool *no_memory);

void encode_attempt(struct encoder *w, const struct stage_record *r);
bool decode_attempt(const struct envelope *v, struct stage_attempt *out);

struct event_record {
    uint64_t time_ns;
    const char *kind, *shot, *stage, *text;
};
void encode_event(struct encoder *w, const struct event_record *ev);
bool decode_event(const struct envelope *v, struct event_record *ev);

struct digest_record {
    const char *path;
    struct file_stat st;
    struct hash128 digest;
};
void encode_digest(struct encoder *w, const struct digest_record *d);
bool decode_digest(const struct envelope *v, struct digest_record *d);

/* One string: a meta value, a path. */
bool decode_text(const struct envelope *v, const char **text);

/* Is this a value of a table, key form and payload version that this program writes? */
bool value_known(const struct envelope *v);

#endif
