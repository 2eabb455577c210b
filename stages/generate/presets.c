#include "stages/generate/presets.h"

#include <stddef.h>
#include <string.h>

/* Twenty steps are where a picture stops changing much; thirty and more mend small things. Beyond
 * four at once a large GPU gains little time, and a small one has no memory. */
const struct preset presets_all[] = {
    {"balanced", 30, 4},
    {"batch", 20, 16},
    {"quality", 50, 4},
};
const int preset_count = sizeof presets_all / sizeof *presets_all;

const struct preset *preset_find(const char *name)
{
    if (!name || !*name)
        return &presets_all[0];
    for (int i = 0; i < preset_count; i++)
        if (strcmp(presets_all[i].name, name) == 0)
            return &presets_all[i];
    return NULL;
}
