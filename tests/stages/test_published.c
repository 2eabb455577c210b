/* Checkpoints at the size of the published ones, without their numbers: every name and shape that
 * the families look for is found by headers alone. In stages/models/published the tables of
 * transformers, UNets and VAEs are the reference library's own models' lists; those of text and
 * image encoders, and the configs, were written by hand and not compared with a download. */
#include "kernels/outline.h"
#include "tests/stages/checkpoint_folder.h"

#define PUBLISHED "stages/models/published/"

/* The file that a table tells of, with a hole for its data. */
static void write_weights(const char *table, const char *target)
{
    struct file_map map;
    struct error e = {0};
    uint64_t length;
    FILE *out = fopen(target, "wb");

    if (outline_open(table, &map, &e) != 0)
        fail_msg("%s", e.text);
    assert_non_null(out);
    memcpy(&length, map.bytes, sizeof length);
    assert_int_equal(fwrite(map.bytes, sizeof length + length, 1, out), 1);
    assert_int_equal(fflush(out), 0);
    assert_int_equal(ftruncate(fileno(out), (off_t)map.size), 0);
    assert_int_equal(fclose(out), 0);
    file_map_close(&map);
}

static void fill_component(const char *name, const char *part, const char *stem)
{
    char table[300], file[300];

    snprintf(table, sizeof table, PUBLISHED "%s/%s/tensors.txt", name, part);
    if (access(table, R_OK) != 0)
        return;
    snprintf(file, sizeof file, "m/%s/%s.safetensors", part, stem);
    write_weights(table, in_scratch(file));
}

static void every_published_tensor_is_found(void **state)
{
    static const struct {
        const char *name, *family;
    } known[] = {
        {"hunyuan-video", "hunyuan_video"},
        {"cogvideox-2b", "cogvideox"},
        {"cogvideox-5b", "cogvideox"},
        {"cogvideox1.5-5b", "cogvideox"},
        {"wan2.2-t2v-a14b", "wan"},
        {"wan2.1-t2v-1.3b", "wan"},
        {"sdxl", "sdxl"},
        {"svd-xt", "svd"},
    };
    static const char *const texts[] = {"text_encoder", "text_encoder_2", "image_encoder"};
    static const char *const nets[] = {"transformer", "transformer_2", "unet", "vae"};

    (void)state;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        struct inspection i;
        char from[200];

        snprintf(from, sizeof from, PUBLISHED "%s", known[k].name);
        fresh(from, "m");
        for (size_t p = 0; p < sizeof texts / sizeof *texts; p++)
            fill_component(known[k].name, texts[p], "model");
        for (size_t p = 0; p < sizeof nets / sizeof *nets; p++)
            fill_component(known[k].name, nets[p], "diffusion_pytorch_model");
        inspected(in_scratch("m"), &i);
        print_faults(&i);
        assert_int_equal(i.fault_count, 0);
        assert_int_equal(i.checkpoint_count, 1);
        assert_string_equal(i.checkpoints[0].family->name, known[k].family);
        inspection_free(&i);
    }
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
        cmocka_unit_test(every_published_tensor_is_found),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
