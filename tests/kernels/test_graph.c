/* A recorded graph's operations are done once whenever they are asked for: issued first, recorded
 * then, replayed after; anew when something changed; plainly where recording fails. The recorder
 * here takes down what it is told, as a GPU's does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "kernels/device_impl.h"

static struct {
    bool refuses_begin, loses; /* begin() or end() fails */
    int begun, ended, replayed, forgotten;
    int recording; /* what the body adds to `value` */
} fake;
static int value, issued;

static bool fake_begin(struct device *d)
{
    (void)d;
    fake.begun++;
    fake.recording = 0;
    return !fake.refuses_begin;
}

static void *fake_end(struct device *d)
{
    (void)d;
    fake.ended++;
    return fake.loses ? NULL : &fake.recording;
}

static void fake_replay(struct device *d, void *recording)
{
    (void)d;
    assert_ptr_equal(recording, &fake.recording);
    fake.replayed++;
    value += fake.recording;
}

static void fake_forget(struct device *d, void *recording)
{
    (void)d;
    assert_ptr_equal(recording, &fake.recording);
    fake.forgotten++;
}

static const struct device_recorder recorder = {fake_begin, fake_end, fake_replay, fake_forget};
static struct device *d;

static char heard[4][200];
static int heard_count;

static void hear(void *ctx, const struct note *note)
{
    (void)ctx;
    if (note->topic == NOTE_GRAPH)
        note_line(note, heard[heard_count++], sizeof heard[0]);
}

static int begin(void **unused)
{
    struct error e = {0};

    (void)unused;
    memset(&fake, 0, sizeof fake);
    value = issued = heard_count = 0;
    if (device_open(&(struct device_options){.threads = 1, .notes = {hear, NULL}}, &d, &e))
        return -1;
    d->recorder = &recorder;
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    device_close(d);
    return 0;
}

/* The body: an addition, done at once or taken down. */
static void add(int n)
{
    issued++;
    if (d->recording)
        fake.recording += n;
    else
        value += n;
}

static void use(struct device_graph *g, int key)
{
    while (device_graph(d, g, &key, sizeof key))
        add(1);
}

static void test_issued_recorded_replayed(void **unused)
{
    struct device_graph g = {0};

    (void)unused;
    for (int i = 1; i <= 10; i++) {
        use(&g, 7);
        assert_int_equal(value, i);
    }
    assert_int_equal(issued, 2);
    assert_int_equal(fake.replayed, 9);
    device_graph_free(&g);
    assert_int_equal(fake.forgotten, 1);
    device_graph_free(&g);
    assert_int_equal(fake.forgotten, 1);
}

/* One line for each purpose, when the first recording is there; or one that says why there is none.
 */
static void test_says_what_was_captured(void **unused)
{
    struct device_graph step = {0}, tile = {.of = "Decoding"}, streamed = {0};

    (void)unused;
    use(&step, 7);
    assert_int_equal(heard_count, 0);
    for (int i = 0; i < 3; i++)
        use(&step, 7);
    for (int i = 0; i < 3; i++)
        use(&tile, 7);
    d->streams = 1;
    for (int i = 0; i < 3; i++)
        use(&streamed, 7);
    d->streams = 0;
    assert_int_equal(heard_count, 3);
    assert_string_equal(heard[0], "[CPU_ENGINE] CUDA Graph Captured (Sampling Latency Optimized).");
    assert_string_equal(heard[1], "[CPU_ENGINE] CUDA Graph Captured (Decoding Latency Optimized).");
    assert_string_equal(
        heard[2], "[CPU_ENGINE] CUDA Graph Unavailable: weights come from the host while it works");
    device_graph_free(&step);
    device_graph_free(&tile);
    device_graph_free(&streamed);
}

/* Another key, freed memory, a device without a recorder: as often as it is asked for. */
static void test_changes_begin_anew(void **unused)
{
    struct device_graph g = {0};

    (void)unused;
    for (int i = 0; i < 5; i++)
        use(&g, 7);
    use(&g, 8);
    assert_int_equal(issued, 3);
    assert_int_equal(fake.forgotten, 1);
    for (int i = 0; i < 5; i++)
        use(&g, 8);
    assert_int_equal(issued, 4);
    d->memory_changes++;
    use(&g, 8);
    assert_int_equal(issued, 5);
    assert_int_equal(fake.forgotten, 2);
    use(&g, 8);
    use(&g, 8);
    assert_int_equal(issued, 6);
    assert_int_equal(value, 14);
    device_graph_free(&g);

    d->recorder = NULL;
    for (int i = 0; i < 3; i++)
        use(&g, 8);
    assert_int_equal(issued, 9);
    assert_int_equal(value, 17);
    device_graph_free(&g);
}

