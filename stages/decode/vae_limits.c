#include "stages/decode/vae_limits.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/notes.h"

enum { LEAST_TILE = 128, MOST_TILE = 1 << 16 };

static int read_memory(const char *text, size_t *out, struct error *e)
{
    static const char units[] = "KMGT";
    char *end;
    double value = strtod(text, &end);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;

    for (const char *u = units; unit && u <= unit; u++)
        value *= 1024;
    if (unit)
        end++;
    if (unit && (strcmp(end, "B") == 0 || strcmp(end, "iB") == 0))
        end += strlen(end);
    if (end == text || *end || !(value >= 1 << 20 && value <= (double)((size_t)1 << 50)))
        return error_set(e, ERROR_USAGE,
                         "--vae-memory %s: memory is written 12G or 800M, from 1M, which is the "
                         "least that a VAE needs, to 1024T",
                         text);
    *out = (size_t)value;
    return 0;
}

int vae_limits_read(const char *memory, const char *tile, struct vae_limits *out, struct error *e)
{
    char by, rest;

    *out = (struct vae_limits){0};
    out->memory_asked = memory && memory[0];
    if (out->memory_asked && read_memory(memory, &out->memory, e))
        return -1;
    if (tile && tile[0] &&
        (sscanf(tile, "%d%c%d%c", &out->tile_width, &by, &out->tile_height, &rest) != 3 ||
         tolower((unsigned char)by) != 'x' || out->tile_width < LEAST_TILE ||
         out->tile_height < LEAST_TILE || out->tile_width > MOST_TILE ||
         out->tile_height > MOST_TILE))
        return error_set(e, ERROR_USAGE,
                         "--vae-tile %s: a tile is written WIDTHxHEIGHT in pixels, each from %d to "
                         "%d",
                         tile, LEAST_TILE, MOST_TILE);
    return 0;
}

bool vae_gains_from_many_frames(const struct device *d)
{
    return device_kind(d) != DEVICE_CPU;
}

void vae_say_slices(struct device *d, int64_t frames)
{
    if (vae_gains_from_many_frames(d))
        device_note(d, NOTE_SLICES, "Temporal Slicing: %lld frames at once.", (long long)frames);
}
