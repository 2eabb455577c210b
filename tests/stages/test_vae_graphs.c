/* A VAE's tiles and slices are recorded once for each form that they have, and recordings make the
 * pictures that operations make which are issued. */
#include "tests/stages/tape.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "stages/decode/tiling.h"
#include "stages/decode/wan_vae.h"
#include "stages/generate/family.h"

enum { HEIGHT = 8, WIDTH = 12, MOST = 16 * 16 * HEIGHT * WIDTH };

/* Latents as the families want them: [C, T, H, W], SVD and CogVideoX [T, C, H, W]. */
static const struct example {
    const char *dir;
    int64_t channels, frames, shorter;
    bool frames_first;
    int chunk;       /* latent frames together; 0: as it is */
    int forms, more; /* that passes have in clips of `frames`; more of them in those of `shorter` */
} examples[] = {
    /* Tiles of five, which begin at 0, 3, 6 .., and what is left. */
    {"tests/fixtures/hunyuan-video", 16, 12, 5, false, 0, 2, 1},
    /* In pairs: nothing before them, something, a single one at the end. */
    {"tests/fixtures/wan2.2-t2v-a14b", 16, 7, 4, false, 2, 3, 0},
    /* Three first, then pairs; or pairs alone. */
    {"tests/fixtures/cogvideox", 8, 9, 4, true, 0, 2, 2},
    {"tests/fixtures/svd-xt", 4, 7, 4, true, 3, 2, 0},
    {"tests/fixtures/sdxl", 4, 1, 1, false, 0, 1, 0},
};
enum { EXAMPLES = sizeof examples / sizeof *examples, TURNS = 3 };

struct film {
    float *pixels;
    size_t size; /* bytes of a picture */
    int count;
};

static int keep(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct film *f = ctx;

    (void)e;
    assert_int_equal(index, f->count);
    f->size = (size_t)(width * height * 3) * sizeof *rgb;
    f->pixels = realloc(f->pixels, f->size * (size_t)(index + 1));
    assert_non_null(f->pixels);
    memcpy((char *)f->pixels + f->size * (size_t)index, rgb, f->size);
    f->count++;
    return 0;
}

/* Others each turn: a replay reads what is there now. */
static struct tensor latents_of(const struct example *x, int64_t frames, int turn)
{
    static float data[MOST];
    struct tensor t = x->frames_first ? TENSOR_F32(data, frames, x->channels, HEIGHT, WIDTH)
                                      : TENSOR_F32(data, x->channels, frames, HEIGHT, WIDTH);

    assert_true(tensor_count(&t) <= MOST);
    for (int64_t i = 0; i < tensor_count(&t); i++)
        data[i] = sinf((float)i * 0.37f + (float)turn) * cosf((float)(i % 97) * 0.2f);
    return t;
}

struct vae {
    const struct family *family;
    struct device *device;
    void *model;
    struct memory_faults memory; /* its own, so that freed memory is known of as on a GPU */
};

/* False: there is no GPU. */
static bool vae_open_on(struct vae *v, const struct example *x, struct device_options o)
{
    struct error e = {0};

    *v = (struct vae){0};
    o.threads = 2;
    o.faults = o.kind == DEVICE_CPU ? &v->memory : NULL;
    assert_int_equal(family_of_checkpoint(x->dir, &v->family, &e), 0);
    o.activations = v->family->gpu.vae;
    if (device_open(&o, &v->device, &e)) {
        assert_int_equal(o.kind, DEVICE_CUDA);
        return false;
    }
    assert_int_equal(v->family->vae_open(x->dir, v->device, &v->model, &e), 0);
    if (x->chunk && v->family->vae_chunk)
        v->family->vae_chunk(v->model, x->chunk);
    else if (x->chunk)
        wan_vae_together(v->model, x->chunk);
    return true;
}

static void vae_open(struct vae *v, const struct example *x)
{
    vae_open_on(v, x, (struct device_options){0});
}

static void vae_close(struct vae *v)
{
    v->family->vae_close(v->model);
    device_close(v->device);
}

static struct film film_of(struct vae *v, const struct example *x, int64_t frames, int turn)
{
    struct tensor latents = latents_of(x, frames, turn);
    struct film film = {0};
    struct error e = {0};

    if (v->family->decode(v->model, &latents, keep, &film, &e) != 0)
        fail_msg("%s: %s", x->dir, e.text);
    assert_true(film.count >= frames);
    return film;
}

