#include "pipeline/execute/recipe.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "pipeline/execute/key.h"
#include "pipeline/version.h"
#include "stages/media/reader.h"
#include "storyboards/recipe.h"

enum { RECIPE_SIZE_LIMIT = 1 << 20 };

/* Inputs whose content a board only names. */
static bool is_of_a_file(const char *name)
{
    return strncmp(name, "model.", 6) == 0 || strcmp(name, "source.file") == 0 ||
           strcmp(name, "keyframe") == 0 || strcmp(name, "lexicon") == 0;
}

static json_t *models(const struct plan *plan, const struct plan_setup *setup, size_t shot,
                      struct error *e)
{
    json_t *out = json_object();
    struct arena arena = {0};

    for (int stage = 0; out && stage < STAGES; stage++) {
        struct record_input *inputs;
        struct hash128 reads[STAGES];
        size_t count;

        if (plan_job(plan, shot, stage)->verdict == VERDICT_SKIP)
            continue;
        plan_reads(plan, setup, shot, (enum stage_id)stage, reads);
        if (key_inputs(&arena, setup->stages[stage], setup->stages, reads, setup->env,
                       &setup->env->board->shots[shot], &inputs, &count, e) != 0) {
            json_decref(out);
            arena_free(&arena);
            return NULL;
        }
        for (size_t i = 0; i < count; i++)
            if (is_of_a_file(inputs[i].name))
                json_object_set_new(
                    out, arena_printf(&arena, "%s.%s", setup->stages[stage]->name, inputs[i].name),
                    json_string(inputs[i].value));
    }
    arena_free(&arena);
    if (!out)
        error_memory(e);
    return out;
}

static void put_option(json_t *options, const char *name, const char *value)
{
    if (value && *value)
        json_object_set_new(options, name, json_string(value));
}

static const char *precision_of(const struct device_options *d)
{
    return d->linears                     ? "fp8"
           : d->activations == DTYPE_BF16 ? "bf16"
           : d->activations == DTYPE_F16  ? "f16"
           : d->f32                       ? "f32"
                                          : "";
}

static json_t *options(const struct stage_env *env)
{
    json_t *out = json_object();

    put_option(out, "models", env->models_dir);
    put_option(out, "preset", env->preset);
    put_option(out, "step_cache", env->step_cache);
    if (env->step_cache_threshold > 0)
        json_object_set_new(out, "step_cache_threshold", json_real(env->step_cache_threshold));
    put_option(out, "precision", precision_of(&env->device));
    return out;
}

static json_t *hash_json(const json_t *board)
{
    char *text = json_dumps(board, JSON_COMPACT | JSON_SORT_KEYS), hex[HASH_HEX_SIZE];

    if (!text)
        return NULL;
    hash_hex(hash_bytes(text, strlen(text)), hex);
    free(text);
    return json_string(hex);
}

int recipe_make(const struct plan *plan, const struct plan_setup *setup, size_t shot,
                struct arena *arena, const char **out, struct error *e)
{
    const struct stage_env *env = setup->env;
    json_t *recipe = board_recipe(env->board, &env->board->shots[shot], env->tier);
    json_t *of_models = recipe ? models(plan, setup, shot, e) : NULL;
    char *text = NULL;
    int rc = -1;

    if (recipe && !of_models)
        goto done;
    error_memory(e);
    if (!recipe || json_object_set_new(recipe, "x-auteur",
                                       json_pack("{s:s,s:o,s:O,s:o}", "program", AUTEUR_VERSION,
                                                 "board", hash_json(recipe), "models", of_models,
                                                 "options", options(env))) != 0)
        goto done;
    text = json_dumps(recipe, JSON_COMPACT | JSON_SORT_KEYS);
    *out = text ? arena_strdup(arena, text) : NULL;
    rc = *out ? 0 : -1;
    if (rc == 0)
        error_clear(e);
done:
    free(text);
    json_decref(of_models);
    json_decref(recipe);
    return rc;
}

