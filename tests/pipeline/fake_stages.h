/* Five small stages that do as a test tells them, and a board made in memory.
 * What they write depends only on what they describe and read, so that outputs
 * of two runs can be compared byte for byte. */
#ifndef AUTEUR_TESTS_PIPELINE_FAKE_STAGES_H
#define AUTEUR_TESTS_PIPELINE_FAKE_STAGES_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "stages/stage.h"

/* What a test asks for, and what it may look at afterwards. */
static struct {
    const char *fail_shot;
    enum stage_id fail_stage;
    enum error_code fail_code;
    int fail_times; /* how often; it succeeds then */
    unsigned step_us;
    int generate_steps; /* a checkpoint after each */
    bool fail_open, fail_check;
    _Atomic int runs[STAGES], opens[STAGES], closes[STAGES], soons[STAGES], busy_engine, resumed_at;
    _Atomic bool overlapped; /* a pool job ran while the engine was busy */
} fake;

static inline int fake_fails(const struct stage_job *job, enum stage_id stage, struct error *e)
{
    fake.runs[stage]++;
    if (stage != fake.fail_stage || !fake.fail_shot || strcmp(fake.fail_shot, job->shot->id) != 0 ||
        fake.fail_times <= 0)
        return 0;
    fake.fail_times--;
    return error_set(e, fake.fail_code, "as the test asked");
}

static inline enum lane lane_pool(const struct stage_env *env, const struct shot *shot)
{
    (void)env, (void)shot;
    return LANE_CPU;
}
static inline enum lane lane_generated_pool(const struct stage_env *env, const struct shot *shot)
{
    (void)env;
    return shot->kind == SHOT_GENERATED ? LANE_CPU : LANE_NONE;
}
static inline enum lane lane_generated_engine(const struct stage_env *env, const struct shot *shot)
{
    (void)env;
    return shot->kind == SHOT_GENERATED ? LANE_ENGINE : LANE_NONE;
}
static inline enum lane lane_decode(const struct stage_env *env, const struct shot *shot)
{
    (void)env;
    return shot->kind == SHOT_GENERATED ? LANE_ENGINE : LANE_CPU;
}
static inline const char *group_by_tier(const struct stage_env *env, const struct shot *shot)
{
    (void)env;
    return shot->tier;
}

static inline int describe_enhance(const struct stage_env *env, const struct shot *shot,
                                   struct inputs *in, struct error *e)
{
    (void)env, (void)e;
    in->text(in, "prompt", shot->prompt);
    in->text(in, "look", shot->look);
    return 0;
}
static inline int describe_generate(const struct stage_env *env, const struct shot *shot,
                                    struct inputs *in, struct error *e)
{
    (void)env, (void)e;
    in->text(in, "tier", shot->tier);
    in->integer(in, "seed", (int64_t)shot->seed);
    in->number(in, "guidance", shot->guidance);
    return 0;
}
static inline int describe_decode(const struct stage_env *env, const struct shot *shot,
                                  struct inputs *in, struct error *e)
{
    struct hash128 digest;

    in->integer(in, "frames", shot->frames);
    if (!shot->source.path[0])
        return 0;
    if (env->identify(env->identify_ctx, shot->source.path, &digest, e) != 0)
        return -1;
    in->digest(in, "source", digest);
    return 0;
}
static inline int describe_composite(const struct stage_env *env, const struct shot *shot,
                                     struct inputs *in, struct error *e)
{
    (void)env, (void)e;
    for (size_t i = 0; i < shot->overlay_count; i++)
        in->text(in, "overlay.text", shot->overlays[i].text);
    return 0;
}
static inline int describe_encode(const struct stage_env *env, const struct shot *shot,
                                  struct inputs *in, struct error *e)
{
    (void)shot, (void)e;
    in->integer(in, "quality", env->board->deliver.quality);
    return 0;
}

/* "a hill|Noon": a hill is for the model, Noon is lettering. */
static inline int run_enhance(void *session, struct stage_job *job, struct error *e)
{
    struct artefact a = {.name = "prompt.json"}, b = {.name = "lettering.json"};
    int words = (int)strcspn(job->shot->prompt, "|");

    (void)session;
    if (fake_fails(job, STAGE_ENHANCE, e) != 0)
        return -1;
    usleep(fake.step_us);
    a.bytes = arena_printf(job->arena, "{\"prompt\":\"%.*s, %s\"}", words, job->shot->prompt,
                           job->shot->look);
    b.bytes = arena_printf(job->arena, "%s", job->shot->prompt + words);
    if (!a.bytes || !b.bytes)
        return error_memory(e);
    a.size = strlen(a.bytes);
    b.size = strlen(b.bytes);
    job->note(job, "enhanced", "true");
    return job->output(job, &a, e) == 0 ? job->output(job, &b, e) : -1;
}

