/* The one inner loop: a tile of rows x (nb * 16) sums, kept in registers.
 *
 *   sum[m][n] = bias[n] + a[t][m * lda + k] * b[n / 16][t][k][n % 16]  over taps t and k < depth
 *
 * A matrix product has one tap; a convolution has one for every row of its kernel, since the
 * channels of the pixels under one kernel row lie side by side. A tap that is NULL is skipped.
 */
#ifndef AUTEUR_KERNELS_TILE_H
#define AUTEUR_KERNELS_TILE_H

#include "kernels/cpu/simd.h"

enum { TILE_MAX_TAPS = 9 };

struct tile {
    const float *a[TILE_MAX_TAPS];
    int taps;
    int64_t depth, lda;
    const float *b;
    int64_t b_block, b_tap; /* floats between blocks of 16 columns, and between taps of a block */

    float *out;
    int64_t ldo, columns;  /* columns that exist: fewer than nb * 16 in the last block */
    const float *bias;     /* [columns] or NULL */
    const float *residual; /* to add; may be out; or NULL */
    int64_t ldr;
    const float *slope; /* [columns] of a PReLU, or NULL */
};

/* Registers decide: 24 sums of 16 lanes leave room in AVX-512's 32, 12 of 8 in AVX2's 16. */
#if SIMD_FLOATS == 16
enum { TILE_NB = 4, TILE_ROWS_1 = 24, TILE_ROWS_2 = 12, TILE_ROWS_4 = 6 };
#elif SIMD_FLOATS == 8 || defined(__aarch64__)
enum { TILE_NB = 1, TILE_ROWS_1 = 6, TILE_ROWS_2 = 0, TILE_ROWS_4 = 0 };
#else
enum { TILE_NB = 1, TILE_ROWS_1 = 2, TILE_ROWS_2 = 0, TILE_ROWS_4 = 0 };
#endif

/* One step of k: a column of b against a row of a. */
#define TILE_LOOP(ROWS, NB, LDA)                                                                   \
    for (int tap = 0; tap < t->taps; tap++) {                                                      \
        const float *a = t->a[tap], *b = t->b + tap * t->b_tap;                                    \
        if (!a)                                                                                    \
            continue;                                                                              \
        a += row * (LDA);                                                                          \
        for (int64_t k = 0; k < t->depth; k++, a++, b += BLOCK) {                                  \
            vf column[NB][VECS];                                                                   \
            SIMD_UNROLL for (int n = 0; n < (NB); n++) SIMD_UNROLL for (int v = 0; v < VECS; v++)  \
                column[n][v] = vf_load(b + n * t->b_block + v * SIMD_FLOATS);                      \
            SIMD_UNROLL for (int m = 0; m < (ROWS); m++)                                           \
            {                                                                                      \
                const vf x = vf_all(a[m * (LDA)]);                                                 \
                SIMD_UNROLL for (int n = 0; n < (NB); n++)                                         \
                    SIMD_UNROLL for (int v = 0; v < VECS; v++) sum[m][n][v] += x * column[n][v];   \
            }                                                                                      \
        }                                                                                          \
    }

#define TILE_EACH(ROWS, NB)                                                                        \
    SIMD_UNROLL for (int m = 0; m < (ROWS); m++) SIMD_UNROLL for (int n = 0; n < (NB); n++)        \
        SIMD_UNROLL for (int v = 0; v < VECS; v++)

