#include "stages/composite/block.h"

#include <stdlib.h>
#include <string.h>

int block_alloc(struct block *b, int width, int height, struct error *e)
{
    *b = (struct block){
        .width = width, .height = height, .image_width = width, .image_height = height};
    b->rgba = calloc((size_t)width * (size_t)height, 4 * sizeof *b->rgba);
    return b->rgba ? 0 : error_memory(e);
}

void block_free(struct block *b)
{
    free(b->rgba);
    *b = (struct block){0};
}

/* A pixel by its place in the block. */
static float *pixel(const struct block *b, int x, int y)
{
    return b->rgba + 4 * ((size_t)(y - b->top) * (size_t)b->image_width + (size_t)(x - b->left));
}

int block_reach(struct block *b, int left, int top, int right, int bottom, struct error *e)
{
    struct block old = *b;

    b->left = left < old.left ? left : old.left;
    b->top = top < old.top ? top : old.top;
    right = right > old.left + old.image_width ? right : old.left + old.image_width;
    bottom = bottom > old.top + old.image_height ? bottom : old.top + old.image_height;
    b->image_width = right - b->left;
    b->image_height = bottom - b->top;
    b->rgba = calloc((size_t)b->image_width * (size_t)b->image_height, 4 * sizeof *b->rgba);
    if (!b->rgba) {
        *b = old;
        return error_memory(e);
    }
    for (int y = old.top; y < old.top + old.image_height; y++)
        memcpy(pixel(b, old.left, y), pixel(&old, old.left, y),
               (size_t)old.image_width * 4 * sizeof *b->rgba);
    free(old.rgba);
    return 0;
}

static void unpack(uint32_t rgb, float out[3])
{
    for (int c = 0; c < 3; c++)
        out[c] = (float)(rgb >> (16 - 8 * c) & 255) / 255;
}

void block_rectangle(struct block *b, int left, int top, int width, int height, uint32_t rgb,
                     float alpha)
{
    float color[3];

    unpack(rgb, color);
    for (int y = top; y < top + height; y++)
        for (int x = left; x < left + width; x++) {
            float *p = pixel(b, x, y);

            for (int c = 0; c < 3; c++)
                p[c] = color[c] * alpha;
            p[3] = alpha;
        }
}

void block_mask(struct block *b, int left, int top, int width, int height, const uint8_t *mask,
                ptrdiff_t stride, uint32_t rgb, float opacity)
{
    float color[3];

    unpack(rgb, color);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            float alpha = opacity * mask[y * stride + x] / 255, *p = pixel(b, left + x, top + y);

            for (int c = 0; c < 3; c++)
                p[c] = color[c] * alpha + p[c] * (1 - alpha);
            p[3] = alpha + p[3] * (1 - alpha);
        }
}
