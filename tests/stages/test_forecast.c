/* Forecasts: what a dry device counts is what models hold and do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/dry/impl.h"
#include "kernels/outline.h"
#include "kernels/safetensors.h"
#include "stages/forecast/fit.h"
#include "stages/generate/wan_transformer.h"
#include "tests/stages/machines.h"

#define WAN "tests/fixtures/wan2.2-t2v-a14b/transformer"

static const double GIB = 1024.0 * 1024 * 1024;

static struct device *open_dry(struct dry_run *run, enum dtype activations)
{
    struct error e = {0};
    struct device *d;

    if (device_open(
            &(struct device_options){
                .kind = DEVICE_CUDA, .threads = 1, .activations = activations, .dry = run},
            &d, &e) != 0)
        fail_msg("%s", e.text);
    return d;
}

/* Whoever adds an operation tells the dry device what it costs. */
static void every_slot_is_filled(void **state)
{
    struct dry_run run = {0};
    struct device *d = open_dry(&run, DTYPE_BF16);
    void *slots[sizeof d->ops / sizeof(void *)];

    (void)state;
    memcpy(slots, &d->ops, sizeof slots);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        if (!slots[i])
            fail_msg("slot %zu of struct ops has no dry form (kernels/dry/ops.c)", i);
    device_close(d);
    assert_int_equal(run.used, 0);
}

/* Every matrix of the file was packed once, and its numbers were not looked at. */
static void weights_are_those_of_the_file(void **state)
{
    struct dry_run run = {0};
    struct device *d = open_dry(&run, DTYPE_BF16);
    struct wan_transformer *m;
    struct safetensors *s;
    struct error e = {0};
    double stored = 0;

    (void)state;
    assert_int_equal(safetensors_open(WAN, &s, &e), 0);
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const char *name = safetensors_name(s, i);
        const struct tensor *t = safetensors_find(s, name);
        if (t->rank > 1 && !strstr(name, "scale_shift_table"))
            stored += (double)tensor_count(t) * (double)dtype_size(t->dtype);
    }
    safetensors_close(s);
    assert_int_equal(wan_transformer_load(WAN, d, &m, &e), 0);
    assert_true(run.stored == stored);
    assert_true((double)run.used >= stored / 2); /* F32 in the file */
    wan_transformer_free(m);
    device_close(d);
    assert_int_equal(run.used, 0);
}

static void arithmetic_is_the_models(void **state)
{
    enum { DIM = 64, TIME = 256 }; /* as its config says */
    struct dry_run run = {0};
    struct device *d = open_dry(&run, DTYPE_BF16);
    struct wan_conditioning *c;
    struct wan_transformer *m;
    struct arena a = {0};
    struct error e = {0};
    struct tensor text, latents, flow;
    int64_t shape[4];

    (void)state;
    assert_int_equal(wan_transformer_load(WAN, d, &m, &e), 0);
    shape[0] = wan_transformer_channels(m);
    for (int i = 0; i < 3; i++)
        shape[i + 1] = 4 * wan_transformer_patch(m)[i];
    text = TENSOR_NEW(&a, 5, wan_transformer_text_dim(m));
    latents = tensor_new(&a, 4, shape);
    flow = tensor_new(&a, 4, shape);
    assert_int_equal(wan_transformer_prepare(m, &text, 9, &c, &e), 0);
    dry_begin(&run);
    assert_int_equal(wan_transformer_forward(m, c, &latents, 500, &flow, &e), 0);
    /* One row goes through the timestep's layers, which wan_transformer_flops() leaves out. */
    double step = run.flops[DRY_PRODUCT] + run.flops[DRY_ATTENTION_64]; /* heads of 32 */
    dry_begin(&run);
    assert_int_equal(wan_transformer_forward(m, c, &latents, 500, &flow, &e), 0);
    assert_true(run.flops[DRY_PRODUCT] + run.flops[DRY_ATTENTION_64] == step);
    double rest = step - wan_transformer_flops(m, c, shape);
    if (rest < 0 || rest > 0.1 * step)
        fail_msg("%g operations, %g more than the formula has", step, rest);
    assert_true(rest == 2.0 * (TIME * DIM + DIM * DIM + 6 * DIM * DIM));
    assert_true(((const float *)flow.data)[0] == DRY_NUMBER);
    wan_conditioning_free(c);
    wan_transformer_free(m);
    device_close(d);
    arena_free(&a);
}

