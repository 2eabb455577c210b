/* `auteur-pipe models`: folders in other layouts are explained, by `check` and `run` as well; what
 * it prints for people and for programs. */
#include <jansson.h>

#include "stages/models/published.h"
#include "tests/pipeline/program.h"
#include "tests/stages/checkpoint_folder.h"

static int set_up(void **state)
{
    (void)state;
    return program_scratch(scratch);
}

static int tear_down(void **state)
{
    struct error e = {0};
    (void)state;
    return path_remove(scratch, &e);
}

/* ---- other layouts */

static const struct {
    const char *files[3];
    const char *tensor; /* of the first file; NULL: an empty file */
    const char *says, *repository;
} layouts[] = {
    {{"hunyuan-video-t2v-720p/transformers/mp_rank_00_model_states.pt"},
     NULL,
     "HunyuanVideo in its original layout "
     "(hunyuan-video-t2v-720p/transformers/mp_rank_00_model_states.pt is a pickle",
     REPOSITORY_HUNYUAN},
    {{"transformers/mp_rank_00_model_states_fp8.pt", "vae/pytorch_model.pt"},
     NULL,
     "HunyuanVideo in its original layout",
     REPOSITORY_HUNYUAN},
    {{"hunyuan_video_720_cfgdistill_bf16.safetensors"},
     "txt_in.individual_token_refiner.blocks.0.norm1.weight",
     "HunyuanVideo's transformer in one file",
     REPOSITORY_HUNYUAN},
    {{"low_noise_model/diffusion_pytorch_model-00001-of-00006.safetensors",
      "high_noise_model/config.json", "Wan2.1_VAE.pth"},
     NULL,
     "Wan 2.2 A14B in its original layout",
     REPOSITORY_WAN_2_2},
    {{"models_t5_umt5-xxl-enc-bf16.pth", "Wan2.1_VAE.pth"},
     NULL,
     "Wan in its original layout",
     REPOSITORY_WAN_2_1},
    {{"diffusion_pytorch_model.safetensors"},
     "blocks.0.self_attn.q.weight",
     "Wan's transformer under its original names",
     REPOSITORY_WAN_2_2},
    {{"wan2.2_t2v_high_noise_14B_fp16.safetensors"},
     "model.diffusion_model.blocks.0.self_attn.q.weight",
     "Wan's transformer under its original names",
     REPOSITORY_WAN_2_2},
    {{"transformer/1/mp_rank_00_model_states.pt", "transformer/latest", "vae/3d-vae.pt"},
     NULL,
     "CogVideoX in its original (SAT) layout",
     REPOSITORY_COGVIDEOX_2B},
    {{"sd_xl_base_1.0.safetensors"},
     "conditioner.embedders.1.model.ln_final.weight",
     "SDXL in one file (sd_xl_base_1.0.safetensors is there)",
     REPOSITORY_SDXL},
    {{"svd_xt.safetensors"},
     "model.diffusion_model.input_blocks.1.0.time_stack.emb_layers.1.bias",
     "SVD in one file",
     REPOSITORY_SVD_XT},
    {{"v1-5-pruned.safetensors"},
     "cond_stage_model.transformer.text_model.final_layer_norm.bias",
     "Stable Diffusion 1 or 2",
     REPOSITORY_SDXL},
    {{"split_files/diffusion_models/hunyuan_video_t2v_720p_bf16.safetensors"},
     "double_blocks.0.img_mod.lin.bias",
     "a repackaging for ComfyUI",
     REPOSITORY_HUNYUAN},
    {{"v1-5-pruned.ckpt"}, NULL, "a folder with v1-5-pruned.ckpt: pickles", "models lists them"},
    {{"model-Q4_K_M.gguf"}, NULL, "a folder with model-Q4_K_M.gguf: pickles", "models lists them"},
    {{"refs/main", "snapshots/0123abc/model_index.json"},
     NULL,
     "a cache of downloads: name the folder of the checkpoint in it, snapshots/0123abc",
     ""},
    {{"somewhere/model_index.json"}, NULL, "name that one, somewhere", ""},
    {{"transformer/config.json"}, NULL, "its model_index.json is missing", ""},
    {{"readme.txt"}, NULL, "has no model_index.json", ""},
};

