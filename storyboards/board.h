/* A storyboard, read and resolved: every shot carries every value it needs (board-wide values and
 * `defaults` are folded in), every number is in range, every path is relative to the board's own
 * folder made absolute. What a person may write is in storyboards/README.md and schema.json.
 *
 * Everything lives in the board's arena and is read-only after board_read(). Strings are UTF-8,
 * NUL-terminated, never NULL unless said.
 */
#ifndef AUTEUR_STORYBOARDS_BOARD_H
#define AUTEUR_STORYBOARDS_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"

/* Frames per second: 24, 25, 30000/1001 ... Always in lowest terms, 1 <= num/den <= 240. */
struct rational {
    int32_t num, den;
};

enum shot_kind {
    SHOT_GENERATED, /* a model makes the pictures from the prompt */
    SHOT_STILL,     /* `source` is a picture, moved over if asked */
    SHOT_FOOTAGE,   /* `source` is a clip, conformed to the board's size and rate */
    SHOT_CARD       /* a flat or graded background; the overlays are the picture */
};

enum overlay_style {
    OVERLAY_TITLE,
    OVERLAY_LOWER_THIRD,
    OVERLAY_CAPTION,
    OVERLAY_CREDIT,
    OVERLAY_SLATE,
    OVERLAY_TIMECODE, /* running SMPTE timecode burn-in; `text` is unused */
    OVERLAY_STYLES
};

/* Where in the title-safe area; AUTO is the style's own place. */
enum overlay_position {
    POSITION_AUTO,
    POSITION_TOP_LEFT,
    POSITION_TOP,
    POSITION_TOP_RIGHT,
    POSITION_LEFT,
    POSITION_CENTER,
    POSITION_RIGHT,
    POSITION_BOTTOM_LEFT,
    POSITION_BOTTOM,
    POSITION_BOTTOM_RIGHT,
    POSITIONS
};

struct overlay {
    enum overlay_style style;
    enum overlay_position position;
    const char *text;         /* may hold '\n' */
    const char *subtext;      /* second line of a lower third or title; "" for none */
    const char *font;         /* family name; "" for the style's own */
    uint32_t color;           /* 0xRRGGBB of the text */
    bool has_color;           /* false: the style's own */
    double size;              /* text height as a fraction of picture height; 0: the style's own */
    double in, out;           /* seconds from the shot's first frame, in < out <= duration */
    double fade_in, fade_out; /* seconds, >= 0 */
    int line;                 /* where it stands in the board; 0 when made from the prompt */
};

enum still_move {
    MOVE_NONE,
    MOVE_PUSH_IN,
    MOVE_PULL_OUT,
    MOVE_PAN_LEFT,
    MOVE_PAN_RIGHT,
    MOVE_TILT_UP,
    MOVE_TILT_DOWN,
    STILL_MOVES
};
enum source_fit { FIT_COVER, FIT_CONTAIN, SOURCE_FITS }; /* fill and crop, or letterbox */

struct source {
    const char *path;    /* absolute; "" when the shot has none */
    const char *written; /* as the board wrote it, for messages */
    double in;           /* seconds into a clip where the shot begins */
    enum still_move move;
    double amount; /* how far a still moves: fraction of the picture, 0..0.5 */
    enum source_fit fit;
    int line;
};

struct card {
    uint32_t background, background_to; /* 0xRRGGBB, top and bottom of the gradient */
};

/* What becomes of words that the prompt asks to see as lettering. */
enum text_policy {
    TEXT_OVERLAY, /* they leave the prompt and become overlays */
    TEXT_DROP,    /* they leave the prompt */
    TEXT_KEEP,    /* the prompt keeps them */
    TEXT_POLICIES
};

/* Which kinds of words may be added to a prompt that has none of the kind. */
enum additions {
    ADDITIONS_NONE,
    ADDITIONS_CAMERA,
    ADDITIONS_LIGHT,
    ADDITIONS_LOOK,
    ADDITIONS_ALL,
    ADDITIONS
};

/* What becomes of a model's frames where it was trained at another rate than the board's. */
enum shot_rate {
    RATE_BOARD,       /* they are the board's frames: what moves is faster or slower */
    RATE_REPEAT,      /* each is shown as long as it lasts */
    RATE_INTERPOLATE, /* those between are computed by motion */
    SHOT_RATES
};

/* How the shot before becomes a shot. */
enum transition_kind {
    TRANSITION_CUT,
    TRANSITION_DISSOLVE,
    TRANSITION_FADE, /* down to black, and up from it */
    TRANSITION_WIPE, /* an edge moves from left to right */
    TRANSITION_KINDS
};

