#include "stages/film/lettering.h"

#include <ass/ass.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/strbuf.h"
#include "stages/composite/fonts.h"
#include "stages/composite/markup.h"
#include "stages/composite/text.h"
#include "stages/media/media.h"

#define FAMILY "Noto Sans"

struct lettering {
    struct fonts *fonts;
    const struct font *faces[2]; /* plain and bold */
    ASS_Library *library;
    ASS_Renderer *renderer;
    ASS_Track *track;
};

static void on_message(int level, const char *format, va_list args, void *opaque)
{
    (void)level, (void)format, (void)args, (void)opaque;
}

static int open_track(struct lettering *l, const AVFrame *picture, struct error *e)
{
    ASS_Style *style;

    l->library = ass_library_init();
    if (!l->library)
        return error_memory(e);
    ass_set_message_cb(l->library, on_message, NULL);
    l->renderer = ass_renderer_init(l->library);
    l->track = l->renderer ? ass_new_track(l->library) : NULL;
    if (!l->track || ass_alloc_style(l->track) < 0)
        return error_memory(e);
    ass_set_fonts(l->renderer, NULL, FAMILY, ASS_FONTPROVIDER_FONTCONFIG, NULL, 1);
    ass_set_frame_size(l->renderer, picture->width, picture->height);
    ass_set_storage_size(l->renderer, picture->width, picture->height);
    ass_set_hinting(l->renderer, ASS_HINTING_NONE);
    l->track->track_type = TRACK_TYPE_ASS;
    l->track->PlayResX = picture->width;
    l->track->PlayResY = picture->height;
    style = &l->track->styles[l->track->n_styles - 1];
    style->Name = strdup("Default");
    style->FontName = strdup(FAMILY);
    style->FontSize = 20;
    style->ScaleX = style->ScaleY = 1;
    style->BorderStyle = 1;
    style->Alignment = 7;
    style->Encoding = -1;
    return style->Name && style->FontName ? 0 : error_memory(e);
}

static void lettering_close(struct lettering *l)
{
    if (l->track)
        ass_free_track(l->track);
    if (l->renderer)
        ass_renderer_done(l->renderer);
    if (l->library)
        ass_library_done(l->library);
    fonts_close(l->fonts);
}

/* The text as it can be drawn, cut to about so many ems. */
static char *cut(struct lettering *l, const struct font *face, const char *text, double ems,
                 struct error *e)
{
    struct extent all = markup_extent(l->fonts, face, text);
    enum han han = fonts_han(text);
    struct strbuf b = {0};
    double used = 1; /* the ellipsis */
    char *out;

    while (*text) {
        const char *from = text;
        uint32_t c = text_next(&text);
        const struct font *font = fonts_for(l->fonts, face, NULL, c, han);

        used += font ? font_advance(font, c) : 1;
        if (all.total > ems && used > ems) {
            strbuf_add(&b, "\xE2\x80\xA6");
            break;
        }
        if (c == '\n' || c == '\r' || c == '\t')
            strbuf_add(&b, " ");
        else if (font)
            strbuf_addn(&b, from, (size_t)(text - from));
        else
            strbuf_add(&b, "?");
    }
    out = strbuf_take(&b);
    if (!out)
        error_memory(e);
    return out;
}

enum { FULL_LINE_PERCENT = 88 }; /* of a line, where more than one are broken at spaces */

static int add_label(struct lettering *l, const AVFrame *picture, const struct label *label,
                     struct error *e)
{
    const struct font *face = l->faces[label->bold];
    double ems = label->width / label->em * label->lines;
    uint32_t bgr = (label->color & 0xff) << 16 | (label->color & 0xff00) | label->color >> 16;
    struct strbuf b = {0};
    ASS_Event *event;
    char *text;
    int n, rc;

    text = cut(l, face, label->text, label->lines > 1 ? ems * FULL_LINE_PERCENT / 100 : ems, e);
    if (!text)
        return -1;
    strbuf_addf(&b, "{\\an%d\\pos(%d,%d)\\q%d\\bord0\\shad0\\c&H%06X&\\clip(%d,0,%d,%d)}",
                label->centered ? 8 : 7, label->x + (label->centered ? label->width / 2 : 0),
                label->y, label->lines > 1 ? 1 : 2, (unsigned)bgr, label->x,
                label->x + label->width, picture->height);
    rc = markup_add(&b, l->fonts, face, text, label->em, label->width, e);
    free(text);
    text = strbuf_take(&b);
    n = rc == 0 && text ? ass_alloc_event(l->track) : -1;
    if (n < 0) {
        free(text);
        return rc == 0 ? error_memory(e) : -1;
    }
    event = &l->track->events[n];
    event->Duration = 1000;
    event->Style = l->track->n_styles - 1;
    event->MarginR = picture->width - label->width; /* where lines are broken */
    event->ReadOrder = n;
    event->Text = text;
    return 0;
}

/* A mask in one colour over the picture. */
static void blend(AVFrame *picture, const ASS_Image *i)
{
    int opacity = 255 - (int)(i->color & 255);

    for (int y = 0; y < i->h; y++) {
        uint8_t *to = picture->data[0] + (ptrdiff_t)(i->dst_y + y) * picture->linesize[0] +
                      (ptrdiff_t)3 * i->dst_x;
        const uint8_t *mask = i->bitmap + (ptrdiff_t)y * i->stride;

        for (int x = 0; x < i->w; x++, to += 3) {
            int alpha = mask[x] * opacity / 255;

            for (int c = 0; c < 3; c++)
                to[c] = (uint8_t)((to[c] * (255 - alpha) +
                                   (int)(i->color >> (24 - 8 * c) & 255) * alpha + 127) /
                                  255);
        }
    }
}

int lettering_draw(AVFrame *picture, const struct label *labels, size_t count, struct error *e)
{
    struct lettering l = {0};
    int rc = -1, changed;

    media_quiet();
    if (fonts_open(&l.fonts, e) != 0)
        return -1;
    for (int bold = 0; bold < 2; bold++) {
        l.faces[bold] = fonts_find(l.fonts, FAMILY, bold, e);
        if (!l.faces[bold])
            goto done;
    }
    if (open_track(&l, picture, e) != 0)
        goto done;
    for (size_t i = 0; i < count; i++)
        if (labels[i].text[0] && add_label(&l, picture, &labels[i], e) != 0)
            goto done;
    for (ASS_Image *i = ass_render_frame(l.renderer, l.track, 0, &changed); i; i = i->next)
        blend(picture, i);
    rc = 0;
done:
    lettering_close(&l);
    return rc;
}
