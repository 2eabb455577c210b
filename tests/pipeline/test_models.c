/* `auteur-pipe models`: a whole checkpoint is told in full; every fault of a damaged one is told,
 * by file and tensor; other layouts are explained, in `check` and `run` as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <sys/stat.h>

#include "stages/models/inspect.h"
#include "stages/models/published.h"
#include "tests/pipeline/program.h"

#define FIXTURE "tests/fixtures/wan2.2-t2v-a14b"
#define SHARD_1 "diffusion_pytorch_model-00001-of-00002.safetensors"
#define SHARD_2 "diffusion_pytorch_model-00002-of-00002.safetensors"
#define INDEX   "diffusion_pytorch_model.safetensors.index.json"

static char scratch[64];

static const char *in_scratch(const char *name)
{
    static char path[8][400];
    static int next;
    char *p = path[next++ % 8];

    snprintf(p, sizeof path[0], "%s/%s", scratch, name);
    return p;
}

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

/* ---- making folders */

static void write_bytes(const char *name, const void *bytes, size_t size)
{
    struct error e = {0};
    char dir[400];

    snprintf(dir, sizeof dir, "%s", in_scratch(name));
    *strrchr(dir, '/') = '\0';
    assert_int_equal(dir_make(dir, &e), 0);
    assert_int_equal(path_remove(in_scratch(name), &e), 0); /* a link stays what it leads to */
    if (file_write_atomic(in_scratch(name), bytes, size, &e) != 0)
        fail_msg("%s", e.text);
}

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* Every file of `from` below `to` in the scratch folder, as links. */
static void link_tree(const char *from, const char *to)
{
    DIR *d = opendir(from);
    struct dirent *entry;
    struct error e = {0};

    assert_non_null(d);
    assert_int_equal(dir_make(in_scratch(to), &e), 0);
    while ((entry = readdir(d))) {
        char source[300], target[300], *real;
        struct stat st;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        assert_int_equal(stat(source, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            link_tree(source, target);
            continue;
        }
        real = realpath(source, NULL);
        assert_non_null(real);
        assert_int_equal(symlink(real, in_scratch(target)), 0);
        free(real);
    }
    closedir(d);
}

static void fresh(const char *fixture, const char *to)
{
    struct error e = {0};
    assert_int_equal(path_remove(in_scratch(to), &e), 0);
    link_tree(fixture, to);
}

static char *read_fixture(const char *name, size_t *size)
{
    struct error e = {0};
    struct arena a = {0};
    char *bytes = NULL;

    assert_int_equal(file_read(path_join(&a, FIXTURE, name), 8 << 20, &bytes, size, &e), 0);
    arena_free(&a);
    return bytes;
}

/* The fixture's file, changed by one replacement of text of the same length where weights follow.
 */
static void edit(const char *name, const char *from, const char *to)
{
    size_t size, at, before = strlen(from), after = strlen(to);
    char *bytes = read_fixture(name, &size), *found, *out;
    char target[200];

    found = memmem(bytes, size, from, before);
    assert_non_null(found);
    at = (size_t)(found - bytes);
    out = malloc(size + after);
    assert_non_null(out);
    memcpy(out, bytes, at);
    memcpy(out + at, to, after);
    memcpy(out + at + after, found + before, size - at - before);
    snprintf(target, sizeof target, "m/%s", name);
    write_bytes(target, out, size - before + after);
    free(out);
    free(bytes);
}

static void cut(const char *name, size_t length)
{
    size_t size;
    char *bytes = read_fixture(name, &size), target[200];

    snprintf(target, sizeof target, "m/%s", name);
    write_bytes(target, bytes, length < size ? length : size);
    free(bytes);
}

static void drop(const char *name)
{
    struct error e = {0};
    char target[200];

    snprintf(target, sizeof target, "m/%s", name);
    assert_int_equal(path_remove(in_scratch(target), &e), 0);
}

/* A safetensors file of one F32 number under this name. */
static void write_tensor(const char *file, const char *tensor)
{
    char bytes[400] = {0};
    int n = snprintf(bytes + 8, sizeof bytes - 8,
                     "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", tensor);

    bytes[0] = (char)(n & 255);
    bytes[1] = (char)(n >> 8);
    write_bytes(file, bytes, (size_t)n + 12);
}

/* ---- inspecting */

static void inspected(const char *dir, struct inspection *i)
{
    struct error e = {0};
    if (inspect_models(dir, i, &e) != 0)
        fail_msg("%s", e.text);
}

static void print_faults(const struct inspection *i)
{
    for (size_t k = 0; k < i->fault_count; k++)
        print_error("%s\n", i->faults[k]);
}

/* Each of the sentences is (a part of) a fault, and there are no others. */
static void expect_faults(const char *const *sentences)
{
    struct inspection i;
    size_t count = 0;

    inspected(in_scratch("m"), &i);
    for (; sentences[count]; count++) {
        bool found = false;
        for (size_t k = 0; k < i.fault_count; k++)
            found |= strstr(i.faults[k], sentences[count]) && strstr(i.faults[k], scratch);
        if (!found) {
            print_faults(&i);
            fail_msg("no fault says: %s", sentences[count]);
        }
    }
    if (i.fault_count != count) {
        print_faults(&i);
        fail_msg("%zu faults, not %zu", i.fault_count, count);
    }
    inspection_free(&i);
}
#define EXPECT_FAULTS(...) expect_faults((const char *const[]){__VA_ARGS__, NULL})

static void whole_checkpoints_are_told_in_full(void **state)
{
    static const struct {
        const char *fixture, *family, *tier, *part;
        size_t components;
    } known[] = {
        {FIXTURE, "wan", "flagship", "", 6},
        {"tests/fixtures/hunyuan-video", "hunyuan_video", "workhorse", "", 7},
        {"tests/fixtures/cogvideox", "cogvideox", "experimental", "", 5},
        {"tests/fixtures/cogvideox-2b", "cogvideox", "experimental", "", 5},
        {"tests/fixtures/sdxl", "sdxl", "validator", "picture", 7},
        {"tests/fixtures/svd-xt", "svd", "validator", "motion", 5},
        {"stages/generate/previs/checkpoint", "wan", "flagship", "", 5},
    };

    (void)state;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        const struct checkpoint *c;
        struct inspection i;

        inspected(known[k].fixture, &i);
        print_faults(&i);
        assert_int_equal(i.fault_count, 0);
        assert_int_equal(i.checkpoint_count, 1);
        c = &i.checkpoints[0];
        assert_string_equal(c->family->name, known[k].family);
        assert_string_equal(c->tier->name, known[k].tier);
        assert_string_equal(c->part, known[k].part);
        assert_int_equal(c->component_count, known[k].components);
        for (size_t n = 0; n < c->component_count; n++)
            assert_true(c->components[n].files > 0 && c->components[n].bytes > 0);
        inspection_free(&i);
    }
}

