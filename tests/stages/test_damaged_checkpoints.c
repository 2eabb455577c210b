/* The stages' checks find every part of a checkpoint that cannot be used, before any weight is
 * read, and look at each part once for all shots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "kernels/base/file.h"
#include "stages/generate/verdict.h"
#include "stages/stage.h"

#define FIXTURE "tests/fixtures/wan2.2-t2v-a14b"
#define WEIGHTS "diffusion_pytorch_model-00001-of-00002.safetensors"
#define OTHER   "diffusion_pytorch_model-00002-of-00002.safetensors"

static const char *const names[] = {
    "model_index.json",          "scheduler/scheduler_config.json",
    "tokenizer/spiece.model",    "tokenizer/tokenizer_config.json",
    "text_encoder/config.json",  "text_encoder/model.safetensors",
    "transformer/config.json",   "transformer/" WEIGHTS,
    "transformer/" OTHER,        "transformer/diffusion_pytorch_model.safetensors.index.json",
    "transformer_2/config.json", "transformer_2/" WEIGHTS,
    "transformer_2/" OTHER,      "transformer_2/diffusion_pytorch_model.safetensors.index.json",
    "vae/config.json",           "vae/diffusion_pytorch_model.safetensors",
};

enum damage { MISSING, EMPTY, HALF, GARBAGE, HEADER, EDIT };
static const struct {
    const char *name;
    enum damage damage;
    const char *from, *to; /* of EDIT: of the same length where weights follow */
} damages[] = {
    {"transformer/" WEIGHTS, EMPTY, NULL, NULL},
    {"transformer/" WEIGHTS, MISSING, NULL, NULL},
    {"transformer/" WEIGHTS, HALF, NULL, NULL},
    {"transformer/" WEIGHTS, GARBAGE, NULL, NULL},
    {"transformer/" WEIGHTS, HEADER, NULL, NULL},
    {"transformer/" OTHER, MISSING, NULL, NULL},
    {"transformer/diffusion_pytorch_model.safetensors.index.json", HALF, NULL, NULL},
    {"transformer/config.json", GARBAGE, NULL, NULL},
    {"transformer/config.json", EMPTY, NULL, NULL},
    {"transformer/config.json", EDIT, "\"num_layers\": ", "\"num_layers\": -"},
    {"transformer/config.json", EDIT, "\"num_layers\": ", "\"num_layers\": 1000000000000"},
    {"transformer/config.json", EDIT, "\"num_layers\": ", "\"num_layers\": 1"},  /* 12: too few */
    {"transformer/config.json", EDIT, "\"num_layers\": 2", "\"num_layers\": 1"}, /* too many */
    {"transformer/config.json", EDIT, "\"ffn_dim\": ", "\"ffn_dim\": 1"},
    {"transformer_2/" WEIGHTS, HALF, NULL, NULL},
    {"transformer_2/config.json", GARBAGE, NULL, NULL},
    {"text_encoder/model.safetensors", EMPTY, NULL, NULL},
    {"text_encoder/model.safetensors", HALF, NULL, NULL},
    {"text_encoder/config.json", MISSING, NULL, NULL},
    {"text_encoder/config.json", EDIT, "\"num_layers\": 3", "\"num_layers\": 2"}, /* too many */
    {"text_encoder/config.json", EDIT, "\"d_ff\": ", "\"d_ff\": 1"},
    {"tokenizer/spiece.model", EMPTY, NULL, NULL},
    {"tokenizer/spiece.model", GARBAGE, NULL, NULL},
    {"tokenizer/tokenizer_config.json", GARBAGE, NULL, NULL},
    {"scheduler/scheduler_config.json", MISSING, NULL, NULL},
    {"model_index.json", EMPTY, NULL, NULL},
    {"vae/diffusion_pytorch_model.safetensors", HALF, NULL, NULL},
    {"vae/diffusion_pytorch_model.safetensors", MISSING, NULL, NULL},
    {"vae/config.json", EDIT, "\"base_dim\": ", "\"base_dim\": 2"},
    {"vae/config.json", EDIT, "\"z_dim\": ", "\"z_dim\": -"},
};

