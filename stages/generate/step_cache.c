#include "stages/generate/step_cache.h"

#include <string.h>

const char *const step_cache_names[] = {"off", "first-block", "timestep", NULL};

double step_cache_threshold(enum step_cache_mode mode)
{
    return mode == STEP_CACHE_FIRST_BLOCK ? 0.25 : mode == STEP_CACHE_TIMESTEP ? 0.15 : 0;
}

static int warm_up(int steps)
{
    return (steps + 3) / 4;
}

double step_cache_hope(enum step_cache_mode mode, double threshold, int steps)
{
    static const struct {
        enum step_cache_mode mode;
        double threshold, fewer;
    } measured[] = {
        {STEP_CACHE_FIRST_BLOCK, 0.15, 1.47}, {STEP_CACHE_FIRST_BLOCK, 0.2, 1.61},
        {STEP_CACHE_FIRST_BLOCK, 0.25, 1.75}, {STEP_CACHE_FIRST_BLOCK, 0.3, 1.80},
        {STEP_CACHE_TIMESTEP, 0.15, 1.69},    {STEP_CACHE_TIMESTEP, 0.2, 2.00},
    };
    double fewer = 1, most = steps > 0 ? (double)steps / warm_up(steps) : 1;

    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
        if (measured[i].mode == mode && threshold >= measured[i].threshold)
            fewer = measured[i].fewer;
    return fewer < most ? fewer : most;
}

void step_cache_begin(struct step_cache *c, enum step_cache_mode mode, double threshold, int steps)
{
    c->mode = mode;
    c->threshold = threshold;
    c->warm_up = warm_up(steps);
    step_cache_forget(c);
}

void step_cache_step(struct step_cache *c, int index)
{
    c->index = index;
    c->evaluated = c->left_out = 0;
}

void step_cache_forget(struct step_cache *c)
{
    c->reused = false;
    c->computed = 0;
}

void step_cache_free(struct step_cache *c)
{
    arena_free(&c->memory);
    *c = (struct step_cache){0};
}

static bool fits(const struct step_cache *c, const struct tensor *tokens, int passes)
{
    const struct tensor *last = &c->before[passes - 1];
    return last->data && last->rank == tokens->rank && last->dtype == tokens->dtype &&
           memcmp(last->shape, tokens->shape, (size_t)last->rank * sizeof *last->shape) == 0;
}

/* Tensors like the tokens: of each pass the one looked at by fits() last. */
static bool make(struct step_cache *c, struct device *d, const struct tensor *tokens, int passes)
{
    struct tensor *of_pass[2 * STEP_CACHE_PASSES + 2] = {
        &c->kept, &c->fresh, &c->added[0], &c->before[0], &c->added[1], &c->before[1]};
    c->memory = device_arena(d);
    c->device = d;
    c->sums = TENSOR_NEW(&c->memory, 2);
    for (int i = 0; i < 2 + 2 * passes; i++) {
        *of_pass[i] = tensor_new_of(&c->memory, tokens->dtype, tokens->rank, tokens->shape);
        if (!of_pass[i]->data)
            return false;
    }
    return c->sums.data;
}

int step_cache_fit(struct step_cache *c, struct device *d, const struct tensor *tokens, int passes,
                   struct error *e)
{
    if (c->mode == STEP_CACHE_OFF || fits(c, tokens, passes))
        return 0;
    step_cache_forget(c);
    arena_free(&c->memory);
    memset(c->before, 0, sizeof c->before);
    if (make(c, d, tokens, passes))
        return 0;
    memset(c->before, 0, sizeof c->before);
    return error_set(e, ERROR_MEMORY,
                     "out of memory: a step cache keeps %d times the video's tokens; without one "
                     "less is needed",
                     2 + 2 * passes);
}

/* Whether the fresh signal is near enough to the kept one; waits for the device. */
static bool is_near(struct step_cache *c)
{
    float sums[2] = {0};
    struct tensor host = TENSOR_F32(sums, 2);
    op_distance(c->device, &c->sums, &c->fresh, &c->kept);
    op_read(c->device, &host, &c->sums);
    return sums[0] < c->threshold * sums[1];
}

/* Evaluates what the signal needs, and leaves it in `fresh`. */
static void sense(struct step_cache *c, const struct step_blocks *b)
{
    if (c->mode == STEP_CACHE_TIMESTEP) {
        b->modulated(b->model, &c->fresh);
        return;
    }
    op_copy(c->device, &c->fresh, &b->tokens);
    b->block(b->model, 0);
    op_blend(c->device, &c->fresh, 1, &b->tokens, -1, &c->fresh);
}

/* The first pass of a step: whether the step is reused. */
static void decide(struct step_cache *c, const struct step_blocks *b)
{
    sense(c, b);
    c->reused = c->computed > 0 && c->index >= c->warm_up && is_near(c);
    if (c->reused)
        return;
    op_copy(c->device, &c->kept, &c->fresh);
    c->when[1] = c->when[0];
    c->when[0] = c->index;
    c->computed += c->computed < 2;
}

/* The tokens as the blocks left out would leave them. */
static void reuse(struct step_cache *c, struct tensor *tokens, int pass)
{
    float ahead = 0;
    device_note(c->device, NOTE_STEP_CACHE, "Step Cache Activated (%s, threshold %g).",
                step_cache_names[c->mode], c->threshold);
    if (c->computed > 1)
        ahead = (float)(c->index - c->when[0]) / (float)(c->when[0] - c->when[1]);
    op_blend(c->device, tokens, 1, tokens, 1 + ahead, &c->added[pass]);
    if (ahead != 0)
        op_blend(c->device, tokens, 1, tokens, -ahead, &c->before[pass]);
}

/* Evaluates the blocks from `first` on, and keeps what they add. */
static void compute(struct step_cache *c, const struct step_blocks *b, int first, int pass)
{
    struct tensor oldest = c->before[pass];
    c->before[pass] = c->added[pass];
    c->added[pass] = oldest;
    op_copy(c->device, &c->added[pass], &b->tokens);
    for (int i = first; i < b->count; i++)
        b->block(b->model, i);
    op_blend(c->device, &c->added[pass], 1, &b->tokens, -1, &c->added[pass]);
}

void step_cache_run(struct step_cache *c, const struct step_blocks *b, int pass)
{
    bool off = !c || c->mode == STEP_CACHE_OFF;
    int first = !off && c->mode == STEP_CACHE_FIRST_BLOCK;
    struct tensor tokens = b->tokens;
    if (off) {
        for (int i = 0; i < b->count; i++)
            b->block(b->model, i);
        return;
    }
    if (pass == 0)
        decide(c, b);
    else if (first)
        b->block(b->model, 0);
    if (c->reused)
        reuse(c, &tokens, pass);
    else
        compute(c, b, first, pass);
    c->evaluated += c->reused ? first : b->count;
    c->left_out += c->reused ? b->count - first : 0;
}
