/* Timelines: what does not fit is refused by name; the formats say what the timeline has. Random
 * ones are read back by OpenTimelineIO and its adapters, where they are installed, by
 * tests/pipeline/timelines.py, which compares clip by clip and frame by frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/base/arena.h"
#include "kernels/base/file.h"
#include "pipeline/handoff/timeline.h"

static const struct medium media[] = {
    {"shots/010/010_v001.mov", "S010", 86400, 120, true, false, false},
    {"shots/020 b/020 b_v002.mov", "S020_B", 86400, 90, true, false, false},
    {"/elsewhere/musik \xc3\xa4.wav", "MUSIC", 0, 5000, false, true, false},
};
static const struct marker markers[] = {{0, "010", "a ship & a \"sea\"\nat <dawn>"}};
static const struct clip pictures[] = {
    {"010", &media[0], 10, 100, {TRANSITION_CUT, 0, 0}, markers, 1},
    {"020 b", &media[1], 12, 60, {TRANSITION_DISSOLVE, 6, 6}, NULL, 0},
    {"030", NULL, 0, 24, {TRANSITION_CUT, 0, 0}, NULL, 0},
};
static const struct clip music[] = {{"music", &media[2], 0, 184, {TRANSITION_CUT, 0, 0}, NULL, 0}};
static const struct track tracks[] = {{"V1", false, pictures, 3}, {"Music", true, music, 1}};
static const struct timeline film = {.name = "film",
                                     .fps = {24, 1},
                                     .width = 1280,
                                     .height = 720,
                                     .start = 86400,
                                     .root = "/out/film",
                                     .tracks = tracks,
                                     .count = 2};

static void an_edl_as_it_is_written(void **state)
{
    static const char want[] =
        "TITLE: film\n"
        "FCM: NON-DROP FRAME\n"
        "\n"
        "001  S010     V     C        01:00:00:10 01:00:04:08 01:00:00:00 01:00:03:22\n"
        "* FROM CLIP NAME: 010\n"
        "* SOURCE FILE: shots/010/010_v001.mov\n"
        "* LOC: 01:00:00:00 GREEN   a ship & a \"sea\" at <dawn>\n"
        "002  S010     V     C        01:00:04:08 01:00:04:08 01:00:03:22 01:00:03:22\n"
        "002  S020_B   V     D    012 01:00:00:06 01:00:03:00 01:00:03:22 01:00:06:16\n"
        "* FROM CLIP NAME: 010\n"
        "* TO CLIP NAME: 020 b\n"
        "* SOURCE FILE: shots/020 b/020 b_v002.mov\n"
        "003  MUSIC    A     C        00:00:00:00 00:00:07:16 01:00:00:00 01:00:07:16\n"
        "* FROM CLIP NAME: music\n"
        "* SOURCE FILE: /elsewhere/musik \xc3\xa4.wav\n";
    struct error e = {0};
    char *text = timeline_edl(&film, &e);

    (void)state;
    assert_non_null(text);
    assert_string_equal(text, want);
    free(text);
}

static void what_does_not_fit_is_named(void **state)
{
    struct clip clips[2] = {pictures[0], pictures[1]};
    struct track track = {"V1", false, clips, 2};
    struct timeline t = film;
    struct error e = {0};

    (void)state;
    t.tracks = &track;
    t.count = 1;
    assert_int_equal(timeline_fits(&film, &e), 0);
    clips[1].from.after = 11; /* the first one's file has ten frames behind its clip */
    assert_int_equal(timeline_fits(&t, &e), -1);
    assert_non_null(strstr(e.text, "shot 010"));
    clips[1].from.after = 10;
    clips[1].from.before = 13; /* and the second one's twelve before it */
    assert_int_equal(timeline_fits(&t, &e), -1);
    assert_non_null(strstr(e.text, "shot 020 b"));
    clips[1].from.before = 12;
    assert_int_equal(timeline_fits(&t, &e), 0);
    clips[1].frames = 9; /* shorter than the transition into it */
    assert_int_equal(timeline_fits(&t, &e), -1);
    assert_non_null(strstr(e.text, "shorten"));
}

/* ---- random ones, for the readers */

static uint64_t random_state;

static int64_t below(int64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((random_state >> 33) % (uint64_t)n);
}

enum { CLIPS = 12, SOUNDS = 5 };
struct random_film {
    struct medium sound_media[SOUNDS + 1];
    struct clip narrations[2 * SOUNDS], music; /* each narration behind a gap */
    char sound_names[SOUNDS][16], sound_paths[SOUNDS][48], sound_reels[SOUNDS][9];
    struct medium media[CLIPS];
    struct clip clips[CLIPS];
    char names[CLIPS][16], paths[CLIPS][48], reels[CLIPS][9];
    struct marker markers[CLIPS];
    struct medium title_media[CLIPS];
    struct clip titles[CLIPS]; /* over the clips, of some */
    char title_paths[CLIPS][56];
    struct track tracks[4];
    struct timeline t;
};

