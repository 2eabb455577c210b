/* Operations on elements: one kernel shape, chunks of eight numbers, one row at a time or flat. */
#include "kernels/cuda/numbers.cuh"

/* ---- shapes */

bool domain_of(struct domain *s, struct operand *o, const struct tensor *const *t, int count,
               bool flat)
{
    const struct tensor *first = t[0];
    int axis[MAX_AXES]; /* which of the tensors' */
    bool aligned = true;

    *s = {};
    s->columns = first->rank ? first->shape[first->rank - 1] : 1;
    s->rows = 1;
    for (int i = 0; i + 1 < first->rank; i++) {
        s->rows *= first->shape[i];
        if (first->shape[i] == 1)
            continue;
        bool joins = s->axes > 0;
        for (int k = 0; joins && k < count; k++)
            joins = !t[k] || t[k]->stride[axis[s->axes - 1]] == t[k]->stride[i] * first->shape[i];
        if (joins) {
            s->size[s->axes - 1] *= first->shape[i];
            axis[s->axes - 1] = i; /* the finer stride */
        } else {
            s->size[s->axes] = first->shape[i];
            axis[s->axes++] = i;
        }
    }
    if (flat && s->axes > 0) {
        bool joins = true;
        for (int k = 0; joins && k < count; k++)
            joins = !t[k] || t[k]->stride[axis[s->axes - 1]] == s->columns;
        if (joins) {
            s->columns *= s->size[--s->axes];
            s->rows = 1;
            for (int i = 0; i < s->axes; i++)
                s->rows *= s->size[i];
        }
    }
    for (int k = 0; k < count; k++) {
        o[k] = {};
        if (!t[k])
            continue;
        o[k].data = t[k]->data;
        o[k].type = t[k]->dtype;
        aligned = aligned && ((uintptr_t)t[k]->data & 15) == 0 && size_of(o[k].type) >= 2;
        for (int i = 0; i < s->axes; i++) {
            o[k].stride[i] = t[k]->stride[axis[i]];
            aligned = aligned && ((size_t)o[k].stride[i] * size_of(o[k].type) & 15) == 0;
        }
    }
    return aligned;
}

struct vector vector_of(const struct tensor *v, const struct tensor *x)
{
    struct vector out = {NULL, 1};
    int64_t rows = 1;

    if (!v)
        return out;
    for (int i = 0; i + 1 < x->rank; i++)
        rows *= x->shape[i];
    out.data = (const float *)v->data;
    out.run = v->rank == 2 && v->shape[0] > 0 ? rows / v->shape[0] : rows;
    if (out.run < 1)
        out.run = 1;
    return out;
}

/* ---- the kernel */

enum map {
    MAP_COPY,
    MAP_ACTIVATION,
    MAP_GLU,
    MAP_BLEND,
    MAP_ADD_GATED,
    MAP_PRELU,
    MAP_MODULATE,
    MAP_BIAS, /* and activation */
};

struct map_job {
    struct domain shape;
    struct operand out, x, y;
    struct vector a, b;
    float ka, kb;
    int act;
    bool aligned, vectors_aligned;
};

template <int MAP>
static __device__ __forceinline__ float mapped(const struct map_job &j, float x, float y, float a,
                                               float b)
{
    switch (MAP) {
    case MAP_ACTIVATION:
        return activate(j.act, x);
    case MAP_GLU:
        return x * activate(j.act, y);
    case MAP_BLEND:
        return j.y.data ? j.ka * x + j.kb * y : j.ka * x;
    case MAP_ADD_GATED:
        return x + (j.a.data ? a * y : y);
    case MAP_PRELU:
        return x > 0 || !j.a.data ? x : a * x;
    case MAP_MODULATE:
        return x * (1.0f + a) + b;
    case MAP_BIAS:
        return activate(j.act, x + a + y);
    default:
        return x;
    }
}

/* FAST: whole chunks on 16 bytes only, counted in 32 bits; what large activations are. */
template <int MAP, bool FAST>
static __global__ void __launch_bounds__(256) map_kernel(const struct map_job j)
{
    typedef typename index_of<FAST>::type index;
    index columns = (index)j.shape.columns, chunks = (columns + CHUNK - 1) / CHUNK;
    index total = (index)j.shape.rows * chunks, step = (index)gridDim.x * blockDim.x;

    for (index i = (index)blockIdx.x * blockDim.x + threadIdx.x; i < total; i += step) {
        index row = quotient(i, chunks), column = (i - row * chunks) * CHUNK;
        int n = FAST ? CHUNK : (int)(columns - column < CHUNK ? columns - column : CHUNK);
        bool aligned = FAST || j.aligned, vectors = FAST || j.vectors_aligned;
        float x[CHUNK], y[CHUNK] = {}, a[CHUNK] = {}, b[CHUNK] = {};
        load_chunk(j.x.data, j.x.type, row_offset(j.shape, j.x, row) + column, n, aligned, x);
        if (MAP >= MAP_GLU && j.y.data)
            load_chunk(j.y.data, j.y.type, row_offset(j.shape, j.y, row) + column, n, aligned, y);
        if (MAP >= MAP_ADD_GATED && j.a.data)
            load_chunk(j.a.data, DTYPE_F32, vector_row(j.a, row) * columns + column, n, vectors, a);
        if (MAP == MAP_MODULATE && j.b.data)
            load_chunk(j.b.data, DTYPE_F32, vector_row(j.b, row) * columns + column, n, vectors, b);
#pragma unroll
        for (int k = 0; k < CHUNK; k++)
            x[k] = mapped<MAP>(j, x[k], y[k], a[k], b[k]);
        store_chunk(j.out.data, j.out.type, row_offset(j.shape, j.out, row) + column, n, aligned,
                    x);
    }
}

