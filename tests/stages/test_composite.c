/* Lettering: in the right place, in the right colour, at the right time, from the right font, or an
 * error before anything else is done. */
#include "tests/stages/media_job.h"

#include <math.h>
#include <pthread.h>

#include "stages/composite/fonts.h"
#include "stages/composite/layout.h"
#include "stages/composite/overlays.h"
#include "stages/media/reader.h"

static const struct rational film = {24, 1};

struct layer {
    struct media_reader *r;
    AVFrame *f;
};

static void open_layer(struct media_job *m, struct layer *l)
{
    const struct artefact *a = media_input(&m->job, STAGE_COMPOSITE, "titles.mkv");

    assert_non_null(a);
    assert_non_null(a->path);
    if (media_reader_open(a->path, "titles", 1, &l->r, &m->e) != 0)
        fail_msg("%s", m->e.text);
}

/* The frame of the shot at which the next stored frame begins; -1 at the end. */
static int next_frame(struct media_job *m, struct layer *l)
{
    int got = media_reader_next(l->r, &l->f, &m->e);

    assert_true(got >= 0);
    return got ? (int)lround((double)l->f->pts * av_q2d(media_reader_stream(l->r)->time_base) *
                             m->board.fps.num / m->board.fps.den)
               : -1;
}

static const uint8_t *pixel(const AVFrame *f, int x, int y)
{
    return f->data[0] + y * f->linesize[0] + 4 * x;
}

struct ink {
    int left, top, right, bottom; /* of what is not clear; right and bottom outside */
    int64_t sum;                  /* of alpha */
};

static struct ink ink_of(const AVFrame *f)
{
    struct ink i = {f->width, f->height, 0, 0, 0};

    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            int alpha = pixel(f, x, y)[3];

            i.sum += alpha;
            if (alpha < 8) /* the last breath of a glow */
                continue;
            i.left = x < i.left ? x : i.left;
            i.right = x + 1 > i.right ? x + 1 : i.right;
            i.top = y < i.top ? y : i.top;
            i.bottom = y + 1 > i.bottom ? y + 1 : i.bottom;
        }
    return i;
}

/* One overlay on a shot of a second; the ink of its first stored frame. */
static struct ink set_one(struct overlay o, int width, int height)
{
    struct media_job *m = media_job_new(width, height, film, 24);
    struct layer l;
    struct ink ink;

    m->shot.overlays = &o;
    m->shot.overlay_count = 1;
    media_must(m, STAGE_COMPOSITE, &stage_composite);
    open_layer(m, &l);
    assert_int_equal(next_frame(m, &l), 0);
    ink = ink_of(l.f);
    media_reader_close(l.r);
    media_job_free(m);
    return ink;
}

static void without_overlays_the_layer_is_empty(void **state)
{
    struct media_job *m = media_job_new(64, 48, film, 24);
    const struct artefact *a;

    (void)state;
    media_must(m, STAGE_COMPOSITE, &stage_composite);
    a = media_input(&m->job, STAGE_COMPOSITE, "titles.mkv");
    assert_non_null(a);
    assert_null(a->path);
    assert_non_null(a->bytes);
    assert_int_equal(a->size, 0);
    media_job_free(m);
}

static void everything_stays_in_the_safe_area(void **state)
{
    static const int sizes[][2] = {{384, 224}, {1280, 720}, {200, 400}};

    (void)state;
    for (int s = 0; s < 3; s++)
        for (int style = 0; style < OVERLAY_STYLES; style++)
            for (int at = 0; at < POSITIONS; at += s == 1 ? 3 : 7) {
                struct overlay o = media_overlay(
                    (enum overlay_style)style,
                    "Some words of a fair length that will have to be broken into lines");
                struct ink ink;
                int glow = sizes[s][1] / 60; /* soft edges may reach over */

                o.position = (enum overlay_position)at;
                ink = set_one(o, sizes[s][0], sizes[s][1]);
                assert_true(ink.sum > 0);
                assert_true(ink.left >= sizes[s][0] * 0.05 - glow);
                assert_true(ink.right <= sizes[s][0] * 0.95 + glow);
                assert_true(ink.top >= sizes[s][1] * 0.05 - glow);
                assert_true(ink.bottom <= sizes[s][1] * 0.95 + glow);
            }
}

