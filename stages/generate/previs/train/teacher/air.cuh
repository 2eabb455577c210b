// The setting sky: clouds one flies among, under or above, and what lies far below.
#pragma once
#include "sky.cuh"

enum { AIR_STEPS = 40 };
#define AIR_GROUND -900.0f
#define AIR_FAR    7000.0f

// Which sky: clouds around, above or below the subject.
enum airs { AMONG, UNDER, OVER };
FN int air_of(const clip *c)
{
    float luck = chance(c->seed + 51u);
    if (c->rain + c->snowing > 0) // it falls from above
        return UNDER;
    if (c->cover > 0.9f) // closed: flown under or over
        return luck < 0.5f ? UNDER : OVER;
    return luck < 0.55f ? AMONG : luck < 0.75f ? UNDER : OVER;
}
FN void air_slab(const clip *c, float *low, float *high)
{
    int air = air_of(c);
    *low = c->at[1] + (air == AMONG ? -240 : air == UNDER ? 170 : -420);
    *high = *low + (air == AMONG ? 560 : air == UNDER ? 330 : 300);
}

// Thickness of clouds at p, of which what is below 0 tells how far off the next may be.
FN float air_density(const clip *c, v3 p, float seconds, int octaves, float low, float high,
                     int air)
{
    float up = (p.y - low) / (high - low), size = 1.0f / (air == AMONG  ? 330
                                                          : air == OVER ? 290
                                                                        : 400);
    v3 q = vec(p.x - c->wind * 5 * seconds, p.y * 1.15f, p.z) * size;
    float n = fbm(vec(q.x, q.y + 0.03f * seconds, q.z), octaves, c->seed + 52);
    float wide = noise(vec(q.x, q.z) * 0.37f, c->seed + 57);
    float most = air == OVER ? 0.34f + 0.24f * up : 0.60f - 0.17f * c->cover + 0.20f * up * up;
    if (air == UNDER && c->cover > 0.9f)
        most -= 0.08f;
    float d =
        (n + 0.22f * (wide - 0.5f) - most) * 9 - 2.5f * step(0.14f, 0, up) - 3 * step(0.7f, 1, up);
    v3 away = p - load(c->at); // where the subject and the camera are it is clear
    float room = 110 + 2.3f * c->size, r2 = dot(away, away) / (room * room);
    if (r2 < 6)
        d -= 5 * expf(-r2 * 1.2f);
    return d;
}

// Fields, woods and water far below, or a sea, or clouds that close the view; t: distance along d.
FN v3 far_below(const clip *c, v3 from, v3 d, float seconds, float *t)
{
    const v3 sun = load(c->sun);
    int air = air_of(c);
    float low, high;
    air_slab(c, &low, &high);
    float floor = air == OVER ? low + 120 : AIR_GROUND;
    *t = (from.y - floor) / fmaxf(-d.y, 1e-4f);
    v2 p = vec(from.x + d.x * *t, from.z + d.z * *t);
    float far = step(2000, 30000, *t);
    v3 from_sky = mix(load(c->sky_low), load(c->sky_top), 0.6f) * c->ambient, colour;
    v3 light = load(c->light) * (0.35f + 0.65f * fmaxf(sun.y, 0));
    if (air == OVER) {
        v2 q = vec(p.x - c->wind * 5 * seconds, p.y) * (1 / 420.0f);
        float n = fbm(q, 4, c->seed + 58),
              before = fbm(q + vec(sun.x, sun.z) * 0.25f, 3, c->seed + 58);
        float lit = unitly(0.55f + 2.2f * (n - before)) * (1 - 0.6f * far) + 0.55f * far;
        return from_sky * (0.75f + 0.5f * n) + light * (0.42f * lit) * (1 - 0.6f * c->darkness);
    }
    if (chance(c->seed + 53u) < 0.35f) { // sea
        v3 n = unit(vec(0.25f * (fbm(p * 0.02f, 3, 54u) - 0.5f), 1,
                        0.25f * (fbm(p * 0.02f, 3, 55u) - 0.5f)));
        float edge = 0.03f + 0.9f * powf(1 - unitly(-dot(d, n)), 5),
              shine = powf(fmaxf(dot(n, unit(sun - d)), 0), 160);
        colour = mix(vec(0.012f, 0.06f, 0.10f) * (from_sky + light * 0.5f) * 1.5f,
                     clear_sky(c, unit(vec(d.x, fabsf(d.y) + 0.1f, d.z))), edge) +
                 load(c->light) * shine;
        float isle = step(0.60f, 0.63f, fbm(p * 0.0006f, 4, c->seed + 56));
        colour = mix(colour, vec(0.07f, 0.10f, 0.03f) * (from_sky + light * 0.5f), isle);
    } else {
        v2 bent =
            p + (vec(noise(p * 0.0015f, 61u), noise(p * 0.0015f, 62u)) - vec(0.5f, 0.5f)) * 350;
        v2 field = turn(bent, 0.5f * floorf(4 * noise(p * 0.0004f, c->seed + 63))) * (1 / 170.0f);
        float stretch = 1 + floorf(2 * chance((int)floorf(field.y), 5, c->seed + 64u));
        int fx = (int)floorf(field.x / stretch), fy = (int)floorf(field.y);
        float kind = chance(fx, fy, c->seed + 65u), row = fraction(field.x / stretch),
              line = fraction(field.y);
        v3 crop = mix(mix(vec(0.05f, 0.10f, 0.02f), vec(0.12f, 0.16f, 0.04f), kind),
                      vec(0.30f, 0.23f, 0.09f), step(0.6f, 0.8f, kind));
        crop = crop * (0.85f + 0.3f * noise(vec(field.x * 9, field.y * 0.7f), 66u));
        float hedge =
            step(0.06f, 0.03f, fminf(fminf(row, 1 - row) * stretch, fminf(line, 1 - line)));
        v3 wood = vec(0.022f, 0.05f, 0.015f) * (0.6f + 0.9f * noise(p * 0.06f, 67u));
        float woods = step(0.53f, 0.56f, fbm(p * 0.0011f, 4, c->seed + 68));
        colour = mix(crop, wood, fmaxf(woods, hedge * 0.8f));
        colour = mix(colour, grey(0.7f), c->snow * (1 - 0.7f * woods));
        float river = fabsf(fbm(p * 0.00045f, 3, c->seed + 69) - 0.5f);
        colour = colour * (from_sky + light * (0.30f + 0.7f * fmaxf(sun.y, 0)) *
                                          cloud_shade(c, vec(p.x, 0, p.y), seconds));
        colour = mix(colour, clear_sky(c, vec(d.x, fabsf(d.y), d.z)) * 0.7f,
                     step(0.010f, 0.006f, river) * 0.8f);
    }
    if (c->lamps > 0.5f) { // farms and towns
        v2 q = p * (1 / 38.0f);
        int x = (int)floorf(q.x), y = (int)floorf(q.y);
        float town = step(0.5f, 0.7f, noise(p * 0.0011f, c->seed + 71)),
              near = length(q - vec(x + 0.5f, y + 0.5f));
        if (chance(x, y, c->seed + 72u) < 0.02f + 0.5f * town)
            colour = colour + vec(1, 0.6f, 0.22f) *
                                  (0.8f * c->lamps * step(0.4f, 0.0f, near) * step(9000, 2000, *t));
    }
    return colour;
}

