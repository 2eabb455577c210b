#include "kernels/reference/reference.h"

void ops_init_reference(struct ops *ops)
{
    *ops = (struct ops){
        .linear_pack = reference_linear_pack,
        .conv_pack = reference_conv_pack,
        .write = reference_write,
        .read = reference_read,
        .read_begin = reference_read_begin,
        .read_end = reference_read_end,
        .linear = reference_linear,
        .linear_glu = reference_linear_glu,
        .attention = reference_attention,
        .layer_norm = reference_layer_norm,
        .rms_norm = reference_rms_norm,
        .channel_norm = reference_channel_norm,
        .group_norm = reference_group_norm,
        .group_statistics = reference_group_statistics,
        .normalise = reference_normalise,
        .rope = reference_rope,
        .embed = reference_embed,
        .activation = reference_activate,
        .prelu = reference_prelu,
        .glu = reference_glu,
        .blend = reference_blend,
        .add_gated = reference_add_gated,
        .modulate = reference_modulate,
        .distance = reference_distance,
        .copy = reference_copy,
        .conv = reference_conv,
        .conv_clips = reference_conv_clips,
        .patchify = reference_patchify,
        .unpatchify = reference_unpatchify,
    };
}
