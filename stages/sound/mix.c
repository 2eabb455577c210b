#include "stages/sound/mix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/sound/graph.h"

static const double UNMEASURED = -69;          /* LUFS; the meter's gate is at -70 */
static const double MOST_GAIN = 30;            /* dB: a hiss is not to become a voice */
static const double AHEAD = 0.3, BEHIND = 0.8; /* seconds in which music goes down and comes back */
static const double BETWEEN = 1.0; /* seconds between narrations in which it stays down */

void mix_free(struct mix *m)
{
    sound_free(&m->narration);
    sound_free(&m->music);
    sound_free(&m->film);
}

/* ---- measuring */

static void see(void *ctx, const AVFrame *frame)
{
    static const char *const peaks[] = {"lavfi.r128.true_peaks_ch0", "lavfi.r128.true_peaks_ch1"};
    struct loudness *l = ctx;
    const AVDictionaryEntry *entry = av_dict_get(frame->metadata, "lavfi.r128.I", NULL, 0);

    if (entry)
        l->integrated = atof(entry->value);
    for (int i = 0; i < SOUND_CHANNELS; i++) {
        entry = av_dict_get(frame->metadata, peaks[i], NULL, 0);
        if (entry)
            l->peak = fmax(l->peak, atof(entry->value));
    }
}

static int measure(const struct sound *s, const char *peaks, struct loudness *out, struct error *e)
{
    const int64_t step = SOUND_RATE / 10; /* the meter tells every tenth of a second */
    const struct sound *inputs[] = {s};
    const struct graph_look look = {see, out};
    char text[100];

    snprintf(text, sizeof text, "[in0]apad=whole_len=%lld,ebur128=peak=%s:metadata=1",
             (long long)((s->count + step - 1) / step * step), peaks);
    *out = (struct loudness){-70, 0};
    if (graph_run(text, inputs, 1, &look, NULL, e) != 0)
        return -1;
    out->peak = out->peak > 0 ? 20 * log10(out->peak) : -INFINITY;
    return 0;
}

int mix_measure(const struct sound *s, struct loudness *out, struct error *e)
{
    return measure(s, "true", out, e);
}

/* ---- levels */

static double factor(double decibels)
{
    return pow(10, decibels / 20);
}

/* What brings a sound to a loudness. */
static int gain_to(const struct sound *s, double target, double *decibels, struct error *e)
{
    struct loudness now;

    if (measure(s, "none", &now, e) != 0)
        return -1;
    *decibels = now.integrated > UNMEASURED ? fmin(target - now.integrated, MOST_GAIN) : 0;
    return 0;
}

static int place(const struct mix_narration *n, double target, struct sound *track, struct error *e)
{
    int64_t count = n->at + n->sound->count > track->count ? track->count - n->at : n->sound->count;
    float *to = track->samples + n->at * SOUND_CHANNELS;
    double gain;
    float by;

    if (gain_to(n->sound, target, &gain, e) != 0)
        return -1;
    by = (float)factor(gain);
    for (int64_t i = 0; i < count * SOUND_CHANNELS; i++)
        to[i] += by * n->sound->samples[i];
    return 0;
}

/* ---- music */

/* How far the music is down, 0..1, `away` samples from a narration. */
static double depth(int64_t away, double seconds)
{
    double whole = seconds * SOUND_RATE;

    return (double)away < whole ? 1 - (double)away / whole : 0;
}

/* The music's gain for every sample. Narrations are in order of time. */
static void draw_envelope(const struct mix_narration *n, size_t count, double duck,
                          struct sound *envelope)
{
    size_t next = 0; /* the first that does not lie behind */

    for (int64_t i = 0; i < envelope->count; i++) {
        double down = 0;
        float gain;

        while (next < count && n[next].at + n[next].sound->count <= i)
            next++;
        if (next < count)
            down = i >= n[next].at ? 1 : depth(n[next].at - i, AHEAD);
        if (next > 0) {
            int64_t ended = n[next - 1].at + n[next - 1].sound->count;
            bool soon = next < count && (double)(n[next].at - ended) < BETWEEN * SOUND_RATE;

            down = soon ? 1 : fmax(down, depth(i - ended, BEHIND));
        }
        gain = (float)factor(-duck * down);
        envelope->samples[i * SOUND_CHANNELS] = envelope->samples[i * SOUND_CHANNELS + 1] = gain;
    }
}

/* Cut to the film, at its level, faded, ducked. */
static int make_music(const struct board_sound *b, const struct sound *music, int64_t samples,
                      const struct mix_narration *narrations, size_t count, struct sound *out,
                      struct error *e)
{
    struct sound bed = {0}, envelope = {0};
    const struct sound *inputs[] = {&envelope, &bed}; /* the first says how long it is */
    int64_t half = samples / 2, in = (int64_t)(b->fade_in * SOUND_RATE);
    int64_t off = (int64_t)(b->fade_out * SOUND_RATE);
    char text[300];
    double gain;
    int rc = -1;