static void positions_are_where_they_say(void **state)
{
    (void)state;
    for (int at = POSITION_TOP_LEFT; at < POSITIONS; at++) {
        struct overlay o = media_overlay(OVERLAY_CREDIT, "Here");
        int column = (at - POSITION_TOP_LEFT) % 3, row = (at - POSITION_TOP_LEFT) / 3;
        struct ink ink;

        o.position = (enum overlay_position)at;
        ink = set_one(o, 640, 360);
        assert_int_equal((ink.left + ink.right) / 2 * 3 / 640, column);
        assert_int_equal((ink.top + ink.bottom) / 2 * 3 / 360, row);
    }
}

static void right_to_left_begins_at_the_right(void **state)
{
    struct overlay latin = media_overlay(OVERLAY_LOWER_THIRD, "Ada Lovelace");
    struct overlay arabic = media_overlay(OVERLAY_LOWER_THIRD, "فاطمة الزهراء");
    struct overlay hebrew = media_overlay(OVERLAY_LOWER_THIRD, "שלום עולם");
    struct ink l = set_one(latin, 640, 360), a = set_one(arabic, 640, 360),
               h = set_one(hebrew, 640, 360);

    (void)state;
    assert_int_equal(l.left, 32);
    assert_true(l.right < 320);
    assert_int_equal(a.right, 608);
    assert_true(a.left > 320);
    assert_int_equal(h.right, 608);
    /* Panels of one style are of one height, whatever the script's own lines. */
    assert_true(abs((a.bottom - a.top) - (l.bottom - l.top)) <= 1);
    assert_true(abs((h.bottom - h.top) - (l.bottom - l.top)) <= 1);
}

/* Letters joined: the word is narrower than its letters set apart. */
static void arabic_is_shaped(void **state)
{
    struct ink joined = set_one(media_overlay(OVERLAY_CREDIT, "سلام"), 640, 360);
    struct ink apart = set_one(media_overlay(OVERLAY_CREDIT, "س\u200cل\u200cا\u200cم"), 640, 360);

    (void)state;
    assert_true(joined.right - joined.left < apart.right - apart.left - 5);
}

static void long_chinese_and_japanese_lines_are_broken(void **state)
{
    struct ink one = set_one(media_overlay(OVERLAY_CAPTION, "千里之行始於足下"), 640, 360);
    struct ink two = set_one(
        media_overlay(
            OVERLAY_CAPTION,
            "私たちは光が尾根の向こうに戻ってくるのを待ち、それから港まで歩いて下りました。"),
        640, 360);

    (void)state;
    assert_true(two.bottom - two.top > 1.8 * (one.bottom - one.top));
    assert_true(two.right <= 608 && two.left >= 32);
    /* Two lines of about one length: neither edge is far in. */
    assert_true(abs((two.left + two.right) / 2 - 320) < 20);
}

static void each_language_has_its_own_han_forms(void **state)
{
    struct fonts *fonts;
    struct error e = {0};
    const struct font *first;

    (void)state;
    assert_int_equal(fonts_open(&fonts, &e), 0);
    first = fonts_find(fonts, "Noto Sans", false, &e);
    assert_non_null(first);
    assert_string_equal(font_family(fonts_for(fonts, first, NULL, 0x76F4, HAN_CHINESE)),
                        "Noto Sans CJK SC");
    assert_string_equal(font_family(fonts_for(fonts, first, NULL, 0x76F4, HAN_JAPANESE)),
                        "Noto Sans CJK JP");
    assert_string_equal(font_family(fonts_for(fonts, first, NULL, 0x0627, HAN_CHINESE)),
                        "Noto Sans Arabic");
    assert_string_equal(font_family(fonts_for(fonts, first, NULL, 'a', HAN_CHINESE)), "Noto Sans");
    assert_int_equal(fonts_han("東京へ"), HAN_JAPANESE);
    assert_int_equal(fonts_han("서울 東"), HAN_KOREAN);
    assert_int_equal(fonts_han("北京"), HAN_CHINESE);
    fonts_close(fonts);
}

