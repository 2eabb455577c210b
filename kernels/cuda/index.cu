/* Operations that are mostly about where numbers lie: RoPE, patches, maps that follow a picture. */
#include "kernels/cuda/numbers.cuh"

/* ---- RoPE */

struct rope_job {
    void *x;
    int type;
    int64_t items, tokens, heads, half; /* half: dim / 2 */
    int64_t item_stride, token_stride, head_stride;
    const float *cos, *sin;
    bool halves, aligned;
};

/* Neighbours: eight numbers, four pairs. Halves: eight numbers of each half. */
static __global__ void __launch_bounds__(256) rope_kernel(const struct rope_job j)
{
    int64_t pairs = j.halves ? CHUNK : CHUNK / 2;
    int64_t chunks = (j.half + pairs - 1) / pairs;
    int64_t total = j.items * j.tokens * j.heads * chunks;
    int64_t step = (int64_t)gridDim.x * blockDim.x;

    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < total; i += step) {
        int64_t up = divide(i, chunks), first = (i - up * chunks) * pairs;
        int64_t token = divide(up, j.heads), head = up - token * j.heads;
        int64_t item = divide(token, j.tokens);
        token -= item * j.tokens;
        int64_t at = item * j.item_stride + token * j.token_stride + head * j.head_stride;
        int64_t angle = token * j.half + first;
        int n = (int)(j.half - first < pairs ? j.half - first : pairs);
        if (j.halves) {
            float a[CHUNK], b[CHUNK], c[CHUNK], s[CHUNK];
            load_chunk(j.x, j.type, at + first, n, j.aligned, a);
            load_chunk(j.x, j.type, at + j.half + first, n, j.aligned, b);
            load_chunk(j.cos, DTYPE_F32, angle, n, j.aligned, c);
            load_chunk(j.sin, DTYPE_F32, angle, n, j.aligned, s);
#pragma unroll
            for (int k = 0; k < CHUNK; k++) {
                float x = a[k];
                a[k] = x * c[k] - b[k] * s[k];
                b[k] = b[k] * c[k] + x * s[k];
            }
            store_chunk(j.x, j.type, at + first, n, j.aligned, a);
            store_chunk(j.x, j.type, at + j.half + first, n, j.aligned, b);
        } else {
            float v[CHUNK];
            load_chunk(j.x, j.type, at + 2 * first, 2 * n, j.aligned, v);
#pragma unroll
            for (int k = 0; k < CHUNK / 2; k++)
                if (k < n) {
                    float c = j.cos[angle + k], s = j.sin[angle + k], x = v[2 * k];
                    v[2 * k] = x * c - v[2 * k + 1] * s;
                    v[2 * k + 1] = v[2 * k + 1] * c + x * s;
                }
            store_chunk(j.x, j.type, at + 2 * first, 2 * n, j.aligned, v);
        }
    }
}

void cuda_rope(struct device *d, struct tensor *x, const struct tensor *cos,
               const struct tensor *sin, enum rope_pairs pairs)
{
    struct context *c = context_of(d);
    struct rope_job j = {};
    size_t size = size_of(x->dtype);
    struct head_norm none = {HEADS_AS_THEY_ARE, NULL, NULL, 0};
    struct turn turn = {cos, sin, pairs, 0};

    if (x->shape[0] * x->shape[1] * x->shape[2] * x->shape[3] == 0)
        return;
    if (pairs == ROPE_NEIGHBOURS && cuda_norm_rope(d, x, &none, &turn))
        return;
    j.x = x->data;
    j.type = x->dtype;
    j.items = x->shape[0];
    j.tokens = x->shape[1];
    j.heads = x->shape[2];
    j.half = x->shape[3] / 2;
    j.item_stride = x->stride[0];
    j.token_stride = x->stride[1];
    j.head_stride = x->stride[2];
    j.cos = (const float *)cos->data;
    j.sin = (const float *)sin->data;
    j.halves = pairs == ROPE_HALVES;
    j.aligned = ((uintptr_t)x->data & 15) == 0;
    for (int i = 0; i < 3; i++)
        j.aligned = j.aligned && (x->shape[i] == 1 || ((size_t)x->stride[i] * size & 15) == 0);
    if (j.halves)
        j.aligned =
            j.aligned && j.half % CHUNK == 0 && (((uintptr_t)j.cos | (uintptr_t)j.sin) & 15) == 0;
    int64_t each = j.halves ? CHUNK : CHUNK / 2;
    int64_t total = j.items * j.tokens * j.heads * ((j.half + each - 1) / each);
    rope_kernel<<<blocks_for(total, 256), 256, 0, c->stream>>>(j);
    launched(c, "rope");
}

/* ---- patches: both are copies of an 8-axis view, [t, h, w] x [channel, pt, ph, pw] */

static struct tensor patches_of_latents(const struct tensor *latents, const int patch[3],
                                        bool channel_first)
{
    const int64_t *size = latents->shape, *stride = latents->stride;
    int64_t t = size[1] / patch[0], h = size[2] / patch[1], w = size[3] / patch[2];
    int64_t shape[7] = {t, h, w, size[0], patch[0], patch[1], patch[2]};
    int64_t strides[7] = {stride[1] * patch[0],
                          stride[2] * patch[1],
                          stride[3] * patch[2],
                          stride[0],
                          stride[1],
                          stride[2],
                          stride[3]};
    struct tensor v = device_tensor(latents->data, latents->dtype, 7, shape);

    for (int i = 0; i < 7; i++)
        v.stride[i] = strides[i];
    if (!channel_first) /* the channel goes last */
        for (int i = 3; i < 6; i++) {
            int64_t s = v.shape[i], z = v.stride[i];
            v.shape[i] = v.shape[i + 1], v.stride[i] = v.stride[i + 1];
            v.shape[i + 1] = s, v.stride[i + 1] = z;
        }
    return v;
}

/* Tokens seen under the same seven axes. */
static struct tensor patches_of_tokens(const struct tensor *tokens, const struct tensor *like)
{
    struct tensor v = device_tensor(tokens->data, tokens->dtype, 7, like->shape);
    int64_t row = tokens->stride[0];

    v.stride[2] = row;
    v.stride[1] = row * like->shape[2];
    v.stride[0] = v.stride[1] * like->shape[1];
    return v;
}

void cuda_patchify(struct device *d, struct tensor *tokens, const struct tensor *latents,
                   const int patch[3])
{
    struct tensor from = patches_of_latents(latents, patch, true);
    struct tensor to = patches_of_tokens(tokens, &from);
    copy_any(context_of(d), &to, &from);
}

void cuda_unpatchify(struct device *d, struct tensor *latents, const struct tensor *tokens,
                     const int patch[3])
{
    struct tensor to = patches_of_latents(latents, patch, false);
    struct tensor from = patches_of_tokens(tokens, &to);
    copy_any(context_of(d), &to, &from);
}
