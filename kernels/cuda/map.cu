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
    MAP_MUL,
    MAP_GLU,
    MAP_BLEND,
    MAP_ADD_GATED,
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
    case MAP_MUL:
        return x * y;
    case MAP_GLU:
        return x * activate(j.act, y);
    case MAP_BLEND:
        return j.y.data ? j.ka * x + j.kb * y : j.ka * x;
    case MAP_ADD_GATED:
        return x + (j.a.data ? a * y : y);
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
        if (MAP >= MAP_MUL && j.y.data)
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
        CASE(MAP_MUL);
        CASE(MAP_GLU);
        CASE(MAP_BLEND);
        CASE(MAP_ADD_GATED);
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
    j.act = act;
    run_map(context_of(d), MAP_ACTIVATION, &j, out, x, NULL);
}

void cuda_mul(struct device *d, struct tensor *out, const struct tensor *x, const struct tensor *y)
{
    struct map_job j = {};
    run_map(context_of(d), MAP_MUL, &j, out, x, y);
}

void cuda_glu(struct device *d, struct tensor *out, const struct tensor *x,
              const struct tensor *gate, enum activation act)
{
    struct map_job j = {};
    j.act = act;
    run_map(context_of(d), MAP_GLU, &j, out, x, gate);
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

/* ---- copies */

/* out's innermost axis against x's: tiles of 32 x 32 through shared memory. */
struct transpose_job {
    void *out;
    const void *x;
    int out_type, x_type;
    int64_t rows, columns;     /* columns: dense in out; rows: dense in x */
    int64_t out_row, x_column; /* strides of the other axes */
    struct domain others;      /* the rest, as rows */
    struct operand out_others, x_others;
};
enum { TILE = 32 };

static __global__ void __launch_bounds__(TILE * 8) transpose_kernel(const struct transpose_job j)
{
    __shared__ float tile[TILE][TILE + 1];
    int64_t column_tiles = (j.columns + TILE - 1) / TILE, row_tiles = (j.rows + TILE - 1) / TILE;
    int64_t total = j.others.rows * row_tiles * column_tiles;

    for (int64_t i = blockIdx.x; i < total; i += gridDim.x) {
        int64_t other = i / (row_tiles * column_tiles);
        int64_t row0 = i / column_tiles % row_tiles * TILE, column0 = i % column_tiles * TILE;
        int64_t from = row_offset(j.others, j.x_others, other);
        int64_t to = row_offset(j.others, j.out_others, other);
        for (int k = threadIdx.y; k < TILE; k += 8) {
            int64_t row = row0 + threadIdx.x, column = column0 + k;
            if (row < j.rows && column < j.columns)
                tile[k][threadIdx.x] = load_one(j.x, j.x_type, from + column * j.x_column + row);
        }
        __syncthreads();
        for (int k = threadIdx.y; k < TILE; k += 8) {
            int64_t row = row0 + k, column = column0 + threadIdx.x;
            if (row < j.rows && column < j.columns)
                store_one(j.out, j.out_type, to + row * j.out_row + column, tile[threadIdx.x][k]);
        }
        __syncthreads();
    }
}

/* Every element by itself, in the order of out. */
static __global__ void __launch_bounds__(256)
    scatter_kernel(struct domain s, struct operand out, struct operand x)
{
    int64_t step = (int64_t)gridDim.x * blockDim.x;
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < s.rows; i += step)
        store_one(out.data, out.type, row_offset(s, out, i),
                  load_one(x.data, x.type, row_offset(s, x, i)));
}

struct axis {
    int64_t size, out, x;
};

