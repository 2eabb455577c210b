/* A CUDA runtime, cuBLASLt and cuDNN for a machine without a GPU, to run the host side of the CUDA
 * object (kernels/cuda) in a test: one library that the object is linked with in their place.
 *
 * Faked: the entry points that the object uses, and one GPU of 64 GB that is said to be a Hopper.
 * Memory of the GPU is addresses that nothing may touch: a host that reads one crashes. No address
 * and no handle is given twice, so that what was freed is always told from what is alive.
 *
 * Checked, and told as "fake CUDA: misuse: ...": pointers, streams, events, graphs and descriptors
 * that are not alive; sizes beyond their memory; what a recording forbids; grids, blocks and shared
 * memory beyond the chip's; numbers of a copy that change, or memory that is released, while the
 * copy is on its way. At the end of the program what is left is told as "fake CUDA: left: ...".
 *
 * Meaningless: every number. Kernels are not run, so that what they do with a pointer is not seen;
 * what is read from the GPU is noise, finite and of no pattern. Times are made up.
 *
 *   FAKE_CUDA_FAIL=memory:170   call number 170 (from 0) of that kind fails; 170+: all from it on
 *   FAKE_CUDA_COUNTS=1          says at the end how many calls there were of each kind
 *   FAKE_CUDA_STOP=1            stops at the first misuse, for a debugger
 */
#ifndef AUTEUR_TESTS_CUDA_FAKE_H
#define AUTEUR_TESTS_CUDA_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE __attribute__((visibility("default")))

/* ---- what has been handed out */

enum thing_kind {
    DEVICE_MEMORY,
    PINNED_MEMORY,
    REGISTERED_MEMORY,
    STREAM,
    EVENT,
    GRAPH,
    GRAPH_RUN,
    BLAS_HANDLE,
    BLAS_DESCRIPTOR,
    DNN_HANDLE,
    DNN_DESCRIPTOR,
    FUNCTION, /* a kernel that was allowed more shared memory: not handed out, stays */
    THING_KINDS
};

struct thing {
    char *at;    /* what the caller holds */
    size_t size; /* bytes from there on */
    uint64_t
        recording; /* a stream: the one that goes on; an event: the one it is part of; 0: none */
    bool broken;   /* a stream's recording */
    void *stream;  /* an event's: where it was recorded last; NULL: never */
    uint64_t turn; /* when */
    size_t shared; /* a function's bytes */
    void *own;     /* what a library's descriptor was told: freed with it */
};

/* A handle, never the value of another, with `own` bytes of zeros. NULL: no memory. */
void *thing_new(enum thing_kind kind, size_t own);
/* The same of memory that has an address. */
struct thing *thing_add(enum thing_kind kind, void *at, size_t size);
/* That which holds all these bytes; NULL: none. */
struct thing *thing_find(enum thing_kind kind, const void *at, size_t size);
/* The same, a misuse of `what` where there is none. */
struct thing *thing_need(enum thing_kind kind, const void *at, size_t size, const char *what);
/* The same for what a library is told of: its own bytes. */
void *thing_own(enum thing_kind kind, const void *at, const char *what);
/* False, and a misuse: no thing begins there. */
bool thing_drop(enum thing_kind kind, const void *at, const char *what);

void misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- calls that fail because the environment says so */

enum fault {
    FAULT_MEMORY,
    FAULT_PINNED,
    FAULT_HANDLE, /* streams and events */
    FAULT_LAUNCH,
    FAULT_GRAPH,
    FAULT_PRODUCT,       /* of cuBLASLt */
    FAULT_DESCRIPTOR,    /* of cuBLASLt and cuDNN */
    FAULT_ENGINE,        /* of cuDNN: does not take what it is given */
    FAULT_ENGINE_MEMORY, /* the same, no memory for it */
    FAULTS
};

/* Whether this call is one that fails; counts it. */
bool fault_here(enum fault kind);

/* ---- the runtime */

enum { SHARED_MOST = 232448, SHARED_PLAIN = 48 << 10 }; /* bytes a block, of sm_90 */

/* Remembers a cudaError_t where it is one, for cudaGetLastError() (streams.c). Returns it. */
int runtime_error(int status);

/* Whether an address was the GPU's once, and is no more. */
bool memory_is_gone(const void *at);

/* ---- copies on their way (copies.c) */

/* Numbers of the host that are read, or written (to), until `stream` has come so far. */
void copy_begin(void *stream, const void *host, size_t size, bool to);
/* Now: what an event that is recorded stands for. */
uint64_t copy_turn(void);
/* Those of the stream that were begun before this turn are over; NULL: of every stream. */
void copy_finish(void *stream, uint64_t turn);
/* The host's memory goes. */
void copy_release(const void *host, size_t size, const char *what);
/* Noise, finite as F32. */
void copy_noise(void *host, size_t size);

/* ---- recordings (graphs.c) */

/* The stream that this thread records; NULL: none. */
void *recording_stream(void);
/* A call that a recording of this thread does not allow: true, the recording is broken. */
bool recording_forbids(const char *what);

#endif
