/* Where the program and its CUDA object meet. The program opens build/libauteur-cuda.so at run time
 * (kernels/cuda/load.c) and calls its one symbol, auteur_cuda_open. */
#ifndef AUTEUR_KERNELS_CUDA_ENTRY_H
#define AUTEUR_KERNELS_CUDA_ENTRY_H

#include "kernels/device_impl.h"
#include "kernels/tuning.h"

/* Goes up when anything changes that both sides must agree on. */
enum { CUDA_INTERFACE = 8 };

/* What the object needs of the program, which exports nothing. The sizes catch an object built from
 * other headers than the program. */
struct cuda_host {
    int interface;
    size_t device_size, ops_size, tensor_size;
    void (*fail)(struct device *d, enum error_code code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
    void (*note)(struct device *d, enum note_topic topic, enum note_state state, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
    void *(*alloc)(struct arena *a, size_t size);
    bool (*take)(struct device *d, size_t size);
    void (*give)(struct device *d, size_t size, bool refused);
    void (*pool_run)(struct pool *p, int64_t count, int64_t chunk, pool_part_fn *part,
                     const void *job);
    /* kernels/base/file.h */
    int (*file_map_source)(const void *bytes, size_t size, int64_t *at);
    /* kernels/tuning.h */
    struct tuning *(*tuning_open)(const char *identity);
    void (*tuning_close)(struct tuning *t);
    bool (*tuning_find)(struct tuning *t, const void *key, size_t key_size, int effort, void *value,
                        size_t value_size);
    void (*tuning_keep)(struct tuning *t, const void *key, size_t key_size, int effort, void *value,
                        size_t value_size);
    const char *(*tuning_path)(const struct tuning *t);
};

/* Fills the slots of `d`, whose `activations` are set, for the GPU of this index, and its facts,
 * source, backend, probe, wait, trim and close. 0, or -1 with *e filled and nothing left open. */
typedef int cuda_open_fn(const struct cuda_host *host, struct device *d, int index,
                         struct error *e);
#define CUDA_OPEN_SYMBOL "auteur_cuda_open"

/* Finds the object (AUTEUR_CUDA, beside the program, ../lib/auteur-pipe), opens it and has it fill
 * `d`. ERROR_USAGE with the reason where the object, the driver or a GPU is missing. */
int cuda_load(struct device *d, int index, struct error *e);

#endif
