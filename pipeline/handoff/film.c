#include "pipeline/handoff/film.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"
#include "pipeline/execute/recipe.h"
#include "stages/film/film.h"

enum { NUMBER_MOST = 999999, META_SIZE = 64 };

struct making {
    const struct film_request *request;
    const struct timeline *timeline;
    struct arena arena;
    struct film_clip *clips;
    struct film film;
    char timecode[TIMECODE_SIZE], key[HASH_HEX_SIZE];
    int number;
    bool there; /* the film of that number stands as it was left */
    char name[FILM_NAME_SIZE];
    const char *path, *tmp;
};

static bool cancelled(void *ctx)
{
    return ((const struct film_request *)ctx)->interrupted();
}

static void progress(void *ctx, int64_t done, int64_t total)
{
    const struct film_request *r = ctx;

    if (r->progress)
        r->progress(r->ctx, done, total);
}

static int fill_clip(struct making *m, size_t i, struct error *e)
{
    const struct clip *from = &m->timeline->tracks[0].clips[i];
    struct film_clip *c = &m->clips[i];

    *c = (struct film_clip){.name = from->name,
                            .in = from->in,
                            .frames = from->frames,
                            .kind = from->from.kind,
                            .before = from->from.before,
                            .after = from->from.after};
    if (!from->medium)
        return 0;
    c->path = path_join(&m->arena, m->timeline->root, from->medium->path);
    return c->path ? 0 : error_memory(e);
}

/* The files that it is cut of. */
static int write_recipe(struct making *m, struct error *e)
{
    const struct track *track = &m->timeline->tracks[0];
    json_t *files = json_array();

    for (size_t i = 0; files && i < track->count; i++)
        if (track->clips[i].medium)
            json_array_append_new(files, json_string(track->clips[i].medium->path));
    return recipe_of_many("cut", files, &m->arena, &m->film.recipe, e);
}

static int fill_film(struct making *m, struct error *e)
{
    const struct timeline *t = m->timeline;
    const struct film_request *r = m->request;

    m->clips = arena_array(&m->arena, t->tracks[0].count, sizeof *m->clips);
    if (!m->clips)
        return error_memory(e);
    for (size_t i = 0; i < t->tracks[0].count; i++)
        if (fill_clip(m, i, e) != 0)
            return -1;
    timecode_format(t->start, t->fps, t->drop, m->timecode);
    m->film = (struct film){.clips = m->clips,
                            .count = t->tracks[0].count,
                            .fps = t->fps,
                            .timecode = m->timecode,
                            .sound = r->sound,
                            .threads = r->threads,
                            .cancelled = cancelled,
                            .progress = progress,
                            .ctx = (void *)(uintptr_t)r};
    film_size(t->width, t->height, &m->film.width, &m->film.height);
    return write_recipe(m, e);
}

/* All that decides the film's bytes, one thing a line. */
static int find_key(struct making *m, struct error *e)
{
    const struct film *f = &m->film;
    struct strbuf b = {0};
    struct hash128 sound;
    char hex[HASH_HEX_SIZE];
    int rc = -1;

    strbuf_addf(&b, "film %d, %dx%d at %d/%d from %s\n", FILM_VERSION, f->width, f->height,
                f->fps.num, f->fps.den, f->timecode);
    for (size_t i = 0; i < f->count; i++) {
        const struct film_clip *c = &f->clips[i];

        hash_hex(handoff_digest(m->request->handoff, i), hex);
        strbuf_addf(&b, "%s %s %" PRId64 "+%" PRId64 " %s %" PRId64 "+%" PRId64 "\n",
                    c->path ? hex : "missing",
                    c->path ? m->timeline->tracks[0].clips[i].medium->path : c->name, c->in,
                    c->frames, transition_kind_name(c->kind), c->before, c->after);
    }
    if (f->sound) {
        if (hash_file(f->sound, &sound, e) != 0)
            goto done;
        hash_hex(sound, hex);
        strbuf_addf(&b, "sound %s\n", hex);
    }
    if (b.failed) {
        error_memory(e);
        goto done;
    }
    hash_hex(hash_bytes(b.text, b.length), m->key);
    rc = 0;
done:
    strbuf_free(&b);
    return rc;
}

static const char *name_of(int number, char out[FILM_NAME_SIZE])
{
    snprintf(out, FILM_NAME_SIZE, "film_v%03d.mp4", number);
    return out;
}

