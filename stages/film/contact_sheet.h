/* All shots of a film on one picture, in order: each one's poster with words under it. */
#ifndef AUTEUR_STAGES_FILM_CONTACT_SHEET_H
#define AUTEUR_STAGES_FILM_CONTACT_SHEET_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/base/error.h"

enum {
    CONTACT_SHEET_VERSION = 1, /* raise when the same shots give another sheet */
    CONTACT_SHEET_SIDE = 4096, /* pixels at most */
    CONTACT_SHEET_PICTURE = 320,
    CONTACT_SHEET_MOST = 6000 /* shots: more would be a pattern */
};

struct contact_shot {
    const char *id, *about; /* the words under the picture, a line each */
    const char *poster;     /* a picture file; NULL: a grey box with the reason */
    const char *reason;     /* why there is none; "" for none */
    bool alert;             /* something is wrong with it: `about` is drawn in red */
};
struct contact_sheet {
    const char *title, *about; /* the head's words */
    int width, height;         /* the film's picture: for its shape alone */
    const struct contact_shot *shots;
    size_t count;
};

/* Pixels, and shots across and down. Near 16:10; pictures are CONTACT_SHEET_PICTURE wide for up to
 * 60 shots of a usual shape, and smaller where the sheet would be too large. */
struct contact_layout {
    int columns, rows;
    int picture_width, picture_height, text_height, em, gap, margin, head;
    int width, height;
};
void contact_sheet_lay_out(const struct contact_sheet *s, struct contact_layout *out);

/* Writes a PNG. A poster that cannot be read becomes a box that says so. ERROR_INPUT: more shots
 * than fit. */
int contact_sheet_write(const struct contact_sheet *s, const char *path, struct error *e);

#endif
