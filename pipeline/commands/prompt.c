#include <fnmatch.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/cli/help.h"
#include "pipeline/commands/command.h"
#include "pipeline/commands/enhancers.h"
#include "pipeline/execute/workspace.h"
#include "pipeline/exit_code.h"

static void paragraph(const char *title, const char *text)
{
    int column = printf("  %-10s", title);

    help_wrap(stdout, text[0] ? text : "(none)", 12, column, 96);
}

static void print_people(const struct shot *shot, const struct enhanced *now, int limit)
{
    printf("%s (%s)\n", shot->id, shot->tier);
    paragraph("asked", shot->prompt);
    paragraph("told", now->prompt);
    paragraph("negative", now->negative);
    printf("  %-10s%d of %d, negative %d of %d\n", "tokens", now->prompt_tokens, limit,
           now->negative_tokens, limit);
    for (size_t i = 0; i < now->overlay_count; i++)
        printf("  %-10s%s: \"%s\"\n", "overlay", now->overlays[i].style, now->overlays[i].text);
    for (size_t i = 0; i < now->note_count; i++)
        paragraph(now->notes[i].warning ? "warning" : "note", now->notes[i].text);
}

static int add_json(json_t *list, const struct enhancer *enhancer, const struct shot *shot,
                    const struct enhanced *now, struct error *e)
{
    char *text = enhanced_to_json(enhancer, shot, now);
    json_t *object = text ? json_loads(text, 0, NULL) : NULL;

    free(text);
    if (json_object_set_new(object, "shot", json_string(shot->id)) != 0 ||
        json_array_append_new(list, object) != 0)
        return error_memory(e);
    return 0;
}

static int tell_shots(struct workspace *w, const char *only, json_t *list, struct error *e)
{
    struct enhancers all = {.env = &w->env};
    size_t told = 0;
    int rc = 0;

    for (size_t i = 0; i < w->board.shot_count && rc == 0; i++) {
        const struct shot *shot = &w->board.shots[i];
        struct enhancer *enhancer;
        struct arena arena = {0};
        struct enhanced now;

        if (shot->kind != SHOT_GENERATED || (only[0] && fnmatch(only, shot->id, 0) != 0))
            continue;
        told++;
        rc = enhancers_for(&all, shot, &enhancer, e);
        if (rc == 0)
            rc = enhancer_shot(enhancer, shot, &arena, &now, e);
        if (rc == 0 && list)
            rc = add_json(list, enhancer, shot, &now, e);
        else if (rc == 0)
            print_people(shot, &now, enhancer_limit(enhancer));
        arena_free(&arena);
        if (rc != 0)
            error_wrap(e, "shot %s", shot->id);
    }
    if (!told && !list)
        printf("no prompts: no shot%s%s%s is generated, so no model is told anything\n",
               only[0] ? " that matches '" : "", only, only[0] ? "'" : "");
    enhancers_close(&all);
    return rc;
}

/* A board of one shot around a prompt, so that it gets every default that a board's shots get. JSON
 * is YAML. */
static char *board_around(const char *text)
{
    json_t *board =
        json_pack("{ss s[{ss ss}]}", "name", "text", "shots", "id", "text", "prompt", text);
    char *yaml = board ? json_dumps(board, 0) : NULL;

    json_decref(board);
    return yaml;
}

static int open_board(struct workspace *w, const struct options *o, const struct request *r,
                      struct error *e)
{
    if (!o->text[0])
        return workspace_board(w, r, stderr, e);
    w->board_text = board_around(o->text);
    if (!w->board_text)
        return error_set(e, ERROR_USAGE, "--text is not UTF-8");
    w->board_size = strlen(w->board_text);
    return workspace_board_text(w, r, stderr, e);
}

int command_prompt(const struct options *o)
{
    const struct request r = {.board = o->operand_count ? o->operands[0] : "--text",
                              .tier = o->tier,
                              .only = o->only,
                              .models = o->models,
                              .device = "auto"};
    struct workspace w = {0};
    struct error e = {0};
    json_t *list = o->json ? json_array() : NULL;
    int status = EXIT_DELIVERED;

    if (!o->text[0] == !o->operand_count) {
        error_set(&e, ERROR_USAGE, "prompt takes a storyboard or --text \"...\", one of the two");
        status = command_failed(&e);
    } else if (open_board(&w, o, &r, &e) != 0 || tell_shots(&w, o->only, list, &e) != 0) {
        status = command_failed(&e);
    } else if (list && command_json(json_incref(list), &e) != 0) {
        status = command_failed(&e);
    }
    json_decref(list);
    workspace_close(&w);
    return status;
}
