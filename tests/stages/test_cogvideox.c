/* CogVideoX against the reference library on both fixtures, and checkpoints and sizes that are
 * wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/safetensors.h"
#include "stages/decode/cogvideox_vae.h"
#include "stages/generate/cogvideox.h"
#include "stages/generate/cogvideox_transformer.h"
#include "stages/parity/parity.h"
#include "tests/stages/scratch.h"

#define ROTARY "tests/fixtures/cogvideox"    /* 17 frames of 48 x 32 */
#define ADDED  "tests/fixtures/cogvideox-2b" /* 13 frames of 32 x 48 */

/* A denoiser whose patches span two frames, and one call of it in the reference library. */
#define SPANNING "tests/stages/data/cogvideox-1.5"

/* ---- parity */

static void holds(const char *dir, const char *const *names, size_t count)
{
    struct parity_options o = {.dir = dir, .device.threads = 2};
    struct error e = {0};
    char *lines;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    int rc;

    assert_non_null(out);
    rc = parity_run(&o, out, &e);
    assert_int_equal(fclose(out), 0);
    if (rc)
        fail_msg("%s\n%s", e.text, lines);
    for (size_t i = 0; i < count; i++)
        if (!strstr(lines, names[i]))
            fail_msg("no line for %s", names[i]);
    assert_null(strstr(lines, "FAIL"));
    free(lines);
}

static void test_rotary_form_holds(void **unused)
{
    static const char *const names[] = {
        "tokenize.t5", "prompt_embeds",         "negative_prompt_embeds", "rotary.cos",
        "rotary.sin",  "transformer.call0.out", "transformer.call1.out",  "vae.frames",
        "noise0",      "latents.step0",         "latents.step4",          "latents.final",
        "chain.frames"};
    (void)unused;
    holds(ROTARY, names, sizeof names / sizeof *names);
}

static void test_added_form_holds(void **unused)
{
    static const char *const names[] = {"prompt_embeds",         "transformer.call0.out",
                                        "transformer.call1.out", "vae.frames",
                                        "latents.step2",         "chain.frames"};
    (void)unused;
    holds(ADDED, names, sizeof names / sizeof *names);
}

/* ---- damaged checkpoints */

#define T "transformer/config.json"
#define V "vae/config.json"
#define S "scheduler/scheduler_config.json"