int recipe_of_many(const char *made, json_t *of, struct arena *arena, const char **out,
                   struct error *e)
{
    json_t *recipe =
        of ? json_pack("{s:{s:s,s:o}}", "x-auteur", "program", AUTEUR_VERSION, made, of) : NULL;
    char *text = recipe ? json_dumps(recipe, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    *out = text ? arena_strdup(arena, text) : NULL;
    free(text);
    json_decref(recipe);
    return *out ? 0 : error_memory(e);
}

/* Of a film or a sound: its container's comment. */
static int read_comment(const char *path, char **out, struct error *e)
{
    struct media_reader *r = NULL;
    const AVDictionaryEntry *comment;
    struct error ignored = {0};

    if (media_reader_open(path, path, 1, &r, e) != 0 &&
        (!path_exists(path) || media_reader_open_sound(path, path, &r, &ignored) != 0))
        return -1;
    error_clear(e);
    comment = av_dict_get(media_reader_container(r)->metadata, "comment", NULL, 0);
    *out = comment ? strdup(comment->value) : NULL;
    media_reader_close(r);
    return *out ? 0
                : error_set(
                      e, ERROR_INPUT,
                      "%s carries no recipe: it was not delivered by auteur-pipe, or a program "
                      "has taken its metadata away; the JSON beside the delivered file tells "
                      "what was asked",
                      path);
}

static bool ends_in_json(const char *path)
{
    size_t n = strlen(path);

    return n > 5 && strcmp(path + n - 5, ".json") == 0;
}

static int read_text(const char *path, char **out, struct error *e)
{
    struct arena arena = {0};
    char *inside = arena_printf(&arena, "%s/recipe.json", path);
    size_t size;
    int rc;

    if (!inside)
        rc = error_memory(e);
    else if (path_exists(inside) || ends_in_json(path))
        rc = file_read(path_exists(inside) ? inside : path, RECIPE_SIZE_LIMIT, out, &size, e);
    else
        rc = read_comment(path, out, e);
    arena_free(&arena);
    return rc;
}

/* The storyboard in it must be the one that it says it is. */
static bool is_whole(json_t *recipe)
{
    json_t *about = json_incref(json_object_get(recipe, "x-auteur")), *hash;
    const char *said = json_string_value(json_object_get(about, "board"));
    bool whole;

    json_object_del(recipe, "x-auteur");
    hash = hash_json(recipe);
    whole = said && hash && strcmp(said, json_string_value(hash)) == 0 &&
            json_object_set(recipe, "x-auteur", about) == 0;
    json_decref(hash);
    json_decref(about);
    return whole;
}

/* Where it is of several shots, says which can be made again. */
static int refuse_many(const char *path, const json_t *about, struct error *e)
{
    const json_t *cut = json_object_get(about, "cut");
    const char *name = strrchr(path, '/');
    int folder = name ? (int)(name + 1 - path) : 0;
    const char *first = json_string_value(json_array_get(cut, 0));

    if (first)
        return error_set(e, ERROR_INPUT,
                         "%s is a cut of %zu delivered films: make one of these again, such as "
                         "'auteur-pipe rerun %.*s%s'",
                         path, json_array_size(cut), folder, path, first);
    if (json_object_get(about, "sound"))
        return error_set(e, ERROR_INPUT,
                         "%s is a sound, which a run makes again from its storyboard: "
                         "'auteur-pipe resume'",
                         path);
    return 0;
}

int recipe_read(const char *path, json_t **out, struct error *e)
{
    const json_t *about;
    char *text = NULL;

    *out = NULL;
    error_clear(e);
    if (read_text(path, &text, e) != 0)
        return -1;
    *out = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    about = json_object_get(*out, "x-auteur");
    if (refuse_many(path, about, e) == 0 && about && is_whole(*out))
        return 0;
    json_decref(*out);
    *out = NULL;
    if (e->code != ERROR_NONE)
        return -1;
    return error_set(e, ERROR_INPUT,
                     "what %s carries is no recipe of auteur-pipe, or was altered: the JSON beside "
                     "the delivered file tells what was asked",
                     path);
}
