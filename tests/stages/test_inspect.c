/* What inspect_models() tells: a whole checkpoint in full, and every fault of a damaged one by file
 * and tensor. */
#include "tests/stages/checkpoint_folder.h"

#define SHARD_1 "diffusion_pytorch_model-00001-of-00002.safetensors"
#define SHARD_2 "diffusion_pytorch_model-00002-of-00002.safetensors"
#define INDEX   "diffusion_pytorch_model.safetensors.index.json"

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
    edit("transformer/config.json", "\"num_layers\": 2", "\"num_layers\": 1");
    EXPECT_FAULTS("m/transformer/" SHARD_2 ": tensor blocks.1.attn1.norm_k.weight is of a layer "
                  "that config.json does not tell of");

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
    /* A sampler that is not this version's. */
    fresh(FIXTURE, "m");
    edit("scheduler/scheduler_config.json", "bh2", "bh1");
    EXPECT_FAULTS("solver_type");
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

static int set_up(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(scratch, sizeof scratch, "%.40s/auteur-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct error e = {0};
    (void)state;
    return path_remove(scratch, &e);
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
        cmocka_unit_test(the_validators_folder_holds_two),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