static void damage(const char *path, size_t k)
{
    struct error e = {0};
    char *bytes, *at;
    size_t size;
    if (damages[k].damage == MISSING)
        return;
    char *original = NULL;
    struct arena a = {0};
    assert_int_equal(
        file_read(path_join(&a, FIXTURE, damages[k].name), 8 << 20, &original, &size, &e), 0);
    bytes = original;
    switch (damages[k].damage) {
    case MISSING:
    case EMPTY:
        size = 0;
        break;
    case HALF:
        size /= 2;
        break;
    case GARBAGE:
        memset(bytes, 'x', size);
        break;
    case HEADER:
        bytes[2] ^= 0x40; /* the header's size */
        break;
    case EDIT:
        at = strstr(bytes, damages[k].from);
        assert_non_null(at);
        bytes = arena_printf(&a, "%.*s%s%s", (int)(at - original), original, damages[k].to,
                             at + strlen(damages[k].from));
        assert_non_null(bytes);
        size = strlen(bytes);
        break;
    }
    assert_int_equal(file_write_atomic(path, bytes, size, &e), 0);
    free(original);
    arena_free(&a);
}

/* The fixture in links, but for what damages[k] spoils; nothing when k is -1. */
static void make_checkpoint(const char *dir, int k)
{
    static const char *const rooms[] = {"scheduler",   "tokenizer",     "text_encoder",
                                        "transformer", "transformer_2", "vae"};
    struct arena a = {0};
    struct error e = {0};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        assert_int_equal(dir_make(path_join(&a, dir, rooms[i]), &e), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path = path_join(&a, dir, names[i]);
        if (k >= 0 && strcmp(names[i], damages[k].name) == 0) {
            damage(path, (size_t)k);
            continue;
        }
        char *from = realpath(path_join(&a, FIXTURE, names[i]), NULL);
        assert_non_null(from);
        assert_int_equal(symlink(from, path), 0);
        free(from);
    }
    arena_free(&a);
}

/* What the checks of a shot say of a checkpoint: how many find a fault; *e is the first. */
static int faults(const char *dir, struct error *e)
{
    static const struct stage *const stages[] = {&stage_enhance, &stage_generate, &stage_decode};
    struct model_path models[] = {{.tier = "flagship", .path = dir}};
    struct board board = {
        .width = 80, .height = 64, .fps = {24, 1}, .models = models, .model_count = 1};
    struct stage_env env = {.board = &board,
                            .data_dir = "prompts",
                            .models_dir = "",
                            .tier = "",
                            .device = {.threads = 1}};
    struct shot shot = {.id = "1",
                        .tier = "flagship",
                        .prompt = "the sea",
                        .negative = "",
                        .look = "",
                        .camera = "",
                        .frames = 7,
                        .guidance = -1,
                        .guidance_2 = -1,
                        .sampler = "",
                        .step_cache = "",
                        .noise = -1,
                        .keyframe = ""};
    int count = 0;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        struct error why = {0};
        if (stages[i]->check(&env, &shot, &why) == 0)
            continue;
        if (count++ == 0)
            *e = why;
    }
    return count;
}

static void every_damaged_part_is_found(void **state)
{
    (void)state;
    int wrong = 0;
    for (int k = -1; k < (int)(sizeof damages / sizeof *damages); k++) {
        char dir[] = "/tmp/auteur-damaged-XXXXXX";
        struct error e = {0};
        assert_non_null(mkdtemp(dir));
        make_checkpoint(dir, k);
        int found = faults(dir, &e);
        if (k < 0) {
            if (found != 0)
                fail_msg("the whole one: %s", e.text);
        } else if (found == 0 || (e.code != ERROR_MODEL && e.code != ERROR_IO) ||
                   !strstr(e.text, dir)) {
            print_error("%s, %d: \"%s\"\n", damages[k].name, (int)damages[k].damage, e.text);
            wrong++;
        }
        assert_int_equal(path_remove(dir, &e), 0);
    }
    assert_int_equal(wrong, 0);
}

/* ---- verdicts */

static int looks;

static int look(const char *path, struct error *e)
{
    looks++;
    if (strcmp(path, "bad") == 0)
        return error_set(e, ERROR_MODEL, "%s is damaged", path);
    return strcmp(path, "tired") == 0 ? error_memory(e) : 0;
}

static void a_part_is_looked_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct error e = {0};
        assert_int_equal(verdict_on(look, "good", &e), 0);
        assert_int_equal(verdict_on(look, "bad", &e), -1);
        assert_int_equal(e.code, ERROR_MODEL);
        assert_string_equal(e.text, "bad is damaged");
    }
    assert_int_equal(looks, 2);
    struct error e = {0};
    assert_int_equal(verdict_on(look, "tired", &e), -1); /* says nothing of the file */
    assert_int_equal(verdict_on(look, "tired", &e), -1);
    assert_int_equal(looks, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_damaged_part_is_found),
        cmocka_unit_test(a_part_is_looked_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
