/* From a source's primaries and transfer curve to the master's: BT.709 primaries, display-referred
 * with BT.709's curve as every display shows it (gamma 2.4, ITU-R BT.1886).
 *
 *   same primaries, any standard-range curve   left as they are: sources are graded on displays
 *   other primaries (BT.601, P3, BT.2020)       linear light, 3x3 matrix, back; out of gamut:
 * clipped PQ (SMPTE ST 2084) and HLG (ARIB STD-B67)   to light; highlights rolled off (ITU-R
 * BT.2390-8 5.4.1) to a white of 203 cd/m2 (ITU-R BT.2408) Matrices come from the primaries'
 * chromaticities (ITU-T H.273 table 2) with white D65.
 */
#ifndef AUTEUR_STAGES_DECODE_COLOUR_H
#define AUTEUR_STAGES_DECODE_COLOUR_H

#include <stdbool.h>

#include <libavutil/pixfmt.h>

#include "kernels/base/error.h"

struct picture;
struct colour {
    float *to_light; /* [65536], NULL when nothing is to be done */
    float matrix[3][3];
    bool hlg;
    float peak;  /* HDR: the brightest, in units of reference white */
    float *bend; /* HDR: what light is multiplied by, by its brightest channel; else NULL */
};

int colour_open(struct colour *c, enum AVColorPrimaries primaries,
                enum AVColorTransferCharacteristic transfer, struct error *e);
void colour_apply(const struct colour *c, struct picture *p);
void colour_free(struct colour *c);

#endif
