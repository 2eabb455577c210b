/* The master of a shot: its pictures without text, lossless, as "master.mkv".
 *
 * FFmpeg's Huffyuv (ffvhuff) in Matroska: lossless, every frame a key frame, read by FFmpeg and by
 * what is built on it. FFV1 packs a photographed scene to 0.62 of it and previs' to 0.87, but takes
 * five to seven times as long to read, and longer to write. It has no checksums; the journal has
 * the file's, and holds it against the file before a stage reads it. Pixels are R'G'B' in 10 bits,
 * full range (AV_PIX_FMT_GBRP10), not Y'CbCr: text is blended in RGB later, and no chroma is thrown
 * away before delivery. Ten bits hold what a VAE or a camera gives without banding. Tags: BT.709
 * primaries and transfer, RGB matrix, full range. The same pictures give the same bytes: no dates,
 * and one thread. Masters of versions before are FFV1, and are read as well.
 */
#ifndef AUTEUR_STAGES_DECODE_MASTER_H
#define AUTEUR_STAGES_DECODE_MASTER_H

#include "stages/decode/picture.h"
#include "stages/stage.h"

struct master;
int master_open(struct stage_job *job, struct master **out, struct error *e);
/* The next frame; the picture is of the board's size. Reports progress; ERROR_CANCELLED when the
 * user asked to stop. */
int master_add(struct master *m, const struct picture *p, struct error *e);
/* One picture is all there is: that it stands still is no fault. */
void master_stands_still(struct master *m);
/* The last frame once more. */
int master_repeat(struct master *m, struct error *e);
int master_frames(const struct master *m); /* so far */
/* Refuses black, flat and frozen shots and a wrong count, ends the file, registers it. */
int master_finish(struct master *m, struct error *e);
void master_close(struct master *m); /* NULL-safe */

#endif
