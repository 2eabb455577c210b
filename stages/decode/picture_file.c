#include "stages/decode/picture_file.h"

#include <stdlib.h>

#include "stages/decode/picture.h"
#include "stages/media/reader.h"

static int load(const char *path, const char *name, struct picture *p, struct error *e)
{
    struct picture_reader *converter = NULL;
    struct media_reader *file = NULL;
    AVFrame *frame;
    bool mirrored;
    int rc = -1, turns;

    if (media_reader_open(path, name, 1, &file, e))
        return -1;
    switch (media_reader_next(file, &frame, e)) {
    case 0:
        error_set(e, ERROR_MEDIA, "%s holds no whole picture", name);
        break;
    case 1:
        turns = media_reader_turns(file, frame, &mirrored);
        rc = picture_read(&converter, frame, p, e);
        if (rc == 0)
            rc = picture_turn(p, turns, mirrored, e);
        if (rc)
            error_wrap(e, "%s", name);
        break;
    default:
        break;
    }
    picture_reader_free(converter);
    media_reader_close(file);
    return rc;
}

int picture_file_rgb(const char *path, const char *name, uint8_t **rgb, int *width, int *height,
                     struct error *e)
{
    struct picture p = {0};
    size_t pixels;
    int rc = load(path, name, &p, e);

    if (rc)
        goto done;
    pixels = (size_t)p.width * (size_t)p.height;
    *rgb = malloc(pixels * 3);
    if (!*rgb) {
        rc = error_memory(e);
        goto done;
    }
    for (size_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++) /* a byte v stands for 257 v of 65535 */
            (*rgb)[i * 3 + (size_t)c] = (uint8_t)((p.planes[c][i] + 128) / 257);
    *width = p.width;
    *height = p.height;
done:
    picture_free(&p);
    return rc;
}
