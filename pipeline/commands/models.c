#include "pipeline/commands/models.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "pipeline/cli/help.h"
#include "pipeline/commands/command.h"
#include "pipeline/exit_code.h"
#include "pipeline/paths.h"

/* ---- the tiers */

static int surroundings(const struct options *o, struct stage_env *env, struct arena *a,
                        struct error *e)
{
    static const struct board no_board;
    const char *models = o->models[0] ? o->models : getenv("AUTEUR_MODELS");

    *env = (struct stage_env){.board = &no_board, .models_dir = "", .tier = ""};
    if (models && models[0])
        env->models_dir = paths_absolute(a, models);
    return env->models_dir ? paths_data_dir(a, &env->data_dir, e) : error_memory(e);
}

static int look_at_tier(const struct stage_env *env, struct tier_models *t, struct arena *a,
                        struct error *e)
{
    t->folder = tier_folder(env, t->tier, a);
    t->there = t->folder && path_exists(t->folder);
    return t->there ? inspect_models(t->folder, &t->inspection, e) : 0;
}

static void show_where(const struct stage_env *env)
{
    char text[400];

    if (env->models_dir[0])
        return;
    snprintf(text, sizeof text,
             "MODELS is a folder of your choice with one folder a tier: name it by --models or "
             "AUTEUR_MODELS. A storyboard may also name a tier's folder itself (models: {flagship: "
             "DIR}).");
    putchar('\n');
    help_wrap(stdout, text, 0, 0, 80);
}

static int list(const struct options *o, struct error *e)
{
    json_t *all = o->json ? json_array() : NULL;
    struct arena a = {0};
    struct stage_env env;
    int rc = surroundings(o, &env, &a, e);

    for (int k = 0; k < tier_count && rc == 0; k++) {
        struct tier_models t = {.tier = &tiers_all[k]};

        rc = look_at_tier(&env, &t, &a, e);
        if (rc == 0 && all)
            json_array_append_new(all, models_tier_json(&t));
        else if (rc == 0)
            models_show_tier(stdout, &t);
        inspection_free(&t.inspection);
    }
    if (rc == 0 && o->json)
        rc = command_json(json_incref(all), e);
    else if (rc == 0)
        show_where(&env);
    json_decref(all);
    arena_free(&a);
    return rc == 0 ? EXIT_DELIVERED : command_failed(e);
}

/* ---- one folder */

static int inspect(const struct options *o, struct error *e)
{
    struct inspection i = {0};
    int rc = inspect_models(o->operands[1], &i, e);
    int status = i.fault_count ? EXIT_SHOTS : EXIT_DELIVERED;

    if (rc == 0 && o->json)
        rc = command_json(models_inspection_json(&i), e);
    else if (rc == 0)
        models_show_inspection(stdout, &i);
    inspection_free(&i);
    return rc == 0 ? status : command_failed(e);
}

int command_models(const struct options *o)
{
    struct error e = {0};

    if (o->operand_count == 0)
        return list(o, &e);
    if (o->operand_count == 2 && strcmp(o->operands[0], "inspect") == 0)
        return inspect(o, &e);
    error_set(&e, ERROR_USAGE,
              "models takes nothing, or inspect and a folder: auteur-pipe models inspect %s",
              o->operand_count == 1 && strcmp(o->operands[0], "inspect") != 0 ? o->operands[0]
                                                                              : "DIR");
    return command_failed(&e);
}
