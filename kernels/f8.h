/* FP8 (E4M3) rows with a scale each, in plain C: what the reference and the CPU know of them. Their
 * linear layers multiply in F32 what a GPU would multiply in FP8. */
#ifndef AUTEUR_KERNELS_F8_H
#define AUTEUR_KERNELS_F8_H

#include "kernels/tensor.h"

/* Where a row's largest number lies; rows of nothing but smaller ones than F8_LEAST are zeros. */
#define F8_MOST  448.0f
#define F8_LEAST 1e-30f

/* To nearest, ties to even; what is larger than 448 is 448; NaN stays NaN. */
uint8_t f8_of(float v);

/* out, F8_E4M3 with scales, from the F32 rows x: the scale is the largest |v| of a row / 448. */
void f8_write_rows(const struct tensor *out, const struct tensor *x);
/* And back, into F32 rows. */
void f8_read_rows(const struct tensor *out, const struct tensor *x);
/* Contiguous rows as they would be read back. */
void f8_round_rows(float *v, int64_t rows, int64_t columns);

#endif
