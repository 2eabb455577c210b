/* Decoding in slices and tiles: slices change nothing, tiles little, and both keep to the memory
 * that they are given. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/dry/dry.h"
#include "stages/decode/cogvideox_vae.h"
#include "stages/decode/hunyuan_vae_impl.h"
#include "stages/decode/vae_session.h"
#include "stages/decode/wan_vae.h"

#define HUNYUAN "tests/fixtures/hunyuan-video"
#define WAN     "tests/fixtures/wan2.2-t2v-a14b"
#define COG     "tests/fixtures/cogvideox"

enum { TALL = 20, WIDE = 36, LOW = 6, NARROW = 10, LATENTS = 5, CHANNELS = 16 };

struct film {
    float *pixels;
    size_t size; /* of a picture */
    int count;
};

static int keep(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct film *f = ctx;

    (void)e;
    assert_int_equal(index, f->count);
    f->size = (size_t)(width * height * 3);
    f->pixels = realloc(f->pixels, f->size * (size_t)(index + 1) * sizeof *rgb);
    assert_non_null(f->pixels);
    memcpy(f->pixels + f->size * (size_t)index, rgb, f->size * sizeof *rgb);
    f->count++;
    return 0;
}

static void assert_alike(const struct film *a, const struct film *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->pixels, b->pixels, a->size * (size_t)a->count * sizeof(float));
}

static void assert_same(struct film *a, struct film *b)
{
    assert_alike(a, b);
    free(a->pixels);
    free(b->pixels);
}

/* Smooth in space, as real latents are. */
static struct tensor latents_of(int64_t channels, int64_t frames, int64_t height, int64_t width)
{
    static float data[CHANNELS * LATENTS * TALL * WIDE];
    struct tensor t = TENSOR_F32(data, channels, frames, height, width);

    for (int64_t i = 0; i < tensor_count(&t); i++)
        data[i] = sinf((float)(i % width) * 0.3f + (float)(i / (height * width))) *
                  cosf((float)(i / width % height) * 0.4f);
    return t;
}

static struct device *open_device(void)
{
    struct device *d;
    struct error e = {0};

    assert_int_equal(device_open(&(struct device_options){.threads = 2}, &d, &e), 0);
    return d;
}

/* Slices of 1, 2, 3 and 4 pictures, each as memory allows no longer one, of a clip in one piece and
 * in tiles in time; `part`: latents of such a tile. */
static void slices_change_nothing_of_hunyuan_video(struct hunyuan_vae *v, int tile, int64_t part)
{
    struct tensor latents = latents_of(hunyuan_vae_channels(v), LATENTS, LOW, NARROW);
    struct film whole = {0};
    struct error e = {0};
    size_t limit;

    hunyuan_vae_tile(v, tile);
    hunyuan_vae_memory(v, 0);
    assert_int_equal(hunyuan_vae_decode(v, &latents, keep, &whole, &e), 0);
    assert_int_equal(whole.count, hunyuan_vae_frames(v, LATENTS));
    limit = hunyuan_vae_bytes(v, latents.shape + 1);
    for (int64_t slice = 1; slice <= 4; slice++) {
        struct film sliced = {0};
        for (int64_t longest = 0; longest < slice; limit += (size_t)1 << 16) {
            hunyuan_vae_memory(v, limit);
            assert_int_equal(hunyuan_vae_make_work(v, (int64_t[]){part, LOW, NARROW}, &e), 0);
            longest = v->rgb.shape[0];
            assert_true(longest <= slice);
        }
        assert_int_equal(hunyuan_vae_decode(v, &latents, keep, &sliced, &e), 0);
        assert_alike(&whole, &sliced);
        free(sliced.pixels);
    }
    free(whole.pixels);
}

