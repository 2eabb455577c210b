#include "stages/models/layout.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/base/file.h"
#include "kernels/base/json.h"
#include "kernels/safetensors.h"
#include "kernels/weight_file.h"
#include "stages/models/published.h"

#define COGVIDEOX REPOSITORY_COGVIDEOX_5B " or " REPOSITORY_COGVIDEOX_2B
#define WAN_2_1   REPOSITORY_WAN_2_1 " or " REPOSITORY_WAN_2_1_1_3B
#define WAN       WAN_2_1 ", or of Wan 2.2 " REPOSITORY_WAN_2_2

/* By what lies in the folder; the first that fits. */
static const struct layout {
    const char *signs[6]; /* paths from the folder, each part a pattern; any one will do */
    const char *what;
    const char *published; /* repositories of the same model in the layout that is read */
} layouts[] = {
    {{"hunyuan-video-t2v-720p/transformers/*", "transformers/mp_rank_*", "hunyuan-video-t2v-720p"},
     "HunyuanVideo in its original layout",
     REPOSITORY_HUNYUAN},
    {{"hunyuan-video-i2v-720p"}, "HunyuanVideo-I2V in its original layout", REPOSITORY_HUNYUAN},
    {{"high_noise_model", "low_noise_model"},
     "Wan 2.2 A14B in its original layout, whose text encoder and VAE are pickles",
     REPOSITORY_WAN_2_2},
    {{"models_t5_umt5-xxl-enc-bf16.pth", "Wan2.1_VAE.pth", "Wan2.2_VAE.pth"},
     "Wan in its original layout",
     WAN},
    {{"transformer/1/mp_rank_*", "1/mp_rank_*", "transformer/latest", "vae/3d-vae.pt", "3d-vae.pt"},
     "CogVideoX in its original (SAT) layout",
     COGVIDEOX},
    {{"split_files/diffusion_models", "diffusion_models", "split_files"},
     "a repackaging for ComfyUI",
     REPOSITORY_HUNYUAN ", " REPOSITORY_WAN_2_2 ", " COGVIDEOX},
};

/* By the names of the tensors in a single file. */
static const struct {
    const char *part; /* of a tensor's name */
    const char *what, *published;
} single_files[] = {
    {"individual_token_refiner.", "HunyuanVideo's transformer in one file", REPOSITORY_HUNYUAN},
    {"model.diffusion_model.input_blocks.1.0.time_stack.", "SVD in one file", REPOSITORY_SVD_XT},
    {"conditioner.embedders.1.model.", "SDXL in one file", REPOSITORY_SDXL},
    {"cond_stage_model.", "Stable Diffusion 1 or 2 in one file, which no tier uses",
     REPOSITORY_SDXL},
    {"blocks.0.self_attn.q.", "Wan's transformer under its original names",
     REPOSITORY_WAN_2_2 ", " WAN_2_1},
    {"model.diffusion_model.", "a model in one file", REPOSITORY_SDXL " or " REPOSITORY_SVD_XT},
};

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The first path below `dir` that fits the pattern, from there; NULL: none. */
static const char *find(const char *dir, const char *pattern, struct arena *a)
{
    size_t length = strcspn(pattern, "/");
    const char *rest = pattern[length] ? pattern + length + 1 : NULL;
    const char *name = arena_strndup(a, pattern, length), *found = NULL;
    DIR *d = name ? opendir(dir) : NULL;
    const struct dirent *entry;

    while (d && !found && (entry = readdir(d))) {
        if (fnmatch(name, entry->d_name, FNM_PERIOD) != 0)
            continue;
        const char *path = rest ? path_join(a, dir, entry->d_name) : NULL;
        const char *below = path ? find(path, rest, a) : NULL;
        if (!rest)
            found = arena_strdup(a, entry->d_name);
        else if (below)
            found = path_join(a, entry->d_name, below);
    }
    if (d)
        closedir(d);
    return found;
}

static const char *explain_model(const char *what, const char *sign, const char *published,
                                 struct arena *a)
{
    const char *why = weight_file_is_pickle(sign)
                          ? " is a pickle, which is a program and never read"
                          : " is there";
    return arena_printf(a,
                        "%s (%s%s); what is read is the diffusers layout, with a model_index.json: "
                        "download %s",
                        what, sign, why, published);
}

