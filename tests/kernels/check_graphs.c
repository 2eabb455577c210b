/* A run of operations recorded and replayed gives the bytes that it gives when it is issued. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/check.h"

enum { SIDE = 16, CHANNELS = 32, HEADS = 2, TOKENS = SIDE * SIDE, TURNS = 5 };

/* Of every kind: a convolution, norms, products, attention, elements. */
struct sequence {
    struct tensor x, out, mid, qkv; /* x, out, mid: [1, SIDE, SIDE, CHANNELS] */
    struct conv conv;
    struct linear to_qkv, to_out;
    struct tensor norm; /* [CHANNELS] */
};

static struct tensor heads_of(struct tensor t, int at)
{
    t = tensor_slice(t, 1, (int64_t)at * CHANNELS, CHANNELS);
    t.rank = 3;
    t.shape[1] = HEADS;
    t.shape[2] = CHANNELS / HEADS;
    t.stride[1] = CHANNELS / HEADS;
    t.stride[2] = 1;
    return t;
}

static void issue(struct device *d, struct sequence *s)
{
    struct tensor rows = TENSOR_VIEW(s->mid, TOKENS, CHANNELS);
    struct tensor out = TENSOR_VIEW(s->out, TOKENS, CHANNELS);
    struct tensor q = heads_of(s->qkv, 0), k = heads_of(s->qkv, 1), v = heads_of(s->qkv, 2);
    struct tensor attended = heads_of(rows, 0);
    const struct tensor *x = &s->x;

    op_conv(d, &s->mid, &x, &s->conv, NULL);
    op_group_norm(d, &s->mid, &s->mid, 4, &s->norm, &s->norm, 1e-5f, ACT_SILU);
    op_linear(d, &s->qkv, &rows, &s->to_qkv, ACT_NONE);
    op_attention(d, &attended, &q, &k, &v, 0.25f, NULL);
    op_linear(d, &out, &rows, &s->to_out, ACT_GELU_TANH);
    op_layer_norm(d, &out, &out, &s->norm, NULL, 1e-5f);
    op_add(d, &s->out, &s->out, &s->x);
}

static bool packed(struct check *c, struct sequence *s)
{
    struct tensor conv = NUMBERS(c, VECTORS_, 0, 0.1f, CHANNELS, CHANNELS, 3, 3).host;
    struct tensor qkv = NUMBERS(c, VECTORS_, 0, 0.2f, 3 * CHANNELS, CHANNELS).host;
    struct tensor square = NUMBERS(c, VECTORS_, 0, 0.2f, CHANNELS, CHANNELS).host;
    struct error e = {0};

    s->x = NUMBERS(c, ACTIVATIONS_, 0, 1, 1, SIDE, SIDE, CHANNELS).device;
    s->mid = NUMBERS(c, ACTIVATIONS_, 0, 1, 1, SIDE, SIDE, CHANNELS).device;
    s->out = NUMBERS(c, ACTIVATIONS_, 0, 1, 1, SIDE, SIDE, CHANNELS).device;
    s->qkv = NUMBERS(c, ACTIVATIONS_, 0, 1, TOKENS, 3 * CHANNELS).device;
    s->norm = NUMBERS(c, VECTORS_, 0, 1, CHANNELS).device;
    if (conv_pack(c->tested, &c->device, &conv, NULL, (struct conv_form){.scale = 1, .stride = 1},
                  &s->conv, &e) ||
        linear_pack(c->tested, &c->device, &qkv, NULL, &s->to_qkv, &e) ||
        linear_pack(c->tested, &c->device, &square, NULL, &s->to_out, &e)) {
        printf("graph: %s\n", e.text);
        return false;
    }
    return true;
}

/* Other numbers each turn: a replay reads what is there now. */
static bool turn(struct check *c, struct sequence *s, struct device_graph *g, int at)
{
    struct tensor x = NUMBERS(c, VECTORS_, 0, 1, 1, SIDE, SIDE, CHANNELS).host;
    struct tensor plain = TENSOR_NEW(&c->host, 1, SIDE, SIDE, CHANNELS);
    struct tensor got = TENSOR_NEW(&c->host, 1, SIDE, SIDE, CHANNELS);
    struct device *d = c->tested;
    size_t size = (size_t)tensor_count(&plain) * sizeof(float);

    op_write(d, &s->x, &x);
    issue(d, s);
    op_read(d, &plain, &s->out);
    memset(got.data, 0, size);
    op_write(d, &s->out, &got);
    while (device_graph(d, g, &at, 0))
        issue(d, s);
    op_read(d, &got, &s->out);
    if (c->blind || memcmp(plain.data, got.data, size) == 0)
        return true;
    printf("%s graph: turn %d of a recorded run differs from the same issued\n",
           dtype_name(c->dtype), at);
    return false;
}

void check_graphs(struct check *c)
{
    struct device_graph g = {0};
    struct sequence s;
    bool refused = false;

    if (!wanted(c, "graph"))
        return;
    c->compared++;
    bool good = packed(c, &s);
    for (int i = 0; i < TURNS && good; i++)
        good = turn(c, &s, &g, i);
    refused = g.refused;
    if (refused)
        printf("%s graph: refused\n", dtype_name(c->dtype));
    c->failed += !good || refused;
    device_graph_free(&g);
}