/* Bytes that a gated layer moves on a GPU of this capability, whose rows are x's; *scratch: takes.
 */
static double gated_layer_moves(int major, int64_t rows, struct linear w, size_t *scratch)
{
    struct dry_run run = {.facts.major = major};
    struct device *d = open_dry(&run, DTYPE_BF16);
    struct arena a = device_arena(d);
    struct tensor x = ACTIVATION_NEW(d, &a, rows, w.in);
    struct tensor out = ACTIVATION_NEW(d, &a, rows, w.out / 2);
    struct error e = {0};
    double moved;

    dry_begin(&run);
    op_linear_glu(d, &out, &x, &w, ACT_GELU);
    if (device_status(d, &e) != 0)
        fail_msg("%s", e.text);
    assert_true(run.flops[DRY_PRODUCT] == 2.0 * (double)(rows * w.in * w.out));
    moved = run.bytes;
    *scratch = run.scratch;
    assert_int_equal(linear_glu_is_fused(d, &w, ACT_GELU), run.scratch == 0);
    arena_free(&a);
    device_close(d);
    return moved;
}

/* In one kernel neither values nor gates are in memory: on Hopper, where rows lie on 16 bytes. */
static void gated_layers_are_one_pass_on_hopper(void **state)
{
    const int64_t rows = 1000, k = 320, n = 1280;
    struct linear w = {.in = k, .out = 2 * n, .dtype = DTYPE_BF16, .packed = &w};
    double least = 2.0 * (double)(rows * k + rows * n + 2 * n * k);
    size_t scratch;

    (void)state;
    assert_true(gated_layer_moves(9, rows, w, &scratch) == least);
    assert_int_equal(scratch, 0);
    assert_true(gated_layer_moves(8, rows, w, &scratch) == least + 2.0 * (double)(4 * rows * n));
    assert_true(scratch >= (size_t)(4 * rows * n));
    w.in = k + 4;
    gated_layer_moves(9, rows, w, &scratch);
    assert_true(scratch >= (size_t)(4 * rows * n));
}

/* ---- machines */

/* Scratch of one call of attention on a GPU of this capability that was opened for FP8. */
static size_t attention_takes(int major, int64_t tokens, const struct attention_bias *bias)
{
    struct dry_run run = {.facts.major = major};
    struct device *d = open_dry(&run, DTYPE_BF16);
    struct arena a = device_arena(d);
    struct tensor q = ACTIVATION_NEW(d, &a, tokens, 24, 128), out = q;
    struct error e = {0};
    size_t taken;

    d->attention = DTYPE_F8_E4M3;
    op_attention(d, &out, &q, &q, &q, 0.1f, bias);
    assert_int_equal(device_status(d, &e), 0);
    taken = run.scratch;
    arena_free(&a);
    device_close(d);
    return taken;
}

/* Bytes of q, k and v where attention is computed in FP8: long, on Hopper, and not told to be
 * precise. */
static void attention_in_fp8_has_operands(void **state)
{
    const struct attention_bias precise = {.precise = true};
    const size_t mib = 1 << 20;

    (void)state;
    assert_in_range(attention_takes(9, 18256, NULL), 3 * 18256 * 24 * 128, 170 * mib);
    assert_in_range(attention_takes(9, 67576, NULL), 200 * mib, 330 * mib); /* some heads at once */
    assert_int_equal(attention_takes(9, 18256, &precise), 0);
    assert_int_equal(attention_takes(9, 1000, NULL), 0);
    assert_int_equal(attention_takes(12, 18256, NULL), 0);
}

