/* The samples are read and hold what they say; the bad ones give exactly the messages beside them;
 * schema.json and the README's tables are those of the field table. */
#include "tests/storyboards/read.h"

#include <dirent.h>
#include <jansson.h>

#include "kernels/base/file.h"

static struct reading read_sample(const char *path)
{
    struct reading r = {0};

    r.rc = board_read(path, &r.board, &r.problems, &r.e);
    r.messages = problems_text(&r.problems, path);
    assert_string_equal(r.messages, "");
    assert_int_equal(r.rc, 0);
    board_holds(&r.board);
    return r;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

static char *read_file(const char *path)
{
    struct error e = {0};
    char *bytes = NULL;
    size_t size;

    if (file_read(path, 1 << 20, &bytes, &size, &e) != 0)
        fail_msg("%s", e.text);
    return bytes;
}

static void demo_board(void **state)
{
    struct reading r = read_sample("storyboards/demo.yaml");
    const struct board *b = &r.board;

    (void)state;
    assert_string_equal(b->name, "demo");
    assert_int_equal(b->fps.num, 24);
    assert_int_equal(b->fps.den, 1);
    assert_int_equal(b->width, 1280);
    assert_int_equal(b->height, 720);
    assert_int_equal(b->deliver.codecs.items[0], DELIVER_H264);
    assert_int_equal(b->deliver.quality, 80);
    assert_int_equal(b->model_count, 0);
    assert_int_equal(b->shot_count, 6);
    assert_true(ends_with(b->path, "/storyboards/demo.yaml"));
    assert_true(ends_with(b->dir, "/storyboards"));
    reading_free(&r);
}

static void demo_title_card(void **state)
{
    struct reading r = read_sample("storyboards/demo.yaml");
    const struct shot *s = &r.board.shots[0];

    (void)state;
    assert_string_equal(s->id, "010-title");
    assert_int_equal(s->kind, SHOT_CARD);
    assert_string_equal(s->tier, "title");
    assert_string_equal(s->prompt, "");
    assert_string_equal(s->look, "");
    assert_int_equal(s->card.background, 0x0b1b33);
    assert_int_equal(s->card.background_to, 0x27506b);
    assert_int_equal(s->frames, 48);
    assert_int_equal(s->line, 12);
    assert_int_equal(s->overlay_count, 1);
    assert_int_equal(s->overlays[0].style, OVERLAY_TITLE);
    assert_string_equal(s->overlays[0].text, "From Dawn to Night");
    assert_string_equal(s->overlays[0].subtext, "Six shots from one storyboard");
    assert_true(s->overlays[0].in == 0.1 && s->overlays[0].out == 2.0);
    assert_true(s->overlays[0].fade_in == 0.4 && s->overlays[0].fade_out == 0.4);
    assert_int_equal(s->overlays[0].line, 16);
    reading_free(&r);
}

static void demo_generated_shots(void **state)
{
    static const uint64_t seeds[] = {2, 4, 12, 8};
    struct reading r = read_sample("storyboards/demo.yaml");

    (void)state;
    for (int i = 1; i <= 4; i++) {
        const struct shot *s = &r.board.shots[i];

        assert_int_equal(s->kind, SHOT_GENERATED);
        assert_string_equal(s->tier, "previs");
        assert_int_equal(s->frames, 49);
        assert_int_equal(s->seed, seeds[i - 1]);
        assert_int_equal(s->steps, 0);
        assert_true(s->guidance == -1);
        assert_int_equal(s->text, TEXT_OVERLAY);
        assert_string_equal(s->look, "");
        assert_string_equal(s->negative, "");
    }
    assert_string_equal(r.board.shots[1].prompt,
                        "A grey frigate cuts through the Atlantic swell at dawn");
    assert_string_equal(r.board.shots[1].camera, "slow dolly in");
    assert_int_equal(r.board.shots[1].overlays[0].style, OVERLAY_LOWER_THIRD);
    assert_non_null(strstr(r.board.shots[3].prompt, "with the title \"Evening\""));
    assert_int_equal(r.board.shots[2].overlays[0].style, OVERLAY_CAPTION);
    assert_true(r.board.shots[2].overlays[0].out == 1.8);
    reading_free(&r);
}

static void demo_moving_still(void **state)
{
    struct reading r = read_sample("storyboards/demo.yaml");
    const struct shot *s = &r.board.shots[5];

    (void)state;
    assert_int_equal(s->kind, SHOT_STILL);
    assert_string_equal(s->tier, "still");
    assert_string_equal(s->source.written, "demo/lighthouse.jpg");
    assert_true(ends_with(s->source.path, "/storyboards/demo/lighthouse.jpg"));
    assert_true(path_exists(s->source.path));
    assert_int_equal(s->source.move, MOVE_PUSH_IN);
    assert_int_equal(s->source.fit, FIT_COVER);
    assert_true(s->source.amount == 0.12);
    assert_int_equal(s->frames, 60);
    assert_int_equal(s->overlay_count, 2);
    assert_int_equal(s->overlays[1].position, POSITION_TOP_RIGHT);
    assert_true(s->overlays[1].fade_in == 0.5 && s->overlays[1].fade_out == 0);
    reading_free(&r);
}

static void exhibition(void **state)
{
    struct reading r = read_sample("storyboards/exhibition.yaml");
    size_t kinds[4] = {0}, flagship = 0, overlays = 0;

    (void)state;
    assert_int_equal(r.board.shot_count, 54);
    assert_string_equal(r.board.name, "harbour-and-fleet");
    for (size_t i = 0; i < r.board.shot_count; i++) {
        const struct shot *s = &r.board.shots[i];
        bool hero = !strcmp(s->tier, "flagship");

        kinds[s->kind]++;
        flagship += hero;
        overlays += s->overlay_count;
        if (s->kind == SHOT_GENERATED) {
            assert_int_equal(s->frames, hero ? 81 : 49);
            assert_true(s->guidance == -1 && !*s->negative == !hero);
        }
        if (s->kind == SHOT_STILL)
            assert_true(path_exists(s->source.path));
    }
    assert_int_equal(kinds[SHOT_GENERATED], 45);
    assert_int_equal(kinds[SHOT_STILL], 2);
    assert_int_equal(kinds[SHOT_FOOTAGE], 0);
    assert_int_equal(kinds[SHOT_CARD], 7);
    assert_int_equal(flagship, 18);
    assert_int_equal(overlays, 31);
    reading_free(&r);
}

static void exhibition_merges(void **state)
{
    struct reading r = read_sample("storyboards/exhibition.yaml");
    const struct shot *quay = &r.board.shots[4], *yard = &r.board.shots[6];
    const struct shot *credits = &r.board.shots[53], *thanks = &r.board.shots[52];

    (void)state;
    assert_string_equal(quay->id, "005-quay"); /* [*hero, *morning] */
    assert_string_equal(quay->tier, "flagship");
    assert_string_equal(quay->look, "35mm film grain, soft pink morning light");
    assert_string_equal(yard->id, "007-yard"); /* *chapter, with overlays of its own */
    assert_int_equal(yard->kind, SHOT_CARD);
    assert_int_equal(yard->frames, 72);
    assert_string_equal(yard->overlays[0].text, "The Yard");
    assert_int_equal(thanks->overlay_count, 1);
    assert_int_equal(thanks->overlays[0].style, OVERLAY_TITLE);
    assert_string_equal(thanks->overlays[0].text, "Thank you for your visit");
    assert_string_equal(credits->overlays[0].text,
                        "The Harbour and the Fleet\na film for the entrance hall");
    assert_int_equal(credits->overlays[1].style, OVERLAY_SLATE);
    reading_free(&r);
}

static void check_bad(const char *name)
{
    char path[400];
    struct board board;
    struct board_problems problems;
    struct error e = {0};
    char *expected, *messages;

    snprintf(path, sizeof path, "storyboards/bad/%.*s.expected", (int)(strlen(name) - 5), name);
    expected = read_file(path);
    snprintf(path, sizeof path, "storyboards/bad/%s", name);
    assert_int_equal(board_read(path, &board, &problems, &e), -1);
    assert_int_equal(e.code, ERROR_INPUT);
    assert_true(problems.errors > 0);
    assert_null(board.shots);
    messages = problems_text(&problems, name);
    assert_string_equal(messages, expected);
    free(messages);
    free(expected);
    board_problems_free(&problems);
}

static void bad_boards_and_their_messages(void **state)
{
    DIR *dir = opendir("storyboards/bad");
    struct dirent *entry;
    int boards = 0, expectations = 0;

    (void)state;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        expectations += ends_with(entry->d_name, ".expected");
        if (ends_with(entry->d_name, ".yaml")) {
            check_bad(entry->d_name);
            boards++;
        }
    }
    closedir(dir);
    assert_true(boards >= 50);
    assert_int_equal(boards, expectations);
}

