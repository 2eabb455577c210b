/* A VAE that is open on a device of its own, and what is done when memory runs out while it works:
 * fewer frames at once, then smaller tiles, then a clear error (stages/ladder.h). Its weights are
 * small and stay on the device. */
#ifndef AUTEUR_STAGES_VAE_SESSION_H
#define AUTEUR_STAGES_VAE_SESSION_H

#include "stages/decode/tiling.h"
#include "stages/ladder.h"

/* Zeroed: not open. */
struct vae_session {
    const struct family *family;
    struct device *device;
    void *vae;
    struct vae_limits limits;
    struct ladder ladder;
    int cuts; /* how often vae and limits were made smaller */
};

/* dir: of the checkpoint; name: of the tier, for people. */
int vae_session_open(struct vae_session *s, const struct stage_env *env,
                     const struct family *family, const char *dir, const char *name,
                     struct error *e);
void vae_session_close(struct vae_session *s); /* half open and zeroed ones too */

/* tiling_decode() in the pieces that are known to be needed. */
int vae_session_decode(struct vae_session *s, const struct tensor *latents, family_frame_fn *frame,
                       void *ctx, struct error *e);
/* After it: whether memory ran out and smaller pieces may do, which the user has been told; all
 * pictures come again then. false: *e is the last word. */
bool vae_session_again(struct vae_session *s, const struct tensor *latents, struct error *e);

#endif
