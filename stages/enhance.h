/* The enhance stage's work, for the stage itself and for the `prompt` command: what a tier's model
 * will be told of a shot. */
#ifndef AUTEUR_STAGES_ENHANCE_H
#define AUTEUR_STAGES_ENHANCE_H

#include "prompts/enhance.h"
#include "stages/generate/tiers.h"

/* A tier's tokenizer and the lexicon (data_dir/lexicon.yaml). */
struct enhancer;
int enhancer_open(const struct stage_env *env, const struct tier *tier, struct enhancer **out,
                  struct error *e);
void enhancer_close(struct enhancer *enhancer);      /* NULL-safe */
int enhancer_limit(const struct enhancer *enhancer); /* tokens the model reads */

/* Uses the shot's prompt, camera, look, negative, text policy and additions. *out lives in the
 * arena. */
int enhancer_shot(const struct enhancer *enhancer, const struct shot *shot, struct arena *a,
                  struct enhanced *out, struct error *e);

/* All that was done, UTF-8 without a newline at its end; caller frees. NULL: out of
 * memory. An object of: tier, original, prompt, negative (texts); prompt_tokens, negative_tokens,
 * limit (numbers); overlays (list of {style, text}, as a board writes them); notes (list of
 * {warning, text}). */
char *enhanced_to_json(const struct enhancer *enhancer, const struct shot *shot,
                       const struct enhanced *enhanced);

#endif
