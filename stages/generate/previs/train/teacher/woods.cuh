// Forest and river.
#pragma once
#include "forest.cuh"
#include "river.cuh"

FN float woods_distance(const clip *c, v3 p, float seconds)
{
    return c->setting == FOREST ? forest_at(c, p, seconds).d : river_at(c, p, seconds).d;
}

FN surface woods_surface(const clip *c, v3 p, v3 n, float far, float seconds)
{
    return c->setting == FOREST ? forest_surface(c, p, n, far, seconds)
                                : river_surface(c, p, n, far, seconds);
}

FN float woods_ground(const clip *c, v2 p)
{
    return c->setting == FOREST ? forest_height(c, p) + forest_hills(c, p) : river_height(c, p, 3);
}

// Beams that come down between the crowns, all along the sun's direction: 0 to 1.
FN float beams(const clip *c, v3 p, float seconds, float size)
{
    v3 sun = load(c->sun), side = unit(cross(vec(0, 1, 0), sun)), rise = cross(sun, side);
    v2 q = vec(dot(p, side), dot(p, rise)) * (1 / size) + vec(0.12f * sinf(seconds * 0.7f), 0);
    return step(0.44f, 0.66f, noise(q, c->seed + 261u) * 0.75f + 0.25f * noise(q * 2.7f, 264u));
}

// What leaves let through of the sun.
FN float woods_shade(const clip *c, v3 p, float seconds)
{
    float low = step(10, 3, p.y - forest_height(c, flat(p)));
    if (low <= 0)
        return 1;
    float open = step(2, -2, length(flat(p)) - c->wave) * 0.5f;
    return mix(1, fmaxf(0.18f + 0.82f * beams(c, p, seconds, 1.3f), open), low);
}

// Mist that lies low, and in it the beams.
FN v3 woods_air(const clip *c, v3 from, v3 d, float t, float seconds, v3 colour)
{
    const v3 sun = load(c->sun);
    bool forest = c->setting == FOREST;
    float dawn = c->lamps > 0.2f && c->lamps < 0.5f && sun.y < 0.25f && c->stars <= 0 ? 1.0f : 0.0f;
    float thick = (forest ? 0.0035f : 0.0012f) +
                  0.012f * dawn * (0.4f + 0.8f * chance(c->seed + 262u)) + 0.3f * c->haze;
    if (forest && from.y > 16)
        thick *= 0.4f;
    float near = fmaxf(dot(d, sun), 0),
          forward = 0.10f + 0.25f * near * near * near + 0.7f * powf(near, 16);
    float beam =
        forest && from.y < 16 ? (0.5f + 1.0f * dawn) * step(0, 0.5f, luma(load(c->light))) : 0;
    v3 haze = mix(load(c->haze_colour), load(c->sky_top) * 1.6f, forest ? 0.4f : 0.2f) *
                  (forest ? 0.7f : 0.95f) +
              load(c->glow) * (0.15f * powf(near, 4));
    const float reach = fminf(t, forest ? 75.0f : 260.0f);
    float a = 0.3f, clear = 1;
    v3 sum = grey(0);
    for (int i = 0; i < 9 && a < reach; i++) {
        float b = fminf(forest ? a * 1.55f + 0.6f : a * 1.9f + 1.0f, reach), s = 0.5f * (a + b);
        v3 p = from + d * s;
        float low = expf(-fmaxf(p.y - 0.5f, 0) * (forest ? 0.10f : 0.28f));
        float bank = forest ? 1.0f
                            : 0.25f + 1.5f * step(0.4f, 0.7f,
                                                  noise(vec(p.x * 0.03f - seconds * 0.03f * c->wind,
                                                            p.z * 0.05f),
                                                        c->seed + 263u));
        float gone = 1 - expf(-thick * low * bank * (b - a));
        v3 light = haze;
        if (beam > 0)
            light = light + load(c->light) * (forward * beam * 1.6f * beams(c, p, seconds, 1.7f));
        sum = sum + light * (gone * clear);
        clear *= 1 - gone;
        a = b;
    }
    return colour * clear + sum;
}
