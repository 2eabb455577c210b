/* What a golden checks of any family through struct family: tokens, noise, conditions, the decoder,
 * and the whole chain from prompt and seed. Single calls of a denoiser are the families' own. */
#ifndef AUTEUR_STAGES_PARITY_CHAIN_H
#define AUTEUR_STAGES_PARITY_CHAIN_H

#include "stages/generate/family.h"
#include "stages/parity/families.h"

struct chain {
    struct parity *p;
    const struct family *family;
    struct arena arena;
    struct generation g;
    bool seeded;           /* the golden names a seed */
    int decode_chunk;      /* frames that the golden's decoder was given together; 0: all */
    int pictures;          /* that the decoder gives of the shot's latents: g.frames */
    const char *scheduler; /* scheduler_config.json */
    struct conditions conditions;
};

/* Reads prompt, seed, size, steps and guidance from golden.json, and checks the checkpoint. Where
 * it names a "sampler" and the checkpoint has a folder scheduler.SAMPLER, the chain runs with that
 * one. What else a family is asked goes into c->g afterwards, and another number of pictures into
 * c->pictures. */
int chain_open(struct chain *c, struct parity *p, const struct family *family, struct error *e);
void chain_close(struct chain *c);

/* Every text of golden.json's tokenize.KEY, with the tokenizer in FOLDER. length: what the texts
 * were padded to and cut at; 0: neither. Where some have other ids than ours, and another golden of
 * the same checkpoint has all of ours, the tokenizer is that one's: the line names it, and is no
 * failure. */
int chain_check_tokens(struct chain *c, const char *folder, const char *key, int length,
                       struct error *e);
/* Every noiseK of the golden, drawn one after another from the seed; where the golden names none,
 * small seeds are tried. Before chain_check_sampling(). */
int chain_check_noise(struct chain *c, struct error *e);
/* Encodes; every condition against the golden of its name, where it has one. */
int chain_check_conditions(struct chain *c, struct error *e);
/* The decoder, on the golden's last latents. */
int chain_check_decoder(struct chain *c, struct error *e);
/* From seed and conditions of our own (after chain_check_conditions()): latents.stepK,
 * latents.final, and what the decoder makes of them. */
int chain_check_sampling(struct chain *c, struct error *e);

#endif
