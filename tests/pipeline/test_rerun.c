/* A delivered file is enough to make its shot again; timelines are conformed to chosen versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libavformat/avformat.h>

#include "tests/pipeline/program.h"
#include "tests/pipeline/tree.h"

static char scratch[64], board[128], dir[128], again[128];

static int set_up(void **state)
{
    (void)state;
    if (program_scratch(scratch) != 0)
        return -1;
    snprintf(board, sizeof board, "%s/board.yaml", scratch);
    snprintf(dir, sizeof dir, "%s/out", scratch);
    snprintf(again, sizeof again, "%s/again", scratch);
    return 0;
}

static int tear_down(void **state)
{
    struct error e;

    (void)state;
    return path_remove(scratch, &e);
}

static void expect(struct program p, int status, const char *in_out, const char *in_err)
{
    if (p.status != status || !strstr(p.out, in_out) || !strstr(p.err, in_err)) {
        printf("status %d, expected %d\nout: %s\nerr: %s\n", p.status, status, p.out, p.err);
        fail();
    }
    program_free(&p);
}

static void deliver(const char *title)
{
    char text[600];

    snprintf(
        text, sizeof text,
        "name: cards\nsize: 64x36\nfps: 25\ndeliver: {codec: [h264, prores, tiff], handles: 2}\n"
        "shots:\n"
        "  - {id: one, card: {background: \"#203040\", to: \"#8899aa\"}, frames: 8,\n"
        "     overlays: [{style: title, text: \"%s\", fade: 0.1, out: 0.28}]}\n"
        "  - {id: two, card: {background: \"#402030\"}, frames: 6, transition: {kind: dissolve, "
        "duration: 0.16}}\n",
        title);
    write_file(board, text);
    expect(PROGRAM("run", board, "-o", dir), 0, "2 of 2 shots delivered", "");
}

static const char *made(const char *name)
{
    static char path[300];

    snprintf(path, sizeof path, "%s/shots/one/%s", dir, name);
    return path;
}

/* Packets and metadata into another container, as an editor's assistant would. */
static void remux(const char *from, const char *to)
{
    AVFormatContext *in = NULL, *out = NULL;
    AVPacket *packet = av_packet_alloc();

    assert_int_equal(avformat_open_input(&in, from, NULL, NULL), 0);
    assert_true(avformat_find_stream_info(in, NULL) >= 0);
    assert_true(avformat_alloc_output_context2(&out, NULL, NULL, to) >= 0);
    for (unsigned i = 0; i < 1; i++) { /* the pictures alone; the timecode track is left behind */
        AVStream *s = avformat_new_stream(out, NULL);

        assert_non_null(s);
        assert_true(avcodec_parameters_copy(s->codecpar, in->streams[i]->codecpar) >= 0);
        s->codecpar->codec_tag = 0;
        s->time_base = in->streams[i]->time_base;
    }
    assert_true(av_dict_copy(&out->metadata, in->metadata, 0) >= 0);
    assert_true(avio_open(&out->pb, to, AVIO_FLAG_WRITE) >= 0);
    assert_true(avformat_write_header(out, NULL) >= 0);
    while (av_read_frame(in, packet) >= 0) {
        if (packet->stream_index == 0) {
            av_packet_rescale_ts(packet, in->streams[0]->time_base, out->streams[0]->time_base);
            assert_true(av_interleaved_write_frame(out, packet) >= 0);
        }
        av_packet_unref(packet);
    }
    assert_int_equal(av_write_trailer(out), 0);
    avio_closep(&out->pb);
    avformat_free_context(out);
    avformat_close_input(&in);
    av_packet_free(&packet);
}

static void every_delivered_file_makes_its_shot_again(void **state)
{
    static const char *const names[] = {"one.mp4", "one_v001.prores.mov", "one_v001.tiff",
                                        "one.textless.mp4", "one.titles.mov"};
    char ours[300], theirs[300];
    struct error e;

    (void)state;
    deliver("Harbour, \xc3\xa9t\xc3\xa9");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        expect(PROGRAM("rerun", made(names[i]), "-o", again), 0, "the same bytes as", "");
        snprintf(ours, sizeof ours, "%s/shots/one", again);
        snprintf(theirs, sizeof theirs, "%s/shots/one", dir);
        assert_true(tree_within(ours, theirs, NULL) > 10);
        assert_int_equal(path_remove(again, &e), 0);
    }
}