/* The class that the arithmetic of one call of attention is counted in. */
static enum dry_class attention_is(enum dtype dtype, int64_t dim)
{
    struct dry_run run = {.facts.major = 9};
    struct device *d = open_dry(&run, DTYPE_BF16);
    struct arena a = device_arena(d);
    struct tensor q = ACTIVATION_NEW(d, &a, 2048, 24, dim), out = q;
    int class = 0;

    d->attention = dtype;
    op_attention(d, &out, &q, &q, &q, 0.1f, NULL);
    while (class < DRY_CLASSES && run.flops[class] == 0)
        class ++;
    assert_true(class < DRY_CLASSES && run.flops[class] == 4.0 * 2048 * 2048 * 24 * (double)dim);
    arena_free(&a);
    device_close(d);
    return (enum dry_class) class;
}

/* FP8 is faster than 16 bits, heads of 128 numbers faster than of 64. */
static void attention_has_the_rate_of_its_form(void **state)
{
    struct error e = {0};
    struct machine m;

    (void)state;
    assert_int_equal(attention_is(0, 128), DRY_ATTENTION);
    assert_int_equal(attention_is(0, 64), DRY_ATTENTION_64);
    assert_int_equal(attention_is(DTYPE_F8_E4M3, 128), DRY_ATTENTION8);
    assert_int_equal(attention_is(DTYPE_F8_E4M3, 64), DRY_ATTENTION8_64);
    assert_int_equal(machine_parse("h200", &m, &e), 0);
    const struct dry_rates r = machine_rates(&m);
    assert_true(r.flops[DRY_ATTENTION8] > 1.5 * r.flops[DRY_ATTENTION]);
    assert_true(r.flops[DRY_ATTENTION] > 1.15 * r.flops[DRY_ATTENTION_64]);
    assert_true(r.flops[DRY_ATTENTION8_64] > 1.3 * r.flops[DRY_ATTENTION_64]);
    assert_int_equal(machine_parse("a100", &m, &e), 0);
    assert_true(machine_rates(&m).flops[DRY_ATTENTION8] > 0);
}

/* ---- outlines */

static void outlines_are_read_as_written(void **state)
{
    static const struct {
        const char *table;
        int tensors; /* -1: refused */
    } cases[] = {
        {"a.weight F32 3x4\n", 1},
        {"b.{0-2}.{x,y}.weight BF16 5\nc I64 1\n", 7},
        {"", 0},
        {"a.weight F32\n", -1},
        {"a.weight F31 3\n", -1},
        {"a.weight F32 3x\n", -1},
        {"a.weight F32 -3\n", -1},
        {"a.{0-2 F32 3\n", -1},
        {"a.{5-2} F32 3\n", -1},
        {"a.{0-99999999} F32 3\n", -1},
        {"a F32 9999999999x9999999999x99999\n", -1},
        {"a F32 3 more\n", -1},
    };
    char dir[] = "/tmp/auteur-outline-XXXXXX", path[64];
    struct error e = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/" OUTLINE_NAME, dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *table = cases[i].table;
        struct safetensors *s = NULL;
        int rc;

        assert_int_equal(file_write_atomic(path, table, strlen(table), &e), 0);
        assert_int_equal(safetensors_open(dir, &s, &e), -1); /* not a model to run */
        outline_allow(true);
        error_clear(&e);
        rc = safetensors_open(dir, &s, &e);
        outline_allow(false);
        assert_int_equal(rc, cases[i].tensors < 0 ? -1 : 0);
        if (rc != 0)
            assert_non_null(strstr(e.text, OUTLINE_NAME ":1: "));
        else
            assert_int_equal(safetensors_count(s), cases[i].tensors);
        safetensors_close(rc == 0 ? s : NULL);
        error_clear(&e);
    }
    assert_int_equal(path_remove(dir, &e), 0);
}

/* ---- known cases, from the published checkpoints' outlines */

static char data[64]; /* a data folder with the outlines in it */

