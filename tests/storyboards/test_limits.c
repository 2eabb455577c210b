/* Hostile, huge and broken boards: one clear answer each, and never a crash. */
#include "tests/storyboards/read.h"

#include <time.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"

/* xorshift64*: the same numbers on every machine. */
static uint64_t next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

static uint64_t test_seed(void)
{
    const char *given = getenv("AUTEUR_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);

    print_message("AUTEUR_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed ? seed : 1;
}

static struct reading read_buffer(struct strbuf *b)
{
    size_t size = b->length;
    char *text = strbuf_take(b);
    struct reading r;

    assert_non_null(text);
    r = read_sized(text, size);
    free(text);
    return r;
}

static void expect_one(struct reading *r, const char *message)
{
    assert_int_equal(r->rc, -1);
    assert_int_equal(r->problems.count, 1);
    assert_string_equal(r->problems.items[0].message, message);
    reading_free(r);
}

static const char TOO_MANY[] = "more than 2000000 values, those of aliases counted at every use; "
                               "a storyboard is smaller";

static void ten_thousand_shots(void **state)
{
    struct strbuf b = {0};
    struct reading r;

    (void)state;
    strbuf_add(&b, "x-o: &o {style: lower-third, in: 0.2, fade: 0.1}\nshots:\n");
    for (int i = 0; i < 10000; i++)
        strbuf_addf(&b, "- {id: s%05d, prompt: shot %d, overlays: [{<<: *o, text: Shot %d}]}\n", i,
                    i, i);
    r = read_buffer(&b);
    assert_string_equal(r.messages, "");
    assert_int_equal(r.board.shot_count, 10000);
    assert_string_equal(r.board.shots[9999].id, "s09999");
    assert_string_equal(r.board.shots[1234].overlays[0].text, "Shot 1234");
    assert_int_equal(r.board.shots[9999].line, 10002);
    reading_free(&r);
}

static void ten_megabytes_of_noise(void **state)
{
    enum { SIZE = 10000000 };
    uint64_t random = test_seed();
    char *noise = malloc(SIZE);
    struct reading r;

    (void)state;
    assert_non_null(noise);
    for (int i = 0; i < SIZE; i++)
        noise[i] = (char)next(&random);
    noise[0] = 'a'; /* not by chance a UTF-16 mark */
    r = read_sized(noise, SIZE);
    assert_int_equal(r.problems.count, 1);
    assert_non_null(strstr(r.messages, "is not UTF-8 text; save the file as UTF-8"));
    reading_free(&r);
    for (int i = 0; i < SIZE; i++)
        noise[i] = "abcdefgh:-[]{}&*#!|>'\"%@`,? \n"[next(&random) % 30];
    r = read_sized(noise, SIZE);
    assert_int_equal(r.rc, -1);
    assert_int_equal(r.problems.count, 1);
    reading_free(&r);
    free(noise);
}

static void megabytes_of_other_yaml(void **state)
{
    struct strbuf b = {0};
    struct reading r;

    (void)state;
    for (int i = 0; i < 900000; i++)
        strbuf_addf(&b, "key%d: 1\n", i);
    r = read_buffer(&b);
    expect_one(&r, "this is not a storyboard: none of its keys is one of name, fps, size, shots");
    for (int i = 0; i < 2000001; i++)
        strbuf_add(&b, "- a\n");
    r = read_buffer(&b);
    expect_one(&r, TOO_MANY);
    for (int i = 0; i < 1000000; i++)
        strbuf_add(&b, "[\n");
    r = read_buffer(&b);
    expect_one(&r, "nested more than 64 deep");
}

/* The billion laughs, as lists and as merges; an alias chain that would make deep recursion. */
static void exploding_aliases(void **state)
{
    static const char *const forms[][2] = {{"[", "]"}, {"{<<: [", "]}"}};
    struct strbuf b = {0};
    struct reading r;

    (void)state;
    for (int form = 0; form < 2; form++) {
        strbuf_add(&b, "x-0: &a0 {prompt: lol}\n");
        for (int i = 1; i < 12; i++) {
            strbuf_addf(&b, "x-%d: &a%d %s*a%d", i, i, forms[form][0], i - 1);
            for (int j = 0; j < 9; j++)
                strbuf_addf(&b, ", *a%d", i - 1);
            strbuf_addf(&b, "%s\n", forms[form][1]);
        }
        strbuf_add(&b, "shots: [{id: a, <<: *a11}]\n");
        r = read_buffer(&b);
        expect_one(&r, TOO_MANY);
    }
    strbuf_add(&b, "x-0: &a0 {prompt: lol}\n");
    for (int i = 1; i < 100000; i++)
        strbuf_addf(&b, "x-%d: &a%d {<<: *a%d}\n", i, i, i - 1);
    r = read_buffer(&b);
    expect_one(&r, "nested more than 64 deep");
}

/* A list of overlays under `defaults` is had by every shot. */
static void defaults_do_not_multiply_without_end(void **state)
{
    struct strbuf b = {0};
    struct reading r;

    (void)state;
    strbuf_add(&b, "defaults:\n  overlays:\n");
    for (int i = 0; i < 5000; i++)
        strbuf_add(&b, "  - {text: x}\n");
    strbuf_add(&b, "shots:\n");
    for (int i = 0; i < 5000; i++)
        strbuf_addf(&b, "- {id: s%d, prompt: x}\n", i);
    r = read_buffer(&b);
    assert_int_equal(r.rc, -1);
    assert_string_equal(r.problems.items[0].message, "more than 1000000 overlays in all shots");
    reading_free(&r);
}

static void complaints_are_counted_not_kept(void **state)
{
    struct strbuf b = {0};
    struct reading r;

    (void)state;
    strbuf_add(&b, "shots:\n- id: a\n  prompt: x\n");
    for (int i = 0; i < 200000; i++)
        strbuf_addf(&b, "  key%d: 1\n", i);
    r = read_buffer(&b);
    assert_int_equal(r.problems.errors, 200000);
    assert_int_equal(r.problems.count, 1000);
    assert_int_equal(r.problems.dropped, 199000);
    assert_non_null(strstr(r.messages, "t.yaml: and 199000 more\n"));
    reading_free(&r);
}

static void nesting_up_to_the_limit(void **state)
{
    char yaml[300] = "shots: [{id: a, prompt: x}]\nx-a: ";
    struct reading r;

    (void)state;
    for (int i = 0; i < 62; i++)
        strcat(yaml, "[");
    strcat(yaml, "a");
    for (int i = 0; i < 62; i++)
        strcat(yaml, "]");
    r = read_good(yaml);
    reading_free(&r);
    memmove(strstr(yaml, "[[[") + 1, strstr(yaml, "[[["), strlen(strstr(yaml, "[[[")) + 1);
    strcat(yaml, "]");
    r = read_text(yaml);
    expect_one(&r, "nested more than 64 deep");
}

static void line_ends_and_marks(void **state)
{
    struct reading r = read_good("\xEF\xBB\xBFshots:\r\n  - id: a\r\n    prompt: a\r\n      b\r\n");

    (void)state;
    assert_string_equal(r.board.shots[0].prompt, "a b");
    assert_int_equal(r.board.shots[0].line, 2);
    reading_free(&r);
    r = read_good("shots:\r  - id: a\r    prompt: x\r"); /* a very old Mac */
    reading_free(&r);
    expect_messages("\xEF\xBB\xBFnaem: x\r\nshots: [{id: a, prompt: x}]\r\n",
                    "t.yaml:1:1: unknown key 'naem' in a storyboard; did you mean 'name'?\n");
    expect_messages("shots:\r\n- id: a\r\n  prompt: caf\xE9\r\n",
                    "t.yaml:3:14: byte 0xE9 is not UTF-8 text; save the file as UTF-8\n");
    expect_messages("shots: \xED\xA0\x80\n", /* a surrogate */
                    "t.yaml:1:8: byte 0xED is not UTF-8 text; save the file as UTF-8\n");
}

/* Columns count characters; a message never carries what a terminal would obey. */
static void messages_are_printable(void **state)
{
    (void)state;
    expect_messages(
        "shots:\n- {id: a, prompt: 港, \"ste\\e[31mps\": 1}\n",
        "t.yaml:2:22: unknown key 'ste?[31mps' in a shot, which may hold id, prompt, "
        "tier, seed, frames, duration, steps, guidance, guidance_2, sampler, shift, "
        "step_cache, step_cache_threshold, motion, noise, rate, keyframe, look, camera, "
        "negative, text, additions, overlays, source, "
        "card, transition, narration\n");
    expect_messages("shots:\n- {id: a, prompt: x, steps: 港港港港港港港港港港港港港港港}\n",
                    "t.yaml:2:29: 'steps' must be a whole number from 1 to 1000; it is "
                    "'港港港港港港港港港港港港港...'\n");
}

static void files_that_cannot_be_read(void **state)
{
    struct board board;
    struct board_problems problems;
    struct error e = {0};
    char path[] = "/tmp/auteur-board-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(board_read("/nowhere/board.yaml", &board, &problems, &e), -1);
    assert_int_equal(e.code, ERROR_IO);
    assert_non_null(strstr(e.text, "/nowhere/board.yaml"));
    assert_int_equal(problems.count, 0);
    assert_int_equal(board_read("storyboards", &board, &problems, &e), -1);
    assert_non_null(strstr(e.text, "not a regular file"));
    assert_int_equal(ftruncate(fd, (64 << 20) + 1), 0);
    assert_int_equal(board_read(path, &board, &problems, &e), -1);
    assert_non_null(strstr(e.text, "too large"));
    board_free(&board);
    board_problems_free(&problems);
    close(fd);
    unlink(path);
    board_free(NULL);
    board_problems_free(NULL);
}

/* Every prefix of the demo, as a program that is still writing the file would leave it. */
static void cut_anywhere(void **state)
{
    struct error e = {0};
    char *bytes;
    size_t size;

    (void)state;
    assert_int_equal(file_read("storyboards/demo.yaml", 1 << 20, &bytes, &size, &e), 0);
    for (size_t n = 0; n <= size; n++)
        read_holds(bytes, n);
    free(bytes);
}

enum { MUTANT_ROOM = 16384 };

/* Inserts `n` bytes at a random place, cutting what no longer fits. */
static size_t insert(char *mutant, size_t size, const char *from, size_t n, uint64_t *random)
{
    size_t at = next(random) % (size + 1);

    if (n > MUTANT_ROOM - size)
        n = MUTANT_ROOM - size;
    memmove(mutant + at + n, mutant + at, size - at);
    memcpy(mutant + at, from, n);
    return size + n;
}

static size_t mutate(char *mutant, size_t size, uint64_t *random)
{
    static const char *const tokens[] = {"&a ",        "*a",
                                         "<<: ",       "- ",
                                         ": ",         "{",
                                         "}",          "[",
                                         "]",          "\n",
                                         "\t",         "\"",
                                         "'",          "#",
                                         "---\n",      "...\n",
                                         "!",          "|\n",
                                         "%",          "-1",
                                         "1e9",        "1.5s",
                                         "00:00:",     "null",
                                         "~",          "../",
                                         "x-a: ",      "id:",
                                         "in:",        "shots:",
                                         "frames:",    "overlays:",
                                         "source: ",   "card: ",
                                         "\xFF",       "\xC2\x85",
                                         "\r",         "99999999999999999999",
                                         "defaults: ", "{still: a.png, in: 1}",
                                         "sampler: ",  "keyframe: "};
    const char *token = tokens[next(random) % (sizeof tokens / sizeof tokens[0])];
    size_t at = size ? next(random) % size : 0, n;

    switch (next(random) % 4) {
    case 0:
        if (size)
            mutant[at] = (char)next(random);
        return size;
    case 1:
        n = next(random) % 40;
        n = n > size - at ? size - at : n;
        memmove(mutant + at, mutant + at + n, size - at - n);
        return size - n;
    case 2: {
        char piece[64];

        n = size - at < sizeof piece ? size - at : sizeof piece;
        memcpy(piece, mutant + at, n);
        return insert(mutant, size, piece, n, random);
    }
    default:
        return insert(mutant, size, token, strlen(token), random);
    }
}

static void mutants(void **state)
{
    static const char *const parents[] = {
        "storyboards/demo.yaml",          "storyboards/exhibition.yaml",
        "storyboards/bad/sources.yaml",   "storyboards/bad/overlay-times.yaml",
        "storyboards/bad/merges.yaml",    "storyboards/bad/misspelt-values.yaml",
        "storyboards/bad/durations.yaml", "storyboards/bad/control-characters.yaml",
        "storyboards/bad/sampling.yaml",  "storyboards/bad/keyframes.yaml"};
    uint64_t random = test_seed();
    char *mutant = malloc(MUTANT_ROOM + 64);

    (void)state;
    assert_non_null(mutant);
    for (int round = 0; round < 4000; round++) {
        struct error e = {0};
        char *bytes;
        size_t size;

        assert_int_equal(file_read(parents[round % (sizeof parents / sizeof parents[0])],
                                   MUTANT_ROOM, &bytes, &size, &e),
                         0);
        memcpy(mutant, bytes, size);
        free(bytes);
        for (uint64_t changes = next(&random) % 8; changes < 8; changes++)
            size = mutate(mutant, size, &random);
        read_holds(mutant, size);
    }
    free(mutant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_shots),
        cmocka_unit_test(ten_megabytes_of_noise),
        cmocka_unit_test(megabytes_of_other_yaml),
        cmocka_unit_test(exploding_aliases),
        cmocka_unit_test(defaults_do_not_multiply_without_end),
        cmocka_unit_test(complaints_are_counted_not_kept),
        cmocka_unit_test(nesting_up_to_the_limit),
        cmocka_unit_test(line_ends_and_marks),
        cmocka_unit_test(messages_are_printable),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(mutants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
