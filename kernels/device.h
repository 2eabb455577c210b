/* A device: the table of operations in use, and everything they need besides their arguments
 * (scratch memory, thread count, the first failure). */
#ifndef AUTEUR_KERNELS_DEVICE_H
#define AUTEUR_KERNELS_DEVICE_H

#include "kernels/notes.h"
#include "kernels/ops.h"

/* How long to look for the fastest algorithm of a product or a convolution. What was found is kept
 * on disk, by GPU and library (AUTEUR_CACHE, else auteur-pipe in XDG_CACHE_HOME or ~/.cache): the
 * next run starts with it, and computes the same bytes. */
enum patience {
    PATIENCE_NONE,   /* what the library guesses */
    PATIENCE_SOME,   /* the best few guesses for products are timed, where it can matter */
    PATIENCE_ENOUGH, /* all guesses for them are, and convolutions', where it can matter */
    PATIENCE_ALL     /* everything is, for tests */
};

/* For tests: memory that fails, or is smaller than the machine's. It counts for every device that
 * is opened with it, and gives a CPU memory of its own, as a GPU has it, so that what is done when
 * memory runs out can be seen without a GPU. */
struct memory_faults {
    size_t limit;      /* bytes held at once; 0: no limit */
    long fail_at;      /* the allocation that is refused, counted from 1; 0: none */
    long taken;        /* allocations that were asked for so far */
    size_t held, peak; /* bytes, now and at most */
};

/* Where a model's weights stay while it works. On a CPU all are the same. */
enum memory_mode {
    MEMORY_AUTO,  /* on the device where they fit what is free, else as safe */
    MEMORY_SPEED, /* on the device */
    MEMORY_SAFE   /* on the host, brought block by block while others work: weight_stream.h */
};

/* What to open; zeroed: the CPU with all its cores. */
struct device_options {
    enum device_kind kind;
    int threads; /* of the CPU side; 0: as many as the machine lets this process have */
    /* CUDA: F32, F16 or BF16. A CPU keeps F32; where a half is said, long attention may be of
     * products of F16, if it has them. */
    enum dtype activations;
    bool f32; /* of a model that is published in halves: F32 all the same (family_model_dtype()) */
    enum dtype attention; /* F8_E4M3: long ones in FP8 where the GPU can (Hopper); else as above */
    enum dtype linears;   /* F8_E4M3: of models that allow it (struct loader); else activations */
    enum patience patience; /* CUDA: for choosing algorithms */
    int index;              /* CUDA: which of the machine's GPUs */
    bool or_cpu;            /* where there is no CUDA object, driver or GPU: the CPU */
    enum memory_mode memory;
    struct dry_run *dry;          /* not NULL: nothing is computed, see dry/dry.h */
    struct memory_faults *faults; /* NULL: none; outlives the device */
    struct note_listener notes;   /* hears what takes effect; zeroed: nobody does */
};
/* What a device is. Of a CPU only its name, which is that of its instruction set; 0: not told. */
struct device_facts {
    char name[96];
    int major, minor;     /* compute capability: 9, 0 of an H100 */
    int processors;       /* streaming multiprocessors */
    int clock_khz;        /* of them, at most */
    int memory_clock_khz; /* at two transfers a clock */
    int memory_bits;      /* width of the memory's bus */
    bool unified;         /* one pool of memory with the processor */
    size_t memory;        /* bytes */
    int driver, runtime;  /* of CUDA: 13000 is 13.0 */
    int gpus;             /* of the machine */
    int cudnn;            /* 91900 is 9.19.0; 0: not used */
    char bus[16];         /* "0000:01:00.0" */
};
/* The CUDA side is a shared object that is opened here; where it or a GPU is missing: ERROR_USAGE
 * with the reason. */
int device_open(const struct device_options *o, struct device **out, struct error *e);
/* Another one on the same hardware that holds activations in this dtype: for a part of a model
 * whose numbers go beyond what the first one's hold. */
int device_open_beside(const struct device *d, enum dtype activations, struct device **out,
                       struct error *e);
/* As DEVICE_CPU with the plain C reference in every slot: slow, for comparison. */
int device_open_reference(int threads, struct device **out, struct error *e);
void device_close(struct device *d); /* NULL-safe */

enum device_kind device_kind(const struct device *d);
int device_threads(const struct device *d);
const struct device_facts *device_facts(const struct device *d);
/* What ACTIVATION_NEW makes. */
enum dtype device_activations(const struct device *d);
/* Of a CPU: long attention is of products of F16. */
bool device_has_f16(const struct device *d);
/* What linear layers of models that allow it are kept in: F8_E4M3 where that was asked for and the
 * device can, else as activations. */
enum dtype device_linears(const struct device *d);
/* An empty arena whose memory is the device's. The device must outlive it. NULL stands for the CPU
 * here and below, for models that are only looked through. */
