/* UMT5's encoder (UMT5EncoderModel as transformers publishes it): what the Wan family reads prompts
 * with. It is T5 (C. Raffel et al., arXiv 1910.10683) with gated GELU and a relative position bias
 * in every layer (H. W. Chung et al., "UniMax", arXiv 2304.09151). Arithmetic is F32, whatever the
 * weights are stored in; sizes come from config.json. Forms other than gated-gelu are refused.
 */
#ifndef AUTEUR_PROMPTS_UMT5_H
#define AUTEUR_PROMPTS_UMT5_H

#include "kernels/device.h"

struct umt5;

/* dir holds config.json and the weights. The device must outlive the model. With device NULL the
 * config is read and every tensor looked up, no weights: for a check; only the sizes may be asked.
 */
int umt5_load(const char *dir, struct device *d, struct umt5 **out, struct error *e);
void umt5_free(struct umt5 *m); /* NULL-safe */

int umt5_width(const struct umt5 *m);      /* d_model */
int umt5_vocabulary(const struct umt5 *m); /* ids are below it */

/* ids: [count], </s> included and no padding; count >= 1. out: [count, d_model] contiguous F32 in
 * host memory. As padding is masked in the published encoder, this is what it gives for the real
 * tokens; the pipeline's padding rows are zeros. */
int umt5_encode(struct umt5 *m, const int32_t *ids, int count, struct tensor *out, struct error *e);

#endif
