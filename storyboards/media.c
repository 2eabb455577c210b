#include "storyboards/media.h"

#include <string.h>
#include <strings.h>

static bool ends_in(const char *path, const char *const *endings)
{
    const char *dot = strrchr(path, '.');

    if (!dot || strchr(dot, '/'))
        return false;
    for (; *endings; endings++)
        if (!strcasecmp(dot + 1, *endings))
            return true;
    return false;
}

/* A path alone: its ending says which row of the source it is. */
static int row_of_ending(const char *path)
{
    static const char *const pictures[] = {"png", "jpg",  "jpeg", "tif", "tiff",
                                           "bmp", "webp", "exr",  "dpx", NULL};
    static const char *const clips[] = {"mp4", "mov",  "mkv", "webm", "avi", "mxf", "m4v",
                                        "mpg", "mpeg", "ts",  "mts",  "ogv", "y4m", NULL};

    return ends_in(path, pictures) ? SOURCE_ROW_STILL
           : ends_in(path, clips)  ? SOURCE_ROW_FOOTAGE
                                   : -1;
}

static bool source_slots(struct reader *r, const struct node *n, struct slots *slots)
{
    int row;

    if (n->kind != NODE_SCALAR || node_is_null(n))
        return slots_collect(r, &source_table, n, false, slots);
    *slots = (struct slots){0};
    row = row_of_ending(n->text);
    if (row < 0) {
        complain(r, n,
                 "'source' does not tell by its ending whether it is a picture or a clip; write "
                 "{still: PATH} or {footage: PATH}");
        return false;
    }
    slots->value[row] = n;
    return true;
}

/* Rows that only the other kind of source has a use for. */
static void check_source_rows(struct reader *r, const struct slots *slots, bool still)
{
    static const enum source_row of_still[] = {SOURCE_ROW_MOVE, SOURCE_ROW_AMOUNT};
    const struct node *const *value = slots->value;

    if (still && value[SOURCE_ROW_IN])
        complain(r, value[SOURCE_ROW_IN], "'in' is for footage; a still has no time");
    for (size_t i = 0; !still && i < 2; i++)
        if (value[of_still[i]])
            complain(r, value[of_still[i]], "'%s' is for stills; footage moves by itself",
                     source_table.fields[of_still[i]].name);
}

bool media_read_source(struct reader *r, const struct node *n, struct media *m)
{
    struct slots slots;
    struct source_values values;
    const struct node *still, *footage;

    if (!source_slots(r, n, &slots))
        return false;
    still = slots.value[SOURCE_ROW_STILL];
    footage = slots.value[SOURCE_ROW_FOOTAGE];
    object_defaults(r, &source_table, &values);
    if (object_read(r, &source_table, &slots, &values))
        return false;
    if (!still == !footage) {
        complain(r, n,
                 still ? "a source is a still or footage, not both"
                       : "a source needs 'still' or 'footage'");
        return false;
    }
    check_source_rows(r, &slots, still);
    m->kind = still ? SHOT_STILL : SHOT_FOOTAGE;
    m->source = values.source;
    m->source.path = still ? values.still : values.footage;
    m->source.written = arena_strdup(r->arena, (still ? still : footage)->text);
    m->source.line = n->line;
    r->no_memory |= !m->source.written;
    return m->source.written;
}

bool media_read_card(struct reader *r, const struct node *n, struct media *m)
{
    struct slots slots = {0};
    struct overlay_values title;

    object_defaults(r, &card_table, &m->card);
    m->card_title = "";
    m->card_at = n;
    if (n->kind == NODE_SCALAR && !node_is_null(n)) {
        object_defaults(r, &overlay_table, &title);
        if (!value_read(r, &overlay_table.fields[OVERLAY_ROW_TEXT], n, &title))
            return false;
        m->card_title = title.overlay.text;
    } else if (!slots_collect(r, &card_table, n, false, &slots) ||
               object_read(r, &card_table, &slots, &m->card)) {
        return false;
    }
    if (!slots.value[CARD_ROW_TO])
        m->card.background_to = m->card.background;
    m->kind = SHOT_CARD;
    return true;
}

static bool read_overlay(struct reader *r, const struct node *n, struct overlay_item *item)
{
    struct slots slots;
    struct overlay *o = &item->values.overlay;

    if (!slots_collect(r, &overlay_table, n, false, &slots) ||
        object_read(r, &overlay_table, &slots, &item->values))
        return false;
    o->line = n->line;
    o->has_color = slots.value[OVERLAY_ROW_COLOR];
    item->at = n;
    item->in = slots.value[OVERLAY_ROW_IN];
    item->out = slots.value[OVERLAY_ROW_OUT];
    item->fade = slots.value[OVERLAY_ROW_FADE_IN]    ? slots.value[OVERLAY_ROW_FADE_IN]
                 : slots.value[OVERLAY_ROW_FADE_OUT] ? slots.value[OVERLAY_ROW_FADE_OUT]
                                                     : slots.value[OVERLAY_ROW_FADE];
    if (o->style == OVERLAY_TIMECODE && slots.value[OVERLAY_ROW_TEXT])
        caution(r, slots.value[OVERLAY_ROW_TEXT],
                "'text' has no effect on a timecode overlay, which shows the running timecode");
    if (o->style != OVERLAY_TIMECODE && !slots.value[OVERLAY_ROW_TEXT]) {
        complain(r, n, "an overlay needs 'text'");
        return false;
    }
    return true;
}

