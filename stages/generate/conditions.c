#include <assert.h>
#include <string.h>

#include "stages/generate/family.h"

const struct tensor *conditions_find(const struct conditions *c, const char *name)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->item[i].name, name) == 0)
            return &c->item[i].value;
    return NULL;
}

struct tensor *conditions_add(struct conditions *c, const char *name, int rank,
                              const int64_t *shape)
{
    struct condition *one = &c->item[c->count];

    assert(c->count < CONDITIONS_MAX);
    c->count++;
    one->name = name;
    one->value = tensor_new(&c->arena, rank, shape);
    return &one->value;
}

void conditions_free(struct conditions *c)
{
    arena_free(&c->arena);
    *c = (struct conditions){0};
}
