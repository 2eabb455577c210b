/* Where a patch lies, as the two forms tell their model. Numbers are rounded to floats where the
 * published tables are. */
#include <math.h>

#include "stages/generate/cogvideox_transformer_impl.h"

/* ---- first form: sines, then cosines, of position / 10000^(2i / width) */

static float *add_sines(float *to, float position, int64_t width)
{
    int64_t half = width / 2;

    for (int64_t i = 0; i < half; i++) {
        double angle = (double)position * (1 / pow(10000, (double)i / (double)half));
        to[i] = (float)sin(angle);
        to[half + i] = (float)cos(angle);
    }
    return to + width;
}

void cogvideox_added_tables(const struct cogvideox_transformer *m, const int64_t grid[3],
                            float *times, float *places)
{
    int64_t width = 3 * m->dim / 8;

    for (int64_t t = 0; t < grid[0]; t++)
        times = add_sines(times, (float)t / (float)m->time_scale, m->dim / 4);
    for (int64_t row = 0; row < grid[1]; row++)
        for (int64_t column = 0; column < grid[2]; column++) { /* the column comes first */
            places = add_sines(places, (float)column / (float)m->space_scale, width);
            places = add_sines(places, (float)row / (float)m->space_scale, width);
        }
}

/* ---- second form */

/* `count` places from first to last, both included, each counted from the end that is nearer. */
static float evenly(float first, float last, int64_t i, int64_t count)
{
    float step;

    if (count == 1)
        return first;
    step = (last - first) / (float)(count - 1);
    return i < count / 2 ? first + step * (float)i : last - step * (float)(count - 1 - i);
}

/* One axis of the grid of a picture that is scaled to fit the trained one and lies in its middle:
 * where its patches begin, and where its last one does. Halves are rounded to the even number. */
static void fit_axis(double trained, double scaled, int64_t count, float *first, float *last)
{
    double before = rint((trained - scaled) / 2), after = before + scaled;

    *first = (float)before;
    *last = (float)(after * (double)(count - 1) / (double)count);
}

struct axes {
    int64_t count[3];
    float first[3], last[3];
};

static struct axes axes_of(const struct cogvideox_transformer *m, const int64_t shape[4])
{
    const struct cogvideox_sizes *s = &m->sizes;
    struct axes a = {{shape[0] / s->patch_t, shape[2] / s->patch, shape[3] / s->patch}, {0}, {0}};
    double rows = (double)a.count[1], columns = (double)a.count[2];
    double trained_rows = s->sample_height / s->patch, trained_columns = s->sample_width / s->patch;
    double height = trained_rows, width = trained_columns;

    for (int i = 0; i < 3; i++)
        a.last[i] = (float)(a.count[i] - 1);
    if (s->spans_frames) /* CogVideoX 1.5 counts patches */
        return a;
    if (rows / columns > trained_rows / trained_columns)
        width = rint(trained_rows / rows * columns);
    else
        height = rint(trained_columns / columns * rows);
    fit_axis(trained_rows, height, a.count[1], &a.first[1], &a.last[1]);
    fit_axis(trained_columns, width, a.count[2], &a.first[2], &a.last[2]);
    return a;
}

int64_t cogvideox_tokens(const struct cogvideox_transformer *m, const int64_t shape[4])
{
    struct axes a = axes_of(m, shape);
    return a.count[0] * a.count[1] * a.count[2];
}

int cogvideox_head_pairs(const struct cogvideox_transformer *m)
{
    return m->head_dim / 2;
}

/* A head's numbers are shared out among time (a quarter), rows and columns (three eighths each).
 * Pair i of an axis of n numbers turns by position / 10000^(2i/n). */
void cogvideox_rotary_tables(const struct cogvideox_transformer *m, const int64_t shape[4],
                             float *cosines, float *sines)
{
    struct axes a = axes_of(m, shape);
    int64_t share[3] = {m->head_dim / 4, m->head_dim / 8 * 3, m->head_dim / 8 * 3};
    int64_t area = a.count[1] * a.count[2];

    for (int64_t token = 0; token < a.count[0] * area; token++) {
        int64_t at[3] = {token / area, token / a.count[2] % a.count[1], token % a.count[2]};
        for (int axis = 0; axis < 3; axis++) {
            float position = evenly(a.first[axis], a.last[axis], at[axis], a.count[axis]);
            for (int64_t i = 0; i < share[axis] / 2; i++) {
                float power = powf(10000, (float)(2 * i) / (float)share[axis]);
                float angle = position * (1 / power);
                *cosines++ = cosf(angle);
                *sines++ = sinf(angle);
            }
        }
    }
}