static void test_slices_change_nothing_of_hunyuan_video(void **unused)
{
    struct device *d = open_device();
    struct hunyuan_vae *v;
    struct error e = {0};
    (void)unused;

    assert_int_equal(hunyuan_vae_load(HUNYUAN "/vae", d, &v, &e), 0);
    slices_change_nothing_of_hunyuan_video(v, 0, LATENTS);
    slices_change_nothing_of_hunyuan_video(v, 8, 3);
    hunyuan_vae_free(v);
    device_close(d);
}

static void test_slices_change_nothing_of_wan(void **unused)
{
    struct device *d = open_device();
    struct wan_vae *v;
    struct error e = {0};
    struct film one = {0};
    struct tensor latents;
    (void)unused;

    assert_int_equal(wan_vae_load(WAN "/vae", d, &v, &e), 0);
    latents = latents_of(wan_vae_channels(v), LATENTS, LOW, NARROW);
    assert_int_equal(wan_vae_decode(v, &latents, keep, &one, &e), 0); /* latent by latent */
    assert_int_equal(one.count, wan_vae_frames(v, LATENTS));
    for (int together = 1; together <= LATENTS; together++) { /* the last: the whole shot */
        struct film many = {0};
        wan_vae_together(v, together);
        assert_int_equal(wan_vae_decode(v, &latents, keep, &many, &e), 0);
        assert_alike(&one, &many);
        free(many.pixels);
    }
    free(one.pixels);
    wan_vae_free(v);
    device_close(d);
}

/* CogVideoX's are as published, three latents and then two at a time. No batch sees a later one:
 * pictures of the first are those of a shot that ends with it. */
static void test_later_batches_change_nothing_of_cogvideox(void **unused)
{
    struct device *d = open_device();
    struct cogvideox_vae *v;
    struct error e = {0};
    struct film all = {0}, first = {0};
    struct tensor latents, beginning;
    (void)unused;

    assert_int_equal(cogvideox_vae_load(COG "/vae", d, &v, &e), 0);
    latents = latents_of(LATENTS, cogvideox_vae_channels(v), LOW, NARROW);
    beginning = tensor_slice(latents, 0, 0, 3);
    assert_int_equal(cogvideox_vae_decode(v, &latents, keep, &all, &e), 0);
    assert_int_equal(cogvideox_vae_decode(v, &beginning, keep, &first, &e), 0);
    assert_int_equal(all.count, 17);
    assert_int_equal(first.count, 9);
    all.count = first.count;
    assert_same(&all, &first);
    cogvideox_vae_free(v);
    device_close(d);
}

static void *open_vae(const struct family *f, const char *dir, struct device *d)
{
    struct error e = {0};
    void *vae;

    assert_int_equal(f->vae_open(dir, d, &vae, &e), 0);
    return vae;
}

/* No later try would help; what the message names does. */
static void a_limit_that_was_asked_for_says_what_would_do(const struct family *f, void *vae,
                                                          struct device *d, const int64_t shape[4])
{
    struct vae_limits limits;
    struct tiling t;
    struct error e = {0};
    char *would_do, value[32];

    assert_int_equal(vae_limits_read("1M", "", &limits, &e), 0);
    assert_int_equal(tiling_choose(f, vae, d, &limits, shape, &t, &e), -1);
    assert_int_equal(e.code, ERROR_INPUT);
    assert_non_null(strstr(e.text, "--vae-memory is 1.0 MiB"));
    would_do = strstr(e.text, ": --vae-memory ");
    assert_non_null(would_do);
    assert_int_equal(sscanf(would_do, ": --vae-memory %31s would do", value), 1);
    assert_int_equal(vae_limits_read(value, "", &limits, &e), 0);
    assert_int_equal(tiling_choose(f, vae, d, &limits, shape, &t, &e), 0);
    limits.memory = (size_t)1 << 30;
    assert_true(tiling_smaller(f, vae, d, shape, &limits)); /* no longer the person's figure */
    assert_false(limits.memory_asked);
}

/* Smaller and smaller limits give smaller and smaller tiles, each within its limit; then an error
 * that says what is missing. */
