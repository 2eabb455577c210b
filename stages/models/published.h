/* Where the tiers' models are published in the layout that is read here: repositories of the hub
 * that the reference library loads from by the same names. */
#ifndef AUTEUR_STAGES_MODELS_PUBLISHED_H
#define AUTEUR_STAGES_MODELS_PUBLISHED_H

#define REPOSITORY_SDXL         "stabilityai/stable-diffusion-xl-base-1.0"
#define REPOSITORY_SVD_XT       "stabilityai/stable-video-diffusion-img2vid-xt"
#define REPOSITORY_HUNYUAN      "hunyuanvideo-community/HunyuanVideo"
#define REPOSITORY_COGVIDEOX_5B "THUDM/CogVideoX-5b"
#define REPOSITORY_COGVIDEOX_2B "THUDM/CogVideoX-2b"
#define REPOSITORY_WAN_2_2      "Wan-AI/Wan2.2-T2V-A14B-Diffusers"
#define REPOSITORY_WAN_2_1      "Wan-AI/Wan2.1-T2V-14B-Diffusers"
#define REPOSITORY_WAN_2_1_1_3B "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"

struct published {
    const char *tier;
    const char *folder; /* in the tier's folder; "": the folder itself */
    const char *repository;
    const char *or_else; /* another repository that the tier takes; NULL: none */
    const char *outline; /* folder in PUBLISHED_OUTLINES that tells of the first */
};

/* In the program's data: what the checkpoints hold, without their numbers: configs, and a table of
 * the tensors of each component (kernels/outline.h). Tables of transformers, UNets and VAEs are the
 * reference library's own models' lists; those of text and image encoders, and the configs, were
 * written by hand and not compared with a download. The tokenizers are the tests' small ones: they
 * decide how many tokens a text has, and no more. */
#define PUBLISHED_OUTLINES "published"

/* NULL: nothing is published for that tier and folder. */
const struct published *published_find(const char *tier, const char *folder);

extern const struct published published_all[];
extern const int published_count;

#endif
