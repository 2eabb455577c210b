/* The recorded calls of SDXL's and SVD's UNets. */
#include "stages/generate/unet_2d.h"
#include "stages/generate/unet_spatio_temporal.h"

#include "kernels/base/file.h"
#include "stages/parity/families.h"

enum { CALLS_MAX = 16 };

/* What a call was given. */
struct call {
    struct tensor sample, timestep, context, pooled, time_ids, out;
    char name[48]; /* of what came out */
};

static bool get(struct parity *p, int call, const char *what, int rank, struct tensor *out)
{
    char name[96];

    snprintf(name, sizeof name, "unet.call%d.in.%s", call, what);
    return golden_get(&p->golden, &p->report, name, rank, out);
}

static bool recorded(const struct parity *p, int call, struct call *c)
{
    snprintf(c->name, sizeof c->name, "unet.call%d.out", call);
    return safetensors_find(p->golden.tensors, c->name) != NULL;
}

/* rank: of the latents. Whether they, the timestep and the context are there. */
static bool get_common(struct parity *p, int call, int rank, struct call *c)
{
    return get(p, call, "0", rank, &c->sample) && get(p, call, "1", 0, &c->timestep) &&
           get(p, call, "encoder_hidden_states", 3, &c->context);
}

/* Room for the result, like the sample but for the channels at `axis`. */
static int make_out(struct parity *p, struct call *c, int axis, int64_t channels, struct error *e)
{
    int64_t shape[TENSOR_MAX_RANK];

    for (int i = 0; i < c->sample.rank; i++)
        shape[i] = i == axis ? channels : c->sample.shape[i];
    c->out = tensor_new(&p->golden.arena, c->sample.rank, shape);
    return c->out.data ? 0 : error_memory(e);
}

static void compare(struct parity *p, const struct call *c)
{
    golden_check(&p->golden, &p->report, c->name, c->name, c->out.data, tensor_count(&c->out),
                 PARITY_DENOISER);
}

static int call_2d(struct parity *p, struct unet_2d *m, int call, struct call *c, struct error *e)
{
    float timestep;
    struct unet_context *context = NULL;
    int rc;

    if (!get_common(p, call, 4, c) ||
        !get(p, call, "added_cond_kwargs.text_embeds", 2, &c->pooled) ||
        !get(p, call, "added_cond_kwargs.time_ids", 2, &c->time_ids))
        return 0;
    timestep = *(float *)c->timestep.data;
    if (make_out(p, c, 1, unet_2d_channels(m), e) ||
        unet_2d_prepare(m, &c->context, &c->pooled, &c->time_ids, &context, e))
        return -1;
    rc = unet_2d_forward(m, context, &c->sample, timestep, &c->out, e);
    unet_context_free(context);
    if (rc == 0)
        compare(p, c);
    return rc;
}

static int call_clip(struct parity *p, struct unet_spatio_temporal *m, int call, struct call *c,
                     struct error *e)
{
    float timestep;
    struct unet_context *context = NULL;
    int rc;

    if (!get_common(p, call, 5, c) || !get(p, call, "added_time_ids", 2, &c->time_ids))
        return 0;
    timestep = *(float *)c->timestep.data;
    if (make_out(p, c, 2, unet_spatio_temporal_out_channels(m), e) ||
        unet_spatio_temporal_prepare(m, &c->context, &c->time_ids, c->sample.shape[1], &context, e))
        return -1;
    rc = unet_spatio_temporal_forward(m, context, &c->sample, timestep, &c->out, e);
    unet_context_free(context);
    if (rc == 0)
        compare(p, c);
    return rc;
}

int parity_unet_2d(struct parity *p, struct error *e)
{
    const char *path = path_join(&p->golden.arena, p->dir, "unet");
    struct unet_2d *m = NULL;
    struct call c = {0};
    int rc;

    if (!path)
        return error_memory(e);
    rc = unet_2d_load(path, p->device, &m, e);
    for (int i = 0; rc == 0 && i < CALLS_MAX && recorded(p, i, &c); i++)
        rc = call_2d(p, m, i, &c, e);
    unet_2d_free(m);
    return rc;
}

int parity_unet_spatio_temporal(struct parity *p, struct error *e)
{
    const char *path = path_join(&p->golden.arena, p->dir, "unet");
    struct unet_spatio_temporal *m = NULL;
    struct call c = {0};
    int rc;

    if (!path)
        return error_memory(e);
    rc = unet_spatio_temporal_load(path, p->device, &m, e);
    for (int i = 0; rc == 0 && i < CALLS_MAX && recorded(p, i, &c); i++)
        rc = call_clip(p, m, i, &c, e);
    unet_spatio_temporal_free(m);
    return rc;
}