/* Whether this number is the film's: 1; 0: another film has it, or may have; -1. */
static int is_number(struct making *m, struct journal_view *view, int number, struct error *e)
{
    char meta[META_SIZE], name[FILM_NAME_SIZE], key[HASH_HEX_SIZE];
    struct file_stat st = {0};
    struct error ignored = {0};
    uint64_t size;
    const char *value, *path;
    int found;

    snprintf(meta, sizeof meta, "film:%d", number);
    path = path_join(&m->arena, m->request->production->dir, name_of(number, name));
    if (!path)
        return error_memory(e);
    found = journal_meta_get(view, meta, &value, e);
    if (found < 0)
        return -1;
    m->there = file_stat(path, &st, &ignored) == 0;
    if (!found)
        return !m->there; /* a file that the journal does not know is somebody's */
    if (sscanf(value, "%32s %" SCNu64, key, &size) != 2 || strcmp(key, m->key) != 0)
        return 0;
    return !m->there || st.size == size; /* one that was altered stays as it is */
}

static int find_number(struct making *m, struct error *e)
{
    struct journal_view *view;
    int is = 0;

    if (journal_view_begin(m->request->journal, &view, e) != 0)
        return -1;
    for (int n = 1; is == 0 && n <= NUMBER_MOST; n++) {
        is = is_number(m, view, n, e);
        m->number = n;
    }
    journal_view_end(view);
    if (is == 0)
        error_set(e, ERROR_INPUT, "%s holds %d films: move some elsewhere",
                  m->request->production->dir, NUMBER_MOST);
    return is > 0 ? 0 : -1;
}

static int name_paths(struct making *m, struct error *e)
{
    const struct production *p = m->request->production;

    name_of(m->number, m->name);
    m->path = path_join(&m->arena, p->dir, m->name);
    m->tmp = path_join(&m->arena, p->tmp, "film.mp4");
    return m->path && m->tmp ? 0 : error_memory(e);
}

/* The number is taken before the file stands: a kill between the two leaves a number without a
 * file, which the next run fills. */
static int publish(struct making *m, struct error *e)
{
    char meta[META_SIZE], value[META_SIZE];
    struct file_stat st;

    if (file_stat(m->tmp, &st, e) != 0)
        return -1;
    snprintf(meta, sizeof meta, "film:%d", m->number);
    snprintf(value, sizeof value, "%s %" PRIu64, m->key, st.size);
    if (journal_meta_put(m->request->journal, meta, value, e) != 0)
        return -1;
    return file_publish(m->tmp, m->path, e);
}

/* film.mp4 leads to the film. What is no link is somebody's file, and stays; so do file systems
 * without links. */
static int point(struct making *m, struct error *e)
{
    const struct production *p = m->request->production;
    const char *link = path_join(&m->arena, p->dir, "film.mp4");
    const char *fresh = path_join(&m->arena, p->dir, ".film.mp4.tmp");
    char now[FILM_NAME_SIZE];
    ssize_t n;

    if (!link || !fresh)
        return error_memory(e);
    n = readlink(link, now, sizeof now);
    if (n < 0 && errno == EINVAL)
        return 0;
    if (n == (ssize_t)strlen(m->name) && memcmp(now, m->name, (size_t)n) == 0)
        return 0;
    if (path_remove(fresh, e) != 0)
        return -1;
    if (symlink(m->name, fresh) != 0)
        return errno == EPERM || errno == ENOTSUP ? 0 : error_errno(e, errno, "link", fresh);
    if (rename(fresh, link) != 0)
        return error_errno(e, errno, "rename to", link);
    return 0;
}

static int render(struct making *m, struct error *e)
{
    const struct production *p = m->request->production;
    struct error ignored = {0};
    int rc = dir_make(p->tmp, e);

    if (rc == 0)
        rc = film_render(&m->film, m->tmp, e);
    if (rc == 0)
        rc = publish(m, e);
    path_remove(p->tmp, &ignored); /* there only while a run is */
    return rc;
}

static bool anything(const struct making *m)
{
    for (size_t i = 0; i < m->film.count; i++)
        if (m->film.clips[i].path)
            return true;
    return false;
}

int film_write(const struct film_request *r, char made[FILM_NAME_SIZE], struct error *e)
{
    struct making m = {.request = r, .timeline = handoff_timeline(r->handoff)};
    int rc = -1;

    *made = '\0';
    if (fill_film(&m, e) != 0)
        goto done;
    if (!anything(&m)) {
        rc = 0;
        goto done;
    }
    if (find_key(&m, e) != 0 || find_number(&m, e) != 0 || name_paths(&m, e) != 0)
        goto done;
    if (!m.there) {
        if (render(&m, e) != 0)
            goto done;
        memcpy(made, m.name, FILM_NAME_SIZE);
    }
    rc = point(&m, e);
done:
    arena_free(&m.arena);
    return rc;
}