static const struct component *component(const struct inspection *i, const char *name)
{
    const struct checkpoint *c = &i->checkpoints[0];

    for (size_t n = 0; n < c->component_count; n++)
        if (strcmp(c->components[n].name, name) == 0)
            return &c->components[n];
    fail_msg("no component %s", name);
    return NULL;
}

/* The figures of the fixture, counted from its headers by other means. */
static void sizes_and_dtypes_are_the_files(void **state)
{
    const struct component *c;
    struct inspection i;

    (void)state;
    inspected(FIXTURE, &i);
    c = component(&i, "transformer");
    assert_string_equal(c->class, "WanTransformer3DModel");
    assert_string_equal(c->dtypes, "BF16");
    assert_int_equal(c->files, 2);
    assert_int_equal(c->tensors, 69);
    assert_int_equal(c->parameters, 171840);
    assert_int_equal(c->bytes, 350088);
    c = component(&i, "vae");
    assert_string_equal(c->dtypes, "F32");
    assert_int_equal(c->files, 1);
    c = component(&i, "tokenizer");
    assert_string_equal(c->dtypes, "");
    assert_int_equal(c->tensors, 0);
    assert_int_equal(c->files, 2);
    inspection_free(&i);
}

/* ---- one fault */

static void a_fault_is_named_by_file_and_tensor(void **state)
{
    (void)state;
    fresh(FIXTURE, "m");
    EXPECT_FAULTS(NULL);
    cut("transformer/" SHARD_1, 60000);
    EXPECT_FAULTS("m/transformer/" SHARD_1 " is cut short: it has 60000 bytes");

    fresh(FIXTURE, "m");
    drop("transformer_2/" SHARD_2);
    EXPECT_FAULTS("m/transformer_2/" SHARD_2 "; download it");

    fresh(FIXTURE, "m");
    drop("transformer/" INDEX);
    EXPECT_FAULTS("and their index (a file .safetensors.index.json) is not there");

    fresh(FIXTURE, "m");
    edit("transformer/" SHARD_2, "\"proj_out.bias\"", "\"proj_out.bios\"");
    EXPECT_FAULTS("m/transformer/" INDEX ": tensor proj_out.bias is not in the shard " SHARD_2);

    fresh(FIXTURE, "m");
    edit("transformer/config.json", "\"ffn_dim\": ", "\"ffn_dim\": 1");
    EXPECT_FAULTS("tensor blocks.0.ffn.net.0.proj.weight has the shape",
                  "tensor blocks.0.ffn.net.0.proj.bias has the shape",
                  "tensor blocks.0.ffn.net.2.weight has the shape",
                  "tensor blocks.1.ffn.net.0.proj.weight has the shape",
                  "tensor blocks.1.ffn.net.0.proj.bias has the shape",
                  "tensor blocks.1.ffn.net.2.weight has the shape");

    fresh(FIXTURE, "m");
    edit("transformer/config.json", "\"num_layers\": ", "\"num_layers\": 1"); /* 12: too many */
    {
        struct inspection i;
        inspected(in_scratch("m"), &i);
        assert_int_equal(i.fault_count, 9);
        assert_non_null(strstr(i.faults[0], "tensor blocks.2.attn1.to_q.weight is missing"));
        assert_non_null(strstr(i.faults[8], "more tensors"));
        inspection_free(&i);
    }

    fresh(FIXTURE, "m");
    drop("vae");
    EXPECT_FAULTS("m/vae is not there, and model_index.json names it (AutoencoderKLWan)",
                  "m/vae/config.json");

    fresh(FIXTURE, "m");
    edit("vae/config.json", "AutoencoderKLWan", "AutoencoderKLMan");
    EXPECT_FAULTS("_class_name is AutoencoderKLMan, but model_index.json says AutoencoderKLWan",
                  "_class_name is AutoencoderKLMan, not AutoencoderKLWan");

    fresh(FIXTURE, "m");
    edit("model_index.json", "WanPipeline", "ManPipeline");
    EXPECT_FAULTS("m/model_index.json: _class_name is ManPipeline; this version runs WanPipeline");

    fresh(FIXTURE, "m");
    write_text("m/vae/config.json", "{\"z_dim\": 16,");
    EXPECT_FAULTS("m/vae/config.json:1:");

    fresh(FIXTURE, "m");
    write_text("m/scheduler/scheduler_config.json", "scheduler");
    EXPECT_FAULTS("m/scheduler/scheduler_config.json:1:");

    fresh(FIXTURE, "m");
    drop("tokenizer/spiece.model");
    assert_int_equal(symlink("/nowhere/blob", in_scratch("m/tokenizer/spiece.model")), 0);
    {
        struct inspection i;
        inspected(in_scratch("m"), &i);
        assert_true(i.fault_count >= 1);
        assert_non_null(strstr(i.faults[0], "spiece.model leads to a file that is not there"));
        inspection_free(&i);
    }
}

