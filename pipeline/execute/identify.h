/* What a file or a model directory holds, as 128 bits.
 *
 * A file of up to 64 MiB is hashed whole. Of a larger one (a checkpoint, a master clip) the size,
 * the modification time and the first and last MiB are: reading 28 GB to learn that nothing
 * changed would cost more than the news. A directory is every *.json, *.model, *.txt and
 * *.safetensors in it, by sorted relative name (8 levels deep).
 *
 * Answers are remembered for the run, by path; digests of files over 1 MiB also in the journal, by
 * stat, when there is one. Any thread may ask.
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_IDENTIFY_H
#define AUTEUR_PIPELINE_EXECUTE_IDENTIFY_H

#include <stdbool.h>

#include "journal/journal.h"
#include "kernels/base/error.h"
#include "kernels/base/hash.h"

struct identify;
/* journal: NULL for none. may_write: whether new digests are remembered in it. */
struct identify *identify_new(struct journal *journal, bool may_write); /* NULL: out of memory */
void identify_free(struct identify *id);

/* Fits stage_env.identify; ctx is the struct identify. */
int identify_path(void *ctx, const char *path, struct hash128 *out, struct error *e);

#endif
