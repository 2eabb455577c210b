#include "stages/sound/sound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/mathematics.h>

int sound_make(struct sound *s, int64_t count, struct error *e)
{
    *s = (struct sound){0};
    s->samples = calloc((size_t)(count ? count : 1), SOUND_CHANNELS * sizeof *s->samples);
    if (!s->samples)
        return error_memory(e);
    s->count = s->room = count;
    return 0;
}

int sound_append(struct sound *s, const float *samples, int64_t count, struct error *e)
{
    if (s->count + count > s->room) {
        int64_t room = s->room + s->room / 2 + count;
        float *grown = realloc(s->samples, (size_t)room * SOUND_CHANNELS * sizeof *s->samples);

        if (!grown)
            return error_memory(e);
        s->samples = grown;
        s->room = room;
    }
    memcpy(s->samples + s->count * SOUND_CHANNELS, samples,
           (size_t)count * SOUND_CHANNELS * sizeof *samples);
    s->count += count;
    return 0;
}

void sound_free(struct sound *s)
{
    free(s->samples);
    *s = (struct sound){0};
}

/* Half a step of 16 bits: what a file of silence may hold for dither. */
static const float INAUDIBLE = 1.0f / 65536;

bool sound_is_silent(const struct sound *s)
{
    for (int64_t i = 0; i < s->count * SOUND_CHANNELS; i++)
        if (fabsf(s->samples[i]) > INAUDIBLE)
            return false;
    return true;
}

int64_t sound_of_frame(int64_t frame, struct rational fps)
{
    return av_rescale(frame, (int64_t)SOUND_RATE * fps.den, fps.num);
}

double sound_seconds(int64_t samples)
{
    return (double)samples / SOUND_RATE;
}