/* What is spoken over a shot. */
struct narration {
    const char *text;    /* "" for none */
    const char *file;    /* what brings it instead, absolute; "" for none */
    const char *written; /* the file as the board wrote it, for messages */
    const char *voice;   /* an eSpeak NG voice or a language (BCP 47); "" where nobody says one */
    int speed;           /* words a minute */
    double at;           /* seconds from the shot's first frame */
    int stretch;         /* whether the shot lasts at least as long as what is spoken */
    int line, column;    /* 0: the shot has none, and all else here is zero */
};

struct shot {
    const char *id; /* [A-Za-z0-9][A-Za-z0-9._-]{0,63}, unique without regard to case */
    enum shot_kind kind;
    const char *tier;   /* "previs", "flagship", ...; "still", "footage", "title" by kind */
    const char *prompt; /* "" for media shots */
    const char *negative, *look, *camera; /* "" for none */
    enum text_policy text;
    enum additions additions;
    uint64_t seed; /* none written: the first 32 bits of XXH3-128 of the id */
    enum shot_rate rate;
    int frames;                  /* >= 1, exactly what is delivered, handles included */
    int steps;                   /* 0: the tier's default */
    double guidance;             /* < 0: the tier's default */
    double guidance_2;           /* Wan's second expert, SVD's first frame; < 0: see guidance */
    const char *sampler;         /* "euler_karras" ...; "" for the checkpoint's own */
    double shift;                /* of the sampler's flow; 0: the checkpoint's own */
    const char *step_cache;      /* "off", "first-block", "timestep"; "" for not said */
    double step_cache_threshold; /* 0: what suits it */
    int motion;                  /* motion bucket of SVD, 1..255; 0: the tier's default */
    double noise; /* strength of the noise on the picture of SVD, 0..1; < 0: the default */
    /* Said by `defaults` and not by the shot: left out where the tier has no use for it. */
    struct {
        bool guidance_2, step_cache, motion, noise;
    } inherited;
    const char *keyframe;         /* the picture that is set in motion, absolute; "" for none */
    const char *keyframe_written; /* as the board wrote it, for messages; "" for none */
    const struct overlay *overlays;
    size_t overlay_count;
    struct source source;
    struct card card;
    struct {
        enum transition_kind kind;
        int frames; /* 0 for a cut */
        int line;   /* 0: by `defaults` */
    } transition;   /* into it; see film.h */
    struct narration narration;
    int line;
};

/* The forms that films and picture sequences are delivered in. */
enum deliver_codec {
    DELIVER_H264,
    DELIVER_H265,
    DELIVER_PRORES,      /* 422 HQ */
    DELIVER_PRORES_4444, /* 444 */
    DELIVER_DNXHR,       /* HQX */
    DELIVER_PNG,         /* from here on: a picture file a frame */
    DELIVER_TIFF,
    DELIVER_EXR,
    DELIVER_CODECS
};
/* What lies beside a burned-in film of a shot with text: its textless film and its titles. */
enum deliver_layers { LAYERS_TITLES, LAYERS_NONE, DELIVER_LAYERS };
/* A small film for looking at, with the shot's id, tier, seed and timecode in the picture; the
 * slate is a picture of these in front of it. */
enum deliver_proxy { PROXY_NONE, PROXY_BURN_IN, PROXY_SLATE, DELIVER_PROXIES };
/* Whether a run ends with the rough cut of the whole board. */
enum deliver_film { FILM_ROUGH_CUT, FILM_NONE, DELIVER_FILMS };
enum { CHOICES_MOST = 8 };
/* Several of a field's choices, each once, in the order in which they are written. */
struct choices {
    int count, items[CHOICES_MOST];
};
/* How a model's pictures that are smaller than the board are enlarged: by the upscaler that lies
 * with the model, where there is one, else by the filter. */
enum deliver_upscale { UPSCALE_LEARNED, UPSCALE_LANCZOS, DELIVER_UPSCALES };
/* For which editing program timelines are written; ALL: every format, for every one. */
enum deliver_timeline {
    TIMELINE_ALL,
    TIMELINE_RESOLVE,
    TIMELINE_PREMIERE,
    TIMELINE_AVID,
    TIMELINE_FINAL_CUT,
    TIMELINE_NONE,
    DELIVER_TIMELINES
};
struct deliver {
    struct choices codecs; /* of enum deliver_codec, one at least; the first film is the main one */
    int quality; /* 1 (small) .. 100 (visually lossless); 80 by default: CRF 14 for H.264 */
    enum deliver_layers layers;
    enum deliver_proxy proxy;
    enum deliver_film film;
    enum deliver_upscale upscale;
    enum deliver_timeline timeline;
    int handles;   /* frames in front of each shot and behind it, beyond its length */
    int64_t start; /* timecode of the film's first frame, and of each shot's behind its handle */
    bool drop;     /* timecode is counted drop-frame */
};