static void make_layout(size_t k)
{
    struct error e = {0};
    char name[200];

    assert_int_equal(path_remove(in_scratch("m"), &e), 0);
    for (size_t n = 0; n < 3 && layouts[k].files[n]; n++) {
        snprintf(name, sizeof name, "m/%s", layouts[k].files[n]);
        if (n == 0 && layouts[k].tensor)
            write_tensor(name, layouts[k].tensor);
        else
            write_text(name, "");
    }
}

/* A storyboard whose one shot wants this tier, at the folder m. */
static const char *write_board(const char *tier, const char *dir)
{
    char text[400];

    snprintf(text, sizeof text,
             "name: m\nsize: 64x48\nfps: 12\nmodels: {%s: \"%s\"}\nshots:\n"
             "  - {id: one, tier: %s, prompt: the sea, frames: 5}\n",
             tier, dir, tier);
    write_text("board.yaml", text);
    return in_scratch("board.yaml");
}

/* Folded lines made one again. */
static char *unfold(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++)
        if (*p == '\n' || *p == ' ') {
            if (to > text && to[-1] != ' ')
                *to++ = ' ';
        } else {
            *to++ = *p;
        }
    *to = '\0';
    return text;
}

static bool says(const struct program *p, const char *a, const char *b)
{
    return strstr(p->err, a) && strstr(p->err, b);
}

static void other_layouts_are_explained_before_any_work(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof layouts / sizeof *layouts; k++) {
        static const char *const tiers[] = {"flagship", "workhorse", "validator"};
        const char *board;
        struct program p;
        struct inspection i;

        make_layout(k);
        inspected(in_scratch("m"), &i);
        if (i.fault_count != 1 || !strstr(i.faults[0], layouts[k].says) ||
            !strstr(i.faults[0], layouts[k].repository)) {
            print_faults(&i);
            fail_msg("does not say: %s, %s", layouts[k].says, layouts[k].repository);
        }
        inspection_free(&i);
        board = write_board(tiers[k % 2], in_scratch("m"));
        p = PROGRAM("check", board);
        if (p.status == 0 || !says(&p, layouts[k].says, layouts[k].repository))
            fail_msg("check: status %d, %s", p.status, p.err);
        program_free(&p);
    }
    make_layout(0);
    {
        const char *board = write_board("workhorse", in_scratch("m"));
        struct program p = PROGRAM("run", board, "-o", in_scratch("out"));

        if (p.status != 3 || !says(&p, layouts[0].says, REPOSITORY_HUNYUAN))
            fail_msg("run: status %d, %s", p.status, p.err);
        program_free(&p);
    }
}

static void a_single_file_in_place_of_a_folder_is_explained(void **state)
{
    const char *board;
    struct program p;

    (void)state;
    write_tensor("sdxl.safetensors", "conditioner.embedders.1.model.ln_final.weight");
    board = write_board("validator", in_scratch("sdxl.safetensors"));
    p = PROGRAM("check", board);
    if (p.status == 0 || !says(&p, "SDXL in one file", REPOSITORY_SDXL))
        fail_msg("check: status %d, %s", p.status, p.err);
    program_free(&p);
    write_text("old.ckpt", "x");
    p = PROGRAM("models", "inspect", in_scratch("old.ckpt"));
    assert_int_equal(p.status, 3);
    assert_non_null(strstr(unfold(p.out), "a checkpoint is a folder"));
    program_free(&p);
}

/* ---- the command */

