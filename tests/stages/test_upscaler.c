/* The compact upscaler against PyTorch's own modules (data/make_upscaler.py), frames of changing
 * size, numbers that are none, and weights that are no upscaler. */
#include "tests/prompts/encoder_golden.h"

#include "stages/decode/upscaler.h"

#define SMALL "tests/stages/data/upscaler"

static struct upscaler *opened(struct device *d)
{
    struct error e = {0};
    struct upscaler *u;

    if (upscaler_open(SMALL, d, &u, &e) != 0)
        fail_msg("%s", e.text);
    return u;
}

static const float *run(struct upscaler *u, const struct tensor *rgb)
{
    struct error e = {0};
    const float *out = NULL;

    if (upscaler_run(u, rgb->data, (int)rgb->shape[1], (int)rgb->shape[0], &out, &e) != 0)
        fail_msg("%s", e.text);
    return out;
}

/* Larger frames between two of one size leave no trace. */
static void golden_frames(struct device *d)
{
    struct encoder_golden g;
    struct upscaler *u = opened(d);
    struct arena a = {0};
    struct tensor other = TENSOR_NEW(&a, 8, 16, 3), got;
    const struct tensor *rgb, *larger;

    golden_open(&g, SMALL);
    rgb = golden_find(&g, 0, "rgb");
    larger = golden_find(&g, 0, "larger");
    assert_int_equal(upscaler_scale(u), 3);
    for (int i = 0; i < 2; i++) {
        got = TENSOR_F32((float *)run(u, rgb), larger->shape[0], larger->shape[1], 3);
        golden_equal("larger", &got, larger);
        run(u, &other);
    }
    upscaler_close(u);
    safetensors_close(g.file);
    arena_free(&a);
}

static void frames_are_as_pytorch_makes_them(void **unused)
{
    (void)unused;
    on_each_device(golden_frames);
}

static void what_is_not_finite_stays_so(struct device *d)
{
    struct upscaler *u = opened(d);
    float pixels[4 * 4 * 3] = {0};
    struct tensor rgb = TENSOR_F32(pixels, 4, 4, 3);
    const float bad[] = {NAN, INFINITY, -INFINITY};

    for (int i = 0; i < 3; i++) {
        pixels[17] = bad[i];
        const float *out = run(u, &rgb);
        bool finite = true;
        for (int n = 0; n < 12 * 12 * 3; n++)
            finite &= isfinite(out[n]) != 0;
        assert_false(finite);
    }
    upscaler_close(u);
}

static void faults_are_not_hidden(void **unused)
{
    (void)unused;
    on_each_device(what_is_not_finite_stays_so);
}

static void refused(const char *from, const char *to, const char *says)
{
    const struct tampering t = {"model.safetensors", from, to, says};
    struct arena a = {0};
    const char *copy = tampered_copy(&a, SMALL, &t);
    struct device *d;
    struct error e = {0};
    struct upscaler *u;

    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    for (int with = 0; with < 2; with++) {
        error_clear(&e);
        assert_int_equal(upscaler_open(copy, with ? d : NULL, &u, &e), -1);
        assert_int_equal(e.code, ERROR_MODEL);
        if (!strstr(e.text, says) || !strstr(e.text, UPSCALER_MEND))
            fail_msg("%s, not %s", e.text, says);
    }
    device_close(d);
    assert_int_equal(path_remove(copy, &e), 0);
    arena_free(&a);
}

static void other_weights_are_refused(void **unused)
{
    (void)unused;
    refused("body.0.weight", "tail.0.weight", "fewer than two convolutions");
    refused("[5,3,3,3]", "[5,9,3,1]", "body.0.weight");
    refused("[27,5,3,3]", "[5,27,3,3]", "does not make 3, 12, 27");
    refused("body.3.weight", "tail.3.weight", "body.3.weight");
    refused("body.6.bias", "body.6.tail", "body.6.bias");
    refused("body.6.weight", "body.9.weight", "does not make 3, 12, 27");
}

static void cannot_be_opened(const char *path, const char *says)
{
    struct error e = {0};
    struct upscaler *u;

    assert_int_equal(upscaler_open(path, NULL, &u, &e), -1);
    if (!strstr(e.text, path) || !strstr(e.text, says) || !strstr(e.text, UPSCALER_MEND))
        fail_msg("%s, not %s", e.text, says);
}

static void what_is_no_folder_of_weights_is_told_with_the_mend(void **unused)
{
    char dir[] = "/tmp/auteur-upscaler-XXXXXX", path[64];
    struct error e = {0};

    (void)unused;
    assert_non_null(mkdtemp(dir));
    cannot_be_opened(dir, "holds no weights: an upscaler's are in a file model.safetensors");
    snprintf(path, sizeof path, "%s/README.md", dir);
    assert_int_equal(file_write_atomic(path, "", 0, &e), 0);
    cannot_be_opened(dir, "an upscaler's are in a file model.safetensors");
    cannot_be_opened(path, "Not a directory");
    snprintf(path, sizeof path, "%s/net.pth", dir);
    assert_int_equal(file_write_atomic(path, "", 0, &e), 0);
    cannot_be_opened(dir, "net.pth is a pickle");
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(file_write_atomic(path, "random", 6, &e), 0);
    cannot_be_opened(dir, "model.safetensors");
    assert_int_equal(path_remove(dir, &e), 0);
}

static void a_bare_close_is_harmless(void **unused)
{
    struct error e = {0};
    struct upscaler *u;
    struct device *d;

    (void)unused;
    upscaler_close(NULL);
    assert_int_equal(upscaler_open(SMALL, NULL, &u, &e), 0); /* looked through */
    upscaler_close(u);
    assert_int_equal(device_open(&(struct device_options){.threads = 1}, &d, &e), 0);
    assert_int_equal(upscaler_open("tests/stages/data/no-such-folder", d, &u, &e), -1);
    device_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_as_pytorch_makes_them),
        cmocka_unit_test(faults_are_not_hidden),
        cmocka_unit_test(other_weights_are_refused),
        cmocka_unit_test(what_is_no_folder_of_weights_is_told_with_the_mend),
        cmocka_unit_test(a_bare_close_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