static void test_tiles_keep_to_the_memory(void **unused)
{
    const int64_t shape[4] = {CHANNELS, LATENTS, 90, 160};
    struct device *d = open_device();
    const struct family *f = &family_wan;
    void *vae = open_vae(f, WAN, d);
    struct vae_limits limits = {.memory = f->vae_bytes(vae, shape)};
    struct tiling t;
    struct error e = {0};
    int64_t before = INT64_MAX;
    (void)unused;

    assert_int_equal(tiling_choose(f, vae, d, &limits, shape, &t, &e), 0);
    assert_int_equal(t.rows * t.columns, 1);
    while (tiling_choose(f, vae, d, &limits, shape, &t, &e) == 0) {
        const int64_t tile[4] = {shape[0], shape[1], t.height, t.width};
        assert_true(f->vae_bytes(vae, tile) <= limits.memory);
        assert_true(t.height * t.width <= before);
        assert_true(t.height * t.rows >= shape[2] && t.width * t.columns >= shape[3]);
        before = t.height * t.width;
        limits.memory = limits.memory * 2 / 3;
    }
    assert_int_equal(e.code, ERROR_MEMORY);
    assert_non_null(strstr(e.text, "are to be had"));
    a_limit_that_was_asked_for_says_what_would_do(f, vae, d, shape);
    f->vae_close(vae);
    device_close(d);
}

/* ---- what a GPU holds */

static int drop(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    (void)ctx, (void)index, (void)rgb, (void)width, (void)height, (void)e;
    return 0;
}

/* Bytes besides the weights that a GPU would hold at most in a decode within the limit; 0: not even
 * the smallest tile keeps to it. */
static size_t held(const struct family *f, const char *dir, const int64_t shape[4], size_t limit,
                   struct error *e)
{
    struct dry_run run = {.facts = {.memory = (size_t)80 << 30, .major = 9}};
    const struct stage_env env = {.device = {.kind = DEVICE_CUDA, .threads = 1, .dry = &run},
                                  .vae = {.memory = limit, .memory_asked = true}};
    struct vae_session s;
    struct arena a = {0};
    struct tensor latents = tensor_new(&a, 4, shape);
    size_t weights;

    assert_non_null(latents.data);
    assert_int_equal(vae_session_open(&s, &env, f, dir, "test", e), 0);
    weights = run.used - run.scratch;
    int rc = vae_session_decode(&s, &latents, drop, NULL, e);
    vae_session_close(&s);
    arena_free(&a);
    return rc == 0 ? run.peak - weights : 0;
}

/* Of every family: with all that operations take for themselves no more than was said, down to what
 * even the smallest tile takes; then the error names what would do, and that does. */
static void test_a_gpu_holds_no_more_than_the_limit(void **unused)
{
    static const struct {
        const struct family *family;
        const char *dir;
        int64_t shape[4];
    } cases[] = {{&family_hunyuan_video, HUNYUAN, {16, 3, 60, 90}},
                 {&family_wan, WAN, {CHANNELS, 2, 60, 90}},
                 {&family_cogvideox, "tests/fixtures/cogvideox-2b", {3, 8, 40, 60}},
                 {&family_sdxl, "tests/fixtures/sdxl", {4, 1, 256, 256}}};
    (void)unused;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct family *f = cases[i].family;
        struct error e = {0};
        size_t whole = held(f, cases[i].dir, cases[i].shape, (size_t)60 << 30, &e), limit, takes,
               least;
        int fewer = 0;

        for (limit = whole; (takes = held(f, cases[i].dir, cases[i].shape, limit, &e)) > 0;
             limit = limit * 4 / 5) {
            if (takes > limit)
                fail_msg("%s: %zu of %zu bytes", cases[i].dir, takes, limit);
            fewer += takes < whole;
        }
        if (fewer == 0)
            fail_msg("%s: %zu bytes at once, %s", cases[i].dir, whole, e.text);
        assert_int_equal(e.code, ERROR_INPUT);
        const char *would_do = strstr(e.text, ": --vae-memory ");
        assert_non_null(would_do);
        assert_int_equal(sscanf(would_do, ": --vae-memory %zuM would do", &limit), 1);
        assert_in_range(held(f, cases[i].dir, cases[i].shape, limit << 20, &e), 1, limit << 20);
        /* Whoever asks for far less is told no more. */
        assert_int_equal(held(f, cases[i].dir, cases[i].shape, 1, &e), 0);
        would_do = strstr(e.text, ": --vae-memory ");
        assert_non_null(would_do);
        assert_int_equal(sscanf(would_do, ": --vae-memory %zuM would do", &least), 1);
        assert_in_range(least, 1, limit);
    }
}