/* AUTEUR_UPDATE=1 writes what the table says; without it, what is committed must be that. */
static void check_or_update(const char *path, const char *now, const char *wanted)
{
    struct error e = {0};

    if (getenv("AUTEUR_UPDATE") && strcmp(now, wanted) &&
        file_write_atomic(path, wanted, strlen(wanted), &e) != 0)
        fail_msg("%s", e.text);
    if (!getenv("AUTEUR_UPDATE"))
        assert_string_equal(now, wanted);
}

static void schema_is_the_tables(void **state)
{
    const char *path = "storyboards/schema.json";
    char *wanted = board_schema();
    char *now = path_exists(path) ? read_file(path) : calloc(1, 1);
    json_t *parsed;

    (void)state;
    assert_non_null(wanted);
    parsed = json_loads(wanted, 0, NULL);
    assert_true(json_is_object(parsed));
    json_decref(parsed);
    check_or_update(path, now, wanted);
    free(now);
    free(wanted);
}

static void readme_is_the_tables(void **state)
{
    const char *path = "storyboards/README.md";
    const char *begin_mark = "<!-- the field table begins -->\n", *end_mark = "<!-- it ends -->\n";
    char *now = read_file(path), *tables = board_markdown(), *wanted = NULL;
    char *begin = strstr(now, begin_mark), *end = strstr(now, end_mark);

    (void)state;
    assert_non_null(tables);
    assert_true(begin && end && begin < end);
    begin += strlen(begin_mark);
    assert_true(asprintf(&wanted, "%.*s%s%s", (int)(begin - now), now, tables, end) > 0);
    check_or_update(path, now, wanted);
    free(wanted);
    free(tables);
    free(now);
}