static void downloads_that_were_not_finished_are_told(void **state)
{
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\n"
                                  "oid sha256:00\nsize 9876543210\n";

    (void)state;
    fresh(FIXTURE, "m");
    write_text("m/transformer/" SHARD_1, pointer);
    EXPECT_FAULTS("m/transformer/" SHARD_1 " is a Git LFS pointer");

    fresh(FIXTURE, "m");
    write_text("m/vae/config.json", pointer);
    EXPECT_FAULTS("m/vae/config.json is a Git LFS pointer");

    /* A leftover is told only where something is missing. */
    fresh(FIXTURE, "m");
    write_text("m/.cache/huggingface/download/vae/abc.def.incomplete", "");
    EXPECT_FAULTS(NULL);
    drop("vae/diffusion_pytorch_model.safetensors");
    EXPECT_FAULTS("m/vae holds no weights: neither",
                  ".cache/huggingface/download/vae/abc.def.incomplete is an unfinished download");

    fresh(FIXTURE, "m");
    drop("vae/diffusion_pytorch_model.safetensors");
    write_text("m/vae/diffusion_pytorch_model.safetensors.incomplete", "x");
    EXPECT_FAULTS("m/vae holds no weights yet: diffusion_pytorch_model.safetensors.incomplete",
                  "is an unfinished download: run the download again");

    fresh(FIXTURE, "m");
    drop("text_encoder/model.safetensors");
    write_text("m/text_encoder/pytorch_model.bin", "x");
    EXPECT_FAULTS(
        "m/text_encoder holds no weights that can be read: pytorch_model.bin is a pickle");
}

