/* Wan 2.1 and 2.2: UMT5, one or two transformers, UniPC, causal VAE. */
#include "stages/generate/t5_text.h"
#include "stages/generate/wan_transformer.h"
#include "stages/parity/chain.h"

enum { CALLS_MAX = 16 }; /* of an expert, in a golden */

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

static bool get_input(struct chain *c, const char *expert, int call, const char *what, int rank,
                      struct tensor *out)
{
    char name[96];

    snprintf(name, sizeof name, "%s.call%d.in.%s", expert, call, what);
    return golden_get(&c->p->golden, &c->p->report, name, rank, out);
}

static int check_call(struct chain *c, const char *expert, int call, const char *name,
                      struct error *e)
{
    struct tensor latents, timestep, text, out;

    if (!get_input(c, expert, call, "hidden_states", 4, &latents) ||
        !get_input(c, expert, call, "encoder_hidden_states", 2, &text) ||
        !get_input(c, expert, call, "timestep", 1, &timestep))
        return 0;
    out = tensor_new(&c->arena, 4, latents.shape);
    if (!out.data)
        return error_memory(e);
    if (call_expert(c, expert, &text, &latents, *(float *)timestep.data, &out, e))
        return -1;
    golden_check(&c->p->golden, &c->p->report, name, name, out.data, tensor_count(&out),
                 PARITY_DENOISER);
    return 0;
}

/* Few steps may all be one expert's; which the chain shows. */
static int check_experts(struct chain *c, struct error *e)
{
    static const char *const experts[] = {"transformer", "transformer_2"};
    struct report *r = &c->p->report;
    char name[64];
    int rc = 0, calls = 0;

    for (int i = 0; i < 2; i++)
        for (int k = 0; rc == 0 && k < CALLS_MAX; k++, calls++) {
            snprintf(name, sizeof name, "%s.call%d.out", experts[i], k);
            if (!safetensors_find(c->p->golden.tensors, name))
                break;
            rc = check_call(c, experts[i], k, name, e);
        }
    if (rc == 0 && calls == 0)
        report_fact(r, "transformer.call0.out", false, "missing in the golden");
    return rc;
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
