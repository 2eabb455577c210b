#include "stages/stage.h"

const struct stage *const stages_all[STAGES] = {
    [STAGE_ENHANCE] = &stage_enhance, [STAGE_GENERATE] = &stage_generate,
    [STAGE_DECODE] = &stage_decode,   [STAGE_COMPOSITE] = &stage_composite,
    [STAGE_ENCODE] = &stage_encode,
};
