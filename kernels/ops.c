/* The front of the table: shapes are checked here, once for every implementation. */
#include "kernels/ops.h"

#include "kernels/ops_check.h"

int64_t vector_run(const struct tensor *v, const struct tensor *x)
{
    int64_t rows = tensor_rows(x);
    return v && v->rank == 2 && v->shape[0] > 1 ? rows / v->shape[0] : rows > 0 ? rows : 1;
}

/* ---- to and from the host */

/* Host memory is read when an operation is issued: a recording would replay the address. */
static bool may_meet_host(struct device *d, const char *op)
{
    if (d->recording)
        device_fail(d, ERROR_INTERNAL, "%s: cannot be recorded", op);
    return !d->failed;
}

void op_write(struct device *d, struct tensor *out, const struct tensor *host)
{
    if (!may_meet_host(d, "write"))
        return;
    if (!is_host(host))
        fails(d, "write", "host", host);
    else if (!is_numbers(d, out) || !same_shape(out, host) || !tensor_contiguous(out))
        fails(d, "write", "out", out);
    else if (tensor_count(host) > 0)
        d->ops.write(d, out, host);
}

void op_read(struct device *d, struct tensor *host, const struct tensor *x)
{
    if (!may_meet_host(d, "read"))
        return;
    if (!is_host(host))
        fails(d, "read", "host", host);
    else if (!is_numbers(d, x) || !same_shape(x, host) || !tensor_contiguous(x))
        fails(d, "read", "x", x);
    else if (tensor_count(host) > 0)
        d->ops.read(d, host, x);
}

void op_read_begin(struct device *d, int slot, const struct tensor *x)
{
    if (!may_meet_host(d, "read_begin"))
        return;
    if (slot < 0 || slot >= READ_SLOTS || !is_numbers(d, x) || tensor_count(x) == 0)
        fails(d, "read_begin", "x", x);
    else
        d->ops.read_begin(d, slot, x);
}

const float *op_read_end(struct device *d, int slot)
{
    if (slot < 0 || slot >= READ_SLOTS)
        device_fail(d, ERROR_INTERNAL, "read_end: there is no slot %d", slot);
    return may_meet_host(d, "read_end") ? d->ops.read_end(d, slot) : NULL;
}

/* ---- attention */

static bool heads_fit(const struct device *d, const struct tensor *t, int64_t tokens, int64_t heads,
                      const struct tensor *q)
{
    return is_activations(d, t) && dense_rows(t) && t->rank == 4 && t->shape[0] == q->shape[0] &&
           t->shape[1] == tokens && t->shape[2] == heads && t->shape[3] == q->shape[3];
}

static bool check_attention(struct device *d, const struct tensor *out, const struct tensor *q,
                            const struct tensor *k, const struct tensor *v,
                            const struct attention_bias *bias)
{
    int64_t queries = q->shape[1], keys = k->shape[1], groups = k->shape[2];

    if (q->rank != 4 || !heads_fit(d, q, queries, q->shape[2], q))
        return fails(d, "attention", "q", q);
    if (k->rank != 4 || keys < 1 || groups < 1 || q->shape[2] % groups ||
        !heads_fit(d, k, keys, groups, q) || (bias->causal && keys < queries))
        return fails(d, "attention", "k", k);
    if (!heads_fit(d, v, keys, groups, q))
        return fails(d, "attention", "v", v);
    if (!heads_fit(d, out, queries, q->shape[2], q))
        return fails(d, "attention", "out", out);
    if (bias->key.data && !is_vector(d, &bias->key, keys))
        return fails(d, "attention", "the key bias", &bias->key);
    return !bias->relative.data ||
           is_vector(d, &bias->relative, q->shape[2] * (queries + keys - 1)) ||
           fails(d, "attention", "the relative bias", &bias->relative);
}

void op_attention(struct device *d, struct tensor *out, const struct tensor *q,
                  const struct tensor *k, const struct tensor *v, float scale,
                  const struct attention_bias *bias)
{
    static const struct attention_bias none;
    struct tensor o = as_items(out, 4), a = as_items(q, 4), b = as_items(k, 4), c = as_items(v, 4);

    if (d->failed)
        return;
    if (!bias)
        bias = &none;
    if (!check_attention(d, &o, &a, &b, &c, bias) || a.shape[0] * a.shape[1] == 0)
        return;
    if (!device_has_f16(d) || !d->ops.attention_f16(d, &o, &a, &b, &c, scale, bias))
        d->ops.attention(d, &o, &a, &b, &c, scale, bias);
}

