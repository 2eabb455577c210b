/* The format of a storyboard as one table. A field is one row: its name, type, range, default and
 * what it is for. The rows drive reading, defaults, ranges, messages, `help storyboard`, the
 * README's tables and the JSON Schema; nothing of them is written twice.
 */
#ifndef AUTEUR_STORYBOARDS_FIELDS_H
#define AUTEUR_STORYBOARDS_FIELDS_H

#include "storyboards/board.h"

enum field_type {
    FIELD_ID,      /* const char *: a name for files; min..max characters */
    FIELD_TEXT,    /* const char *: lines are kept, ends trimmed; min..max bytes */
    FIELD_PROSE,   /* const char *: runs of white space become one space; min..max bytes */
    FIELD_PATH,    /* const char *: absolute, from the board's folder */
    FIELD_WORD,    /* const char *: one of choices, "" when not given */
    FIELD_CHOICE,  /* int: the index in choices */
    FIELD_CHOICES, /* struct choices: one of them, or a list */
    FIELD_WHOLE,   /* int */
    FIELD_SEED,    /* uint64_t */
    FIELD_NUMBER,  /* double */
    FIELD_TIME,    /* double, seconds */
    FIELD_RATE,    /* struct rational */
    FIELD_SIZE,    /* int[2], both even */
    FIELD_COLOR,   /* uint32_t 0xRRGGBB */
    FIELD_OBJECT,  /* read by board.c: a mapping by `table` */
    FIELD_LIST     /* read by board.c: a list of such mappings */
};

enum field_flags {
    FIELD_REQUIRED = 1,
    FIELD_NOT_DEFAULT = 2, /* makes no sense under `defaults` */
    FIELD_MODEL_ONLY = 4,  /* shots that bring their own pictures have no use for it */
    FIELD_SCALAR_TOO = 8   /* FIELD_OBJECT: a text will do, the first row says what it is */
};

struct table;
struct field {
    const char *name;
    enum field_type type;
    size_t offset;              /* in the table's struct */
    double min, max;            /* in the type's own measure */
    const char *const *choices; /* NULL-terminated */
    const struct table *table;
    const char *fallback; /* the default as a person would write it */
    double unset;         /* what a number or time without fallback holds when it is not given */
    const char *without;  /* no fallback: what happens then, in words */
    const char *help;
    unsigned flags;
};

enum { FIELDS_LIMIT = 32 };
struct table {
    const char *name; /* "a shot" */
    const struct field *fields;
    size_t count; /* <= FIELDS_LIMIT, and 32: object_read() tells rows as bits */
    size_t size;  /* of the struct */
};

/* What the rows fill. */
struct board_values {
    const char *name, *look, *camera, *negative;
    struct rational fps;
    int size[2];
};
struct source_values {
    const char *still, *footage;
    struct source source;
};
struct overlay_values {
    struct overlay overlay; /* out, fade_in, fade_out: -1 when not given */
    double fade;            /* -1 when not given */
};
struct shot_values {
    struct shot shot;
    double duration; /* -1 when not given */
};
struct transition_values {
    int kind;
    double duration;
};
struct deliver_values {
    struct deliver deliver;
    const char *start;
};
struct sound_values {
    struct board_sound sound;
};
enum { GENERATED_TIERS = 6 };
struct models_values {
    const char *path[GENERATED_TIERS]; /* "" when not given */
};

