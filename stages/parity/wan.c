/* Wan 2.1 and 2.2: UMT5, one or two transformers, UniPC, causal VAE. */
#include "stages/generate/t5_text.h"
#include "stages/generate/wan_transformer.h"
#include "stages/parity/chain.h"

static int call_expert(struct chain *c, const char *name, const struct tensor *text,
                       const struct tensor *latents, float timestep, struct tensor *out,
                       struct error *e)
{
    const char *dir = arena_printf(&c->arena, "%s/%s", c->p->dir, name);
    struct tensor real = tensor_slice(*text, 0, 0, t5_text_rows(text));
    struct wan_transformer *m = NULL;
    struct wan_conditioning *words = NULL;
    int rc = -1;

    if (!dir)
        return error_memory(e);
    if (wan_transformer_load(dir, c->p->device, &m, e))
        return -1;
    if (wan_transformer_prepare(m, &real, (int)text->shape[0], &words, e) == 0)
        rc = wan_transformer_forward(m, words, latents, timestep, out, e);
    wan_conditioning_free(words);
    wan_transformer_free(m);
    return rc;
}

static int check_expert(struct chain *c, const char *expert, struct error *e)
{
    struct golden *g = &c->p->golden;
    struct report *r = &c->p->report;
    struct tensor latents, timestep, text, out;
    char name[64];

    snprintf(name, sizeof name, "%s.call0.in.hidden_states", expert);
    if (!golden_get(g, r, name, 4, &latents))
        return 0;
    snprintf(name, sizeof name, "%s.call0.in.encoder_hidden_states", expert);
    if (!golden_get(g, r, name, 2, &text))
        return 0;
    snprintf(name, sizeof name, "%s.call0.in.timestep", expert);
    if (!golden_get(g, r, name, 1, &timestep))
        return 0;
    out = tensor_new(&c->arena, 4, latents.shape);
    if (!out.data)
        return error_memory(e);
    if (call_expert(c, expert, &text, &latents, *(float *)timestep.data, &out, e))
        return -1;
    snprintf(name, sizeof name, "%s.call0.out", expert);
    golden_check(g, r, name, name, out.data, tensor_count(&out), PARITY_MODULE);
    return 0;
}

static int check_experts(struct chain *c, struct error *e)
{
    double boundary = 0; /* between two experts; 0: there is one */

    if (json_get_number(c->p->golden.json, c->p->golden.path, "boundary_ratio", 0, 1, &boundary,
                        e) ||
        check_expert(c, "transformer", e))
        return -1;
    return boundary > 0 ? check_expert(c, "transformer_2", e) : 0;
}

int parity_wan(struct parity *p, struct error *e)
{
    struct chain c;
    int rc =
        chain_open(&c, p, &family_wan, e) || chain_check_tokens(&c, "tokenizer", "umt5", 0, e) ||
                chain_check_noise(&c, e) || chain_check_conditions(&c, e) || check_experts(&c, e) ||
                chain_check_decoder(&c, e) || chain_check_sampling(&c, e)
            ? -1
            : 0;

    chain_close(&c);
    return rc;
}
