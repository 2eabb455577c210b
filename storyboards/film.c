#include "storyboards/film.h"

static int lacking(int wanted, int handles)
{
    return wanted > handles ? wanted - handles : 0;
}

int64_t film_lay_out(const struct board *b, struct film_place *places)
{
    int64_t at = 0;

    for (size_t i = 0; i < b->shot_count; i++) {
        const struct shot *shot = &b->shots[i];
        int frames = shot->transition.frames;

        places[i].before = i ? frames / 2 : 0;
        places[i].after = frames - places[i].before;
    }
    for (size_t i = 0; i < b->shot_count; i++) {
        struct film_place *p = &places[i];
        int handles = b->deliver.handles;
        int head = lacking(p->before, handles);
        int tail = i + 1 < b->shot_count ? lacking(places[i + 1].after, handles) : 0;

        p->at = at;
        p->in = handles + head;
        p->frames = b->shots[i].frames - 2 * handles - head - tail;
        at += p->frames > 0 ? p->frames : 0;
    }
    return at;
}

bool film_place_holds(const struct film_place *p, int next_before)
{
    return p->frames >= 1 && p->after + next_before <= p->frames;
}
