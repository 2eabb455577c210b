/* SentencePiece (https://github.com/google/sentencepiece) as C. No exception gets out; failures
 * leave a sentence in `message`. For tokenizer.c alone. */
#ifndef AUTEUR_PROMPTS_SENTENCEPIECE_H
#define AUTEUR_PROMPTS_SENTENCEPIECE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct spm;
enum { SPM_MESSAGE = 256 };

/* NULL on failure. The model's bytes are copied. */
struct spm *spm_new(const char *model, size_t size, char message[SPM_MESSAGE]);
void spm_free(struct spm *s); /* NULL-safe */
int spm_vocabulary(const struct spm *s);
int spm_eos(const struct spm *s);                     /* -1: the model has none */
int spm_find(const struct spm *s, const char *piece); /* its id; -1: the model has none such */
/* The text's ids without </s>: writes the first `max`, returns how many there are; -1 on failure.
 * Any thread. */
int spm_encode(const struct spm *s, const char *text, size_t size, int32_t *ids, int max,
               char message[SPM_MESSAGE]);

#ifdef __cplusplus
}
#endif

#endif