/* Narrations here and there, and music under all of it. */
static void add_sound(struct random_film *f, int64_t start)
{
    int64_t whole = track_frames(&f->tracks[0]), at = 0;

    for (int i = 0; i < SOUNDS; i++) {
        int64_t gap = 1 + below(whole / SOUNDS / 2), length = 1 + below(whole / SOUNDS / 2);

        snprintf(f->sound_names[i], sizeof f->sound_names[i], "%03d-shot", 20 * i);
        snprintf(f->sound_paths[i], sizeof f->sound_paths[i], "sound/%03d-shot.narration_v%03d.wav",
                 20 * i, 1 + (int)below(3));
        snprintf(f->sound_reels[i], sizeof f->sound_reels[i], "SND%05d", i + 1);
        f->sound_media[i] = (struct medium){.path = f->sound_paths[i],
                                            .reel = f->sound_reels[i],
                                            .timecode = start + at + gap,
                                            .frames = length,
                                            .sound = true};
        f->narrations[2 * i] = (struct clip){.name = "", .frames = gap};
        f->narrations[2 * i + 1] = (struct clip){
            .name = f->sound_names[i], .medium = &f->sound_media[i], .frames = length};
        at += gap + length;
    }
    f->sound_media[SOUNDS] = (struct medium){.path = "sound/random.music_v001.wav",
                                             .reel = "MUSIC",
                                             .timecode = start,
                                             .frames = whole,
                                             .sound = true};
    f->music = (struct clip){.name = "random", .medium = &f->sound_media[SOUNDS], .frames = whole};
    f->tracks[2] = (struct track){"Narration", true, f->narrations, 2 * SOUNDS};
    f->tracks[3] = (struct track){"Music", true, &f->music, 1};
}

/* A transition between two titles, or between one and nothing. */
static void join_titles(struct random_film *f, int i)
{
    struct clip *c = &f->titles[i], *before = i ? c - 1 : NULL;
    int64_t length;

    if (c->medium && before && before->medium)
        c->from = f->clips[i].from;
    else if (c->medium && below(2)) {
        length = 1 + below(5);
        c->from = (struct transition){TRANSITION_DISSOLVE, 0, length};
    } else if (before && before->medium && below(2)) {
        length = 1 + below(5);
        c->from = (struct transition){TRANSITION_DISSOLVE, length, 0};
    }
}

/* Layers with alpha as long as their shots' media, joined as those are, or with nothing. */
static void add_titles(struct random_film *f)
{
    for (int i = 0; i < CLIPS; i++) {
        const struct clip *c = &f->clips[i];

        snprintf(f->title_paths[i], sizeof f->title_paths[i], "%.*s.titles.mov",
                 (int)strlen(f->paths[i]) - 4, f->paths[i]);
        f->title_media[i] = f->media[i];
        f->title_media[i].path = f->title_paths[i];
        f->title_media[i].alpha = true;
        f->titles[i] = (struct clip){.name = c->name, .in = c->in, .frames = c->frames};
        if (c->medium && below(2))
            f->titles[i].medium = &f->title_media[i];
        join_titles(f, i);
    }
    f->tracks[1] = (struct track){"Titles", false, f->titles, CLIPS};
}

static void make_random(struct random_film *f, struct rational fps, bool drop)
{
    int64_t hour = (int64_t)3600 * ((fps.num + fps.den - 1) / fps.den);

    for (int i = 0; i < CLIPS; i++) {
        struct clip *c = &f->clips[i];
        int64_t length = 20 + below(200), handles = below(30);

        snprintf(f->names[i], sizeof f->names[i], "%03d-shot", 10 * i);
        snprintf(f->paths[i], sizeof f->paths[i], "shots/%03d-shot/%03d-shot_v%03d.mov", 10 * i,
                 10 * i, 1 + (int)below(12));
        snprintf(f->reels[i], sizeof f->reels[i], "R%03d", 10 * i);
        f->media[i] = (struct medium){
            f->paths[i], f->reels[i], hour - handles, length + 2 * handles, true, false, false};
        f->markers[i] = (struct marker){below(length), f->names[i], "what was\nasked"};
        *c = (struct clip){.name = f->names[i],
                           .medium = i == 5 ? NULL : &f->media[i],
                           .in = i == 5 ? 0 : handles,
                           .frames = length,
                           .markers = &f->markers[i],
                           .marker_count = i != 5};
        if (i > 0 && i != 5 && i != 6 && below(2)) {
            int64_t before = c->in < 10 ? c->in : 10;
            int64_t after = c[-1].medium->frames - c[-1].in - c[-1].frames;

            after = after < 10 ? after : 10;
            before = before < after ? before : after;
            if (before > 0)
                c->from = (struct transition){TRANSITION_DISSOLVE, before, before};
        }
    }
    add_titles(f);
    f->tracks[0] = (struct track){"V1", false, f->clips, CLIPS};
    f->t = (struct timeline){.name = "random",
                             .fps = fps,
                             .drop = drop,
                             .width = 1280,
                             .height = 720,
                             .start = drop ? hour * 999 / 1000 : hour,
                             .root = "/out/random",
                             .tracks = f->tracks,
                             .count = 4};
    add_sound(f, f->t.start);
}

