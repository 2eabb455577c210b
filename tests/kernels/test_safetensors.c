/* Headers that lie, files that are cut short, shards that are missing: one clear error each, and
 * never a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/safetensors.h"

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][160];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void write_bytes(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(in_dir(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* A file of this header and `data` bytes of numbers (0, 1, 2 ...). `claim` < 0: the true length. */
static void write_file(const char *name, const char *header, size_t length, size_t data,
                       int64_t claim)
{
    unsigned char bytes[4096];
    uint64_t said = claim < 0 ? length : (uint64_t)claim;

    assert_true(8 + length + data <= sizeof bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(said >> (8 * i));
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < data; i++)
        bytes[8 + length + i] = (unsigned char)i;
    write_bytes(name, bytes, 8 + length + data);
}

static void expect(const char *name, const char *message)
{
    struct safetensors *s = NULL;
    struct error e = {0};

    if (safetensors_open(in_dir(name), &s, &e) == 0) {
        safetensors_close(s);
        fail_msg("%s was read; expected: %s", name, message);
    }
    if (!strstr(e.text, message) || !strstr(e.text, name))
        fail_msg("\"%s\" does not name %s and say \"%s\"", e.text, name, message);
    assert_true(e.code == ERROR_MODEL || e.code == ERROR_IO);
}

static void expect_header(const char *header, size_t data, const char *message)
{
    write_file("lie.safetensors", header, strlen(header), data, -1);
    expect("lie.safetensors", message);
}

static void test_short_files(void **unused)
{
    (void)unused;
    write_bytes("empty.safetensors", "", 0);
    expect("empty.safetensors", "0 bytes long");
    write_bytes("seven.safetensors", "\1\0\0\0\0\0\0", 7);
    expect("seven.safetensors", "too short");
    write_file("cut.safetensors", "{}", 2, 0, 3);
    expect("cut.safetensors", "says that its header has 3 bytes");
    write_file("huge.safetensors", "{}", 2, 0, INT64_MAX);
    expect("huge.safetensors", "says that its header");
    write_file("big.safetensors", "{}", 2, 0, (100 << 20) + 1);
    expect("big.safetensors", "says that its header");
    expect("none.safetensors", "cannot open");
    expect("", "holds no weights");
}

static void test_headers_that_are_no_json(void **unused)
{
    (void)unused;
    expect_header("", 0, "not valid JSON");
    expect_header("[1]", 0, "not a JSON object");
    expect_header("{\"a\":", 0, "not valid JSON");
    expect_header("{\"\xff\":1}", 0, "not valid JSON");
    expect_header("{\"a\\u0000b\":1}", 0, "not valid JSON");
    expect_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                  "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                  8, "not valid JSON: duplicate");
}

