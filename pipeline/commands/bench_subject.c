/* The noise that a VAE is timed with. */
#include "pipeline/commands/bench_subject.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/config.h"
#include "stages/generate/torch_random.h"

/* What each family's VAE is asked for when nothing is said. */
static const struct usual {
    const char *family;
    int width, height, frames;
    bool frames_first; /* axes of the latents: [T, C, H, W] */
    int channels, time_factor;
} usuals[] = {{"hunyuan_video", 1280, 720, 17, false, 16, 4},
              {"wan", 832, 480, 81, false, 16, 4},
              {"cogvideox", 720, 480, 49, true, 16, 4},
              {"svd", 1024, 576, 8, true, 4, 1},
              {"sdxl", 1024, 1024, 1, false, 4, 1}};

/* Channels of the latents, as the VAE's config says. */
static int read_channels(const struct bench_subject *j, int *channels, struct error *e)
{
    struct arena a = {0};
    struct config c;
    const char *dir = path_join(&a, j->dir, "vae");
    int rc = dir ? config_open(dir, NULL, &c, e) : error_memory(e);

    if (rc == 0) {
        rc = config_int(&c, "latent_channels", 1, 1024, channels, e) ||
                     config_int(&c, "z_dim", 1, 1024, channels, e)
                 ? -1
                 : 0;
        config_close(&c);
    }
    arena_free(&a);
    return rc;
}

/* A tier with a size of its own within its family is asked for that. */
static const struct usual previs = {"wan", 416, 240, 49, false, 8, 4};

static const struct usual *usual_of(const struct bench_subject *j)
{
    const struct usual *u = usuals;

    if (j->tier && j->tier->embedded)
        return &previs;
    while (u < usuals + sizeof usuals / sizeof *usuals - 1 &&
           strcmp(u->family, j->family->name) != 0)
        u++;
    return u;
}

static int choose_size(struct bench_subject *j, const struct usual *u, int factor, struct error *e)
{
    char rest;

    j->width = u->width;
    j->height = u->height;
    if (j->options->size[0] &&
        (sscanf(j->options->size, "%dx%d%c", &j->width, &j->height, &rest) != 2 || j->width < 64 ||
         j->height < 64 || j->width > 1 << 14 || j->height > 1 << 14 || j->width % factor ||
         j->height % factor))
        return error_set(e, ERROR_USAGE,
                         "--size %s: a size is written WIDTHxHEIGHT, multiples of %d from 64 to "
                         "16384",
                         j->options->size, factor);
    return 0;
}

int bench_latents(struct bench_subject *j, int factor, struct error *e)
{
    const struct usual *u = usual_of(j);
    struct torch_random random;
    int64_t frames, shape[4];
    int channels = u->channels, asked = j->options->frames ? j->options->frames : u->frames;

    if (choose_size(j, u, factor, e) || read_channels(j, &channels, e))
        return -1;
    frames = strcmp(u->family, "sdxl") == 0 ? 1 : (asked + u->time_factor - 2) / u->time_factor + 1;
    shape[0] = u->frames_first ? frames : channels;
    shape[1] = u->frames_first ? channels : frames;
    shape[2] = j->height / factor;
    shape[3] = j->width / factor;
    j->latents = tensor_new(&j->arena, 4, shape);
    if (!j->latents.data)
        return error_memory(e);
    torch_random_seed(&random, 1);
    torch_random_normal(&random, j->latents.data, (size_t)tensor_count(&j->latents));
    return 0;
}
