/* Deliveries as versions: what an editor may have linked is never written over, and the stable
 * names lead to the newest approved one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "pipeline/execute/versions.h"
#include "tests/pipeline/fake_run.h"

enum { SHOT = 1 }; /* "s001" */

static char scratch[64];
static struct fake_board board;

static int set_up(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake.generate_steps = 1;
    fake_board_make(&board, 2);
    fake_scratch(scratch);
    return scratch[0] ? 0 : -1;
}

static int tear_down(void **state)
{
    struct error e;

    (void)state;
    return path_remove(scratch, &e);
}

static void run_once(void)
{
    struct fake_run run;

    if (fake_begin(&run, &board, scratch) != 0 || fake_execute(&run) != 0)
        fail_msg("%s", run.error.text);
    fake_end(&run);
    assert_int_equal(run.result.delivered, 2);
}

static const char *inside(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/shots/s001/%s", scratch, name);
    return path;
}

static bool there(const char *name)
{
    return path_exists(inside(name));
}

static void expect_link(const char *name, const char *target)
{
    char found[128];
    ssize_t n = readlink(inside(name), found, sizeof found - 1);

    assert_true(n > 0);
    found[n] = '\0';
    assert_string_equal(found, target);
}

static struct hash128 content(const char *name)
{
    struct hash128 h;
    struct error e;

    assert_int_equal(hash_path(inside(name), &h, &e), 0);
    return h;
}

static void an_edit_makes_a_second_version_and_leaves_the_first(void **state)
{
    struct hash128 first, second;

    (void)state;
    run_once();
    expect_link("s001.mp4", "s001_v001.mp4");
    expect_link("s001.poster.png", "s001_v001.poster.png");
    expect_link("s001.json", "s001_v001.json");
    first = content("s001_v001.mp4");
    board.overlays[SHOT].text = "An edit";
    run_once();
    second = content("s001_v002.mp4");
    assert_true(hash_equal(content("s001_v001.mp4"), first));
    assert_false(hash_equal(first, second));
    expect_link("s001.mp4", "s001_v002.mp4");
    expect_link("s001.json", "s001_v002.json");
    run_once(); /* nothing to do */
    assert_false(there("s001_v003.mp4"));
}

static void what_was_made_before_keeps_its_number_and_is_the_newest_again(void **state)
{
    const char *text = board.overlays[SHOT].text;
    struct stat before, after;

    (void)state;
    run_once();
    assert_int_equal(stat(inside("s001_v001.mp4"), &before), 0);
    board.overlays[SHOT].text = "An edit";
    run_once();
    board.overlays[SHOT].text = text;
    run_once();
    assert_int_equal(stat(inside("s001_v001.mp4"), &after), 0);
    assert_true(before.st_ino == after.st_ino); /* not even replaced by its like */
    expect_link("s001.mp4", "s001_v001.mp4");
    expect_link("s001.json", "s001_v001.json");
    assert_false(there("s001_v003.mp4"));
}

static void what_somebody_altered_is_left_to_him(void **state)
{
    struct hash128 altered;
    FILE *f;

    (void)state;
    run_once();
    f = fopen(inside("s001_v001.mp4"), "ab");
    assert_non_null(f);
    fputs("scribble", f);
    fclose(f);
    altered = content("s001_v001.mp4");
    run_once();
    assert_true(hash_equal(content("s001_v001.mp4"), altered));
    expect_link("s001.mp4", "s001_v002.mp4");
}

static void a_number_that_is_taken_in_the_folder_is_not_used(void **state)
{
    struct error e;

    (void)state;
    assert_int_equal(dir_make(inside(""), &e), 0);
    assert_int_equal(file_write_atomic(inside("s001_v041.mov"), "mine", 4, &e), 0);
    assert_int_equal(file_write_atomic(inside("s001.poster.png"), "mine", 4, &e), 0);
    run_once();
    expect_link("s001.mp4", "s001_v042.mp4");
    assert_int_equal(readlink(inside("s001.poster.png"), (char[8]){0}, 8), -1); /* not ours */
}

/* The journal is lost: numbers go on from what lies in the folder. */
static void a_lost_journal_costs_no_film(void **state)
{
    char path[256];
    struct hash128 first;
    struct error e;

    (void)state;
    run_once();
    first = content("s001_v001.mp4");
    snprintf(path, sizeof path, "%s/.auteur", scratch);
    assert_int_equal(path_remove(path, &e), 0);
    run_once();
    assert_true(hash_equal(content("s001_v001.mp4"), first));
    expect_link("s001.mp4", "s001_v002.mp4");
}

/* Points again after the journal was told something. */
static void say_and_point(const char *meta, const char *value, int shown)
{
    struct arena arena = {0};
    struct versions v;
    struct journal_view *view;
    struct fake_run run;

    assert_int_equal(fake_begin(&run, &board, scratch), 0);
    assert_int_equal(journal_meta_put(run.journal, meta, value, &run.error), 0);
    assert_int_equal(journal_view_begin(run.journal, &view, &run.error), 0);
    assert_int_equal(versions_read(view, "s001", &arena, &v, &run.error), 0);
    assert_int_equal(versions_point(&run.production, "s001", &v, &run.error), 0);
    assert_int_equal(versions_shown(&v)->number, shown);
    journal_view_end(view);
    arena_free(&arena);
    fake_end(&run);
}

static void reviews_and_choices_decide(void **state)
{
    (void)state;
    run_once();
    board.overlays[SHOT].text = "An edit";
    run_once();
    board.overlays[SHOT].text = "Another edit";
    run_once();
    say_and_point("review:s001", "{\"3\": \"rejected\"}", 2);
    expect_link("s001.mp4", "s001_v002.mp4");
    say_and_point("review:s001", "{\"1\": \"approved\"}", 1);
    expect_link("s001.mp4", "s001_v001.mp4");
    say_and_point("conform:s001", "3", 3); /* timelines show another than the stable name */
    expect_link("s001.mp4", "s001_v001.mp4");
    say_and_point("review:s001", "{}", 3);
    expect_link("s001.mp4", "s001_v003.mp4");
    say_and_point("conform:s001", "9", 3); /* no such version: the current one */
}

/* A delivery in another form: the old stable name would lead to an old film. */
static void a_stable_name_that_the_version_lacks_is_taken_away(void **state)
{
    struct production p;
    struct error e;
    const struct version_file mov = {.name = "deliver.mov", .path = "shots/s001/s001_v002.mov"};
    struct version v = {.number = 2, .files = &mov, .file_count = 1};
    struct versions all = {.items = &v, .count = 1};

    (void)state;
    run_once();
    assert_int_equal(production_name(&p, scratch, &e), 0);
    assert_int_equal(versions_point(&p, "s001", &all, &e), 0);
    expect_link("s001.mov", "s001_v002.mov");
    assert_int_equal(readlink(inside("s001.mp4"), (char[8]){0}, 8), -1);
    assert_true(there("s001_v001.mp4"));
    production_free(&p);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(an_edit_makes_a_second_version_and_leaves_the_first),
        ONE(what_was_made_before_keeps_its_number_and_is_the_newest_again),
        ONE(what_somebody_altered_is_left_to_him),
        ONE(a_number_that_is_taken_in_the_folder_is_not_used),
        ONE(a_lost_journal_costs_no_film),
        ONE(reviews_and_choices_decide),
        ONE(a_stable_name_that_the_version_lacks_is_taken_away),
    };

    return cmocka_run_group_tests_name("versions", tests, NULL, NULL);
}
