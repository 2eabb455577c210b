/* Cases of linear layers, with random sizes. */
#include <stdio.h>
#include <string.h>

#include "tests/kernels/check.h"

struct tensor stored_weight(struct check *c, int rank, const int64_t *shape, float scale)
{
    struct pair p = numbers(c, VECTORS_, rank, shape, 0, 0, scale);
    struct tensor t = p.host;
    int64_t n = tensor_count(&t);
    enum dtype dtype = (enum dtype)between(c, DTYPE_F32, DTYPE_F8_E5M2);
    unsigned char *bytes;

    if (dtype == DTYPE_F32)
        return t;
    bytes = arena_alloc(&c->host, (size_t)n * dtype_size(dtype));
    t.dtype = dtype;
    t.data = bytes;
    for (int64_t i = 0; bytes && i < n; i++) { /* the upper half of the F32, or a small FP8 */
        uint32_t bits;
        memcpy(&bits, (float *)p.host.data + i, 4);
        if (dtype == DTYPE_BF16)
            ((uint16_t *)(void *)bytes)[i] = (uint16_t)(bits >> 16);
        else if (dtype == DTYPE_F16) /* sign, exponents 0.06 .. 0.5, random digits */
            ((uint16_t *)(void *)bytes)[i] =
                (uint16_t)((bits >> 16 & 0x8000) | (0x2c00 + (bits >> 5 & 0xfff)));
        else
            bytes[i] = (uint8_t)((bits >> 24 & 0x80) | (0x20 + (bits >> 7 & 0x0f)));
    }
    return t;
}

static bool pack_both(struct check *c, int count, const struct tensor *const *w,
                      const struct tensor *const *bias, struct linear *a, struct linear *b)
{
    struct error e = {0};

    if (linear_pack_many(c->reference, &c->host, count, w, bias, a, &e) ||
        linear_pack_many(c->tested, &c->device, count, w, bias, b, &e)) {
        printf("pack: %s\n", e.text);
        c->failed++;
        return false;
    }
    return true;
}

/* The reference multiplies with what the device keeps: weights rounded to its dtype. */
static struct tensor rounded(struct check *c, const struct tensor *w)
{
    struct pair p = numbers(c, ACTIVATIONS_, w->rank, w->shape, 0, 0, 1);
    tensor_to_f32(w, p.host.data);
    settle(c, &p);
    return p.host;
}

static void check_linear(struct check *c)
{
    int64_t m = between(c, 0, 3) ? between(c, 1, 130) : 1, n = random_size(c, 150);
    int64_t k = random_size(c, c->small ? 100 : 600),
            n2 = between(c, 0, 1) ? random_size(c, 40) : 0;
    enum activation act = (enum activation)between(c, 0, ACTIVATIONS - 1);
    struct pair x = NUMBERS(c, either(c), between(c, 0, 1) * between(c, 1, 8), 1, m, k);
    enum number_kind kind = either(c);
    int64_t gap = between(c, 0, 1) * between(c, 1, 8);
    struct pair out = NUMBERS(c, kind, gap, 1, m, n + n2);
    struct pair residual = NUMBERS(c, either(c), between(c, 0, 3), 1, m, n + n2);
    struct tensor w[2] = {stored_weight(c, 2, (int64_t[]){n, k}, 0.3f),
                          stored_weight(c, 2, (int64_t[]){n2 ? n2 : 1, k}, 0.3f)};
    struct tensor bias[2] = {NUMBERS(c, VECTORS_, 0, 1, n).host,
                             NUMBERS(c, VECTORS_, 0, 1, n2 ? n2 : 1).host};
    struct tensor round[2] = {rounded(c, &w[0]), rounded(c, &w[1])};
    const struct tensor *ws[2] = {&w[0], &w[1]}, *rs[2] = {&round[0], &round[1]};
    const struct tensor *bs[2] = {&bias[0], &bias[1]};
    bool biased = between(c, 0, 1), in_place = between(c, 0, 1);
    struct linear a, b, unused;

    if (!pack_both(c, n2 ? 2 : 1, ws, biased ? bs : NULL, &unused, &b) ||
        !pack_both(c, n2 ? 2 : 1, rs, biased ? bs : NULL, &a, &unused))
        return;
    poison(c, &out);
    op_linear(c->reference, &out.host, &x.host, &a, act);
    op_linear(c->tested, &out.device, &x.device, &b, act);
    compare(c, "linear", &out, "m %lld n %lld + %lld k %lld act %d bias %d x %s out %s weights %s",
            (long long)m, (long long)n, (long long)n2, (long long)k, act, biased,
            dtype_name(x.device.dtype), dtype_name(out.device.dtype), dtype_name(w[0].dtype));
    if (in_place) {
        out = NUMBERS(c, kind, gap, 1, m, n + n2);
        residual = out;
    } else {
        poison(c, &out);
    }
    op_linear_add(c->reference, &out.host, &x.host, &a, &residual.host);
    op_linear_add(c->tested, &out.device, &x.device, &b, &residual.device);
    compare(c, "linear_add", &out, "m %lld n %lld k %lld bias %d in place %d residual %s out %s",
            (long long)m, (long long)(n + n2), (long long)k, biased, in_place,
            dtype_name(residual.device.dtype), dtype_name(out.device.dtype));
}

void check_matrices(struct check *c)
{
    if (wanted(c, "linear") || wanted(c, "linear_add"))
        check_linear(c);
}