FN v3 sky_air(const clip *c, v3 from, v3 d, float t, float seconds, v3 colour)
{
    const v3 sun = load(c->sun),
             haze = load(c->haze_colour) + load(c->glow) * (0.25f * powf(fmaxf(dot(d, sun), 0), 4));
    const int air = air_of(c);
    const float thin = 0.00010f + 0.05f * fminf(c->haze, 0.003f);
    if (t >= 4000 && d.y < 0) {
        float below;
        v3 seen = far_below(c, from, d, seconds, &below);
        colour = mix(seen, haze, 1 - expf(-thin * below));
    }
    float low, high;
    air_slab(c, &low, &high);
    float a = 0, b = fminf(t >= 4000 ? AIR_FAR : t, AIR_FAR);
    if (fabsf(d.y) > 1e-4f) {
        float u = (low - from.y) / d.y, v = (high - from.y) / d.y;
        a = fmaxf(a, fminf(u, v)), b = fminf(b, fmaxf(u, v));
    } else if (from.y < low || from.y > high) {
        b = -1;
    }
    float clear = 1, s = a, middle = 0, weight = 0;
    v3 sum = grey(0);
    float near = fmaxf(dot(d, sun), 0), forward = 1 + 1.3f * powf(near, 8);
    v3 under = mix(load(c->sky_low), load(c->sky_top), 0.35f) * (0.52f - 0.2f * c->darkness),
       over = mix(load(c->sky_low), load(c->sky_top), 0.55f) * 0.95f;
    for (int i = 0; i < AIR_STEPS && s < b && clear > 0.03f; i++) {
        v3 p = from + d * s;
        float n = air_density(c, p, seconds, s < 1800 ? 5 : 4, low, high, air),
              go = 14 + 0.018f * s;
        if (n > 0) {
            float gone = 1 - expf(-n * 0.020f * go);
            float before = air_density(c, p + sun * 45, seconds, 3, low, high, air);
            float lit = expf(-1.3f * fmaxf(before, 0)) *
                        (0.45f + 0.55f * unitly(0.5f + 0.6f * (n - before)));
            float up = unitly((p.y - low) / (high - low));
            float folds =
                1 - (0.25f + 0.5f * c->darkness) *
                        (1 - unitly(0.7f + 0.5f * (n - air_density(c, p + vec(0, 40, 0), seconds, 3,
                                                                   low, high, air))));
            v3 one = mix(under, over, up) * folds +
                     load(c->light) * (0.66f * lit * forward * (1 - 0.7f * c->darkness));
            sum = sum + one * (gone * clear);
            middle += s * gone * clear, weight += gone * clear;
            clear *= 1 - gone;
        } else {
            go = fmaxf(go, fminf(-n * 25, 400));
        }
        s += go;
    }
    if (weight > 0) {
        float gone = (1 - expf(-thin * 1.4f * middle / weight)) * weight;
        sum = sum * (1 - gone / weight) + haze * gone;
        float edge = step(AIR_FAR, 0.6f * AIR_FAR, middle / weight); // no wall where the march ends
        colour = mix(colour, colour * clear + sum, edge);
    }
    // rays around a sun that clouds half hide
    if (c->disc > 0.2f && c->stars <= 0.12f && c->lamps < 0.95f) {
        v3 side = unit(cross(vec(0, 1, 0), sun)), rise = cross(sun, side);
        float x = dot(d, side), y = dot(d, rise), r = sqrtf(x * x + y * y), angle = atan2f(y, x);
        if (dot(d, sun) > 0) {
            float ray =
                noise(vec(3 * cosf(angle), 3 * sinf(angle) + 0.15f * seconds), c->seed + 75u) *
                noise(vec(8 * cosf(angle) - 0.1f * seconds, 8 * sinf(angle)), 76u);
            colour = colour + (load(c->glow) * 0.5f + load(c->light) * 0.12f) *
                                  (step(0.15f, 0.45f, ray) * expf(-3.5f * r) * 0.38f *
                                   fminf(1, 4 * c->cover));
        }
    }
    return colour;
}