/* Rows that board.c asks for by name, in the order of the tables. */
enum board_row {
    BOARD_ROW_NAME,
    BOARD_ROW_FPS,
    BOARD_ROW_SIZE,
    BOARD_ROW_LOOK,
    BOARD_ROW_CAMERA,
    BOARD_ROW_NEGATIVE,
    BOARD_ROW_MODELS,
    BOARD_ROW_DELIVER,
    BOARD_ROW_SOUND,
    BOARD_ROW_DEFAULTS,
    BOARD_ROW_SHOTS
};
enum shot_row {
    SHOT_ROW_ID,
    SHOT_ROW_PROMPT,
    SHOT_ROW_TIER,
    SHOT_ROW_SEED,
    SHOT_ROW_FRAMES,
    SHOT_ROW_DURATION,
    SHOT_ROW_STEPS,
    SHOT_ROW_GUIDANCE,
    SHOT_ROW_GUIDANCE_2,
    SHOT_ROW_SAMPLER,
    SHOT_ROW_SHIFT,
    SHOT_ROW_STEP_CACHE,
    SHOT_ROW_STEP_CACHE_THRESHOLD,
    SHOT_ROW_MOTION,
    SHOT_ROW_NOISE,
    SHOT_ROW_RATE,
    SHOT_ROW_KEYFRAME,
    SHOT_ROW_LOOK,
    SHOT_ROW_CAMERA,
    SHOT_ROW_NEGATIVE,
    SHOT_ROW_TEXT,
    SHOT_ROW_ADDITIONS,
    SHOT_ROW_OVERLAYS,
    SHOT_ROW_SOURCE,
    SHOT_ROW_CARD,
    SHOT_ROW_TRANSITION,
    SHOT_ROW_NARRATION
};
enum overlay_row {
    OVERLAY_ROW_STYLE,
    OVERLAY_ROW_TEXT,
    OVERLAY_ROW_SUBTEXT,
    OVERLAY_ROW_POSITION,
    OVERLAY_ROW_FONT,
    OVERLAY_ROW_COLOR,
    OVERLAY_ROW_SIZE,
    OVERLAY_ROW_IN,
    OVERLAY_ROW_OUT,
    OVERLAY_ROW_FADE,
    OVERLAY_ROW_FADE_IN,
    OVERLAY_ROW_FADE_OUT
};
enum source_row {
    SOURCE_ROW_STILL,
    SOURCE_ROW_FOOTAGE,
    SOURCE_ROW_FIT,
    SOURCE_ROW_MOVE,
    SOURCE_ROW_AMOUNT,
    SOURCE_ROW_IN
};
enum card_row { CARD_ROW_BACKGROUND, CARD_ROW_TO };
enum transition_row { TRANSITION_ROW_KIND, TRANSITION_ROW_DURATION };
enum deliver_row {
    DELIVER_ROW_CODEC,
    DELIVER_ROW_QUALITY,
    DELIVER_ROW_LAYERS,
    DELIVER_ROW_PROXY,
    DELIVER_ROW_FILM,
    DELIVER_ROW_UPSCALE,
    DELIVER_ROW_TIMELINE,
    DELIVER_ROW_START,
    DELIVER_ROW_HANDLES
};

enum narration_row {
    NARRATION_ROW_TEXT,
    NARRATION_ROW_FILE,
    NARRATION_ROW_VOICE,
    NARRATION_ROW_SPEED,
    NARRATION_ROW_AT,
    NARRATION_ROW_STRETCH
};
enum sound_row {
    SOUND_ROW_VOICE,
    SOUND_ROW_COMMAND,
    SOUND_ROW_SPEED,
    SOUND_ROW_STRETCH,
    SOUND_ROW_MUSIC,
    SOUND_ROW_MUSIC_VOLUME,
    SOUND_ROW_DUCK,
    SOUND_ROW_FADE_IN,
    SOUND_ROW_FADE_OUT,
    SOUND_ROW_LOUDNESS,
    SOUND_ROW_PEAK
};

extern const struct table board_table, shot_table, overlay_table, source_table, card_table,
    transition_table, narration_table, deliver_table, sound_table, models_table;
extern const struct table *const all_tables[]; /* NULL-terminated, for the documentation */

/* The first GENERATED_TIERS are made by models, in the order of models_table. */
extern const char *const tier_names[];

/* "a whole number from 1 to 1000", "one of title, caption": for messages and documentation. */
void field_expects(const struct field *field, char *out, size_t room);
/* The row's index, or -1. */
int table_find(const struct table *table, const char *name, size_t length);

#endif
