#include "storyboards/shot.h"

#include <string.h>

#include "kernels/base/hash.h"
#include "storyboards/sound.h"

static void read_media(struct reader *r, const struct slots *slots, struct media *m, bool *good)
{
    const struct node *const *value = slots->value;

    if (value[SHOT_ROW_SOURCE] && value[SHOT_ROW_CARD]) {
        complain(r, value[SHOT_ROW_CARD], "a shot has a source or a card, not both");
        *good = false;
    }
    if (value[SHOT_ROW_SOURCE])
        *good &= media_read_source(r, value[SHOT_ROW_SOURCE], m);
    else if (value[SHOT_ROW_CARD])
        *good &= media_read_card(r, value[SHOT_ROW_CARD], m);
    if (value[SHOT_ROW_OVERLAYS])
        *good &= media_read_overlays(r, value[SHOT_ROW_OVERLAYS], m);
}

/* `frames` or `duration`, whichever these slots give. */
static bool read_length(struct reader *r, const struct slots *slots, struct shot_values *v)
{
    const struct node *frames = slots->value[SHOT_ROW_FRAMES];
    const struct node *duration = slots->value[SHOT_ROW_DURATION];
    int64_t count;

    if (frames && duration) {
        complain(r, duration, "'frames' and 'duration' are both given; keep one");
        return false;
    }
    if (!duration)
        return true;
    count = seconds_to_frames(v->duration, r->fps);
    if (count < 1 || count > (int64_t)shot_table.fields[SHOT_ROW_FRAMES].max) {
        complain(r, duration,
                 count < 1 ? "'duration' is less than a frame"
                           : "'duration' is more than a million frames");
        return false;
    }
    v->shot.frames = (int)count;
    return true;
}

/* A word is the kind, a mapping has both. */
static bool read_transition(struct reader *r, const struct node *n, struct shot *shot)
{
    struct slots slots = {0};
    struct transition_values values;

    object_defaults(r, &transition_table, &values);
    if (n->kind == NODE_SCALAR && !node_is_null(n)) {
        if (!value_read(r, &transition_table.fields[TRANSITION_ROW_KIND], n, &values))
            return false;
    } else if (!slots_collect(r, &transition_table, n, false, &slots) ||
               object_read(r, &transition_table, &slots, &values)) {
        return false;
    }
    if (values.kind == TRANSITION_CUT && slots.value[TRANSITION_ROW_DURATION]) {
        complain(r, slots.value[TRANSITION_ROW_DURATION],
                 "a cut takes no time: leave 'duration' out, or write kind: dissolve");
        return false;
    }
    shot->transition.kind = (enum transition_kind)values.kind;
    shot->transition.frames =
        values.kind == TRANSITION_CUT ? 0 : (int)seconds_to_frames(values.duration, r->fps);
    if (!shot->transition.frames)
        shot->transition.kind = TRANSITION_CUT;
    shot->transition.line = n->line;
    return true;
}

/* The shot is made longer by its handles; what has a time in it moves with its first frame. */
static bool add_handles(struct reader *r, const struct node *n, struct shot *shot)
{
    double seconds = frames_to_seconds(r->handles, r->fps);

    shot->frames += 2 * r->handles;
    shot->source.in -= shot->kind == SHOT_FOOTAGE ? seconds : 0;
    if (shot->source.in < 0) {
        complain(r, n,
                 "the clip has %g s before the shot's first frame, and handles of %d frames need "
                 "%g s: begin later in it, or lower deliver's 'handles'",
                 shot->source.in + seconds, r->handles, seconds);
        return false;
    }
    return true;
}

/* A threshold beside `step_cache: off`, of which one must be a slip; `off` in a shot may well
 * switch off what `defaults` switch on, threshold and all. */
static bool check_step_cache(struct reader *r, const struct slots *slots, const struct shot *shot)
{
    const struct node *threshold = slots->value[SHOT_ROW_STEP_CACHE_THRESHOLD];

    if (!threshold || strcmp(shot->step_cache, "off"))
        return true;
    complain(r, threshold, "'step_cache_threshold' does nothing where step_cache is off; keep one");
    return false;
}

