#include "pipeline/execute/key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_bytes(struct key_maker *k, const void *bytes, size_t size)
{
    if (k->failed)
        return;
    if (k->size + size > k->room) {
        size_t room = (k->size + size) * 2 + 1024;
        unsigned char *grown = realloc(k->bytes, room);

        if (!grown) {
            k->failed = true;
            return;
        }
        k->bytes = grown;
        k->room = room;
    }
    memcpy(k->bytes + k->size, bytes, size);
    k->size += size;
}

/* tag, name and value with the length of each: little-endian on every machine. */
static void add_field(struct key_maker *k, char tag, const char *name, const void *value,
                      size_t size)
{
    size_t name_size = strlen(name);
    unsigned char head[9] = {(unsigned char)tag};

    for (int i = 0; i < 4; i++) {
        head[1 + i] = (unsigned char)(name_size >> (8 * i));
        head[5 + i] = (unsigned char)(size >> (8 * i));
    }
    add_bytes(k, head, sizeof head);
    add_bytes(k, name, name_size);
    add_bytes(k, value, size);
}

static void add_integer(struct key_maker *k, char tag, const char *name, uint64_t value)
{
    unsigned char bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    add_field(k, tag, name, bytes, sizeof bytes);
}

static void key_text(struct inputs *in, const char *name, const char *value)
{
    add_field((struct key_maker *)in, 't', name, value, strlen(value));
}

static void key_number(struct inputs *in, const char *name, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    add_integer((struct key_maker *)in, 'n', name, bits);
}

static void key_integer(struct inputs *in, const char *name, int64_t value)
{
    add_integer((struct key_maker *)in, 'i', name, (uint64_t)value);
}

static void key_digest(struct inputs *in, const char *name, struct hash128 value)
{
    add_field((struct key_maker *)in, 'd', name, value.bytes, sizeof value.bytes);
}

/* Whether it is an artefact's content that the stage reads of stage i. */
static bool by_content(const struct stage *stage, int i)
{
    return stage->reads_content.artefact && (int)stage->reads_content.stage == i;
}

int key_make(struct key_maker *k, const struct stage *stage, enum stage_id id,
             const struct stage *const *stages, const struct hash128 reads[STAGES],
             const struct stage_env *env, const struct shot *shot, struct hash128 *out,
             struct error *e)
{
    k->inputs = (struct inputs){key_text, key_number, key_integer, key_digest};
    k->size = 0;
    add_integer(k, 'k', stage->name, KEY_FORM);
    add_integer(k, 'v', "version", stage->version);
    if (stage->describe(env, shot, &k->inputs, e) != 0)
        return error_wrap(e, "%s", stage->name);
    for (int i = 0; i < (int)id; i++)
        if (stage->reads & (1u << i))
            add_field(k, by_content(stage, i) ? 'c' : 's', stages[i]->name, reads[i].bytes,
                      sizeof reads[i].bytes);
    if (k->failed)
        return error_memory(e);
    *out = hash_bytes(k->bytes, k->size);
    return 0;
}

void key_maker_free(struct key_maker *k)
{
    free(k->bytes);
    *k = (struct key_maker){0};
}

enum { MOST_INPUTS = 256 };
struct collector {
    struct inputs inputs;
    struct arena *arena;
    struct record_input list[MOST_INPUTS];
    size_t count;
    bool failed, full;
};

static void collect(struct collector *c, const char *name, const char *value)
{
    if (c->count == MOST_INPUTS) {
        c->full = true;
        return;
    }
    name = arena_strdup(c->arena, name);
    if (!name || !value)
        c->failed = true;
    else
        c->list[c->count++] = (struct record_input){name, value};
}

static void collect_text(struct inputs *in, const char *name, const char *value)
{
    struct collector *c = (struct collector *)in;

    collect(c, name, arena_strdup(c->arena, value));
}

static void collect_number(struct inputs *in, const char *name, double value)
{
    struct collector *c = (struct collector *)in;
    char text[40];

    snprintf(text, sizeof text, "%.15g", value); /* 0.1 rather than 0.10000000000000001 */
    if (strtod(text, NULL) != value)
        snprintf(text, sizeof text, "%.17g", value);
    collect(c, name, arena_strdup(c->arena, text));
}

static void collect_integer(struct inputs *in, const char *name, int64_t value)
{
    struct collector *c = (struct collector *)in;

    collect(c, name, arena_printf(c->arena, "%" PRId64, value));
}

static void collect_digest(struct inputs *in, const char *name, struct hash128 value)
{
    struct collector *c = (struct collector *)in;
    char hex[HASH_HEX_SIZE];

    hash_hex(value, hex);
    collect(c, name, arena_strdup(c->arena, hex));
}

int key_inputs(struct arena *arena, const struct stage *stage, const struct stage *const *stages,
               const struct hash128 reads[STAGES], const struct stage_env *env,
               const struct shot *shot, struct record_input **inputs, size_t *count,
               struct error *e)
{
    struct collector c = {.inputs = {collect_text, collect_number, collect_integer, collect_digest},
                          .arena = arena};

    collect_integer(&c.inputs, "version", stage->version);
    if (stage->describe(env, shot, &c.inputs, e) != 0)
        return error_wrap(e, "%s", stage->name);
    for (int i = 0; i < STAGES; i++) {
        const char *name = stages[i]->name;

        if (!(stage->reads & (1u << i)))
            continue;
        if (by_content(stage, i))
            name = arena_printf(arena, "%s.%s", name, stage->reads_content.artefact);
        if (!name)
            return error_memory(e);
        collect_digest(&c.inputs, name, reads[i]);
    }
    if (c.full)
        return error_set(e, ERROR_INTERNAL, "%s describes more than %d inputs", stage->name,
                         MOST_INPUTS);
    *inputs = arena_array(arena, c.count ? c.count : 1, sizeof **inputs);
    if (c.failed || !*inputs)
        return error_memory(e);
    memcpy(*inputs, c.list, c.count * sizeof **inputs);
    *count = c.count;
    return 0;
}