static void all_faults_are_told_at_once(void **state)
{
    (void)state;
    fresh(FIXTURE, "m");
    cut("vae/diffusion_pytorch_model.safetensors", 100000);
    cut("transformer/" SHARD_1, 60000);
    drop("transformer/" SHARD_2);
    edit("transformer_2/" SHARD_2, "\"proj_out.bias\"", "\"proj_out.bios\"");
    write_text("m/text_encoder/config.json", "{");
    drop("tokenizer");
    {
        static const char *const files[] = {
            "m/vae/diffusion_pytorch_model.safetensors is cut short",
            "m/transformer/" SHARD_1 " is cut short",
            "m/transformer/" SHARD_2 "; download it",
            "m/transformer_2/" INDEX ": tensor proj_out.bias",
            "m/text_encoder/config.json:1:",
            "m/tokenizer is not there"};
        struct inspection i;

        inspected(in_scratch("m"), &i);
        for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
            bool found = false;
            for (size_t n = 0; n < i.fault_count; n++)
                found |= strstr(i.faults[n], files[k]) != NULL;
            if (!found) {
                print_faults(&i);
                fail_msg("no fault says %s", files[k]);
            }
        }
        inspection_free(&i);
    }
    /* Shapes of one part, structure of another. */
    fresh(FIXTURE, "m");
    edit("transformer/config.json", "\"freq_dim\": ", "\"freq_dim\": 1");
    cut("vae/diffusion_pytorch_model.safetensors", 100000);
    EXPECT_FAULTS("tensor condition_embedder.time_embedder.linear_1.weight has the shape",
                  "vae/diffusion_pytorch_model.safetensors is cut short");
}

/* ---- cuts and flips */

static const char *const files_of_fixture[] = {
    "model_index.json",         "scheduler/scheduler_config.json",
    "text_encoder/config.json", "text_encoder/model.safetensors",
    "transformer/config.json",  "transformer/" INDEX,
    "transformer/" SHARD_1,     "transformer_2/" SHARD_2,
    "vae/config.json",          "vae/diffusion_pytorch_model.safetensors",
};

