#include "stages/models/published.h"

#include <string.h>

const struct published published_all[] = {
    {"validator", "sdxl", REPOSITORY_SDXL, NULL, "sdxl"},
    {"validator", "svd-xt", REPOSITORY_SVD_XT, NULL, "svd-xt"},
    {"picture", "", REPOSITORY_SDXL, NULL, "sdxl"},
    {"workhorse", "", REPOSITORY_HUNYUAN, NULL, "hunyuan-video"},
    {"experimental", "", REPOSITORY_COGVIDEOX_5B, REPOSITORY_COGVIDEOX_2B, "cogvideox-5b"},
    {"flagship", "", REPOSITORY_WAN_2_2, REPOSITORY_WAN_2_1, "wan2.2-t2v-a14b"},
};
const int published_count = sizeof published_all / sizeof *published_all;

const struct published *published_find(const char *tier, const char *folder)
{
    for (int i = 0; i < published_count; i++)
        if (strcmp(published_all[i].tier, tier) == 0 &&
            strcmp(published_all[i].folder, folder) == 0)
            return &published_all[i];
    return NULL;
}
