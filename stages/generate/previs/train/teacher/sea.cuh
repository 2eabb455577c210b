// What stands in the sea: rocks under a lighthouse, islands, a coast.
#pragma once
#include "clip.cuh"

// Which sea this is, by its seed.
FN bool has_islands(const clip *c)
{
    return chance(c->seed + 21u) < 0.35f;
}
FN bool has_coast(const clip *c)
{
    return chance(c->seed + 22u) < 0.25f;
}

// Height of a rocky mound: x, z from its middle, over its radius.
FN float mound(const clip *c, v2 q, float top, int octaves)
{
    float r = length(q), n = fbm(q * 2.3f, octaves, c->seed + 25),
          cut = ridges(q * 1.7f, octaves > 3 ? 4 : 3, c->seed + 26);
    return top * (1 - step(0.25f, 1.05f, r + 0.5f * (n - 0.5f))) * (0.65f + 0.5f * cut) -
           0.12f * top - 0.15f * top * r;
}

// The rock the lighthouse stands on: flat under it, broken to the water.
FN float rock_height(const clip *c, v2 p, int octaves)
{
    v2 q = vec(p.x - c->at[0], p.y - c->at[2]) * (1 / (0.95f * c->size));
    float r = length(q), top = 0.17f * c->size;
    float steps = 0.75f + 0.25f * cosf(r * 13 + 5 * fbm(q * 2, 2, c->seed + 28)); // beds of stone
    float h = mound(c, q, top * 1.1f, octaves) * (0.8f + 0.2f * steps);
    h += top * 0.25f * (ridges(q * 5.5f, octaves > 3 ? 3 : 1, c->seed + 27) - 0.4f) *
         step(0.15f, 0.3f, r);
    return mix(top, h, step(0.12f, 0.38f, r));
}

FN float far_height(const clip *c, v2 p, int octaves)
{
    float h = -30;
    if (has_islands(c))
        for (int i = 0; i < 3; i++) {
            float size = 60 + 130 * chance(c->seed + 30u + i),
                  z = 420 + 420 * chance(c->seed + 34u + i);
            v2 q = vec(p.x - z * 1.5f * (chance(c->seed + 38u + i) - 0.5f), p.y - z) * (1 / size);
            if (dot(q, q) < 2.2f)
                h = fmaxf(h, mound(c, q + vec(0.01f * i, 0), size * 0.34f * c->relief, octaves));
        }
    if (has_coast(c) && p.y > 1300) {
        float in = step(1350, 2300, p.y + 500 * (noise(p * 0.0016f, c->seed + 41) - 0.5f));
        h = fmaxf(h,
                  in * (40 + 260 * c->relief * fbm(p * 0.0022f, octaves + 1, c->seed + 42)) - 10);
    }
    return h;
}

FN float sea_ground(const clip *c, v2 p)
{
    return c->subject == LIGHTHOUSE ? fmaxf(rock_height(c, p, 4), 0) : 0;
}

FN float sea_distance(const clip *c, v3 p, float seconds)
{
    (void)seconds;
    float d = p.y + 30;
    if (c->subject == LIGHTHOUSE) {
        v2 q = vec(p.x - c->at[0], p.z - c->at[2]);
        float away = length(q) - 1.35f * c->size, over = p.y - 0.28f * c->size;
        d = away > 2 || over > 2 ? fminf(d, fmaxf(away, over))
                                 : fminf(d, (p.y - rock_height(c, flat(p), 5)) * 0.55f);
    }
    if (has_islands(c) || has_coast(c)) {
        float before = 180 - p.z, over = p.y - 75 * c->relief;
        if (p.z > 1200)
            over = p.y - 300 * c->relief;
        if (before > 5)
            d = fminf(d, before);
        else if (over > 5)
            d = fminf(d, fminf(over, p.z < 1195 ? fmaxf(1200 - p.z, 5) : 1e9f));
        else
            d = fminf(d, (p.y - far_height(c, flat(p), 3)) * 0.6f);
    }
    return d;
}

FN surface sea_surface(const clip *c, v3 p, v3 n)
{
    bool near =
        c->subject == LIGHTHOUSE && length(vec(p.x - c->at[0], p.z - c->at[2])) < 1.4f * c->size;
    float scale = near ? 1.2f : 0.06f,
          grain = fbm(vec(p.x, p.y * 2.5f, p.z) * scale, 4, c->seed + 44);
    v3 stone = mix(vec(0.10f, 0.09f, 0.08f), vec(0.30f, 0.26f, 0.21f), grain);
    float flatness = step(0.62f, 0.86f, n.y),
          tide = near ? step(1.6f + c->wave, 0.5f, p.y) : step(5, 1, p.y);
    v3 green =
        mix(vec(0.05f, 0.085f, 0.025f), vec(0.10f, 0.12f, 0.04f), noise(flat(p) * scale * 3, 45u));
    v3 colour =
        mix(stone, green,
            flatness * step(0.40f, 0.55f,
                            fbm(flat(p) * scale * 0.5f, 2, c->seed + 46) + (near ? -0.08f : 0.1f)));
    colour = mix(colour, near ? stone * 0.35f : vec(0.28f, 0.25f, 0.20f),
                 tide); // wet below, far off a beach
    colour = mix(colour, grey(0.78f), c->snow * step(0.35f, 0.7f, n.y) * (1 - tide));
    return surface{colour, grey(0), near ? 0.03f + 0.05f * tide : 0, 0.6f};
}

// Spray that the wind tears off a stormy sea, low above it.
FN v3 sea_air(const clip *c, v3 from, v3 d, float t, float seconds, v3 colour)
{
    if (c->wave < 1.1f)
        return colour;
    float strong = step(1.1f, 2.4f, c->wave), sum = 0;
    v3 pale = mix(load(c->sky_low), load(c->haze_colour), 0.5f) * 1.25f + load(c->light) * 0.1f;
    for (int i = 0; i < 5; i++) {
        float s = 14 * powf(2.0f, (float)i);
        if (s > t)
            break;
        v3 p = from + d * s;
        float low = expf(-fmaxf(p.y - 0.5f * c->wave, 0) * 0.35f);
        float n = fbm(
            vec(p.x * 0.06f - seconds * c->wind * 0.09f, p.y * 0.25f + seconds * 0.3f, p.z * 0.05f),
            3, c->seed + 48);
        sum += low * step(0.45f, 0.75f, n) * 0.11f;
    }
    return mix(colour, pale, unitly(sum * strong));
}
