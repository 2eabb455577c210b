// Space: stars, a planet, its moon, rocks that drift by. No ground and no air.
#pragma once
#include "clip.cuh"
#include "sky.cuh"

FN float space_distance(const clip *c, v3 p, float seconds)
{
    (void)c, (void)p, (void)seconds;
    return 400;
}

FN surface space_surface(const clip *c, v3 p, v3 n, float seconds)
{
    (void)p, (void)n, (void)seconds;
    return matt(load(c->ground));
}

// Distance to a sphere along a ray, or below 0; how near its edge the ray goes by, in radii.
FN float meet_sphere(v3 from, v3 d, v3 middle, float r, float *edge)
{
    v3 o = from - middle;
    float b = dot(o, d), k = dot(o, o) - r * r, root = b * b - k;
    *edge = b < 0 ? sqrtf(fmaxf(dot(o, o) - b * b, 0)) / r : 9.0f;
    return root < 0 ? -1.0f : -b - sqrtf(root);
}

// In space wind and wave say where the planet is, radians to the right and up of +z; relief its
// radius as seen from the middle; haze_colour is its air's.
FN v3 space(const clip *c, v3 from, v3 d, float seconds)
{
    const v3 sun = load(c->sun), light = load(c->light), air = load(c->haze_colour);
    // alone in the picture it is near enough for a camera that moves to come nearer
    const float away = c->subject == NOBODY ? 120 : 1500, r = away * c->relief;
    v3 middle =
        vec(sinf(c->wind) * cosf(c->wave), sinf(c->wave), cosf(c->wind) * cosf(c->wave)) * away;
    v3 pole = unit(vec(chance(c->seed) - 0.5f, 0.9f, chance(c->seed + 1u) - 0.5f));
    float band = expf(-12 * dot(d, pole) * dot(d, pole)), cloud = fbm(d * 4, 4, c->seed + 5u);
    v3 colour = stars(c, d) + stars(c, vec(d.z, d.x, d.y)) * 0.5f;
    colour = colour + mix(load(c->accent), load(c->second), fbm(d * 2, 2, c->seed + 6u)) *
                          (0.16f * band * step(0.3f, 0.85f, cloud));
    float near = fmaxf(dot(d, sun), 0);
    colour = colour + light * (4 * step(0.9994f, 0.9998f, near) + 0.4f * powf(near, 400) +
                               0.06f * powf(near, 30));
    float edge, t = meet_sphere(from, d, middle, r, &edge);
    if (t > 0) {
        v3 n = unit(from + d * t - middle), q = turn_y(n, 0.5f + 0.01f * seconds);
        float day = dot(n, sun), lit = step(-0.06f, 0.3f, day) * fmaxf(day, 0.04f),
              rim = 1 - fmaxf(-dot(n, d), 0);
        float land = step(0.49f, 0.53f, fbm(q * 2.2f, 6, c->seed + 10u));
        float white =
            step(0.46f, 0.68f,
                 fbm(vec(q.x * 3, q.y * 6, q.z * 3) + grey(2.0f * fbm(q * 3, 3, c->seed + 12u)), 5,
                     c->seed + 11u));
        float cold = step(0.80f, 0.92f, fabsf(q.y) + 0.1f * cloud);
        v3 soil = mix(load(c->ground), load(c->ground) * vec(0.5f, 0.9f, 0.35f),
                      fbm(q * 7, 3, c->seed + 13u));
        v3 base =
            mix(mix(load(c->second) * 0.6f, soil, land), grey(0.8f), fmaxf(cold, white * 0.9f));
        float towns = land * (1 - 0.8f * white) *
                      step(0.62f, 0.80f, fbm(q * 30, 3, c->seed + 14u)) * step(0.02f, -0.15f, day);
        colour = base * light * lit + vec(1.0f, 0.62f, 0.25f) * (0.9f * towns) + base * 0.012f;
        colour = mix(colour, air * light * (0.8f * step(-0.2f, 0.4f, day)),
                     0.15f + 0.75f * powf(rim, 3));
    } else if (edge < 1.2f) { // air over the limb
        v3 n = unit(from + d * fmaxf(-dot(from - middle, d), 0) - middle);
        colour = colour + air * light * (expf(-(edge - 1) * 34) * step(-0.35f, 0.35f, dot(n, sun)));
    }
    return colour;
}
