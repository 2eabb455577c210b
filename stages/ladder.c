#include "stages/ladder.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/tuning.h"

/* ---- what is remembered: the rung, by what was done, for so much free memory and less */

struct rung {
    int32_t streamed, cuts;
};

static int mebibytes(size_t bytes)
{
    size_t mib = bytes >> 20;
    return mib > INT_MAX ? INT_MAX : (int)mib;
}

static struct tuning *open_memory(struct device *d)
{
    char identity[160];
    size_t left, all;

    device_memory(d, &left, &all);
    snprintf(identity, sizeof identity, "memory of %s, %zu", device_facts(d)->name, all);
    return tuning_open(identity);
}

static void recall(struct ladder *l, struct device *d)
{
    struct tuning *t = open_memory(d);
    struct rung r;

    if (t && tuning_find(t, l->work, sizeof l->work, mebibytes(l->before), &r, sizeof r)) {
        if (r.streamed && l->blocks && device_can_stream(d) && l->memory == MEMORY_AUTO)
            l->memory = MEMORY_SAFE;
        l->cuts = r.cuts;
    }
    tuning_close(t);
}

void ladder_done(struct ladder *l, struct device *d)
{
    struct rung r = {l->memory == MEMORY_SAFE, l->cuts};
    struct tuning *t;

    if (!l->fell)
        return;
    l->fell = false;
    t = open_memory(d);
    if (t)
        tuning_keep(t, l->work, sizeof l->work, mebibytes(l->before), &r, sizeof r);
    tuning_close(t);
}

void ladder_begin(struct ladder *l, const struct stage_env *env, struct device *d, bool blocks,
                  const char *format, ...)
{
    size_t all;
    va_list args;

    *l = (struct ladder){.env = env, .memory = env->device.memory, .blocks = blocks};
    va_start(args, format);
    vsnprintf(l->work, sizeof l->work, format, args);
    va_end(args);
    device_memory(d, &l->before, &all);
    if (device_can_stream(d) || device_kind(d) == DEVICE_CUDA)
        recall(l, d);
    device_set_memory(d, l->memory);
}

/* ---- falling */

static void tell(const struct ladder *l, const char *text)
{
    if (l->env->mended)
        l->env->mended(l->env->mended_ctx, text);
}

/* "4.2 GiB more were needed while 0.3 of 79.1 GiB were free and 70.2 held by this program" */
static void describe(struct device *d, char *out, size_t size)
{
    struct memory_refusal r = device_refusal(d);
    const double unit = (double)((size_t)1 << 30);

    if (!r.wanted)
        snprintf(out, size, "a library could not have what it asked for");
    else
        snprintf(out, size,
                 "%.2f GiB more were needed while %.2f of %.2f GiB were free and %.2f held by this "
                 "program",
                 (double)r.wanted / unit, (double)r.free_bytes / unit, (double)r.total_bytes / unit,
                 (double)r.held / unit);
}

static const char *mend(const struct ladder *l, const struct device *d)
{
    if (l->memory == MEMORY_SPEED && l->blocks && device_can_stream(d))
        return "leave --no-offload (--memory speed) away, so that weights may stay on the host";
    return "make the shot smaller (width, height, frames), end other programs that use this "
           "memory, "
           "or take a smaller tier";
}

static bool give_up(const struct ladder *l, struct device *d, struct error *e)
{
    char text[sizeof e->text], why[300];

    if (!device_refusal(d).wanted) /* it was the host's: the text says so */
        return false;
    describe(d, why, sizeof why);
    snprintf(text, sizeof text, "out of %s memory (%s): %s; %s",
             device_kind(d) == DEVICE_CUDA ? "GPU" : "the device's", l->work, why, mend(l, d));
    error_clear(e);
    error_set(e, ERROR_MEMORY, "%s", text);
    return false;
}

bool ladder_to_host(struct ladder *l, struct device *d, struct error *e)
{
    char text[600], why[300];

    if (e->code != ERROR_MEMORY || !d)
        return false;
    if (l->memory != MEMORY_AUTO || !l->blocks || !device_can_stream(d))
        return give_up(l, d, e);
    describe(d, why, sizeof why);
    snprintf(text, sizeof text,
             "out of memory (%s): %s; the model's weights stay on the host from here on, and come "
             "block by block",
             l->work, why);
    tell(l, text);
    error_clear(e);
    l->memory = MEMORY_SAFE;
    l->fell = true;
    return true;
}

/* One rung or more down, of those that need nothing but less at once. */
static void fall(struct ladder *l, struct device *d, int cuts, const char *how, struct error *e)
{
    char text[600], why[300];

    describe(d, why, sizeof why);
    snprintf(text, sizeof text, "out of memory (%s): %s; it goes on %s", l->work, why, how);
    tell(l, text);
    error_clear(e);
    l->cuts += cuts;
    l->fell = true;
}

bool ladder_cut(struct ladder *l, struct device *d, int cuts, struct error *e)
{
    if (e->code != ERROR_MEMORY || !d)
        return false;
    if (cuts == 0)
        return give_up(l, d, e);
    fall(l, d, cuts, "in smaller pieces", e);
    return true;
}

static int together(int cuts)
{
    int most = cuts < 8 ? STAGE_BATCH_MOST >> cuts : 1;

    return most > 1 ? most : 1;
}

int ladder_together(const struct ladder *l)
{
    return together(l->cuts);
}

bool ladder_halve(struct ladder *l, struct device *d, int count, struct error *e)
{
    char how[64];
    int cuts = 1;

    if (e->code != ERROR_MEMORY || !d)
        return false;
    while (together(l->cuts + cuts) > count / 2)
        cuts++;
    snprintf(how, sizeof how, "with %d shots at once instead of %d", together(l->cuts + cuts),
             count);
    fall(l, d, cuts, how, e);
    return true;
}
