#include "stages/decode/colour.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/decode/picture.h"

#define REFERENCE_WHITE 203.0 /* cd/m2, ITU-R BT.2408 */
#define DISPLAY_GAMMA   2.4

/* Chromaticities x, y of red, green, blue. */
static const double bt709[6] = {0.640, 0.330, 0.300, 0.600, 0.150, 0.060};
static const double bt601_625[6] = {0.640, 0.330, 0.290, 0.600, 0.150, 0.060};
static const double bt601_525[6] = {0.630, 0.340, 0.310, 0.595, 0.155, 0.070};
static const double bt2020[6] = {0.708, 0.292, 0.170, 0.797, 0.131, 0.046};
static const double p3[6] = {0.680, 0.320, 0.265, 0.690, 0.150, 0.060};

static const double *chromaticities(enum AVColorPrimaries primaries)
{
    switch (primaries) {
    case AVCOL_PRI_BT470BG:
        return bt601_625;
    case AVCOL_PRI_SMPTE170M:
    case AVCOL_PRI_SMPTE240M:
        return bt601_525;
    case AVCOL_PRI_BT2020:
        return bt2020;
    case AVCOL_PRI_SMPTE432:
        return p3;
    default:
        return bt709;
    }
}

static void invert(const double m[3][3], double out[3][3])
{
    double det = 0;

    for (int i = 0; i < 3; i++)
        det += m[0][i] *
               (m[1][(i + 1) % 3] * m[2][(i + 2) % 3] - m[1][(i + 2) % 3] * m[2][(i + 1) % 3]);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            out[j][i] = (m[(i + 1) % 3][(j + 1) % 3] * m[(i + 2) % 3][(j + 2) % 3] -
                         m[(i + 1) % 3][(j + 2) % 3] * m[(i + 2) % 3][(j + 1) % 3]) /
                        det;
}

/* RGB to XYZ: the columns are the primaries, scaled so that white is D65 (SMPTE RP 177). */
static void to_xyz(const double xy[6], double out[3][3])
{
    const double white[3] = {0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290};
    double m[3][3], inverse[3][3];

    for (int i = 0; i < 3; i++) {
        m[0][i] = xy[2 * i] / xy[2 * i + 1];
        m[1][i] = 1;
        m[2][i] = (1 - xy[2 * i] - xy[2 * i + 1]) / xy[2 * i + 1];
    }
    invert(m, inverse);
    for (int i = 0; i < 3; i++) {
        double scale = 0;

        for (int k = 0; k < 3; k++)
            scale += inverse[i][k] * white[k];
        for (int row = 0; row < 3; row++)
            out[row][i] = m[row][i] * scale;
    }
}

static void conversion(const double from[6], float out[3][3])
{
    double source[3][3], target[3][3], back[3][3];

    to_xyz(from, source);
    to_xyz(bt709, target);
    invert(target, back);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            double sum = 0;

            for (int k = 0; k < 3; k++)
                sum += back[i][k] * source[k][j];
            out[i][j] = (float)sum;
        }
}

/* SMPTE ST 2084: code 0..1 to light, 1 = 10,000 cd/m2, and back. */
#define PQ_M1 (2610.0 / 16384)
#define PQ_M2 (2523.0 / 4096 * 128)
#define PQ_C1 (3424.0 / 4096)
#define PQ_C2 (2413.0 / 4096 * 32)
#define PQ_C3 (2392.0 / 4096 * 32)

static double pq_light(double code)
{
    double p = pow(code, 1 / PQ_M2);

    return pow(fmax(p - PQ_C1, 0) / (PQ_C2 - PQ_C3 * p), 1 / PQ_M1);
}

static double pq_code(double light)
{
    double p = pow(fmax(light, 0), PQ_M1);

    return pow((PQ_C1 + PQ_C2 * p) / (1 + PQ_C3 * p), PQ_M2);
}

/* ARIB STD-B67: code to scene light, 0..1. */
static double hlg_scene(double code)
{
    const double a = 0.17883277, b = 1 - 4 * a, c = 0.5 - a * log(4 * a);

    return code <= 0.5 ? code * code / 3 : (exp((code - c) / a) + b) / 12;
}

/* ITU-R BT.2390-8, 5.4.1, for black at zero: light above the knee bends towards the display's
 * white. Light in units of reference white; `peak` becomes 1. */
