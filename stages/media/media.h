/* What every user of the FFmpeg libraries and of libass here shares: silence on the terminal, and
 * errors with sense.
 *
 * The libraries log to a process-wide callback; media_quiet() replaces it with one that remembers
 * the last complaint of each thread, and media_error() quotes it. Complaints of a codec's own
 * worker threads are dropped: the status code still tells. A decoder whose AVCodecContext.opaque
 * points to an atomic_bool gets it set when a checksum is wrong. Every opener in this folder calls
 * media_quiet().
 */
#ifndef AUTEUR_STAGES_MEDIA_MEDIA_H
#define AUTEUR_STAGES_MEDIA_MEDIA_H

#include <libavutil/frame.h>
#include <libavutil/pixfmt.h>
#include <libavutil/rational.h>

#include "kernels/base/error.h"
#include "storyboards/board.h"

void media_quiet(void); /* any thread, any number of times; forgets this thread's complaint */
void media_complain(const char *line); /* remembers a line, as the callback does */
const char *media_complaint(void);     /* the last one of this thread since media_quiet(), or "" */

/* "<formatted>: <complaint, or what the status means>". A full disk is ERROR_SPACE, a failed
 * allocation ERROR_MEMORY, every other status `code`. */
int media_error(struct error *e, int status, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* With room for a picture; NULL: out of memory. */
AVFrame *media_frame_new(enum AVPixelFormat format, int width, int height, struct error *e);

static inline AVRational media_rational(struct rational r)
{
    return (AVRational){r.num, r.den};
}

/* The timecode of a shot's delivered frame: the board's start is that of its first frame behind the
 * handle. */
void media_timecode(const struct board *b, int64_t frame, char out[TIMECODE_SIZE]);

/* What a shot's files and an EDL call its reel, at most eight of A-Z 0-9 _ -: its id, or where that
 * is longer, has other characters or is an EDL's word for something else, its first three and five
 * digits of its hash. */
enum { MEDIA_REEL_SIZE = 9 };
void media_reel(const char *id, char out[MEDIA_REEL_SIZE]);

#endif
