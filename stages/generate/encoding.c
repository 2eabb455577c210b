#include "stages/generate/encoding.h"

#include <string.h>

#include "kernels/base/file.h"
#include "stages/ladder.h"

void encoding_soon(const struct family *family, const char *dir, bool encoders, struct prefetch *p)
{
    struct arena a = {0};
    for (const char *const *part = family->parts; *part; part++) {
        const char *name = *part + (**part == '?'), *path = path_join(&a, dir, name);
        bool is_denoiser =
            strncmp(name, "transformer", strlen("transformer")) == 0 || strcmp(name, "unet") == 0;
        if (path && strcmp(name, "vae") != 0 && is_denoiser != encoders)
            prefetch_add(p, path);
    }
    arena_free(&a);
}

/* Goes on with shot *done. *again: memory ran out, and it may be tried with less. */
static int encode_some(const struct encoding *x, struct ladder *l, size_t *done,
                       struct prefetch *next, size_t *peak, bool *again, struct error *e)
{
    const struct family *family = x->family;
    struct device_options options = x->group->env->device;
    struct device *d;
    void *encoder = NULL;
    options.activations = family->gpu.encoder;
    *again = false;
    if (device_open(&options, &d, e) != 0)
        return -1;
    if (!l->env)
        ladder_begin(l, x->group->env, d, family->streams, "text encoder of %s", x->name);
    device_set_memory(d, l->memory);
    int rc = family->encoder_open(x->dir, d, &encoder, e);
    if (rc == 0) {
        prefetch_start(next);
        device_note(d, NOTE_PREFETCH, "Prefetch of the Next Stage's Weights Activated.");
    }
    for (; *done < x->count && rc == 0; *done += rc == 0)
        rc = x->group->cancelled(x->group)
                 ? error_set(e, ERROR_CANCELLED, "interrupted while prompts were encoded")
                 : family->encode(encoder, x->shots[*done].generation, x->shots[*done].conditions,
                                  e);
    if (rc != 0 && *done < x->count)
        conditions_free(x->shots[*done].conditions);
    family->encoder_close(encoder);
    if (rc == 0)
        ladder_done(l, d);
    else
        *again = ladder_to_host(l, d, e);
    *peak = device_memory_peak(d);
    device_close(d);
    return rc;
}

int encode_all(const struct encoding *x, size_t *peak, struct error *e)
{
    struct prefetch *denoiser = prefetch_new();
    struct ladder l = {0};
    size_t done = 0;
    bool again;
    int rc;
    encoding_soon(x->family, x->dir, false, denoiser);
    do
        rc = encode_some(x, &l, &done, denoiser, peak, &again, e);
    while (rc != 0 && again);
    prefetch_free(denoiser);
    return rc;
}
