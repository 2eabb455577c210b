// Bare land: mountains, desert, snow. A height at each place, and firs on it.
#pragma once
#include "clip.cuh"

// A bowl in mountains: flat about the middle, crests around. detail: octaves.
FN float mountain_height(const clip *c, v2 p, int octaves)
{
    v2 q = turn(p, 3.0f * chance(c->seed + 11u));
    float bent = q.x + 90 * sinf(q.y * 0.004f + c->seed);
    float side = step(90, 1000, fabsf(bent)), end = step(900, 2600, fabsf(q.y));
    float rise = fmaxf(side, end);
    float floor_ = 4 + 9 * (noise(p * 0.012f, c->seed + 20u) - 0.5f);
    if (rise < 0.0005f)
        return floor_;
    v2 w = p * (1.0f / 820) + vec(chance(c->seed + 3u), chance(c->seed + 4u)) * 40;
    w = w + vec(noise(w * 1.7f, c->seed + 31u), noise(w * 1.7f, c->seed + 32u)) * 0.35f;
    float crest = ridges(w, octaves, c->seed + 40u);
    return floor_ + rise * c->relief * (70 + 1050 * crest * (0.35f + 0.65f * rise));
}

// One sheet of dunes: a long slope up the wind, a crisp crest, a steep fall.
FN float dunes(v2 p, float length, uint32_t seed)
{
    v2 q = turn(p, 0.5f) * (1 / length);
    float u = q.x + 0.9f * (noise(vec(q.x * 0.5f, q.y * 0.7f), seed) - 0.5f) +
              0.7f * sinf(q.y * 0.9f + (float)(seed & 7));
    float s = fraction(u), up = s / 0.7f, down = (1 - s) / 0.3f;
    float tall = 0.25f + 0.75f * noise(vec(q.x * 0.6f + 7, q.y * 0.6f), seed + 1);
    return tall * fminf(up * up * (1.6f - 0.6f * up), down * (0.7f + 0.3f * down));
}
FN float desert_height(const clip *c, v2 p, bool fine)
{
    float near = length(p - vec(c->at[0], c->at[2])), calm = 0.25f + 0.75f * step(20, 260, near);
    float h = c->relief * calm *
              (26 * dunes(p, 210, c->seed + 50u) + 4.5f * dunes(turn(p, 0.7f), 61, c->seed + 60u));
    if (chance(c->seed + 9u) < 0.5f && near > 400) { // mesas
        float m =
            noise(p * (1.0f / 700), c->seed + 70u) + 0.10f * noise(p * (1.0f / 120), c->seed + 71u);
        h += step(400, 700, near) * (150 * step(0.70f, 0.74f, m) + 40 * step(0.62f, 0.71f, m));
    }
    return fine ? h + 0.05f * noise(p * 1.1f, c->seed + 80u) : h;
}
FN float snow_height(const clip *c, v2 p, bool fine)
{
    float near = length(p), far = step(1100, 2700, near);
    float h = 16 * c->relief * (fbm(p * (1.0f / 170), 3, c->seed + 90u) - 0.5f) *
              (0.2f + 0.8f * step(20, 220, near));
    h += 0.7f * noise(vec(p.x * 0.05f, p.y * 0.16f), c->seed + 95u);
    if (far > 0)
        h += far * 900 * c->relief * ridges(p * (1.0f / 900) + vec(3, 8), 5, c->seed + 97u);
    return fine ? h + 0.12f * noise(vec(p.x * 0.4f, p.y * 1.3f), c->seed + 96u) : h;
}
BIG float land_height(const clip *c, v2 p, bool fine)
{
    float h = c->setting == MOUNTAINS ? mountain_height(c, p, fine ? 7 : 5)
              : c->setting == DESERT  ? desert_height(c, p, fine)
                                      : snow_height(c, p, fine);
    // what goes over ground goes level: its way is made flat
    if (c->subject == CAR || c->subject == TRAIN || c->subject == PERSON) {
        v2 o = p - vec(c->at[0], c->at[2]);
        float s = sinf(c->heading), k = cosf(c->heading), wide = 2 + 0.15f * c->size;
        float across = fabsf(o.x * k - o.y * s), along = fabsf(o.x * s + o.y * k);
        float flat_ =
            step(5 * wide, wide, across) * step(3.5f * c->size + 110, 1.2f * c->size + 60, along);
        h = mix(h, c->at[1], flat_);
    }
    return h;
}
FN float land_ground(const clip *c, v2 p)
{
    return land_height(c, p, false);
}

