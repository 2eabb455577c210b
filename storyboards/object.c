#include <string.h>

#include "storyboards/problems.h"
#include "storyboards/values.h"

static const char *kind_name(const struct node *n)
{
    return node_is_null(n)          ? "nothing"
           : n->kind == NODE_LIST   ? "a list"
           : n->kind == NODE_SCALAR ? "a text"
                                    : "a mapping";
}

static void unknown_key(struct reader *r, const struct table *table, const struct node *key)
{
    const char *names[FIELDS_LIMIT], *near;
    char list[800] = "";
    size_t used = 0;

    for (size_t i = 0; i < table->count; i++) {
        names[i] = table->fields[i].name;
        if (used < sizeof list)
            used +=
                (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    if (r->problems->dropped) /* nobody will read it */
        near = NULL;
    else
        near = suggest(key->text, names, table->count);
    if (near)
        complain(r, key, "unknown key '%.40s' in %s; did you mean '%s'?", key->text, table->name,
                 near);
    else
        complain(r, key, "unknown key '%.40s' in %s, which may hold %s", key->text, table->name,
                 list);
}

static bool is_merge(const struct node *key)
{
    return key->kind == NODE_SCALAR && !key->quoted && !strcmp(key->text, "<<");
}

static void collect(struct reader *r, const struct table *table, const struct node *map,
                    struct slots *slots);

static void collect_merge(struct reader *r, const struct table *table, const struct node *value,
                          struct slots *slots)
{
    const struct node *n = node_value(value);

    if (n->kind == NODE_MAP) {
        collect(r, table, n, slots);
        return;
    }
    if (n->kind == NODE_LIST) {
        for (const struct node *item = n->first; item; item = item->next)
            if (node_value(item)->kind == NODE_MAP)
                collect(r, table, node_value(item), slots);
            else
                complain(r, item, "'<<' merges mappings, not %s; write <<: [*one, *two]",
                         kind_name(node_value(item)));
        return;
    }
    complain(r, value, "'<<' merges mappings, not %s; write <<: *name", kind_name(n));
}

/* Recursion is bounded by the tree's height. */
static void collect(struct reader *r, const struct table *table, const struct node *map,
                    struct slots *slots)
{
    const struct node *merge = NULL;
    const struct node *seen[FIELDS_LIMIT] = {0};

    for (const struct node *k = map->first; k; k = k->next->next) {
        const struct node *key = node_value(k), *value = k->next;
        int row;

        if (key->kind != NODE_SCALAR) {
            complain(r, k, "a key must be a word, not %s", kind_name(key));
            continue;
        }
        if (is_merge(key)) {
            if (merge)
                complain(r, k, "'<<' stands twice; write <<: [*one, *two]");
            merge = value;
            continue;
        }
        row = table_find(table, key->text, key->count);
        if (row < 0) {
            if (table != &board_table || strncmp(key->text, "x-", 2))
                unknown_key(r, table, key);
            continue;
        }
        if (seen[row])
            complain(r, k, "'%s' is given twice; the first is on line %d", key->text,
                     seen[row]->line);
        else if (!slots->value[row])
            slots->value[row] = node_value(value);
        seen[row] = seen[row] ? seen[row] : k;
    }
    if (merge)
        collect_merge(r, table, merge, slots);
}

bool slots_collect(struct reader *r, const struct table *table, const struct node *n,
                   bool as_defaults, struct slots *slots)
{
    *slots = (struct slots){0};
    if (n->kind != NODE_MAP) {
        complain(r, n, "%s must be a mapping of fields, not %s", table->name, kind_name(n));
        return false;
    }
    collect(r, table, n, slots);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];

        if (!as_defaults && (field->flags & FIELD_REQUIRED) && !slots->value[i])
            complain(r, n, "%s needs '%s'", table->name, field->name);
        if (as_defaults && (field->flags & FIELD_NOT_DEFAULT) && slots->value[i])
            complain(r, slots->value[i], "'%s' cannot be a default", field->name);
    }
    return true;
}

static void set_unset(const struct field *field, void *place)
{
    switch (field->type) {
    case FIELD_ID:
    case FIELD_TEXT:
    case FIELD_PROSE:
    case FIELD_PATH:
    case FIELD_WORD:
        *(const char **)place = "";
        break;
    case FIELD_WHOLE:
        *(int *)place = (int)field->unset;
        break;
    case FIELD_NUMBER:
    case FIELD_TIME:
        *(double *)place = field->unset;
        break;
    default:
        break; /* zeroes */
    }
}

void object_defaults(struct reader *r, const struct table *table, void *object)
{
    memset(object, 0, table->size);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];

        if (field->fallback) {
            const struct node written = {.kind = NODE_SCALAR,
                                         .quoted = true,
                                         .text = field->fallback,
                                         .count = (uint32_t)strlen(field->fallback)};

            value_read(r, field, &written, object);
        } else {
            set_unset(field, (char *)object + field->offset);
        }
    }
}

uint32_t object_read(struct reader *r, const struct table *table, const struct slots *slots,
                     void *object)
{
    uint32_t bad = 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];

        if (!slots->value[i] || field->type == FIELD_OBJECT || field->type == FIELD_LIST)
            continue;
        if (!value_read(r, field, slots->value[i], object))
            bad |= 1u << i;
    }
    return bad;
}
