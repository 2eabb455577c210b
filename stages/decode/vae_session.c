#include "stages/decode/vae_session.h"

#include "stages/decode/rehearsal.h"

int vae_session_open(struct vae_session *s, const struct stage_env *env,
                     const struct family *family, const char *dir, const char *name,
                     struct error *e)
{
    struct device_options options = env->device;

    *s = (struct vae_session){.family = family, .limits = env->vae};
    options.activations = family->gpu.vae;
    if (device_open(&options, &s->device, e) != 0 ||
        rehearsal_open(family, dir, s->device, &s->limits.rehearsal, e) != 0)
        return -1;
    ladder_begin(&s->ladder, env, s->device, false, "VAE of %s", name);
    if (family->vae_open(dir, s->device, &s->vae, e) != 0) {
        s->vae = NULL;
        ladder_cut(&s->ladder, s->device, 0, e);
        return -1;
    }
    if (!s->limits.memory)
        s->limits.memory = tiling_budget(s->device);
    return 0;
}

void vae_session_close(struct vae_session *s)
{
    if (s->family)
        s->family->vae_close(s->vae);
    device_close(s->device);
    rehearsal_close(s->limits.rehearsal);
    *s = (struct vae_session){0};
}

/* One rung down. */
static bool make_smaller(struct vae_session *s, const int64_t shape[4])
{
    bool can = tiling_smaller(s->family, s->vae, s->device, shape, &s->limits);

    s->cuts += can;
    return can;
}

int vae_session_decode(struct vae_session *s, const struct tensor *latents, family_frame_fn *frame,
                       void *ctx, struct error *e)
{
    while (s->cuts < s->ladder.cuts && make_smaller(s, latents->shape))
        ;
    if (tiling_decode(s->family, s->vae, s->device, &s->limits, latents, frame, ctx, e) != 0)
        return -1;
    ladder_done(&s->ladder, s->device);
    return 0;
}

/* What there was when it was refused: a limit above it would change nothing. */
static size_t could_be_had(const struct device *d)
{
    struct memory_refusal r = device_refusal(d);

    if (!r.wanted)
        return SIZE_MAX;
    return r.held + (r.free_bytes < r.wanted ? r.free_bytes : r.wanted);
}

bool vae_session_again(struct vae_session *s, const struct tensor *latents, struct error *e)
{
    int before = s->cuts;
    size_t limit;
    bool less;

    if (e->code != ERROR_MEMORY)
        return false;
    do {
        limit = s->limits.memory;
        less = make_smaller(s, latents->shape);
    } while (less && s->limits.memory < limit && s->limits.memory > could_be_had(s->device));
    return ladder_cut(&s->ladder, s->device, s->cuts - before, e);
}
