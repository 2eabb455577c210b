/* film.mp4 and contact-sheet.png at a run's end: made when the film changed, numbered, never
 * written over; an interrupted or failed one leaves what was there. */
#include "tests/pipeline/program.h"

#include <jansson.h>
#include <sys/stat.h>
#include <time.h>

#include "stages/media/reader.h"

static char scratch[64], board[80], dir[80];

static const char *at(const char *name)
{
    static char path[4][160];
    static int next;
    char *out = path[next++ % 4];

    snprintf(out, sizeof path[0], "%s/%s", dir, name);
    return out;
}

/* Four cards, of 24 frames behind handles of 4; the third's colour and how it comes. */
static void write_board(const char *color, const char *transition)
{
    char text[1200];

    snprintf(
        text, sizeof text,
        "name: cards\nsize: 128x64\nfps: 30000/1001\n"
        "deliver: {start: \"01:00:00;00\", handles: 4}\n"
        "defaults: {frames: 24}\n"
        "shots:\n"
        "  - {id: a, card: {background: \"#802020\"}, transition: dissolve}\n"
        "  - {id: b, card: {background: \"#208020\"}, transition: {kind: wipe, duration: 0.2}}\n"
        "  - {id: c, card: {background: \"%s\"}, transition: %s}\n"
        "  - {id: d, card: {background: \"#808020\"}, transition: fade}\n",
        color, transition);
    write_file(board, text);
}

static void run(int status, const char *says, const char *complains)
{
    struct program p = PROGRAM("run", board, "-o", dir);

    if (p.status != status || !strstr(p.out, says) || !strstr(p.err, complains))
        fail_msg("status %d, \"%s\", \"%s\"", p.status, p.out, p.err);
    program_free(&p);
}

static void points_to(const char *name)
{
    char is[64] = "";

    assert_int_equal(readlink(at("film.mp4"), is, sizeof is - 1), strlen(name));
    assert_string_equal(is, name);
}

static struct stat stat_of(const char *name)
{
    struct stat st;

    assert_int_equal(stat(at(name), &st), 0);
    return st;
}

