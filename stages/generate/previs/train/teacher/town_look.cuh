// Surfaces and lamps of streets.
#pragma once
#include "town_things.cuh"
#include "town_walls.cuh"

// Grey, black and white mostly, as cars are.
FN v3 car_colour(uint32_t id)
{
    float k = luck(id, 21);
    if (k < 0.8f)
        return grey(k < 0.25f ? 0.55f : k < 0.5f ? 0.22f : k < 0.65f ? 0.10f : 0.03f);
    return mix(hue(luck(id, 22)), grey(0.14f), 0.62f) * 0.4f;
}

FN surface thing_surface(const clip *c, const struct thing *t, v3 p, v3 n, float seconds)
{
    float up = fmaxf(n.y, 0);
    v3 bright = car_colour(t->id);
    switch (t->what) {
    case TRUNK:
        return matt(vec(0.075f, 0.055f, 0.04f));
    case CROWN: {
        float leaf = fbm(p * 2.6f, 3, 91u);
        v3 green = mix(vec(0.035f, 0.075f, 0.018f), vec(0.11f, 0.17f, 0.035f), leaf);
        if (chance(c->seed + 61) < 0.2f) // autumn
            green = mix(vec(0.22f, 0.08f, 0.015f), vec(0.42f, 0.24f, 0.03f), leaf);
        return matt(mix(green, grey(0.75f), c->snow * step(0.3f, 0.7f, up + 0.3f * (leaf - 0.5f))));
    }
    case POST:
        return surface{grey(0.045f), grey(0), 0.04f, 0.5f};
    case MAST:
        return surface{grey(0.12f), grey(0), 0.05f, 0.5f};
    case LAMP:
        return surface{grey(0.2f), lamp_tint(c) * (n.y < 0.2f ? 5.0f * c->lamps : 0.2f * c->lamps),
                       0.0f, 1.0f};
    case BODY:
        return surface{mix(bright, grey(0.78f), c->snow * step(0.75f, 0.9f, up)), grey(0), 0.07f,
                       0.25f};
    case CABIN:
        return up > 0.8f ? surface{mix(bright, grey(0.78f), c->snow), grey(0), 0.07f, 0.25f}
                         : surface{grey(0.02f), grey(0), 0.22f, 0.1f};
    case TYRE:
        return matt(grey(0.018f));
    case HEADLAMP:
        return surface{grey(0.6f), vec(1, 0.95f, 0.82f) * (7 * c->lamps), 0.1f, 0.3f};
    case TAILLAMP:
        return surface{vec(0.4f, 0.02f, 0.02f), vec(1, 0.05f, 0.03f) * (3 * c->lamps), 0.1f, 0.3f};
    case BEACON:
        return surface{grey(0.2f),
                       vec(1, 0.06f, 0.04f) *
                           (c->lamps * (2.0f + 1.6f * sinf(seconds * 3 + t->id % 7))),
                       0.0f, 1.0f};
    case NEON: {
        v3 strong = hue(luck(t->id, 61));
        float v = p.y * 0.85f,
              letter =
                  step(0.3f, 0.5f, noise(vec(p.x * 2.4f + p.z * 2.4f, p.y * 2.4f), t->id & 1023)) *
                  covers(fraction(v), 0.15f, 0.85f, 0.05f);
        float flicker = luck(t->id, 62) < 0.12f ? step(-0.2f, 0.0f, sinf(seconds * 9)) : 1.0f;
        return surface{strong * 0.3f + grey(0.03f),
                       mix(strong * 0.35f, mix(strong, grey(1), 0.25f) * 2.8f, letter) *
                           (c->lamps * flicker),
                       0.05f, 0.5f};
    }
    case AWNING: {
        v3 cloth = mix(hue(luck(t->id, 63)), grey(0.2f), 0.3f) * 0.5f;
        float stripe =
            luck(t->id, 64) < 0.5f
                ? covers(fraction((c->setting == HARBOUR ? p.x : p.z) * 0.9f), 0, 0.5f, 0.1f)
                : 1.0f;
        return matt(
            mix(mix(grey(0.6f), cloth, stripe), grey(0.78f), c->snow * step(0.5f, 0.8f, up)));
    }
    case BALCONY:
        return matt(
            mix(mix(grey(0.11f), wall_colour(c, t->id), luck(t->id, 65) < 0.5f ? 0.9f : 0.0f),
                grey(0.78f), c->snow * step(0.5f, 0.8f, up)));
    default:
        return matt(mix(grey(0.24f), grey(0.78f), c->snow * step(0.5f, 0.8f, up)));
    }
}