bool media_read_overlays(struct reader *r, const struct node *list, struct media *m)
{
    struct overlay_values empty;
    struct overlay_item *items;
    size_t count = 0;
    bool good = true;

    if (list->kind != NODE_LIST) {
        complain(r, list, "'overlays' must be a list of overlays, each beginning with '- '");
        return false;
    }
    items = arena_array(r->scratch, list->count ? list->count : 1, sizeof *items);
    if (!items) {
        r->no_memory = true;
        return false;
    }
    object_defaults(r, &overlay_table, &empty);
    for (const struct node *n = list->first; n; n = n->next) {
        items[count].values = empty;
        if (read_overlay(r, node_value(n), &items[count]))
            count++;
        else
            good = false;
    }
    m->overlays = items;
    m->overlay_count = count;
    return good;
}

/* Half a frame of grace: 1.38 s is the end of 33 frames at 24, which last 1.375 s. */
static bool resolve(struct reader *r, const struct overlay_item *item, const struct shot *shot,
                    double duration, struct overlay *o)
{
    double half = frames_to_seconds(1, r->fps) / 2, fade = item->values.fade;
    double handles = frames_to_seconds(r->handles, r->fps);
    const char *id = *shot->id ? shot->id : "?";
    bool from_first, to_last;

    *o = item->values.overlay;
    if (o->out < 0)
        o->out = duration;
    o->fade_in = o->fade_in >= 0 ? o->fade_in : fade >= 0 ? fade : 0;
    o->fade_out = o->fade_out >= 0 ? o->fade_out : fade >= 0 ? fade : 0;
    if (o->in >= duration)
        complain(r, item->in ? item->in : item->at,
                 "the overlay begins at %g s, but shot '%s' is over at %g s", o->in, id, duration);
    else if (o->out > duration + half)
        complain(r, item->out, "the overlay ends at %g s, but shot '%s' is over at %g s", o->out,
                 id, duration);
    else if (o->in >= o->out)
        complain(r, item->out ? item->out : item->at,
                 "the overlay ends at %g s but begins at %g s; it must end later", o->out, o->in);
    else if (o->fade_in + o->fade_out > o->out - o->in + half)
        complain(r, item->fade, "fades of %g s and %g s do not fit into the overlay's %g s",
                 o->fade_in, o->fade_out, o->out - o->in);
    else
        goto good;
    return false;
good:
    /* Handles lie in front of the shot and behind it: what stands from its first frame or to its
     * last without a fade stands in them, too, for a transition shows them. */
    from_first = o->in <= 0 && o->fade_in <= 0;
    to_last = o->out > duration - half && o->fade_out <= 0;
    o->out = o->out > duration ? duration : o->out;
    o->in += from_first ? 0 : handles;
    o->out += to_last ? 2 * handles : handles;
    return true;
}

static const struct overlay_item *title_item(struct reader *r, const struct media *m)
{
    struct overlay_item *item = arena_alloc(r->scratch, sizeof *item);

    if (!item) {
        r->no_memory = true;
        return NULL;
    }
    object_defaults(r, &overlay_table, &item->values);
    item->values.overlay.style = OVERLAY_TITLE;
    item->values.overlay.text = m->card_title;
    item->values.overlay.line = m->card_at->line;
    item->at = m->card_at;
    return item;
}

bool media_resolve_overlays(struct reader *r, const struct media *m, struct shot *shot)
{
    bool titled = m->kind == SHOT_CARD && *m->card_title, good = true;
    size_t count = m->overlay_count + titled;
    double duration = frames_to_seconds(shot->frames, r->fps);
    const struct overlay_item *title = titled ? title_item(r, m) : NULL;
    struct overlay *made = arena_array(r->arena, count ? count : 1, sizeof *made);

    if (!made || (titled && !title)) {
        r->no_memory = true;
        return false;
    }
    if (titled)
        good = resolve(r, title, shot, duration, &made[0]);
    for (size_t i = 0; i < m->overlay_count; i++)
        good &= resolve(r, &m->overlays[i], shot, duration, &made[i + titled]);
    shot->overlays = made;
    shot->overlay_count = count;
    return good;
}