static bool same(struct stat a, struct stat b)
{
    return a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
           a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

static void is_whole(const char *name, int64_t frames)
{
    struct media_reader *r;
    struct error e = {0};
    AVFrame *f;
    int64_t n = 0;

    if (media_reader_open(at(name), name, 1, &r, &e) != 0)
        fail_msg("%s", e.text);
    assert_string_equal(av_dict_get(media_reader_stream(r)->metadata, "timecode", NULL, 0)->value,
                        "01:00:00;00");
    while (media_reader_next(r, &f, &e) == 1)
        n++;
    assert_int_equal(n, frames);
    media_reader_close(r);
}

/* What a film is cut of, its metadata tell. */
static void rerun_names(const char *film, const char *part)
{
    struct program p = PROGRAM("rerun", at(film));

    assert_int_equal(p.status, 2);
    assert_non_null(strstr(p.err, "is a cut of 4 delivered films"));
    assert_non_null(strstr(p.err, at(part)));
    program_free(&p);
}

static void nothing_is_left_over(void)
{
    assert_false(path_exists(at(".auteur/tmp")));
    assert_false(path_exists(at(".film.mp4.tmp")));
}

/* Between a and b: 6 frames of wipe; c: 15 of dissolve; d: 15 of fade. Handles of 4 carry 3 and 3
 * of the first; of the others 4 each way, and what is lacking shortens the shots. */
enum { FRAMES = 4 * 24 - 2 * (3 + 4) };

static void a_film_is_made_when_it_changed(void **state)
{
    struct stat film, sheet;

    (void)state;
    write_board("#202080", "dissolve");
    run(0, "film   film_v001.mp4", "");
    points_to("film_v001.mp4");
    is_whole("film_v001.mp4", FRAMES);
    rerun_names("film_v001.mp4", "shots/a/a_v001.mp4");
    film = stat_of("film_v001.mp4");
    sheet = stat_of("contact-sheet.png");
    nothing_is_left_over();
    run(0, "nothing to do", "");
    assert_true(same(film, stat_of("film_v001.mp4")));
    assert_true(same(sheet, stat_of("contact-sheet.png")));
    write_board("#202080", "wipe"); /* no shot is made again */
    run(0, "film   film_v002.mp4", "");
    points_to("film_v002.mp4");
    assert_true(same(film, stat_of("film_v001.mp4")));
    assert_true(same(sheet, stat_of("contact-sheet.png")));
    write_board("#208080", "wipe"); /* one is */
    run(0, "film   film_v003.mp4", "");
    assert_false(same(sheet, stat_of("contact-sheet.png")));
    write_board("#202080", "dissolve"); /* as it was first: its number again, and no work */
    run(0, "4 of 4", "");
    points_to("film_v001.mp4");
    assert_true(same(film, stat_of("film_v001.mp4")));
    assert_false(path_exists(at("film_v004.mp4")));
}

static void what_is_gone_is_made_again_and_what_is_somebodys_stays(void **state)
{
    (void)state;
    assert_int_equal(unlink(at("film_v001.mp4")), 0);
    run(0, "film   film_v001.mp4", "");
    is_whole("film_v001.mp4", FRAMES);
    write_file(at("film_v001.mp4"), "an editor's");
    write_file(at("film_v004.mp4"), "another's");
    run(0, "film   film_v005.mp4", "");
    points_to("film_v005.mp4");
    assert_int_equal(stat_of("film_v001.mp4").st_size, 11);
    assert_int_equal(stat_of("film_v004.mp4").st_size, 9);
    assert_int_equal(unlink(at("film.mp4")), 0);
    write_file(at("film.mp4"), "no link");
    run(0, "nothing to do", "");
    assert_int_equal(stat_of("film.mp4").st_size, 7);
    assert_int_equal(unlink(at("film.mp4")), 0);
    run(0, "nothing to do", "");
    points_to("film_v005.mp4");
}

/* With the time that it had, so that nobody sees it before it is read. */
static void damage(const char *path, long from, long bytes)
{
    struct stat st;
    struct timespec times[2];
    FILE *f = fopen(path, "r+b");

    assert_non_null(f);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(fseek(f, from < 0 ? st.st_size + from : from, SEEK_SET), 0);
    while (bytes--)
        fputc(0, f);
    assert_int_equal(fclose(f), 0);
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void a_damaged_shot_costs_the_film_alone(void **state)
{
    char path[160];

    (void)state;
    write_board("#202080", "{kind: wipe, duration: 0.3}");
    snprintf(path, sizeof path, "%s", at("shots/d/d_v001.mp4"));
    damage(path, 0, 200);
    run(3, "", "film.mp4 could not be made: shot d");
    points_to("film_v005.mp4");
    assert_false(path_exists(at("film_v006.mp4")));
    nothing_is_left_over();
    run(3, "", "film.mp4 could not be made: shot d"); /* it is still missing */
    assert_int_equal(unlink(path), 0);
    run(0, "film   film_v006.mp4", "");
    points_to("film_v006.mp4");
}

static void a_shot_that_is_not_delivered_is_a_gap(void **state)
{
    struct program p;

    (void)state;
    snprintf(dir, sizeof dir, "%s/part", scratch);
    write_board("#202080", "dissolve");
    p = PROGRAM("run", board, "-o", dir, "--only", "[ac]");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "film   film_v001.mp4"));
    program_free(&p);
    is_whole("film_v001.mp4", FRAMES); /* the others stand as black of their length */
    run(0, "film   film_v002.mp4", "");
    is_whole("film_v002.mp4", FRAMES);
    is_whole("film_v001.mp4", FRAMES);
}

