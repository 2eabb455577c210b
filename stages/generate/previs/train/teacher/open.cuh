// Open places: sea, sky, space.
#pragma once
#include "air.cuh"
#include "sea.cuh"
#include "space.cuh"

FN float open_distance(const clip *c, v3 p, float seconds)
{
    return c->setting == SEA     ? sea_distance(c, p, seconds)
           : c->setting == SPACE ? space_distance(c, p, seconds)
                                 : 1e4f;
}

FN surface open_surface(const clip *c, v3 p, v3 n, float far)
{
    return c->setting == SEA ? sea_surface(c, p, n) : space_surface(c, p, n, 0);
}

FN float open_ground(const clip *c, v2 p)
{
    return c->setting == SEA ? sea_ground(c, p) : 0;
}

FN v3 open_air(const clip *c, v3 from, v3 d, float t, float seconds, v3 colour)
{
    return c->setting == SEA ? sea_air(c, from, d, t, seconds, colour)
                             : sky_air(c, from, d, t, seconds, colour);
}
