/* A recorder for a CPU: what a VAE tells the device between begin and end is taken down and not
 * done, and done at each replay, as by a GPU. So a test sees on any machine that what is recorded
 * stands for what would have been issued: an operation that was left out of a recording, that meets
 * the host in it, or whose tensors are another slice's gives other pictures. So does one that is
 * not among those below: a VAE that comes to use another brings it here. */
#ifndef AUTEUR_TESTS_STAGES_TAPE_H
#define AUTEUR_TESTS_STAGES_TAPE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "kernels/device_impl.h"

/* An operation and its arguments: out, up to three tensors more, a convolution's frames. */
struct taped {
    void (*again)(struct device *d, struct taped *o);
    struct tensor tensor[4], tap[CONV_MAX_TAPS];
    bool given[4], seen[CONV_MAX_TAPS];
    const void *layer;
    struct normalise_form form;
    enum activation act;
    int groups;
    float a, b;
};

struct tape {
    struct taped *operation;
    int count, room;
};

static struct ops tape_does; /* the device's own operations */
static struct tape *tape_now;
static struct {
    int made, replayed, held; /* recordings */
    int issued;               /* operations that a model told the device */
} tapes;

static inline struct taped tape_of(void (*again)(struct device *, struct taped *),
                                   const struct tensor *out, const struct tensor *x,
                                   const struct tensor *y, const struct tensor *z)
{
    const struct tensor *t[4] = {out, x, y, z};
    struct taped o = {.again = again};

    for (int i = 0; i < 4; i++) {
        o.given[i] = t[i] != NULL;
        if (t[i])
            o.tensor[i] = *t[i];
    }
    return o;
}

static inline struct tensor *tape_tensor(struct taped *o, int at)
{
    return o->given[at] ? &o->tensor[at] : NULL;
}

/* Now, or onto the tape. */
static inline void tape_tell(struct device *d, struct taped o)
{
    struct tape *t = tape_now;

    tapes.issued++;
    if (!d->recording) {
        o.again(d, &o);
        return;
    }
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->operation = realloc(t->operation, (size_t)t->room * sizeof o);
        assert_non_null(t->operation);
    }
    t->operation[t->count++] = o;
}

/* ---- the operations of VAEs */

#define T(i) tape_tensor(o, (i))

static inline void again_linear(struct device *d, struct taped *o)
{
    tape_does.linear(d, T(0), T(1), o->layer, o->act, T(2));
}
static inline void tape_linear(struct device *d, struct tensor *out, const struct tensor *x,
                               const struct linear *w, enum activation act,
                               const struct tensor *residual)
{
    struct taped o = tape_of(again_linear, out, x, residual, NULL);
    o.layer = w;
    o.act = act;
    tape_tell(d, o);
}

static inline void again_attention(struct device *d, struct taped *o)
{
    const struct attention_bias none = {0};

    tape_does.attention(d, T(0), T(1), T(2), T(3), o->a, &none);
}
static inline void tape_attention(struct device *d, struct tensor *out, const struct tensor *q,
                                  const struct tensor *k, const struct tensor *v, float scale,
                                  const struct attention_bias *bias)
{
    struct taped o = tape_of(again_attention, out, q, k, v);
    assert_false(bias->causal || bias->key.data || bias->relative.data);
    o.a = scale;
    tape_tell(d, o);
}

static inline void again_channel_norm(struct device *d, struct taped *o)
{
    tape_does.channel_norm(d, T(0), T(1), T(2), o->act);
}
static inline void tape_channel_norm(struct device *d, struct tensor *out, const struct tensor *x,
                                     const struct tensor *gamma, enum activation act)
{
    struct taped o = tape_of(again_channel_norm, out, x, gamma, NULL);
    o.act = act;
    tape_tell(d, o);
}

static inline void again_group_norm(struct device *d, struct taped *o)
{
    tape_does.group_norm(d, T(0), T(1), o->groups, T(2), T(3), o->a, o->act);
}
static inline void tape_group_norm(struct device *d, struct tensor *out, const struct tensor *x,
                                   int groups, const struct tensor *weight,
                                   const struct tensor *bias, float eps, enum activation act)
{
    struct taped o = tape_of(again_group_norm, out, x, weight, bias);
    o.groups = groups;
    o.a = eps;
    o.act = act;
    tape_tell(d, o);
}

