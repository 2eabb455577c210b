/* CogVideoX: single calls of its transformer in both forms, and its chain. */
#include "kernels/base/file.h"
#include "stages/generate/cogvideox.h"
#include "stages/generate/cogvideox_transformer.h"
#include "stages/parity/chain.h"

enum { CALLS_MAX = 16 }; /* of the denoiser, in a golden */

/* The golden has each of our values twice. */
static void check_table(struct chain *c, const char *name, const char *label,
                        const struct tensor *ours)
{
    int64_t rows = ours->shape[0], pairs = ours->shape[1];
    struct tensor twice = TENSOR_NEW(&c->arena, rows, 2 * pairs);

    if (!twice.data) {
        report_fact(&c->p->report, label, false, "out of memory");
        return;
    }
    for (int64_t i = 0; i < 2 * rows * pairs; i++)
        ((float *)twice.data)[i] = ((const float *)ours->data)[i / 2];
    golden_check(&c->p->golden, &c->p->report, name, label, twice.data, tensor_count(&twice),
                 PARITY_DENOISER);
}

static int check_positions(struct chain *c, const struct cogvideox_transformer *m,
                           const int64_t shape[4], struct error *e)
{
    int64_t tokens = cogvideox_tokens(m, shape);
    struct tensor cosines = TENSOR_NEW(&c->arena, tokens, cogvideox_head_pairs(m));
    struct tensor sines = TENSOR_NEW(&c->arena, tokens, cogvideox_head_pairs(m));

    if (!cosines.data || !sines.data)
        return error_memory(e);
    cogvideox_rotary_tables(m, shape, cosines.data, sines.data);
    check_table(c, "transformer.call0.in.image_rotary_emb.0", "rotary.cos", &cosines);
    check_table(c, "transformer.call0.in.image_rotary_emb.1", "rotary.sin", &sines);
    return 0;
}

/* Item 0 of [items, ...]: the pipeline gives every item the same. */
static struct tensor first_item(const struct tensor *t)
{
    struct tensor one = tensor_slice(*t, 0, 0, 1);
    return tensor_view(one, t->rank - 1, t->shape + 1);
}

static int check_call(struct chain *c, struct cogvideox_transformer *m, int call, struct error *e)
{
    struct golden *g = &c->p->golden;
    struct report *r = &c->p->report;
    struct tensor latents, text, timestep, out, one;
    char in[64], words[64], time[64], name[64];

    snprintf(in, sizeof in, "transformer.call%d.in.hidden_states", call);
    snprintf(words, sizeof words, "transformer.call%d.in.encoder_hidden_states", call);
    snprintf(time, sizeof time, "transformer.call%d.in.timestep", call);
    snprintf(name, sizeof name, "transformer.call%d.out", call);
    if (!golden_get(g, r, in, 5, &latents) || !golden_get(g, r, words, 3, &text) ||
        !golden_get(g, r, time, 1, &timestep))
        return 0;
    if (text.shape[0] != latents.shape[0] || tensor_count(&latents) < 1 ||
        tensor_count(&timestep) < 1)
        return error_set(e, ERROR_MODEL, "%s: the inputs of call %d do not fit each other", g->path,
                         call);
    one = first_item(&latents);
    out = tensor_new(&c->arena, 5, latents.shape);
    if (!out.data)
        return error_memory(e);
    if (call == 0 && cogvideox_transformer_sizes(m)->rotary && check_positions(c, m, one.shape, e))
        return -1;
    if (cogvideox_transformer_prepare(m, &text, one.shape, e) ||
        cogvideox_transformer_forward(m, &one, *(float *)timestep.data, &out, e))
        return -1;
    golden_check(g, r, name, name, out.data, tensor_count(&out), PARITY_DENOISER);
    return 0;
}

static int check_transformer(struct chain *c, struct error *e)
{
    struct cogvideox_transformer *m;
    const char *path = path_join(&c->arena, c->p->dir, "transformer");
    int rc, call = 0;
    char name[64];

    if (!path)
        return error_memory(e);
    if (cogvideox_transformer_load(path, c->p->device, &m, e))
        return -1;
    do {
        rc = check_call(c, m, call++, e);
        snprintf(name, sizeof name, "transformer.call%d.out", call);
    } while (rc == 0 && call < CALLS_MAX && safetensors_find(c->p->golden.tensors, name));
    cogvideox_transformer_free(m);
    return rc;
}

/* The golden may ask for guidance that is not the form's own; and where the number of latent frames
 * is even, the decoder gives more pictures than were asked for. */
static int read_settings(struct chain *c, struct error *e)
{
    const struct golden *g = &c->p->golden;
    const struct tensor *frames = safetensors_find(g->tensors, "vae.frames");
    bool dynamic = false;

    if (json_get_bool(g->json, g->path, "dynamic_cfg", &dynamic, e))
        return -1;
    if (json_object_get(g->json, "dynamic_cfg"))
        c->g.dynamic_guidance = dynamic ? 1 : -1;
    if (frames && frames->rank == 5)
        c->pictures = (int)frames->shape[2];
    return 0;
}

int parity_cogvideox(struct parity *p, struct error *e)
{
    struct chain c;
    int rc = chain_open(&c, p, &family_cogvideox, e) || read_settings(&c, e) ||
                     chain_check_tokens(&c, "tokenizer", "t5", 0, e) || chain_check_noise(&c, e) ||
                     chain_check_conditions(&c, e) || check_transformer(&c, e) ||
                     chain_check_decoder(&c, e) || chain_check_sampling(&c, e)
                 ? -1
                 : 0;

    chain_close(&c);
    return rc;
}