static void test_what_cannot_be_recorded_is_issued(void **unused)
{
    struct device_graph g = {0};
    struct error e = {0};

    (void)unused;
    fake.refuses_begin = true;
    for (int i = 1; i <= 3; i++) {
        use(&g, 7);
        assert_int_equal(value, i);
    }
    assert_int_equal(fake.begun, 1);
    fake.refuses_begin = false;
    fake.loses = true;
    for (int i = 4; i <= 8; i++) {
        use(&g, 9);
        assert_int_equal(value, i);
    }
    assert_int_equal(fake.ended, 1);
    assert_int_equal(fake.replayed, 0);
    assert_int_equal(device_status(d, &e), 0);
    device_graph_free(&g);
}

/* An operation that meets host memory spoils a recording, and then does its work plainly. */
static void test_host_memory_is_not_recorded(void **unused)
{
    struct device_graph g = {0};
    struct error e = {0};
    float from = 0, to = 0;
    const int64_t one = 1;
    struct tensor host = tensor_f32(&from, 1, &one), there = tensor_f32(&to, 1, &one);

    (void)unused;
    for (int i = 1; i <= 4; i++) {
        from = (float)i;
        while (device_graph(d, &g, &one, sizeof one)) {
            op_write(d, &there, &host);
            if (!d->recording)
                add(1);
        }
        assert_float_equal(to, from, 0);
        assert_int_equal(value, i);
    }
    assert_int_equal(fake.forgotten, 1);
    assert_int_equal(device_status(d, &e), 0);
    device_graph_free(&g);
}

/* A graph used while another is recorded becomes a part of that, and stays its own after. */
static void test_within_another(void **unused)
{
    struct device_graph outer = {0}, inner = {0};
    int key = 1;

    (void)unused;
    for (int i = 1; i <= 6; i++) {
        while (device_graph(d, &outer, &key, sizeof key))
            use(&inner, 2);
        assert_int_equal(value, i);
    }
    for (int i = 7; i <= 9; i++) {
        use(&inner, 2);
        assert_int_equal(value, i);
    }
    device_graph_free(&outer);
    device_graph_free(&inner);
}

static void use_one_of(struct device_graphs *all, int key)
{
    struct device_graph *g = device_graph_for(all, &key, sizeof key);

    use(g, key);
}

/* Keys by turns have a recording each; one key too many takes the place of the oldest. */
static void test_a_recording_for_each_key(void **unused)
{
    struct device_graphs all = {0};
    int count = 0;

    (void)unused;
    for (int turn = 0; turn < 5; turn++)
        for (int key = 1; key <= DEVICE_GRAPHS; key++) {
            use_one_of(&all, key);
            assert_int_equal(value, ++count);
        }
    assert_int_equal(issued, 2 * DEVICE_GRAPHS);
    assert_int_equal(fake.ended, DEVICE_GRAPHS);
    use_one_of(&all, DEVICE_GRAPHS + 1);
    assert_int_equal(fake.forgotten, 1);
    use_one_of(&all, 2);
    assert_int_equal(issued, 2 * DEVICE_GRAPHS + 1);
    use_one_of(&all, 1);
    assert_int_equal(issued, 2 * DEVICE_GRAPHS + 2);
    assert_int_equal(fake.forgotten, 2);
    device_graphs_free(&all);
    assert_int_equal(fake.forgotten, DEVICE_GRAPHS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_issued_recorded_replayed, begin, end),
        cmocka_unit_test_setup_teardown(test_says_what_was_captured, begin, end),
        cmocka_unit_test_setup_teardown(test_changes_begin_anew, begin, end),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_recorded_is_issued, begin, end),
        cmocka_unit_test_setup_teardown(test_host_memory_is_not_recorded, begin, end),
        cmocka_unit_test_setup_teardown(test_within_another, begin, end),
        cmocka_unit_test_setup_teardown(test_a_recording_for_each_key, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
