/* A plan as JSON: all that is told people, bytes and seconds unrounded. */
#include <jansson.h>

#include "pipeline/commands/command.h"
#include "pipeline/commands/plan_board.h"

static json_t *bytes(double n)
{
    return json_integer((json_int_t)n);
}

/* What a user typed need not be UTF-8, which JSON must be. */
static json_t *typed(const char *text)
{
    json_t *o = json_string(text);
    return o ? o : json_string("(not UTF-8)");
}

static json_t *machine_json(const struct plan_board *p)
{
    const struct machine *m = &p->machine;
    json_t *notes = json_array(), *o;

    for (int i = 0; i < p->note_count; i++)
        json_array_append_new(notes, json_string(p->notes[i]));
    o = json_pack("{so si so so sb so}", "name", typed(m->facts.name), "gpus", m->gpus, "memory",
                  bytes((double)m->facts.memory), "taken", bytes(m->taken), "unified",
                  m->facts.unified, "notes", notes);
    if (o && m->host)
        json_object_set_new(o, "host_memory", bytes((double)m->host));
    return o;
}

static json_t *stage_json(const struct plan_board *p, const struct forecast_stage *s)
{
    json_t *o =
        json_pack("{ss si so so so so so so so}", "stage", s->name, "models", s->models, "weights",
                  bytes(s->weights), "activations", bytes(s->activations), "workspace",
                  bytes(s->workspace), "peak", bytes(s->peak), "host", bytes(s->host), "streamed",
                  bytes(s->streamed), "stored", bytes(s->stored));

    if (o && s->steps)
        json_object_set_new(o, "steps", json_integer(s->steps));
    if (o && s->together)
        json_object_set_new(o, "together", json_integer(s->together));
    if (o && s->cuts)
        json_object_set_new(o, "smaller_pieces", json_integer(s->cuts));
    if (o && s->fewer > 0)
        json_object_set_new(o, "step_cache_fewer_blocks", json_real(s->fewer));
    if (o && plan_is_timed(p)) {
        json_object_set_new(o, "load_seconds", json_real(s->load));
        json_object_set_new(o, "work_seconds", json_real(s->work));
        json_object_set_new(o, "hoped_work_seconds", json_real(s->hoped));
    }
    return o;
}

static json_t *place_json(const struct plan_tier *t, const struct place *place)
{
    json_t *models = json_array();

    for (int i = 0; i < place->count; i++) {
        const struct forecast_stage *s = &t->at_once.stage[place->model[i].stage];
        json_array_append_new(models, json_pack("{ss si si}", "stage", s->name, "number",
                                                place->model[i].number + 1, "of", s->models));
    }
    return json_pack("{so so so so}", "models", models, "weights", bytes(place->weights), "working",
                     bytes(place->working), "total", bytes(place->total));
}

static void add_checkpoint(json_t *o, const struct forecast *f)
{
    json_t *published = json_array();

    json_object_set_new(o, "there", json_boolean(!f->outlined));
    for (int i = 0; i < 2 && f->published[i]; i++)
        json_array_append_new(published, json_string(f->published[i]->repository));
    if (!f->outlined) {
        json_decref(published);
        return;
    }
    json_object_set_new(o, "sizes_of", published);
    json_object_set_new(o, "unusable", json_boolean(f->unusable));
    if (f->lack.code != ERROR_NONE)
        json_object_set_new(o, "lack", typed(f->lack.text));
}

static json_t *tier_json(const struct plan_board *p, const struct plan_tier *t)
{
    json_t *stages = json_array(), *places = json_array(), *o;
    double resident = t->places[0].total;

    for (int i = 0; i < t->all.count; i++)
        json_array_append_new(stages, stage_json(p, &t->all.stage[i]));
    for (int i = 0; i < t->place_count; i++)
        json_array_append_new(places, place_json(t, &t->places[i]));
    o = json_pack("{ss ss so si si si so so so sb so sb si so ss}", "tier", t->tier->name, "model",
                  t->tier->model, "shots", json_integer((json_int_t)t->shots), "width", t->width,
                  "height", t->height, "frames", t->frames, "stages", stages, "peak",
                  bytes(t->peak), "host", bytes(t->host), "fits", t->fits, "resident",
                  bytes(resident), "resident_fits",
                  t->place_count > 0 && machine_holds(&p->machine, resident), "resident_gpus",
                  t->resident_gpus, "resident_places", places, "mend", t->mend);
    if (o)
        add_checkpoint(o, &t->all);
    return o;
}

static json_t *fault_json(const struct plan_fault *f)
{
    return json_pack("{ss si so so sb}", "shot", f->shot->id, "line", f->shot->line, "more",
                     json_integer((json_int_t)f->more), "error", typed(f->why.text), "refused",
                     f->refused);
}

int plan_board_json(const struct plan_board *p, struct error *e)
{
    json_t *tiers = json_array(), *faults = json_array(), *root;

    for (int i = 0; i < p->count; i++)
        json_array_append_new(tiers, tier_json(p, &p->tiers[i]));
    for (size_t i = 0; i < p->fault_count; i++)
        json_array_append_new(faults, fault_json(&p->faults[i]));
    root = json_pack("{so so so so so sf so sb so so sb}", "board", typed(p->path), "machine",
                     machine_json(p), "tiers", tiers, "faults", faults, "other_shots",
                     json_integer((json_int_t)p->shots), "films_seconds", p->films, "film_memory",
                     bytes(p->film), "films_fit", plan_films_fit(p), "disk_made", bytes(p->made),
                     "disk_read", bytes(p->checkpoints), "fits", plan_board_fits(p));
    if (root && p->disk > 0) {
        json_object_set_new(root, "disk_free", bytes(p->disk));
        json_object_set_new(root, "disk_fits", json_boolean(plan_disk_holds(p)));
    }
    if (root && plan_is_timed(p)) {
        json_object_set_new(root, "seconds", json_real(plan_seconds(p, false)));
        json_object_set_new(root, "hoped_seconds", json_real(plan_seconds(p, true)));
        json_object_set_new(root, "load_seconds", json_real(plan_loading(p)));
        json_object_set_new(root, "disk_bytes_per_second", json_real(p->machine.disk));
    }
    return command_json(root, e);
}