static void check_one(struct overlay o, const char *words, const char *more)
{
    struct media_job *m = media_job_new(640, 360, film, 24);

    m->shot.overlays = &o;
    m->shot.overlay_count = 1;
    assert_int_equal(stage_composite.check(&m->env, &m->shot, &m->e), words ? -1 : 0);
    if (words && (!strstr(m->e.text, words) || !strstr(m->e.text, more)))
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", m->e.text, words, more);
    media_job_free(m);
}

static void missing_fonts_and_glyphs_are_found_at_check(void **state)
{
    struct overlay o = media_overlay(OVERLAY_TITLE, "Words");
    char text[2100];

    (void)state;
    check_one(o, NULL, NULL);
    o.font = "Nonexistent Grotesk";
    check_one(o, "overlay in line 7 (title): the font \"Nonexistent Grotesk\" is not installed",
              "fc-list");
    o.font = "Noto Sans{\\b1}";
    check_one(o, "is not installed", "Noto Sans{");
    o.font = "noto serif"; /* names are found whatever their case */
    check_one(o, NULL, NULL);
    o.font = "";
    o.text = "A \U000F1234 here"; /* private use: no font has it */
    check_one(o, "overlay in line 7 (title)", "U+F1234");
    o.text = "Fine";
    o.subtext = "\uE0F0";
    check_one(o, "no installed font has the character", "U+E0F0");
    o.subtext = "Emoji families keep their joiners \u200d and marks \ufe0f";
    check_one(o, NULL, NULL);
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    o.text = text;
    check_one(o, "more than 2000 bytes", "line 7");
    check_one(media_overlay(OVERLAY_TIMECODE, ""), NULL, NULL);
    check_one(media_overlay(OVERLAY_CAPTION,
                            "العربية עברית 中文 日本語 한국어 हिन्दी ไทย Ελληνικά Кириллица"),
              NULL, NULL);
}

static void what_does_not_fit_is_an_error(void **state)
{
    struct media_job *m = media_job_new(200, 120, film, 24);
    struct overlay o = media_overlay(OVERLAY_TITLE, "Donaudampfschifffahrtsgesellschaftskapitaen");

    (void)state;
    o.size = 0.5;
    m->shot.overlays = &o;
    m->shot.overlay_count = 1;
    assert_int_equal(media_run(m, STAGE_COMPOSITE, &stage_composite), -1);
    assert_int_equal(m->e.code, ERROR_INPUT);
    assert_non_null(strstr(m->e.text, "overlay in line 7 (title): the text \"Donaudampf"));
    /* And was one before anything else was made. */
    error_clear(&m->e);
    assert_int_equal(stage_composite.check(&m->env, &m->shot, &m->e), -1);
    assert_int_equal(m->e.code, ERROR_INPUT);
    assert_non_null(strstr(m->e.text, "overlay in line 7 (title): the text \"Donaudampf"));
    media_job_free(m);
    check_one(media_overlay(OVERLAY_TITLE,
                            "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbau"
                            "unterbeamtengesellschaft"),
              "does not fit the picture", "shorten it");
}

/* check() and run() are of one mind, whatever the words and the size. */
static void what_passes_the_check_is_set(void **state)
{
    static const char *const texts[] = {
        "Short",
        "Some words of a fair length that will have to be broken into lines",
        "Donaudampfschifffahrtsgesellschaft",
        "Beyond U+FFFF: \U0001F71A \U00013000",
        "1\n2\n3\n4\n5\n6\n7",
        "私たちは光が尾根の向こうに戻ってくるのを待ち、それから港まで歩いて下りました。",
        "نص عربي طويل بعض الشيء يوضع في سطرين"};
    int refused = 0, passed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (int style = 0; style < OVERLAY_STYLES; style++)
            for (double size = 0; size < 0.3; size += 0.07) {
                struct media_job *m = media_job_new(384, 224, film, 1);
                struct overlay o[2] = {media_overlay((enum overlay_style)style, texts[i]),
                                       media_overlay(OVERLAY_CAPTION, "Beside it")};
                struct error e = {0};

                o[0].size = size;
                m->shot.overlays = o;
                m->shot.overlay_count = 1 + (i & 1);
                if (stage_composite.check(&m->env, &m->shot, &m->e) == 0) {
                    media_must(m, STAGE_COMPOSITE, &stage_composite);
                    passed++;
                } else {
                    e = m->e;
                    assert_int_equal(media_run(m, STAGE_COMPOSITE, &stage_composite), -1);
                    assert_string_equal(m->e.text, e.text);
                    refused++;
                }
                media_job_free(m);
            }
    assert_true(passed > 20 && refused > 5);
}

