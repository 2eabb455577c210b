#include "stages/media/convert.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <libavutil/bswap.h>

/* Luma coefficients of BT.709; the chroma differences are scaled to reach 1/2. */
#define KR 0.2126
#define KB 0.0722
#define KG (1.0 - KR - KB)

enum { Y_SHIFT = 20, C_SHIFT = 19 };

/* Coefficients in 2^-Y_SHIFT and 2^-C_SHIFT for a range of `span` (219 or 876, 224 or 896) over the
 * master's 1023. Green is what is left over, so that the sums for white and grey are exact. */
#define FIXED(x, shift) ((int32_t)((x) * (double)(1 << (shift)) + ((x) < 0 ? -0.5 : 0.5)))

struct matrix {
    int32_t yr, yg, yb;
    int32_t ur, ug, ub, vr, vg, vb;
};

static struct matrix matrix_of(double luma_span, double chroma_span)
{
    double y = luma_span / MASTER_MAX, c = chroma_span / MASTER_MAX;
    struct matrix m = {
        .yr = FIXED(KR * y, Y_SHIFT),
        .yb = FIXED(KB * y, Y_SHIFT),
        .ur = FIXED(-KR / (2 * (1 - KB)) * c, C_SHIFT),
        .ub = FIXED(0.5 * c, C_SHIFT),
        .vr = FIXED(0.5 * c, C_SHIFT),
        .vb = FIXED(-KB / (2 * (1 - KR)) * c, C_SHIFT),
    };

    m.yg = FIXED(y, Y_SHIFT) - m.yr - m.yb;
    m.ug = -m.ur - m.ub;
    m.vg = -m.vr - m.vb;
    return m;
}

/* Bayer's matrix of order 8. */
static const uint8_t bayer[8][8] = {
    {0, 32, 8, 40, 2, 34, 10, 42},  {48, 16, 56, 24, 50, 18, 58, 26},
    {12, 44, 4, 36, 14, 46, 6, 38}, {60, 28, 52, 20, 62, 30, 54, 22},
    {3, 35, 11, 43, 1, 33, 9, 41},  {51, 19, 59, 27, 49, 17, 57, 25},
    {15, 47, 7, 39, 13, 45, 5, 37}, {63, 31, 55, 23, 61, 29, 53, 21},
};

/* What is added before a shift to the right: the middle of each of 64 steps for a dither. A colour
 * within 1/128 of a step of the grid comes out the same everywhere. */
static void fill_offsets(int32_t out[8], unsigned y, int shift, int32_t base)
{
    for (int i = 0; i < 8; i++)
        out[i] = (base << shift) + ((2 * bayer[y & 7][i] + 1) << (shift - 7));
}

static const uint16_t *row16(const AVFrame *f, int plane, int y)
{
    return (const uint16_t *)(const void *)(f->data[plane] + (ptrdiff_t)y * f->linesize[plane]);
}

static uint16_t *row16_of(AVFrame *f, int plane, int y)
{
    return (uint16_t *)(void *)(f->data[plane] + (ptrdiff_t)y * f->linesize[plane]);
}

static void luma_row8(const AVFrame *in, AVFrame *out, int y, struct matrix m)
{
    const uint16_t *restrict g = row16(in, 0, y), *restrict b = row16(in, 1, y);
    const uint16_t *restrict r = row16(in, 2, y);
    uint8_t *restrict to = out->data[0] + (ptrdiff_t)y * out->linesize[0];
    int32_t offset[8];

    fill_offsets(offset, (unsigned)y, Y_SHIFT, 16);
    for (int x = 0; x < in->width; x++)
        to[x] = (uint8_t)((m.yr * r[x] + m.yg * g[x] + m.yb * b[x] + offset[x & 7]) >> Y_SHIFT);
}

/* Two rows summed and filtered 1-2-1 round the even columns: eight times the colour, or four times
 * when both rows are one. The column left of the picture repeats the first. */
