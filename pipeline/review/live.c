#include "pipeline/review/live.h"

#include <libavutil/base64.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "pipeline/execute/job.h"
#include "pipeline/progress/progress_file.h"
#include "pipeline/review/page.h"
#include "pipeline/review/preview.h"
#include "stages/generate/sampling.h"
#include "stages/generate/tiers.h"

static const double PERIOD = 0.7; /* seconds between looks, at least */

struct stamps {
    struct file_stat journal, progress, board;
    bool live;
};

struct live {
    struct production production;
    struct stamps stamps; /* as it was when it was last looked at */
    double looked;
    json_t *data;
    char *board, *text;
    struct hash128 tag;
    struct arena arena; /* of paths */
    const char **paths; /* sorted */
    size_t path_count;
};

/* ---- previews */

static bool is_frames_first(const struct family *f)
{
    return strcmp(f->name, "cogvideox") == 0 || strcmp(f->name, "svd") == 0;
}

static json_t *preview_json(const char *shot, const struct preview *p, int step, int steps)
{
    int bytes = p->width * p->height * 3;
    char *text = malloc(AV_BASE64_SIZE(bytes));
    json_t *o = NULL;

    if (text && av_base64_encode(text, AV_BASE64_SIZE(bytes), p->rgb, bytes))
        o = json_pack("{ss si si si si ss}", "shot", shot, "step", step, "steps", steps, "width",
                      p->width, "height", p->height, "rgb", text);
    free(text);
    return o;
}

/* A checkpoint that has no picture is no trouble: the page does without. */
static void add_preview(json_t *list, const struct workspace *w, struct journal_view *view,
                        const struct review_shot *s)
{
    const struct tier *tier = tier_find(tier_name_of_shot(&w->env, s->shot));
    struct error ignored = {0};
    struct arena arena = {0};
    struct preview p = {0};
    struct tensor latents;
    const void *bytes;
    size_t size;
    int step, steps;

    if (tier && journal_checkpoint_get(view, s->key, &bytes, &size, &ignored) == 1 &&
        sampling_state_peek(bytes, size, &arena, &latents, &step, &steps, &ignored) == 0 &&
        preview_make(&latents, is_frames_first(tier->family), tier->name, &p, &ignored) == 0)
        json_array_append_new(list, preview_json(s->shot->id, &p, step, steps));
    free(p.rgb);
    arena_free(&arena);
}

static json_t *previews(const struct workspace *w, const struct review *r)
{
    struct error ignored = {0};
    struct journal_view *view;
    json_t *list = json_array();

    if (!r->live || journal_view_begin(w->journal, &view, &ignored) != 0)
        return list;
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->shots[i].state, "running") == 0 &&
            strcmp(r->shots[i].stage, stage_generate.name) == 0)
            add_preview(list, w, view, &r->shots[i]);
    journal_view_end(view);
    return list;
}

/* ---- files that are referred to */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool take_paths(struct live *l, const struct review *r)
{
    struct arena fresh = {0};
    const char **paths;
    size_t n = 0, most = 0;

    for (size_t i = 0; i < r->count; i++)
        most += 4 * r->shots[i].version_count;
    paths = arena_array(&fresh, most + 1, sizeof *paths);
    for (size_t i = 0; paths && i < r->count; i++)
        for (size_t k = 0; k < r->shots[i].version_count; k++) {
            const struct review_version *v = &r->shots[i].versions[k];
            const char *const all[] = {v->film, v->textless, v->proxy, v->poster};

            for (size_t m = 0; m < 4; m++)
                if (all[m] && (paths[n] = arena_strdup(&fresh, all[m])))
                    n++;
        }
    if (!paths)
        return false;
    qsort(paths, n, sizeof *paths, by_text);
    arena_free(&l->arena);
    l->arena = fresh;
    l->paths = paths;
    l->path_count = n;
    return true;
}

bool live_has_file(const struct live *l, const char *path)
{
    return l->path_count &&
           bsearch(&path, l->paths, l->path_count, sizeof *l->paths, by_text) != NULL;
}

