#include "stages/film/contact_sheet.h"

#include <math.h>
#include <stdlib.h>

#include "stages/film/fit.h"
#include "stages/film/lettering.h"
#include "stages/media/media.h"
#include "stages/media/reader.h"
#include "stages/media/writer.h"

enum {
    BACKGROUND = 0x16181B,
    BOX = 0x34383D,
    BRIGHT = 0xE9ECEF,
    DIM = 0x9AA1A8,
    ON_BOX = 0xC6CBD0,
    RED = 0xFF8A7A,
    SMALLEST_EM = 7, /* words below that are left out */
    LABELS = 3       /* of a shot: id, about, reason */
};
static const double SHAPE = 16.0 / 10;

/* Sizes for pictures of a width, without the number of rows and columns. */
static void size_for(const struct contact_sheet *s, int width, struct contact_layout *l)
{
    l->picture_width = width;
    l->picture_height = (int)lround((double)width * s->height / s->width);
    if (l->picture_height < 2)
        l->picture_height = 2;
    l->em = (int)lround(width * 0.047);
    l->text_height = l->em < SMALLEST_EM ? 0 : (int)lround(3.3 * l->em);
    l->gap = width / 20 + 2;
    l->margin = 2 * l->gap;
    l->head = l->em < SMALLEST_EM ? 0 : 4 * l->em;
}

static void count_pixels(const struct contact_sheet *s, int columns, struct contact_layout *l)
{
    l->columns = columns;
    l->rows = ((int)s->count + columns - 1) / columns;
    l->width = 2 * l->margin + columns * (l->picture_width + l->gap) - l->gap;
    l->height =
        2 * l->margin + l->head + l->rows * (l->picture_height + l->text_height + l->gap) - l->gap;
}

static double off_shape(const struct contact_layout *l)
{
    return fabs(log((double)l->width / l->height / SHAPE));
}

/* The number of columns that comes nearest to the shape. */
static void choose_columns(const struct contact_sheet *s, struct contact_layout *l)
{
    struct contact_layout best;

    count_pixels(s, 1, l);
    best = *l;
    for (int columns = 2; columns <= (int)s->count; columns++) {
        count_pixels(s, columns, l);
        if (off_shape(l) < off_shape(&best))
            best = *l;
    }
    *l = best;
}

void contact_sheet_lay_out(const struct contact_sheet *s, struct contact_layout *out)
{
    int width = CONTACT_SHEET_PICTURE;

    do {
        size_for(s, width, out);
        choose_columns(s, out);
        width -= width > 64 ? 8 : 1;
    } while (width > 2 && (out->width > CONTACT_SHEET_SIDE || out->height > CONTACT_SHEET_SIDE));
}

static void fill(AVFrame *f, int x, int y, int width, int height, uint32_t rgb)
{
    for (int row = y; row < y + height && row < f->height; row++)
        for (int column = x; column < x + width && column < f->width; column++)
            for (int c = 0; c < 3; c++)
                f->data[0][(ptrdiff_t)row * f->linesize[0] + 3 * column + c] =
                    (uint8_t)(rgb >> (16 - 8 * c));
}

static void place(AVFrame *sheet, const AVFrame *picture, int x, int y)
{
    for (int row = 0; row < picture->height; row++)
        for (int i = 0; i < 3 * picture->width; i++)
            sheet->data[0][(ptrdiff_t)(y + row) * sheet->linesize[0] + 3 * x + i] =
                picture->data[0][(ptrdiff_t)row * picture->linesize[0] + i];
}

/* A poster at its place. */
static int place_poster(const char *path, struct fitter *fitter, AVFrame *sheet, int x, int y,
                        struct error *e)
{
    struct media_reader *file;
    AVFrame *whole, *small = NULL;
    int got, rc = -1;

    if (media_reader_open(path, path, 1, &file, e) != 0)
        return -1;
    got = media_reader_next(file, &whole, e);
    if (got == 1)
        small = fitter_fit(fitter, whole, e);
    else if (got == 0)
        error_set(e, ERROR_MEDIA, "%s holds no picture", path);
    if (small) {
        place(sheet, small, x, y);
        rc = 0;
    }
    media_reader_close(file);
    av_frame_free(&small);
    return rc;
}

