#include "journal/records.h"

#include <stdio.h>
#include <string.h>

static const char MAGIC[] = "auteur-pipe journal";

static struct decoder payload_of(const struct envelope *v)
{
    return (struct decoder){.at = v->payload, .end = v->payload + v->payload_size};
}

void encode_format(struct encoder *w, const struct format_record *f)
{
    encode_string(w, MAGIC);
    encode_u32(w, f->version);
    encode_u64(w, f->serial_base);
    encode_u64(w, f->created_ns);
}

bool decode_format(const struct envelope *v, struct format_record *f)
{
    struct decoder d = payload_of(v);

    if (strcmp(decode_string(&d), MAGIC) != 0)
        return false;
    f->version = decode_u32(&d);
    if (d.bad)
        return false;
    if (f->version != FORMAT_VERSION)
        return true; /* the rest is that version's own */
    f->serial_base = decode_u64(&d);
    f->created_ns = decode_u64(&d);
    return decode_done(&d);
}

static bool is_status(unsigned s)
{
    return s >= RECORD_DONE && s <= RECORD_RUNNING;
}

void encode_key_status(struct encoder *w, struct hash128 key, enum record_status status)
{
    encode_hash(w, key);
    encode_u8(w, (uint8_t)status);
}

bool decode_key_status(const struct envelope *v, struct hash128 *key, enum record_status *status)
{
    struct decoder d = payload_of(v);
    unsigned s;

    *key = decode_hash(&d);
    s = decode_u8(&d);
    *status = (enum record_status)s;
    return decode_done(&d) && v->version == RECORD_VERSION && is_status(s);
}

/* What a record and an attempt share. */
static void encode_outcome(struct encoder *w, const struct stage_record *r)
{
    encode_hash(w, r->key);
    encode_u8(w, (uint8_t)r->status);
    encode_u32(w, r->attempts);
    encode_u64(w, r->started_ns);
    encode_u64(w, r->finished_ns);
    encode_f64(w, r->seconds);
    encode_u64(w, r->peak_kib);
    encode_string(w, r->error);
}

static bool decode_outcome(struct decoder *d, struct stage_record *r)
{
    unsigned status;

    r->key = decode_hash(d);
    status = decode_u8(d);
    r->status = (enum record_status)status;
    r->attempts = decode_u32(d);
    r->started_ns = decode_u64(d);
    r->finished_ns = decode_u64(d);
    r->seconds = decode_f64(d);
    r->peak_kib = decode_u64(d);
    r->error = decode_string(d);
    return !d->bad && is_status(status);
}

void encode_record(struct encoder *w, const struct stage_record *r)
{
    encode_outcome(w, r);
    encode_string(w, r->notes);
    encode_u32(w, (uint32_t)r->input_count);
    for (size_t i = 0; i < r->input_count; i++) {
        encode_string(w, r->inputs[i].name);
        encode_string(w, r->inputs[i].value);
    }
    encode_u32(w, (uint32_t)r->artefact_count);
    for (size_t i = 0; i < r->artefact_count; i++) {
        const struct record_artefact *a = &r->artefacts[i];

        encode_string(w, a->name);
        encode_string(w, a->path);
        encode_u64(w, a->size);
        encode_u64(w, a->mtime_ns);
        encode_hash(w, a->digest);
    }
}

/* The least bytes an input and an artefact take: a count that promises more than is left is damage,
 * found before anything is allocated for it. */
enum { INPUT_LEAST = 10, ARTEFACT_LEAST = 42 };

static void *decode_array(struct decoder *d, size_t count, size_t least, size_t size,
                          struct arena *a, bool *no_memory)
{
    void *items;

    if (d->bad || count > (size_t)(d->end - d->at) / least) {
        d->bad = true;
        return NULL;
    }
    items = count ? arena_array(a, count, size) : NULL;
    if (count && !items) {
        *no_memory = true;
        d->bad = true;
    }
    return items;
}

bool decode_record(const struct envelope *v, struct arena *a, struct stage_record *r,
                   bool *no_memory)
{
    struct decoder d = payload_of(v);
    struct record_input *inputs;
    struct record_artefact *artefacts;

    *no_memory = false;
    *r = (struct stage_record){0};
    if (v->version != RECORD_VERSION || !decode_outcome(&d, r))
        return false;
    r->notes = decode_string(&d);
    r->input_count = decode_u32(&d);
    inputs = decode_array(&d, r->input_count, INPUT_LEAST, sizeof *inputs, a, no_memory);
    for (size_t i = 0; !d.bad && i < r->input_count; i++) {
        inputs[i].name = decode_string(&d);
        inputs[i].value = decode_string(&d);
    }
    r->artefact_count = decode_u32(&d);
    artefacts =
        decode_array(&d, r->artefact_count, ARTEFACT_LEAST, sizeof *artefacts, a, no_memory);
    for (size_t i = 0; !d.bad && i < r->artefact_count; i++) {
        artefacts[i].name = decode_string(&d);
        artefacts[i].path = decode_string(&d);
        artefacts[i].size = decode_u64(&d);
        artefacts[i].mtime_ns = decode_u64(&d);
        artefacts[i].digest = decode_hash(&d);
    }
    r->inputs = inputs;
    r->artefacts = artefacts;
    return decode_done(&d);
}

