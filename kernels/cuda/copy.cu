/* Copies between any strides and dtypes: a plain one, rows, a transpose through tiles, or element
 * by element; whichever the axes, once sorted and merged, turn out to be. */
#include "kernels/cuda/numbers.cuh"

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
    struct tensor o = *out, i = *x;

    o.rank = i.rank = n;
    for (int k = 0; k < n; k++) {
        o.shape[k] = i.shape[k] = axes[k].size;
        o.stride[k] = axes[k].out;
        i.stride[k] = axes[k].x;
    }
    map_copy(c, &o, &i);
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
    if (out->dtype == DTYPE_F8_E4M3)
        rows_map(context_of(d), out, x, NULL, ACT_NONE);
    else if (x->dtype == DTYPE_F8_E4M3 && x->scale)
        rows_from_f8(context_of(d), out, x);
    else
        copy_any(context_of(d), out, x);
}
