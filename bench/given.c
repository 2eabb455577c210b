#include "bench/given.h"

#include <string.h>

#include "bench/synthetic.h"

static const struct wanted {
    const char *family, *name;
    int rank;
    int64_t shape[4]; /* -1, -2: height and width of latents; -3: 2 with guidance, else 1 */
} conditions_wanted[] = {
    {"wan", "prompt_embeds", 2, {512, 4096}},
    {"wan", "negative_prompt_embeds", 2, {512, 4096}},
    {"hunyuan_video", "prompt_embeds", 2, {77, 4096}},
    {"hunyuan_video", "prompt_attention_mask", 1, {77}},
    {"hunyuan_video", "pooled_prompt_embeds", 1, {768}},
    {"cogvideox", "prompt_embeds", 2, {226, 4096}},
    {"cogvideox", "negative_prompt_embeds", 2, {226, 4096}},
    {"sdxl", "prompt_embeds", 2, {77, 2048}},
    {"sdxl", "negative_prompt_embeds", 2, {77, 2048}},
    {"sdxl", "pooled_prompt_embeds", 2, {1, 1280}},
    {"sdxl", "negative_pooled_prompt_embeds", 2, {1, 1280}},
    {"svd", "image_embeddings", 3, {-3, 1, 1024}},
    {"svd", "image_latents", 4, {-3, 4, -1, -2}},
};

int given_conditions(const struct family *f, const struct generation *g, struct conditions *c,
                     struct error *e)
{
    for (size_t i = 0; i < sizeof conditions_wanted / sizeof *conditions_wanted; i++) {
        const struct wanted *w = &conditions_wanted[i];
        int64_t shape[4];
        struct tensor *t;
        if (strcmp(w->family, f->name) != 0)
            continue;
        for (int k = 0; k < w->rank; k++)
            shape[k] = w->shape[k] == -1   ? g->height / 8
                       : w->shape[k] == -2 ? g->width / 8
                       : w->shape[k] == -3 ? 1 + (g->guidance > 1)
                                           : w->shape[k];
        t = conditions_add(c, w->name, w->rank, shape);
        if (!t || !t->data)
            return error_memory(e);
        synthetic_normal(t->data, tensor_count(t), i + 1, 1);
        if (strstr(w->name, "mask"))
            for (int64_t k = 0; k < tensor_count(t); k++)
                ((float *)t->data)[k] = 1;
    }
    return 0;
}

int given_latents(const struct family *f, const struct generation *g, struct arena *a,
                  struct tensor *out, struct error *e)
{
    bool frames_first = strcmp(f->name, "cogvideox") == 0 || strcmp(f->name, "svd") == 0;
    int64_t channels = strcmp(f->name, "sdxl") == 0 || strcmp(f->name, "svd") == 0 ? 4 : 16;
    int64_t frames = channels == 4 ? g->frames : (g->frames - 1) / 4 + 1;
    int64_t shape[4] = {frames_first ? frames : channels, frames_first ? channels : frames,
                        g->height / 8, g->width / 8};

    *out = tensor_new(a, 4, shape);
    if (!out->data)
        return error_memory(e);
    synthetic_normal(out->data, tensor_count(out), 1, 1);
    return 0;
}
