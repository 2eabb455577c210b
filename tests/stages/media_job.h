/* A board, a shot and a job for running the media stages by themselves: artefacts are kept in the
 * job, files go to a scratch folder. */
#ifndef AUTEUR_TESTS_STAGES_MEDIA_JOB_H
#define AUTEUR_TESTS_STAGES_MEDIA_JOB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernels/base/file.h"
#include "kernels/base/hash.h"
#include "stages/stage.h"

struct media_job {
    struct stage_job job; /* first: callbacks cast back */
    struct stage_env env;
    struct board board;
    struct shot shot;
    struct arena arena;
    struct error e;
    char dir[64];
    struct artefact made[24];
    enum stage_id made_by[24];
    int made_count;
    enum stage_id now;
    int cancel_after; /* progress calls until Ctrl-C; 0: never */
    int progressed;
    char notes[4000];
};

static const struct artefact *media_input(struct stage_job *job, enum stage_id stage,
                                          const char *name)
{
    struct media_job *m = (struct media_job *)job;

    for (int i = m->made_count - 1; i >= 0; i--)
        if (m->made_by[i] == stage && strcmp(m->made[i].name, name) == 0)
            return &m->made[i];
    return NULL;
}

static int media_output(struct stage_job *job, const struct artefact *a, struct error *e)
{
    struct media_job *m = (struct media_job *)job;

    (void)e;
    assert_true(m->made_count < 24);
    m->made[m->made_count] = *a;
    m->made_by[m->made_count++] = m->now;
    return 0;
}

static void media_progress(struct stage_job *job, double done, double total, const char *unit)
{
    struct media_job *m = (struct media_job *)job;

    (void)unit;
    assert_true(done <= total);
    m->progressed++;
}

static bool media_cancelled(const struct stage_job *job)
{
    const struct media_job *m = (const struct media_job *)job;

    return m->cancel_after && m->progressed >= m->cancel_after;
}

static void media_note(struct stage_job *job, const char *name, const char *json)
{
    struct media_job *m = (struct media_job *)job;
    size_t n = strlen(m->notes);

    snprintf(m->notes + n, sizeof m->notes - n, "%s=%s\n", name, json);
}

static inline struct media_job *media_job_new(int width, int height, struct rational fps,
                                              int frames)
{
    struct media_job *m = calloc(1, sizeof *m);
    const char *tmp = getenv("TMPDIR");

    assert_non_null(m);
    snprintf(m->dir, sizeof m->dir, "%s/auteur-media-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(m->dir));
    m->board = (struct board){.name = "test", .fps = fps, .width = width, .height = height};
    m->board.path = m->board.dir = "/";
    m->board.deliver.quality = 80;
    m->board.deliver.codecs = (struct choices){1, {DELIVER_H264}};
    m->board.deliver.drop = timecode_can_drop(fps);
    timecode_parse(m->board.deliver.drop ? "01:00:00;00" : "01:00:00:00", fps,
                   &m->board.deliver.start);
    m->shot = (struct shot){.id = "s1", .kind = SHOT_CARD, .tier = "title", .frames = frames};
    m->shot.prompt = m->shot.negative = m->shot.look = m->shot.camera = "";
    m->shot.sampler = m->shot.step_cache = m->shot.keyframe = "";
    m->shot.guidance = m->shot.guidance_2 = m->shot.noise = -1;
    m->shot.source.path = m->shot.source.written = "";
    m->env = (struct stage_env){.board = &m->board, .device = {.threads = 2}};
    m->env.data_dir = m->env.models_dir = m->env.tier = "";
    m->job = (struct stage_job){.env = &m->env,
                                .shot = &m->shot,
                                .arena = &m->arena,
                                .workdir = m->dir,
                                .input = media_input,
                                .output = media_output,
                                .progress = media_progress,
                                .cancelled = media_cancelled,
                                .note = media_note};
    return m;
}

static inline int media_run(struct media_job *m, enum stage_id id, const struct stage *stage)
{
    m->now = id;
    m->progressed = 0;
    error_clear(&m->e);
    return stage->run(NULL, &m->job, &m->e);
}

/* As media_run(), but a failure ends the test with its reason. */
static inline void media_must(struct media_job *m, enum stage_id id, const struct stage *stage)
{
    if (media_run(m, id, stage) != 0)
        fail_msg("%s", m->e.text);
}

static inline void media_job_free(struct media_job *m)
{
    struct error e;

    path_remove(m->dir, &e);
    arena_free(&m->arena);
    free(m);
}

static inline struct overlay media_overlay(enum overlay_style style, const char *text)
{
    return (struct overlay){
        .style = style, .text = text, .subtext = "", .font = "", .in = 0, .out = 1e6, .line = 7};
}

#endif
