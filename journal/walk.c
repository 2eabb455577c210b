#include <stdlib.h>
#include <string.h>

#include "journal/internal.h"

/* Attempts of one (shot, stage), gathered so that they can be put in the order they started in. */
struct gathering {
    struct journal_view *v;
    struct stage_attempt *items;
    size_t count, room;
};

static int by_start(const void *a, const void *b)
{
    const struct stage_attempt *x = a, *y = b;

    if (x->started_ns != y->started_ns)
        return x->started_ns < y->started_ns ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static void put_in_order(struct gathering *g)
{
    qsort(g->items, g->count, sizeof *g->items, by_start);
    for (size_t i = 0; i + 1 < g->count; i++)
        if (g->items[i].status == RECORD_RUNNING)
            g->items[i].status = RECORD_INTERRUPTED;
}

static int no_sense(struct journal_view *v, const uint8_t *key, size_t size, struct error *e)
{
    char what[160];

    key_describe(key, size, what, sizeof what);
    return journal_damage(v->j->dir, e, "%s has a form that this version does not know", what);
}

static int gather(void *ctx, const uint8_t *key, size_t key_size, const struct envelope *value,
                  struct error *e)
{
    struct gathering *g = ctx;

    if (g->count == g->room) {
        size_t room = g->room ? 2 * g->room : 16;
        struct stage_attempt *grown = reallocarray(g->items, room, sizeof *grown);

        if (!grown)
            return error_memory(e);
        g->items = grown;
        g->room = room;
    }
    if (!decode_attempt(value, &g->items[g->count]))
        return no_sense(g->v, key, key_size, e);
    g->count++;
    return 0;
}

int journal_attempts(struct journal_view *v, const char *shot, const char *stage,
                     const struct stage_attempt **out, size_t *count, struct error *e)
{
    struct gathering g = {.v = v};
    struct stage_attempt *kept = NULL;
    struct key prefix;
    int rc = key_stage(&prefix, TABLE_ATTEMPT, shot, stage, e);

    if (rc == 0)
        rc = journal_each(v, &prefix, gather, &g, e);
    if (rc == 0 && g.count) {
        put_in_order(&g);
        kept = arena_array(&v->arena, g.count, sizeof *kept);
        if (kept)
            memcpy(kept, g.items, g.count * sizeof *kept);
        else
            rc = error_memory(e);
    }
    free(g.items);
    if (rc != 0)
        return -1;
    *out = kept;
    *count = g.count;
    return 0;
}

struct walk {
    struct journal_view *v;
    const struct journal_visitor *to;
    struct gathering attempts;
    const char *shot, *stage; /* of the attempts gathered; in the map */
};

static int visit_meta(struct walk *w, const uint8_t *key, size_t key_size,
                      const struct envelope *value, struct error *e)
{
    char name[NAME_SIZE_MAX + 1] = "";
    const char *text;

    if (!decode_text(value, &text) || key_size < 2 || key_size - 1 > NAME_SIZE_MAX)
        return no_sense(w->v, key, key_size, e);
    memcpy(name, key + 1, key_size - 1);
    return w->to->meta(w->to->ctx, name, text) ? 1 : 0;
}

static int visit_record(struct walk *w, const uint8_t *key, size_t key_size,
                        const struct envelope *value, struct error *e)
{
    struct arena arena = {0}; /* one record at a time: a walk over everything stays small */
    struct stage_record r;
    const char *shot, *stage;
    const uint8_t *rest;
    size_t rest_size;
    bool no_memory = false;
    int rc;

    if (!key_split(key, key_size, &shot, &stage, &rest, &rest_size) ||
        !decode_record(value, &arena, &r, &no_memory))
        rc = no_memory ? error_memory(e) : no_sense(w->v, key, key_size, e);
    else
        rc = w->to->record(w->to->ctx, shot, stage, &r) ? 1 : 0;
    arena_free(&arena);
    return rc;
}

static int attempts_out(struct walk *w)
{
    struct gathering *g = &w->attempts;
    int rc = 0;

    if (g->count)
        put_in_order(g);
    for (size_t i = 0; rc == 0 && i < g->count; i++)
        rc = w->to->attempt(w->to->ctx, w->shot, w->stage, &g->items[i]) ? 1 : 0;
    g->count = 0;
    return rc;
}

static int visit_attempt(struct walk *w, const uint8_t *key, size_t key_size,
                         const struct envelope *value, struct error *e)
{
    const char *shot, *stage;
    const uint8_t *rest;
    size_t rest_size;

    if (!key_split(key, key_size, &shot, &stage, &rest, &rest_size) || rest_size != 20)
        return no_sense(w->v, key, key_size, e);
    if (w->attempts.count && (strcmp(shot, w->shot) != 0 || strcmp(stage, w->stage) != 0) &&
        attempts_out(w) != 0)
        return 1;
    w->shot = shot;
    w->stage = stage;
    return gather(&w->attempts, key, key_size, value, e);
}

static int visit_event(struct walk *w, const uint8_t *key, size_t key_size,
                       const struct envelope *value, struct error *e)
{
    struct event_record ev;

    if (!decode_event(value, &ev))
        return no_sense(w->v, key, key_size, e);
    return w->to->event(w->to->ctx, ev.time_ns, ev.kind, ev.shot, ev.stage, ev.text) ? 1 : 0;
}

static int visit_checkpoint(struct walk *w, const uint8_t *key, size_t key_size,
                            const struct envelope *value, struct error *e)
{
    struct hash128 h;

    if (key_size != 17)
        return no_sense(w->v, key, key_size, e);
    memcpy(h.bytes, key + 1, sizeof h.bytes);
    return w->to->checkpoint(w->to->ctx, h, value->payload_size) ? 1 : 0;
}

static int visit(void *ctx, const uint8_t *key, size_t key_size, const struct envelope *value,
                 struct error *e)
{
    switch (key[0]) {
    case TABLE_META:
        return visit_meta(ctx, key, key_size, value, e);
    case TABLE_RECORD:
        return visit_record(ctx, key, key_size, value, e);
    case TABLE_ATTEMPT:
        return visit_attempt(ctx, key, key_size, value, e);
    case TABLE_EVENT:
        return visit_event(ctx, key, key_size, value, e);
    default:
        return visit_checkpoint(ctx, key, key_size, value, e);
    }
}

int journal_walk(struct journal_view *v, const struct journal_visitor *visitor, struct error *e)
{
    struct walk w = {.v = v, .to = visitor, .attempts = {.v = v}};
    const struct {
        enum table table;
        bool wanted;
    } tables[] = {{TABLE_META, visitor->meta != NULL},
                  {TABLE_RECORD, visitor->record != NULL},
                  {TABLE_ATTEMPT, visitor->attempt != NULL},
                  {TABLE_EVENT, visitor->event != NULL},
                  {TABLE_CHECKPOINT, visitor->checkpoint != NULL}};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof tables / sizeof tables[0]; i++) {
        struct key prefix = {.bytes = {(uint8_t)tables[i].table}, .size = 1};

        if (!tables[i].wanted)
            continue;
        rc = journal_each(v, &prefix, visit, &w, e);
        if (rc == 0 && tables[i].table == TABLE_ATTEMPT)
            rc = attempts_out(&w);
    }
    free(w.attempts.items);
    return rc < 0 ? -1 : 0;
}
