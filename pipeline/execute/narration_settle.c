#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/execute/narration.h"
#include "stages/generate/tiers.h"

static const double TAIL = 0.25; /* seconds that a shot goes on when all is said */

struct settling {
    struct board *board;
    const char *tier;
    struct board_problems *problems; /* NULL: nobody asks */
    struct film_place *places;
    int64_t *samples; /* of each shot's narration; 0: none, or none that can be had */
    bool command_failed;
};

static int complain_of(struct settling *s, size_t shot, bool warning, struct error *e,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

static int complain_of(struct settling *s, size_t shot, bool warning, struct error *e,
                       const char *format, ...)
{
    const struct narration *n = &s->board->shots[shot].narration;
    char text[900];
    va_list args;

    if (!s->problems)
        return 0;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return board_problems_add(s->problems, n->line, n->column, warning, e,
                              "the narration of shot %s%s", s->board->shots[shot].id, text);
}

/* How long it is. A program that failed once is not asked again: it may take its time to fail. */
static int measure(struct settling *s, size_t shot, struct error *e)
{
    const struct shot *about = &s->board->shots[shot];
    bool command = *s->board->sound.command && !*about->narration.file;
    struct sound sound = {0};
    struct error why = {0};

    if (command && s->command_failed)
        return 0;
    if (narration_load(s->board, about, &sound, &why) == 0) {
        s->samples[shot] = sound.count;
        sound_free(&sound);
        return 0;
    }
    s->command_failed |= command;
    if (why.code == ERROR_MEMORY)
        return error_memory(e);
    return complain_of(s, shot, false, e, ": %s", why.text);
}

/* Frames of its own that a shot needs: what is spoken, a breath, and what the next shot's
 * transition shows of it while that one's narration may begin. */
static int64_t frames_needed(const struct settling *s, size_t shot)
{
    const struct board *b = s->board;
    const struct film_place *p = &s->places[shot];
    int handles = b->deliver.handles, own = b->shots[shot].frames - 2 * handles;
    int64_t begins = seconds_to_frames(b->shots[shot].narration.at, b->fps);
    double spoken = sound_seconds(s->samples[shot]) + TAIL;
    int64_t shared = own - p->frames - (p->in - handles);

    if (shot + 1 < b->shot_count)
        shared += p[1].in - handles;
    return begins + (int64_t)ceil(spoken * b->fps.num / b->fps.den - 1e-9) + shared;
}

static int stretch(struct settling *s, size_t shot, struct error *e)
{
    const struct shot *about = &s->board->shots[shot];
    int64_t frames = frames_needed(s, shot) + 2 * s->board->deliver.handles;
    const struct tier *tier = NULL;

    if (frames <= about->frames)
        return 0;
    if (about->kind == SHOT_GENERATED)
        tier = tier_find(*s->tier ? s->tier : about->tier);
    if ((tier && tier->frames_max && frames > tier->frames_max) || frames > 1000000)
        return complain_of(s, shot, false, e,
                           " lasts %.2f s, and with it the shot %lld frames; tier %s makes at most "
                           "%d: shorten the text, raise its speed, or split the shot",
                           sound_seconds(s->samples[shot]), (long long)frames,
                           tier ? tier->name : about->tier, tier ? tier->frames_max : 1000000);
    board_lengthen(s->board, shot, (int)frames);
    return 0;
}

/* Where it is cut off, speaks over the next one, or over the next shot. */
static int check_end(struct settling *s, size_t shot, int64_t film, struct error *e)
{
    const struct board *b = s->board;
    const struct shot *about = &b->shots[shot];
    static const char *const mend = "give it stretch: yes, shorten the text, or raise its speed";
    int64_t begins = sound_of_frame(narration_begins(b, s->places, shot), b->fps);
    int64_t ends = begins + s->samples[shot], own = about->frames - 2 * b->deliver.handles;
    double lasts = sound_seconds(s->samples[shot]), at = about->narration.at;
    size_t next = shot + 1;

    while (next < b->shot_count && !s->samples[next])
        next++;
    if (seconds_to_frames(at, b->fps) >= own)
        return complain_of(s, shot, false, e, " begins at %g s, but the shot is over at %g s", at,
                           frames_to_seconds(own, b->fps));
    if (next < b->shot_count) {
        int64_t other = sound_of_frame(narration_begins(b, s->places, next), b->fps);

        if (ends > other)
            return complain_of(s, shot, false, e, " runs %.2f s into that of shot %s: %s",
                               sound_seconds(ends - other), b->shots[next].id, mend);
    }
    if (ends > sound_of_frame(film, b->fps))
        return complain_of(s, shot, false, e, " goes on for %.2f s after the film's end: %s",
                           sound_seconds(ends - sound_of_frame(film, b->fps)), mend);
    if (at + lasts > frames_to_seconds(own, b->fps))
        return complain_of(s, shot, true, e, " lasts %.2f s, the shot %.2f s: %s", lasts,
                           frames_to_seconds(own, b->fps) - at, mend);
    return 0;
}

static int check_music(struct settling *s, int64_t film, struct error *e)
{
    const struct board_sound *b = &s->board->sound;
    int64_t samples = sound_of_frame(film, s->board->fps);
    int64_t frame = sound_of_frame(1, s->board->fps);
    struct sound music = {0};
    struct error why = {0};
    int rc = 0;

    if (sound_read_file(b->music, b->music_written, samples, &music, &why) != 0)
        rc = why.code == ERROR_MEMORY
                 ? error_memory(e)
                 : board_problems_add(s->problems, b->music_line, b->music_column, false, e,
                                      "music: %s", why.text);
    else if (music.count + frame < samples)
        rc = board_problems_add(s->problems, b->music_line, b->music_column, false, e,
                                "the music lasts %.2f s, the film %.2f s: give a longer piece, or "
                                "shorten the film",
                                sound_seconds(music.count), sound_seconds(samples));
    sound_free(&music);
    return rc;
}

static int settle(struct settling *s, struct error *e)
{
    const struct board *b = s->board;
    int64_t film = film_lay_out(b, s->places);
    bool known;

    for (size_t i = 0; i < b->shot_count; i++)
        if (b->shots[i].narration.line && (s->problems || b->shots[i].narration.stretch) &&
            measure(s, i, e) != 0)
            return -1;
    for (size_t i = 0; i < b->shot_count; i++)
        if (s->samples[i] && b->shots[i].narration.stretch && stretch(s, i, e) != 0)
            return -1;
    if (!s->problems)
        return 0;
    known = !s->problems->errors; /* what follows from a mistake is not told */
    film = film_lay_out(b, s->places);
    for (size_t i = 0; i < b->shot_count && known; i++)
        if (s->samples[i] && check_end(s, i, film, e) != 0)
            return -1;
    return *b->sound.music ? check_music(s, known ? film : 1, e) : 0;
}

int narration_settle(struct board *b, const char *tier, struct board_problems *problems,
                     struct error *e)
{
    struct settling s = {.board = b, .tier = tier, .problems = problems};
    bool any = *b->sound.music;
    int rc = -1;

    for (size_t i = 0; i < b->shot_count; i++)
        any |= b->shots[i].narration.line != 0;
    if (!any)
        return 0;
    s.places = calloc(b->shot_count, sizeof *s.places);
    s.samples = calloc(b->shot_count, sizeof *s.samples);
    if (s.places && s.samples)
        rc = settle(&s, e);
    else
        error_memory(e);
    free(s.places);
    free(s.samples);
    return rc;
}