/* ---- rows */

void op_layer_norm(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *weight, const struct tensor *bias, float eps)
{
    if (check_pair_f8(d, "layer_norm", out, x) &&
        check_vectors(d, "layer_norm", "weight", weight, x) &&
        check_vectors(d, "layer_norm", "bias", bias, x))
        F8_SLOT(d, out, layer_norm, x, weight, bias, eps);
}

void op_rms_norm(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct tensor *weight, float eps)
{
    if (check_pair_f8(d, "rms_norm", out, x) && check_vector(d, "rms_norm", "weight", weight, x))
        F8_SLOT(d, out, rms_norm, x, weight, eps);
}

void op_channel_norm(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *gamma, enum activation act)
{
    if (check_pair(d, "channel_norm", out, x) && check_vector(d, "channel_norm", "gamma", gamma, x))
        d->ops.channel_norm(d, out, x, gamma, act);
}

static bool check_group_norm(struct device *d, const struct tensor *out, const struct tensor *x,
                             int groups, const struct tensor *weight, const struct tensor *bias)
{
    if (!check_pair(d, "group_norm", out, x))
        return false;
    if (x->rank < 2 || !tensor_contiguous(x) || groups < 1 || columns(x) % groups)
        return fails(d, "group_norm", "x", x);
    if (!tensor_contiguous(out))
        return fails(d, "group_norm", "out", out);
    return check_vector(d, "group_norm", "weight", weight, x) &&
           check_vector(d, "group_norm", "bias", bias, x);
}

void op_group_norm(struct device *d, struct tensor *out, const struct tensor *x, int groups,
                   const struct tensor *weight, const struct tensor *bias, float eps,
                   enum activation act)
{
    if (check_group_norm(d, out, x, groups, weight, bias) && tensor_count(x) > 0)
        d->ops.group_norm(d, out, x, groups, weight, bias, eps, act);
}

void op_group_norm_shifted(struct device *d, struct tensor *out, const struct tensor *x,
                           const struct shifted_norm *n)
{
    const struct tensor *s = n->shift, *from = s ? out : x;

    if (!check_group_norm(d, out, x, n->groups, n->weight, n->bias) ||
        !check_vectors(d, "group_norm", "shift", s, x) || tensor_count(x) == 0)
        return;
    if (s && s->rank == 2 && x->shape[0] % s->shape[0]) {
        fails(d, "group_norm", "shift", s);
        return;
    }
    if (d->ops.group_norm_shifted) {
        d->ops.group_norm_shifted(d, out, x, n);
        return;
    }
    if (s)
        d->ops.modulate(d, out, x, NULL, s);
    d->ops.group_norm(d, out, from, n->groups, n->weight, n->bias, n->eps, n->act);
    if (n->gain != 1)
        d->ops.blend(d, out, n->gain, out, 0, NULL);
}

void op_rope(struct device *d, struct tensor *x, const struct tensor *cos, const struct tensor *sin,
             enum rope_pairs pairs)
{
    struct tensor t = as_items(x, 4);

    if (d->failed)
        return;
    if (!is_rows(d, &t) || t.rank != 4 || t.shape[3] % 2)
        fails(d, "rope", "x", x);
    else if (!is_vector(d, cos, t.shape[1] * t.shape[3] / 2))
        fails(d, "rope", "cos", cos);
    else if (!is_vector(d, sin, t.shape[1] * t.shape[3] / 2))
        fails(d, "rope", "sin", sin);
    else
        d->ops.rope(d, &t, cos, sin, pairs);
}