void shot_read_defaults(struct reader *r, const struct node *n, const struct board_values *board,
                        struct shot_defaults *d)
{
    uint32_t bad = 0;
    bool good = true;

    memset(d, 0, sizeof *d);
    object_defaults(r, &shot_table, &d->values);
    d->values.shot.look = board->look;
    d->values.shot.camera = board->camera;
    d->values.shot.negative = board->negative;
    if (!n || !slots_collect(r, &shot_table, n, true, &d->slots))
        return;
    bad = object_read(r, &shot_table, &d->slots, &d->values);
    if (!(bad & 1u << SHOT_ROW_DURATION))
        read_length(r, &d->slots, &d->values);
    check_step_cache(r, &d->slots, &d->values.shot);
    if (d->slots.value[SHOT_ROW_TRANSITION])
        read_transition(r, d->slots.value[SHOT_ROW_TRANSITION], &d->values.shot);
    d->values.shot.transition.line = 0;
    read_media(r, &d->slots, &d->media, &good);
}

/* A field that only a model has a use for, written at a shot that brings its own pictures. */
static void caution_unused(struct reader *r, const struct slots *slots, enum shot_kind kind)
{
    for (size_t i = 0; i < shot_table.count; i++)
        if (slots->value[i] && (shot_table.fields[i].flags & FIELD_MODEL_ONLY))
            caution(r, slots->value[i], "'%s' has no effect on %s", shot_table.fields[i].name,
                    kind == SHOT_CARD    ? "a card"
                    : kind == SHOT_STILL ? "a still"
                                         : "footage");
}

static bool is_generated(const char *tier)
{
    for (int i = 0; i < GENERATED_TIERS; i++)
        if (tier_names[i] == tier)
            return true;
    return false;
}

static bool settle_generated(struct reader *r, const struct node *n, const struct slots *slots,
                             const struct shot_defaults *d, struct shot *shot)
{
    const struct node *tier = slots->value[SHOT_ROW_TIER];

    if (!is_generated(shot->tier)) {
        complain(r, tier ? tier : d->slots.value[SHOT_ROW_TIER],
                 "tier '%s' is for shots with a %s; a generated one takes %s, %s, %s, %s, %s or %s",
                 shot->tier, strcmp(shot->tier, "title") ? "source" : "card", tier_names[0],
                 tier_names[1], tier_names[2], tier_names[3], tier_names[4], tier_names[5]);
        return false;
    }
    if (!*shot->prompt && !slots->value[SHOT_ROW_PROMPT] && !slots->value[SHOT_ROW_SOURCE] &&
        !slots->value[SHOT_ROW_CARD]) {
        complain(r, n, "the shot needs a 'prompt', or a 'source' or 'card' instead of one");
        return false;
    }
    return true;
}

static bool settle_media(struct reader *r, const struct slots *slots, struct shot *shot)
{
    const struct node *tier = slots->value[SHOT_ROW_TIER];
    const char *own = shot_kind_name(shot->kind);

    caution_unused(r, slots, shot->kind);
    if (tier && strcmp(shot->tier, own)) {
        complain(r, tier, "tier '%s' cannot be had with a %s; leave 'tier' out", shot->tier,
                 shot->kind == SHOT_CARD ? "card" : "source");
        return false;
    }
    shot->tier = own;
    shot->prompt = shot->look = shot->camera = shot->negative = shot->keyframe = "";
    shot->keyframe_written = "";
    return true;
}

/* Without a seed of its own a shot draws one from its id: the first 32 bits of XXH3-128, so that
 * shots differ and the same board gives the same film. */
static uint64_t seed_of(const char *id)
{
    struct hash128 h = hash_bytes(id, strlen(id));
    uint64_t seed = 0;

    for (int i = 0; i < 4; i++)
        seed = seed << 8 | h.bytes[i];
    return seed;
}

