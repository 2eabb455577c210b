/* Weights as they are published: safetensors files, memory-mapped, one file or several with an
 * index. Format: https://github.com/huggingface/safetensors ("8 bytes: the header's size; a JSON
 * header; the numbers").
 *
 * Every field of a header is checked when the file is opened: sizes inside the file, offsets that
 * cover the data exactly once (no gap, no overlap), dtype times shape equal to the bytes, names
 * unique, in all shards together too. After that a tensor is a plain view of the map. Errors are
 * ERROR_MODEL (or ERROR_IO) and name the file and the tensor.
 */
#ifndef AUTEUR_KERNELS_SAFETENSORS_H
#define AUTEUR_KERNELS_SAFETENSORS_H

#include "kernels/tensor.h"

struct safetensors;

/* path: a .safetensors file, an index beside its shards, or a directory that holds one of them (see
 * weight_file.h), or an outline where those are allowed (outline.h). */
int safetensors_open(const char *path, struct safetensors **out, struct error *e);
void safetensors_close(struct safetensors *s); /* NULL-safe; views into the map die */

const char *safetensors_path(const struct safetensors *s); /* what was opened, for messages */
size_t safetensors_count(const struct safetensors *s);
/* i-th in the order of names. */
const char *safetensors_name(const struct safetensors *s, size_t i);
/* NULL when there is none. */
const struct tensor *safetensors_find(const struct safetensors *s, const char *name);
/* The path of the file that the tensor lies in; of what was opened when there is no such tensor. */
const char *safetensors_file(const struct safetensors *s, const char *name);

/* The tensor must be there, hold floats (F32, F16, BF16, FP8), and have this shape; -1 in it
 * stands for any size. */
int safetensors_get(const struct safetensors *s, const char *name, int rank, const int64_t *shape,
                    const struct tensor **out, struct error *e);
#define SAFETENSORS_GET(s, name, out, e, ...)                                                      \
    safetensors_get((s), (name), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),        \
                    (const int64_t[]){__VA_ARGS__}, (out), (e))

#endif
