/* A review as the page reads it. Everything that the page shows comes from here:
 *
 *   board, production, fps [num, den], drop, start, handles, size [width, height], stages [name]
 *   live                  whether a run goes on
 *   shots [{id, kind, tier, frames, at, in, cut, state, stage, error, prompt, negative, look,
 *           camera, seed, overlays [{style, text, subtext, in, out}], notes [...],
 *           versions [{number, film, textless, proxy, poster, verdict, current, stamp, asked,
 *                      enhanced, generated, decoded, delivered, timings}]}]
 *
 * start is the timecode of a shot's first frame behind its handle, as a frame number; at, in and
 * cut are of film.h: where it stands in the film, and what of its frames. Paths are percent-encoded
 * and relative. What a version's sheet says is taken as it stands there (sheet.h).
 */
#include <inttypes.h>
#include <string.h>

#include "kernels/base/strbuf.h"
#include "pipeline/handoff/media_url.h"
#include "pipeline/review/review.h"
#include "stages/stage.h"

/* jansson takes NULL as failure: pieces are built without a check each, and `ok` tells at the end.
 */
static void put(json_t *o, const char *name, json_t *value, bool *ok)
{
    if (json_object_set_new(o, name, value) != 0)
        *ok = false;
}

static void put_path(json_t *o, const char *name, const char *path, bool *ok)
{
    struct strbuf b = {0};
    char *url;

    if (!path)
        return;
    media_url_add(&b, path);
    url = strbuf_take(&b);
    put(o, name, url ? json_string(url) : NULL, ok);
    free(url);
}

static json_t *overlays(const struct shot *shot, bool *ok)
{
    json_t *list = json_array();

    for (size_t i = 0; i < shot->overlay_count; i++) {
        const struct overlay *v = &shot->overlays[i];

        if (json_array_append_new(
                list, json_pack("{ss ss ss sf sf}", "style", overlay_style_name(v->style), "text",
                                v->text, "subtext", v->subtext, "in", v->in, "out", v->out)) != 0)
            *ok = false;
    }
    return list;
}

/* The notes that a stage left in the sheet. */
static const json_t *notes_of(const json_t *sheet, const char *stage)
{
    return json_object_get(json_object_get(json_object_get(sheet, "made"), stage), "notes");
}

static void put_part(json_t *o, const char *name, const json_t *part, bool *ok)
{
    if (part && json_object_size(part) > 0)
        put(o, name, json_deep_copy(part), ok);
}

/* What changes when the film does, under whatever name. */
static const char *stamp(const json_t *sheet)
{
    const json_t *encode = json_object_get(json_object_get(sheet, "made"), "encode");
    const char *key = json_string_value(
        json_object_get(json_array_get(json_object_get(encode, "made"), 0), "xxh3"));

    return key ? key : "";
}

static json_t *version(const struct review_version *v, bool *ok)
{
    json_t *o = json_pack("{si ss sb ss}", "number", v->number, "verdict", v->verdict, "current",
                          v->current, "stamp", stamp(v->sheet));

    put_path(o, "film", v->film, ok);
    put_path(o, "textless", v->textless, ok);
    put_path(o, "proxy", v->proxy, ok);
    put_path(o, "poster", v->poster, ok);
    put_part(o, "asked", json_object_get(v->sheet, "asked"), ok);
    put_part(o, "enhanced", json_object_get(notes_of(v->sheet, stage_enhance.name), "enhanced"),
             ok);
    put_part(o, "generated", notes_of(v->sheet, stage_generate.name), ok);
    put_part(o, "decoded", notes_of(v->sheet, stage_decode.name), ok);
    put_part(o, "delivered", json_object_get(notes_of(v->sheet, stage_encode.name), "delivered"),
             ok);
    put_part(o, "timings", json_object_get(v->sheet, "timings"), ok);
    return o;
}

static json_t *shot_json(const struct review_shot *s, bool *ok)
{
    const struct shot *shot = s->shot;
    json_t *list = json_array();
    json_t *o =
        json_pack("{ss ss ss si sI si si ss ss ss ss ss ss ss}", "id", shot->id, "kind",
                  shot_kind_name(shot->kind), "tier", shot->tier, "frames", shot->frames, "at",
                  (json_int_t)s->place.at, "in", s->place.in, "cut", s->place.frames, "state",
                  s->state, "stage", s->stage, "error", s->error, "prompt", shot->prompt,
                  "negative", shot->negative, "look", shot->look, "camera", shot->camera);

    /* As text: a seed may be larger than the numbers of JavaScript are exact. */
    if (shot->kind == SHOT_GENERATED)
        put(o, "seed", json_sprintf("%" PRIu64, shot->seed), ok);
    put(o, "overlays", overlays(shot, ok), ok);
    for (size_t i = 0; i < s->version_count; i++)
        if (json_array_append_new(list, version(&s->versions[i], ok)) != 0)
            *ok = false;
    put(o, "versions", list, ok);
    put(o, "notes", s->notes ? json_incref(s->notes) : json_array(), ok);
    return o;
}

json_t *review_json(const struct review *r)
{
    const struct board *b = r->board;
    const char *slash = strrchr(r->production->dir, '/');
    bool ok = true;
    json_t *stages = json_array(), *shots = json_array();
    json_t *o =
        json_pack("{ss ss s[ii] sb sI si s[ii] sb}", "board", b->name, "production",
                  slash && slash[1] ? slash + 1 : r->production->dir, "fps", b->fps.num, b->fps.den,
                  "drop", b->deliver.drop, "start", (json_int_t)b->deliver.start, "handles",
                  b->deliver.handles, "size", b->width, b->height, "live", r->live);

    for (int i = 0; i < STAGES; i++)
        ok &= json_array_append_new(stages, json_string(stages_all[i]->name)) == 0;
    for (size_t i = 0; i < r->count; i++)
        ok &= json_array_append_new(shots, shot_json(&r->shots[i], &ok)) == 0;
    put(o, "stages", stages, &ok);
    put(o, "shots", shots, &ok);
    if (ok)
        return o;
    json_decref(o);
    return NULL;
}
