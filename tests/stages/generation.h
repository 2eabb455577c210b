/* A shot of any family: what each of them needs to be told. */
#ifndef AUTEUR_TESTS_STAGES_GENERATION_H
#define AUTEUR_TESTS_STAGES_GENERATION_H

#include "stages/generate/family.h"

static uint8_t picture[48 * 64 * 3]; /* for what is to be set in motion */

static inline struct generation any_generation(int width, int height, int frames, int steps)
{
    return (struct generation){.prompt = "a ship in a storm",
                               .negative = "blurry",
                               .picture = {picture, 64, 48},
                               .seed = 11,
                               .width = width,
                               .height = height,
                               .frames = frames,
                               .steps = steps,
                               .guidance = 3,
                               .guidance_2 = 2,
                               .fps = 7,
                               .motion_bucket = 127,
                               .noise_strength = 0.02};
}

#endif
