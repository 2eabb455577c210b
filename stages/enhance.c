#include "stages/enhance.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "stages/generate/verdict.h"

struct enhancer {
    const struct tier *tier;
    struct lexicon *lexicon;
    struct tokenizer *tokenizer;
};

static const char *lexicon_path(const struct stage_env *env, struct arena *a)
{
    return path_join(a, env->data_dir, "lexicon.yaml");
}

/* The directory of the tokenizer that reads a tier's prompts; *path is NULL where no model of its
 * reads any. */
static int tokenizer_path(const struct stage_env *env, const struct tier *tier, struct arena *a,
                          const char **path, struct error *e)
{
    const char *checkpoint;
    *path = NULL;
    if (tier_prompt_checkpoint(env, tier, a, &checkpoint, e) != 0)
        return -1;
    if (checkpoint && !(*path = path_join(a, checkpoint, "tokenizer")))
        return error_memory(e);
    return 0;
}

int enhancer_open(const struct stage_env *env, const struct tier *tier, struct enhancer **out,
                  struct error *e)
{
    struct arena a = {0};
    struct enhancer *enhancer = calloc(1, sizeof *enhancer);
    const char *lexicon = lexicon_path(env, &a), *tokenizer;
    int rc = -1;
    if (!enhancer || !lexicon)
        error_memory(e);
    else if (tokenizer_path(env, tier, &a, &tokenizer, e) == 0 &&
             lexicon_open(lexicon, &enhancer->lexicon, e) == 0)
        rc = tokenizer ? tokenizer_open(tokenizer, &enhancer->tokenizer, e) : 0;
    arena_free(&a);
    if (rc != 0) {
        enhancer_close(enhancer);
        return -1;
    }
    enhancer->tier = tier;
    *out = enhancer;
    return 0;
}

void enhancer_close(struct enhancer *enhancer)
{
    if (!enhancer)
        return;
    lexicon_close(enhancer->lexicon);
    tokenizer_close(enhancer->tokenizer);
    free(enhancer);
}

int enhancer_limit(const struct enhancer *enhancer)
{
    int limit = enhancer->tokenizer ? tokenizer_limit(enhancer->tokenizer) : TOKENIZER_LIMIT_MAX;
    int length = enhancer->tier->text_length;
    return length < limit ? length : limit;
}

int enhancer_shot(const struct enhancer *enhancer, const struct shot *shot, struct arena *a,
                  struct enhanced *out, struct error *e)
{
    static const enum lettering_policy policies[TEXT_POLICIES] = {
        [TEXT_OVERLAY] = LETTERING_OVERLAY,
        [TEXT_DROP] = LETTERING_DROP,
        [TEXT_KEEP] = LETTERING_KEEP,
    };
    static const unsigned kinds[ADDITIONS] = {
        [ADDITIONS_CAMERA] = WORDS_CAMERA,
        [ADDITIONS_LIGHT] = WORDS_LIGHT,
        [ADDITIONS_LOOK] = WORDS_LOOK,
        [ADDITIONS_ALL] = WORDS_CAMERA | WORDS_LIGHT | WORDS_LOOK,
    };
    struct enhance_request request = {
        .prompt = shot->prompt,
        .camera = shot->camera,
        .look = shot->look,
        .negative = shot->negative,
        .lettering = policies[shot->text],
        .base_negative = enhancer->tier->negative,
        .small = enhancer->tier->small,
        .additions = kinds[shot->additions],
        .limit = enhancer_limit(enhancer),
    };
    return enhance(enhancer->lexicon, enhancer->tokenizer, &request, a, out, e);
}

char *enhanced_to_json(const struct enhancer *enhancer, const struct shot *shot,
                       const struct enhanced *enhanced)
{
    json_t *overlays = json_array(), *notes = json_array(), *root = NULL;
    char *text = NULL;
    bool failed = !overlays || !notes;
    for (size_t i = 0; i < enhanced->overlay_count; i++)
        failed |= json_array_append_new(overlays,
                                        json_pack("{ss ss}", "style", enhanced->overlays[i].style,
                                                  "text", enhanced->overlays[i].text)) != 0;
    for (size_t i = 0; i < enhanced->note_count; i++)
        failed |=
            json_array_append_new(notes, json_pack("{sb ss}", "warning", enhanced->notes[i].warning,
                                                   "text", enhanced->notes[i].text)) != 0;
    /* The original may hold anything; the JSON holds it if it is a text. */
    json_t *original = json_string(shot->prompt);
    if (!failed)
        root = json_pack("{ss so* ss ss si si si sO sO}", "tier", enhancer->tier->name, "original",
                         original, "prompt", enhanced->prompt, "negative", enhanced->negative,
                         "prompt_tokens", enhanced->prompt_tokens, "negative_tokens",
                         enhanced->negative_tokens, "limit", enhancer_limit(enhancer), "overlays",
                         overlays, "notes", notes);
    else
        json_decref(original);
    if (root)
        text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(root);
    json_decref(overlays);
    json_decref(notes);
    return text;
}

/* ---- the stage */

static enum lane enhance_lane(const struct stage_env *env, const struct shot *shot)
{
    (void)env;
    return shot->kind == SHOT_GENERATED ? LANE_ENGINE : LANE_NONE;
}

static const char *enhance_group(const struct stage_env *env, const struct shot *shot)
{
    return tier_name_of_shot(env, shot);
}