/* Rows row..row + ROWS - 1 of a tile. A constant LDA spares one address register a row. */
#define TILE_FUNCTION(ROWS, NB)                                                                    \
    static __attribute__((noinline)) void tile_##ROWS##x##NB(const struct tile *t, int64_t row)    \
    {                                                                                              \
        vf sum[ROWS][NB][VECS];                                                                    \
        vf start[NB][VECS];                                                                        \
        SIMD_UNROLL for (int n = 0; n < (NB); n++) SIMD_UNROLL for (int v = 0; v < VECS; v++)      \
            start[n][v] = tile_vector(t->bias, t, n * BLOCK + v * SIMD_FLOATS);                    \
        TILE_EACH(ROWS, NB) sum[m][n][v] = start[n][v];                                            \
        if (t->lda == 16) {                                                                        \
            TILE_LOOP(ROWS, NB, 16)                                                                \
        } else if (t->lda == 32) {                                                                 \
            TILE_LOOP(ROWS, NB, 32)                                                                \
        } else {                                                                                   \
            TILE_LOOP(ROWS, NB, t->lda)                                                            \
        }                                                                                          \
        SIMD_UNROLL for (int m = 0; m < (ROWS); m++) SIMD_UNROLL for (int n = 0; n < (NB); n++)    \
            SIMD_UNROLL for (int v = 0; v < VECS; v++)                                             \
                tile_finish(t, row + m, n * BLOCK + v * SIMD_FLOATS, sum[m][n][v]);                \
    }

SIMD_INLINE vf tile_vector(const float *p, const struct tile *t, int64_t column)
{
    int64_t left = t->columns - column;
    if (!p || left <= 0)
        return (vf){0};
    return left >= SIMD_FLOATS ? vf_load(p + column) : vf_load_part(p + column, left);
}

SIMD_INLINE void tile_finish(const struct tile *t, int64_t row, int64_t column, vf sum)
{
    int64_t left = t->columns - column;
    float *out = t->out + row * t->ldo + column;

    if (left <= 0)
        return;
    if (t->residual)
        sum += tile_vector(t->residual + row * t->ldr, t, column);
    if (t->slope)
        sum = vf_select(sum > 0, sum, sum * tile_vector(t->slope, t, column));
    if (left >= SIMD_FLOATS)
        vf_store(out, sum);
    else
        vf_store_part(out, sum, left);
}

TILE_FUNCTION(1, 1)
#if SIMD_FLOATS == 16
TILE_FUNCTION(24, 1)
TILE_FUNCTION(8, 1)
TILE_FUNCTION(12, 2)
TILE_FUNCTION(4, 2)
TILE_FUNCTION(1, 2)
TILE_FUNCTION(6, 4)
TILE_FUNCTION(2, 4)
TILE_FUNCTION(1, 4)
#elif SIMD_FLOATS == 8 || defined(__aarch64__)
TILE_FUNCTION(6, 1)
TILE_FUNCTION(3, 1)
#else
TILE_FUNCTION(2, 1)
#endif

struct tile_size {
    int rows;
    void (*run)(const struct tile *t, int64_t row);
};
/* By nb, largest first; ends with one row. */
static const struct tile_size tile_sizes[TILE_NB + 1][3] = {
#if SIMD_FLOATS == 16
    [1] = {{24, tile_24x1}, {8, tile_8x1}, {1, tile_1x1}},
    [2] = {{12, tile_12x2}, {4, tile_4x2}, {1, tile_1x2}},
    [4] = {{6, tile_6x4}, {2, tile_2x4}, {1, tile_1x4}},
#elif SIMD_FLOATS == 8 || defined(__aarch64__)
    [1] = {{6, tile_6x1}, {3, tile_3x1}, {1, tile_1x1}},
#else
    [1] = {{2, tile_2x1}, {1, tile_1x1}, {1, tile_1x1}},
#endif
};

/* The widest nb (a power of two) of at most `blocks`. */
SIMD_INLINE int tile_nb(int64_t blocks)
{
    return blocks >= 4 && TILE_NB >= 4 ? 4 : blocks >= 2 && TILE_NB >= 2 ? 2 : 1;
}

/* All rows of a tile nb blocks wide. */
static void tile_run(const struct tile *t, int64_t rows, int nb)
{
    int64_t row = 0;
    for (const struct tile_size *s = tile_sizes[nb]; row < rows;) {
        if (rows - row >= s->rows) {
            s->run(t, row);
            row += s->rows;
        } else {
            s++;
        }
    }
}

#endif
