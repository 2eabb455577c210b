#include "stages/composite/layout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "stages/composite/overlays.h"
#include "stages/composite/styles.h"
#include "stages/composite/text.h"

void layout_times(struct placed *p, struct rational fps, int frames)
{
    double rate = (double)fps.num / fps.den;

    p->first = (int)fmax(ceil(p->overlay->in * rate - 1e-6), 0);
    p->last = (int)fmin(ceil(p->overlay->out * rate - 1e-6) - 1, frames - 1);
}

double layout_opacity(const struct placed *p, int frame, struct rational fps)
{
    double now = (frame + 0.5) * fps.den / fps.num, opacity = 1;

    if (frame < p->first || frame > p->last)
        return 0;
    if (p->overlay->fade_in > 0)
        opacity = fmin(opacity, (now - p->overlay->in) / p->overlay->fade_in);
    if (p->overlay->fade_out > 0)
        opacity = fmin(opacity, (p->overlay->out - now) / p->overlay->fade_out);
    return fmin(fmax(opacity, 0), 1);
}

static enum overlay_position mirrored(enum overlay_position p)
{
    static const enum overlay_position to[POSITIONS] = {
        POSITION_AUTO,   POSITION_TOP_RIGHT,   POSITION_TOP,  POSITION_TOP_LEFT,
        POSITION_RIGHT,  POSITION_CENTER,      POSITION_LEFT, POSITION_BOTTOM_RIGHT,
        POSITION_BOTTOM, POSITION_BOTTOM_LEFT,
    };

    return to[p];
}

static enum overlay_position position_of(const struct overlay *o)
{
    enum overlay_position own = styles_all[o->style].position;

    if (o->position != POSITION_AUTO)
        return o->position;
    return text_right_to_left(o->text) ? mirrored(own) : own;
}

static bool meet(const struct placed *a, const struct placed *b)
{
    return a->first <= b->last && b->first <= a->last && a->x < b->x + b->block.width &&
           b->x < a->x + a->block.width && a->y < b->y + b->block.height &&
           b->y < a->y + a->block.height;
}

static int row_of(const struct placed *p)
{
    return (position_of(p->overlay) - POSITION_TOP_LEFT) / 3; /* positions are listed row by row */
}

static int no_room(const struct placed *p, const struct placed *other, struct error *e)
{
    const struct overlay *o = other->overlay;
    char line[32] = "of the prompt";

    if (o->line > 0)
        snprintf(line, sizeof line, "in line %d", o->line);
    error_set(e, ERROR_INPUT,
              "there is no room for it beside the %s %s: give one another position or another "
              "time, or make one smaller",
              overlay_style_name(o->style), line);
    return overlay_blame(p->overlay, e);
}

/* Places one item away from those that have their place. */
static int place(struct placed *p, struct placed *const *others, size_t count, int width,
                 int height, struct error *e)
{
    int left = (int)ceil(width * SAFE_MARGIN), top = (int)ceil(height * SAFE_MARGIN);
    int room_x = width - 2 * left - p->block.width, room_y = height - 2 * top - p->block.height;
    int column = (position_of(p->overlay) - POSITION_TOP_LEFT) % 3, row = row_of(p);
    int gap = (int)ceil(height * 0.015);

    p->x = left + room_x * column / 2;
    p->y = top + room_y * row / 2;
    for (size_t i = 0; i < count; i++) {
        const struct placed *other = others[i];

        if (!meet(p, other))
            continue;
        p->y = row == 2 ? other->y - gap - p->block.height : other->y + other->block.height + gap;
        if (p->y < top || p->y + p->block.height > height - top)
            return no_room(p, other, e);
        i = (size_t)-1; /* moved: look at all of them again */
    }
    return 0;
}

/* At the bottom, where overlays stack upwards, the last comes first. */
int layout_place(struct placed *items, size_t count, int width, int height, struct error *e)
{
    struct placed **order = calloc(count + 1, sizeof *order);
    size_t n = 0;
    int rc = 0;

    if (!order)
        return error_memory(e);
    for (size_t i = 0; i < count; i++)
        if (row_of(&items[i]) < 2)
            order[n++] = &items[i];
    for (size_t i = count; i-- > 0;)
        if (row_of(&items[i]) == 2)
            order[n++] = &items[i];
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = place(order[i], order, i, width, height, e);
    free(order);
    return rc;
}