static void overlays_without_room_are_found_at_check(void **state)
{
    struct media_job *m = media_job_new(384, 224, film, 24);
    struct overlay o[2] = {media_overlay(OVERLAY_TITLE, "One\ntwo\nthree\nfour\nfive\nsix"),
                           media_overlay(OVERLAY_TITLE, "And another")};

    (void)state;
    o[1].line = 9;
    m->shot.overlays = o;
    m->shot.overlay_count = 2;
    assert_int_equal(stage_composite.check(&m->env, &m->shot, &m->e), -1);
    assert_int_equal(m->e.code, ERROR_INPUT);
    assert_non_null(strstr(m->e.text, "overlay in line 9 (title): there is no room for it beside "
                                      "the title in line 7: give one another position"));
    o[0].out = o[1].in = 0.5; /* one after the other there is */
    error_clear(&m->e);
    assert_int_equal(stage_composite.check(&m->env, &m->shot, &m->e), 0);
    media_job_free(m);
}

static void markup_is_only_words(void **state)
{
    /* Were it markup, the first would be two lines, the second hold no ink. */
    struct ink plain = set_one(media_overlay(OVERLAY_CREDIT, "one two"), 640, 360);
    struct ink line = set_one(media_overlay(OVERLAY_CREDIT, "one\\Ntwo"), 640, 360);
    struct ink brace = set_one(media_overlay(OVERLAY_CREDIT, "{\\an1\\alpha&HFF&}"), 640, 360);
    struct ink open = set_one(media_overlay(OVERLAY_CREDIT, "a \\{ b {"), 640, 360);
    struct ink two = set_one(media_overlay(OVERLAY_CREDIT, "one\ntwo"), 640, 360);

    (void)state;
    assert_true(line.bottom - line.top < 1.5 * (plain.bottom - plain.top));
    assert_true(two.bottom - two.top > 1.8 * (plain.bottom - plain.top));
    assert_true(brace.sum > 2 * plain.sum);
    assert_true(abs((brace.left + brace.right) / 2 - 320) < 10);
    assert_true(open.sum > plain.sum / 3);
    assert_true(open.right - open.left > 40);
}

static void colours_are_exact(void **state)
{
    static const unsigned colours[] = {0xFF0000, 0x12345F, 0xFFFFFF, 0x000000, 0xE8B341};

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct media_job *m = media_job_new(640, 360, film, 4);
        struct overlay o = media_overlay(OVERLAY_TITLE, "HEX");
        struct layer l;
        int exact = 0;

        o.has_color = true;
        o.color = colours[i];
        o.size = 0.4;
        m->shot.overlays = &o;
        m->shot.overlay_count = 1;
        media_must(m, STAGE_COMPOSITE, &stage_composite);
        open_layer(m, &l);
        assert_int_equal(next_frame(m, &l), 0);
        for (int y = 0; y < 360; y++)
            for (int x = 0; x < 640; x++) {
                const uint8_t *p = pixel(l.f, x, y);

                exact += p[3] == 255 && p[2] == colours[i] >> 16 &&
                         p[1] == (colours[i] >> 8 & 255) && p[0] == (colours[i] & 255);
            }
        assert_true(exact > 2000); /* the insides of three letters 144 pixels tall */
        media_reader_close(l.r);
        media_job_free(m);
    }
}