void op_embed(struct device *d, struct tensor *out, const struct tensor *table,
              const struct tensor *ids)
{
    if (!may_meet_host(d, "embed"))
        return;
    if (table->device != DEVICE_CPU || table->rank != 2 || !dtype_is_float(table->dtype) ||
        !tensor_contiguous(table)) {
        fails(d, "embed", "table", table);
        return;
    }
    if (ids->dtype != DTYPE_I32 || ids->rank != 1 || !tensor_contiguous(ids)) {
        fails(d, "embed", "ids", ids);
        return;
    }
    for (int64_t i = 0; i < ids->shape[0]; i++) {
        int32_t id = ((const int32_t *)ids->data)[i];
        if (id < 0 || id >= table->shape[0]) {
            device_fail(d, ERROR_INTERNAL, "embed: id %d is outside a table of %lld", id,
                        (long long)table->shape[0]);
            return;
        }
    }
    if (!is_rows(d, out) || out->rank != 2 || out->shape[0] != ids->shape[0] ||
        out->shape[1] != table->shape[1]) {
        fails(d, "embed", "out", out);
        return;
    }
    if (ids->shape[0] > 0)
        d->ops.embed(d, out, table, ids);
}

/* ---- elements */

void op_activation(struct device *d, struct tensor *out, const struct tensor *x,
                   enum activation act)
{
    if (check_pair_f8(d, "activation", out, x))
        F8_SLOT(d, out, activation, x, act);
}

void op_prelu(struct device *d, struct tensor *out, const struct tensor *x,
              const struct tensor *slope)
{
    if (check_pair(d, "prelu", out, x) && check_vectors(d, "prelu", "slope", slope, x))
        d->ops.prelu(d, out, x, slope);
}

void op_add(struct device *d, struct tensor *out, const struct tensor *x, const struct tensor *y)
{
    if (check_pair(d, "add", out, x) && check_pair(d, "add", out, y))
        d->ops.blend(d, out, 1, x, 1, y);
}

void op_glu(struct device *d, struct tensor *out, const struct tensor *x, const struct tensor *gate,
            enum activation act)
{
    if (check_pair_f8(d, "glu", out, x) && check_pair_f8(d, "glu", out, gate))
        F8_SLOT(d, out, glu, x, gate, act);
}

void op_blend(struct device *d, struct tensor *out, float a, const struct tensor *x, float b,
              const struct tensor *y)
{
    if (check_pair(d, "blend", out, x) && (!y || check_pair(d, "blend", out, y)))
        d->ops.blend(d, out, a, x, b, y);
}

void op_add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                  const struct tensor *y, const struct tensor *gate)
{
    if (check_pair(d, "add_gated", out, x) && check_pair(d, "add_gated", out, y) &&
        check_vectors(d, "add_gated", "gate", gate, x))
        d->ops.add_gated(d, out, x, y, gate);
}

void op_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct tensor *scale, const struct tensor *shift)
{
    if (check_pair(d, "modulate", out, x) && check_vectors(d, "modulate", "scale", scale, x) &&
        check_vectors(d, "modulate", "shift", shift, x))
        d->ops.modulate(d, out, x, scale, shift);
}

void op_distance(struct device *d, struct tensor *out, const struct tensor *x,
                 const struct tensor *y)
{
    if (!check_pair(d, "distance", x, y))
        return;
    if (!is_vector(d, out, 2))
        fails(d, "distance", "out", out);
    else
        d->ops.distance(d, out, x, y);
}

static bool copy_fits(struct device *d, const struct tensor *out, const struct tensor *x)
{
    if (d->failed)
        return false;
    if (x->dtype == DTYPE_F8_E4M3
            ? !is_f8_rows(d, x) || !is_rows(d, out)
            : !is_numbers(d, x) || (out->dtype == DTYPE_F8_E4M3 && !is_rows(d, x)))
        return fails(d, "copy", "x", x);
    return ((out->dtype == DTYPE_F8_E4M3 ? is_f8_rows(d, out) : is_numbers(d, out)) &&
            same_shape(out, x)) ||
           fails(d, "copy", "out", out);
}

void op_copy(struct device *d, struct tensor *out, const struct tensor *x)
{
    if (!copy_fits(d, out, x) || tensor_count(x) == 0)
        return;
    if (x->dtype == DTYPE_F8_E4M3 && !d->own_f8)
        f8_read_rows(out, x);
    else
        F8_SLOT(d, out, copy, x);
}
