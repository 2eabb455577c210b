// The places: each gives the distance to what stands there, what that is made of, the light of its
// own lamps, and the height of the ground that things stand on. Files: open.cuh (sea, sky, space),
// land.cuh (mountains, desert, snow), woods.cuh (forest, river), town.cuh (harbour, city, street),
// room.cuh (interior).
#pragma once
#include "land.cuh"
#include "open.cuh"
#include "room.cuh"
#include "sky.cuh"
#include "town.cuh"
#include "woods.cuh"

// Ground that is a height at each place, seen far: mountains, desert, snow.
FN bool setting_is_land(const clip *c)
{
    return c->setting == MOUNTAINS || c->setting == DESERT || c->setting == SNOW;
}

// How far off something may throw a shadow.
FN float setting_reach(const clip *c)
{
    if (c->setting == FOREST) // light comes in between the trees farther off
        return 9 + 30 * c->sun[1];
    return c->setting == MOUNTAINS ? 2400.0f : setting_is_land(c) ? 1000.0f : 400.0f;
}

// May be less than the true distance, never more; behind a surface negative.
FN float setting_distance(const clip *c, v3 p, float seconds)
{
    switch (c->setting) {
    case MOUNTAINS:
    case DESERT:
    case SNOW:
        return land_distance(c, p, seconds);
    case FOREST:
    case RIVER:
        return woods_distance(c, p, seconds);
    case HARBOUR:
    case CITY_NIGHT:
    case STREET_DAY:
        return town_distance(c, p, seconds);
    case INTERIOR:
        return room_distance(c, p, seconds);
    default:
        return open_distance(c, p, seconds);
    }
}

// The ground is the plane y = 0, which rays meet without marching: town_things() is what stands on
// it.
FN bool has_floor(const clip *c)
{
    return c->setting == CITY_NIGHT || c->setting == STREET_DAY;
}

// Of the point p with normal n on what setting_distance() found, of land see land_surface(); far:
// metres from the camera, for detail that a pixel shows.
FN surface setting_surface(const clip *c, v3 p, v3 n, float far, float seconds)
{
    switch (c->setting) {
    case FOREST:
    case RIVER:
        return woods_surface(c, p, n, far, seconds);
    case HARBOUR:
    case CITY_NIGHT:
    case STREET_DAY:
        return town_surface(c, p, n, far, seconds);
    case INTERIOR:
        return room_surface(c, p, n, far, seconds);
    default:
        return open_surface(c, p, n, far);
    }
}

// Light that lamps of the place throw on p, facing n; as of a white surface.
FN v3 setting_lamps(const clip *c, v3 p, v3 n, float seconds)
{
    if (c->lamps <= 0.01f && c->setting != INTERIOR)
        return grey(0);
    switch (c->setting) {
    case HARBOUR:
    case CITY_NIGHT:
    case STREET_DAY:
        return town_lamps(c, p, n, seconds);
    case INTERIOR:
        return room_lamps(c, p, n, seconds);
    case SNOW:
        return land_lamps(c, p, n);
    default:
        return grey(0);
    }
}

// How much of a mirror the surface is, seen along it; how rough.
FN float setting_mirror(const clip *c, v3 p, v3 n, float *rough)
{
    switch (c->setting) {
    case CITY_NIGHT:
    case STREET_DAY:
        return town_mirror(c, p, n, rough);
    case INTERIOR:
        return room_mirror(c, p, n, rough);
    default:
        return 0;
    }
}

FN float setting_ground(const clip *c, v2 p)
{
    switch (c->setting) {
    case MOUNTAINS:
    case DESERT:
    case SNOW:
        return land_ground(c, p);
    case FOREST:
    case RIVER:
        return woods_ground(c, p);
    case HARBOUR:
    case CITY_NIGHT:
    case STREET_DAY:
        return town_ground(c, p);
    case SEA:
        return open_ground(c, p);
    default:
        return 0;
    }
}

// How much of the sun's light clouds and leaves let through at p, 0 to 1, besides what march finds.
FN float setting_shade(const clip *c, v3 p, float seconds)
{
    if (c->setting == FOREST)
        return woods_shade(c, p, seconds);
    if (c->setting == SPACE || c->setting == INTERIOR || c->setting == CITY_NIGHT ||
        c->setting == SKY)
        return 1;
    return cloud_shade(c, p, seconds);
}

// What hangs in the air of some places between the camera and what is seen at t: mist, shafts of
// light, clouds one flies among, spray, halos of lamps.
FN v3 setting_air(const clip *c, v3 from, v3 d, float t, float seconds, v3 colour)
{
    switch (c->setting) {
    case FOREST:
    case RIVER:
        return woods_air(c, from, d, t, seconds, colour);
    case SEA:
    case SKY:
        return open_air(c, from, d, t, seconds, colour);
    case HARBOUR:
    case CITY_NIGHT:
    case STREET_DAY:
        return town_air(c, from, d, t, seconds, colour);
    default:
        return colour;
    }
}
