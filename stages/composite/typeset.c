#include "stages/composite/typeset.h"

#include <ass/ass.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/strbuf.h"
#include "stages/composite/markup.h"
#include "stages/composite/styles.h"
#include "stages/composite/text.h"
#include "stages/media/media.h"

enum { TEXT_MAX = 2000, EM_MIN = 11 };
#define SHRINK_STEP  0.92
#define SHRINK_FLOOR 0.5

struct typesetter {
    ASS_Library *library;
    ASS_Renderer *renderer;
    struct fonts *fonts;
    int width, height;
    bool lost_glyph; /* libass could not draw a character since this was cleared */
};

static void on_message(int level, const char *format, va_list args, void *opaque)
{
    struct typesetter *t = opaque;
    char line[240];

    if (level > 3) /* 0 fatal .. 2 warnings, 3 missing fonts and the like */
        return;
    vsnprintf(line, sizeof line, format, args);
    media_complain(line);
    /* What it says before it tries a font's other character maps, as for all beyond U+FFFF, is no
     * loss yet. */
    if (strstr(line, "lyph") && !strstr(line, "rying all charmaps"))
        t->lost_glyph = true;
}

int typesetter_open(int width, int height, struct typesetter **out, struct error *e)
{
    struct typesetter *t = calloc(1, sizeof *t);

    media_quiet();
    if (!t)
        return error_memory(e);
    t->width = width;
    t->height = height;
    if (fonts_open(&t->fonts, e) != 0)
        goto failed;
    t->library = ass_library_init();
    if (t->library) {
        ass_set_message_cb(t->library, on_message, t);
        t->renderer = ass_renderer_init(t->library);
    }
    if (!t->renderer) {
        error_memory(e);
        goto failed;
    }
    ass_set_fonts(t->renderer, NULL, "Noto Sans", ASS_FONTPROVIDER_FONTCONFIG, NULL, 1);
    ass_set_shaper(t->renderer, ASS_SHAPING_COMPLEX);
    ass_set_hinting(t->renderer, ASS_HINTING_NONE);
    *out = t;
    return 0;
failed:
    typesetter_close(t);
    return -1;
}

void typesetter_close(struct typesetter *t)
{
    if (!t)
        return;
    if (t->renderer)
        ass_renderer_done(t->renderer);
    if (t->library)
        ass_library_done(t->library);
    fonts_close(t->fonts);
    free(t);
}

/* The text or the subtext, and how it is set. */
struct part {
    const char *text;
    const struct font *font;
    uint32_t color;
    double em;
};

/* What is set: the overlay with its style's values filled in, in pixels. */
struct setting {
    const struct style *style;
    struct part parts[2];       /* text and subtext; the second may be empty */
    double pad_x, pad_y, strip; /* of the panel */
    double gap;                 /* between the parts */
    double widest;              /* of the text */
    bool right_to_left;
    int justify;   /* -1 left, 0 centre, 1 right */
    bool running;  /* set again for every frame: its box must not follow its ink */
    bool measured; /* only its size is wanted: no edges, no image */
};

static int column_of(enum overlay_position p)
{
    switch (p) {
    case POSITION_TOP_LEFT:
    case POSITION_LEFT:
    case POSITION_BOTTOM_LEFT:
        return -1;
    case POSITION_TOP_RIGHT:
    case POSITION_RIGHT:
    case POSITION_BOTTOM_RIGHT:
        return 1;
    default:
        return 0;
    }
}

static int resolve(struct fonts *fonts, const struct overlay *o, const char *text,
                   struct setting *s, struct error *e)
{
    const struct style *style = &styles_all[o->style];
    const char *family = o->font[0] ? o->font : style->family;
    const char *sub_family = o->font[0] ? o->font : style->sub_family;
    enum overlay_position at = o->position == POSITION_AUTO ? style->position : o->position;