static json_t *expected_clips(const struct track *track)
{
    json_t *clips = json_array();
    int64_t at = 0;

    for (size_t i = 0; i < track->count; i++) {
        const struct clip *c = &track->clips[i];
        int64_t source = c->medium ? c->medium->timecode + c->in : 0;

        json_array_append_new(
            clips, json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:s?,s:I,s:I,s:I,s:s,s:s?}", "name", c->name,
                             "at", (json_int_t)at, "source", (json_int_t)source, "frames",
                             (json_int_t)c->frames, "before", (json_int_t)c->from.before, "after",
                             (json_int_t)c->from.after, "path", c->medium ? c->medium->path : NULL,
                             "timecode", (json_int_t)(c->medium ? c->medium->timecode : 0), "held",
                             (json_int_t)(c->medium ? c->medium->frames : 0), "marker",
                             (json_int_t)(c->marker_count ? c->markers[0].at : -1), "asked",
                             c->marker_count ? c->markers[0].text : "", "reel",
                             c->medium ? c->medium->reel : NULL));
        at += c->frames;
    }
    return clips;
}

static json_t *expected(const struct timeline *t)
{
    json_t *sounds = json_array();

    for (size_t i = 2; i < t->count; i++)
        json_array_append_new(sounds, expected_clips(&t->tracks[i]));
    return json_pack("{s:i,s:i,s:b,s:I,s:s,s:o,s:o,s:o}", "num", t->fps.num, "den", t->fps.den,
                     "drop", t->drop, "start", (json_int_t)t->start, "root", t->root, "clips",
                     expected_clips(&t->tracks[0]), "titles", expected_clips(&t->tracks[1]),
                     "sounds", sounds);
}

static void put(const char *dir, const char *name, char *text)
{
    char path[400];
    struct error e = {0};

    assert_non_null(text);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), &e), 0);
    free(text);
}

static void write_all(const struct timeline *t, const char *dir)
{
    json_t *wanted = expected(t);
    struct error e = {0};

    assert_int_equal(dir_make(dir, &e), 0);
    assert_int_equal(timeline_fits(t, &e), 0);
    put(dir, "t.otio", timeline_otio(t, &e));
    put(dir, "t.edl", timeline_edl(t, &e));
    put(dir, "t.xml", timeline_fcp7(t, &e));
    put(dir, "t.fcpxml", timeline_fcpxml(t, &e));
    put(dir, "expected.json", json_dumps(wanted, JSON_INDENT(1)));
    json_decref(wanted);
}

static void readers_agree(void **state)
{
    static const struct {
        struct rational fps;
        bool drop;
    } rates[] = {{{24000, 1001}, false}, {{24, 1}, false},       {{25, 1}, false},
                 {{30000, 1001}, true},  {{30000, 1001}, false}, {{30, 1}, false},
                 {{50, 1}, false},       {{60000, 1001}, true},  {{60, 1}, false}};
    const char *python = getenv("PYTHON"), *given = getenv("AUTEUR_TEST_SEED");
    struct random_film *f = calloc(1, sizeof *f);
    char dir[] = "/tmp/auteur-timelines-XXXXXX", path[400], command[900];
    struct error e = {0};

    (void)state;
    random_state = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("AUTEUR_TEST_SEED=%" PRIu64 "\n", random_state);
    assert_non_null(f);
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        make_random(f, rates[i].fps, rates[i].drop);
        snprintf(path, sizeof path, "%s/%zu", dir, i);
        write_all(&f->t, path);
    }
    free(f);
    snprintf(command, sizeof command, "%s -c 'import opentimelineio' 2>/dev/null",
             python ? python : "python3");
    if (system(command) != 0) {
        printf("skipped: there is no Python with OpenTimelineIO here\n");
        path_remove(dir, &e);
        skip();
    }
    snprintf(command, sizeof command, "%s tests/pipeline/timelines.py %s/*",
             python ? python : "python3", dir);
    assert_int_equal(system(command), 0);
    path_remove(dir, &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edl_as_it_is_written),
        cmocka_unit_test(what_does_not_fit_is_named),
        cmocka_unit_test(readers_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