static const struct {
    const char *file;
    const char *edit; /* a sed expression; "rm"; or "half", to cut it short */
    const char *says;
} damages[] = {
    {T, "s/\"ofs_embed_dim\": null/\"ofs_embed_dim\": 512/", "ofs_embed_dim is set"},
    {T,
     "s/\"use_learned_positional_embeddings\": false/\"use_learned_positional_embeddings\": true/",
     "use_learned_positional_embeddings is set"},
    {T, "s/\"in_channels\": 8/\"in_channels\": 16/", "image-to-video form is not supported"},
    {T, "s/\"num_layers\": 2/\"num_layers\": 3/", "transformer_blocks.2.norm1.linear.weight"},
    {T, "s/\"num_layers\": 2/\"num_layers\": -1/", "num_layers"},
    {T, "s/\"attention_head_dim\": 16/\"attention_head_dim\": 24/", "must be a multiple of 16"},
    {T, "s/\"activation_fn\": \"gelu-approximate\"/\"activation_fn\": \"geglu\"/",
     "activation_fn is geglu"},
    {T, "s/\"text_embed_dim\": 32/\"text_embed_dim\": 33/", "patch_embed.text_proj.weight"},
    {T, "s/\"time_embed_dim\": 40/\"time_embed_dim\": 41/", "time_embedding.linear_1.weight"},
    {T, "s/\"patch_size\": 2/\"patch_size\": 4/", "patch_embed.proj.weight"},
    {T, "s/\"patch_size_t\": null/\"patch_size_t\": 2/", "patch_embed.proj.weight"},
    {T, "s/\"max_text_seq_length\": 20/\"max_text_seq_length\": 0/", "max_text_seq_length"},
    {T, "s/CogVideoXTransformer3DModel/WanTransformer3DModel/", "_class_name"},
    {"transformer/diffusion_pytorch_model-00001-of-00002.safetensors", "half", "00001-of-00002"},
    {"transformer/diffusion_pytorch_model-00002-of-00002.safetensors", "rm", "00002-of-00002"},
    {V, "s/\"CogVideoXUpBlock3D\"$/\"UpBlock\"/", "up_block_types[3] is UpBlock"},
    {V, "s/\"act_fn\": \"silu\"/\"act_fn\": \"relu\"/", "act_fn is relu"},
    {V, "s/\"temporal_compression_ratio\": 4/\"temporal_compression_ratio\": 6/", "power of two"},
    {V, "s/\"temporal_compression_ratio\": 4/\"temporal_compression_ratio\": 16/", "power of two"},
    {V, "s/\"norm_num_groups\": 4/\"norm_num_groups\": 3/", "norm_num_groups"},
    {V, "s/\"use_post_quant_conv\": false/\"use_post_quant_conv\": true/", "use_post_quant_conv"},
    {V, "s/\"latent_channels\": 8/\"latent_channels\": 9/", "decoder.conv_in.conv.weight"},
    {V, "s/\"layers_per_block\": 1/\"layers_per_block\": 2/", "up_blocks.0.resnets.2"},
    {V, "s/\"scaling_factor\": 0.7/\"scaling_factor\": 0/", "scaling_factor"},
    {"vae/diffusion_pytorch_model.safetensors", "half", "vae/diffusion_pytorch_model.safetensors"},
    {"text_encoder/config.json", "s/\"d_ff\": 48/\"d_ff\": 49/", "text_encoder/model.safetensors"},
    {"text_encoder/model.safetensors", "rm", "text_encoder"},
    {"tokenizer/spiece.model", "half", "tokenizer"},
    {S, "s/CogVideoXDDIMScheduler/CogVideoXDPMScheduler/", "CogVideoXDPMScheduler"},
    {S, "rm", "scheduler_config.json"},
};

static void test_damaged_checkpoints(void **unused)
{
    struct error e = {0};
    int wrong = 0;
    (void)unused;

    if (family_cogvideox.check(ROTARY, &e) || family_cogvideox.check(ADDED, &e))
        fail_msg("the whole one: %s", e.text);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const char *file = damages[i].file, *edit = damages[i].edit;
        shell("cp -rs \"$PWD/" ROTARY "\" %s/dir", scratch);
        if (strcmp(edit, "rm") == 0)
            shell("rm %s/dir/%s", scratch, file);
        else if (strcmp(edit, "half") == 0)
            shell("rm %s/dir/%s && head -c $(($(stat -c %%s " ROTARY "/%s) / 2)) " ROTARY
                  "/%s > %s/dir/%s",
                  scratch, file, file, file, scratch, file);
        else
            shell("rm %s/dir/%s && sed '%s' " ROTARY "/%s > %s/dir/%s && ! cmp -s " ROTARY
                  "/%s %s/dir/%s",
                  scratch, file, edit, file, scratch, file, file, scratch, file);
        e = (struct error){0};
        if (family_cogvideox.check(scratch, &e) == 0)
            fail_msg("%s is no checkpoint", scratch);
        char *dir = NULL;
        assert_true(asprintf(&dir, "%s/dir", scratch) > 0);
        e = (struct error){0};
        if (family_cogvideox.check(dir, &e) == 0 || !strstr(e.text, damages[i].says) ||
            !strstr(e.text, dir)) {
            print_error("%s, %s: \"%s\"\n", file, edit, e.text);
            wrong++;
        }
        free(dir);
        shell("rm -r %s/dir", scratch);
    }
    assert_int_equal(wrong, 0);
}

/* ---- sizes */

static struct device *cpu(void)
{
    struct device_options o = {.threads = 2};
    struct error e = {0};
    struct device *d;

