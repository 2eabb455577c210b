/* A libFuzzer target: any bytes are a board or a list of complaints. `make fuzz` builds and runs
 * it. */
#include <stddef.h>
#include <stdint.h>

#include "tests/storyboards/invariants.h"

__attribute__((visibility("default"))) int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    read_holds((const char *)bytes, size);
    return 0;
}