/* How the film sounds. Loudness after EBU R 128. */
struct board_sound {
    const char *voice;         /* of narrations that name none; "" for none */
    const char *command;       /* the program that speaks instead of the built-in voice; "" */
    int speed, stretch;        /* of narrations that do not say */
    const char *music;         /* a sound file under the whole film, absolute; "" for none */
    const char *music_written; /* as the board wrote it, for messages */
    double music_volume;       /* LU above the narration's loudness, where nobody speaks */
    double duck;               /* dB by which narration lowers it */
    double fade_in, fade_out;  /* of the music, in seconds; at most half the film each */
    double loudness, peak;     /* of the film: LUFS, dBTP */
    int music_line, music_column;
};

struct model_path {
    const char *tier, *path; /* path absolute */
    int line;
};

struct board {
    struct arena arena;
    const char *path, *dir; /* absolute */
    const char *name;       /* as an id */
    struct rational fps;
    int width, height; /* even, 16..8192 */
    struct deliver deliver;
    struct board_sound sound;
    const struct model_path *models;
    size_t model_count;
    const struct shot *shots;
    size_t shot_count;
};

/* One complaint about a storyboard. */
struct board_problem {
    int line, column;    /* from 1 */
    const char *message; /* printable UTF-8, one line */
    bool warning;
};
struct board_problems {
    struct arena arena;
    struct board_problem *items; /* in the order of the file */
    size_t count, errors;        /* count includes warnings; errors those not kept */
    size_t room, dropped;        /* dropped: found after the first thousand */
};

/* Reads `path` whole. 0: *board is filled (warnings may stand in *problems). -1: either *e says
 * why the file could not be read at all, or problems->errors > 0 and *e sums them up; *board is
 * empty then. `problems` must be freed in both cases; so may `board`. */
int board_read(const char *path, struct board *board, struct board_problems *problems,
               struct error *e);
/* The same of a board that is already in memory; `path` names it in messages, its folder is what
 * relative paths start from. */
int board_read_bytes(const char *bytes, size_t size, const char *path, struct board *board,
                     struct board_problems *problems, struct error *e);
void board_free(struct board *board);
/* Makes a shot longer; what lay over it to its end still does. */
void board_lengthen(struct board *board, size_t shot, int frames);

/* "file:line:column: message" a line, warnings as "...: warning: message"; `path` as the user
 * typed it. */
void board_problems_print(const struct board_problems *problems, const char *path, FILE *out);
/* One more, of what only other rooms can find out; the order of the file is kept. */
int board_problems_add(struct board_problems *problems, int line, int column, bool warning,
                       struct error *e, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void board_problems_free(struct board_problems *problems);

/* The format, told from the table that the reader itself works by (storyboards/fields.c). Each
 * gives a string that the caller frees, NULL when out of memory. */
char *board_help(void);     /* plain text for `help storyboard` */
char *board_markdown(void); /* the tables of storyboards/README.md */
char *board_schema(void);   /* storyboards/schema.json, JSON Schema draft-07 */

/* Names as they are written in YAML ("lower-third"), and back: -1 when there is none such. */
const char *overlay_style_name(enum overlay_style style);
const char *overlay_position_name(enum overlay_position position);
const char *still_move_name(enum still_move move);
const char *transition_kind_name(enum transition_kind kind);
const char *shot_kind_name(enum shot_kind kind);
const char *deliver_codec_name(enum deliver_codec codec);
/* The main film: timelines refer to it. -1 when only pictures are delivered. */
int deliver_main(const struct deliver *d);

enum { TIMECODE_SIZE = 16 };
/* Reads "24", "23.976", "24000/1001" into lowest terms; the NTSC decimals (23.976, 29.97, 59.94
 * ...) become the n*1000/1001 they mean. False: not a rate from 1 to 240. */
bool rational_parse(const char *s, struct rational *out);
/* "2.5", "2.5s", "250ms", "01:00:02:12" (hh:mm:ss:ff; ';' before the frames counts drop-frame) in
 * seconds. False: none of these. */
bool time_parse(const char *s, struct rational fps, double *seconds);
/* Seconds a frame count lasts. */
double frames_to_seconds(int64_t frames, struct rational fps);
int64_t seconds_to_frames(double seconds, struct rational fps); /* to the nearest; half goes up */
/* Whether timecode at this rate can be counted drop-frame: 30000/1001 and 60000/1001. */
bool timecode_can_drop(struct rational fps);
/* Whether the rate is one of SMPTE ST 12's, which EDLs and Final Cut Pro 7 XML can say. */
bool timecode_has_rate(struct rational fps);
/* The frames between two midnights, as timecode counts them. */
int64_t timecode_day(struct rational fps, bool drop);
/* SMPTE timecode of a frame: "01:00:00:00", or "01:00:00;00" when counted drop-frame, which other
 * rates than those are not, whatever `drop` says. */
void timecode_format(int64_t frame, struct rational fps, bool drop, char out[TIMECODE_SIZE]);
/* Reads one; a ';' before the frames is drop-frame. False: no timecode at this rate. */
bool timecode_parse(const char *s, struct rational fps, int64_t *frame);

#endif