static void lines_fit_a_terminal(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length > 80 && !memmem(text, length, scratch, strlen(scratch)))
            fail_msg("longer than 80: %.*s", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void the_command_tells_people(void **state)
{
    struct program p = PROGRAM("models", "inspect", FIXTURE);

    (void)state;
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "WanPipeline, serves tier flagship"));
    assert_non_null(strstr(p.out, "BF16, 69 tensors"));
    assert_non_null(strstr(p.out, "complete"));
    lines_fit_a_terminal(p.out);
    program_free(&p);

    fresh(FIXTURE, "m");
    cut("vae/diffusion_pytorch_model.safetensors", 100000);
    p = PROGRAM("models", "inspect", in_scratch("m"));
    assert_int_equal(p.status, 3);
    assert_non_null(strstr(p.out, "1 fault\n"));
    lines_fit_a_terminal(p.out);
    assert_non_null(strstr(unfold(p.out), "is cut short"));
    program_free(&p);

    p = PROGRAM("models", "inspect", in_scratch("nowhere"));
    assert_int_equal(p.status, 3);
    assert_non_null(strstr(p.err, "nowhere is not there"));
    program_free(&p);
    p = PROGRAM("models", "inspect");
    assert_int_equal(p.status, 1);
    program_free(&p);
    p = PROGRAM("models", "inpsect", FIXTURE);
    assert_int_equal(p.status, 1);
    program_free(&p);
}

static void the_command_tells_programs(void **state)
{
    struct program p = PROGRAM("models", "inspect", FIXTURE, "--json");
    json_t *root = json_loads(p.out, 0, NULL), *checkpoint, *components;

    (void)state;
    assert_non_null(root);
    assert_true(json_is_true(json_object_get(root, "complete")));
    assert_int_equal(json_array_size(json_object_get(root, "faults")), 0);
    checkpoint = json_array_get(json_object_get(root, "checkpoints"), 0);
    assert_string_equal(json_string_value(json_object_get(checkpoint, "tier")), "flagship");
    components = json_object_get(checkpoint, "components");
    assert_int_equal(json_array_size(components), 6);
    assert_string_equal(json_string_value(json_object_get(json_array_get(components, 0), "class")),
                        "AutoencoderKLWan");
    json_decref(root);
    program_free(&p);
}

static void the_tiers_are_listed(void **state)
{
    struct error e = {0};
    struct program p;
    json_t *root;

    (void)state;
    assert_int_equal(path_remove(in_scratch("models"), &e), 0);
    link_tree(FIXTURE, "models/flagship");
    write_text("models/experimental/transformer/latest", "1");
    p = PROGRAM("models", "--models", in_scratch("models"));
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "flagship      Wan 2.2 A14B: complete, 2.7 MiB\n"));
    assert_non_null(strstr(p.out, "experimental  CogVideoX: 1 fault\n"));
    assert_non_null(strstr(p.out, "workhorse     HunyuanVideo: not there\n"));
    assert_non_null(strstr(p.out, "hf download " REPOSITORY_HUNYUAN));
    assert_non_null(strstr(p.out, "models/validator/svd-xt"));
    lines_fit_a_terminal(p.out);
    program_free(&p);
    p = PROGRAM("models", "inspect", in_scratch("models"));
    assert_int_equal(p.status, 3);
    assert_non_null(strstr(unfold(p.out), "is a folder of tiers: auteur-pipe models --models"));
    program_free(&p);

    assert_int_equal(setenv("AUTEUR_MODELS", in_scratch("models"), 1), 0);
    p = PROGRAM("models", "--json");
    assert_int_equal(unsetenv("AUTEUR_MODELS"), 0);
    root = json_loads(p.out, 0, NULL);
    assert_int_equal(json_array_size(root), tier_count);
    for (int k = 0; k < tier_count; k++) {
        json_t *tier = json_array_get(root, (size_t)k);
        const char *name = json_string_value(json_object_get(tier, "tier"));

        assert_string_equal(name, tiers_all[k].name);
        assert_int_equal(json_is_true(json_object_get(tier, "there")),
                         strcmp(name, "flagship") == 0 || strcmp(name, "experimental") == 0);
        /* Whatever does not ship can be downloaded somewhere. */
        assert_true(tiers_all[k].embedded ||
                    json_array_size(json_object_get(tier, "published")) > 0);
    }
    json_decref(root);
    program_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_layouts_are_explained_before_any_work),
        cmocka_unit_test(a_single_file_in_place_of_a_folder_is_explained),
        cmocka_unit_test(the_command_tells_people),
        cmocka_unit_test(the_command_tells_programs),
        cmocka_unit_test(the_tiers_are_listed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