static bool vector_aligned(const struct vector *v, int64_t columns)
{
    return !v->data || (((uintptr_t)v->data & 15) == 0 && columns % 4 == 0);
}

static void run_map(struct context *c, enum map map, struct map_job *j, const struct tensor *out,
                    const struct tensor *x, const struct tensor *y)
{
    const struct tensor *t[3] = {out, x, y};
    struct operand o[3];

    j->aligned = domain_of(&j->shape, o, t, 3, !j->a.data && !j->b.data);
    j->out = o[0];
    j->x = o[1];
    j->y = o[2];
    j->vectors_aligned =
        vector_aligned(&j->a, j->shape.columns) && vector_aligned(&j->b, j->shape.columns);
    int64_t total = j->shape.rows * ((j->shape.columns + CHUNK - 1) / CHUNK);
    if (total == 0)
        return;
    unsigned blocks = blocks_for(total, 256);
    bool fast =
        is_fast(j->aligned && j->vectors_aligned, &j->shape, total) && j->x.type <= DTYPE_BF16;
    switch (map) {
#define CASE(name)                                                                                 \
    case name:                                                                                     \
        if (fast)                                                                                  \
            map_kernel<name, true><<<blocks, 256, 0, c->stream>>>(*j);                             \
        else                                                                                       \
            map_kernel<name, false><<<blocks, 256, 0, c->stream>>>(*j);                            \
        break
        CASE(MAP_COPY);
        CASE(MAP_ACTIVATION);
        CASE(MAP_GLU);
        CASE(MAP_BLEND);
        CASE(MAP_ADD_GATED);
        CASE(MAP_PRELU);
        CASE(MAP_MODULATE);
        CASE(MAP_BIAS);
#undef CASE
    }
    launched(c, "an operation on elements");
}

void cuda_activation(struct device *d, struct tensor *out, const struct tensor *x,
                     enum activation act)
{
    struct map_job j = {};
    if (out->dtype == DTYPE_F8_E4M3) {
        rows_map(context_of(d), out, x, NULL, act);
        return;
    }
    j.act = act;
    run_map(context_of(d), MAP_ACTIVATION, &j, out, x, NULL);
}

void map_glu(struct context *c, const struct tensor *out, const struct tensor *x,
             const struct tensor *gate, int act)
{
    struct map_job j = {};
    if (out->dtype == DTYPE_F8_E4M3) {
        rows_map(c, out, x, gate, act);
        return;
    }
    j.act = act;
    run_map(c, MAP_GLU, &j, out, x, gate);
}

void cuda_blend(struct device *d, struct tensor *out, float a, const struct tensor *x, float b,
                const struct tensor *y)
{
    struct map_job j = {};
    j.ka = a;
    j.kb = b;
    run_map(context_of(d), MAP_BLEND, &j, out, x, y);
}

void cuda_add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                    const struct tensor *y, const struct tensor *gate)
{
    struct map_job j = {};
    j.a = vector_of(gate, x);
    run_map(context_of(d), MAP_ADD_GATED, &j, out, x, y);
}

void cuda_prelu(struct device *d, struct tensor *out, const struct tensor *x,
                const struct tensor *slope)
{
    struct map_job j = {};
    j.a = vector_of(slope, x);
    run_map(context_of(d), MAP_PRELU, &j, out, x, NULL);
}

void cuda_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *scale, const struct tensor *shift)
{
    struct map_job j = {};
    j.a = vector_of(scale, x);
    j.b = vector_of(shift, x);
    run_map(context_of(d), MAP_MODULATE, &j, out, x, NULL);
}

void bias_activate(struct context *c, const struct tensor *x, const float *bias, int act)
{
    struct map_job j = {};
    j.act = act;
    j.a.data = bias;
    j.a.run = INT64_MAX;
    run_map(c, MAP_BIAS, &j, x, x, NULL);
}

void bias_add(struct context *c, const struct tensor *out, const struct tensor *x,
              const float *bias, const struct tensor *y)
{
    struct map_job j = {};
    j.act = ACT_NONE;
    j.a.data = bias;
    j.a.run = INT64_MAX;
    run_map(c, MAP_BIAS, &j, out, x, y);
}

void map_copy(struct context *c, const struct tensor *out, const struct tensor *x)
{
    struct map_job j = {};
    run_map(c, MAP_COPY, &j, out, x, NULL);
}