#define ENTRY(dtype, shape, offsets)                                                               \
    "{\"w\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void test_fields_that_lie(void **unused)
{
    (void)unused;
    expect_header("{\"w\":3}", 0, "tensor w: its entry is not an object");
    expect_header("{\"w\":{}}", 0, "dtype is missing");
    expect_header(ENTRY("7", "[1]", "[0,4]"), 4, "dtype is missing or not a string");
    expect_header(ENTRY("\"F31\"", "[1]", "[0,4]"), 4, "dtype F31 is not supported");
    expect_header(ENTRY("\"F32\"", "\"x\"", "[0,4]"), 4, "shape is not a list");
    expect_header(ENTRY("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "shape is not a list");
    expect_header(ENTRY("\"F32\"", "[-1]", "[0,4]"), 4, "something other than a size");
    expect_header(ENTRY("\"F32\"", "[1.5]", "[0,4]"), 4, "something other than a size");
    expect_header(ENTRY("\"F32\"", "[4294967296,4294967296]", "[0,4]"), 4, "too large");
    expect_header(ENTRY("\"F32\"", "[99999999999999999999]", "[0,4]"), 4, "not valid JSON");
    expect_header(ENTRY("\"F32\"", "[1]", "[0]"), 4, "not [begin, end]");
    expect_header(ENTRY("\"F32\"", "[1]", "[4,0]"), 4, "not [begin, end]");
    expect_header(ENTRY("\"F32\"", "[1]", "[-4,0]"), 4, "not [begin, end]");
    expect_header(ENTRY("\"F32\"", "[1]", "[0,\"4\"]"), 4, "not [begin, end]");
    expect_header(ENTRY("\"F32\"", "[2]", "[0,8]"), 4,
                  "cut short: it has 66 bytes, 4 fewer than its header says (tensor w is the first "
                  "that lies outside the file)");
    expect_header(ENTRY("\"F32\"", "[2]", "[0,4]"), 4, "do not hold dtype times shape");
    expect_header(ENTRY("\"F16\"", "[1]", "[0,4]"), 4, "do not hold dtype times shape");
    expect_header(ENTRY("\"F32\"", "[1]", "[0,4]"), 6, "2 bytes after the last tensor");
    expect_header(ENTRY("\"F32\"", "[1]", "[2,6]"), 6, "leave a gap");
    expect_header("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                  "\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
                  8, "tensor x: data_offsets overlap");
}

static void test_good_file(void **unused)
{
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,1],\"data_offsets\":[0,4]},"
        "\"none\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]},"
        "\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[3],\"data_offsets\":[4,7]},"
        "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[7,15]}}";
    struct safetensors *s;
    const struct tensor *t;
    struct error e = {0};
    float got[3];
    (void)unused;

    write_file("model.safetensors", header, strlen(header), 15, -1);
    assert_int_equal(safetensors_open(dir, &s, &e), 0);
    assert_int_equal(safetensors_count(s), 4);
    assert_string_equal(safetensors_name(s, 0), "a");
    assert_int_equal(SAFETENSORS_GET(s, "b", &t, &e, 2, -1), 0);
    tensor_to_f32(t, got); /* bytes 0 1, 2 3: 0x0100 and 0x0302 in the upper half */
    assert_true(got[0] == 0x1p-125f && got[1] == 0x1.04p-121f);
    assert_int_equal(SAFETENSORS_GET(s, "a", &t, &e, 3), 0);
    tensor_to_f32(t, got); /* bytes 4, 5, 6: denormals, 4/8 * 2^-6 ... */
    assert_true(got[0] == 4 / 512.0f && got[1] == 5 / 512.0f && got[2] == 6 / 512.0f);
    assert_int_equal(SAFETENSORS_GET(s, "b", &t, &e, 2), -1);
    assert_non_null(strstr(e.text, "tensor b has the shape [2, 1], the model's config [2]"));
    assert_int_equal(SAFETENSORS_GET(s, "gone", &t, &e, 2), -1);
    assert_non_null(strstr(e.text, "tensor gone is missing"));
    assert_int_equal(safetensors_get(s, "scalar", 0, NULL, &t, &e), -1);
    assert_non_null(strstr(e.text, "holds I64, not floats"));
    safetensors_close(s);
    safetensors_close(NULL);
    unlink(in_dir("model.safetensors"));
}

static void test_small_floats(void **unused)
{
    static const struct {
        enum dtype dtype;
        uint16_t bits;
        float value;
    } cases[] = {
        {DTYPE_F16, 0x3c00, 1},          {DTYPE_F16, 0xc000, -2},
        {DTYPE_F16, 0x0001, 0x1p-24f},   {DTYPE_F16, 0x7bff, 65504},
        {DTYPE_F16, 0xfc00, -INFINITY},  {DTYPE_F16, 0x7e00, NAN},
        {DTYPE_BF16, 0x3f80, 1},         {DTYPE_BF16, 0xff80, -INFINITY},
        {DTYPE_F8_E4M3, 0x38, 1},        {DTYPE_F8_E4M3, 0x7e, 448},
        {DTYPE_F8_E4M3, 0xff, NAN},      {DTYPE_F8_E4M3, 0x81, -0x1p-9f},
        {DTYPE_F8_E5M2, 0x3c, 1},        {DTYPE_F8_E5M2, 0x7b, 57344},
        {DTYPE_F8_E5M2, 0x7c, INFINITY}, {DTYPE_F8_E5M2, 0x01, 0x1p-16f},
    };
    (void)unused;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char bytes[3] = {0, (unsigned char)cases[i].bits,
                                  (unsigned char)(cases[i].bits >> 8)};
        const int64_t one = 1;
        struct tensor t = tensor_of(cases[i].dtype, bytes + 1, 1, &one); /* at an odd address */
        float got;
        tensor_to_f32(&t, &got);
        if (isnan(cases[i].value) ? !isnan(got) : got != cases[i].value)
            fail_msg("%s %04x is %g, not %g", dtype_name(t.dtype), cases[i].bits, got,
                     cases[i].value);
    }
}

