/* Outlines: a weight file told of by a table instead of being there, so that what a model takes can
 * be said before it is downloaded. A table has a line a tensor, or a line for many of one shape:
 *
 *   blocks.{0-39}.attn1.{to_q,to_k}.weight BF16 5120x5120
 *
 * ({a-b} is a range, {a,b} a list). Its numbers are all zero and take no memory. */
#ifndef AUTEUR_KERNELS_OUTLINE_H
#define AUTEUR_KERNELS_OUTLINE_H

#include "kernels/base/file.h"

#define OUTLINE_NAME "tensors.txt"

/* From now on, for the calling thread, a folder that holds no weights but a table OUTLINE_NAME
 * opens as the file that the table tells of. Off at first: a model that is run must be there. */
void outline_allow(bool allowed);
bool outline_allowed(void);

/* The table as the bytes of the safetensors file that it tells of: its header, then zeros, which
 * are address space only. file_map_close() takes it back. ERROR_MODEL names the line. */
int outline_open(const char *path, struct file_map *out, struct error *e);

#endif
