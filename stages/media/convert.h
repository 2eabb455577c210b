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

/* Both of one size, which is even where chroma is halved; `out` is allocated and writable. */
void convert_to_yuv420p(const AVFrame *master, AVFrame *out);
void convert_to_yuv10(const AVFrame *master, AVFrame *out); /* YUV420P10, YUV422P10, YUV444P10 */
void convert_to_rgb24(const AVFrame *master, AVFrame *out);
void convert_to_rgb48(const AVFrame *master, AVFrame *out); /* RGB48BE, RGB48LE: 65535 is white */
/* GBRPF32: linear light by the inverse of BT.709's transfer function, 1 is white. */
void convert_to_light(const AVFrame *master, AVFrame *out);
/* From a title layer (BGRA, straight alpha) to YUVA444P10 with straight alpha in full range. */
void convert_layer_to_yuva444p10(const AVFrame *layer, AVFrame *out);

#endif
