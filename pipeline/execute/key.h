/* Content keys. The key of a stage of a shot is the XXH3-128 of the stage's name and version, every
 * input that it describes and the keys of the stages that it reads (of one, it may be the digest of
 * an artefact instead: stage.reads_content), each as a tagged, length-prefixed field: no two
 * different lists of inputs give the same bytes. What a key means is KEY_FORM's business: raising
 * it makes everything new.
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_KEY_H
#define AUTEUR_PIPELINE_EXECUTE_KEY_H

#include "journal/journal.h"
#include "stages/stage.h"

enum { KEY_FORM = 1 };

/* Room that is used again for every key; a zeroed one is empty. */
struct key_maker {
    struct inputs inputs; /* first: what describe() is given */
    unsigned char *bytes;
    size_t size, room;
    bool failed; /* out of memory */
};
void key_maker_free(struct key_maker *k);

/* reads: what counts of the shot's stages before `id`, key or digest; those that the stage reads
 * are read. */
int key_make(struct key_maker *k, const struct stage *stage, enum stage_id id,
             const struct stage *const *stages, const struct hash128 reads[STAGES],
             const struct stage_env *env, const struct shot *shot, struct hash128 *out,
             struct error *e);

/* The same inputs as names and values, for the journal and for `why`: "version" first, then what
 * the stage describes, then every stage read by name ("enhance", or "enhance.prompt.json" where an
 * artefact's content counts) with its key or digest in hex. Equal lists mean equal keys. In the
 * arena. */
int key_inputs(struct arena *arena, const struct stage *stage, const struct stage *const *stages,
               const struct hash128 reads[STAGES], const struct stage_env *env,
               const struct shot *shot, struct record_input **inputs, size_t *count,
               struct error *e);

#endif