static void times_and_fades_are_to_the_frame(void **state)
{
    struct media_job *m = media_job_new(320, 180, (struct rational){24000, 1001}, 48);
    struct overlay o = media_overlay(OVERLAY_TITLE, "Title");
    struct layer l;
    int64_t sums[48] = {0}, last = 0;
    int n, stored = 0, next;

    (void)state;
    o.in = 10 * 1001 / 24000.0;
    o.out = 40 * 1001 / 24000.0;
    o.fade_in = 4 * 1001 / 24000.0;
    o.fade_out = 8 * 1001 / 24000.0;
    m->shot.overlays = &o;
    m->shot.overlay_count = 1;
    media_must(m, STAGE_COMPOSITE, &stage_composite);
    open_layer(m, &l);
    next = next_frame(m, &l);
    for (n = 0; n < 48; n++) {
        if (n == next) {
            last = ink_of(l.f).sum;
            stored++;
            next = next_frame(m, &l);
        }
        sums[n] = last;
    }
    media_reader_close(l.r);
    /* The first, clear; four in, one by one; one that stands; eight out; one that is clear. */
    assert_int_equal(stored, 1 + 4 + 1 + 8 + 1);
    assert_int_equal(sums[9], 0);
    assert_int_equal(sums[40], 0);
    assert_true(sums[20] > 0);
    for (n = 10; n < 14; n++)
        assert_true(fabs((double)sums[n] / (double)sums[20] - (n - 10 + 0.5) / 4) < 0.01);
    for (n = 32; n < 40; n++)
        assert_true(fabs((double)sums[n] / (double)sums[20] - (40 - n - 0.5) / 8) < 0.01);
    media_job_free(m);
}

static void timecode_runs_and_stands_still(void **state)
{
    struct media_job *m = media_job_new(640, 360, film, 30);
    struct overlay o = media_overlay(OVERLAY_TIMECODE, "");
    struct ink first = {0};
    struct layer l;
    int n = 0, at;

    (void)state;
    m->shot.overlays = &o;
    m->shot.overlay_count = 1;
    media_must(m, STAGE_COMPOSITE, &stage_composite);
    open_layer(m, &l);
    while ((at = next_frame(m, &l)) >= 0) {
        struct ink ink = ink_of(l.f);

        assert_int_equal(at, n);
        if (n == 0)
            first = ink;
        /* The panel does not follow the digits. */
        assert_int_equal(ink.left, first.left);
        assert_int_equal(ink.right, first.right);
        assert_int_equal(ink.top, first.top);
        assert_int_equal(ink.bottom, first.bottom);
        n++;
    }
    assert_int_equal(n, 30);
    media_reader_close(l.r);
    media_job_free(m);
}

static void overlays_that_meet_make_room(void **state)
{
    struct media_job *m = media_job_new(640, 360, film, 24);
    struct overlay o[2] = {media_overlay(OVERLAY_CAPTION, "The first caption"),
                           media_overlay(OVERLAY_CAPTION, "The second caption")};
    struct ink one = set_one(o[0], 640, 360), both;
    struct layer l;

    (void)state;
    m->shot.overlays = o;
    m->shot.overlay_count = 2;
    media_must(m, STAGE_COMPOSITE, &stage_composite);
    open_layer(m, &l);
    assert_int_equal(next_frame(m, &l), 0);
    both = ink_of(l.f);
    assert_true(both.bottom == one.bottom && both.bottom - both.top > 2 * (one.bottom - one.top));
    media_reader_close(l.r);
    media_job_free(m);
}

/* What is written first is read first: above. */
static void overlays_that_meet_are_read_in_order(void **state)
{
    static const enum overlay_position at[] = {POSITION_TOP_LEFT, POSITION_LEFT,
                                               POSITION_BOTTOM_LEFT};

    (void)state;
    for (int k = 0; k < 3; k++) {
        struct overlay o[3] = {media_overlay(OVERLAY_LOWER_THIRD, "First"),
                               media_overlay(OVERLAY_LOWER_THIRD, "Second"),
                               media_overlay(OVERLAY_LOWER_THIRD, "Third")};
        struct placed items[3] = {0};
        struct error e = {0};

        for (int i = 0; i < 3; i++) {
            o[i].position = at[k];
            items[i].overlay = &o[i];
            items[i].last = 23;
            items[i].block.width = 200;
            items[i].block.height = 40;
        }
        assert_int_equal(layout_place(items, 3, 640, 360, &e), 0);
        for (int i = 0; i < 2; i++)
            assert_true(items[i].y + 40 <= items[i + 1].y);
    }
}