static void every_cut_is_found(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof files_of_fixture / sizeof *files_of_fixture; k++) {
        size_t size;
        char *bytes = read_fixture(files_of_fixture[k], &size);

        free(bytes);
        fresh(FIXTURE, "m");
        for (int step = 0; step < 12; step++) {
            size_t length = step < 4 ? (size_t)step * 3 : (size - 3) * (size_t)(step - 3) / 8;
            bool found = false;
            struct inspection i;

            cut(files_of_fixture[k], length);
            inspected(in_scratch("m"), &i);
            for (size_t n = 0; n < i.fault_count; n++)
                found |= strstr(i.faults[n], files_of_fixture[k]) != NULL;
            if (!found) {
                print_faults(&i);
                fail_msg("%s, cut to %zu bytes: not told", files_of_fixture[k], length);
            }
            inspection_free(&i);
        }
    }
}

/* Any byte of a config or a header may be any value: it is told or harmless, never a crash. */
static void flipped_bytes_are_survived(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (size_t k = 0; k < sizeof files_of_fixture / sizeof *files_of_fixture; k++) {
        char target[200];
        size_t size;
        char *bytes = read_fixture(files_of_fixture[k], &size);

        fresh(FIXTURE, "m");
        snprintf(target, sizeof target, "m/%s", files_of_fixture[k]);
        for (int round = 0; round < 12; round++) {
            size_t at = (random = random * 1664525 + 1013904223) % (size < 4000 ? size : 4000);
            char was = bytes[at];
            struct inspection i;

            bytes[at] = (char)(was ^ 1 << (random >> 28 & 7));
            write_bytes(target, bytes, size);
            inspected(in_scratch("m"), &i);
            inspection_free(&i);
            bytes[at] = was;
        }
        free(bytes);
    }
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

/* ---- the tier of two models */

static void the_validators_folder_holds_two(void **state)
{
    struct error e = {0};
    struct inspection i;

    (void)state;
    assert_int_equal(path_remove(in_scratch("m"), &e), 0);
    link_tree("tests/fixtures/sdxl", "m/sdxl");
    inspected(in_scratch("m"), &i);
    assert_int_equal(i.checkpoint_count, 1);
    assert_string_equal(i.checkpoints[0].part, "picture");
    assert_int_equal(i.fault_count, 1);
    assert_non_null(strstr(i.faults[0], "m/svd-xt is not there: tier validator needs it"));
    inspection_free(&i);

    link_tree("tests/fixtures/svd-xt", "m/svd-xt");
    inspected(in_scratch("m"), &i);
    print_faults(&i);
    assert_int_equal(i.checkpoint_count, 2);
    assert_string_equal(i.checkpoints[1].part, "motion");
    assert_int_equal(i.fault_count, 0);
    assert_string_equal(i.note, "");
    inspection_free(&i);

    assert_int_equal(path_remove(in_scratch("m/sdxl"), &e), 0);
    inspected(in_scratch("m"), &i);
    assert_int_equal(i.checkpoint_count, 1);
    assert_int_equal(i.fault_count, 0);
    assert_non_null(strstr(i.note, "shots must bring their own keyframe"));
    inspection_free(&i);
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
        cmocka_unit_test(whole_checkpoints_are_told_in_full),
        cmocka_unit_test(sizes_and_dtypes_are_the_files),
        cmocka_unit_test(a_fault_is_named_by_file_and_tensor),
        cmocka_unit_test(downloads_that_were_not_finished_are_told),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(every_cut_is_found),
        cmocka_unit_test(flipped_bytes_are_survived),
        cmocka_unit_test(other_layouts_are_explained_before_any_work),
        cmocka_unit_test(a_single_file_in_place_of_a_folder_is_explained),
        cmocka_unit_test(the_validators_folder_holds_two),
        cmocka_unit_test(the_command_tells_people),
        cmocka_unit_test(the_command_tells_programs),
        cmocka_unit_test(the_tiers_are_listed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
