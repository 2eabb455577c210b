/* Which file of a folder holds a model's weights. Published repositories hold several forms of the
 * same: diffusion_pytorch_model.safetensors or model.safetensors, whole or in shards with an index,
 * in the training's dtype (no word in the name) or in a smaller one ("fp16", "bf16" in the name).
 */
#ifndef AUTEUR_KERNELS_WEIGHT_FILE_H
#define AUTEUR_KERNELS_WEIGHT_FILE_H

#include <stdbool.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"

/* `path` itself when it names a .safetensors file or an index; else the file in that folder to
 * read: the form with no word in its name first, an index before a single file. Git LFS pointers
 * are passed over while another form is there. *out lives in the arena. ERROR_MODEL says
 * what is there instead: pickles, shards without an index, an unfinished download. */
int weight_file_find(const char *path, struct arena *a, const char **out, struct error *e);

/* Refuses what an index says when the shard is not there, or its name leads elsewhere
 * (ERROR_MODEL). `path`: the shard's, beside the index. */
int weight_file_check_shard(const char *index, const char *shard, const char *path,
                            struct error *e);

bool weight_file_is_index(const char *name);

/* PyTorch's pickles (.bin, .pt, .pth, .ckpt): programs, in fact, that would run when read. They are
 * never read. */
bool weight_file_is_pickle(const char *name);
/* The names that download tools give to what they have not finished. */
bool weight_file_is_unfinished(const char *name);

#endif
