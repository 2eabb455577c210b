/* What a device says of itself: once, in the right words, to the one who listens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "kernels/device_impl.h"

struct heard {
    int count;
    char lines[32][300];
    enum note_topic topic[32];
};

static void hear(void *ctx, const struct note *note)
{
    struct heard *h = ctx;

    assert_true(h->count < 32);
    h->topic[h->count] = note->topic;
    note_line(note, h->lines[h->count++], sizeof h->lines[0]);
}

static struct device *listened(struct heard *h, struct device_options o)
{
    struct device *d;
    struct error e = {0};

    *h = (struct heard){0};
    o.notes = (struct note_listener){hear, h};
    o.threads = 2;
    if (device_open(&o, &d, &e) != 0)
        fail_msg("%s", e.text);
    return d;
}

static void a_device_says_a_thing_once(void **state)
{
    struct heard h;
    struct device *d = listened(&h, (struct device_options){0});

    (void)state;
    h.count = 0;
    for (int i = 0; i < 3; i++) {
        device_note(d, NOTE_FP8, "sm_%d%d FP8 Path Activated.", 9, 0);
        device_note_off(d, NOTE_GRAPH, "--graphs off");
        device_note_missing(d, NOTE_FUSED_ATTENTION, "no %s", "cuDNN");
    }
    assert_int_equal(h.count, 3);
    assert_string_equal(h.lines[0], "[CPU_ENGINE] sm_90 FP8 Path Activated.");
    assert_string_equal(h.lines[1], "[CPU_ENGINE] CUDA Graph Switched Off: --graphs off");
    assert_string_equal(h.lines[2], "[CPU_ENGINE] Fused Attention Unavailable: no cuDNN");
    device_close(d);
}

static void what_changes_is_told_again_when_it_changed(void **state)
{
    static const int tiles[] = {1280, 1280, 640, 640, 640};
    struct heard h;
    struct device *d = listened(&h, (struct device_options){0});

    (void)state;
    h.count = 0;
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++)
        device_note(d, NOTE_TILES, "Optimized Tile Size: %dx%d based on 16GB VRAM.", tiles[i],
                    tiles[i]);
    assert_int_equal(h.count, 2);
    assert_string_equal(h.lines[1],
                        "[CPU_ENGINE] Optimized Tile Size: 640x640 based on 16GB VRAM.");
    device_close(d);
}

static void the_prefix_is_the_architecture(void **state)
{
    static const struct {
        int major, minor;
        const char *name;
    } chips[] = {
        {0, 0, "CPU_ENGINE"},        {8, 0, "AMPERE_ENGINE"},     {8, 6, "AMPERE_ENGINE"},
        {8, 7, "AMPERE_ENGINE"},     {8, 9, "ADA_ENGINE"},        {9, 0, "HOPPER_ENGINE"},
        {10, 0, "BLACKWELL_ENGINE"}, {10, 3, "BLACKWELL_ENGINE"}, {12, 0, "BLACKWELL_ENGINE"},
        {12, 1, "BLACKWELL_ENGINE"}, {7, 5, "CUDA_ENGINE"},       {13, 0, "CUDA_ENGINE"}};
    struct heard h;
    struct device *d = listened(&h, (struct device_options){0});

    (void)state;
    for (size_t i = 0; i < sizeof chips / sizeof *chips; i++)
        assert_string_equal(engine_name(chips[i].major, chips[i].minor), chips[i].name);
    h.count = 0;
    d->facts.major = 12;
    device_note(d, NOTE_FP8, "sm_120 FP8 Path Activated.");
    assert_string_equal(h.lines[0], "[BLACKWELL_ENGINE] sm_120 FP8 Path Activated.");
    device_close(d);
}

static void a_processor_names_its_instruction_set(void **state)
{
    struct heard h;
    struct device *d = listened(&h, (struct device_options){0});
    char expected[200];

    (void)state;
    snprintf(expected, sizeof expected, "[CPU_ENGINE] %s Kernels Activated (2 threads).",
             cpu_instruction_set());
    assert_int_equal(h.count, 1);
    assert_string_equal(h.lines[0], expected);
    assert_string_equal(device_facts(d)->name, cpu_instruction_set());
    assert_int_equal(device_facts(d)->major, 0);
    device_close(d);
}

/* Without a GPU the reason is told before the processor takes over; with one, what it is. */
static void a_gpu_that_is_missing_is_told_with_its_reason(void **state)
{
    struct heard h;
    struct device *d = listened(&h, (struct device_options){.kind = DEVICE_CUDA, .or_cpu = true});

    (void)state;
    if (device_kind(d) == DEVICE_CUDA) {
        assert_int_equal(h.topic[0], NOTE_DEVICE);
    } else {
        assert_int_equal(h.count, 2);
        assert_int_equal(h.topic[0], NOTE_GPU);
        assert_non_null(strstr(h.lines[0], "[CPU_ENGINE] GPU Unavailable: "));
        assert_int_equal(h.topic[1], NOTE_DEVICE);
    }
    device_close(d);
}

static void a_device_beside_has_the_same_listener(void **state)
{
    struct heard h;
    struct device *d = listened(&h, (struct device_options){0}), *beside;
    struct error e = {0};

    (void)state;
    h.count = 0;
    assert_int_equal(device_open_beside(d, DTYPE_F32, &beside, &e), 0);
    assert_int_equal(h.count, 1);
    device_close(beside);
    device_close(d);
}

/* Long reasons (a dlerror) are cut, never written past; and nobody need listen. */
static void long_texts_are_cut(void **state)
{
    struct heard h;
    struct device *d = listened(&h, (struct device_options){0}), *silent;
    struct error e = {0};
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    h.count = 0;
    device_note_missing(d, NOTE_SEARCH, "%s", text);
    device_note_missing(d, NOTE_SEARCH, "%s", text);
    assert_int_equal(h.count, 1);
    device_close(d);
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &silent, &e), 0);
    device_note(silent, NOTE_FP8, "%s", text);
    device_close(silent);
    device_note(NULL, NOTE_FP8, "a model that is only looked through has no device");
}

static void every_topic_has_a_name_and_a_title(void **state)
{
    (void)state;
    for (int i = 0; i < NOTE_TOPICS; i++) {
        assert_non_null(note_topic_name((enum note_topic)i));
        assert_non_null(note_topic_title((enum note_topic)i));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(note_topic_name((enum note_topic)i),
                                    note_topic_name((enum note_topic)k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_says_a_thing_once),
        cmocka_unit_test(what_changes_is_told_again_when_it_changed),
        cmocka_unit_test(the_prefix_is_the_architecture),
        cmocka_unit_test(a_processor_names_its_instruction_set),
        cmocka_unit_test(a_gpu_that_is_missing_is_told_with_its_reason),
        cmocka_unit_test(a_device_beside_has_the_same_listener),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(every_topic_has_a_name_and_a_title),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
