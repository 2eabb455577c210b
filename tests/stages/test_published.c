/* Checkpoints at the size and in the form that they are published in, without their numbers: every
 * name and shape that the families look for is there, and is found by headers alone. The tables of
 * tensors (tests/stages/data/published) are the reference library's own models' lists. */
#include "tests/stages/checkpoint_folder.h"

#define PUBLISHED "tests/stages/data/published/"

/* The header of one weight file as it grows, and the bytes that it promises. */
static char *header;
static size_t header_size;
static FILE *text;
static int64_t promised;
static int tensors;

static void add_tensor(const char *name, const char *dtype, const char *shape)
{
    int64_t size = strcmp(dtype, "I64") == 0 ? 8 : strcmp(dtype, "F32") == 0 ? 4 : 2;
    const char *p = shape;

    fprintf(text, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", tensors++ ? "," : "", name, dtype);
    for (;;) {
        char *end;
        long n = strtol(p, &end, 10);

        size *= n;
        fprintf(text, "%s%ld", p == shape ? "" : ",", n);
        if (*end != 'x')
            break;
        p = end + 1;
    }
    fprintf(text, "],\"data_offsets\":[%lld,%lld]}", (long long)promised,
            (long long)(promised + size));
    promised += size;
}

/* Every name of a pattern: {a-b} is a range, {a,b} a list. */
static void expand(const char *pattern, const char *dtype, const char *shape)
{
    const char *open = strchr(pattern, '{'), *close = open ? strchr(open, '}') : NULL;
    char name[400], choices[300], *rest, *choice;
    int first, last;

    if (!open) {
        add_tensor(pattern, dtype, shape);
        return;
    }
    assert_non_null(close);
    snprintf(choices, sizeof choices, "%.*s", (int)(close - open - 1), open + 1);
    if (sscanf(choices, "%d-%d", &first, &last) == 2) {
        for (int i = first; i <= last; i++) {
            snprintf(name, sizeof name, "%.*s%d%s", (int)(open - pattern), pattern, i, close + 1);
            expand(name, dtype, shape);
        }
        return;
    }
    for (choice = strtok_r(choices, ",", &rest); choice; choice = strtok_r(NULL, ",", &rest)) {
        snprintf(name, sizeof name, "%.*s%s%s", (int)(open - pattern), pattern, choice, close + 1);
        expand(name, dtype, shape);
    }
}

/* The file that a table tells of, with a hole for its data. */
static void write_weights(const char *table, const char *target)
{
    char pattern[400], dtype[8], shape[64];
    uint64_t length;
    FILE *f = fopen(table, "r"), *out;

    assert_non_null(f);
    text = open_memstream(&header, &header_size);
    assert_non_null(text);
    promised = tensors = 0;
    fputc('{', text);
    while (fscanf(f, "%399s %7s %63s", pattern, dtype, shape) == 3)
        expand(pattern, dtype, shape);
    fputc('}', text);
    assert_int_equal(fclose(text), 0);
    fclose(f);
    out = fopen(target, "wb");
    assert_non_null(out);
    length = header_size;
    assert_int_equal(fwrite(&length, sizeof length, 1, out), 1);
    assert_int_equal(fwrite(header, header_size, 1, out), 1);
    assert_int_equal(fflush(out), 0);
    assert_int_equal(ftruncate(fileno(out), (off_t)(8 + length) + promised), 0);
    assert_int_equal(fclose(out), 0);
    free(header);
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
        const char *name, *fixture, *family;
    } known[] = {
        {"hunyuan-video", "hunyuan-video", "hunyuan_video"},
        {"cogvideox-2b", "cogvideox-2b", "cogvideox"},
        {"cogvideox-5b", "cogvideox", "cogvideox"},
        {"cogvideox1.5-5b", "cogvideox", "cogvideox"},
        {"wan2.2-t2v-a14b", "wan2.2-t2v-a14b", "wan"},
        {"wan2.1-t2v-1.3b", "wan2.2-t2v-a14b", "wan"},
        {"sdxl", "sdxl", "sdxl"},
        {"svd-xt", NULL, "svd"},
    };
    static const char *const texts[] = {"text_encoder", "text_encoder_2", "image_encoder"};
    static const char *const nets[] = {"transformer", "transformer_2", "unet", "vae"};

    (void)state;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        struct inspection i;
        char from[200];

        snprintf(from, sizeof from, PUBLISHED "%s", known[k].name);
        fresh(from, "m");
        for (int t = 1; known[k].fixture && t <= 2; t++) {
            const char *part = t == 1 ? "tokenizer" : "tokenizer_2";
            char to[64];

            snprintf(from, sizeof from, "tests/fixtures/%s/%s", known[k].fixture, part);
            snprintf(to, sizeof to, "m/%s", part);
            if (access(from, R_OK) == 0)
                link_tree(from, to);
        }
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
