// What people built: harbour, city by night, street by day.
#pragma once
#include "town_air.cuh"
#include "town_harbour.cuh"
#include "town_look.cuh"

// What stands on the ground, without the ground.
FN float town_things(const clip *c, v3 p, float seconds)
{
    struct thing t = {1e9f, PAVING, 0};
    buildings(&t, c, p);
    street_things(&t, c, p, seconds);
    return t.d;
}

FN float town_distance(const clip *c, v3 p, float seconds)
{
    if (c->setting == HARBOUR)
        return harbour(c, p, seconds).d;
    return fminf(p.y, town_things(c, p, seconds));
}

FN surface town_surface(const clip *c, v3 p, v3 n, float far, float seconds)
{
    if (c->setting == HARBOUR)
        return harbour_surface(c, p, n, far, seconds);
    return street_surface(c, p, n, far, seconds);
}

FN v3 town_lamps(const clip *c, v3 p, v3 n, float seconds)
{
    if (c->setting == HARBOUR)
        return harbour_lamps(c, p, n);
    return street_lamps(c, p, n, seconds);
}

FN float town_ground(const clip *c, v2 p)
{
    return c->setting == HARBOUR ? harbour_ground(c, p) : 0;
}

// Wet roads are mirrors, and puddles better ones; in a city all is one, since lamps in many puddles
// are a mush.
FN float town_mirror(const clip *c, v3 p, v3 n, float *rough)
{
    *rough = 0.05f;
    if (c->setting == HARBOUR || p.y > 0.05f || n.y < 0.9f || c->wet < 0.05f)
        return 0;
    float puddle = is_city(c) ? 0.3f : step(0.50f, 0.62f, fbm(flat(p) * 0.22f, 3, 17u));
    *rough = mix(0.09f, 0.015f, puddle);
    return c->wet * mix(0.65f, 1.0f, puddle) * (1 - c->snow);
}
