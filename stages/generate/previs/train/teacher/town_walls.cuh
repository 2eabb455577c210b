// What house fronts and towers look like: windows, doors, shops, lit or dark.
#pragma once
#include "town_blocks.cuh"

// Share of [a, b] that a pixel of width w about x covers.
FN float covers(float x, float a, float b, float w)
{
    w = fmaxf(w, 0.004f);
    return unitly((x - a) / w + 0.5f) - unitly((x - b) / w + 0.5f);
}
FN v3 hue(float h) // strong, 0 to 1 around
{
    v3 x = vec(fabsf(fraction(h) * 6 - 3) - 1, 2 - fabsf(fraction(h) * 6 - 2),
               2 - fabsf(fraction(h) * 6 - 4));
    x = least(most(x, grey(0)), grey(1));
    return x * x * 0.96f + grey(0.04f);
}
FN v3 lamp_tint(const clip *c)
{
    return mix(vec(1.0f, 0.62f, 0.28f), vec(0.95f, 0.92f, 0.85f), chance(c->seed + 51));
}
// Behind a lit window: warm or cool, brighter towards the ceiling, some with curtains.
FN v3 room_light(uint32_t building, uint32_t window, float v)
{
    bool cool = luck(building, 31) < 0.35f;
    if (luck(window, 2) < 0.15f)
        cool = !cool;
    v3 tint = cool ? vec(0.72f, 0.90f, 1.0f)
                   : mix(vec(1.0f, 0.58f, 0.24f), vec(1.0f, 0.80f, 0.50f), luck(window, 3));
    return tint * (pick(window, 4, 0.35f, 1.3f) * (0.55f + 0.6f * v));
}

FN v3 wall_colour(const clip *c, uint32_t id)
{
    float which = luck(id, 30), light = pick(id, 32, 0.75f, 1.2f);
    v3 pastel = mix(grey(0.52f), most(hue(luck(id, 33)), grey(0.15f)), pick(id, 34, 0.12f, 0.45f)) *
                vec(1.08f, 1, 0.9f);
    if (c->setting == HARBOUR)
        return mix(grey(0.45f), most(hue(luck(id, 33)), grey(0.06f)), pick(id, 34, 0.12f, 0.6f)) *
               vec(1.05f, 0.95f, 0.85f) * light;
    if (which < 0.3f)
        return load(c->second) * light;
    if (which < 0.55f)
        return load(c->accent) * light;
    return pastel * (0.85f * light);
}