    *s = (struct setting){.style = style, .running = text != NULL};
    s->parts[0] = (struct part){.text = text ? text : o->text,
                                .font = fonts_find(fonts, family, style->bold, e),
                                .color = o->has_color ? o->color : style->color};
    if (!s->parts[0].font)
        return -1;
    s->parts[1] = (struct part){.text = text ? "" : o->subtext,
                                .font = fonts_find(fonts, sub_family, style->sub_bold, e),
                                .color = style->sub_color};
    if (!s->parts[1].font)
        return -1;
    s->right_to_left = text_right_to_left(s->parts[0].text);
    s->justify = s->running ? -1 : column_of(at);
    if (o->position == POSITION_AUTO && s->right_to_left)
        s->justify = -s->justify;
    return 0;
}

/* Everything that follows the em; `by` shrinks it. */
static void scale(struct setting *s, const struct typesetter *t, const struct overlay *o, double by)
{
    const struct style *style = s->style;
    double em = fmax((o->size > 0 ? o->size : style->size) * t->height, EM_MIN) * by;

    s->parts[0].em = em;
    s->parts[1].em = fmax(em * style->sub_size / style->size, fmin(em, EM_MIN));
    s->pad_x = style->panel_opacity > 0 ? style->pad_x * em : 0;
    s->pad_y = style->panel_opacity > 0 ? style->pad_y * em : 0;
    s->strip = style->strip * em;
    s->gap = s->parts[1].text[0] ? style->gap * em : 0;
    s->widest = t->width * (1 - 2 * SAFE_MARGIN) * style->widest - 2 * s->pad_x - s->strip;
}

static uint32_t bgr(uint32_t rgb)
{
    return (rgb & 0xff) << 16 | (rgb & 0xff00) | rgb >> 16;
}

/* Dark letters get a light edge, light ones a dark one. */
static uint32_t edge_color(uint32_t rgb)
{
    double luma = 0.2126 * (rgb >> 16) + 0.7152 * (rgb >> 8 & 255) + 0.0722 * (rgb & 255);

    return luma < 80 ? 0xFFFFFF : 0x000000;
}

/* The event's text: what holds for all of it, then the words. Edges follow the text's em in both
 * parts, at most the part's own. */
static char *event_text(struct typesetter *t, const struct setting *s, const struct part *part,
                        bool bottom, struct error *e)
{
    const struct style *style = s->style;
    double outline = s->measured ? 0 : style->outline * part->em;
    double glow = s->measured ? 0 : style->glow * part->em;
    struct strbuf b = {0};
    char *text;

    strbuf_addf(&b, "{\\an%d\\q0\\shad0\\bord%.3f\\blur%.3f\\3c&H%06X&\\3a&H%02X&\\c&H%06X&}",
                2 + s->justify + (bottom ? 0 : 6), outline, glow, (unsigned)edge_color(part->color),
                (unsigned)lround(255 * (1 - style->outline_opacity)), (unsigned)bgr(part->color));
    if (markup_add(&b, t->fonts, part->font, part->text, part->em, s->widest, e) != 0) {
        strbuf_free(&b);
        return NULL;
    }
    text = strbuf_take(&b);
    if (!text)
        error_memory(e);
    return text;
}

/* Room round the text in the frame that libass draws into: wide enough to see that a word is too
 * wide, tall enough for text that is too tall. */
struct sheet {
    int width, height, margin;
};

static struct sheet sheet_of(const struct typesetter *t, const struct setting *s)
{
    struct sheet sheet = {.margin = t->width / 2 + 64, .height = 3 * t->height};

    sheet.width = (int)ceil(fmax(s->widest, 1)) + 2 * sheet.margin;
    return sheet;
}

static ASS_Track *make_track(struct typesetter *t, const struct sheet *sheet, char *text,
                             struct error *e)
{
    ASS_Track *track = ass_new_track(t->library);
    ASS_Event *event;
    int style = track ? ass_alloc_style(track) : -1, n = track ? ass_alloc_event(track) : -1;

