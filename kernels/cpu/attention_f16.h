/* Which attention is computed by products of F16 where a processor has them:
 * kernels/dry/processor.c counts time by it. */
#ifndef AUTEUR_KERNELS_CPU_ATTENTION_F16_H
#define AUTEUR_KERNELS_CPU_ATTENTION_F16_H

#include "kernels/cpu/sizes.h"
#include "kernels/ops.h"

enum { ROWS_F16 = 8, FEWEST_KEYS_F16 = 512, MOST_DIM_F16 = 128 };

/* Below so many keys F32 is as fast. */
static inline bool is_attention_f16(const struct tensor *q, const struct tensor *k,
                                    const struct attention_bias *bias)
{
    return k->shape[1] >= FEWEST_KEYS_F16 && q->shape[1] >= QUERY_BLOCK &&
           q->shape[3] <= MOST_DIM_F16 && q->shape[3] % ROWS_F16 == 0 && !bias->causal &&
           !bias->precise && !bias->key.data && !bias->relative.data;
}

#endif