static inline void again_statistics(struct device *d, struct taped *o)
{
    tape_does.group_statistics(d, T(0), T(1), o->groups, T(2), T(3), o->a);
}
static inline void tape_statistics(struct device *d, struct tensor *affine, const struct tensor *x,
                                   int groups, const struct tensor *weight,
                                   const struct tensor *bias, float eps)
{
    struct taped o = tape_of(again_statistics, affine, x, weight, bias);
    o.groups = groups;
    o.a = eps;
    tape_tell(d, o);
}

static inline void again_normalise(struct device *d, struct taped *o)
{
    o->form.scale = o->seen[0] ? &o->tap[0] : NULL;
    o->form.shift = o->seen[1] ? &o->tap[1] : NULL;
    tape_does.normalise(d, T(0), T(1), T(2), &o->form);
}
static inline void tape_normalise(struct device *d, struct tensor *out, const struct tensor *x,
                                  const struct tensor *affine, const struct normalise_form *form)
{
    struct taped o = tape_of(again_normalise, out, x, affine, NULL);
    const struct tensor *by[2] = {form->scale, form->shift};
    o.form = *form;
    for (int i = 0; i < 2; i++)
        if ((o.seen[i] = by[i] != NULL))
            o.tap[i] = *by[i];
    tape_tell(d, o);
}

static inline void again_blend(struct device *d, struct taped *o)
{
    tape_does.blend(d, T(0), o->a, T(1), o->b, T(2));
}
static inline void tape_blend(struct device *d, struct tensor *out, float a, const struct tensor *x,
                              float b, const struct tensor *y)
{
    struct taped o = tape_of(again_blend, out, x, y, NULL);
    o.a = a;
    o.b = b;
    tape_tell(d, o);
}

static inline void again_modulate(struct device *d, struct taped *o)
{
    tape_does.modulate(d, T(0), T(1), T(2), T(3));
}
static inline void tape_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                                 const struct tensor *scale, const struct tensor *shift)
{
    tape_tell(d, tape_of(again_modulate, out, x, scale, shift));
}

static inline void again_copy(struct device *d, struct taped *o)
{
    tape_does.copy(d, T(0), T(1));
}
static inline void tape_copy(struct device *d, struct tensor *out, const struct tensor *x)
{
    tape_tell(d, tape_of(again_copy, out, x, NULL, NULL));
}

static inline void again_conv(struct device *d, struct taped *o)
{
    const struct conv *w = o->layer;
    const struct tensor *x[CONV_MAX_TAPS] = {0};

    for (int i = 0; i < w->kt; i++)
        x[i] = o->seen[i] ? &o->tap[i] : NULL;
    tape_does.conv(d, T(0), x, w, T(1));
}
static inline void tape_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
                             const struct conv *w, const struct tensor *residual)
{
    struct taped o = tape_of(again_conv, out, residual, NULL, NULL);
    o.layer = w;
    for (int i = 0; i < w->kt; i++)
        if ((o.seen[i] = x[i] != NULL))
            o.tap[i] = *x[i];
    tape_tell(d, o);
}

#undef T

/* ---- the recorder */

static inline bool tape_begin(struct device *d)
{
    (void)d;
    tape_now = calloc(1, sizeof *tape_now);
    assert_non_null(tape_now);
    tapes.held++;
    return true;
}

static inline void *tape_end(struct device *d)
{
    (void)d;
    tapes.made++;
    return tape_now;
}

static inline void tape_replay(struct device *d, void *recording)
{
    struct tape *t = recording;

    tapes.replayed++;
    for (int i = 0; i < t->count; i++)
        t->operation[i].again(d, &t->operation[i]);
}

static inline void tape_forget(struct device *d, void *recording)
{
    struct tape *t = recording;

    (void)d;
    free(t->operation);
    free(t);
    tapes.held--;
}

/* From now on the device, a CPU, records. */
static inline void tape_start(struct device *d)
{
    static const struct device_recorder recorder = {tape_begin, tape_end, tape_replay, tape_forget};

    tapes.made = tapes.replayed = tapes.held = tapes.issued = 0;
    tape_does = d->ops;
    d->recorder = &recorder;
    d->ops.linear = tape_linear;
    d->ops.attention = tape_attention;
    d->ops.channel_norm = tape_channel_norm;
    d->ops.group_norm = tape_group_norm;
    d->ops.group_statistics = tape_statistics;
    d->ops.normalise = tape_normalise;
    d->ops.blend = tape_blend;
    d->ops.modulate = tape_modulate;
    d->ops.copy = tape_copy;
    d->ops.conv = tape_conv;
}

#endif