    if (style < 0 || n < 0)
        goto failed;
    track->track_type = TRACK_TYPE_ASS;
    track->PlayResX = sheet->width;
    track->PlayResY = sheet->height;
    track->ScaledBorderAndShadow = 1;
    track->styles[style].Name = strdup("Default");
    track->styles[style].FontName = strdup("Noto Sans");
    track->styles[style].FontSize = 20;
    track->styles[style].ScaleX = track->styles[style].ScaleY = 1;
    track->styles[style].BorderStyle = 1;
    track->styles[style].Alignment = 2;
    track->styles[style].Encoding = -1; /* each paragraph's own direction */
    track->styles[style].MarginL = track->styles[style].MarginR = sheet->margin;
    event = &track->events[n];
    event->Start = 0;
    event->Duration = 1000;
    event->Style = style;
    event->Text = text;
    if (!track->styles[style].Name || !track->styles[style].FontName)
        goto failed;
    return track;
failed:
    if (track)
        ass_free_track(track);
    else
        free(text);
    error_memory(e);
    return NULL;
}

struct box {
    int left, top, right, bottom; /* right and bottom are outside */
};

static void grow(struct box *b, const ASS_Image *i)
{
    b->left = i->dst_x < b->left ? i->dst_x : b->left;
    b->top = i->dst_y < b->top ? i->dst_y : b->top;
    b->right = i->dst_x + i->w > b->right ? i->dst_x + i->w : b->right;
    b->bottom = i->dst_y + i->h > b->bottom ? i->dst_y + i->h : b->bottom;
}

/* Of the letters, and with their edges. */
static void extents(const ASS_Image *list, struct box *letters, struct box *all)
{
    *letters = *all = (struct box){1 << 30, 1 << 30, -(1 << 30), -(1 << 30)};
    for (const ASS_Image *i = list; i; i = i->next) {
        grow(all, i);
        if (i->type == IMAGE_TYPE_CHARACTER)
            grow(letters, i);
    }
}

/* One part as libass drew it. */
struct drawn {
    ASS_Track *track; /* keeps the images alive until the next rendering */
    ASS_Image *list;
    struct box letters, all; /* on the sheet */
    int height;              /* of its lines together, each as tall as the style's leading */
    int above;               /* what the font's own line is taller, over the first line */
};

static int render(struct typesetter *t, const struct setting *s, const struct part *part,
                  const struct sheet *sheet, bool bottom, struct drawn *out, struct error *e)
{
    double natural = font_ass_size(markup_main_font(t->fonts, part->font, part->text));
    double excess = part->em * (natural - s->style->leading);
    char *text = event_text(t, s, part, bottom, e);
    int changed;

    *out = (struct drawn){.track = text ? make_track(t, sheet, text, e) : NULL};
    if (!out->track)
        return -1;
    ass_set_frame_size(t->renderer, sheet->width, sheet->height);
    ass_set_storage_size(t->renderer, sheet->width, sheet->height);
    ass_set_line_spacing(t->renderer, -excess);
    out->above = (int)lround(excess / 2);
    t->lost_glyph = false;
    out->list = ass_render_frame(t->renderer, out->track, 0, &changed);
    extents(out->list, &out->letters, &out->all);
    if (t->lost_glyph) {
        ass_free_track(out->track);
        return error_set(e, ERROR_MEDIA, "a character could not be drawn: %s", media_complaint());
    }
    return 0;
}

/* From where the pen begins to where it ends, whatever the ink. */
static void pen_width(const struct part *part, const struct sheet *sheet, struct box *letters)
{
    const char *text = part->text;
    double width = 0;
    uint32_t c;

    while ((c = text_next(&text)) != 0)
        width += font_advance(part->font, c) * part->em;
    letters->left = sheet->margin;
    letters->right = sheet->margin + (int)ceil(width);
}

/* Draws a part at the sheet's top, and finds how tall its lines are together: the text set from the
 * bottom begins that much less than the sheet below the text set from the top. */
