/* Reading a published scheduler_config.json: what is not named there has the published default. */
#include <string.h>

#include "kernels/base/json.h"
#include "stages/generate/unipc.h"

/* Settings that have one value here, and the value that a file without them means. */
static const struct {
    const char *name, *wanted, *absent;
} fixed_words[] = {
    {"_class_name", "UniPCMultistepScheduler", ""},
    {"prediction_type", "flow_prediction", "epsilon"},
    {"solver_type", "bh2", "bh2"},
    {"final_sigmas_type", "zero", "zero"},
};
static const struct {
    const char *name;
    bool wanted, absent;
} fixed_flags[] = {
    {"use_flow_sigmas", true, false},         {"predict_x0", true, true},
    {"lower_order_final", true, true},        {"thresholding", false, false},
    {"use_karras_sigmas", false, false},      {"use_exponential_sigmas", false, false},
    {"use_beta_sigmas", false, false},        {"use_dynamic_shifting", false, false},
    {"rescale_betas_zero_snr", false, false},
};
/* Settings that must be absent, null or empty. */
static const char *const unset[] = {"solver_p", "shift_terminal", "disable_corrector"};

static int check_fixed(const char *path, const json_t *root, struct error *e)
{
    for (size_t i = 0; i < sizeof fixed_words / sizeof *fixed_words; i++) {
        const char *name = fixed_words[i].name, *word = fixed_words[i].absent;
        if (json_get_string(root, path, name, &word, e) != 0)
            return -1;
        if (strcmp(word, fixed_words[i].wanted) != 0)
            return error_set(e, ERROR_MODEL, "%s: %s is %s: only %s is supported", path, name,
                             *word ? word : "missing", fixed_words[i].wanted);
    }
    for (size_t i = 0; i < sizeof fixed_flags / sizeof *fixed_flags; i++) {
        bool flag = fixed_flags[i].absent;
        if (json_get_bool(root, path, fixed_flags[i].name, &flag, e) != 0)
            return -1;
        if (flag != fixed_flags[i].wanted)
            return error_set(e, ERROR_MODEL, "%s: only %s: %s is supported", path,
                             fixed_flags[i].name, fixed_flags[i].wanted ? "true" : "false");
    }
    for (size_t i = 0; i < sizeof unset / sizeof *unset; i++) {
        const json_t *value = json_object_get(root, unset[i]);
        bool empty_list = json_is_array(value) && json_array_size(value) == 0;
        if (value && !json_is_null(value) && !empty_list)
            return error_set(e, ERROR_MODEL, "%s: %s is not supported", path, unset[i]);
    }
    return 0;
}

static int read_root(const char *path, const json_t *root, struct unipc_config *out,
                     struct error *e)
{
    struct unipc_config c = {.train_timesteps = 1000, .order = 2, .flow_shift = 1};
    if (check_fixed(path, root, e) != 0 ||
        json_get_int(root, path, "num_train_timesteps", 2, 1000000, &c.train_timesteps, e) != 0 ||
        json_get_int(root, path, "solver_order", 1, 2, &c.order, e) != 0 ||
        json_get_number(root, path, "flow_shift", 1e-3, 1e3, &c.flow_shift, e) != 0)
        return -1;
    *out = c;
    return 0;
}

int unipc_config_read(const char *path, struct unipc_config *out, struct error *e)
{
    json_t *root;
    if (json_read(path, &root, e) != 0)
        return -1;
    int rc = read_root(path, root, out, e);
    json_decref(root);
    return rc;
}
