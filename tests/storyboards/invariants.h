/* What board.h promises of every board that is accepted. Shared by the unit tests and the fuzz
 * target, so it aborts rather than asserting with cmocka. */
#ifndef AUTEUR_TESTS_INVARIANTS_H
#define AUTEUR_TESTS_INVARIANTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storyboards/board.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline void overlay_holds(const struct overlay *o, double duration)
{
    HOLDS((unsigned)o->style < OVERLAY_STYLES && (unsigned)o->position < POSITIONS);
    HOLDS(o->text && o->subtext && o->font);
    HOLDS(o->style == OVERLAY_TIMECODE || *o->text);
    HOLDS(o->color <= 0xFFFFFF && o->size >= 0 && o->size <= 0.5);
    HOLDS(o->in >= 0 && o->in < o->out && o->out <= duration);
    HOLDS(o->fade_in >= 0 && o->fade_out >= 0);
    HOLDS(o->line >= 1);
}

static inline void narration_holds(const struct narration *n)
{
    if (!n->line) {
        HOLDS(!n->text && !n->file && !n->column);
        return;
    }
    HOLDS((*n->text != '\0') != (*n->file == '/'));
    HOLDS(n->voice && n->written && n->column >= 1);
    HOLDS(n->speed >= 80 && n->speed <= 450 && n->at >= 0 && n->at <= 86400);
    HOLDS(n->stretch == 0 || n->stretch == 1);
}

static inline void sound_holds(const struct board_sound *s)
{
    HOLDS(s->voice && s->command && s->music && s->music_written);
    HOLDS((*s->music == '/') == (s->music_line >= 1));
    HOLDS(s->speed >= 80 && s->speed <= 450 && (s->stretch == 0 || s->stretch == 1));
    HOLDS(s->music_volume >= -60 && s->music_volume <= 20 && s->duck >= 0 && s->duck <= 60);
    HOLDS(s->fade_in >= 0 && s->fade_in <= 60 && s->fade_out >= 0 && s->fade_out <= 60);
    HOLDS(s->loudness >= -40 && s->loudness <= -8 && s->peak >= -20 && s->peak <= 0);
}

static inline void shot_holds(const struct shot *s, struct rational fps)
{
    HOLDS(s->id && *s->id && strlen(s->id) <= 64);
    HOLDS(!strchr(s->id, '/') && !strstr(s->id, "..") && s->id[0] != '.');
    HOLDS(s->tier && *s->tier && s->prompt && s->negative && s->look && s->camera);
    HOLDS((s->kind == SHOT_GENERATED) == (*s->prompt != '\0'));
    HOLDS((unsigned)s->text < TEXT_POLICIES);
    HOLDS(s->frames >= 1 && s->frames <= 1000480 && s->steps >= 0 && s->steps <= 1000);
    HOLDS(s->guidance <= 50 && (s->guidance >= 0 || s->guidance == -1));
    HOLDS(s->guidance_2 <= 50 && (s->guidance_2 >= 0 || s->guidance_2 == -1));
    HOLDS(s->sampler && s->shift >= 0 && s->shift <= 100);
    HOLDS(s->step_cache && s->step_cache_threshold >= 0 && s->step_cache_threshold <= 10);
    HOLDS(s->motion >= 0 && s->motion <= 255);
    HOLDS(s->noise <= 1 && (s->noise >= 0 || s->noise == -1));
    HOLDS(s->keyframe && (!*s->keyframe || *s->keyframe == '/'));
    HOLDS(!*s->keyframe || s->kind == SHOT_GENERATED);
    HOLDS(s->source.path && s->source.written);
    HOLDS((s->kind == SHOT_STILL || s->kind == SHOT_FOOTAGE) == (*s->source.path == '/'));
    HOLDS((unsigned)s->source.move < STILL_MOVES && (unsigned)s->source.fit < SOURCE_FITS);
    HOLDS(s->source.amount >= 0 && s->source.amount <= 0.5 && s->source.in >= 0);
    HOLDS(s->card.background <= 0xFFFFFF && s->card.background_to <= 0xFFFFFF);
    HOLDS(s->line >= 1);
    HOLDS((unsigned)s->transition.kind < TRANSITION_KINDS && s->transition.frames >= 0);
    HOLDS((s->transition.kind == TRANSITION_CUT) == (s->transition.frames == 0));
    narration_holds(&s->narration);
    for (size_t i = 0; i < s->overlay_count; i++)
        overlay_holds(&s->overlays[i], frames_to_seconds(s->frames, fps));
}

static inline void board_holds(const struct board *b)
{
    HOLDS(b->path && b->path[0] == '/' && b->dir && b->dir[0] == '/' && b->name && *b->name);
    HOLDS(b->fps.den >= 1 && b->fps.num >= b->fps.den && b->fps.num / b->fps.den <= 240);
    HOLDS(b->width % 2 == 0 && b->width >= 16 && b->width <= 8192);
    HOLDS(b->height % 2 == 0 && b->height >= 16 && b->height <= 8192);
    HOLDS(b->deliver.codecs.count >= 1 && b->deliver.codecs.count <= DELIVER_CODECS);
    for (int i = 0; i < b->deliver.codecs.count; i++)
        HOLDS((unsigned)b->deliver.codecs.items[i] < DELIVER_CODECS);
    HOLDS((unsigned)b->deliver.timeline < DELIVER_TIMELINES);
    HOLDS(b->deliver.handles >= 0 && b->deliver.handles <= 240);
    HOLDS(b->deliver.start >= b->deliver.handles);
    HOLDS(b->deliver.quality >= 1 && b->deliver.quality <= 100);
    sound_holds(&b->sound);
    HOLDS(b->shot_count >= 1);
    for (size_t i = 0; i < b->model_count; i++)
        HOLDS(b->models[i].path[0] == '/' && b->models[i].tier);
    for (size_t i = 0; i < b->shot_count; i++)
        shot_holds(&b->shots[i], b->fps);
}

/* Reads the bytes as a board and checks every promise of success and of failure. */
static inline void read_holds(const char *bytes, size_t size)
{
    struct board board;
    struct board_problems problems;
    struct error e = {0};
    int rc = board_read_bytes(bytes, size, "/boards/fuzz.yaml", &board, &problems, &e);

    HOLDS(rc == 0 || rc == -1);
    HOLDS((rc == 0) == (problems.errors == 0 && e.code == ERROR_NONE));
    if (rc == 0)
        board_holds(&board);
    else
        HOLDS(!board.shots && !board.shot_count && e.text[0]);
    for (size_t i = 0; i < problems.count; i++) {
        HOLDS(problems.items[i].line >= 1 && problems.items[i].column >= 1);
        HOLDS(*problems.items[i].message && !strchr(problems.items[i].message, '\n'));
        HOLDS(!i || problems.items[i - 1].line <= problems.items[i].line);
    }
    board_free(&board);
    board_problems_free(&problems);
}

#endif
