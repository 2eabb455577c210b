/* How the processor's operations cut their work: what kernels/dry/processor.c counts their memory
 * by. */
#ifndef AUTEUR_KERNELS_CPU_SIZES_H
#define AUTEUR_KERNELS_CPU_SIZES_H

enum { BLOCK = 16 };                        /* columns that lie packed together */
enum { QUERY_BLOCK = 96, KEY_BLOCK = 256 }; /* rows of attention at once */
enum { PACKED_LIMIT = 64 << 20 }; /* bytes of packed heads at once, unless one needs more */
enum { GROUP = 4 };               /* pixels that a convolution to few channels takes as one */

#endif