/* ---- looking */

static json_t *data_of(struct live *l, const struct workspace *w, const struct review *r)
{
    json_t *data = review_json(r), *run = r->live ? progress_file_read(&l->production) : NULL;

    if (!data || json_object_set_new(data, "served", json_true()) != 0 ||
        json_object_set_new(data, "previews", previews(w, r)) != 0 ||
        (run && json_object_update_missing(data, run) != 0)) {
        json_decref(data);
        data = NULL;
    }
    json_decref(run);
    return data;
}

static int take(struct live *l, const struct workspace *w, const struct review *r, struct error *e)
{
    json_t *data = data_of(l, w, r);
    char *text =
        data ? json_dumps(data, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(12)) : NULL;
    char *board = strdup(w->board.name);

    if (!text || !board || !take_paths(l, r)) {
        json_decref(data);
        free(text);
        free(board);
        return error_memory(e);
    }
    json_decref(l->data);
    free(l->text);
    free(l->board);
    l->data = data;
    l->text = text;
    l->board = board;
    l->tag = hash_bytes(text, strlen(text));
    return 0;
}

static int look(struct live *l, bool live, struct error *e)
{
    struct workspace w = {0};
    struct review review = {0};
    struct request r;
    int rc = -1;

    if (production_name(&w.production, l->production.dir, e) == 0 &&
        workspace_journal(&w, JOURNAL_READ, e) == 0 && workspace_recall(&w, &r, e) == 0) {
        r.only = "";
        if (workspace_board_copy(&w, &r, e) == 0 && workspace_plan(&w, &r, e) == 0 &&
            review_gather(&review, &w, &w.plan, live, e) == 0)
            rc = take(l, &w, &review, e);
    }
    review_free(&review);
    workspace_close(&w);
    return rc;
}

static struct file_stat stat_of(const char *dir, const char *name)
{
    struct arena arena = {0};
    struct error ignored = {0};
    struct file_stat st = {0};
    const char *path = path_join(&arena, dir, name);

    if (path)
        file_stat(path, &st, &ignored);
    arena_free(&arena);
    return st;
}

static struct stamps stamps_of(const struct production *p)
{
    struct stamps s;
    char who[JOURNAL_WHO_SIZE];

    memset(&s, 0, sizeof s); /* they are compared as bytes */
    s.live = journal_writer(p->journal, who) == 1;
    s.journal = stat_of(p->journal, "data.mdb");
    s.progress = stat_of(p->tmp, "progress.json");
    s.board = stat_of(p->dir, ".auteur/board.yaml");
    return s;
}

void live_look(struct live *l)
{
    double now = clock_monotonic();
    struct error ignored = {0};
    struct stamps stamps;

    if (now - l->looked < PERIOD)
        return;
    l->looked = now;
    stamps = stamps_of(&l->production);
    if (memcmp(&stamps, &l->stamps, sizeof stamps) != 0 && look(l, stamps.live, &ignored) == 0)
        memcpy(&l->stamps, &stamps, sizeof stamps);
}

int live_open(const char *dir, struct live **out, struct error *e)
{
    struct live *l = calloc(1, sizeof *l);
    struct stamps stamps;

    if (!l)
        return error_memory(e);
    if (production_name(&l->production, dir, e) != 0)
        goto fail;
    stamps = stamps_of(&l->production);
    if (look(l, stamps.live, e) != 0)
        goto fail;
    memcpy(&l->stamps, &stamps, sizeof stamps);
    *out = l;
    return 0;
fail:
    live_close(l);
    return -1;
}

void live_close(struct live *l)
{
    if (!l)
        return;
    production_free(&l->production);
    json_decref(l->data);
    free(l->board);
    free(l->text);
    arena_free(&l->arena);
    free(l);
}

const char *live_board(const struct live *l)
{
    return l->board;
}

const json_t *live_data(const struct live *l)
{
    return l->data;
}

const char *live_text(const struct live *l, size_t *size, struct hash128 *tag)
{
    *size = strlen(l->text);
    *tag = l->tag;
    return l->text;
}