/* What is free is not taken to the last: with the weights, what decoding takes leaves the tenth
 * that forecasts want left. */
static void test_a_share_of_what_is_free_leaves_the_rest(void **unused)
{
    const size_t gib = (size_t)1 << 30;
    (void)unused;

    for (size_t used = 0; used <= 20 * gib; used += gib / 2) {
        struct dry_run run = {.facts = {.memory = 24 * gib}, .used = used};
        struct device *d;
        struct error e = {0};

        assert_int_equal(
            device_open(&(struct device_options){.kind = DEVICE_CUDA, .dry = &run}, &d, &e), 0);
        size_t budget = tiling_budget(d);
        assert_true(budget > 0 && budget <= (24 * gib - used) / 5 * 4);
        assert_true((double)(used + budget) * 1.1 <= 24.000001 * (double)gib || used > 19 * gib);
        device_close(d);
    }
}

/* Wan's norms see a pixel, its attention the tile: tiles that fade into one another stay near the
 * whole picture, and every pixel is made of weights that add up to one. */
static void test_tiles_are_near_the_whole(void **unused)
{
    struct device *d = open_device();
    const struct family *f = &family_wan;
    void *vae = open_vae(f, WAN, d);
    struct vae_limits whole = {0}, tiles = {.tile_width = 160, .tile_height = 128};
    struct tensor latents = latents_of(CHANNELS, 2, TALL, WIDE);
    struct film a = {0}, b = {0};
    struct error e = {0};
    double off = 0, size = 0;
    (void)unused;

    assert_int_equal(tiling_decode(f, vae, d, &whole, &latents, keep, &a, &e), 0);
    assert_int_equal(tiling_decode(f, vae, d, &tiles, &latents, keep, &b, &e), 0);
    assert_int_equal(a.count, b.count);
    assert_int_equal(a.size, b.size);
    for (size_t i = 0; i < a.size * (size_t)a.count; i++) {
        off += fabs((double)a.pixels[i] - (double)b.pixels[i]);
        size += fabs((double)a.pixels[i]);
    }
    printf("tiles are off by %.2e of a pixel's value on average\n", off / size);
    assert_true(off > 0); /* there were tiles */
    assert_true(off / size < 0.1);
    free(a.pixels);
    free(b.pixels);
    f->vae_close(vae);
    device_close(d);
}

/* A decoder whose pictures are grey, but for wild edges, as a tile's are wrong. */
enum { FACTOR = 8, EDGE = 12 };

static int grey(void *vae, const struct tensor *latents, family_frame_fn *frame, void *ctx,
                struct error *e)
{
    int width = (int)latents->shape[3] * FACTOR, height = (int)latents->shape[2] * FACTOR, rc;
    float *rgb = malloc((size_t)(width * height * 3) * sizeof *rgb);
    (void)vae;

    assert_non_null(rgb);
    for (int i = 0; i < width * height * 3; i++) {
        int x = i / 3 % width, y = i / 3 / width;
        bool edge = x < EDGE || y < EDGE || x >= width - EDGE || y >= height - EDGE;
        rgb[i] = edge ? 1000 : 0.5F;
    }
    rc = frame(ctx, 0, rgb, width, height, e);
    free(rgb);
    return rc;
}

