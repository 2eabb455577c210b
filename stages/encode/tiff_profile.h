/* FFmpeg's TIFF encoder says nothing of colours: this adds an ICC profile (ICC.1:2010, tag 34675)
 * of what the pictures are, BT.709's primaries and transfer with a white of D65. */
#ifndef AUTEUR_STAGES_ENCODE_TIFF_PROFILE_H
#define AUTEUR_STAGES_ENCODE_TIFF_PROFILE_H

#include "kernels/base/error.h"

/* Into the one picture of the file; the same bytes at any time. From several threads, of several
 * files, at once. */
int tiff_profile_add(const char *path, struct error *e);

#endif
