/* What decoding in tiles changes of the pictures that are kept. */
#ifndef AUTEUR_PIPELINE_BENCH_TILES_H
#define AUTEUR_PIPELINE_BENCH_TILES_H

#include <jansson.h>

#include "stages/decode/tiling.h"

/* Of numbers as a decoder gives them, cut off at -1 and 1 as they are for a file. */
struct picture_difference {
    double most, sum;          /* of white */
    int64_t steps, most_steps; /* of 8 bits, of 255 */
    int64_t differ, count;     /* numbers that are another step; all */
};
void picture_difference_add(struct picture_difference *d, float a, float b);

struct tiles_difference {
    int columns, rows, width, height; /* tiles, and pixels of one */
    struct picture_difference all, shared;
};

/* Decodes latents within the limits and whole, and finds how far they are apart: everywhere, and
 * where several tiles show the same pixel. */
int bench_tiles(const struct family *f, void *vae, struct device *d,
                const struct vae_limits *limits, const struct tensor *latents,
                struct tiles_difference *out, struct error *e);
void tiles_difference_print(const struct tiles_difference *t);
json_t *tiles_difference_json(const struct tiles_difference *t);

#endif