static double roll_off(double light, double peak)
{
    const double unit = REFERENCE_WHITE / 10000;
    double top = pq_code(peak * unit), white = pq_code(unit) / top;
    double e1 = pq_code(light * unit) / top, knee = 1.5 * white - 0.5;

    if (e1 > knee) {
        double t = (e1 - knee) / (1 - knee), t2 = t * t, t3 = t2 * t;

        e1 = (2 * t3 - 3 * t2 + 1) * knee + (t3 - 2 * t2 + t) * (1 - knee) +
             (-2 * t3 + 3 * t2) * white;
    }
    return fmin(pq_light(e1 * top) / unit, 1);
}

enum { TABLE = 65536, BENDS = 4096 };

/* The table of bends is indexed by the square root of light, for the sake of the shadows. */
static int fill_bends(struct colour *c, struct error *e)
{
    c->bend = malloc((BENDS + 1) * sizeof *c->bend);
    if (!c->bend)
        return error_memory(e);
    c->bend[0] = 1;
    for (int i = 1; i <= BENDS; i++) {
        double light = c->peak * (double)i * i / ((double)BENDS * BENDS);

        c->bend[i] = (float)(roll_off(light, c->peak) / light);
    }
    return 0;
}

int colour_open(struct colour *c, enum AVColorPrimaries primaries,
                enum AVColorTransferCharacteristic transfer, struct error *e)
{
    const double *from = chromaticities(primaries);
    bool pq = transfer == AVCOL_TRC_SMPTE2084, hlg = transfer == AVCOL_TRC_ARIB_STD_B67;

    *c = (struct colour){.hlg = hlg};
    if (!pq && !hlg && from == bt709)
        return 0;
    conversion(from, c->matrix);
    /* Mastered brightness is seldom told truly; 1000 cd/m2 is what nearly everything is graded to,
     * and what HLG's nominal display shows. */
    c->peak = (float)(1000 / REFERENCE_WHITE);
    c->to_light = malloc(TABLE * sizeof *c->to_light);
    if (!c->to_light)
        return error_memory(e);
    for (int i = 0; i < TABLE; i++) {
        double code = i / 65535.0;

        c->to_light[i] = (float)(pq    ? fmin(pq_light(code) * 10000 / REFERENCE_WHITE, c->peak)
                                 : hlg ? hlg_scene(code)
                                       : pow(code, DISPLAY_GAMMA));
    }
    return pq || hlg ? fill_bends(c, e) : 0;
}

void colour_free(struct colour *c)
{
    free(c->to_light);
    free(c->bend);
    *c = (struct colour){0};
}

/* One pixel in light: HLG's system gamma 1.2 for a 1000 cd/m2 display (ITU-R BT.2100 table 5),
 * then every channel scaled by how much the brightest one bends, so that hues stay. */
static void bring_down(const struct colour *c, float rgb[3])
{
    float scale = 1, top;

    if (c->hlg) {
        float y = 0.2627f * rgb[0] + 0.6780f * rgb[1] + 0.0593f * rgb[2];

        scale = y > 0 ? powf(y, 0.2f) * c->peak : 0;
    }
    top = fminf(scale * fmaxf(fmaxf(rgb[0], rgb[1]), rgb[2]), c->peak);
    scale *= c->bend[(int)(sqrtf(top / c->peak) * BENDS + 0.5f)];
    for (int i = 0; i < 3; i++)
        rgb[i] *= scale;
}

void colour_apply(const struct colour *c, struct picture *p)
{
    size_t count = (size_t)p->width * (size_t)p->height;

    if (!c->to_light)
        return;
    for (size_t i = 0; i < count; i++) {
        float light[3];

        for (int k = 0; k < 3; k++)
            light[k] = c->to_light[p->planes[k][i]];
        if (c->bend)
            bring_down(c, light);
        for (int k = 0; k < 3; k++) {
            float out = c->matrix[k][0] * light[0] + c->matrix[k][1] * light[1] +
                        c->matrix[k][2] * light[2];

            out = powf(fminf(fmaxf(out, 0), 1), (float)(1 / DISPLAY_GAMMA));
            p->planes[k][i] = (uint16_t)(out * 65535 + 0.5f);
        }
    }
}