struct arena device_arena(struct device *d);
/* New zeroed activations; data is NULL when memory has run out. */
struct tensor activation_new(struct device *d, struct arena *a, int rank, const int64_t *shape);
#define ACTIVATION_NEW(d, arena, ...)                                                              \
    activation_new((d), (arena), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),        \
                   (const int64_t[]){__VA_ARGS__})

/* Where the input of layer w is to be written: `buffer` itself, or, for a layer with FP8 weights,
 * its numbers as F8_E4M3: those of a row lie where the row began, so that an operation may go from
 * the one to the other in place. A buffer without room for scales (it is not from activation_new()
 * of a device with FP8 layers) stays what it is: op_linear() makes FP8 of it. */
struct tensor activation_as_input(const struct linear *w, struct tensor buffer);

/* As activation_new() for sums that run through all layers of a model, and for what is added to
 * them: F32 where activations are F16, whose range (65504) trained models leave. */
struct tensor residual_new(struct device *d, struct arena *a, int rank, const int64_t *shape);
#define RESIDUAL_NEW(d, arena, ...)                                                                \
    residual_new((d), (arena), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),          \
                 (const int64_t[]){__VA_ARGS__})

/* Waits for all that the device was told to do. 0, or -1 with the first failure since the last
 * call, which is then forgotten. */
int device_status(struct device *d, struct error *e);
/* Bytes that can be had now, and that there are: of a GPU's memory, or of the machine's for a CPU.
 * Both 0 where that cannot be told. */
void device_memory(struct device *d, size_t *free_bytes, size_t *total_bytes);
/* Bytes of a GPU's memory that this process held at most, in all its devices there, since it last
 * held none; without what the driver keeps for itself. 0 for a CPU. */
size_t device_memory_peak(const struct device *d);
/* The last time that memory of the device was refused: what was asked for, what this process held
 * then and what was free. All 0: never. */
struct memory_refusal {
    size_t wanted, held, free_bytes, total_bytes;
};
struct memory_refusal device_refusal(const struct device *d);
/* Whether weights can be kept out of its memory, which serves a purpose. */
bool device_can_stream(const struct device *d);
/* Of models that are loaded from now on. */
void device_set_memory(struct device *d, enum memory_mode mode);
/* Whether a model that is open keeps its weights on the host. */
bool device_streams(const struct device *d);
/* Frees scratch memory; it comes back when needed. */
void device_trim(struct device *d);

/* ---- recorded graphs: operations that are issued again and again for the same tensors (a
 * sampler's step, a VAE's tile) are issued plainly once, recorded the second time, and from then on
 * replayed by the device in one go, which gives the same bytes and costs no time of issuing them.
 * Where a device does not record (a CPU, or AUTEUR_GRAPHS=0), they are issued every time. */
enum { DEVICE_GRAPH_KEY = 256 };
enum device_graph_state { GRAPH_IDLE, GRAPH_PASSING, GRAPH_ISSUING, GRAPH_RECORDING };
/* Zeroed: nothing recorded. Private; one place in a model, one graph. */
struct device_graph {
    struct device *device; /* that made the recording */
    void *recording;
    unsigned char key[DEVICE_GRAPH_KEY];
    size_t key_size;
    uint64_t memory; /* the device's memory_changes that it stands for */
    enum device_graph_state state;
    const char *of; /* for -v, the caller's: "Decoding", ...; NULL: "Sampling" */
    bool known;     /* issued plainly under this key and memory */
    bool refused;   /* could not be recorded: issued plainly from now on */
};
/* Whether the caller is to issue the operations, and then ask again:
 *
 *     op_write(d, &input, &host);
 *     while (device_graph(d, &g, &key, sizeof key))
 *         forward(...);
 *     op_read(d, &host, &output);
 *
 * Left by no other way than its condition. Inside are operations alone: op_write, op_read, op_embed
 * and device_status belong before or after it, memory is made before. Operations inside may be of
 * one device only. What fails to be recorded is issued plainly instead.
 * key: at most DEVICE_GRAPH_KEY bytes (no padding) of all that the operations depend on besides
 * what is in the tensors: where the tensors are and their shapes, numbers that go by value. Under
 * another key, or after memory of the device was freed or its scratch memory grew, everything
 * begins anew. */
bool device_graph(struct device *d, struct device_graph *g, const void *key, size_t size);
/* Forgets the recording: when the model closes, before the device does. A zeroed one too. */
void device_graph_free(struct device_graph *g);

/* A few of them, for a model that comes to the same place with several keys by turns: a clip's
 * first slice, those after it, its last. Zeroed: none recorded. */
enum { DEVICE_GRAPHS = 4 };
struct device_graphs {
    struct device_graph graph[DEVICE_GRAPHS];
    int oldest; /* its place is taken by the next new key */
};
/* The one for this key, which is then given to device_graph() with it. */
struct device_graph *device_graph_for(struct device_graphs *all, const void *key, size_t size);
void device_graphs_free(struct device_graphs *all);

#endif