static inline void soon_generate(const struct stage_env *env, const struct shot *shot,
                                 struct prefetch *p)
{
    (void)env, (void)shot, (void)p;
    fake.soons[STAGE_GENERATE]++;
}
static inline void soon_decode(const struct stage_env *env, const struct shot *shot,
                               struct prefetch *p)
{
    (void)env, (void)shot, (void)p;
    fake.soons[STAGE_DECODE]++;
}

static inline int open_generate(const struct stage_group *group, void **session, struct error *e)
{
    fake.opens[STAGE_GENERATE]++;
    for (size_t i = 0; i < group->count; i++)
        if (!group->input(group, i, STAGE_ENHANCE, "prompt.json"))
            return error_set(e, ERROR_INTERNAL, "no prompt for %s", group->shots[i]->id);
    if (fake.fail_open)
        return error_set(e, ERROR_MODEL, "%s: not a model", group->name);
    *session = malloc(1);
    return *session ? 0 : error_memory(e);
}
static inline void close_generate(void *session)
{
    if (session)
        fake.closes[STAGE_GENERATE]++;
    free(session);
}

static inline int run_generate(void *session, struct stage_job *job, struct error *e)
{
    const struct artefact *prompt = job->input(job, STAGE_ENHANCE, "prompt.json");
    struct artefact a = {.name = "latents"};
    const void *saved;
    size_t size;
    int step = 0;

    if (!session || !prompt)
        return error_set(e, ERROR_INTERNAL, "no session or no prompt");
    fake.busy_engine++;
    saved = job->checkpoint_load(job, &size);
    if (saved && size == sizeof step)
        memcpy(&step, saved, sizeof step);
    fake.resumed_at = step;
    for (; step < fake.generate_steps; step++) {
        int next = step + 1;

        usleep(fake.step_us);
        job->progress(job, next, fake.generate_steps, "step");
        if (job->checkpoint_save(job, &next, sizeof next, e) != 0)
            goto fail;
        if (job->cancelled(job)) {
            error_set(e, ERROR_CANCELLED, "interrupted");
            goto fail;
        }
    }
    fake.busy_engine--;
    if (fake_fails(job, STAGE_GENERATE, e) != 0)
        return -1;
    a.bytes = arena_printf(job->arena, "latents of %.*s seed %llu", (int)prompt->size,
                           (const char *)prompt->bytes, (unsigned long long)job->shot->seed);
    a.size = a.bytes ? strlen(a.bytes) : 0;
    return a.bytes ? job->output(job, &a, e) : error_memory(e);
fail:
    fake.busy_engine--;
    return -1;
}

/* Writes a file of the workdir in small pieces, so that a kill may find it half-done. */
static inline int fake_file(struct stage_job *job, const char *name, bool delivered,
                            const char *text, struct error *e)
{
    struct artefact a = {.delivered = delivered};
    char *path = path_join(job->arena, job->workdir, name);
    FILE *f = path ? fopen(path, "wb") : NULL;

    if (!f)
        return error_set(e, ERROR_IO, "cannot write %s", name);
    for (int i = 0; i < 40; i++) {
        fprintf(f, "%d: %s\n", i, text);
        if (i % 10 == 0) {
            fflush(f);
            usleep(fake.step_us / 8);
        }
    }
    if (fclose(f) != 0)
        return error_set(e, ERROR_SPACE, "cannot write %s", name);
    snprintf(a.name, sizeof a.name, "%s", name);
    a.path = path;
    return job->output(job, &a, e);
}

static inline int run_decode(void *session, struct stage_job *job, struct error *e)
{
    const struct artefact *latents = job->input(job, STAGE_GENERATE, "latents");
    char text[600];

    (void)session;
    if (fake_fails(job, STAGE_DECODE, e) != 0)
        return -1;
    if (!latents && job->shot->kind == SHOT_GENERATED)
        return error_set(e, ERROR_INTERNAL, "no latents");
    snprintf(text, sizeof text, "%.*s, %d frames", latents ? (int)latents->size : 4,
             latents ? (const char *)latents->bytes : "card", job->shot->frames);
    return fake_file(job, "master.mkv", false, text, e);
}

static inline int check_composite(const struct stage_env *env, const struct shot *shot,
                                  struct error *e)
{
    (void)env;
    if (fake.fail_check && fake.fail_shot && strcmp(shot->id, fake.fail_shot) == 0)
        return error_set(e, ERROR_MEDIA, "no font has this glyph");
    return 0;
}
static inline int run_composite(void *session, struct stage_job *job, struct error *e)
{
    const struct artefact *lettering = job->input(job, STAGE_ENHANCE, "lettering.json");
    struct artefact a = {.name = "titles.ass", .bytes = ""};

    (void)session;
    if (fake.busy_engine)
        fake.overlapped = true;
    if (fake_fails(job, STAGE_COMPOSITE, e) != 0)
        return -1;
    usleep(fake.step_us);
    if (job->shot->overlay_count)
        a.bytes = job->shot->overlays[0].text;
    if (lettering)
        a.bytes = arena_printf(job->arena, "%s%.*s", (const char *)a.bytes, (int)lettering->size,
                               (const char *)lettering->bytes);
    if (!a.bytes)
        return error_memory(e);
    a.size = strlen(a.bytes);
    return job->output(job, &a, e);
}

