/* The five stages behind one interface. A stage is one const descriptor in stages_all[]; the
 * executor plans, schedules and records, a stage only works. A stage never opens the journal and
 * never writes outside job->workdir.
 *
 *   describe()  names every input that decides the stage's output; the executor hashes them, with
 *               the stage's name, version and the keys of the stages it reads (or the content
 *               of an artefact: see reads_content), into the content key. Cheap: called for every
 * shot at every start; any thread. open()      loads what a group of shots needs (a model), once;
 * NULL when nothing is needed. It sees the shots of the group that will run, in order, and what
 * earlier stages made for each (generate encodes all enhanced prompts before it loads the
 *               denoiser). The group struct is good only until open() returns. Engine lane only.
 *   run()       makes the stage's artefacts for one shot. Engine-lane stages run on one thread,
 *               one at a time, between open() and close() of their group; CPU-lane stages run on
 *               any worker, several at once, with session NULL.
 *   run_batch() the same for several shots of a group at once, where the stage gains by that.
 *   close()     frees the session; NULL-safe.
 *
 * Artefacts a run() has added belong to the executor, also on failure; it discards those then.
 */
#ifndef AUTEUR_STAGES_STAGE_H
#define AUTEUR_STAGES_STAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/arena.h"
#include "kernels/base/error.h"
#include "kernels/base/hash.h"
#include "kernels/device.h"
#include "kernels/prefetch.h"
#include "stages/decode/vae_limits.h"
#include "storyboards/board.h"

enum stage_id {
    STAGE_ENHANCE,
    STAGE_GENERATE,
    STAGE_DECODE,
    STAGE_COMPOSITE,
    STAGE_ENCODE,
    STAGES
};

enum lane {
    LANE_NONE,   /* the shot skips this stage (a title card needs no model) */
    LANE_ENGINE, /* one at a time, owns the device */
    LANE_CPU     /* in the pool */
};

/* What every stage may know of its surroundings; read-only while anything runs. */
struct stage_env {
    const struct board *board;
    const char *data_dir;   /* lexicon, styles, embedded checkpoint: see pipeline/paths.h */
    const char *models_dir; /* --models or AUTEUR_MODELS; "" for none */
    const char *tier;       /* --tier overrides every generated shot; "" for none */
    /* Of pictures that SDXL makes: a name of presets_all (stages/generate/presets.h), "" for the
     * first, and how many shots may share a forward pass, 1..16; 0 as the preset says. */
    const char *preset;
    int batch;
    /* --step-cache and --step-cache-threshold, over what boards say; NULL or "", and 0 for none. */
    const char *step_cache;
    double step_cache_threshold;
    /* What the engine's stages run on; its threads (>= 1) are for one stage's own use, its dtype is
     * the model family's affair. */
    struct device_options device;
    struct vae_limits vae; /* of every decode */
    /* Content identity of a file or of a model directory, cached by the executor. */
    int (*identify)(void *ctx, const char *path, struct hash128 *out, struct error *e);
    void *identify_ctx;
    /* Tells the user, in a line, what trouble was met and what was done about it. NULL: nobody. */
    void (*mended)(void *ctx, const char *text);
    void *mended_ctx;
};

/* describe() calls these. `name` is what `why` shows ("prompt", "seed", "model.transformer"). */
struct inputs {
    void (*text)(struct inputs *in, const char *name, const char *value);
    void (*number)(struct inputs *in, const char *name, double value);
    void (*integer)(struct inputs *in, const char *name, int64_t value);
    void (*digest)(struct inputs *in, const char *name, struct hash128 value);
};

enum { STAGE_BATCH_MOST = 16 };
enum { ARTEFACT_NAME_SIZE = 64 };
/* Something a stage made. Exactly one of bytes and path is set. */
struct artefact {
    char name[ARTEFACT_NAME_SIZE]; /* "prompt.json", "latents", "master.mkv", "deliver.mp4" */
    const void *bytes;             /* small ones, kept in the journal (owned by the job's arena) */
    size_t size;
    const char *path; /* large ones: a file; in job->workdir while being made */
    bool delivered;   /* goes to shots/ID/ID_v001<suffix of name from its first '.'> */
};

