/* What a decode keeps to. */
#ifndef AUTEUR_STAGES_VAE_LIMITS_H
#define AUTEUR_STAGES_VAE_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/device.h"

struct rehearsal;

struct vae_limits {
    size_t memory;               /* bytes of the device's memory besides weights, and what a GPU's
                                    driver holds; 0: a share of what is free */
    bool memory_asked;           /* a person wrote that figure, and it was not made smaller since */
    int tile_width, tile_height; /* pixels that are decoded at once, at most; 0: as memory allows */
    int overlap;                 /* pixels that tiles share with their neighbours, at least; 0: as
                                    was measured to do (tiling.c) */
    int frames;                  /* that are decoded together; 0: as published */
    struct rehearsal *rehearsal; /* what tiles take is found by it (stages/decode/rehearsal.h);
                                    NULL: by what the family says */
};

/* From text: memory "12G", "800M" (of 1024) or bytes, tile "640x480"; NULL or "": not limited.
 * ERROR_USAGE names the option. */
int vae_limits_read(const char *memory, const char *tile, struct vae_limits *out, struct error *e);

/* A processor gains nothing from many frames at once; a GPU does, as long as its units are not all
 * at work. */
bool vae_gains_from_many_frames(const struct device *d);
/* Says (kernels/notes.h) how many frames are decoded at once, where that is a choice. */
void vae_say_slices(struct device *d, int64_t frames);

#endif