static inline int run_encode(void *session, struct stage_job *job, struct error *e)
{
    const struct artefact *master = job->input(job, STAGE_DECODE, "master.mkv");
    const struct artefact *titles = job->input(job, STAGE_COMPOSITE, "titles.ass");
    char *content = NULL, text[700];
    size_t size;

    (void)session;
    if (fake_fails(job, STAGE_ENCODE, e) != 0)
        return -1;
    if (!master || !titles)
        return error_set(e, ERROR_INTERNAL, "no master or no titles");
    if (file_read(master->path, 1 << 20, &content, &size, e) != 0)
        return -1;
    snprintf(text, sizeof text, "film of %.400s with %.*s", content, (int)titles->size,
             (const char *)titles->bytes);
    free(content);
    if (fake_file(job, "deliver.mp4", true, text, e) != 0)
        return -1;
    return fake_file(job, "deliver.poster.png", true, job->shot->id, e);
}

static const struct stage fake_enhance = {.name = "enhance",
                                          .version = 1,
                                          .lane = lane_generated_pool,
                                          .describe = describe_enhance,
                                          .run = run_enhance};
static const struct stage fake_generate = {.name = "generate",
                                           .version = 1,
                                           .lane = lane_generated_engine,
                                           .group = group_by_tier,
                                           .describe = describe_generate,
                                           .reads = 1u << STAGE_ENHANCE,
                                           .reads_content = {STAGE_ENHANCE, "prompt.json"},
                                           .soon = soon_generate,
                                           .open = open_generate,
                                           .run = run_generate,
                                           .close = close_generate};
static const struct stage fake_decode = {.name = "decode",
                                         .version = 1,
                                         .lane = lane_decode,
                                         .describe = describe_decode,
                                         .reads = 1u << STAGE_GENERATE,
                                         .soon = soon_decode,
                                         .run = run_decode};
static const struct stage fake_composite = {.name = "composite",
                                            .version = 1,
                                            .lane = lane_pool,
                                            .describe = describe_composite,
                                            .reads = 1u << STAGE_ENHANCE,
                                            .reads_content = {STAGE_ENHANCE, "lettering.json"},
                                            .check = check_composite,
                                            .run = run_composite};
static const struct stage fake_encode = {.name = "encode",
                                         .version = 1,
                                         .lane = lane_pool,
                                         .describe = describe_encode,
                                         .reads = 1u << STAGE_DECODE | 1u << STAGE_COMPOSITE,
                                         .run = run_encode};
static const struct stage *const fake_stages[STAGES] = {&fake_enhance, &fake_generate, &fake_decode,
                                                        &fake_composite, &fake_encode};

/* A board of `shots` shots: every fourth a card, the rest of two tiers. */
enum { FAKE_SHOTS = 64 };
struct fake_board {
    struct board board;
    struct shot shots[FAKE_SHOTS];
    struct overlay overlays[FAKE_SHOTS];
    char ids[FAKE_SHOTS][24], prompts[FAKE_SHOTS][48], titles[FAKE_SHOTS][32];
};

static inline void fake_board_make(struct fake_board *b, size_t shots)
{
    memset(b, 0, sizeof *b);
    b->board = (struct board){.path = "/board.yaml",
                              .dir = "/",
                              .name = "fake",
                              .fps = {24, 1},
                              .width = 64,
                              .height = 36,
                              .deliver = {.codecs = {1, {DELIVER_H264}}, .quality = 80},
                              .shots = b->shots,
                              .shot_count = shots};
    for (size_t i = 0; i < shots; i++) {
        snprintf(b->ids[i], sizeof b->ids[i], "s%03zu", i);
        snprintf(b->prompts[i], sizeof b->prompts[i], "a hill at dawn, %zu", i);
        snprintf(b->titles[i], sizeof b->titles[i], "Title %zu", i);
        b->overlays[i] = (struct overlay){
            .style = OVERLAY_TITLE, .text = b->titles[i], .subtext = "", .font = "", .out = 1};
        b->shots[i] = (struct shot){.id = b->ids[i],
                                    .kind = i % 4 == 3 ? SHOT_CARD : SHOT_GENERATED,
                                    .tier = i % 4 == 3 ? "title"
                                            : i % 2    ? "previs"
                                                       : "flagship",
                                    .prompt = b->prompts[i],
                                    .negative = "",
                                    .look = "film",
                                    .camera = "",
                                    .seed = 7 + i,
                                    .frames = 24,
                                    .guidance = -1,
                                    .guidance_2 = -1,
                                    .sampler = "",
                                    .step_cache = "",
                                    .noise = -1,
                                    .keyframe = "",
                                    .overlays = &b->overlays[i],
                                    .overlay_count = 1,
                                    .source = {.path = "", .written = ""}};
    }
}

#endif