static int describe(const struct stage_env *env, const struct shot *shot, struct inputs *in,
                    struct arena *a, struct error *e)
{
    static const char *const policies[TEXT_POLICIES] = {"overlay", "drop", "keep"};
    static const char *const additions[ADDITIONS] = {"none", "camera", "light", "look", "all"};
    const struct tier *tier;
    struct hash128 lexicon, tokenizer = {0};
    if (tier_of_shot(env, shot, &tier, e) != 0)
        return -1;
    const char *words = lexicon_path(env, a), *model;
    if (!words)
        return error_memory(e);
    if (tokenizer_path(env, tier, a, &model, e) != 0 ||
        env->identify(env->identify_ctx, words, &lexicon, e) != 0 ||
        (model && env->identify(env->identify_ctx, model, &tokenizer, e) != 0))
        return -1;
    in->text(in, "tier", tier->name);
    in->text(in, "prompt", shot->prompt);
    in->text(in, "camera", shot->camera);
    in->text(in, "look", shot->look);
    in->text(in, "negative", shot->negative);
    in->text(in, "text", policies[shot->text]);
    in->text(in, "additions", additions[shot->additions]);
    in->text(in, "tier.negative", tier->negative);
    in->integer(in, "tier.small", tier->small);
    in->digest(in, "lexicon", lexicon);
    in->digest(in, "tokenizer", tokenizer);
    return 0;
}

static int enhance_describe(const struct stage_env *env, const struct shot *shot, struct inputs *in,
                            struct error *e)
{
    struct arena a = {0};
    int rc = describe(env, shot, in, &a, e);
    arena_free(&a);
    return rc;
}

static int check_lexicon(const char *path, struct error *e)
{
    struct lexicon *lexicon;
    int rc = lexicon_open(path, &lexicon, e);
    if (rc == 0)
        lexicon_close(lexicon);
    return rc;
}

static int check_tokenizer(const char *dir, struct error *e)
{
    struct tokenizer *tokenizer;
    int rc = tokenizer_open(dir, &tokenizer, e);
    if (rc == 0)
        tokenizer_close(tokenizer);
    return rc;
}

static int enhance_check(const struct stage_env *env, const struct shot *shot, struct error *e)
{
    struct arena a = {0};
    const struct tier *tier;
    int rc = -1;
    if (tier_of_shot(env, shot, &tier, e) == 0) {
        const char *words = lexicon_path(env, &a), *model;
        if (!words)
            error_memory(e);
        else if (!path_exists(words))
            error_set(e, ERROR_IO, "the lexicon is not there: %s", words);
        else if (tokenizer_path(env, tier, &a, &model, e) == 0 &&
                 verdict_on(check_lexicon, words, e) == 0)
            rc = model ? verdict_on(check_tokenizer, model, e) : 0;
    }
    arena_free(&a);
    return rc;
}

static int enhance_open(const struct stage_group *group, void **session, struct error *e)
{
    const struct tier *tier;
    struct enhancer *enhancer;
    if (group->count == 0)
        return error_set(e, ERROR_INTERNAL, "enhance: a group of no shots");
    if (tier_of_shot(group->env, group->shots[0], &tier, e) != 0 ||
        enhancer_open(group->env, tier, &enhancer, e) != 0)
        return -1;
    *session = enhancer;
    return 0;
}

/* What generate reads ("prompt.json", an object of prompt and negative) and what composite reads
 * ("lettering.json", an object of overlays) are artefacts of their own, each as all of its inputs
 * say and no more: whatever else is edited, the reader of the same is up to date. */
static int output_part(struct stage_job *job, const char *name, const json_t *whole,
                       const char *const *members, struct error *e)
{
    struct artefact a = {0};
    json_t *part = json_object();
    char *text = NULL, *kept = NULL;
    bool ok = true;
    for (; *members; members++)
        ok &= json_object_set(part, *members, json_object_get(whole, *members)) == 0;
    if (ok)
        text = json_dumps(part, JSON_COMPACT | JSON_SORT_KEYS);
    if (text)
        kept = arena_strdup(job->arena, text);
    free(text);
    json_decref(part);
    if (!kept)
        return error_memory(e);
    snprintf(a.name, sizeof a.name, "%s", name);
    a.bytes = kept;
    a.size = strlen(kept);
    return job->output(job, &a, e);
}

static int enhance_run(void *session, struct stage_job *job, struct error *e)
{
    const struct enhancer *enhancer = session;
    struct enhanced enhanced;
    if (enhancer_shot(enhancer, job->shot, job->arena, &enhanced, e) != 0)
        return -1;
    char *json = enhanced_to_json(enhancer, job->shot, &enhanced);
    json_t *whole = json ? json_loads(json, 0, NULL) : NULL;
    int rc = -1;
    if (!whole)
        error_memory(e);
    else if (output_part(job, "prompt.json", whole, (const char *[]){"prompt", "negative", NULL},
                         e) == 0)
        rc = output_part(job, "lettering.json", whole, (const char *[]){"overlays", NULL}, e);
    if (rc == 0)
        job->note(job, "enhanced", json);
    json_decref(whole);
    free(json);
    return rc;
}

static void enhance_close(void *session)
{
    enhancer_close(session);
}

const struct stage stage_enhance = {
    .name = "enhance",
    .version = 3,
    .lane = enhance_lane,
    .group = enhance_group,
    .describe = enhance_describe,
    .check = enhance_check,
    .open = enhance_open,
    .run = enhance_run,
    .close = enhance_close,
};