static int32_t filtered(const uint16_t *a, const uint16_t *b, int x)
{
    int left = x ? x - 1 : 0;

    return a[left] + b[left] + 2 * (a[x] + b[x]) + a[x + 1] + b[x + 1];
}

static void chroma_row8(const AVFrame *in, AVFrame *out, int y, struct matrix m)
{
    const uint16_t *planes[3][2];
    uint8_t *restrict u = out->data[1] + (ptrdiff_t)y * out->linesize[1];
    uint8_t *restrict v = out->data[2] + (ptrdiff_t)y * out->linesize[2];
    int32_t offset[8];

    for (int p = 0; p < 3; p++)
        for (int i = 0; i < 2; i++)
            planes[p][i] = row16(in, p, 2 * y + i);
    fill_offsets(offset, (unsigned)y, C_SHIFT + 3, 128);
    for (int x = 0; x < in->width / 2; x++) {
        int32_t g = filtered(planes[0][0], planes[0][1], 2 * x);
        int32_t b = filtered(planes[1][0], planes[1][1], 2 * x);
        int32_t r = filtered(planes[2][0], planes[2][1], 2 * x);

        u[x] = (uint8_t)((m.ur * r + m.ug * g + m.ub * b + offset[x & 7]) >> (C_SHIFT + 3));
        v[x] = (uint8_t)((m.vr * r + m.vg * g + m.vb * b + offset[x & 7]) >> (C_SHIFT + 3));
    }
}

void convert_to_yuv420p(const AVFrame *master, AVFrame *out)
{
    struct matrix m = matrix_of(219, 224);

    for (int y = 0; y < master->height; y++)
        luma_row8(master, out, y, m);
    for (int y = 0; y < master->height / 2; y++)
        chroma_row8(master, out, y, m);
}

/* Four times the colour at a column of the chroma: of the pixel itself, or filtered across. */
static int32_t sample(const uint16_t *a, const uint16_t *b, int x, bool halved)
{
    return halved ? filtered(a, b, 2 * x) / 2 : 4 * a[x];
}

void convert_to_yuv10(const AVFrame *master, AVFrame *out)
{
    struct matrix m = matrix_of(876, 896);
    const int32_t y_offset = (64 << Y_SHIFT) + (1 << (Y_SHIFT - 1));
    const int32_t c_offset = (512 << (C_SHIFT + 2)) + (1 << (C_SHIFT + 1));
    bool halved = out->format != AV_PIX_FMT_YUV444P10, low = out->format == AV_PIX_FMT_YUV420P10;

    for (int y = 0; y < master->height; y++) {
        const uint16_t *g = row16(master, 0, y), *b = row16(master, 1, y), *r = row16(master, 2, y);
        uint16_t *to = row16_of(out, 0, y);

        for (int x = 0; x < master->width; x++)
            to[x] = (uint16_t)((m.yr * r[x] + m.yg * g[x] + m.yb * b[x] + y_offset) >> Y_SHIFT);
    }
    for (int y = 0; y < master->height >> low; y++) {
        const uint16_t *planes[3][2];
        uint16_t *u = row16_of(out, 1, y), *v = row16_of(out, 2, y);

        for (int p = 0; p < 3; p++)
            for (int i = 0; i < 2; i++)
                planes[p][i] = row16(master, p, low ? 2 * y + i : y);
        for (int x = 0; x < master->width >> halved; x++) {
            int32_t g = sample(planes[0][0], planes[0][1], x, halved);
            int32_t b = sample(planes[1][0], planes[1][1], x, halved);
            int32_t r = sample(planes[2][0], planes[2][1], x, halved);

            u[x] = (uint16_t)((m.ur * r + m.ug * g + m.ub * b + c_offset) >> (C_SHIFT + 2));
            v[x] = (uint16_t)((m.vr * r + m.vg * g + m.vb * b + c_offset) >> (C_SHIFT + 2));
        }
    }
}

