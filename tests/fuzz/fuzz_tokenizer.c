/* libFuzzer target: any bytes as one of a tokenizer's files are read or refused, and what was read
 * gives ids to texts. The first byte chooses the file; the others are those of
 * tests/prompts/data/tokenizers/clip, so it runs from the repository's root.
 *
 *   clang++ -std=c++17 -O1 -c -I. prompts/sentencepiece.cc
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE tests/fuzz/fuzz_tokenizer.c
 * \
 *     prompts/{added_tokens,bpe,bpe_merges,bpe_tokenizer,charsmap,clip_files,text_normalizer}.c \
 *     prompts/{text_pattern,text_splitter,tokenizer,tokenizer_config,vocabulary}.c sentencepiece.o
 * \
 *     kernels/base/{arena,error,file,json,strbuf}.c \
 *     -ljansson -lpcre2-8 -lunistring -lxxhash -lsentencepiece -lstdc++ -lm
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "prompts/tokenizer.h"

#define SOUND "tests/prompts/data/tokenizers/clip/"

static const char *const names[] = {"tokenizer.json", "vocab.json", "merges.txt",
                                    "tokenizer_config.json"};
static char dir[] = "/tmp/auteur-fuzz-XXXXXX";

static void put(const char *name, const void *bytes, size_t size)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
        abort();
}

static void put_sound(const char *name)
{
    char path[200], *bytes;
    size_t size;
    struct error e = {0};
    snprintf(path, sizeof path, SOUND "%s", name);
    if (file_read(path, 1 << 20, &bytes, &size, &e) != 0)
        abort();
    put(name, bytes, size);
    free(bytes);
}

static void drop(void)
{
    struct error e = {0};
    path_remove(dir, &e);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (!mkdtemp(dir))
        abort();
    atexit(drop);
    for (int i = 1; i < 4; i++)
        put_sound(names[i]);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char text[] =
        "Dawn, <|endoftext|> DON'T  hover! na\xc3\xafve \xf0\x9f\x8e\xac \xff 12";
    struct tokenizer *t = NULL;
    struct error e = {0};
    int32_t ids[64];
    int count;
    char path[200];
    if (size == 0)
        return 0;
    int which = bytes[0] % 4;
    put(names[which], bytes + 1, size - 1);
    if (tokenizer_open(dir, &t, &e) == 0) {
        if (tokenizer_encode_padded(t, text, sizeof text, ids, 64, &count, &e) == 0)
            for (int i = 0; i < 64; i++)
                if (ids[i] < 0 || ids[i] >= tokenizer_vocabulary(t))
                    abort();
        tokenizer_close(t);
    } else if (e.code == ERROR_NONE || !strstr(e.text, dir)) {
        abort();
    }
    snprintf(path, sizeof path, "%s/%s", dir, names[which]);
    if (which == 0)
        unlink(path);
    else
        put_sound(names[which]);
    return 0;
}
