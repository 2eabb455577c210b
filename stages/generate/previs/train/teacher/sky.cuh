// The sky: from overhead to the horizon, around the sun, clouds in two sheets, stars, moon.
#pragma once
#include "clip.cuh"

FN float cloud_thickness(const clip *c, v2 p, int octaves)
{
    float n = fbm(p, octaves, c->seed + 300) * 0.75f + 0.25f * fbm(p * 0.31f, 2, c->seed + 340);
    return step(0.72f - 0.55f * c->cover, 0.95f - 0.42f * c->cover, n);
}

// Laid over what is behind; seen from the ground, in direction d.
FN v3 clouds(const clip *c, v3 from, v3 d, float seconds, v3 behind)
{
    const v3 sun = load(c->sun);
    if (c->cover < 0.02f || d.y < 0.015f)
        return behind;
    float t = (1600 - from.y) / d.y;
    v2 p = vec(from.x + d.x * t + c->wind * -6 * seconds, from.z + d.z * t) * (1.0f / 1500);
    float thick = cloud_thickness(c, p, 5);
    if (thick <= 0)
        return behind;
    // towards the sun there is less to shine through at an edge
    v2 towards = vec(sun.x, sun.z) * (0.10f / fmaxf(0.25f, sun.y));
    float before = cloud_thickness(c, p + towards, 3);
    float lit = unitly(0.75f + 0.9f * (thick - before) - 0.35f * thick) * (1 - 0.75f * c->darkness);
    float silver = powf(fmaxf(dot(d, sun), 0), 12) * (1 - thick) * 1.5f;
    v3 shade = mix(load(c->sky_low), load(c->sky_top), 0.45f) * 0.9f + load(c->glow) * 0.12f;
    v3 colour = shade * (0.75f - 0.5f * c->darkness) +
                load(c->light) * (0.16f * lit + 0.25f * silver * (1 - c->darkness));
    return mix(behind, colour, thick * 0.95f * step(0.015f, 0.10f, d.y));
}

// The share of the sun's light that reaches p between the clouds.
FN float cloud_shade(const clip *c, v3 p, float seconds)
{
    if (c->cover < 0.1f || c->cover > 0.9f || c->sun[1] < 0.05f)
        return 1;
    float t = (1600 - p.y) / c->sun[1];
    v2 q = vec(p.x + c->sun[0] * t - c->wind * 6 * seconds, p.z + c->sun[2] * t) * (1.0f / 1500);
    return 1 - 0.72f * cloud_thickness(c, q, 3);
}

FN v3 stars(const clip *c, v3 d)
{
    if (c->stars <= 0)
        return grey(0);
    v3 a = away(d);
    float big = fmaxf(a.x, fmaxf(a.y, a.z));
    int face = big == a.x ? (d.x > 0 ? 0 : 1) : big == a.y ? (d.y > 0 ? 2 : 3) : d.z > 0 ? 4 : 5;
    v2 uv = (face < 2 ? vec(d.z, d.y) : face < 4 ? vec(d.x, d.z) : vec(d.x, d.y)) * (90 / big);
    int x = (int)floorf(uv.x), y = (int)floorf(uv.y);
    float luck = chance(x, y, face, c->seed + 77u);
    if (luck > 0.16f)
        return grey(0);
    v2 spot =
        vec(x + 0.2f + 0.6f * chance(x, y, face, 5u), y + 0.2f + 0.6f * chance(x, y, face, 6u));
    float bright = 0.15f + powf(luck / 0.16f, 6) * 1.6f;
    float shape = step(0.20f, 0.05f, length(uv - spot));
    float warm = chance(x, y, face, 7u);
    return mix(vec(0.75f, 0.85f, 1.0f), vec(1.0f, 0.88f, 0.7f), warm) * (bright * shape * c->stars);
}

// The Milky Way: a band with dark lanes.
FN v3 galaxy(const clip *c, v3 d)
{
    float tilt = 0.5f + 0.7f * chance(c->seed + 81u), turned = 6.28f * chance(c->seed + 82u);
    v3 across = vec(cosf(tilt) * cosf(turned), sinf(tilt), cosf(tilt) * sinf(turned));
    float off = dot(d, across), band = expf(-off * off * 22), core = expf(-off * off * 120);
    if (band < 0.03f)
        return grey(0);
    float cloudy = fbm(d * 5, 4, c->seed + 83),
          lane = step(0.45f, 0.62f, fbm(d * 7 + grey(3), 4, c->seed + 84));
    float glow = (0.25f * band + 0.75f * core * (1 - 0.75f * lane)) * step(0.1f, 0.65f, cloudy);
    return mix(vec(0.7f, 0.85f, 1.15f), vec(1.0f, 0.9f, 0.85f), core) * (0.12f * glow * c->stars);
}

// A stroke of lightning, while it flashes: how bright in direction d.
FN float lightning(const clip *c, v3 d, float seconds)
{
    float since = seconds - c->flash;
    if (c->flash < 0 || since < 0 || since > 0.35f || d.y < 0 || d.z < 0.1f)
        return 0;
    float x = d.x / d.z - 1.1f * (chance(c->seed + 85u) - 0.5f), y = d.y / d.z, bright = 0;
    for (int i = 0; i < 3; i++) { // the stroke and two branches
        float from = i == 0 ? 0.0f : 0.10f + 0.15f * chance(c->seed + 86u + i),
              lean = i == 0 ? 0.0f : (i == 1 ? 0.7f : -0.6f) * fmaxf(from - y, 0);
        float path = 0.16f * (noise(vec(y * 9, 1), c->seed + 88u) - 0.5f) +
                     0.05f * (noise(vec(y * 38, i), c->seed + 89u) - 0.5f) + lean;
        float away = fabsf(x - path);
        if (i > 0 && (y > from || y < from - 0.12f))
            continue;
        bright +=
            (i == 0 ? 1.0f : 0.5f) * (step(0.007f, 0.001f, away) * 6 + 0.35f * expf(-away * 40));
    }
    return bright * step(0.75f, 0.3f, y) * (0.5f + 0.5f * cosf(since * 55)) * expf(-since * 7);
}

// Without clouds: what light comes from everywhere, too.
FN v3 clear_sky(const clip *c, v3 d)
{
    const v3 sun = load(c->sun);
    float up = fmaxf(d.y, 0), near = fmaxf(dot(d, sun), 0);
    v3 colour = mix(load(c->sky_low), load(c->sky_top), 1 - expf(-3.2f * up));
    float low = expf(-5 * up);
    colour = colour + load(c->glow) * (0.35f * powf(near, 4) * low + 0.5f * powf(near, 24) +
                                       0.35f * powf(near, 160));
    return colour;
}

BIG v3 sky(const clip *c, v3 from, v3 d, float seconds)
{
    const v3 sun = load(c->sun);
    v3 colour = clear_sky(c, d);
    if (c->stars > 0)
        colour = colour + (stars(c, d) + galaxy(c, d)) * step(0.0f, 0.2f, d.y);
    float disc = c->disc * step(0.99945f, 0.99975f, dot(d, sun));
    if (disc > 0)
        colour = mix(colour,
                     load(c->light) * (c->stars > 0.3f
                                           ? 4.5f - 2.2f * step(0.42f, 0.65f, fbm(d * 90, 2, 80u))
                                           : 9.0f),
                     unitly(disc));
    return clouds(c, from, d, seconds, colour) + vec(0.75f, 0.8f, 1) * lightning(c, d, seconds);
}
