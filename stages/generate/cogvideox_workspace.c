/* Memory for a shot: made once for its size, and shared by all blocks. */
#include <string.h>

#include "stages/generate/cogvideox_transformer_impl.h"

static bool fits(const struct cogvideox_workspace *w, int64_t items, int64_t text,
                 const int64_t shape[4])
{
    return w->items == items && w->text == text && memcmp(w->shape, shape, sizeof w->shape) == 0;
}

static int make_tensors(struct cogvideox_transformer *m, struct error *e)
{
    struct cogvideox_workspace *w = &m->work;
    struct device *d = m->device;
    struct arena *a = &w->arena;
    const struct cogvideox_sizes *s = &m->sizes;
    int64_t features = (int64_t)s->channels * s->patch * s->patch * s->patch_t;
    int64_t all = w->text + w->tokens;

    w->words = ACTIVATION_NEW(d, a, w->items, w->text, m->dim);
    w->latents = tensor_new(a, 4, w->shape);
    w->patches = ACTIVATION_NEW(d, a, w->tokens, features);
    w->x = ACTIVATION_NEW(d, a, w->items, all, m->dim);
    w->normed = ACTIVATION_NEW(d, a, w->items, all, m->dim);
    w->wide = ACTIVATION_NEW(d, a, w->items, all, 4 * m->dim);
    w->projected = TENSOR_NEW(a, w->items, w->tokens, features);
    w->out = TENSOR_NEW(a, w->items, w->shape[0], w->shape[1], w->shape[2], w->shape[3]);
    return w->words.data && w->latents.data && w->patches.data && w->x.data && w->normed.data &&
                   w->wide.data && w->projected.data && w->out.data
               ? 0
               : error_memory(e);
}

/* Two tables, worked out on the host. */
static int make_positions(struct cogvideox_transformer *m, struct error *e)
{
    struct cogvideox_workspace *w = &m->work;
    struct arena scratch = {0};
    struct tensor one, two;
    int rc = -1;

    if (m->sizes.rotary) {
        one = TENSOR_NEW(&scratch, w->tokens, m->head_dim / 2);
        two = TENSOR_NEW(&scratch, w->tokens, m->head_dim / 2);
    } else {
        one = TENSOR_NEW(&scratch, w->grid[0], m->dim / 4);
        two = TENSOR_NEW(&scratch, w->grid[1] * w->grid[2], 3 * m->dim / 4);
    }
    if (!one.data || !two.data) {
        error_memory(e);
        goto done;
    }
    if (m->sizes.rotary)
        cogvideox_rotary_tables(m, w->shape, one.data, two.data);
    else
        cogvideox_added_tables(m, w->grid, one.data, two.data);
    if (tensor_upload(m->device, &w->arena, &one, m->sizes.rotary ? &w->cos : &w->times, e) ||
        tensor_upload(m->device, &w->arena, &two, m->sizes.rotary ? &w->sin : &w->places, e))
        goto done;
    rc = 0;
done:
    arena_free(&scratch);
    return rc;
}

static void forget_workspace(struct cogvideox_transformer *m)
{
    struct arena arena = m->work.arena;

    arena_free(&arena);
    m->work = (struct cogvideox_workspace){.arena = arena};
}

int cogvideox_make_workspace(struct cogvideox_transformer *m, int64_t items, int64_t text,
                             const int64_t shape[4], struct error *e)
{
    struct cogvideox_workspace *w = &m->work;

    if (fits(w, items, text, shape))
        return 0;
    forget_workspace(m);
    w->items = items;
    w->text = text;
    memcpy(w->shape, shape, sizeof w->shape);
    w->grid[0] = shape[0] / m->sizes.patch_t;
    w->grid[1] = shape[2] / m->sizes.patch;
    w->grid[2] = shape[3] / m->sizes.patch;
    w->tokens = cogvideox_tokens(m, shape);
    if (make_tensors(m, e) || make_positions(m, e)) {
        forget_workspace(m);
        return -1;
    }
    return 0;
}