void encode_attempt(struct encoder *w, const struct stage_record *r)
{
    encode_outcome(w, r);
}

bool decode_attempt(const struct envelope *v, struct stage_attempt *out)
{
    struct decoder d = payload_of(v);
    struct stage_record r;

    if (v->version != RECORD_VERSION || !decode_outcome(&d, &r) || !decode_done(&d))
        return false;
    *out = (struct stage_attempt){.key = r.key,
                                  .number = r.attempts,
                                  .status = r.status,
                                  .started_ns = r.started_ns,
                                  .finished_ns = r.finished_ns,
                                  .seconds = r.seconds,
                                  .peak_kib = r.peak_kib,
                                  .error = r.error};
    return true;
}

void encode_event(struct encoder *w, const struct event_record *ev)
{
    encode_u64(w, ev->time_ns);
    encode_string(w, ev->kind);
    encode_string(w, ev->shot);
    encode_string(w, ev->stage);
    encode_string(w, ev->text);
}

bool decode_event(const struct envelope *v, struct event_record *ev)
{
    struct decoder d = payload_of(v);

    ev->time_ns = decode_u64(&d);
    ev->kind = decode_string(&d);
    ev->shot = decode_string(&d);
    ev->stage = decode_string(&d);
    ev->text = decode_string(&d);
    return decode_done(&d) && v->version == RECORD_VERSION;
}

void encode_digest(struct encoder *w, const struct digest_record *d)
{
    encode_string(w, d->path);
    encode_u64(w, d->st.size);
    encode_u64(w, d->st.mtime_ns);
    encode_u64(w, d->st.inode);
    encode_u64(w, d->st.device);
    encode_hash(w, d->digest);
}

bool decode_digest(const struct envelope *v, struct digest_record *out)
{
    struct decoder d = payload_of(v);

    out->path = decode_string(&d);
    out->st.size = decode_u64(&d);
    out->st.mtime_ns = decode_u64(&d);
    out->st.inode = decode_u64(&d);
    out->st.device = decode_u64(&d);
    out->digest = decode_hash(&d);
    return decode_done(&d) && v->version == RECORD_VERSION;
}

bool decode_text(const struct envelope *v, const char **text)
{
    struct decoder d = payload_of(v);

    *text = decode_string(&d);
    return decode_done(&d) && v->version == RECORD_VERSION;
}

bool value_known(const struct envelope *v)
{
    struct arena arena = {0};
    struct stage_record r;
    struct stage_attempt a;
    struct event_record ev;
    struct digest_record d;
    struct format_record f;
    struct hash128 hash;
    enum record_status status;
    const char *text, *stage;
    const uint8_t *rest;
    size_t rest_size;
    bool no_memory, yes;

    switch (v->key[0]) {
    case TABLE_FORMAT:
        return v->key_size == 1 && decode_format(v, &f);
    case TABLE_KEY:
        return decode_key_status(v, &hash, &status);
    case TABLE_META:
        return v->key_size <= NAME_SIZE_MAX + 1 && decode_text(v, &text);
    case TABLE_PATH:
        return v->key_size == 17 && decode_text(v, &text);
    case TABLE_RECORD:
        yes = key_split(v->key, v->key_size, &text, &stage, &rest, &rest_size) && rest_size == 0 &&
              decode_record(v, &arena, &r, &no_memory);
        arena_free(&arena);
        return yes;
    case TABLE_ATTEMPT:
        return key_split(v->key, v->key_size, &text, &stage, &rest, &rest_size) &&
               rest_size == 20 && decode_attempt(v, &a);
    case TABLE_EVENT:
        return v->key_size == 9 && decode_event(v, &ev);
    case TABLE_BLOB:
        return v->key_size >= 18 && v->version == RECORD_VERSION;
    case TABLE_CHECKPOINT:
        return v->key_size == 17 && v->version == RECORD_VERSION;
    case TABLE_DIGEST:
        return v->key_size == 17 && decode_digest(v, &d);
    default:
        return false;
    }
}
