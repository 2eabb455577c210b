/* Content keys and content identity: what makes them change, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "pipeline/execute/identify.h"
#include "pipeline/execute/key.h"

/* A stage that describes what the test says. */
static void (*say)(struct inputs *in);
static int describe(const struct stage_env *env, const struct shot *shot, struct inputs *in,
                    struct error *e)
{
    (void)env, (void)shot, (void)e;
    say(in);
    return 0;
}
static struct stage stage = {.name = "stage", .version = 1, .describe = describe};
static struct stage other = {.name = "other", .version = 1, .describe = describe};
static const struct stage *stages[STAGES] = {&other, &stage, &other, &other, &other};

static struct hash128 key_of(void (*what)(struct inputs *in), const struct hash128 *reads)
{
    struct hash128 keys[STAGES] = {0}, key;
    struct key_maker maker = {0};
    struct error e;

    say = what;
    if (reads)
        keys[0] = *reads;
    assert_int_equal(key_make(&maker, &stage, STAGE_GENERATE, stages, keys, NULL, NULL, &key, &e),
                     0);
    key_maker_free(&maker);
    return key;
}

static void nothing(struct inputs *in)
{
    (void)in;
}
static void ab_c(struct inputs *in)
{
    in->text(in, "x", "ab");
    in->text(in, "y", "c");
}
static void a_bc(struct inputs *in)
{
    in->text(in, "x", "a");
    in->text(in, "y", "bc");
}
static void c_ab(struct inputs *in)
{
    in->text(in, "y", "c");
    in->text(in, "x", "ab");
}
static void text_1(struct inputs *in)
{
    in->text(in, "x", "1");
}
static void integer_1(struct inputs *in)
{
    in->integer(in, "x", 1);
}
static void number_1(struct inputs *in)
{
    in->number(in, "x", 1);
}

static void different_inputs_give_different_keys(void **state)
{
    static void (*const all[])(struct inputs *) = {nothing, ab_c,      a_bc,    c_ab,
                                                   text_1,  integer_1, number_1};
    enum { N = sizeof all / sizeof all[0] };
    struct hash128 keys[N];

    (void)state;
    for (int i = 0; i < N; i++) {
        keys[i] = key_of(all[i], NULL);
        for (int k = 0; k < i; k++)
            assert_false(hash_equal(keys[i], keys[k]));
        assert_true(hash_equal(keys[i], key_of(all[i], NULL)));
    }
}

static void the_version_and_what_is_read_count(void **state)
{
    struct hash128 plain = key_of(ab_c, NULL), upstream = {{1}}, reading;

    (void)state;
    stage.version = 2;
    assert_false(hash_equal(plain, key_of(ab_c, NULL)));
    stage.version = 1;
    assert_true(hash_equal(plain, key_of(ab_c, &upstream))); /* it does not read it */
    stage.reads = 1u << STAGE_ENHANCE;
    reading = key_of(ab_c, &upstream);
    assert_false(hash_equal(plain, reading));
    upstream.bytes[15] = 1;
    assert_false(hash_equal(reading, key_of(ab_c, &upstream)));
    reading = key_of(ab_c, &upstream);
    stage.reads_content.artefact = "thing"; /* a digest is no key, were they equal */
    assert_false(hash_equal(reading, key_of(ab_c, &upstream)));
    stage.reads_content.artefact = NULL;
    stage.reads = 0;
}

/* The form of a key is a promise to every production that exists: whoever changes it raises
 * KEY_FORM, and this. */
static void the_form_of_a_key_stands(void **state)
{
    char hex[HASH_HEX_SIZE];

    (void)state;
    hash_hex(key_of(ab_c, NULL), hex);
    assert_int_equal(KEY_FORM, 1);
    assert_string_equal(hex, "a4958a8cb9e373a22898c9e549802fdb");
}

static char scratch[64], path[128];

static int set_up(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(scratch, sizeof scratch, "%s/auteur-test-XXXXXX",
             tmp && strlen(tmp) < 30 ? tmp : "/tmp");
    if (!mkdtemp(scratch))
        return -1;
    snprintf(path, sizeof path, "%s/thing", scratch);
    return 0;
}

static int tear_down(void **state)
{
    struct error e;

    (void)state;
    return path_remove(scratch, &e);
}

static struct hash128 identity(const char *of)
{
    struct identify *id = identify_new(NULL, false);
    struct hash128 out, again;
    struct error e;

