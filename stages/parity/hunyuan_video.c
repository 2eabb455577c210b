/* HunyuanVideo: LLaMA and CLIP, one transformer with its guidance inside, flow-match Euler, causal
 * VAE. */
#include <string.h>

#include "kernels/base/file.h"
#include "stages/generate/hunyuan_text.h"
#include "stages/generate/hunyuan_transformer.h"
#include "stages/parity/chain.h"

enum { CLIP_LENGTH = 77, CALLS_MAX = 16 };

/* ---- the instruction around the prompt */

static int check_template(struct chain *c, struct error *e)
{
    const json_t *json = c->p->golden.json;
    const char *path = c->p->golden.path, *template = NULL;
    struct hunyuan_text *t;
    int crop = -1, ours;
    char what[64];

    if (json_get_string(json, path, "template", &template, e) ||
        json_get_int(json, path, "crop_start", -1, 4096, &crop, e) ||
        hunyuan_text_open(c->p->dir, NULL, &t, e))
        return -1;
    ours = hunyuan_text_crop(t);
    hunyuan_text_close(t);
    report_fact(&c->p->report, "template",
                strcmp(template, HUNYUAN_TEMPLATE_HEAD "{}" HUNYUAN_TEMPLATE_TAIL) == 0, "");
    snprintf(what, sizeof what, "%d, ours %d", crop, ours);
    report_fact(&c->p->report, "crop_start", ours == crop, what);
    return 0;
}

/* ---- single calls of the transformer */

static bool get_input(struct chain *c, int call, const char *name, int rank, struct tensor *out)
{
    char full[96];

    snprintf(full, sizeof full, "transformer.call%d.in.%s", call, name);
    return golden_get(&c->p->golden, &c->p->report, full, rank, out);
}

static int check_call(struct chain *c, struct hunyuan_transformer *m, int call, struct error *e)
{
    struct tensor latents, timestep, text, mask, pooled, guidance, out;
    struct hunyuan_conditioning *prompt;
    int64_t words = 0;
    char name[64];
    int rc;

    if (!get_input(c, call, "hidden_states", 4, &latents) ||
        !get_input(c, call, "timestep", 1, &timestep) ||
        !get_input(c, call, "encoder_hidden_states", 2, &text) ||
        !get_input(c, call, "encoder_attention_mask", 1, &mask) ||
        !get_input(c, call, "pooled_projections", 1, &pooled) ||
        !get_input(c, call, "guidance", 1, &guidance))
        return 0;
    while (words < text.shape[0] && words < mask.shape[0] && ((float *)mask.data)[words] != 0)
        words++;
    text = tensor_slice(text, 0, 0, words);
    out = tensor_new(&c->arena, 4, latents.shape);
    if (!out.data)
        return error_memory(e);
    if (hunyuan_transformer_prepare(m, &text, &pooled, *(float *)guidance.data / 1000, &prompt, e))
        return -1;
    rc = hunyuan_transformer_forward(m, prompt, &latents, *(float *)timestep.data, &out, e);
    hunyuan_conditioning_free(prompt);
    snprintf(name, sizeof name, "transformer.call%d.out", call);
    if (rc == 0)
        golden_check(&c->p->golden, &c->p->report, name, name, out.data, tensor_count(&out),
                     PARITY_DENOISER);
    return rc;
}

static int check_calls(struct chain *c, struct error *e)
{
    const char *dir = path_join(&c->arena, c->p->dir, "transformer");
    struct hunyuan_transformer *m;
    char name[64];
    int rc, call = 0;

    if (!dir)
        return error_memory(e);
    if (hunyuan_transformer_load(dir, c->p->device, &m, e))
        return -1;
    do {
        rc = check_call(c, m, call++, e);
        snprintf(name, sizeof name, "transformer.call%d.out", call);
    } while (rc == 0 && call < CALLS_MAX && safetensors_find(c->p->golden.tensors, name));
    hunyuan_transformer_free(m);
    return rc;
}

int parity_hunyuan_video(struct parity *p, struct error *e)
{
    struct chain c;
    int rc = chain_open(&c, p, &family_hunyuan_video, e) ||
                     chain_check_tokens(&c, "tokenizer", "llama", 0, e) ||
                     chain_check_tokens(&c, "tokenizer_2", "clip", CLIP_LENGTH, e) ||
                     chain_check_noise(&c, e) || check_template(&c, e) ||
                     chain_check_conditions(&c, e) || check_calls(&c, e) ||
                     chain_check_decoder(&c, e) || chain_check_sampling(&c, e)
                 ? -1
                 : 0;

    chain_close(&c);
    return rc;
}