static int grey_factor(void *vae)
{
    (void)vae;
    return FACTOR;
}

static size_t grey_bytes(void *vae, const int64_t shape[4])
{
    (void)vae;
    return (size_t)(shape[2] * shape[3]);
}

static void assert_grey_inside(const struct film *f, int width, int height)
{
    assert_int_equal(f->size, width * height * 3);
    for (int y = EDGE; y < height - EDGE; y++)
        for (int x = EDGE; x < width - EDGE; x++)
            if (!(fabsf(f->pixels[(y * width + x) * 3] - 0.5F) < 1e-6F))
                fail_msg("%d, %d of %dx%d is %g", x, y, width, height,
                         (double)f->pixels[(y * width + x) * 3]);
}

/* Whatever the sizes, tiles' weights are 1 together, and their edges are not shown but where the
 * picture ends. */
static void test_tiles_show_neither_weights_nor_edges(void **unused)
{
    static const struct family family = {
        .decode = grey, .vae_factor = grey_factor, .vae_bytes = grey_bytes};
    static float data[90 * 90];
    struct device *d = open_device();
    struct error e = {0};
    (void)unused;

    for (int size = 20; size <= 90; size += 10)
        for (int tile = 128; tile <= 512; tile += 48) {
            struct vae_limits limits = {.tile_width = tile, .tile_height = tile};
            int64_t height = size > 70 ? 160 - size : size;
            struct tensor latents = TENSOR_F32(data, 1, 1, height, size);
            struct film f = {0};
            assert_int_equal(tiling_decode(&family, NULL, d, &limits, &latents, keep, &f, &e), 0);
            assert_grey_inside(&f, size * FACTOR, (int)height * FACTOR);
            free(f.pixels);
        }
    device_close(d);
}

static void test_limits_are_read(void **unused)
{
    static const char *const wrong[] = {"12X", "G", "-1G", "0", "1K", "12GBs"};
    static const char *const no_tiles[] = {"640",     "640x", "640x480x",     "64x640",
                                           "640-480", "x480", "100000x100000"};
    struct vae_limits l;
    struct error e = {0};
    (void)unused;

    assert_int_equal(vae_limits_read("12G", "640x480", &l, &e), 0);
    assert_int_equal(l.memory, (size_t)12 << 30);
    assert_int_equal(l.tile_width, 640);
    assert_int_equal(l.tile_height, 480);
    assert_int_equal(vae_limits_read("1.5GiB", "", &l, &e), 0);
    assert_int_equal(l.memory, (size_t)3 << 29);
    assert_int_equal(vae_limits_read("", NULL, &l, &e), 0);
    assert_int_equal(l.memory + (size_t)l.tile_width, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(vae_limits_read(wrong[i], "", &l, &e), -1);
    for (size_t i = 0; i < sizeof no_tiles / sizeof *no_tiles; i++)
        assert_int_equal(vae_limits_read("", no_tiles[i], &l, &e), -1);
    assert_int_equal(e.code, ERROR_USAGE);
    assert_non_null(strstr(e.text, "each from 128 to 65536"));
    assert_int_equal(vae_limits_read("", "1280X720", &l, &e), 0);
    assert_int_equal(l.tile_height, 720);
    assert_int_equal(vae_limits_read("99999T", "", &l, &e), -1);
    assert_non_null(strstr(e.text, "to 1024T"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices_change_nothing_of_hunyuan_video),
        cmocka_unit_test(test_slices_change_nothing_of_wan),
        cmocka_unit_test(test_later_batches_change_nothing_of_cogvideox),
        cmocka_unit_test(test_tiles_keep_to_the_memory),
        cmocka_unit_test(test_a_gpu_holds_no_more_than_the_limit),
        cmocka_unit_test(test_a_share_of_what_is_free_leaves_the_rest),
        cmocka_unit_test(test_tiles_are_near_the_whole),
        cmocka_unit_test(test_tiles_show_neither_weights_nor_edges),
        cmocka_unit_test(test_limits_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
