/* How lettering looks: one row a style. Everything is relative, so that a shot looks the same at
 * every size: type sizes are of the em, as a fraction of picture height; widths and paddings are
 * fractions of the em. */
#ifndef AUTEUR_STAGES_COMPOSITE_STYLES_H
#define AUTEUR_STAGES_COMPOSITE_STYLES_H

#include "storyboards/board.h"

/* Text stays inside the middle 90 % of the picture, both ways: SMPTE ST 2046-1 (title safe). */
#define SAFE_MARGIN 0.05

struct style {
    const char *family, *sub_family; /* of the text and the subtext */
    bool bold, sub_bold;
    double size, sub_size; /* of the text and the subtext, of picture height */
    double leading;        /* line to line, in ems */
    double gap;            /* between text and subtext, in ems of the text, over their leading */
    uint32_t color, sub_color;
    double outline;         /* width of the edge round letters, in ems */
    double glow;            /* how far that edge is blurred, in ems: soft halo rather than line */
    double outline_opacity; /* of the edge */
    double panel_opacity;   /* of the box behind the text; 0: none */
    double pad_x, pad_y;    /* of the box round the text, in ems */
    uint32_t panel_color;
    double strip;  /* width of a bar of `color` on the box's leading side, in ems; 0: none */
    double widest; /* of the safe area's width */
    enum overlay_position position; /* for left-to-right text; mirrored for right-to-left */
};

extern const struct style styles_all[OVERLAY_STYLES];

#endif