static void expect_index(const char *index, const char *message)
{
    write_bytes("model.safetensors.index.json", index, strlen(index));
    expect("model.safetensors.index.json", message);
}

static void test_shards(void **unused)
{
    static const char a[] = ENTRY("\"F32\"", "[1]", "[0,4]");
    static const char b[] = "{\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
    static const char good[] =
        "{\"weight_map\":{\"w\":\"one.safetensors\",\"x\":\"two.safetensors\"}}";
    struct safetensors *s;
    struct error e = {0};
    (void)unused;

    write_file("one.safetensors", a, strlen(a), 4, -1);
    write_file("two.safetensors", b, strlen(b), 4, -1);
    write_file("bad.safetensors", b, strlen(b), 3, -1);
    expect_index("{", "model.safetensors.index.json:1");
    expect_index("{}", "no weight_map");
    expect_index("{\"weight_map\":{\"w\":3}}", "is not a string");
    expect_index("{\"weight_map\":{\"w\":\"../one.safetensors\"}}", "not a plain file name");
    expect_index("{\"weight_map\":{\"w\":\"absent.safetensors\"}}",
                 "absent.safetensors; download it");
    expect_index("{\"weight_map\":{\"x\":\"bad.safetensors\"}}", "bad.safetensors is cut short");
    expect_index("{\"weight_map\":{\"v\":\"one.safetensors\"}}", "tensor v is not in the shard");
    write_file("again.safetensors", a, strlen(a), 4, -1);
    expect_index("{\"weight_map\":{\"w\":\"one.safetensors\",\"v\":\"again.safetensors\"}}",
                 "tensor w is in two shards");
    write_bytes("model.safetensors.index.json", good, strlen(good));
    assert_int_equal(safetensors_open(dir, &s, &e), 0);
    assert_int_equal(safetensors_count(s), 2);
    assert_non_null(safetensors_find(s, "x"));
    safetensors_close(s);
}

/* ---- which file of a folder */

static const char lfs_pointer[] = "version https://git-lfs.github.com/spec/v1\n"
                                  "oid sha256:0123456789abcdef\nsize 9876543210\n";

static void empty_dir(void)
{
    struct error e = {0};
    assert_int_equal(path_remove(dir, &e), 0);
    assert_int_equal(dir_make(dir, &e), 0);
}

static void write_good(const char *name)
{
    static const char header[] = ENTRY("\"F32\"", "[1]", "[0,4]");
    write_file(name, header, strlen(header), 4, -1);
}

static void write_good_index(const char *name, const char *shard)
{
    char text[200];
    snprintf(text, sizeof text, "{\"weight_map\":{\"w\":\"%s\"}}", shard);
    write_bytes(name, text, strlen(text));
}

static void folder_opens(const char *name)
{
    struct safetensors *s;
    struct error e = {0};

    if (safetensors_open(dir, &s, &e))
        fail_msg("%s", e.text);
    assert_string_equal(safetensors_path(s), in_dir(name));
    assert_int_equal(safetensors_count(s), 1);
    safetensors_close(s);
}