/* The axes longer than 1, out's widest stride first, those that run on in both merged. */
static int plan_axes(struct axis *axes, const struct tensor *out, const struct tensor *x)
{
    int n = 0, kept = 0;

    for (int i = 0; i < out->rank; i++) {
        struct axis a = {out->shape[i], out->stride[i], x->stride[i]};
        int at = n;
        if (a.size == 1)
            continue;
        for (; at > 0 && axes[at - 1].out < a.out; at--)
            axes[at] = axes[at - 1];
        axes[at] = a;
        n++;
    }
    for (int i = 0; i < n; i++) {
        struct axis *last = kept ? &axes[kept - 1] : NULL;
        if (last && last->out == axes[i].out * axes[i].size &&
            last->x == axes[i].x * axes[i].size) {
            last->size *= axes[i].size;
            last->out = axes[i].out;
            last->x = axes[i].x;
        } else {
            axes[kept++] = axes[i];
        }
    }
    return kept;
}

static void domain_of_axes(struct domain *s, struct operand *out, struct operand *x,
                           const struct axis *axes, int n, int skip_a, int skip_b)
{
    *s = {};
    s->rows = 1;
    for (int i = 0; i < n; i++)
        if (i != skip_a && i != skip_b) {
            s->size[s->axes] = axes[i].size;
            out->stride[s->axes] = axes[i].out;
            x->stride[s->axes++] = axes[i].x;
            s->rows *= axes[i].size;
        }
}

static void transpose(struct context *c, const struct tensor *out, const struct tensor *x,
                      const struct axis *axes, int n, int dense)
{
    struct transpose_job j = {};

    j.out = out->data;
    j.x = x->data;
    j.out_type = out->dtype;
    j.x_type = x->dtype;
    j.rows = axes[dense].size;
    j.out_row = axes[dense].out;
    j.columns = axes[n - 1].size;
    j.x_column = axes[n - 1].x;
    domain_of_axes(&j.others, &j.out_others, &j.x_others, axes, n, dense, n - 1);
    int64_t tiles = j.others.rows * ((j.rows + TILE - 1) / TILE) * ((j.columns + TILE - 1) / TILE);
    transpose_kernel<<<blocks_for(tiles, 1), dim3(TILE, 8), 0, c->stream>>>(j);
    launched(c, "a transpose");
}

static void copy_rows(struct context *c, const struct tensor *out, const struct tensor *x,
                      const struct axis *axes, int n)
{
    struct map_job j = {};
    struct tensor o = *out, i = *x;

    o.rank = i.rank = n;
    for (int k = 0; k < n; k++) {
        o.shape[k] = i.shape[k] = axes[k].size;
        o.stride[k] = axes[k].out;
        i.stride[k] = axes[k].x;
    }
    run_map(c, MAP_COPY, &j, &o, &i, NULL);
}

void copy_any(struct context *c, const struct tensor *out, const struct tensor *x)
{
    struct axis axes[TENSOR_MAX_RANK];
    int n;

    for (int i = 0; i < out->rank; i++)
        if (out->shape[i] == 0)
            return;
    n = plan_axes(axes, out, x);
    if (n == 0)
        axes[n++] = {1, 1, 1};
    const struct axis *last = &axes[n - 1];
    if (last->out == 1 && last->x == 1) {
        if (n == 1 && out->dtype == x->dtype)
            cuda_ok(c,
                    cudaMemcpyAsync(out->data, x->data, (size_t)last->size * size_of(out->dtype),
                                    cudaMemcpyDeviceToDevice, c->stream),
                    "a copy");
        else
            copy_rows(c, out, x, axes, n);
        return;
    }
    for (int i = 0; last->out == 1 && i + 1 < n; i++)
        if (axes[i].x == 1) {
            transpose(c, out, x, axes, n, i);
            return;
        }
    struct domain s;
    struct operand o = {}, from = {};
    domain_of_axes(&s, &o, &from, axes, n, -1, -1);
    o.data = out->data;
    o.type = out->dtype;
    from.data = x->data;
    from.type = x->dtype;
    scatter_kernel<<<blocks_for(s.rows, 256), 256, 0, c->stream>>>(s, o, from);
    launched(c, "a copy");
}

void cuda_copy(struct device *d, struct tensor *out, const struct tensor *x)
{
    copy_any(context_of(d), out, x);
}
