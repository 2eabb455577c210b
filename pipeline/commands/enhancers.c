#include "pipeline/commands/enhancers.h"

int enhancers_for(struct enhancers *all, const struct shot *shot, struct enhancer **out,
                  struct error *e)
{
    const struct tier *tier;

    if (tier_of_shot(all->env, shot, &tier, e) != 0)
        return -1;
    for (int i = 0; i < all->count; i++)
        if (all->tiers[i] == tier) {
            *out = all->list[i];
            return 0;
        }
    if (all->count == ENHANCERS_MOST)
        return error_set(e, ERROR_INTERNAL, "more than %d tiers", ENHANCERS_MOST);
    if (enhancer_open(all->env, tier, out, e) != 0)
        return -1;
    all->tiers[all->count] = tier;
    all->list[all->count++] = *out;
    return 0;
}

void enhancers_close(struct enhancers *all)
{
    for (int i = 0; i < all->count; i++)
        enhancer_close(all->list[i]);
    all->count = 0;
}