static void folder_is_refused(const char *message)
{
    struct safetensors *s;
    struct error e = {0};

    assert_int_equal(safetensors_open(dir, &s, &e), -1);
    assert_int_equal(e.code, ERROR_MODEL);
    if (!strstr(e.text, message) || !strstr(e.text, dir))
        fail_msg("\"%s\" does not say \"%s\"", e.text, message);
}

static void test_variants(void **unused)
{
    static const char *const single[] = {"model.fp16.safetensors", "model.bf16.safetensors",
                                         "diffusion_pytorch_model.fp16.safetensors",
                                         "diffusion_pytorch_model.bf16.safetensors"};
    static const char *const index[] = {"model.fp16.safetensors.index.json",
                                        "model.safetensors.index.fp16.json",
                                        "diffusion_pytorch_model.fp16.safetensors.index.json",
                                        "diffusion_pytorch_model.safetensors.index.fp16.json",
                                        "diffusion_pytorch_model.safetensors.index.json",
                                        "model.safetensors.index.json"};
    (void)unused;

    for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
        empty_dir();
        write_good(single[i]);
        folder_opens(single[i]);
        write_good("model.safetensors"); /* the plain name goes first */
        folder_opens("model.safetensors");
        write_bytes("model.safetensors", lfs_pointer, strlen(lfs_pointer)); /* unless it is none */
        folder_opens(single[i]);
    }
    for (size_t i = 0; i < sizeof index / sizeof *index; i++) {
        empty_dir();
        write_good("diffusion_pytorch_model.fp16-00001-of-00001.safetensors");
        folder_is_refused("their index (a file .safetensors.index.json) is not there");
        write_good_index(index[i], "diffusion_pytorch_model.fp16-00001-of-00001.safetensors");
        folder_opens(index[i]);
    }
}

static void test_folders_without_weights(void **unused)
{
    (void)unused;
    empty_dir();
    folder_is_refused("holds no weights: neither");
    write_good("wan2.1_t2v_14B.safetensors");
    folder_is_refused("wan2.1_t2v_14B.safetensors is none of these names");
    write_bytes("pytorch_model.bin", "PK", 2);
    folder_is_refused("pytorch_model.bin is a pickle");
    write_bytes("model.safetensors.incomplete", "", 0);
    folder_is_refused("model.safetensors.incomplete is an unfinished download");
    write_bytes("model.safetensors", lfs_pointer, strlen(lfs_pointer));
    folder_is_refused("model.safetensors is a Git LFS pointer");
    expect("model.safetensors", "git lfs pull");
    empty_dir();
    write_bytes("model.safetensors.index.json", lfs_pointer, strlen(lfs_pointer));
    folder_is_refused("is a Git LFS pointer");
    empty_dir();
}

/* Any one byte of a header may be any value: it is read or refused, without a crash. */
static void test_flipped_bytes(void **unused)
{
    static const char header[] =
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
        "\"x\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[8,10]}}";
    char copy[sizeof header];
    (void)unused;

    for (size_t i = 0; i < sizeof header - 1; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct safetensors *s = NULL;
            struct error e = {0};
            memcpy(copy, header, sizeof header);
            copy[i] = (char)(copy[i] ^ 1 << bit);
            write_file("flip.safetensors", copy, sizeof header - 1, 10, -1);
            if (safetensors_open(in_dir("flip.safetensors"), &s, &e))
                assert_non_null(strstr(e.text, "flip.safetensors"));
            safetensors_close(s);
        }
}

static int make_dir(void **unused)
{
    const char *tmp = getenv("TMPDIR");
    (void)unused;
    snprintf(dir, sizeof dir, "%.40s/auteur-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **unused)
{
    struct error e = {0};
    (void)unused;
    return path_remove(dir, &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_files),     cmocka_unit_test(test_headers_that_are_no_json),
        cmocka_unit_test(test_fields_that_lie), cmocka_unit_test(test_good_file),
        cmocka_unit_test(test_small_floats),    cmocka_unit_test(test_shards),
        cmocka_unit_test(test_variants),        cmocka_unit_test(test_folders_without_weights),
        cmocka_unit_test(test_flipped_bytes),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
