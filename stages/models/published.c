#include "stages/models/published.h"

#include <stddef.h>

const struct published published_all[] = {
    {"validator", "sdxl", REPOSITORY_SDXL, NULL},
    {"validator", "svd-xt", REPOSITORY_SVD_XT, NULL},
    {"workhorse", "", REPOSITORY_HUNYUAN, NULL},
    {"experimental", "", REPOSITORY_COGVIDEOX_5B, REPOSITORY_COGVIDEOX_2B},
    {"flagship", "", REPOSITORY_WAN_2_2, REPOSITORY_WAN_2_1},
};
const int published_count = sizeof published_all / sizeof *published_all;
