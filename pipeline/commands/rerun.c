/* auteur-pipe rerun FILE: the recipe that a delivered file carries becomes a storyboard, which is
 * run like any other in a production of its own; what comes out is compared with the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "pipeline/commands/command.h"
#include "pipeline/commands/produce.h"
#include "pipeline/execute/job.h"
#include "pipeline/execute/recipe.h"
#include "pipeline/execute/versions.h"
#include "pipeline/exit_code.h"

static const char *option(const json_t *recipe, const char *name, const char *given)
{
    const char *said = json_string_value(
        json_object_get(json_object_get(json_object_get(recipe, "x-auteur"), "options"), name));

    return given[0] || !said ? given : said;
}

static struct request request_of(const struct options *o, const json_t *recipe)
{
    const json_t *threshold = json_object_get(
        json_object_get(json_object_get(recipe, "x-auteur"), "options"), "step_cache_threshold");

    return (struct request){.tier = "",
                            .only = "",
                            .models = option(recipe, "models", o->models),
                            .device = o->device,
                            .precision = option(recipe, "precision", o->precision),
                            .preset = option(recipe, "preset", ""),
                            .step_cache = option(recipe, "step_cache", ""),
                            .step_cache_threshold = json_real_value(threshold),
                            .vae_memory = "",
                            .vae_tile = "",
                            .batch = o->batch,
                            .jobs = o->jobs};
}

/* DIR/recipe.yaml, which the run is from. */
static int write_board(struct workspace *w, const json_t *recipe, struct request *r,
                       struct error *e)
{
    const char *path = arena_printf(&w->arena, "%s/recipe.yaml", w->production.dir);
    char *text = json_dumps(recipe, JSON_INDENT(2));
    int rc;

    if (!path || !text)
        rc = error_memory(e);
    else if ((rc = dir_make(w->production.dir, e)) == 0)
        rc = file_write_atomic(path, text, strlen(text), e);
    r->board = path;
    free(text);
    return rc;
}

/* What the film was made from and is another now: a line each. */
static void compare_models(struct workspace *w, json_t *recipe)
{
    const json_t *was = json_object_get(json_object_get(recipe, "x-auteur"), "models");
    const char *text;
    struct error ignored = {0};
    json_t *now, *about;
    const char *name;
    json_t *value;

    if (recipe_make(&w->plan, &w->setup, 0, &w->arena, &text, &ignored) != 0)
        return;
    now = json_loads(text, 0, NULL);
    about = json_object_get(json_object_get(now, "x-auteur"), "models");
    json_object_foreach((json_t *)(uintptr_t)was, name,
                        value) if (!json_equal(value, json_object_get(about, name)))
        printf("%s is not what the file was made from\n", name);
    json_decref(now);
}

/* The delivered file of the same content, or of the same name. */
static int compare_files(struct workspace *w, const char *file, struct error *e)
{
    struct journal_view *view;
    struct versions versions;
    const struct version *made;
    struct hash128 digest;
    bool same = false;
    int rc;

    if (hash_path(file, &digest, e) != 0 || journal_view_begin(w->journal, &view, e) != 0)
        return -1;
    rc = versions_read(view, w->board.shots[0].id, &w->arena, &versions, e);
    journal_view_end(view);
    if (rc != 0)
        return -1;
    made = versions_current(&versions);
    for (size_t i = 0; made && i < made->file_count; i++)
        same |= hash_equal(made->files[i].digest, digest);
    if (made)
        printf(same
                   ? "the same bytes as %s\n"
                   : "not the same bytes as %s, which may have been written anew since (remuxed)\n",
               file);
    return 0;
}

/* What was delivered: of one picture its whole folder. NULL: out of memory. */
static const char *delivered(struct arena *arena, const char *file)
{
    const char *name = strrchr(file, '/');
    char *dir = arena_printf(arena, "%.*s", name ? (int)(name - file) : 1, name ? file : ".");
    char *recipe = dir ? path_join(arena, dir, "recipe.json") : NULL;

    if (!recipe)
        return NULL;
    return path_exists(file) && path_exists(recipe) ? dir : file;
}

int command_rerun(const struct options *o)
{
    const char *file, *dir = o->output;
    double began = clock_monotonic();
    struct workspace w = {0};
    json_t *recipe = NULL;
    struct request r;
    struct error e = {0};
    const char *memory;
    int status = -1;

    file = delivered(&w.arena, o->operands[0]);
    if (!file) {
        error_memory(&e);
        goto done;
    }
    if (options_memory(o, &memory, &e) != 0 || recipe_read(file, &recipe, &e) != 0)
        goto done;
    r = request_of(o, recipe);
    r.memory = memory;
    if (!dir[0])
        dir = arena_printf(&w.arena, "out/%s-rerun",
                           json_string_value(json_object_get(recipe, "name")));
    if (!dir) {
        error_memory(&e);
        goto done;
    }
    if (production_name(&w.production, dir, &e) != 0 || write_board(&w, recipe, &r, &e) != 0 ||
        workspace_board(&w, &r, stderr, &e) != 0)
        goto done;
    status = produce(&w, &r, o, began);
    if (status == EXIT_DELIVERED && !o->json) {
        compare_models(&w, recipe);
        if (compare_files(&w, file, &e) != 0)
            status = -1;
    }
done:
    json_decref(recipe);
    workspace_close(&w);
    return status < 0 ? command_failed(&e) : status;
}
