/* Pictures out of a file: the best video stream of a clip, or the one picture of a picture file. Or
 * sound: the best audio stream, whose frames then stand for "pictures" below.
 *
 * The format is found by content, never by name, and nothing but the file itself is opened: a
 * playlist that points elsewhere is refused. Damage is an error, not a picture with holes; so is
 * a size beyond MEDIA_PIXELS_MAX. Every error names the file as `name`.
 */
#ifndef AUTEUR_STAGES_MEDIA_READER_H
#define AUTEUR_STAGES_MEDIA_READER_H

#include <stdbool.h>

#include <libavformat/avformat.h>
#include <libavutil/frame.h>

#include "kernels/base/error.h"

enum { MEDIA_PIXELS_MAX = 1 << 27 }; /* 134 million: above any camera's still */

struct media_reader;
/* `name` is how messages call the file (as the storyboard wrote it). */
int media_reader_open(const char *path, const char *name, int threads, struct media_reader **out,
                      struct error *e);
int media_reader_open_sound(const char *path, const char *name, struct media_reader **out,
                            struct error *e);
/* 1: the next picture in order of presentation, the reader's own until the next call, with pts (in
 * the stream's time base, counted from the stream's first picture) and pkt_duration filled where
 * the file tells; 0: the end; -1. */
int media_reader_next(struct media_reader *r, AVFrame **picture, struct error *e);
/* Goes to a key frame at or before `pts` (counted as above). -1 without an error text when the
 * file cannot be sought: the caller then reads on from the start. */
int media_reader_seek(struct media_reader *r, int64_t pts);

const AVStream *media_reader_stream(const struct media_reader *r);
const AVFormatContext *media_reader_container(const struct media_reader *r);
/* Quarter turns clockwise that show the picture upright (camera or EXIF orientation), 0..3, and
 * whether it is to be mirrored left to right before that. */
int media_reader_turns(const struct media_reader *r, const AVFrame *picture, bool *mirrored);
void media_reader_close(struct media_reader *r); /* NULL-safe */

#endif
