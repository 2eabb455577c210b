#include "stages/decode/vae_limits.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/notes.h"

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
    if (end == text || *end || !(value >= 1 << 20 && value < 1e15))
        return error_set(e, ERROR_USAGE,
                         "--vae-memory %s: memory is written 12G or 800M, and a VAE needs at least "
                         "1M of it",
                         text);
    *out = (size_t)value;
    return 0;
}

int vae_limits_read(const char *memory, const char *tile, struct vae_limits *out, struct error *e)
{
    char rest;

    *out = (struct vae_limits){0};
    out->memory_asked = memory && memory[0];
    if (out->memory_asked && read_memory(memory, &out->memory, e))
        return -1;
    if (tile && tile[0] &&
        (sscanf(tile, "%dx%d%c", &out->tile_width, &out->tile_height, &rest) != 2 ||
         out->tile_width < 128 || out->tile_height < 128 || out->tile_width > 1 << 16 ||
         out->tile_height > 1 << 16))
        return error_set(e, ERROR_USAGE,
                         "--vae-tile %s: a tile is written WIDTHxHEIGHT in pixels, each at least "
                         "128",
                         tile);
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