    if (device_open(&o, &d, &e))
        fail_msg("%s", e.text);
    return d;
}

static void test_sizes_of_a_shot(void **unused)
{
    struct generation g = {.width = 48, .height = 32, .frames = 17, .guidance = 6};
    struct error e = {0};
    int64_t shape[4];
    struct device *d = cpu();
    void *m;
    (void)unused;

    assert_int_equal(family_cogvideox.model_open(ROTARY, d, &m, &e), 0);
    assert_int_equal(family_cogvideox.latents_shape(m, &g, shape, &e), 0);
    assert_memory_equal(shape, ((int64_t[]){5, 8, 4, 6}), sizeof shape);
    g.width = 40;
    assert_int_equal(family_cogvideox.latents_shape(m, &g, shape, &e), -1);
    assert_int_equal(e.code, ERROR_INPUT);
    assert_non_null(strstr(e.text, "multiples of 16"));
    g.width = 0;
    assert_int_equal(family_cogvideox.latents_shape(m, &g, shape, &e), -1);
    g.width = 48;
    g.frames = 16;
    assert_int_equal(family_cogvideox.latents_shape(m, &g, shape, &e), -1);
    assert_non_null(strstr(e.text, "one more than a multiple of 4"));
    family_cogvideox.model_close(m);
    device_close(d);
}

static void test_what_does_not_fit_the_denoiser(void **unused)
{
    static float words[2 * 24 * 33], data[4 * 8 * 12 * 8];
    struct tensor few = TENSOR_F32(words, 1, 23, 32), wide = TENSOR_F32(words, 1, 24, 33);
    struct tensor text = TENSOR_F32(words, 2, 24, 32), latents = TENSOR_F32(data, 4, 8, 12, 8);
    struct tensor out = TENSOR_F32(data, 1, 4, 8, 12, 8);
    struct cogvideox_transformer *m;
    struct error e = {0};
    struct device *d = cpu();
    (void)unused;

    assert_int_equal(cogvideox_transformer_load(ADDED "/transformer", d, &m, &e), 0);
    assert_int_equal(cogvideox_transformer_prepare(m, &wide, latents.shape, &e), -1);
    assert_non_null(strstr(e.text, "[1, 24, 33] do not fit: text_embed_dim is 32"));
    assert_int_equal(cogvideox_transformer_prepare(m, &few, latents.shape, &e), -1);
    assert_non_null(strstr(e.text, "23 tokens"));
    assert_int_equal(cogvideox_transformer_prepare(m, &text, (int64_t[]){4, 8, 11, 8}, &e), -1);
    assert_non_null(strstr(e.text, "[4, 8, 11, 8] do not fit"));
    assert_int_equal(cogvideox_transformer_prepare(m, &text, (int64_t[]){4, 7, 12, 8}, &e), -1);
    assert_int_equal(cogvideox_transformer_prepare(m, &text, latents.shape, &e), 0);
    assert_int_equal(cogvideox_transformer_forward(m, &latents, 1, &out, &e), -1); /* one item */
    cogvideox_transformer_free(m);
    device_close(d);
}

/* ---- CogVideoX 1.5 */

static struct tensor recorded(const struct safetensors *s, struct arena *a, const char *name)
{
    char full[64];
    const struct tensor *t;
    struct tensor out;

    snprintf(full, sizeof full, "transformer.call0.%s", name);
    t = safetensors_find(s, full);
    assert_non_null(t);
    out = tensor_new(a, t->rank, t->shape);
    assert_non_null(out.data);
    tensor_to_f32(t, out.data);
    return out;
}

static double distance(const struct tensor *got, const struct tensor *want)
{
    const float *a = got->data, *b = want->data;
    double error = 0, norm = 0;

    assert_int_equal(tensor_count(got), tensor_count(want));
    for (int64_t i = 0; i < tensor_count(got); i++) {
        error += (a[i] - b[i]) * (double)(a[i] - b[i]);
        norm += b[i] * (double)b[i];
    }
    return sqrt(error / norm);
}