static void assert_same(const struct example *x, const struct film *a, const struct film *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->size, b->size);
    if (memcmp(a->pixels, b->pixels, a->size * (size_t)a->count) != 0)
        fail_msg("%s: what was recorded makes other pictures", x->dir);
}

/* Both decode the same; what the recording one was told of it. */
static int told(struct vae *plain, struct vae *recording, const struct example *x, int64_t frames,
                int turn)
{
    int before = tapes.issued;
    struct film a = film_of(plain, x, frames, turn), b = film_of(recording, x, frames, turn);

    assert_same(x, &a, &b);
    free(a.pixels);
    free(b.pixels);
    return tapes.issued - before;
}

static void one(const struct example *x)
{
    struct vae plain, recording;
    int first, last = 0;

    vae_open(&plain, x);
    vae_open(&recording, x);
    tape_start(recording.device);
    first = told(&plain, &recording, x, x->frames, 0);
    for (int turn = 1; turn < TURNS; turn++)
        last = told(&plain, &recording, x, x->frames, turn);
    assert_int_equal(tapes.made, x->forms);
    assert_true(tapes.replayed >= TURNS * x->forms - x->forms);
    assert_true(last < first / 2); /* what is still told is what no recording holds */
    for (int turn = 0; turn < TURNS; turn++)
        told(&plain, &recording, x, x->shorter, turn);
    assert_int_equal(tapes.made, x->forms + x->more);
    printf("%s: %d operations, then %d\n", x->dir, first, last);
    vae_close(&recording);
    vae_close(&plain);
    assert_int_equal(tapes.held, 0);
}

static void test_recordings_make_the_same_pictures(void **unused)
{
    (void)unused;
    for (int i = 0; i < EXAMPLES; i++)
        one(&examples[i]);
}

/* With less memory it goes in other slices, through other memory. */
static void test_another_limit_is_another_recording(void **unused)
{
    const struct example *x = &examples[0];
    const int64_t shape[4] = {x->channels, x->frames, HEIGHT, WIDTH};
    struct vae plain, recording;

    (void)unused;
    vae_open(&plain, x);
    vae_open(&recording, x);
    tape_start(recording.device);
    for (int turn = 0; turn < 2 * TURNS; turn++) {
        if (turn == TURNS)
            recording.family->vae_memory(recording.model,
                                         recording.family->vae_bytes(recording.model, shape));
        told(&plain, &recording, x, x->frames, turn);
    }
    assert_int_equal(tapes.made, 2 * x->forms);
    vae_close(&recording);
    vae_close(&plain);
    assert_int_equal(tapes.held, 0);
}

/* Where it takes one frame at a time, Wan's finds its past in another place every time. */
static void test_rings_are_not_recorded(void **unused)
{
    struct example x = examples[1];
    struct vae plain, recording;

    (void)unused;
    x.chunk = 1;
    vae_open(&plain, &x);
    vae_open(&recording, &x);
    tape_start(recording.device);
    for (int turn = 0; turn < TURNS; turn++)
        told(&plain, &recording, &x, x.frames, turn);
    assert_int_equal(tapes.made, 0);
    vae_close(&recording);
    vae_close(&plain);
}

static void hear(void *ctx, const struct note *note)
{
    *(bool *)ctx |= note->topic == NOTE_GRAPH && note->state == NOTE_ACTIVE;
}

/* What a GPU replays in the end is what it was told at first. */
static void test_a_gpu_replays_what_it_was_told(void **unused)
{
    (void)unused;
    for (int i = 0; i < EXAMPLES; i++) {
        const struct example *x = &examples[i];
        bool captured = false;
        struct device_options o = {.kind = DEVICE_CUDA, .notes = {hear, &captured}};
        struct film first, later;
        struct vae v;
        if (!vae_open_on(&v, x, o)) {
            printf("there is no GPU\n");
            skip();
        }
        first = film_of(&v, x, x->frames, 0);
        for (int turn = 0; turn < 2 * TURNS; turn++) {
            later = film_of(&v, x, x->frames, 0);
            assert_same(x, &first, &later);
            free(later.pixels);
        }
        free(first.pixels);
        assert_true(captured || getenv("AUTEUR_GRAPHS"));
        vae_close(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recordings_make_the_same_pictures),
        cmocka_unit_test(test_another_limit_is_another_recording),
        cmocka_unit_test(test_rings_are_not_recorded),
        cmocka_unit_test(test_a_gpu_replays_what_it_was_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