/* 255 becomes 1023, rounded. */
static uint16_t widen(uint8_t v)
{
    return (uint16_t)((v * MASTER_MAX + 127) / 255);
}

void convert_layer_to_yuva444p10(const AVFrame *layer, AVFrame *out)
{
    struct matrix m = matrix_of(876, 896);
    const int32_t y_offset = (64 << Y_SHIFT) + (1 << (Y_SHIFT - 1));
    const int32_t c_offset = (512 << C_SHIFT) + (1 << (C_SHIFT - 1));

    for (int y = 0; y < layer->height; y++) {
        const uint8_t *from = layer->data[0] + (ptrdiff_t)y * layer->linesize[0];
        uint16_t *to[4];

        for (int p = 0; p < 4; p++)
            to[p] = row16_of(out, p, y);
        for (int x = 0; x < layer->width; x++) {
            int32_t b = widen(from[4 * x]), g = widen(from[4 * x + 1]), r = widen(from[4 * x + 2]);

            to[0][x] = (uint16_t)((m.yr * r + m.yg * g + m.yb * b + y_offset) >> Y_SHIFT);
            to[1][x] = (uint16_t)((m.ur * r + m.ug * g + m.ub * b + c_offset) >> C_SHIFT);
            to[2][x] = (uint16_t)((m.vr * r + m.vg * g + m.vb * b + c_offset) >> C_SHIFT);
            to[3][x] = widen(from[4 * x + 3]);
        }
    }
}

/* Planes of the master that are red, green and blue. */
static const int plane_of[3] = {2, 0, 1};

void convert_to_rgb48(const AVFrame *master, AVFrame *out)
{
    bool big = out->format == AV_PIX_FMT_RGB48BE;

    for (int y = 0; y < master->height; y++) {
        uint16_t *to = row16_of(out, 0, y);

        for (int c = 0; c < 3; c++) {
            const uint16_t *from = row16(master, plane_of[c], y);

            for (int x = 0; x < master->width; x++) {
                uint16_t v = (uint16_t)((from[x] * 65535u + MASTER_MAX / 2) / MASTER_MAX);

                to[3 * x + c] = big ? av_be2ne16(v) : av_le2ne16(v);
            }
        }
    }
}

/* BT.709-6 item 1.2 the other way round: from the signal to light. */
static float light_of(int v)
{
    double signal = (double)v / MASTER_MAX;

    return (float)(signal < 0.081 ? signal / 4.5 : pow((signal + 0.099) / 1.099, 1 / 0.45));
}

static float lights[MASTER_MAX + 1];

static void fill_lights(void)
{
    for (int v = 0; v <= MASTER_MAX; v++)
        lights[v] = light_of(v);
}

void convert_to_light(const AVFrame *master, AVFrame *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fill_lights);
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < master->height; y++) {
            const uint16_t *from = row16(master, p, y);
            float *to = (float *)(void *)(out->data[p] + (ptrdiff_t)y * out->linesize[p]);

            for (int x = 0; x < master->width; x++)
                to[x] = lights[from[x] & MASTER_MAX];
        }
}

void convert_to_rgb24(const AVFrame *master, AVFrame *out)
{
    const int32_t scale = FIXED(255.0 / MASTER_MAX, Y_SHIFT);

    for (int y = 0; y < master->height; y++) {
        uint8_t *to = out->data[0] + (ptrdiff_t)y * out->linesize[0];
        int32_t offset[8];

        fill_offsets(offset, (unsigned)y, Y_SHIFT, 0);
        for (int c = 0; c < 3; c++) {
            const uint16_t *from = row16(master, plane_of[c], y);

            for (int x = 0; x < master->width; x++)
                to[3 * x + c] = (uint8_t)((from[x] * scale + offset[x & 7]) >> Y_SHIFT);
        }
    }
}