static void lettering_of_the_prompt_is_set_too(void **state)
{
    static const char json[] = "{\"overlays\": [{\"style\": \"title\", "
                               "\"text\": \"HARBOUR\"}]}";
    struct media_job *m = media_job_new(320, 180, film, 48);
    struct artefact a = {.name = "lettering.json", .bytes = json, .size = sizeof json - 1};
    const struct overlay *o;
    struct layer l;
    size_t count;

    (void)state;
    m->now = STAGE_ENHANCE;
    assert_int_equal(media_output(&m->job, &a, &m->e), 0);
    assert_int_equal(overlays_of_job(&m->job, &o, &count, &m->e), 0);
    assert_int_equal(count, 1);
    assert_string_equal(o->text, "HARBOUR");
    assert_int_equal(o->style, OVERLAY_TITLE);
    media_must(m, STAGE_COMPOSITE, &stage_composite);
    open_layer(m, &l);
    assert_int_equal(next_frame(m, &l), 0);
    assert_true(ink_of(l.f).sum > 0);
    media_reader_close(l.r);
    media_job_free(m);
}

static void the_same_overlays_give_the_same_bytes(void **state)
{
    struct media_job *m = media_job_new(320, 180, film, 24);
    struct overlay o[2] = {media_overlay(OVERLAY_TITLE, "Title"),
                           media_overlay(OVERLAY_TIMECODE, "")};
    struct hash128 a, b;

    (void)state;
    m->shot.overlays = o;
    m->shot.overlay_count = 2;
    media_must(m, STAGE_COMPOSITE, &stage_composite);
    assert_int_equal(hash_file(m->made[0].path, &a, &m->e), 0);
    media_must(m, STAGE_COMPOSITE, &stage_composite);
    assert_int_equal(hash_file(m->made[1].path, &b, &m->e), 0);
    assert_true(hash_equal(a, b));
    media_job_free(m);
}

static void *set_in_thread(void *opaque)
{
    struct media_job *m = opaque;

    return media_run(m, STAGE_COMPOSITE, &stage_composite) == 0 ? m : NULL;
}

static void several_shots_at_once_give_the_same_bytes(void **state)
{
    struct overlay o[3] = {media_overlay(OVERLAY_TITLE, "千里之行 and العربية"),
                           media_overlay(OVERLAY_TIMECODE, ""),
                           media_overlay(OVERLAY_LOWER_THIRD, "שלום")};
    struct media_job *jobs[4];
    struct hash128 first, other;
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        jobs[i] = media_job_new(320, 180, film, 12);
        jobs[i]->shot.overlays = o;
        jobs[i]->shot.overlay_count = 3;
        assert_int_equal(pthread_create(&threads[i], NULL, set_in_thread, jobs[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *result;

        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
        assert_int_equal(hash_file(jobs[i]->made[0].path, i ? &other : &first, &jobs[i]->e), 0);
        assert_true(i == 0 || hash_equal(first, other));
    }
    for (int i = 0; i < 4; i++)
        media_job_free(jobs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_overlays_the_layer_is_empty),
        cmocka_unit_test(everything_stays_in_the_safe_area),
        cmocka_unit_test(positions_are_where_they_say),
        cmocka_unit_test(right_to_left_begins_at_the_right),
        cmocka_unit_test(arabic_is_shaped),
        cmocka_unit_test(long_chinese_and_japanese_lines_are_broken),
        cmocka_unit_test(each_language_has_its_own_han_forms),
        cmocka_unit_test(missing_fonts_and_glyphs_are_found_at_check),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(what_passes_the_check_is_set),
        cmocka_unit_test(overlays_without_room_are_found_at_check),
        cmocka_unit_test(markup_is_only_words),
        cmocka_unit_test(colours_are_exact),
        cmocka_unit_test(times_and_fades_are_to_the_frame),
        cmocka_unit_test(timecode_runs_and_stands_still),
        cmocka_unit_test(overlays_that_meet_make_room),
        cmocka_unit_test(overlays_that_meet_are_read_in_order),
        cmocka_unit_test(lettering_of_the_prompt_is_set_too),
        cmocka_unit_test(the_same_overlays_give_the_same_bytes),
        cmocka_unit_test(several_shots_at_once_give_the_same_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