    assert_non_null(id);
    if (identify_path(id, of, &out, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(identify_path(id, of, &again, &e), 0); /* from memory */
    assert_true(hash_equal(out, again));
    identify_free(id);
    return out;
}

static void put(const char *name, const char *text)
{
    char full[200];
    struct error e;

    snprintf(full, sizeof full, "%s/%s", path, name);
    assert_int_equal(file_write_atomic(full, text, strlen(text), &e), 0);
}

static void a_small_file_is_its_content(void **state)
{
    struct hash128 before, copy;
    struct error e;

    (void)state;
    assert_int_equal(file_write_atomic(path, "hello", 5, &e), 0);
    before = identity(path);
    usleep(20000);
    assert_int_equal(file_write_atomic(path, "hello", 5, &e), 0);
    copy = identity(path);
    assert_true(hash_equal(before, copy)); /* touched, not changed */
    assert_int_equal(file_write_atomic(path, "hallo", 5, &e), 0);
    assert_false(hash_equal(before, identity(path)));
}

static void a_huge_file_is_its_ends_and_its_time(void **state)
{
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    struct timespec same[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct hash128 before;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 100 << 20), 0); /* sparse */
    assert_int_equal(futimens(fd, same), 0);
    before = identity(path);
    assert_int_equal(pwrite(fd, "x", 1, 50 << 20), 1);
    assert_int_equal(futimens(fd, same), 0);
    assert_true(hash_equal(before, identity(path))); /* the price: only time tells of the middle */
    assert_int_equal(pwrite(fd, "x", 1, (100 << 20) - 1), 1);
    assert_int_equal(futimens(fd, same), 0);
    assert_false(hash_equal(before, identity(path)));
    assert_int_equal(pwrite(fd, "\0", 1, (100 << 20) - 1), 1);
    same[1].tv_sec++;
    assert_int_equal(futimens(fd, same), 0);
    assert_false(hash_equal(before, identity(path)));
    close(fd);
}

static void a_model_is_its_settings_and_weights(void **state)
{
    struct hash128 before;
    char inside[200];

    (void)state;
    assert_int_equal(mkdir(path, 0755), 0);
    put("model_index.json", "{}");
    snprintf(inside, sizeof inside, "%s/vae", path);
    assert_int_equal(mkdir(inside, 0755), 0);
    put("vae/weights.safetensors", "weights");
    before = identity(path);
    put("README.md", "anything");
    put("vae/.hidden.json", "anything");
    assert_true(hash_equal(before, identity(path)));
    put("vae/weights.safetensors", "weightz");
    assert_false(hash_equal(before, identity(path)));
    put("vae/weights.safetensors", "weights");
    put("vae/config.json", "{}");
    assert_false(hash_equal(before, identity(path)));
}

static void what_is_not_there_is_told(void **state)
{
    struct identify *id = identify_new(NULL, false);
    struct hash128 out;
    struct error e = {0};

    (void)state;
    assert_int_equal(identify_path(id, path, &out, &e), -1);
    assert_non_null(strstr(e.text, path));
    identify_free(id);
}

static void the_journal_remembers_the_digest_of_a_large_file(void **state)
{
    struct journal *journal;
    struct journal_view *view;
    struct identify *id;
    struct file_stat st;
    struct hash128 fresh, remembered;
    char dir[128];
    struct error e;
    int fd = open(path, O_RDWR | O_CREAT, 0644);

    (void)state;
    assert_int_equal(ftruncate(fd, 2 << 20), 0);
    close(fd);
    snprintf(dir, sizeof dir, "%s/journal", scratch);
    assert_int_equal(mkdir(dir, 0755), 0);
    assert_int_equal(journal_open(dir, JOURNAL_WRITE, &journal, &e), 0);
    id = identify_new(journal, true);
    assert_int_equal(identify_path(id, path, &fresh, &e), 0);
    identify_free(id);
    assert_int_equal(file_stat(path, &st, &e), 0);
    assert_int_equal(journal_view_begin(journal, &view, &e), 0);
    assert_int_equal(journal_digest_get(view, path, &st, &remembered, &e), 1);
    journal_view_end(view);
    assert_true(hash_equal(fresh, remembered));
    journal_close(journal);
}

#define FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(different_inputs_give_different_keys),
        cmocka_unit_test(the_version_and_what_is_read_count),
        cmocka_unit_test(the_form_of_a_key_stands),
        FILES(a_small_file_is_its_content),
        FILES(a_huge_file_is_its_ends_and_its_time),
        FILES(a_model_is_its_settings_and_weights),
        FILES(what_is_not_there_is_told),
        FILES(the_journal_remembers_the_digest_of_a_large_file),
    };

    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