static struct forecast forecast(const char *tier, int width, int height, int frames,
                                const struct machine *m)
{
    const struct board board = {.width = width, .height = height, .fps = {24, 1}};
    const struct shot shot = {.id = "a",
                              .tier = tier,
                              .frames = frames,
                              .steps = 3,
                              .guidance = -1,
                              .guidance_2 = -1,
                              .noise = -1,
                              .keyframe = "",
                              .step_cache = "",
                              .sampler = ""};
    const struct stage_env env = {.board = &board, .data_dir = data, .models_dir = "", .tier = ""};
    struct forecast f;
    struct error e = {0};

    if (forecast_shot(&env, &shot, m, &f, &e) != 0)
        fail_msg("%s", e.text);
    assert_true(f.outlined);
    return f;
}

/* Both experts, the words' encoder and the VAE at once do not fit one card of 49 GiB; at 1280x720
 * nor two, for beside an expert and the encoder what sampling takes leaves less than a tenth; four
 * hold them. At 832x480 two do. One after another they fit one. */
static void wan_a14b_is_told_of_49_gib_cards(void **state)
{
    static const struct {
        int width, height, gpus;
        bool fits;
    } cases[] = {{1280, 720, 1, false}, {1280, 720, 2, false}, {1280, 720, 4, true},
                 {832, 480, 1, false},  {832, 480, 2, true},   {832, 480, 4, true}};
    struct machine m = machine("1x49GiB");
    struct forecast f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i % 3 == 0)
            f = forecast("flagship", cases[i].width, cases[i].height, 81, &m);
        assert_int_equal(f.stage[1].models, 2);
        assert_in_range((uint64_t)f.stage[1].weights, 28.0e9, 30.0e9);
        assert_int_equal(machine_holds(&m, forecast_resident(&f, &m, cases[i].gpus)),
                         cases[i].fits);
        assert_true(machine_holds(&m, forecast_peak(&f, &m)));
    }
}

/* Every model lies on one card, with room beside it for the one of its card that takes most. */
static void models_lie_whole_on_one_card(void **state)
{
    struct machine m = machine("2x49GiB"), one = machine("64GiB,unified");
    const struct forecast f = {.stage = {{.weights = 9 * GIB, .models = 1, .peak = 10 * GIB},
                                         {.weights = 27 * GIB, .models = 2, .peak = 36 * GIB},
                                         {.weights = 1 * GIB, .models = 1, .peak = 12 * GIB}},
                               .count = 3};
    double base = (double)machine_base(&m);
    struct place p[PLACES_MOST];

    (void)state;
    assert_int_equal(forecast_place(&f, &m, 1, p), 1);
    assert_int_equal(p[0].count, 4);
    assert_true(p[0].weights == 64 * GIB && p[0].working == 11 * GIB - base);
    assert_int_equal(forecast_place(&f, &m, 2, p), 2);
    assert_true(p[0].weights == 36 * GIB && p[0].working == 9 * GIB - base);
    assert_true(p[0].total == 45 * GIB && p[1].total == 39 * GIB);
    assert_int_equal(p[0].model[0].stage, 1);
    assert_int_equal(p[0].model[1].stage, 0);
    assert_int_equal(forecast_place(&f, &m, 8, p), 4);
    assert_true(p[0].total == 36 * GIB);
    assert_int_equal(forecast_place(&f, &m, 1000, p), 4);
    assert_int_equal(forecast_gpus(&f, &m), 3); /* 45 of 49 leaves less than a tenth */
    assert_int_equal(forecast_place(&f, &one, 1, p), 1);
    assert_true(p[0].total == 75 * GIB + machine_itself(&one));
}

/* Models are laid so that as few cards do as can: the heaviest first where least lies needs three
 * of these. */
static void every_way_of_laying_models_is_tried(void **state)
{
    struct machine m = machine("2xRTX 5060 Ti");
    struct forecast f = forecast("validator", 1024, 576, 25, &m);
    struct place p[PLACES_MOST];

    (void)state;
    assert_int_equal(forecast_gpus(&f, &m), 2);
    assert_int_equal(forecast_place(&f, &m, 2, p), 2);
    assert_int_equal(p[0].count + p[1].count, 6);
    assert_true(machine_holds(&m, p[0].total) && p[1].total <= p[0].total);
}

