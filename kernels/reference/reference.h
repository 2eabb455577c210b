/* The plain C twin of every operation; contracts in kernels/ops.h. */
#ifndef AUTEUR_KERNELS_REFERENCE_H
#define AUTEUR_KERNELS_REFERENCE_H

#include "kernels/device_impl.h"

float reference_activation(enum activation act, double x);

const void *reference_linear_pack(struct device *d, struct arena *a, int count,
                                  const struct tensor *const *weight, const struct linear *shape);
const void *reference_conv_pack(struct device *d, struct arena *a, const struct tensor *weight,
                                const struct conv *shape);
void reference_write(struct device *d, struct tensor *out, const struct tensor *host);
void reference_read(struct device *d, struct tensor *host, const struct tensor *x);
void reference_linear(struct device *d, struct tensor *out, const struct tensor *x,
                      const struct linear *w, enum activation act, const struct tensor *residual);
void reference_linear_glu(struct device *d, struct tensor *out, const struct tensor *x,
                          const struct linear *w, enum activation act);
void reference_attention(struct device *d, struct tensor *out, const struct tensor *q,
                         const struct tensor *k, const struct tensor *v, float scale,
                         const struct attention_bias *bias);
void reference_layer_norm(struct device *d, struct tensor *out, const struct tensor *x,
                          const struct tensor *weight, const struct tensor *bias, float eps);
void reference_rms_norm(struct device *d, struct tensor *out, const struct tensor *x,
                        const struct tensor *weight, float eps);
void reference_channel_norm(struct device *d, struct tensor *out, const struct tensor *x,
                            const struct tensor *gamma, enum activation act);
void reference_group_norm(struct device *d, struct tensor *out, const struct tensor *x, int groups,
                          const struct tensor *weight, const struct tensor *bias, float eps,
                          enum activation act);
void reference_group_statistics(struct device *d, struct tensor *affine, const struct tensor *x,
                                int groups, const struct tensor *weight, const struct tensor *bias,
                                float eps);
void reference_normalise(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct tensor *affine, const struct normalise_form *form);
void reference_read_begin(struct device *d, int slot, const struct tensor *x);
const float *reference_read_end(struct device *d, int slot);
void reference_rope(struct device *d, struct tensor *x, const struct tensor *cos,
                    const struct tensor *sin, enum rope_pairs pairs);
void reference_embed(struct device *d, struct tensor *out, const struct tensor *table,
                     const struct tensor *ids);
void reference_activate(struct device *d, struct tensor *out, const struct tensor *x,
                        enum activation act);
void reference_prelu(struct device *d, struct tensor *out, const struct tensor *x,
                     const struct tensor *slope);
void reference_glu(struct device *d, struct tensor *out, const struct tensor *x,
                   const struct tensor *gate, enum activation act);
void reference_blend(struct device *d, struct tensor *out, float a, const struct tensor *x, float b,
                     const struct tensor *y);
void reference_add_gated(struct device *d, struct tensor *out, const struct tensor *x,
                         const struct tensor *y, const struct tensor *gate);
void reference_modulate(struct device *d, struct tensor *out, const struct tensor *x,
                        const struct tensor *scale, const struct tensor *shift);
void reference_distance(struct device *d, struct tensor *out, const struct tensor *x,
                        const struct tensor *y);
void reference_copy(struct device *d, struct tensor *out, const struct tensor *x);
void reference_conv(struct device *d, struct tensor *out, const struct tensor *const *x,
                    const struct conv *w, const struct tensor *residual);
bool reference_conv_clips(struct device *d, struct tensor *out, const struct tensor *x,
                          const struct conv *w, const struct tensor *residual);
void reference_patchify(struct device *d, struct tensor *tokens, const struct tensor *latents,
                        const int patch[3]);
void reference_unpatchify(struct device *d, struct tensor *latents, const struct tensor *tokens,
                          const int patch[3]);

#endif
