#include "pipeline/execute/workspace.h"

#include <jansson.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "pipeline/execute/narration.h"
#include "pipeline/paths.h"

/* Ten megabytes of YAML is more than anyone writes by hand or script. */
enum { LONGEST_BOARD = 64 << 20 };

/* A GPU where there is one, unless the command line says which. */
static struct device_options device_of(const struct request *r)
{
    const char *name = r->device, *memory = r->memory ? r->memory : "";
    const char *precision = r->precision ? r->precision : "";

    return (struct device_options){.kind = strcmp(name, "cpu") == 0 ? DEVICE_CPU : DEVICE_CUDA,
                                   .memory = strcmp(memory, "safe") == 0    ? MEMORY_SAFE
                                             : strcmp(memory, "speed") == 0 ? MEMORY_SPEED
                                                                            : MEMORY_AUTO,
                                   .activations = strcmp(precision, "bf16") == 0  ? DTYPE_BF16
                                                  : strcmp(precision, "f16") == 0 ? DTYPE_F16
                                                                                  : DTYPE_F32,
                                   .f32 = strcmp(precision, "f32") == 0,
                                   .linears = strcmp(precision, "fp8") == 0 ? DTYPE_F8_E4M3 : 0,
                                   .patience = r->compile ? PATIENCE_ENOUGH : PATIENCE_SOME,
                                   .threads = paths_cores(),
                                   .or_cpu = strcmp(name, "cuda") != 0};
}

static int surroundings(struct workspace *w, const struct request *r, struct error *e)
{
    const char *models = r->models[0] ? r->models : getenv("AUTEUR_MODELS");

    w->env = (struct stage_env){.board = &w->board,
                                .models_dir = "",
                                .tier = r->tier,
                                .step_cache = r->step_cache ? r->step_cache : "",
                                .step_cache_threshold = r->step_cache_threshold,
                                .preset = r->preset ? r->preset : "",
                                .batch = r->batch,
                                .device = device_of(r),
                                .identify = identify_path};
    if (vae_limits_read(r->vae_memory, r->vae_tile, &w->env.vae, e))
        return -1;
    w->env.vae.frames = r->vae_frames;
    if (models && models[0])
        w->env.models_dir = paths_absolute(&w->arena, models);
    if (!w->env.models_dir)
        return error_memory(e);
    return paths_data_dir(&w->arena, &w->env.data_dir, e);
}

int workspace_board_text(struct workspace *w, const struct request *r, FILE *problems,
                         struct error *e)
{
    struct board_problems found = {0};
    int rc = board_read_bytes(w->board_text, w->board_size, r->board, &w->board, &found, e);

    if (rc == 0)
        rc = narration_settle(&w->board, r->tier, problems ? &found : NULL, e);
    if (rc == 0 && found.errors)
        rc = -1; /* *e is set below, for only then are problems told */
    if (problems)
        board_problems_print(&found, r->board, problems);
    if (rc != 0 && problems && found.errors)
        error_set(e, ERROR_INPUT, "%s: %zu %s to mend; nothing was made", r->board, found.errors,
                  found.errors == 1 ? "mistake" : "mistakes");
    board_problems_free(&found);
    return rc == 0 ? surroundings(w, r, e) : -1;
}

static int read_text(struct workspace *w, const char *path, struct error *e)
{
    if (file_read(path, LONGEST_BOARD, &w->board_text, &w->board_size, e) == 0)
        return 0;
    e->code = ERROR_INPUT;
    return -1;
}

int workspace_board(struct workspace *w, const struct request *r, FILE *problems, struct error *e)
{
    return read_text(w, r->board, e) == 0 ? workspace_board_text(w, r, problems, e) : -1;
}

int workspace_board_copy(struct workspace *w, const struct request *r, struct error *e)
{
    return read_text(w, w->production.board_copy, e) == 0 ? workspace_board_text(w, r, NULL, e)
                                                          : -1;
}

int workspace_journal(struct workspace *w, enum journal_mode mode, struct error *e)
{
    if (mode == JOURNAL_WRITE && dir_make(w->production.journal, e) != 0)
        return -1;
    w->writable = mode == JOURNAL_WRITE;
    return journal_open(w->production.journal, mode, &w->journal, e);
}

int workspace_only(const struct workspace *w, const char *only, struct error *e)
{
    if (!only[0])
        return 0;
    for (size_t i = 0; i < w->board.shot_count; i++)
        if (fnmatch(only, w->board.shots[i].id, 0) == 0)
            return 0;
    return error_set(e, ERROR_USAGE, "--only '%s': no shot of %s has such an id", only,
                     w->board.name);
}

int workspace_step_cache(const struct workspace *w, const struct request *r, struct error *e)
{
    const char *told = r->step_cache ? r->step_cache : "";
    bool on = told[0] && strcmp(told, "off") != 0;

    for (size_t i = 0; !told[0] && !on && i < w->board.shot_count; i++) {
        const char *own = w->board.shots[i].step_cache;

        on = own[0] && strcmp(own, "off") != 0;
    }
    if (on || !(r->step_cache_threshold > 0))
        return 0;
    return error_set(e, ERROR_USAGE,
                     "--step-cache-threshold does nothing without a step cache: name its mode "
                     "with --step-cache first-block or timestep");
}

int workspace_plan(struct workspace *w, const struct request *r, struct error *e)
{
    if (workspace_only(w, r->only, e) != 0)
        return -1;
    w->identify = identify_new(w->journal, w->writable);
    if (!w->identify)
        return error_memory(e);
    w->env.identify_ctx = w->identify;
    w->setup = (struct plan_setup){.stages = stages_all,
                                   .env = &w->env,
                                   .journal = w->journal,
                                   .dir = w->production.dir ? w->production.dir : "/",
                                   .only = r->only};
    return plan_make(&w->plan, &w->setup, e);
}