static void test_patches_that_span_frames(void **unused)
{
    struct tensor latents, text, want, cosines, out, one, tall = {0};
    struct cogvideox_transformer *m;
    float cos[24 * 8], sin[24 * 8];
    struct safetensors *s;
    struct arena a = {0};
    struct error e = {0};
    struct device *d = cpu();
    (void)unused;

    assert_int_equal(safetensors_open(SPANNING "/call.safetensors", &s, &e), 0);
    latents = recorded(s, &a, "in.hidden_states");
    text = recorded(s, &a, "in.encoder_hidden_states");
    cosines = recorded(s, &a, "in.image_rotary_emb.0");
    want = recorded(s, &a, "out");
    one = tensor_slice(latents, 0, 0, 1);
    one = tensor_view(one, 4, latents.shape + 1);
    out = tensor_new(&a, 5, want.shape);
    assert_int_equal(cogvideox_transformer_load(SPANNING "/transformer", d, &m, &e), 0);
    assert_int_equal(cogvideox_tokens(m, one.shape), 24);
    cogvideox_rotary_tables(m, one.shape, cos, sin);
    for (int i = 0; i < 24 * 16; i++)
        assert_true(fabsf(cos[i / 2] - ((float *)cosines.data)[i]) < 1e-6f);
    assert_int_equal(cogvideox_transformer_prepare(m, &text, one.shape, &e), 0);
    assert_int_equal(cogvideox_transformer_forward(m, &one, 611, &out, &e), 0);
    if (!(distance(&out, &want) < 1e-4))
        fail_msg("relative error %g", distance(&out, &want));
    memcpy(tall.shape, (int64_t[]){4, 4, 12, 8}, 4 * sizeof *tall.shape);
    assert_int_equal(cogvideox_transformer_prepare(m, &text, tall.shape, &e), -1);
    assert_int_equal(e.code, ERROR_INPUT);
    assert_non_null(strstr(e.text, "larger than the 10 x 14"));
    cogvideox_transformer_free(m);
    device_close(d);
    safetensors_close(s);
    arena_free(&a);
}

/* ---- the VAE */

struct taken {
    int count, stop;
    double sum;
};

static int take(void *ctx, int index, const float *rgb, int width, int height, struct error *e)
{
    struct taken *t = ctx;

    assert_int_equal(index, t->count);
    if (t->stop && t->count == t->stop)
        return error_set(e, ERROR_CANCELLED, "enough");
    t->count++;
    for (int i = 0; i < width * height * 3; i++)
        t->sum += rgb[i] * (double)(i % 7);
    return 0;
}

static void test_vae_batches(void **unused)
{
    static float data[7 * 8 * 4 * 6];
    struct tensor latents = TENSOR_F32(data, 5, 8, 4, 6), wrong = TENSOR_F32(data, 5, 7, 4, 6);
    struct tensor small = TENSOR_F32(data, 2, 8, 2, 2), single = TENSOR_F32(data, 1, 8, 4, 6);
    struct taken first = {0}, stopped = {.stop = 11}, again = {0}, others = {0}, one = {0};
    struct cogvideox_vae *v;
    struct error e = {0};
    struct device *d = cpu();
    (void)unused;

    for (int i = 0; i < 7 * 8 * 4 * 6; i++)
        data[i] = (float)(i * 37 % 101) / 50 - 1;
    assert_int_equal(cogvideox_vae_load(ROTARY "/vae", d, &v, &e), 0);
    for (int t = 1; t < 8; t++)
        assert_int_equal(cogvideox_vae_frames(v, t), t % 2 ? 4 * t - 3 : 4 * t);
    assert_int_equal(cogvideox_vae_decode(v, &latents, take, &first, &e), 0);
    assert_int_equal(first.count, 17);
    assert_int_equal(cogvideox_vae_decode(v, &latents, take, &stopped, &e), -1);
    assert_int_equal(e.code, ERROR_CANCELLED);
    assert_int_equal(cogvideox_vae_decode(v, &small, take, &others, &e), 0);
    assert_int_equal(others.count, 8);
    assert_int_equal(cogvideox_vae_decode(v, &single, take, &one, &e), 0);
    assert_int_equal(one.count, 1);
    /* nothing is left of what went before */
    assert_int_equal(cogvideox_vae_decode(v, &latents, take, &again, &e), 0);
    assert_true(again.sum == first.sum);
    assert_int_equal(cogvideox_vae_decode(v, &wrong, take, &again, &e), -1);
    assert_non_null(strstr(e.text, "[5, 7, 4, 6] do not fit a VAE of 8 channels"));
    cogvideox_vae_free(v);
    device_close(d);
}

