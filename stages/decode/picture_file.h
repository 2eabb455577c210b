/* A picture file as 8-bit RGB, for models that look at pictures. */
#ifndef AUTEUR_STAGES_DECODE_PICTURE_FILE_H
#define AUTEUR_STAGES_DECODE_PICTURE_FILE_H

#include <stdint.h>

#include "kernels/base/error.h"

/* The first picture of a file, upright, rgb [height][width][3]: 8-bit RGB as it stands there, other
 * forms by their tags (picture.h). `name` is how messages call the file. Caller frees *rgb. */
int picture_file_rgb(const char *path, const char *name, uint8_t **rgb, int *width, int *height,
                     struct error *e);

#endif