static void an_interrupted_film_leaves_nothing(void **state)
{
    struct program p;
    char tmp[160];

    (void)state;
    snprintf(dir, sizeof dir, "%s/long", scratch);
    write_file(board, "name: long\nsize: 640x360\nfps: 24\nshots:\n"
                      "  - {id: a, card: {background: \"#802020\"}, frames: 800}\n");
    snprintf(tmp, sizeof tmp, "%s", at(".auteur/tmp/film.mp4"));
    p = program_run_when(SIGINT, tmp, 50000, (const char *const[]){"run", board, "-o", dir, NULL});
    if (p.status != 130)
        fail_msg("status %d, \"%s\", \"%s\"", p.status, p.out, p.err);
    program_free(&p);
    nothing_is_left_over();
    assert_false(path_exists(at("film.mp4")));
    assert_false(path_exists(at("film_v001.mp4")));
    /* And one that is killed: what it had begun is cleared away by the next. */
    p = program_run_when(SIGKILL, tmp, 50000, (const char *const[]){"run", board, "-o", dir, NULL});
    assert_int_equal(p.signal, SIGKILL);
    program_free(&p);
    assert_true(path_exists(tmp));
    assert_false(path_exists(at("film_v001.mp4")));
    run(0, "film   film_v001.mp4", "");
    nothing_is_left_over();
}

static long long value_of(const json_t *item, const char *key)
{
    return (long long)json_number_value(json_object_get(json_object_get(item, key), "value"));
}

/* The titles' track in OpenTimelineIO's words: "G21" a gap and "C24" a clip of so many frames,
 * "T3+4" a transition with so many ahead of its cut and behind it. */
static void titles_are(const char *path, const char *want)
{
    json_t *root = json_load_file(path, 0, NULL), *tracks, *items, *item;
    char is[200] = "";
    size_t i;

    tracks = json_object_get(json_object_get(root, "tracks"), "children");
    items = json_object_get(json_array_get(tracks, 1), "children");
    assert_true(json_array_size(items) > 0);
    json_array_foreach(items, i, item)
    {
        const char *schema = json_string_value(json_object_get(item, "OTIO_SCHEMA"));
        char *end = is + strlen(is);
        size_t room = sizeof is - strlen(is);

        if (*schema == 'T')
            snprintf(end, room, "T%lld+%lld ", value_of(item, "in_offset"),
                     value_of(item, "out_offset"));
        else
            snprintf(end, room, "%c%lld ", *schema,
                     value_of(json_object_get(item, "source_range"), "duration"));
    }
    json_decref(root);
    assert_string_equal(is, want);
}

static void titles_come_and_go_with_their_pictures(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "%s/titles", scratch);
    write_file(board,
               "name: titles\nsize: 128x64\nfps: 24\n"
               "deliver: {handles: 6}\ndefaults: {frames: 24}\n"
               "shots:\n"
               "  - {id: a, card: {background: \"#802020\"}, transition: dissolve}\n"
               "  - {id: b, card: One, transition: {duration: 250ms}}\n"
               "  - {id: c, card: Two, transition: {kind: wipe, duration: 292ms}}\n"
               "  - {id: d, card: {background: \"#202080\"}, transition: {duration: 250ms}}\n"
               "  - {id: e, card: Three, transition: {kind: fade, duration: 250ms}}\n");
    run(0, "film   film_v001.mp4", "");
    titles_are(at("titles.otio"), "G21 T0+6 C27 T3+4 C27 T6+0 G21 T0+3 C24 ");
}

static int begin(void **state)
{
    (void)state;
    if (program_scratch(scratch) != 0)
        return -1;
    snprintf(board, sizeof board, "%s/board.yaml", scratch);
    snprintf(dir, sizeof dir, "%s/out", scratch);
    return 0;
}

static int end(void **state)
{
    struct error e = {0};

    (void)state;
    return path_remove(scratch, &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_film_is_made_when_it_changed),
        cmocka_unit_test(what_is_gone_is_made_again_and_what_is_somebodys_stays),
        cmocka_unit_test(a_damaged_shot_costs_the_film_alone),
        cmocka_unit_test(a_shot_that_is_not_delivered_is_a_gap),
        cmocka_unit_test(an_interrupted_film_leaves_nothing),
        cmocka_unit_test(titles_come_and_go_with_their_pictures),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