/* A shot that no card holds is refused, however many there are: they are not shared out. */
static void more_cards_do_not_help_one_shot(void **state)
{
    struct machine one = machine("8GiB"), many = machine("1024x8GiB");
    struct forecast f = forecast("workhorse", 1280, 720, 129, &one);
    struct forecast g = forecast("workhorse", 1280, 720, 129, &many);

    (void)state;
    assert_false(machine_holds(&one, forecast_peak(&f, &one)));
    assert_false(machine_holds(&many, forecast_peak(&g, &many)));
    assert_true(forecast_peak(&f, &one) == forecast_peak(&g, &many));
}

/* What others hold now cannot be had; the host's memory is asked for where it is known. */
static void memory_of_others_is_taken_off(void **state)
{
    struct dry_run run = {.facts = {.memory = (size_t)80 << 30, .major = 9},
                          .used = (size_t)30 << 30};
    struct device *d;
    struct machine m;

    (void)state;
    snprintf(run.facts.name, sizeof run.facts.name, "NVIDIA H100 80GB HBM3");
    d = open_dry(&run, DTYPE_BF16);
    machine_of_device(d, &m);
    assert_true(m.gpus == 1 && m.bf16 == 989e12 && m.facts.memory == (size_t)80 << 30);
    assert_true(m.taken == 30 * GIB - (double)machine_base(&m));
    assert_true(machine_holds(&m, 45 * GIB) && !machine_holds(&m, 46.5 * GIB));
    m.host = (size_t)32 << 30;
    assert_true(machine_hosts(&m, 28 * GIB) && !machine_hosts(&m, 30 * GIB));
    m.host = 0;
    assert_true(machine_hosts(&m, 1000 * GIB));
    device_close(d);
}

/* On a small card the experts stay with the host, and come over the link at every step. */
static void weights_are_streamed_where_they_do_not_fit(void **state)
{
    struct machine small = machine("16GiB,960GB/s,113TFLOP/s"), large = machine("h200");
    struct forecast f = forecast("flagship", 832, 480, 17, &small);
    struct forecast all = forecast("flagship", 832, 480, 17, &large);
    const struct forecast_stage *s = &f.stage[1], *whole = &all.stage[1];
    double block = whole->weights / 40; /* of its layers */

    (void)state;
    assert_true(forecast_streams(&f) && !forecast_streams(&all));
    assert_true(s->streamed + s->weights > whole->weights);
    assert_true(s->weights < 6 * block);
    assert_true(s->host >= s->streamed);
    assert_true(s->work > 3 * 2 * s->streamed / small.link); /* two passes a step */
    assert_true(machine_holds(&small, forecast_peak(&f, &small)));
}

/* Of one memory, stages that work one after another share what the larger of them takes. */
static void one_memory_holds_a_stage_with_its_own_host(void **state)
{
    struct forecast f = {
        .stage = {{.peak = 10 * GIB, .host = 1 * GIB}, {.peak = 2 * GIB, .host = 8 * GIB}},
        .count = 2};
    struct machine own = machine("48GiB"), one = machine("48GiB,unified");

    (void)state;
    assert_true(machine_itself(&own) == 0 && machine_itself(&one) > 0);
    assert_true(forecast_peak(&f, &own) == 10 * GIB);
    assert_true(forecast_peak(&f, &one) == 11 * GIB + machine_itself(&one));
}

/* A larger GPU never holds less: what decoding chooses leaves what the verdict wants. */
static void a_decode_chooses_what_fits(void **state)
{
    static const char *const gpus[] = {"5.5GiB", "8GiB", "9GiB"};

    (void)state;
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++) {
        struct machine m = machine(gpus[i]);
        struct forecast f = forecast("workhorse", 1280, 720, 17, &m);

        assert_true(machine_holds(&m, forecast_peak(&f, &m)));
        assert_int_equal(f.stage[2].cuts, 0);
    }
}