/* ---- one call of the denoiser, and a decode, on the plain C reference and on the CPU kernels */

struct outcome {
    float flow[2 * 3 * 8 * 4 * 6];
    struct taken film;
};

static void call(struct device *d, const char *transformer, const char *vae, struct outcome *to)
{
    static float data[3 * 8 * 4 * 6], words[2 * 24 * 32];
    struct tensor latents = TENSOR_F32(data, 3, 8, 4, 6), out = TENSOR_F32(to->flow, 2, 3, 8, 4, 6);
    struct tensor text = TENSOR_F32(words, 2, 24, 32);
    struct cogvideox_transformer *m;
    struct cogvideox_vae *v;
    struct error e = {0};

    to->film = (struct taken){0};
    for (int i = 0; i < 3 * 8 * 4 * 6; i++)
        data[i] = (float)(i * 37 % 101) / 50 - 1;
    for (int i = 0; i < 2 * 24 * 32; i++)
        words[i] = (float)(i * 53 % 89) / 45 - 1;
    assert_int_equal(cogvideox_transformer_load(transformer, d, &m, &e), 0);
    assert_int_equal(cogvideox_transformer_prepare(m, &text, latents.shape, &e), 0);
    assert_int_equal(cogvideox_transformer_forward(m, &latents, 700, &out, &e), 0);
    cogvideox_transformer_free(m);
    assert_int_equal(cogvideox_vae_load(vae, d, &v, &e), 0);
    assert_int_equal(cogvideox_vae_decode(v, &latents, take, &to->film, &e), 0);
    cogvideox_vae_free(v);
}

static void agree(const char *transformer, const char *vae)
{
    static struct outcome plain, fast;
    struct error e = {0};
    struct device *d;
    struct tensor want = TENSOR_F32(plain.flow, sizeof plain.flow / sizeof(float));
    struct tensor got = TENSOR_F32(fast.flow, sizeof fast.flow / sizeof(float));

    assert_int_equal(device_open_reference(1, &d, &e), 0);
    call(d, transformer, vae, &plain);
    device_close(d);
    d = cpu();
    call(d, transformer, vae, &fast);
    device_close(d);
    if (!(distance(&got, &want) < 1e-5)) /* sums of some hundred terms, two blocks deep */
        fail_msg("relative error %g", distance(&got, &want));
    assert_true(plain.film.count == 9 && fast.film.count == 9);
    if (!(fabs(plain.film.sum - fast.film.sum) < 1e-4 * fabs(plain.film.sum)))
        fail_msg("%g is not %g", fast.film.sum, plain.film.sum);
}

static void test_reference_agrees(void **unused)
{
    (void)unused;
    agree(ROTARY "/transformer", ROTARY "/vae");
    agree(ADDED "/transformer", ADDED "/vae");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotary_form_holds),
        cmocka_unit_test(test_added_form_holds),
        cmocka_unit_test(test_damaged_checkpoints),
        cmocka_unit_test(test_sizes_of_a_shot),
        cmocka_unit_test(test_what_does_not_fit_the_denoiser),
        cmocka_unit_test(test_patches_that_span_frames),
        cmocka_unit_test(test_vae_batches),
        cmocka_unit_test(test_reference_agrees),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