static void a_recipe_survives_a_remux(void **state)
{
    char mkv[128], mp4[128];

    (void)state;
    snprintf(mkv, sizeof mkv, "%s/a.mkv", scratch);
    snprintf(mp4, sizeof mp4, "%s/a.mp4", scratch);
    deliver("Harbour");
    remux(made("one.mp4"), mkv);
    remux(mkv, mp4);
    expect(PROGRAM("rerun", mp4, "-o", again), 0, "1 of 1 shot delivered", "");
    expect(PROGRAM("rerun", made("one.mp4"), "-o", again), 0, "the same bytes as", "");
}

static void what_has_no_recipe_is_refused(void **state)
{
    char path[400];
    char *text;
    size_t size;
    struct error e;

    (void)state;
    deliver("Harbour");
    expect(PROGRAM("rerun", "/nowhere/a.mp4"), 1, "", "/nowhere/a.mp4");
    expect(PROGRAM("rerun", made("one.json")), 2, "",
           "is no recipe of auteur-pipe, or was altered");
    expect(PROGRAM("rerun", made("one.poster.png")), 2, "", "carries no recipe");
    snprintf(path, sizeof path, "%s/recipe.json", made("one_v001.tiff"));
    assert_int_equal(file_read(path, 1 << 20, &text, &size, &e), 0);
    *strchr(strstr(text, "Harbour"), 'b') = 'v';
    assert_int_equal(file_write_atomic(path, text, size, &e), 0);
    free(text);
    expect(PROGRAM("rerun", path), 2, "", "or was altered");
}

static bool timeline_has(const char *words)
{
    char path[300], *text;
    size_t size;
    struct error e;
    bool has;

    snprintf(path, sizeof path, "%s/cards.otio", dir);
    assert_int_equal(file_read(path, 1 << 20, &text, &size, &e), 0);
    has = strstr(text, words);
    free(text);
    return has;
}

static const char *file_of_one(const char *name)
{
    static char path[2][200];
    static int next;
    char *out = path[next++ % 2];

    snprintf(out, sizeof path[0], "%s/shots/one/%s", dir, name);
    return out;
}

static void timelines_are_conformed_to_chosen_versions(void **state)
{
    (void)state;
    deliver("Harbour");
    deliver("Haven");
    assert_true(timeline_has("one_v002.titles.mov") && timeline_has("two_v001.mp4"));
    expect(PROGRAM("conform", dir), 0, "one: v001, v002 (current) (in the timelines)\n", "");
    expect(PROGRAM("conform", dir, "one=1"), 0, "one: v001 (in the timelines), v002 (current)\n",
           "");
    assert_true(timeline_has("one_v001.textless.mp4") && !timeline_has("one_v002."));
    expect(PROGRAM("run", board, "-o", dir), 0, "nothing to do", "");
    assert_true(timeline_has("one_v001.textless.mp4")); /* the choice holds */
    expect(PROGRAM("conform", dir, "one=current"), 0, "v002 (current) (in the timelines)\n", "");
    assert_true(timeline_has("one_v002.titles.mov"));
    assert_int_equal(rename(file_of_one("one_v001.mp4"), file_of_one("away.mp4")), 0);
    expect(PROGRAM("conform", dir, "one=1"), 2, "", "one_v001.mp4 is gone: bring it back");
    assert_int_equal(rename(file_of_one("away.mp4"), file_of_one("one_v001.mp4")), 0);
    expect(PROGRAM("conform", dir, "one=7"), 1, "", "shot one has no version 7: it has 2");
    expect(PROGRAM("conform", dir, "three=1"), 1, "", "cards has no shot 'three'");
    expect(PROGRAM("conform", dir, "one=x"), 1, "", "after the = stands a version's number");
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(every_delivered_file_makes_its_shot_again),
        ONE(a_recipe_survives_a_remux),
        ONE(what_has_no_recipe_is_refused),
        ONE(timelines_are_conformed_to_chosen_versions),
    };

    return cmocka_run_group_tests_name("rerun", tests, NULL, NULL);
}