/* The README's example is a board too. */
static void readme_example_is_read(void **state)
{
    char *text = read_file("storyboards/README.md");
    char *begin = strstr(text, "```yaml\n"), *end;
    struct reading r;

    (void)state;
    assert_non_null(begin);
    begin += strlen("```yaml\n");
    end = strstr(begin, "```");
    assert_non_null(end);
    *end = '\0';
    r = read_good(begin);
    assert_int_equal(r.board.shot_count, 4);
    reading_free(&r);
    free(text);
}

static void help_names_every_field(void **state)
{
    static const char *const fields[] = {"overlays", "fade_out", "background",
                                         "quality",  "guidance", "flagship",
                                         "footage",  "keyframe", "euler_ancestral_karras"};
    char *help = board_help();

    (void)state;
    assert_non_null(help);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        assert_non_null(strstr(help, fields[i]));
    free(help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(demo_board),
        cmocka_unit_test(demo_title_card),
        cmocka_unit_test(demo_generated_shots),
        cmocka_unit_test(demo_moving_still),
        cmocka_unit_test(exhibition),
        cmocka_unit_test(exhibition_merges),
        cmocka_unit_test(bad_boards_and_their_messages),
        cmocka_unit_test(schema_is_the_tables),
        cmocka_unit_test(readme_is_the_tables),
        cmocka_unit_test(readme_example_is_read),
        cmocka_unit_test(help_names_every_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
