/* libFuzzer target: any bytes as a safetensors file are read or refused, and what was read can be
 * read through.
 *
 *   clang -g -fsanitize=fuzzer,address,undefined -I. -D_GNU_SOURCE tests/fuzz/fuzz_safetensors.c \
 *     kernels/safetensors.c kernels/tensor.c kernels/base/{arena,error,file}.c -ljansson -lm
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernels/safetensors.h"

static void read_through(const struct safetensors *s)
{
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct tensor *t = safetensors_find(s, safetensors_name(s, i));
        float *numbers;
        if (!dtype_is_float(t->dtype))
            continue;
        numbers = malloc((size_t)tensor_count(t) * sizeof *numbers + 1);
        if (numbers)
            tensor_to_f32(t, numbers);
        free(numbers);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char path[] = "/tmp/auteur-fuzz-XXXXXX.safetensors";
    struct safetensors *s = NULL;
    struct error e = {0};
    int fd = mkstemps(path, 12);

    if (fd < 0)
        abort();
    if (write(fd, bytes, size) == (ssize_t)size && safetensors_open(path, &s, &e) == 0)
        read_through(s);
    else if (size > 0 && e.code == ERROR_NONE)
        abort();
    safetensors_close(s);
    close(fd);
    unlink(path);
    return 0;
}
