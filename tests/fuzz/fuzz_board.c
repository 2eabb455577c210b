/* A libFuzzer target: any bytes are a board or a list of complaints.
 *
 *   clang -std=c17 -g -O1 -I. -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
 *     -o build/fuzz_board tests/fuzz/fuzz_board.c storyboards/[a-z]*.c kernels/base/[a-z]*.c \
 *     -lyaml -ljansson -lunistring -lxxhash -lm
 *   mkdir -p build/corpus
 *   build/fuzz_board -max_len=4096 build/corpus storyboards storyboards/bad
 */
#include <stddef.h>
#include <stdint.h>

#include "tests/storyboards/invariants.h"

__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    read_holds((const char *)bytes, size);
    return 0;
}