static int draw(struct typesetter *t, const struct setting *s, const struct part *part,
                const struct sheet *sheet, struct drawn *out, struct error *e)
{
    int bottom;

    if (render(t, s, part, sheet, true, out, e) != 0)
        return -1;
    bottom = out->letters.top;
    ass_free_track(out->track);
    if (render(t, s, part, sheet, false, out, e) != 0)
        return -1;
    out->height = sheet->height - (bottom - out->letters.top) - 2 * out->above;
    if (s->running)
        pen_width(part, sheet, &out->letters);
    return 0;
}

/* The panel and its strip, under the letters. */
static void draw_panel(struct block *b, const struct setting *s)
{
    int strip = (int)lround(s->strip), at = s->right_to_left ? b->width - strip : 0;

    block_rectangle(b, s->right_to_left ? 0 : strip, 0, b->width - strip, b->height,
                    s->style->panel_color, (float)s->style->panel_opacity);
    block_rectangle(b, at, 0, strip, b->height, s->parts[0].color, 1);
}

/* libass's images, dx, dy from their place on the sheet, over what is there. */
static int draw_images(struct block *b, const struct drawn *d, int dx, int dy, struct error *e)
{
    if (!d->list)
        return 0;
    if (block_reach(b, d->all.left + dx, d->all.top + dy, d->all.right + dx, d->all.bottom + dy,
                    e) != 0)
        return -1;
    for (const ASS_Image *i = d->list; i; i = i->next)
        block_mask(b, i->dst_x + dx, i->dst_y + dy, i->w, i->h, i->bitmap, i->stride, i->color >> 8,
                   (float)(255 - (i->color & 255)) / 255);
    return 0;
}

/* Puts the parts into a block whose size is known; draws them again, because libass keeps only its
 * last images. `left`: where the letters begin on the sheet. */
static int assemble(struct typesetter *t, const struct setting *s, const struct sheet *sheet,
                    int left, const int heights[2], struct block *out, struct error *e)
{
    int strip = s->right_to_left ? 0 : (int)lround(s->strip);
    int dx = (int)lround(s->pad_x) + strip - left, dy = (int)lround(s->pad_y);

    if (s->style->panel_opacity > 0)
        draw_panel(out, s);
    for (int i = 0; i < 2; i++) {
        struct drawn d;
        int rc;

        if (!s->parts[i].text[0])
            continue;
        if (render(t, s, &s->parts[i], sheet, false, &d, e) != 0)
            return -1;
        rc = draw_images(out, &d, dx, dy - d.above, e);
        ass_free_track(d.track);
        if (rc != 0)
            return -1;
        dy += heights[i] + (int)lround(s->gap);
    }
    return 0;
}

/* One attempt at one size. 1: set; 0: too large; -1. */
static int attempt(struct typesetter *t, const struct setting *s, struct block *out,
                   struct error *e)
{
    struct sheet sheet = sheet_of(t, s);
    int left = 1 << 30, right = -(1 << 30), heights[2] = {0}, width, height;

    for (int i = 0; i < 2; i++) {
        struct drawn d;

        if (!s->parts[i].text[0])
            continue;
        if (draw(t, s, &s->parts[i], &sheet, &d, e) != 0)
            return -1;
        heights[i] = d.list ? d.height : 0;
        left = d.list && d.letters.left < left ? d.letters.left : left;
        right = d.list && d.letters.right > right ? d.letters.right : right;
        ass_free_track(d.track);
    }
    if (right <= left) /* nothing but spaces */
        return block_alloc(out, 1, 1, e) == 0 ? 1 : -1;
    width = right - left + 2 * (int)lround(s->pad_x) + (int)lround(s->strip);
    height = heights[0] + heights[1] + (int)lround(s->gap) + 2 * (int)lround(s->pad_y);
    if (right - left > s->widest + 1 || height > t->height * (1 - 2 * SAFE_MARGIN))
        return 0;
    if (s->measured) {
        *out = (struct block){.width = width, .height = height};
        return 1;
    }
    if (block_alloc(out, width, height, e) != 0)
        return -1;
    return assemble(t, s, &sheet, left, heights, out, e) == 0 ? 1 : -1;
}

