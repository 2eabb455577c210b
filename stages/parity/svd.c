/* Stable Video Diffusion: CLIP vision, VAE, spatio-temporal UNet, Euler, temporal decoder. */
#include <stdlib.h>

#include "kernels/base/file.h"
#include "stages/decode/picture_file.h"
#include "stages/generate/svd.h"
#include "stages/parity/chain.h"

/* What only this family is asked, and its picture, which lies beside the golden or in the
 * checkpoint. */
static int read_settings(struct chain *c, uint8_t **rgb, struct error *e)
{
    const json_t *json = c->p->golden.json;
    const char *path = c->p->golden.path, *image = NULL, *file;
    struct generation *g = &c->g;

    g->guidance = 3;
    g->guidance_2 = 1;
    g->fps = 7;
    g->motion_bucket = 127;
    g->noise_strength = 0.02;
    if (json_get_string(json, path, "image", &image, e) ||
        json_get_number(json, path, "max_guidance", 0, 1000, &g->guidance, e) ||
        json_get_number(json, path, "min_guidance", 0, 1000, &g->guidance_2, e) ||
        json_get_number(json, path, "fps", 1, 1000, &g->fps, e) ||
        json_get_int(json, path, "motion_bucket_id", 0, 1 << 16, &g->motion_bucket, e) ||
        json_get_number(json, path, "noise_aug_strength", 0, 1000, &g->noise_strength, e))
        return -1;
    file = path_join(&c->arena, c->p->dir, image);
    if (!file)
        return error_memory(e);
    if (picture_file_rgb(file, file, rgb, &g->picture.width, &g->picture.height, e))
        return -1;
    g->picture.rgb = *rgb;
    return 0;
}

/* The golden has it channel by channel. */
static int check_picture(struct chain *c, struct error *e)
{
    struct golden *g = &c->p->golden;
    struct tensor mixed = TENSOR_NEW(&c->arena, c->g.height, c->g.width, 3);
    struct tensor planar = TENSOR_NEW(&c->arena, 3, c->g.height, c->g.width);
    int64_t area = (int64_t)c->g.height * c->g.width;

    if (!mixed.data || !planar.data)
        return error_memory(e);
    if (svd_conditioning_picture(&c->g, &mixed, e))
        return -1;
    for (int64_t i = 0; i < 3 * area; i++)
        ((float *)planar.data)[i % 3 * area + i / 3] = ((float *)mixed.data)[i];
    golden_check(g, &c->p->report, "conditioning_image", "conditioning_image", planar.data,
                 tensor_count(&planar), PARITY_NOISE);
    return 0;
}

/* One row of them for each item of the batch. */
static void check_time_ids(struct chain *c)
{
    static const char name[] = "unet.call0.in.added_time_ids";
    float ids[2 * SVD_TIME_IDS];

    if (!safetensors_find(c->p->golden.tensors, name))
        return;
    svd_time_ids(&c->g, ids);
    svd_time_ids(&c->g, ids + SVD_TIME_IDS);
    golden_check(&c->p->golden, &c->p->report, name, "added_time_ids", ids,
                 (svd_is_guided(&c->g) ? 2 : 1) * SVD_TIME_IDS, PARITY_NOISE);
}

/* What a shot asks, made into what the model is given. */
static int check_inputs(struct chain *c, struct error *e)
{
    check_time_ids(c);
    return check_picture(c, e) || chain_check_conditions(c, e) ? -1 : 0;
}

int parity_svd(struct parity *p, struct error *e)
{
    struct chain c;
    uint8_t *rgb = NULL;
    int rc = chain_open(&c, p, &family_svd, e) || read_settings(&c, &rgb, e) ||
                     chain_check_noise(&c, e) || check_inputs(&c, e) ||
                     parity_unet_spatio_temporal(p, e) || chain_check_decoder(&c, e) ||
                     chain_check_sampling(&c, e)
                 ? -1
                 : 0;

    chain_close(&c);
    free(rgb);
    return rc;
}