/* One shot's picture, or its box; and the words that belong to it. */
static int draw_shot(const struct contact_sheet *s, size_t i, const struct contact_layout *l,
                     struct fitter *fitter, AVFrame *sheet, struct label *labels, struct error *e)
{
    const struct contact_shot *shot = &s->shots[i];
    int x = l->margin + (int)(i % (size_t)l->columns) * (l->picture_width + l->gap);
    int y = l->margin + l->head +
            (int)(i / (size_t)l->columns) * (l->picture_height + l->text_height + l->gap);
    int under = y + l->picture_height + l->em * 3 / 10;
    const char *reason = "";
    struct error why = {0};

    if (!shot->poster) {
        reason = shot->reason;
    } else if (place_poster(shot->poster, fitter, sheet, x, y, &why) != 0) {
        if (why.code == ERROR_MEMORY) {
            *e = why;
            return -1;
        }
        reason = "its poster cannot be read";
    }
    if (!shot->poster || why.code != ERROR_NONE)
        fill(sheet, x, y, l->picture_width, l->picture_height, BOX);
    labels[0] = (struct label){x, under, l->picture_width, 1, l->em, true, false, BRIGHT, shot->id};
    labels[1] =
        (struct label){x,     under + l->em * 14 / 10, l->picture_width, 1, l->em * 0.85, false,
                       false, shot->alert ? RED : DIM, shot->about};
    labels[2] = (struct label){x + l->em,
                               y + l->em,
                               l->picture_width - 2 * l->em,
                               (int)fmax(1, (l->picture_height - 2 * l->em) / (1.4 * l->em)),
                               l->em * 0.85,
                               false,
                               false,
                               ON_BOX,
                               reason};
    return 0;
}

static void draw_head(const struct contact_sheet *s, const struct contact_layout *l,
                      struct label labels[2])
{
    int width = l->width - 2 * l->margin;

    labels[0] = (struct label){
        l->margin, l->margin - l->em / 2, width, 1, l->em * 1.6, true, false, BRIGHT, s->title};
    labels[1] = (struct label){
        l->margin, l->margin + l->em * 17 / 10, width, 1, l->em * 0.95, false, false, DIM,
        s->about};
}

static int write_png(const AVFrame *sheet, const char *path, struct error *e)
{
    const struct media_form form = {
        .container = "image2pipe",
        .encoder = "png",
        .pixel_format = AV_PIX_FMT_RGB24,
        .width = sheet->width,
        .height = sheet->height,
        .fps = {25, 1},
        .threads = 1,
        .matrix = AVCOL_SPC_RGB,
        .range = AVCOL_RANGE_JPEG,
        .transfer = AVCOL_TRC_IEC61966_2_1,
    };
    struct media_writer *w = NULL;
    int rc = -1;

    if (media_writer_open(path, &form, &w, e) == 0 && media_writer_put(w, sheet, 0, e) == 0)
        rc = media_writer_finish(w, e);
    media_writer_close(w);
    return rc;
}

int contact_sheet_write(const struct contact_sheet *s, const char *path, struct error *e)
{
    struct contact_layout l;
    struct fitter fitter = {.format = AV_PIX_FMT_RGB24};
    struct label *labels;
    AVFrame *sheet = NULL;
    int rc = -1;

    if (s->count == 0 || s->count > CONTACT_SHEET_MOST)
        return error_set(e, ERROR_INPUT, "a contact sheet holds 1 to %d shots, not %zu",
                         CONTACT_SHEET_MOST, s->count);
    contact_sheet_lay_out(s, &l);
    fitter.width = l.picture_width;
    fitter.height = l.picture_height;
    labels = calloc(s->count * LABELS + 2, sizeof *labels);
    if (!labels)
        return error_memory(e);
    sheet = media_frame_new(AV_PIX_FMT_RGB24, l.width, l.height, e);
    if (!sheet)
        goto done;
    fill(sheet, 0, 0, l.width, l.height, BACKGROUND);
    draw_head(s, &l, labels);
    for (size_t i = 0; i < s->count; i++)
        if (draw_shot(s, i, &l, &fitter, sheet, labels + 2 + i * LABELS, e) != 0)
            goto done;
    if (l.em < SMALLEST_EM || lettering_draw(sheet, labels, s->count * LABELS + 2, e) == 0)
        rc = write_png(sheet, path, e);
done:
    av_frame_free(&sheet);
    fitter_close(&fitter);
    free(labels);
    return rc;
}