// u along the wall, v up, both metres; wide: of the wall.
FN surface house_wall(const clip *c, uint32_t id, float u, float v, float wide, float high,
                      bool front, float far)
{
    const float w = 0.0035f * far + 0.005f, floor_high = 3.1f, first = 3.6f;
    v3 wall = wall_colour(c, id), trim = mix(grey(0.62f), wall, 0.25f);
    float stain = fbm(vec(u * 0.4f + 9 * luck(id, 1), v * 0.25f), 3, id & 1023);
    wall = wall * (0.82f + 0.36f * stain);
    if (luck(id, 35) < 0.45f && far < 60) { // courses of brick
        float course = fraction(v / 0.24f);
        wall = wall * (1 - 0.22f * covers(course, 0, 0.22f, w / 0.24f));
    }
    surface s = {wall, grey(0), 0.0f, 1.0f};
    if (v > high || v < 0)
        return s;
    if (!front) {
        if (luck(id, 36) < 0.6f)
            return s;
    }
    float bays = fmaxf(1, floorf(wide / pick(id, 37, 2.0f, 2.9f))), bay = wide / bays;
    float col = clamp(floorf(u / bay), 0, bays - 1), x = u / bay - col, wx = w / bay;
    if (v < first && front) { // shop or door
        bool shop = luck(id, 38) < 0.6f;
        uint32_t door = id + 7u;
        v3 sign = mix(hue(luck(id, 39)), grey(0.25f), 0.35f) * 0.5f;
        if (shop) {
            float glass = covers(v, 0.45f, 2.75f, w) * covers(x, 0.06f, 0.94f, wx),
                  band = covers(v, 2.85f, 3.5f, w);
            float goods = step(0.35f, 0.65f, noise(vec(u * 2.2f, v * 1.6f), door & 1023)) *
                          step(2.0f, 0.8f, v);
            float display = 0.25f + 1.0f * noise(vec(u * 1.1f, v * 2.1f + 3), (door + 2) & 1023) *
                                        (0.5f + 0.25f * v);
            v3 inside = mix(vec(0.05f, 0.05f, 0.05f), hue(luck(id, 39) + 0.4f) * 0.22f, goods);
            s.colour = mix(s.colour, trim * 0.5f, covers(v, 0, 2.85f, w));
            s.colour = mix(s.colour, inside, glass);
            s.colour = mix(s.colour, sign, band);
            float word = covers(v, 3.0f, 3.35f, w) *
                         step(0.45f, 0.55f, noise(vec(u * 3.1f, 0.5f), (door + 1) & 1023)) *
                         covers(u / wide, 0.2f, 0.8f, 0.02f);
            s.colour = mix(s.colour, grey(0.7f), word * 0.8f);
            s.emits = (room_light(id, door, 0.7f) * (glass * (1.0f - 0.65f * goods) * display) +
                       (sign * 1.2f + grey(0.7f) * word) * band) *
                      c->lamps;
            s.shine = 0.12f * glass;
            s.rough = 0.1f;
        } else {
            bool here = col == floorf(bays * luck(id, 40));
            float glass = here ? covers(v, 2.25f, 2.7f, w) * covers(x, 0.3f, 0.7f, wx)
                               : covers(v, 1.0f, 2.7f, w) * covers(x, 0.3f, 0.7f, wx);
            float frame = covers(v, here ? 0 : 0.85f, 2.85f, w) * covers(x, 0.25f, 0.75f, wx);
            s.colour = mix(s.colour, here ? sign : trim, frame);
            s.colour = mix(s.colour, grey(0.03f), glass);
            s.emits = room_light(id, door, 0.5f) *
                      (glass * c->lamps * (luck(id, 41) < 0.5f ? 1.0f : 0.05f));
            s.shine = 0.2f * glass;
            s.rough = 0.1f;
        }
        return s;
    }
    float from = front ? first : 0.6f, level = floorf((v - from) / floor_high),
          y = (v - from) / floor_high - level, wy = w / floor_high;
    if (v + 0.4f > high || v < from)
        return s;
    uint32_t window = scramble(id + (uint32_t)(int)col * 131u + (uint32_t)(int)level * 17077u +
                               (front ? 0u : 77u));
    float a = pick(id, 42, 0.24f, 0.34f), low = pick(id, 43, 0.18f, 0.32f), top = 0.80f;
    float open = covers(x, a, 1 - a, wx) * covers(y, low, top, wy);
    float frame = covers(x, a - 0.05f, 1.05f - a, wx) * covers(y, low - 0.04f, top + 0.05f, wy);
    float bars = fmaxf(covers(x, 0.485f, 0.515f, wx), covers(y, 0.62f, 0.645f, wy)) +
                 covers(x, a, a + 0.03f, wx) + covers(x, 0.97f - a, 1 - a, wx) +
                 covers(y, top - 0.03f, top, wy);
    if (luck(id, 44) < 0.35f) { // shutters
        float leaf = (covers(x, a - 0.20f, a - 0.05f, wx) + covers(x, 1.05f - a, 1.20f - a, wx)) *
                     covers(y, low - 0.02f, top + 0.02f, wy);
        s.colour = mix(s.colour, mix(hue(luck(id, 45)), grey(0.2f), 0.4f) * 0.3f, unitly(leaf));
    }
    s.colour = mix(s.colour, trim, frame);
    s.colour = s.colour * (1 - 0.35f * covers(y, low - 0.09f, low - 0.04f, wy) *
                                   covers(x, a - 0.06f, 1.06f - a, wx)); // the sill's shadow
    s.colour = mix(s.colour, s.colour * 1.25f,
                   covers(y, 0.0f, 0.06f, wy) * (luck(id, 46) < 0.5f ? 1.0f : 0.0f));
    float curtain = luck(window, 6) < 0.4f ? 0.35f : 0.0f, pane = open * (1 - unitly(bars));
    s.colour =
        mix(s.colour, mix(grey(0.025f), grey(0.45f), curtain * step(0.1f, 0.3f, fabsf(x - 0.5f))),
            pane);
    s.colour = mix(s.colour, grey(0.02f),
                   covers(y, top - 0.07f, top, wy) * open * 0.7f); // depth of the reveal
    s.shine = 0.24f * pane;
    s.rough = 0.08f;
    bool lit = luck(window, 1) < pick(id, 47, 0.25f, 0.7f);
    v3 light = room_light(id, window, y);
    s.emits = light * (pane * (lit ? c->lamps : 0.0f));
    return s;
}

