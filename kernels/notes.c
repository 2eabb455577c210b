#include "kernels/notes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/device_impl.h"

enum { NOTE_TEXT = 200 };

static const struct {
    const char *name, *title;
    bool changes; /* told again when the text is another; these are told rarely */
} topics[NOTE_TOPICS] = {
    [NOTE_GPU] = {"gpu", "GPU", false},
    [NOTE_DEVICE] = {"device", "Device", false},
    [NOTE_CUDNN] = {"cudnn", "cuDNN", false},
    [NOTE_FP8] = {"fp8", "FP8 Path", false},
    [NOTE_FP8_ATTENTION] = {"fp8_attention", "FP8 Attention", false},
    [NOTE_FUSED_ATTENTION] = {"fused_attention", "Fused Attention", false},
    [NOTE_FUSED_NORM] = {"fused_norm", "Fused Norm", false},
    [NOTE_FUSED_ROPE] = {"fused_rope", "Fused QK-Norm + RoPE", false},
    [NOTE_FUSED_GLU] = {"fused_glu", "Fused Linear + GEGLU", false},
    [NOTE_CHANNELS_LAST] = {"channels_last", "Channels_Last_3D", false},
    [NOTE_GRAPH] = {"graph", "CUDA Graph", true},
    [NOTE_SEARCH] = {"search", "Algorithm Search", true},
    [NOTE_TILES] = {"tiles", "Tile Size", true},
    [NOTE_SLICES] = {"slices", "Temporal Slicing", true},
    [NOTE_STREAMING] = {"streaming", "Weight Streaming", true},
    [NOTE_PREFETCH] = {"prefetch", "Prefetch", true},
    [NOTE_OFFLOAD] = {"offload", "Offload", true},
    [NOTE_STEP_CACHE] = {"step_cache", "Step Cache", true},
    [NOTE_BATCH] = {"batch", "Batched Forward", true},
    [NOTE_UPSCALER] = {"upscaler", "Learned Upscaler", false},
    [NOTE_PRECISION] = {"precision", "Precision", true},
    [NOTE_PRESET] = {"preset", "Preset", true},
};

struct notebook {
    struct note_listener listener;
    pthread_mutex_t mutex;
    atomic_bool told[NOTE_TOPICS][NOTE_STATES];
    char text[NOTE_TOPICS][NOTE_STATES][NOTE_TEXT]; /* the last that was told, of what changes */
};

struct notebook *notebook_new(struct note_listener listener)
{
    struct notebook *n = calloc(1, sizeof *n);

    if (!n)
        return NULL;
    n->listener = listener;
    if (pthread_mutex_init(&n->mutex, NULL) != 0) {
        free(n);
        return NULL;
    }
    return n;
}

void notebook_free(struct notebook *n)
{
    if (!n)
        return;
    pthread_mutex_destroy(&n->mutex);
    free(n);
}

struct note_listener notebook_listener(const struct notebook *n)
{
    return n->listener;
}

/* Whether it is news. With the mutex held. */
static bool write_down(struct notebook *n, const struct note *note)
{
    char *last = n->text[note->topic][note->state];
    bool first = !atomic_exchange(&n->told[note->topic][note->state], true);

    if (!topics[note->topic].changes)
        return first;
    if (!first && strcmp(last, note->text) == 0)
        return false;
    snprintf(last, NOTE_TEXT, "%s", note->text);
    return true;
}

static void tell(struct device *d, enum note_topic topic, enum note_state state, const char *format,
                 va_list args)
{
    struct notebook *n = d ? d->notebook : NULL;
    char text[NOTE_TEXT];
    struct note note = {.topic = topic, .state = state, .text = text};

    if (!n || !n->listener.hear)
        return;
    if (!topics[topic].changes && atomic_load(&n->told[topic][state]))
        return;
    note.engine = engine_name(d->facts.major, d->facts.minor);
    vsnprintf(text, sizeof text, format, args);
    pthread_mutex_lock(&n->mutex);
    if (write_down(n, &note))
        n->listener.hear(n->listener.ctx, &note);
    pthread_mutex_unlock(&n->mutex);
}

void device_note_state(struct device *d, enum note_topic topic, enum note_state state,
                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(d, topic, state, format, args);
    va_end(args);
}

void device_note(struct device *d, enum note_topic topic, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(d, topic, NOTE_ACTIVE, format, args);
    va_end(args);
}

void device_note_off(struct device *d, enum note_topic topic, const char *reason, ...)
{
    va_list args;
    va_start(args, reason);
    tell(d, topic, NOTE_OFF, reason, args);
    va_end(args);
}

void device_note_missing(struct device *d, enum note_topic topic, const char *reason, ...)
{
    va_list args;
    va_start(args, reason);
    tell(d, topic, NOTE_UNAVAILABLE, reason, args);
    va_end(args);
}

const char *note_topic_name(enum note_topic topic)
{
    return topics[topic].name;
}

const char *note_topic_title(enum note_topic topic)
{
    return topics[topic].title;
}

const char *note_state_name(enum note_state state)
{
    return state == NOTE_ACTIVE ? "active" : state == NOTE_OFF ? "off" : "unavailable";
}

void note_line(const struct note *note, char *out, size_t size)
{
    if (note->state == NOTE_ACTIVE)
        snprintf(out, size, "[%s] %s", note->engine, note->text);
    else
        snprintf(out, size, "[%s] %s %s: %s", note->engine, note_topic_title(note->topic),
                 note->state == NOTE_OFF ? "Switched Off" : "Unavailable", note->text);
}

/* NVIDIA's names of the architectures, by compute capability. */
const char *engine_name(int major, int minor)
{
    if (major == 0)
        return "CPU_ENGINE";
    if (major == 8)
        return minor == 9 ? "ADA_ENGINE" : "AMPERE_ENGINE";
    if (major == 9)
        return "HOPPER_ENGINE";
    if (major >= 10 && major <= 12)
        return "BLACKWELL_ENGINE";
    return "CUDA_ENGINE";
}
