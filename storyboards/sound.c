#include "storyboards/sound.h"

static const char *as_written(struct reader *r, const struct node *n)
{
    const char *text = arena_strdup(r->arena, n ? n->text : "");

    r->no_memory |= !text;
    return text ? text : "";
}

void sound_read(struct reader *r, const struct node *n, struct board_sound *out)
{
    struct slots slots = {0};
    struct sound_values values;
    const struct node *music;

    object_defaults(r, &sound_table, &values);
    if (n && slots_collect(r, &sound_table, n, false, &slots))
        object_read(r, &sound_table, &slots, &values);
    *out = values.sound;
    music = slots.value[SOUND_ROW_MUSIC];
    out->music_written = as_written(r, music);
    if (music) {
        out->music_line = music->line;
        out->music_column = music->column;
    }
    r->sound = out;
}

static bool check_narration(struct reader *r, const struct node *n, const struct slots *slots)
{
    static const enum narration_row of_text[] = {NARRATION_ROW_VOICE, NARRATION_ROW_SPEED};
    const struct node *text = slots->value[NARRATION_ROW_TEXT];
    const struct node *file = slots->value[NARRATION_ROW_FILE];

    for (size_t i = 0; file && i < sizeof of_text / sizeof of_text[0]; i++)
        if (slots->value[of_text[i]])
            caution(r, slots->value[of_text[i]], "'%s' has no effect on a file",
                    narration_table.fields[of_text[i]].name);
    if (!text == !file)
        complain(r, n,
                 text ? "a narration has a text or a file, not both"
                      : "a narration needs 'text' or 'file'");
    return !text != !file;
}

bool sound_read_narration(struct reader *r, const struct node *n, struct narration *out)
{
    struct slots slots = {0};

    object_defaults(r, &narration_table, out);
    if (n->kind == NODE_SCALAR && !node_is_null(n)) {
        if (!value_read(r, &narration_table.fields[NARRATION_ROW_TEXT], n, out))
            return false;
    } else if (!slots_collect(r, &narration_table, n, false, &slots) ||
               object_read(r, &narration_table, &slots, out) || !check_narration(r, n, &slots)) {
        return false;
    }
    if (!slots.value[NARRATION_ROW_VOICE])
        out->voice = r->sound->voice;
    if (!slots.value[NARRATION_ROW_SPEED])
        out->speed = r->sound->speed;
    if (!slots.value[NARRATION_ROW_STRETCH])
        out->stretch = r->sound->stretch;
    out->written = as_written(r, slots.value[NARRATION_ROW_FILE]);
    out->line = n->line;
    out->column = n->column;
    return true;
}