static const char *text_of(struct workspace *w, const json_t *options, const char *name)
{
    const char *text = json_string_value(json_object_get(options, name));

    return arena_strdup(&w->arena, text ? text : "");
}

int workspace_recall(struct workspace *w, struct request *r, struct error *e)
{
    struct journal_view *view;
    const char *board = NULL, *text = NULL;
    json_t *options = NULL;
    int rc = -1;

    if (journal_view_begin(w->journal, &view, e) != 0)
        return -1;
    if (journal_meta_get(view, "board", &board, e) < 0 ||
        journal_meta_get(view, "options", &text, e) < 0)
        goto done;
    if (!board || !text) {
        error_set(e, ERROR_INPUT,
                  "%s does not say which storyboard it was made from: use "
                  "auteur-pipe run BOARD.yaml -o %s",
                  w->production.dir, w->production.dir);
        goto done;
    }
    options = json_loads(text, 0, NULL);
    *r = (struct request){
        .board = arena_strdup(&w->arena, board),
        .tier = text_of(w, options, "tier"),
        .only = text_of(w, options, "only"),
        .models = text_of(w, options, "models"),
        .device = text_of(w, options, "device"),
        .memory = text_of(w, options, "memory"),
        .vae_memory = text_of(w, options, "vae_memory"),
        .vae_tile = text_of(w, options, "vae_tile"),
        .vae_frames = (int)json_integer_value(json_object_get(options, "vae_frames")),
        .precision = text_of(w, options, "precision"),
        .step_cache = text_of(w, options, "step_cache"),
        .step_cache_threshold = json_number_value(json_object_get(options, "step_cache_threshold")),
        .compile = json_is_true(json_object_get(options, "compile")),
        .preset = text_of(w, options, "preset"),
        .batch = (int)json_integer_value(json_object_get(options, "batch")),
        .jobs = (int)json_integer_value(json_object_get(options, "jobs"))};
    if (!r->board || !r->tier || !r->only || !r->models || !r->device || !r->memory ||
        !r->vae_memory || !r->vae_tile || !r->step_cache || !r->precision || !r->preset)
        error_memory(e);
    else
        rc = 0;
done:
    json_decref(options);
    journal_view_end(view);
    return rc;
}

/* Puts a value unless it already stands there: a run with nothing to do writes nothing. */
static int remember(struct workspace *w, const char *name, const char *value, struct error *e)
{
    struct journal_view *view;
    const char *old = NULL;
    bool same;

    if (journal_view_begin(w->journal, &view, e) != 0)
        return -1;
    if (journal_meta_get(view, name, &old, e) < 0) {
        journal_view_end(view);
        return -1;
    }
    same = old && strcmp(old, value) == 0;
    journal_view_end(view);
    return same ? 0 : journal_meta_put(w->journal, name, value, e);
}

int workspace_owns(struct workspace *w, struct error *e)
{
    struct journal_view *view;
    const char *name = NULL;
    int rc = 0;

    if (journal_view_begin(w->journal, &view, e) != 0)
        return -1;
    if (journal_meta_get(view, "name", &name, e) < 0)
        rc = -1;
    else if (name && strcmp(name, w->board.name) != 0)
        rc = error_set(e, ERROR_USAGE,
                       "%s is the production of the storyboard '%s', not of '%s': choose another "
                       "directory with -o",
                       w->production.dir, name, w->board.name);
    journal_view_end(view);
    return rc;
}

static bool copy_is_current(const struct workspace *w)
{
    char *text = NULL;
    size_t size = 0;
    struct error ignored = {0};
    bool same = file_read(w->production.board_copy, LONGEST_BOARD, &text, &size, &ignored) == 0 &&
                size == w->board_size && memcmp(text, w->board_text, size) == 0;

    free(text);
    return same;
}

int workspace_remember(struct workspace *w, const struct request *r, struct error *e)
{
    json_t *options;
    char *text;
    int rc;

    options =
        json_pack("{ss ss si ss ss ss ss ss ss ss sf sb ss si si}", "vae_memory",
                  r->vae_memory ? r->vae_memory : "", "vae_tile", r->vae_tile ? r->vae_tile : "",
                  "vae_frames", r->vae_frames, "precision", r->precision ? r->precision : "",
                  "tier", r->tier, "only", r->only, "models", r->models[0] ? w->env.models_dir : "",
                  "device", r->device, "memory", r->memory ? r->memory : "auto", "step_cache",
                  w->env.step_cache, "step_cache_threshold", r->step_cache_threshold, "compile",
                  (int)r->compile, "preset", w->env.preset, "batch", r->batch, "jobs", r->jobs);
    text = options ? json_dumps(options, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(options);
    if (!text)
        return error_memory(e);
    rc = remember(w, "name", w->board.name, e);
    if (rc == 0)
        rc = remember(w, "board", w->board.path, e);
    if (rc == 0)
        rc = remember(w, "options", text, e);
    free(text);
    if (rc == 0 && !copy_is_current(w))
        rc = file_write_atomic(w->production.board_copy, w->board_text, w->board_size, e);
    return rc;
}

void workspace_close(struct workspace *w)
{
    plan_free(&w->plan);
    identify_free(w->identify);
    journal_close(w->journal);
    production_free(&w->production);
    board_free(&w->board);
    free(w->board_text);
    arena_free(&w->arena);
    *w = (struct workspace){0};
}
