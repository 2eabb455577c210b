/* What a device says of its optimisations: that one took effect, or that it did not and why.
 * Whoever makes an optimisation says so where it takes effect, never earlier: a line that is read
 * is true.
 *
 *     device_note(d, NOTE_FP8, "sm_%d%d FP8 Path Activated.", f->major, f->minor);
 *     device_note_off(d, NOTE_GRAPH, "AUTEUR_GRAPHS=0");
 *     device_note_missing(d, NOTE_FP8, "sm_80 has no FP8 units");
 *
 * The first is a whole sentence, in the words that users of such tools search for (below); the
 * other two are given the reason alone. Each is told once for a device and topic, so that it may
 * stand in an operation that runs a thousand times a step: from the second time on it costs a few
 * nanoseconds. Topics that change while a model runs (tiles, graphs: see notes.c) are told again
 * when their text is another.
 *
 * CUDA code says c->host.note(c->device, topic, NOTE_ACTIVE, format, ...). */
#ifndef AUTEUR_KERNELS_NOTES_H
#define AUTEUR_KERNELS_NOTES_H

#include <stdarg.h>
#include <stddef.h>

enum note_topic {
    NOTE_GPU,             /* unavailable, and why, where the processor takes its place */
    NOTE_DEVICE,          /* "AVX-512 Kernels Activated (16 threads).", "NVIDIA H200 Activated" */
    NOTE_CUDNN,           /* "cuDNN 9.19.0 Activated." */
    NOTE_FP8,             /* "sm_120 FP8 Path Activated." */
    NOTE_FP8_ATTENTION,   /* "FP8 Attention Activated." */
    NOTE_FUSED_ATTENTION, /* "Fused Attention Activated (cuDNN 9.19)." */
    NOTE_FUSED_NORM,      /* "Fused Norm + Modulate + Quantise Activated." */
    NOTE_FUSED_ROPE,      /* "Fused QK-Norm + RoPE Activated." */
    NOTE_FUSED_GLU,       /* "Fused Linear + GEGLU Activated." */
    NOTE_CHANNELS_LAST,   /* "Channels_Last_3D Memory Format Applied." */
    NOTE_GRAPH,           /* "CUDA Graph Captured (Decoding Latency Optimized)." */
    NOTE_SEARCH,          /* "Algorithm Search: 12 of 40 shapes tuned, 28 from the cache." */
    NOTE_TILES,           /* "Optimized Tile Size: 1280x1280 based on 16GB VRAM." */
    NOTE_SLICES,          /* "Temporal Slicing: 4 frames at once." */
    NOTE_STREAMING,       /* "Weights Streamed Block by Block (12.3 GB resident)." */
    NOTE_PREFETCH,        /* "Prefetch of the Next Stage's Weights Activated." */
    NOTE_OFFLOAD,         /* off on unified memory: "one pool of memory: nothing to gain" */
    NOTE_STEP_CACHE,      /* "Step Cache Activated (threshold 0.08)." */
    NOTE_BATCH,           /* "Batched Forward: 8 shots at once." */
    NOTE_UPSCALER,        /* "Learned Upscaler Activated (3x)." */
    NOTE_PRECISION,       /* unavailable: a dtype that was asked for and is not computed in */
    NOTE_PRESET,          /* unavailable: one was asked for, and SDXL makes nothing */
    NOTE_TOPICS
};

enum note_state { NOTE_ACTIVE, NOTE_OFF, NOTE_UNAVAILABLE, NOTE_STATES };

/* What a listener is told; strings live for the call. */
struct note {
    enum note_topic topic;
    enum note_state state;
    const char *engine; /* "HOPPER_ENGINE": of the GPU's compute capability; "CPU_ENGINE" */
    const char *text;
};

/* Of a device: called by the thread that uses it, should be quick, must not use the device. hear
 * NULL: nobody listens. */
struct note_listener {
    void (*hear)(void *ctx, const struct note *note);
    void *ctx;
};

struct device;
void device_note(struct device *d, enum note_topic topic, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* It was switched off by a person; the reason names the option. */
void device_note_off(struct device *d, enum note_topic topic, const char *reason, ...)
    __attribute__((format(printf, 3, 4)));
/* It cannot be had here. */
void device_note_missing(struct device *d, enum note_topic topic, const char *reason, ...)
    __attribute__((format(printf, 3, 4)));
/* Any of the three. */
void device_note_state(struct device *d, enum note_topic topic, enum note_state state,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));

const char *note_topic_name(enum note_topic topic);  /* of JSON: "fused_attention" */
const char *note_topic_title(enum note_topic topic); /* "Fused Attention" */
const char *note_state_name(enum note_state state);  /* "active", "off", "unavailable" */
/* "[HOPPER_ENGINE] sm_90 FP8 Path Activated.", "[AMPERE_ENGINE] FP8 Path Unavailable: <text>". */
void note_line(const struct note *note, char *out, size_t size);

/* Of a compute capability: "HOPPER_ENGINE" for 9.0; 0.0 stands for a processor. */
const char *engine_name(int major, int minor);

/* What has been said; a device holds one. NULL: out of memory. */
struct notebook;
struct notebook *notebook_new(struct note_listener listener);
void notebook_free(struct notebook *n); /* NULL-safe */
struct note_listener notebook_listener(const struct notebook *n);

#endif