struct stage_job {
    const struct stage_env *env;
    const struct shot *shot;
    struct arena *arena; /* lives as long as the job; for strings and artefact bytes */
    const char *workdir; /* an empty directory of this job's own, same file system as out */
    /* Of a shot's last stage: what delivered files carry so that the shot can be made again; NULL:
     * nothing. */
    const char *recipe;

    /* What earlier stages of the shot made. NULL when there is none of that name. The pointer is
     * good until run() returns. */
    const struct artefact *(*input)(struct stage_job *job, enum stage_id stage, const char *name);
    /* Registers an artefact. bytes are not copied: allocate them from job->arena or keep them alive
     * until close(). */
    int (*output)(struct stage_job *job, const struct artefact *a, struct error *e);

    /* done of total units ("step", "frame", "token"); any call may be dropped. */
    void (*progress)(struct stage_job *job, double done, double total, const char *unit);
    /* True after the first Ctrl-C: finish the unit in hand, checkpoint, return ERROR_CANCELLED. */
    bool (*cancelled)(const struct stage_job *job);
    /* The last checkpoint saved under this key (NULL: none), and saving one: durable when it
     * returns 0. The bytes given by load live until run() returns. */
    const void *(*checkpoint_load)(struct stage_job *job, size_t *size);
    int (*checkpoint_save)(struct stage_job *job, const void *bytes, size_t size, struct error *e);
    /* Adds to the shot's JSON under the stage's name: a JSON value as text ("\"previs\"", "12"). */
    void (*note)(struct stage_job *job, const char *name, const char *json_value);

    void *executor; /* the executor's own */
};

/* What open() is given: the jobs of one group, all of whose earlier stages are done. */
struct stage_group {
    const struct stage_env *env;
    const char *name; /* as the stage's group() returned it */
    const struct shot *const *shots;
    size_t count;
    /* What an earlier stage made for shots[index]; NULL when there is none of that name. The
     * pointer is good until open() returns. */
    const struct artefact *(*input)(const struct stage_group *group, size_t index,
                                    enum stage_id stage, const char *name);
    /* True after the first Ctrl-C: open() may return ERROR_CANCELLED. */
    bool (*cancelled)(const struct stage_group *group);
    void *executor; /* the executor's own */
};

struct stage {
    const char *name;
    unsigned version; /* raise when the same inputs give other output */
    enum lane (*lane)(const struct stage_env *env, const struct shot *shot);
    /* Jobs of one group share a session; NULL or "" when the stage needs none. */
    const char *(*group)(const struct stage_env *env, const struct shot *shot);
    int (*describe)(const struct stage_env *env, const struct shot *shot, struct inputs *in,
                    struct error *e);
    /* Which earlier stages' keys are inputs: a bit (1u << STAGE_x) each. */
    unsigned reads;
    /* Of one of them it may be the content of an artefact that counts, not the key: then this stage
     * is up to date as long as that stage makes the same, whatever it was made from. It must be all
     * that is read of that stage. NULL: the key counts. */
    struct {
        enum stage_id stage;
        const char *artefact;
    } reads_content;
    /* Checks what can be checked before any long work: fonts, sources, models. For `check` and at
     * the start of every run, for jobs that will run. NULL: nothing to check. */
    int (*check)(const struct stage_env *env, const struct shot *shot, struct error *e);
    /* Adds the folders that open() of the shot's group will read, first things first. Any thread.
     * NULL: it reads little. */
    void (*soon)(const struct stage_env *env, const struct shot *shot, struct prefetch *p);
    int (*open)(const struct stage_group *group, void **session, struct error *e);
    int (*run)(void *session, struct stage_job *job, struct error *e);
    /* Shots of a group that may run together, at most *most (to STAGE_BATCH_MOST), are those for
     * which this gives the same text, in the arena; NULL: this one runs alone. Both are NULL for a
     * stage that knows no batches. What a job makes and its key are what they are alone. */
    const char *(*batch)(const struct stage_env *env, const struct shot *shot, struct arena *a,
                         size_t *most);
    /* run() of count >= 2 such jobs: errors[i] is zeroed, and is left so where jobs[i] was done. */
    void (*run_batch)(void *session, struct stage_job *const *jobs, size_t count,
                      struct error *errors);
    void (*close)(void *session);
};

extern const struct stage stage_enhance, stage_generate, stage_decode, stage_composite,
    stage_encode;
extern const struct stage *const stages_all[STAGES]; /* by enum stage_id */

#endif
