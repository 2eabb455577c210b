/* `bench vae` as a user runs it, on the fixtures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pipeline/commands/bench_tiles.h"
#include "tests/pipeline/tiers.h"

/* Both models of a tier, and the others after one that cannot be timed. */
static void every_vae_is_timed(void **state)
{
    struct program p = PROGRAM("bench", "vae", "--models", models, "--device", "cpu", "--size",
                               "64x64", "--frames", "1", "--repeat", "1");

    (void)state;
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "validator "));
    assert_non_null(strstr(p.out, "\npicture "));
    assert_non_null(strstr(p.out, "\nflagship "));
    program_free(&p);
    p = PROGRAM("bench", "vae", "flagship", "--models", models, "--device", "cpu", "--size",
                "288x160", "--frames", "1", "--repeat", "1", "--vae-tile", "160x128");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "  3 x 2 tiles of 144x112 "));
    assert_non_null(strstr(p.out, " of white, on average "));
    assert_non_null(strstr(p.out, "; in 8 bits at most "));
    program_free(&p);
    p = PROGRAM("bench", "vae", "/nowhere", "validator", "--models", models, "--device", "cpu",
                "--size", "64x64", "--frames", "1", "--repeat", "1");
    assert_int_equal(p.status, 3);
    assert_non_null(strstr(p.err, "1 of 3 VAEs could not be timed"));
    assert_non_null(strstr(p.out, "validator "));
    assert_non_null(strstr(p.out, "\npicture "));
    program_free(&p);
}

static void a_vae_is_timed_at_the_size_that_is_told(void **state)
{
    char link[160], *real;
    struct program p;
    json_t *line;

    (void)state;
    /* SVD's fixture makes two pixels of a number, not eight. */
    p = PROGRAM("bench", "vae", "tests/fixtures/svd-xt", "--device", "cpu", "--size", "64x70",
                "--frames", "1", "--repeat", "1", "--vae-tile", "128x128");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, " 64x70    1 frame "));
    assert_non_null(strstr(p.out, " 1 x 1 tiles of 64x70 "));
    assert_non_null(strstr(p.out, " GFLOP, too few to be held against a convolution"));
    program_free(&p);
    p = PROGRAM("bench", "vae", "flagship", "--models", models, "--device", "cpu", "--size",
                "64x64", "--frames", "4", "--repeat", "1");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, " 64x64    5 frames (4 asked for) "));
    program_free(&p);
    p = PROGRAM("bench", "vae", "flagship", "--models", models, "--device", "cpu", "--size",
                "288x160", "--frames", "1", "--repeat", "1", "--vae-tile", "160x128", "--json");
    assert_int_equal(p.status, 0);
    line = json_loads(p.out, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(line, "width")), 288);
    assert_true(json_number_value(json_object_get(line, "ms_per_frame")) > 0);
    assert_true(json_is_null(json_object_get(line, "share_of_convolution")));
    assert_true(json_is_null(json_object_get(line, "gpu_peak_bytes"))); /* of a processor */
    assert_int_equal(json_integer_value(json_object_get(json_object_get(line, "tiles"), "columns")),
                     3);
    json_decref(line);
    program_free(&p);
    /* The embedded model, at its own size: as if it were among the program's data. */
    real = realpath("stages/generate/previs/checkpoint", NULL);
    snprintf(link, sizeof link, "%s/previs", scratch);
    assert_true(real && symlink(real, link) == 0 && setenv("AUTEUR_DATA", scratch, 1) == 0);
    free(real);
    p = PROGRAM("bench", "vae", "previs", "--device", "cpu", "--frames", "1", "--repeat", "1");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, " 416x240    1 frame "));
    program_free(&p);
}

/* One error, with the sizes that are possible, and no VAE that could not be timed. */
static void a_size_that_cannot_be_is_a_usage_error(void **state)
{
    static const char *const sizes[] = {"0x0", "100x100", "64x99999", "64", "large"};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct program p = PROGRAM("bench", "vae", "flagship", "experimental", "--models", models,
                                   "--device", "cpu", "--size", sizes[i]);
        assert_int_equal(p.status, 1);
        assert_string_equal(p.out, "");
        assert_non_null(strstr(p.err, "WIDTHxHEIGHT, multiples of 8 from 64 to 16384"));
        assert_ptr_equal(strchr(p.err, '\n'), p.err + strlen(p.err) - 1);
        program_free(&p);
    }
}

/* What a file does not show is no difference. */
static void differences_are_those_of_the_file(void **state)
{
    struct picture_difference d = {0};

    (void)state;
    picture_difference_add(&d, 1.7f, 3.0f);
    picture_difference_add(&d, -1.2f, -40);
    assert_true(d.most == 0 && d.sum == 0 && d.steps == 0 && d.differ == 0 && d.count == 2);
    picture_difference_add(&d, 0.9f, 1.5f);
    assert_float_equal(d.most, 0.05, 1e-6);
    assert_int_equal(d.most_steps, 13); /* 242.25 and 255 */
    picture_difference_add(&d, 0.0f, 0.001f);
    assert_true(d.differ == 1 && d.steps == 13 && d.count == 4);
    assert_true(d.sum > d.most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(every_vae_is_timed),
        ONE(a_vae_is_timed_at_the_size_that_is_told),
        ONE(a_size_that_cannot_be_is_a_usage_error),
        ONE(differences_are_those_of_the_file),
    };

    return cmocka_run_group_tests_name("bench_vae", tests, NULL, NULL);
}