static const char *by_names(const char *dir, struct arena *a)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        for (size_t k = 0; k < sizeof layouts->signs / sizeof *layouts->signs; k++) {
            const char *sign = layouts[i].signs[k] ? find(dir, layouts[i].signs[k], a) : NULL;
            if (sign)
                return explain_model(layouts[i].what, sign, layouts[i].published, a);
        }
    return NULL;
}

static bool has_tensor(const struct safetensors *s, const char *part)
{
    for (size_t i = 0; i < safetensors_count(s); i++)
        if (strstr(safetensors_name(s, i), part))
            return true;
    return false;
}

static const char *by_tensors(const char *path, struct arena *a)
{
    const char *slash = strrchr(path, '/'), *explained = NULL;
    struct safetensors *s = NULL;
    struct error ignored;

    if (safetensors_open(path, &s, &ignored) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof single_files / sizeof *single_files && !explained; i++)
        if (has_tensor(s, single_files[i].part))
            explained = explain_model(single_files[i].what, slash ? slash + 1 : path,
                                      single_files[i].published, a);
    safetensors_close(s);
    return explained;
}

/* One component of a checkpoint, or Wan 2.1's transformer, which lies at the top. */
static const char *by_config(const char *dir, struct arena *a)
{
    const char *path = path_join(a, dir, "config.json"), *class = "", *explained = NULL;
    struct error ignored;
    json_t *root = NULL;

    if (!path || json_read(path, &root, &ignored) != 0 ||
        json_get_string(root, path, "_class_name", &class, &ignored) != 0)
        class = "";
    if (strcmp(class, "WanModel") == 0)
        explained =
            explain_model("Wan in its original layout", "config.json of a WanModel", WAN, a);
    else if (*class)
        explained = arena_printf(a,
                                 "one component of a checkpoint (%.80s): name the folder that it "
                                 "lies in, the one with model_index.json",
                                 class);
    json_decref(root);
    return explained;
}

static const char *by_kind(const char *dir, struct arena *a)
{
    static const char *const kinds[] = {"*.ckpt", "*.gguf", "*.pth", "*.pt", "*.bin"};
    const char *found = find(dir, "snapshots/*/model_index.json", a);

    if (found)
        return arena_printf(a,
                            "a cache of downloads: name the folder of the checkpoint in it, %.*s",
                            (int)(strrchr(found, '/') - found), found);
    found = find(dir, "*/model_index.json", a);
    if (found)
        return arena_printf(a, "no checkpoint, but a folder in it is: name that one, %.*s",
                            (int)(strrchr(found, '/') - found), found);
    found = find(dir, "*/config.json", a);
    if (found)
        return arena_printf(a,
                            "part of a checkpoint (%s is there): its model_index.json is missing; "
                            "download it from the same repository",
                            found);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((found = find(dir, kinds[i], a)))
            return arena_printf(a,
                                "a folder with %s: pickles are programs and never read, and so are "
                                "GGUF files; download the model's repository in the diffusers "
                                "layout (auteur-pipe models lists them)",
                                found);
    return NULL;
}

static const char *explain_folder(const char *dir, struct arena *a)
{
    enum { SINGLE_FILES_MAX = 16 };
    const char *explained = by_names(dir, a);
    DIR *d = explained ? NULL : opendir(dir);
    const struct dirent *entry;
    int files = 0;

    while (d && !explained && files < SINGLE_FILES_MAX && (entry = readdir(d))) {
        const char *path = path_join(a, dir, entry->d_name);
        if (!path || fnmatch("*.safetensors", entry->d_name, FNM_PERIOD) != 0)
            continue;
        files++;
        explained = by_tensors(path, a);
    }
    if (d)
        closedir(d);
    if (!explained)
        explained = by_config(dir, a);
    return explained ? explained : by_kind(dir, a);
}

const char *layout_explain(const char *path, struct arena *a)
{
    const char *slash = strrchr(path, '/');

    if (is_directory(path))
        return explain_folder(path, a);
    if (!path_exists(path))
        return NULL;
    const char *explained = by_tensors(path, a);
    return explained ? explained
                     : arena_printf(a,
                                    "a file (%s), and a checkpoint is a folder: the repository "
                                    "of the model in the diffusers layout (auteur-pipe models "
                                    "lists them)",
                                    slash ? slash + 1 : path);
}
