/* From the master's RGB to what is delivered.
 *
 * The master holds display-referred R'G'B' of BT.709 primaries in 10 bits, full range (AV_PIX_FMT_
 * GBRP10: planes green, blue, red). Y'CbCr follows ITU-R BT.709-6 item 3 and limited range: black
 * 16, white 235, chroma 128 +- 112 in 8 bits (times 4 in 10). Chroma is filtered 1-2-1 across and
 * averaged down, which puts it where MPEG-2 and H.264 expect it by default ("left": on the even
 * columns, half-way between two rows).
 *
 * Own arithmetic rather than libswscale: 32-bit integers, exact to half a step for every colour
 * (white is 235 and not 234, grey has no cast), bytes equal on every machine, and dithered where
 * ten bits become eight, so that gradients do not band. Colours that eight bits can say exactly are
 * not touched by the dither.
 */
#ifndef AUTEUR_STAGES_MEDIA_CONVERT_H
#define AUTEUR_STAGES_MEDIA_CONVERT_H

#include <libavutil/frame.h>

enum { MASTER_MAX = 1023 }; /* the master's white */

/* Both of one size, which is even for the first two; `out` is allocated and writable. */
void convert_to_yuv420p(const AVFrame *master, AVFrame *out);
void convert_to_yuv422p10(const AVFrame *master, AVFrame *out);
void convert_to_rgb24(const AVFrame *master, AVFrame *out);

#endif