/* What only some models have, as far as it comes from `defaults`. */
static void note_inherited(const struct slots *slots, const struct shot_defaults *d,
                           struct shot *shot)
{
    const struct node *const *own = slots->value, *const *given = d->slots.value;

    shot->inherited.guidance_2 = given[SHOT_ROW_GUIDANCE_2] && !own[SHOT_ROW_GUIDANCE_2];
    shot->inherited.step_cache = given[SHOT_ROW_STEP_CACHE] && !own[SHOT_ROW_STEP_CACHE];
    shot->inherited.motion = given[SHOT_ROW_MOTION] && !own[SHOT_ROW_MOTION];
    shot->inherited.noise = given[SHOT_ROW_NOISE] && !own[SHOT_ROW_NOISE];
}

/* The media a shot starts from: a prompt of its own takes it out of the defaults' source or card.
 */
static struct media inherited_media(const struct slots *slots, const struct shot_defaults *d)
{
    struct media m = d->media;

    if (slots->value[SHOT_ROW_PROMPT] || slots->value[SHOT_ROW_SOURCE] ||
        slots->value[SHOT_ROW_CARD]) {
        m.kind = SHOT_GENERATED;
        m.source = (struct source){0};
        m.card = (struct card){0};
        m.card_title = "";
    }
    return m;
}

/* What the shot is, now that everything it says is read. */
static bool settle(struct reader *r, const struct node *n, const struct slots *slots,
                   const struct shot_defaults *d, const struct media *m, struct shot *shot)
{
    const struct node *keyframe = slots->value[SHOT_ROW_KEYFRAME];

    shot->line = n->line;
    shot->kind = m->kind;
    shot->source = m->source;
    shot->card = m->card;
    if (!shot->source.path)
        shot->source.path = shot->source.written = "";
    shot->keyframe_written = keyframe ? arena_strdup(r->arena, keyframe->text) : "";
    if (!shot->keyframe_written) {
        r->no_memory = true;
        return false;
    }
    if (!slots->value[SHOT_ROW_SEED] && !d->slots.value[SHOT_ROW_SEED])
        shot->seed = seed_of(shot->id);
    return shot->kind == SHOT_GENERATED ? settle_generated(r, n, slots, d, shot)
                                        : settle_media(r, slots, shot);
}

static bool settle_overlays(struct reader *r, const struct node *n, struct shot_defaults *d,
                            const struct media *m, struct shot *shot)
{
    d->overlays_made += m->overlay_count;
    if (d->overlays_made > OVERLAYS_LIMIT) {
        complain(r, n, "more than %d overlays in all shots", OVERLAYS_LIMIT);
        return false;
    }
    return media_resolve_overlays(r, m, shot);
}

bool shot_read(struct reader *r, const struct node *n, struct shot_defaults *d, struct shot *shot)
{
    const uint32_t length_rows = 1u << SHOT_ROW_FRAMES | 1u << SHOT_ROW_DURATION;
    struct slots slots;
    struct shot_values values = d->values;
    struct media media;
    bool good, length_known;
    uint32_t bad;

    *shot = (struct shot){.id = ""};
    if (!slots_collect(r, &shot_table, n, false, &slots))
        return false;
    bad = object_read(r, &shot_table, &slots, &values);
    length_known = !(bad & length_rows) && read_length(r, &slots, &values);
    good = !bad && length_known;
    media = inherited_media(&slots, d);
    read_media(r, &slots, &media, &good);
    *shot = values.shot;
    note_inherited(&slots, d, shot);
    good &= check_step_cache(r, &slots, shot);
    if (slots.value[SHOT_ROW_TRANSITION])
        good &= read_transition(r, slots.value[SHOT_ROW_TRANSITION], shot);
    if (slots.value[SHOT_ROW_NARRATION])
        good &= sound_read_narration(r, slots.value[SHOT_ROW_NARRATION], &shot->narration);
    good &= settle(r, n, &slots, d, &media, shot);
    if (length_known)
        good &= settle_overlays(r, n, d, &media, shot) && add_handles(r, n, shot);
    return good;
}