FN surface roof_surface(const clip *c, uint32_t id, v3 p, v3 n, float far)
{
    v3 colour = n.y > 0.93f           ? grey(0.10f)
                : luck(id, 70) < 0.6f ? vec(0.26f, 0.10f, 0.06f) * pick(id, 71, 0.6f, 1.2f)
                                      : vec(0.07f, 0.075f, 0.085f);
    if (n.y < 0.93f && far < 80)
        colour = colour * (1 - 0.25f * covers(fraction(p.y / 0.3f), 0, 0.3f, 0.012f * far));
    colour = colour * (0.8f + 0.4f * fbm(flat(p) * 0.7f, 3, 33u));
    return surface{mix(colour, grey(0.80f), c->snow), grey(0), 0.02f, 0.7f};
}

FN surface paving(const clip *c, v3 p, float far)
{
    const float w = 0.004f * far + 0.01f;
    float k = floorf(p.x / c->plan[0] + 0.5f), u = p.x - k * c->plan[0], a = fabsf(u),
          kerb = kerb_at(c);
    float m = floorf(p.z / c->plan[1]) + 0.5f, f = p.z - m * c->plan[1], b = fabsf(f),
          cross = 0.5f * c->plan[3] - 2.3f;
    float rough = fbm(flat(p) * 1.7f, 3, 11u), wide = fbm(flat(p) * 0.13f, 3, 12u);
    v3 road = load(c->ground) * (0.75f + 0.3f * rough + 0.35f * wide), colour = road;
    bool on_road = a < kerb || b < cross, crossing = a < kerb && b < cross;
    if (on_road) {
        float paint = 0, white = 0.55f;
        if (!crossing && a < kerb) {
            float lanes = kerb - 2.2f > 6 ? 2.0f : 1.0f;
            paint = covers(a, -0.07f, lanes > 1 ? 0.18f : 0.07f, w) *
                    (lanes > 1 ? 1.0f - covers(a, -0.05f, 0.07f, w)
                               : covers(fraction(p.z / 6.0f), 0, 0.5f, w / 6));
            if (lanes > 1)
                paint = fmaxf(paint, covers(a, 0.515f * (kerb - 2.2f) - 0.07f,
                                            0.515f * (kerb - 2.2f) + 0.07f, w) *
                                         covers(fraction(p.z / 8.0f), 0, 0.45f, w / 8));
            paint = fmaxf(
                paint, covers(b, cross + 0.8f, cross + 3.6f, w) *
                           covers(fraction(u / 1.1f), 0.0f, 0.5f, w / 1.1f)); // where people cross
            paint =
                fmaxf(paint, covers(b, cross + 4.6f, cross + 5.0f, w) * (u * f < 0 ? 1.0f : 0.0f));
        } else if (!crossing) {
            paint = covers(b, -0.07f, 0.07f, w) * covers(fraction(p.x / 6.0f), 0, 0.5f, w / 6);
        }
        // worn where wheels run, patched, drained
        road = mix(road, grey(white * (0.6f + 0.5f * rough)), unitly(paint) * 0.9f);
        float lid = length(vec(fraction(p.x / 7) * 7 - 3, fraction(p.z / 19) * 19 - 9));
        colour = mix(road, grey(0.035f), step(0.42f, 0.36f, lid) * 0.8f);
    } else if (a < 0.5f * c->plan[2] || b < 0.5f * c->plan[3]) {
        float edge = fminf(a - kerb, b - cross);
        float tile = fmaxf(covers(fraction(p.x / 0.9f), 0, 0.05f, w / 0.9f),
                           covers(fraction(p.z / 0.9f), 0, 0.05f, w / 0.9f));
        float tint =
            0.85f + 0.3f * mix(chance((int)floorf(p.x / 0.9f), (int)floorf(p.z / 0.9f), 3u), 0.5f,
                               unitly(w * 1.5f));
        v3 stone =
            mix(load(c->second), grey(0.3f), 0.7f) * (0.7f + 0.25f * wide + 0.15f * rough) * tint;
        colour = mix(stone * (1 - 0.35f * tile), grey(0.38f), covers(edge, 0.0f, 0.28f, w));
        colour = colour * (1 - 0.6f * covers(edge, -0.02f, 0.05f, w));
    } else {
        colour = mix(vec(0.06f, 0.09f, 0.03f), grey(0.2f), step(0.45f, 0.55f, wide));
    }
    if (on_road)
        colour = colour * (1 - 0.5f * covers(a, kerb - 0.35f, kerb, w) * (b > cross ? 1.0f : 0.0f));
    colour = colour * (1 - 0.5f * c->wet);
    float tracks =
        on_road ? step(0.25f, 0.55f, fabsf(fraction(a / 3.2f) - 0.5f) * 2 + 0.5f * (wide - 0.5f))
                : 1.0f;
    colour = mix(colour, grey(0.72f + 0.15f * wide),
                 c->snow * (on_road ? 0.25f + 0.6f * tracks : 0.95f));
    return surface{colour, grey(0), 0.0f, 1.0f};
}