FN surface tower_wall(const clip *c, uint32_t id, float u, float v, float high, float far)
{
    const float w = 0.0035f * far + 0.005f;
    // large windows, in whole storeys: a small model learns stripes and grids, not a thousand lots
    float floors = 7.0f, bay = pick(id, 50, 5.0f, 8.0f), kind = luck(id, 51), wx = w / bay,
          wy = w / floors;
    float col = floorf(u / bay), level = floorf(v / floors), x = u / bay - col,
          y = v / floors - level;
    v3 wall = kind < 0.35f
                  ? vec(0.05f, 0.065f, 0.08f) * pick(id, 52, 0.6f, 1.6f)
                  : mix(load(c->second), wall_colour(c, id), 0.5f) * pick(id, 52, 0.4f, 1.1f);
    wall = wall * (0.85f + 0.3f * fbm(vec(u * 0.08f, v * 0.05f), 2, id & 1023));
    surface s = {wall, grey(0), 0.03f, 0.5f};
    float glass, mean;
    if (kind < 0.35f) // all glass
        glass = covers(x, 0.05f, 0.95f, wx) * covers(y, 0.10f, 0.97f, wy), mean = 0.78f;
    else if (kind < 0.6f) // ribbons
        glass = covers(x, 0.02f, 0.98f, wx) * covers(y, 0.32f, 0.82f, wy), mean = 0.48f;
    else if (kind < 0.75f) // fins
        glass = covers(x, 0.28f, 0.72f, wx) * covers(y, 0.04f, 0.96f, wy), mean = 0.40f;
    else
        glass = covers(x, 0.22f, 0.78f, wx) * covers(y, 0.25f, 0.80f, wy), mean = 0.31f;
    float fade =
        step(0.6f, 1.8f, fmaxf(wx, wy * 1.2f)); // windows smaller than pixels become their mean
    glass = mix(glass, mean, fade);
    if (v < 5.2f) { // lobbies and shops
        uint32_t shop = scramble(id + (uint32_t)(int)floorf(u / 7.3f) * 977u);
        float f = fraction(u / 7.3f),
              pane = covers(v, 0.5f, 3.2f, w) * covers(f, 0.06f, 0.94f, w / 7.3f);
        float band = covers(v, 3.7f, 4.7f, w) * covers(f, 0.08f, 0.92f, w / 7.3f);
        v3 neon = hue(luck(shop, 5));
        s.colour = mix(wall, grey(0.04f), pane);
        s.emits = (room_light(id, id, 0.8f) * (pane * (luck(shop, 6) < 0.8f ? 1.0f : 0.04f)) +
                   neon * (band * 1.6f * (luck(shop, 7) < 0.7f ? 1.0f : 0.0f))) *
                  c->lamps;
        s.shine = 0.12f * pane;
        return s;
    }
    // every second, third or fourth storey is lit, or in columns every second window
    int every = 2 + (int)(3 * luck(id, 53)), columns = luck(id, 54) < 0.4f;
    float wanted = columns ? 0.5f : 1.0f / every;
    float lit = (columns ? (int)col & 1 : (int)level % every) == 0 ? 1.0f : 0.0f;
    v3 light = room_light(id, id, y) * lit, many = room_light(id, id, 0.5f) * (wanted * 0.8f);
    light = mix(light, many, fade);
    s.colour = mix(wall, grey(0.03f), glass);
    s.emits = light * (glass * c->lamps);
    s.shine = 0.05f + 0.25f * glass;
    s.rough = 0.1f;
    if (luck(id, 55) < 0.16f && v > high - 9 && v < high - 2) { // a name in lights
        v3 neon = hue(luck(id, 56));
        float word = covers(v, high - 7.5f, high - 3.5f, w) *
                     step(0.42f, 0.56f, noise(vec(u * 0.55f, 3.3f), id & 1023)) *
                     (fabsf(u) < 11 ? 1.0f : 0.0f);
        s.emits = s.emits * (1 - word) + neon * (2.6f * word * c->lamps);
    }
    if (luck(id, 57) < 0.25f) // its top is lit from below
        s.emits = s.emits + mix(lamp_tint(c), hue(luck(id, 58)), 0.6f) *
                                (0.35f * c->lamps * step(high - 22, high, v)) * wall * 4.0f;
    return s;
}