FN float land_wooded(const clip *c, v2 p)
{
    float near = length(p - vec(c->at[0], c->at[2]));
    float n = noise(p * (1.0f / (c->setting == SNOW ? 60 : 150)), c->seed + 120u);
    return step(0.52f, 0.60f, n) * step(fmaxf(14, 2.2f * c->size), fmaxf(20, 3.0f * c->size), near);
}
// Firs, one a cell of some metres; base: the ground's height at p.
FN float firs(const clip *c, v3 p, float base)
{
    const float cell = 9;
    float d = 4;
    int x = (int)floorf(p.x / cell - 0.5f), z = (int)floorf(p.z / cell - 0.5f);
    for (int i = 0; i < 4; i++) {
        int a = x + (i & 1), b = z + (i >> 1);
        v2 at = vec((a + 0.25f + 0.5f * chance(a, b, c->seed + 1u)) * cell,
                    (b + 0.25f + 0.5f * chance(a, b, c->seed + 2u)) * cell);
        if (chance(a, b, c->seed + 3u) > land_wooded(c, at))
            continue;
        float tall = 7 + 8 * chance(a, b, c->seed + 4u), y = (p.y - base) / tall;
        float r = length(flat(p) - at), tier = 0.75f + 0.25f * fraction(-y * 6);
        d = fminf(d, fmaxf((r - 0.24f * tall * (1 - y) * tier) * 0.55f, (y - 1) * tall * 0.5f));
    }
    return d;
}

FN float land_distance(const clip *c, v3 p, float seconds)
{
    (void)seconds;
    float top = c->setting == DESERT ? 240.0f : 1200.0f * c->relief;
    if (p.y > top)
        return p.y - top + 5;
    float h = land_height(c, flat(p), false), over = p.y - h;
    float bold = c->setting == MOUNTAINS ? 0.55f : 0.8f;
    if (over > 18)
        return over * bold;
    if (over < 3)
        over = p.y - land_height(c, flat(p), true);
    float d = over * bold;
    if (c->setting != DESERT && h < 330)
        d = fminf(d, firs(c, p, h));
    return d;
}

// n comes back with relief too fine for a distance; far: metres from the camera, what is smaller
// than a pixel there fades.
FN surface land_surface(const clip *c, v3 p, v3 *n, float far)
{
    const v3 rock = load(c->ground), second = load(c->second), accent = load(c->accent);
    float h = land_height(c, flat(p), false), near = 1 / (1 + far * far * 0.0004f);
    float mottle = fbm(flat(p) * 0.05f, 3, c->seed + 130u),
          grain = mix(0.5f, noise(flat(p) * 2.3f, c->seed + 131u), near);
    if (c->setting != DESERT && p.y - h > 0.9f && h < 330) {
        float white = c->snow * step(0.25f, 0.6f, n->y) * 0.8f;
        v3 green = c->setting == SNOW ? second : second * 0.45f;
        return matt(mix(green * (0.7f + 0.6f * grain), grey(0.78f), white));
    }
    if (c->setting == DESERT) {
        float ripple = sinf(p.x * 5 + p.z * 2.5f + 5 * noise(flat(p) * 0.35f, c->seed + 132u)) *
                       near * step(0.6f, 0.9f, n->y);
        *n = unit(*n + vec(0.16f * ripple, 0, 0.08f * ripple));
        v3 sand = rock * (0.82f + 0.25f * mottle + 0.1f * grain);
        float band = 0.5f + 0.5f * sinf(p.y * 0.35f + 3 * mottle);
        v3 stone = mix(second, accent, band * 0.6f);
        v3 colour = mix(stone, sand, step(0.55f, 0.75f, n->y));
        return matt(mix(colour, grey(0.8f), c->snow * step(0.6f, 0.8f, n->y)));
    }
    if (c->setting == SNOW) {
        float drift = noise(vec(p.x * 0.9f, p.z * 3.1f), c->seed + 133u) - 0.5f;
        *n = unit(*n + vec(0.1f * drift, 0, 0.35f * drift) * near);
        v3 bare = mix(accent, second, 0.4f) * (0.6f + 0.6f * mottle);
        return surface{mix(bare, rock * (0.93f + 0.07f * grain), step(0.52f, 0.66f, n->y)), grey(0),
                       0.02f, 0.5f};
    }
    float strata = 0.5f + 0.5f * sinf(p.y * 0.11f + 4 * mottle + 0.004f * p.x);
    v3 colour = rock * (0.65f + 0.45f * strata + 0.35f * (mottle - 0.5f) + 0.2f * (grain - 0.5f));
    float grass = step(0.70f, 0.84f, n->y) * step(360, 200, p.y + 160 * (mottle - 0.5f));
    colour =
        mix(colour, mix(second, vec(0.16f, 0.15f, 0.05f), mottle * 0.7f) * (0.75f + 0.5f * grain),
            grass);
    float forest = land_wooded(c, flat(p)) * step(330, 250, p.y) * step(60, 300, far) *
                   step(0.5f, 0.65f, n->y);
    colour = mix(colour, second * (0.25f + 0.4f * mottle), forest);
    float line = 330 + 200 * (mottle - 0.5f),
          high = step(line, line + 130, p.y) * step(0.50f, 0.68f, n->y);
    return matt(mix(colour, accent, fmaxf(high, c->snow * step(0.45f, 0.65f, n->y))));
}

FN v3 land_lamps(const clip *c, v3 p, v3 n)
{
    (void)c, (void)p, (void)n;
    return grey(0);
}