static int set(struct typesetter *t, const struct overlay *o, const char *text, bool measured,
               struct block *out, struct error *e)
{
    struct setting s;

    media_quiet();
    *out = (struct block){0};
    if (resolve(t->fonts, o, text, &s, e) != 0)
        return -1;
    s.measured = measured;
    for (double by = 1; by >= SHRINK_FLOOR; by *= SHRINK_STEP) {
        int got;

        scale(&s, t, o, by);
        got = attempt(t, &s, out, e);
        if (got != 0)
            return got > 0 ? 0 : -1;
    }
    return error_set(e, ERROR_INPUT,
                     "the text \"%.*s%s\" does not fit the picture even at half its size: "
                     "shorten it, break it into lines or make it smaller",
                     text_head(o->text, 40), o->text, strlen(o->text) > 40 ? "..." : "");
}

int typeset(struct typesetter *t, const struct overlay *o, const char *text, struct block *out,
            struct error *e)
{
    return set(t, o, text, false, out, e);
}

int typeset_measure(struct typesetter *t, const struct overlay *o, const char *text,
                    struct block *out, struct error *e)
{
    return set(t, o, text, true, out, e);
}

/* Every digit of a running timecode. */
static const char *sample(const struct overlay *o)
{
    return o->style == OVERLAY_TIMECODE ? "0123456789:;" : NULL;
}

int typeset_check(struct typesetter *t, const struct overlay *o, struct error *e)
{
    struct setting s;

    if (strlen(o->text) + strlen(o->subtext) > TEXT_MAX)
        return error_set(e, ERROR_INPUT, "the text has more than %d bytes: shorten it", TEXT_MAX);
    if (resolve(t->fonts, o, sample(o), &s, e) != 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (markup_check(t->fonts, s.parts[i].font, s.parts[i].text, e) != 0)
            return -1;
    return 0;
}

enum { SLACK_PERCENT = 110 }; /* shaping may widen a word a little */

/* At a size that is not below the smallest that is tried. */
static int resolve_small(struct typesetter *t, const struct overlay *o, struct setting *s)
{
    struct error e;

    if (resolve(t->fonts, o, sample(o), s, &e) != 0)
        return -1;
    scale(s, t, o, SHRINK_FLOOR / SHRINK_STEP);
    return 0;
}

/* Adds the height that a part takes at most. False: a word may be too wide. */
static bool part_fits(struct typesetter *t, const struct setting *s, const struct part *part,
                      double *height)
{
    struct extent x = markup_extent(t->fonts, part->font, part->text);
    double widest = s->widest / part->em * 100 / SLACK_PERCENT;
    double lines = x.paragraphs;

    if (x.word >= widest)
        return false;
    /* A line ends only where the next word would have made it too wide. */
    if (x.total > widest)
        lines += floor(x.total / (widest - x.word));
    *height += lines * s->style->leading * part->em;
    return true;
}

bool typeset_surely_fits(struct typesetter *t, const struct overlay *o)
{
    struct setting s;
    double height = 0;

    if (resolve_small(t, o, &s) != 0)
        return false;
    for (int i = 0; i < 2; i++)
        if (s.parts[i].text[0] && !part_fits(t, &s, &s.parts[i], &height))
            return false;
    height += s.gap + 2 * s.pad_y;
    return height * SLACK_PERCENT / 100 < t->height * (1 - 2 * SAFE_MARGIN);
}

bool typeset_words_fit(struct typesetter *t, const struct overlay *o)
{
    struct setting s;
    double height = 0;

    return resolve_small(t, o, &s) == 0 && part_fits(t, &s, &s.parts[0], &height);
}