    in = in < half ? in : half;
    off = off < half ? off : half;
    if (sound_make(&bed, samples, e) != 0 || sound_make(&envelope, samples, e) != 0)
        goto done;
    memcpy(bed.samples, music->samples,
           (size_t)(music->count < samples ? music->count : samples) * SOUND_CHANNELS *
               sizeof *bed.samples);
    if (gain_to(&bed, b->loudness + b->music_volume, &gain, e) != 0)
        goto done;
    draw_envelope(narrations, count, b->duck, &envelope);
    snprintf(text, sizeof text,
             "[in1]volume=%.6fdB,afade=t=in:ss=0:ns=%lld,afade=t=out:ss=%lld:ns=%lld[bed];"
             "[bed][in0]amultiply",
             gain, (long long)(in ? in : 1), (long long)(samples - off),
             (long long)(off ? off : 1));
    rc = graph_run(text, inputs, 2, NULL, out, e);
done:
    sound_free(&bed);
    sound_free(&envelope);
    return rc;
}

/* ---- the whole */

/* The limiter works at four times the rate, where samples show true peaks; coming back to 48 kHz
 * makes small new ones, for which it aims lower, and lower still when that was not enough. */
static int limit(struct sound *s, double peak, struct loudness *now, struct error *e)
{
    for (double ceiling = peak - 0.25; ceiling > peak - 1; ceiling -= 0.25) {
        const struct sound *inputs[] = {s};
        struct sound made;
        char text[200];

        if (mix_measure(s, now, e) != 0)
            return -1;
        if (now->peak <= peak)
            return 0;
        snprintf(text, sizeof text,
                 "[in0]aresample=192000,alimiter=level=0:limit=%.6f:attack=5:release=60:latency=1,"
                 "aresample=48000",
                 factor(ceiling));
        if (graph_run(text, inputs, 1, NULL, &made, e) != 0)
            return -1;
        sound_free(s);
        *s = made;
    }
    return mix_measure(s, now, e);
}

/* A stem. Samples far below the limit have no true peaks above it: nothing need be measured. */
static int limit_stem(struct sound *s, double peak, struct error *e)
{
    float near = (float)factor(peak - 4), highest = 0;
    struct loudness now;

    for (int64_t i = 0; i < s->count * SOUND_CHANNELS; i++)
        highest = fmaxf(highest, fabsf(s->samples[i]));
    return highest < near ? 0 : limit(s, peak, &now, e);
}

static int sum(const struct mix *m, int64_t samples, double gain, struct sound *out,
               struct error *e)
{
    float by = (float)factor(gain);

    sound_free(out);
    if (sound_make(out, samples, e) != 0)
        return -1;
    for (int64_t i = 0; i < samples * SOUND_CHANNELS; i++)
        out->samples[i] =
            by * (m->narration.samples[i] + (m->music.samples ? m->music.samples[i] : 0));
    return 0;
}

/* The film at the target. What the limiter takes is given back, as far as that goes: three times.
 */
static int level(const struct board_sound *b, int64_t samples, struct mix *m, struct error *e)
{
    struct loudness now;
    double gain;

    if (sum(m, samples, 0, &m->film, e) != 0 || gain_to(&m->film, b->loudness, &gain, e) != 0)
        return -1;
    for (int tries = 0; tries < 3; tries++) {
        double off;

        if (sum(m, samples, gain, &m->film, e) != 0 || limit(&m->film, b->peak, &now, e) != 0)
            return -1;
        off = now.integrated > UNMEASURED ? b->loudness - now.integrated : 0;
        if (fabs(off) < 0.2)
            break;
        if (tries < 2)
            gain += off;
    }
    return 0;
}

int mix_make(const struct board_sound *b, int64_t samples, const struct mix_narration *narrations,
             size_t count, const struct sound *music, struct mix *out, struct error *e)
{
    *out = (struct mix){0};
    if (sound_make(&out->narration, samples, e) != 0)
        goto failed;
    for (size_t i = 0; i < count; i++)
        if (place(&narrations[i], b->loudness, &out->narration, e) != 0)
            goto failed;
    if (music && make_music(b, music, samples, narrations, count, &out->music, e) != 0)
        goto failed;
    if (level(b, samples, out, e) != 0 || limit_stem(&out->narration, b->peak, e) != 0 ||
        (music && limit_stem(&out->music, b->peak, e) != 0))
        goto failed;
    return 0;
failed:
    mix_free(out);
    return -1;
}