static double stored(const struct forecast *f)
{
    double sum = 0;
    for (int i = 0; i < f->count; i++)
        sum += f->stage[i].stored;
    return sum;
}

static void hunyuan_video_is_told_of_unified_memory(void **state)
{
    struct machine m = machine("1x128GiB,unified");
    struct forecast f = forecast("workhorse", 1280, 720, 129, &m);

    (void)state;
    assert_in_range((uint64_t)(stored(&f) / GIB * 10), 350, 390); /* about 37 */
    assert_true(machine_holds(&m, forecast_resident(&f, &m, 1)));
    m = machine("16GiB"); /* forecast whole, for the large one */
    assert_false(machine_holds(&m, forecast_peak(&f, &m)));
    assert_int_equal(forecast_gpus(&f, &m), 0);
    f = forecast("workhorse", 1280, 720, 129, &m); /* from the host */
    assert_true(f.stage[1].streamed > 0 && f.stage[2].streamed == 0);
    assert_true(machine_holds(&m, forecast_peak(&f, &m)));
}

/* As measured on an H200 on 2026-11-21 (bench/README.md), within a tenth. Of stages that are mostly
 * weights, which work on speed does not change. */
static void peaks_are_those_that_were_measured(void **state)
{
    static const struct {
        const char *tier;
        int width, height, frames, stage;
        double gib;
    } cases[] = {
        {"workhorse", 1280, 720, 17, 0, 14.0},   {"workhorse", 1280, 720, 17, 1, 26.3},
        {"validator", 1024, 576, 25, 3, 4.8},    {"experimental", 768, 432, 49, 0, 10.1},
        {"experimental", 768, 432, 49, 1, 12.7},
    };
    struct machine m = machine("h200");
    struct forecast f = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (i == 0 || strcmp(cases[i].tier, cases[i - 1].tier) != 0)
            f = forecast(cases[i].tier, cases[i].width, cases[i].height, cases[i].frames, &m);
        double told = f.stage[cases[i].stage].peak / GIB;
        if (fabs(told - cases[i].gib) > 0.1 * cases[i].gib)
            fail_msg("%s, %s: %.1f GiB were told, %.1f measured", cases[i].tier,
                     f.stage[cases[i].stage].name, told, cases[i].gib);
        assert_true(f.stage[cases[i].stage].work > 0);
    }
}

static int set_up(void **state)
{
    char target[80], *from = realpath("stages/models/published", NULL);
    int rc;

    (void)state;
    snprintf(data, sizeof data, "/tmp/auteur-forecast-XXXXXX");
    if (!from || !mkdtemp(data))
        return -1;
    snprintf(target, sizeof target, "%s/published", data);
    rc = symlink(from, target);
    free(from);
    return rc;
}

static int tear_down(void **state)
{
    struct error e = {0};

    (void)state;
    return path_remove(data, &e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_slot_is_filled),
        cmocka_unit_test(weights_are_those_of_the_file),
        cmocka_unit_test(arithmetic_is_the_models),
        cmocka_unit_test(attention_in_fp8_has_operands),
        cmocka_unit_test(attention_has_the_rate_of_its_form),
        cmocka_unit_test(gated_layers_are_one_pass_on_hopper),
        cmocka_unit_test(outlines_are_read_as_written),
        cmocka_unit_test(wan_a14b_is_told_of_49_gib_cards),
        cmocka_unit_test(models_lie_whole_on_one_card),
        cmocka_unit_test(every_way_of_laying_models_is_tried),
        cmocka_unit_test(more_cards_do_not_help_one_shot),
        cmocka_unit_test(memory_of_others_is_taken_off),
        cmocka_unit_test(weights_are_streamed_where_they_do_not_fit),
        cmocka_unit_test(a_decode_chooses_what_fits),
        cmocka_unit_test(one_memory_holds_a_stage_with_its_own_host),
        cmocka_unit_test(hunyuan_video_is_told_of_unified_memory),
        cmocka_unit_test(peaks_are_those_that_were_measured),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
