/* Films in FFV1, lossless with a checksum a slice: what masters were, and what a file's own damage
 * shows in. */
#ifndef AUTEUR_TESTS_STAGES_FFV1_H
#define AUTEUR_TESTS_STAGES_FFV1_H

#include "stages/media/writer.h"

static inline struct media_form ffv1(int width, int height, struct rational fps)
{
    return (struct media_form){.container = "matroska",
                               .encoder = "ffv1",
                               .encoder_options = "level=3;slicecrc=1",
                               .pixel_format = AV_PIX_FMT_GBRP10LE,
                               .width = width,
                               .height = height,
                               .fps = fps,
                               .threads = 1,
                               .slices = 4,
                               .gop = 1,
                               .matrix = AVCOL_SPC_RGB,
                               .range = AVCOL_RANGE_JPEG,
                               .transfer = AVCOL_TRC_BT709};
}

#endif