FN surface street_surface(const clip *c, v3 p, v3 n, float far, float seconds)
{
    struct thing t = {1e9f, PAVING, 0};
    if (p.y < 0.02f + 0.0005f * far && n.y > 0.8f)
        return paving(c, p, far);
    buildings(&t, c, p);
    street_things(&t, c, p, seconds);
    if (t.what != WALL)
        return thing_surface(c, &t, p, n, seconds);
    const struct block b = block_of(c, p);
    struct lot l = lot_of(c, &b, 0, 0);
    for (int i = 0; i < 2 * lots_along(c); i++) {
        const struct lot at = lot_of(c, &b, i & 1, i >> 1);
        if (at.id == t.id)
            l = at;
    }
    v3 q = b.q - vec(l.x, 0, l.z);
    if (n.y > 0.35f)
        return roof_surface(c, l.id, p, n, far);
    bool x = fabsf(n.x) > fabsf(n.z);
    float u = x ? q.z : q.x, half = x ? l.hz : l.hx;
    if (is_city(c)) {
        if (l.kind == 3 && q.y > 10)
            u = atan2f(q.z, q.x) * fminf(l.hx, l.hz) * 0.92f;
        return tower_wall(c, l.id, u, q.y, l.h, far);
    }
    return house_wall(c, l.id, u + half, q.y, 2 * half, l.h, x && n.x * l.x > 0, far);
}

FN v3 street_lamps(const clip *c, v3 p, v3 n, float seconds)
{
    float k = floorf(p.x / c->plan[0] + 0.5f), u = p.x - k * c->plan[0], kerb = kerb_at(c),
          gap = lamp_gap(c), f;
    float high = is_city(c) ? 7.5f : 5.9f;
    v3 sum = grey(0), tint = lamp_tint(c);
    int i = cell(p.z, gap, &f);
    for (int j = 0; j < 4; j++) {
        int n_z = i + (j < 2 ? 0 : f > 0 ? 1 : -1);
        float z = (n_z + 0.5f) * gap;
        if (!beside_block(c, z, 2))
            continue;
        v3 to = vec((j & 1 ? 1 : -1) * (kerb - 1.15f) - u, high - p.y, z - p.z);
        float r2 = dot(to, to) + 1;
        to = to * (1 / sqrtf(r2));
        sum = sum + tint * (62 * unitly(to.y) * to.y * to.y * fmaxf(dot(n, to), 0) / r2);
    }
    if (is_city(c)) { // shops and signs throw their colours on what is near
        float front = 0.5f * c->plan[2] - fabsf(u), low = expf(-fmaxf(p.y - 3, 0) * 0.18f);
        float at = p.z / 9.0f + (u > 0 ? 31.7f : 0) + k * 7.1f;
        v3 glow =
            mix(hue(chance((int)floorf(at), c->seed, 9u)),
                hue(chance((int)floorf(at) + 1, c->seed, 9u)), step(0.2f, 0.8f, fraction(at)));
        sum = sum + (mix(glow, vec(1, 0.75f, 0.45f), 0.35f) * (n.y > 0.7f ? 0.55f : 0.28f)) *
                        (low * expf(-fmaxf(front, 0) * 0.22f));
        sum = sum + tint * (0.07f * expf(-p.y * 0.008f)); // of the whole city
    }
    (void)seconds;
    return sum * c->lamps;
}
