// An interior: surfaces and the light in it.
#pragma once
#include "room_things.cuh"

FN float room_distance(const clip *c, v3 p, float seconds)
{
    (void)seconds;
    return room(c, p).d;
}

FN bool tiled(const clip *c)
{
    return room_kind(c) == HALL || room_kind(c) == KITCHEN ||
           (room_kind(c) == OFFICE && luck(room_id(c), 70) < 0.5f);
}

FN surface room_floor(const clip *c, v3 p, float far)
{
    const uint32_t id = room_id(c);
    const float w = 0.0035f * far + 0.003f;
    v3 colour;
    float shine = 0.04f;
    if (tiled(c)) {
        float size = room_kind(c) == HALL ? 0.9f : 0.45f;
        int x = (int)floorf(p.x / size), z = (int)floorf(p.z / size);
        bool chequered = luck(id, 71) < 0.6f;
        float dark = chequered && ((x + z) & 1) ? 1.0f : 0.0f;
        colour =
            mix(grey(0.50f),
                mix(grey(0.06f), load(c->accent) * 0.5f, luck(id, 72) < 0.4f ? 1.0f : 0.0f), dark);
        colour = colour * (0.8f + 0.25f * fbm(flat(p) * 2.1f + vec(7.0f * x, 3.0f * z), 3, 5u));
        float joint = fmaxf(covers(fraction(p.x / size), 0, 0.02f, w / size),
                            covers(fraction(p.z / size), 0, 0.02f, w / size));
        colour = mix(colour, grey(0.2f), joint * 0.7f);
        shine = 0.08f;
    } else {
        float wide = 0.14f, i = floorf(p.x / wide), shift = chance((int)i + 7u) * 1.9f,
              j = floorf((p.z + shift) / 1.9f);
        float tint = chance((int)i, (int)j, id);
        v3 q = vec(p.x * 9.0f, tint * 30, p.z * 0.9f);
        colour = load(c->ground) * (0.65f + 0.5f * tint) *
                 (0.78f + 0.4f * fbm(vec(q.x + 17 * tint, q.z), 3, 6u));
        float joint = fmaxf(covers(fraction(p.x / wide), 0, 0.035f, w / wide),
                            covers(fraction((p.z + shift) / 1.9f), 0, 0.003f, w / 1.9f));
        colour = colour * (1 - 0.55f * joint);
    }
    int kind = room_kind(c);
    if (kind == LIVING || kind == BEDROOM || (kind == HALL && luck(id, 73) < 0.7f)) { // a rug
        float hx = kind == HALL ? 0.13f * c->plan[0] : 0.24f * c->plan[0],
              hz = kind == HALL ? 0.5f * c->plan[2] : 0.16f * c->plan[2];
        v2 q = vec(fabsf(p.x), fabsf(p.z - (kind == HALL ? 0 : 0.15f * c->plan[2])));
        bool round = kind != HALL && luck(id, 74) < 0.35f;
        float edge = round ? (length(vec(q.x / hx, q.y / hz)) - 1) * fminf(hx, hz)
                           : fmaxf(q.x - hx, q.y - hz);
        v3 cloth = load(c->accent), other = mix(hue(luck(id, 75)), grey(0.4f), 0.5f) * 0.6f;
        float band = covers(-edge, 0.10f, 0.20f, w) + covers(-edge, 0.32f, 0.36f, w);
        float figure = step(0.1f, 0.3f, sinf(q.x * 14) * sinf(q.y * 14)) * step(0.4f, 0.5f, -edge);
        cloth = mix(cloth, other, unitly(band + 0.8f * figure)) *
                (0.85f + 0.3f * noise(flat(p) * 40.0f, 8u));
        if (edge < 0)
            return surface{cloth, grey(0), 0.0f, 1.0f};
        colour = colour * (1 - 0.3f * step(0.05f, 0, edge));
    }
    return surface{colour, grey(0), shine, 0.35f};
}

FN surface room_wall(const clip *c, v3 p, v3 n, float far)
{
    const uint32_t id = room_id(c);
    const float h = c->plan[1], d = c->plan[2], pix = 0.0035f * far + 0.003f;
    if (n.y < -0.8f) { // ceiling
        v3 colour = grey(0.72f);
        if (room_kind(c) == OFFICE)
            colour =
                colour * (1 - 0.2f * fmaxf(covers(fraction(p.x / 0.6f), 0, 0.03f, pix / 0.6f),
                                           covers(fraction(p.z / 0.6f), 0, 0.03f, pix / 0.6f)));
        return matt(colour);
    }
    bool x = fabsf(n.x) > 0.5f;
    float u = x ? p.z : p.x;
    v3 tint = mix(load(c->second), most(hue(luck(id, 60)), grey(0.2f)) * 0.8f,
                  pick(id, 61, 0.0f, 0.38f)),
       colour = tint;
    float style = luck(id, 62);
    if (style < 0.3f) { // wallpaper
        colour = colour * (0.86f + 0.28f * covers(fraction(u / 0.28f), 0, 0.5f, pix / 0.28f));
    } else if (style < 0.5f && p.y < 1.0f) { // panels
        float panel =
            covers(fraction(u / 0.6f), 0.08f, 0.92f, pix / 0.6f) * covers(p.y, 0.2f, 0.9f, pix);
        colour = mix(grey(0.55f), tint, 0.35f) * (0.85f + 0.15f * panel);
        colour = colour * (1 - 0.35f * covers(p.y, 0.96f, 1.0f, pix));
    } else if (style < 0.6f && room_kind(c) != HALL) { // brick
        float row = floorf(p.y / 0.09f), shift = 0.5f * (row - 2 * floorf(row / 2)),
              col = floorf(u / 0.26f + shift);
        float joint = fmaxf(covers(fraction(p.y / 0.09f), 0, 0.12f, pix / 0.09f),
                            covers(fraction(u / 0.26f + shift), 0, 0.05f, pix / 0.26f));
        colour = mix(vec(0.36f, 0.15f, 0.09f) * (0.7f + 0.6f * chance((int)row, (int)col, 9u)),
                     grey(0.42f), joint * 0.8f);
    }
    if (room_kind(c) == KITCHEN && !x && p.y > 0.9f && p.y < 1.5f) // splashback
        colour = mix(mix(load(c->accent), grey(0.5f), 0.6f), grey(0.7f),
                     fmaxf(covers(fraction(u / 0.15f), 0, 0.08f, pix / 0.15f),
                           covers(fraction(p.y / 0.15f), 0, 0.08f, pix / 0.15f)));
    colour = colour * (0.93f + 0.12f * fbm(vec(u * 1.3f, p.y * 1.3f), 3, 15u));
    // a door
    bool door_wall = x ? n.x * window_side(c) > 0 : p.z > 0 && room_kind(c) == HALL;
    float at = x ? -0.22f * d : 0, dw = room_kind(c) == HALL ? 1.1f : 0.45f,
          dh = room_kind(c) == HALL ? 3.2f : 2.05f;
    if (door_wall && room_kind(c) != BEDROOM) {
        float v = p.y - (room_kind(c) == HALL && !x ? 0.3f : 0),
              leaf = covers(u - at, -dw, dw, pix) * covers(v, 0, dh, pix),
              frame = covers(u - at, -dw - 0.09f, dw + 0.09f, pix) * covers(v, 0, dh + 0.09f, pix);
        float panel = covers(fraction((u - at) / dw + 1), 0.15f, 0.85f, pix) *
                      covers(fraction(v / dh * 2), 0.1f, 0.9f, pix);
        v3 wood = luck(id, 63) < 0.5f ? grey(0.6f) : load(c->ground) * 0.9f;
        colour = mix(colour, grey(0.6f), frame);
        colour = mix(colour, wood * (0.75f + 0.25f * panel), leaf);
        return matt(colour);
    }
    if (p.y < 0.11f)
        colour = grey(0.60f);
    if (p.y > h - 0.08f && style < 0.7f)
        colour = grey(0.68f);
    return matt(colour);
}

FN surface room_surface(const clip *c, v3 p, v3 n, float far, float seconds)
{
    (void)seconds;
    const uint32_t id = room_id(c);
    const struct thing t = room(c, p);
    v3 cloth = mix(load(c->accent), mix(hue(luck(id, 76)), grey(0.25f), 0.45f) * 0.6f, 0.5f);
    bool wenge = luck(id, 77) < 0.25f;
    switch (t.what) {
    case R_WALL:
        return n.y > 0.8f && p.y < 0.1f ? room_floor(c, p, far) : room_wall(c, p, n, far);
    case R_FRAME:
        return surface{grey(0.72f), grey(0), 0.04f, 0.5f};
    case R_WOOD: {
        float grain = fbm(vec(p.x * 3 + p.y * 3, p.z * 21 + p.y * 9), 3, 21u);
        return surface{(wenge ? vec(0.07f, 0.045f, 0.03f) : load(c->ground) * 0.85f) *
                           (0.7f + 0.6f * grain),
                       grey(0), 0.05f, 0.5f};
    }
    case R_CLOTH:
        return matt(cloth * (0.85f + 0.3f * noise(p * 45.0f, 3u)));
    case R_BED:
        return matt(mix(cloth, grey(0.55f),
                        covers(fraction(p.z * 1.7f), 0, luck(id, 78) < 0.5f ? 0.3f : 0.0f, 0.03f)) *
                    (0.9f + 0.2f * fbm(p * 6.0f, 2, 4u)));
    case R_PALE: {
        v3 pale = mix(grey(0.62f), cloth, room_kind(c) == KITCHEN ? 0.55f * luck(id, 79) : 0.15f);
        if (t.id != id) { // cabinets have doors
            float gap = covers(fraction((fabsf(n.x) > 0.5f ? p.z : p.x) / 0.5f), 0, 0.025f,
                               0.01f + 0.007f * far);
            float knob = covers(fraction(p.x / 0.5f), 0.80f, 0.84f, 0.02f) *
                         covers(fraction(p.y / 0.8f), 0.78f, 0.92f, 0.02f);
            pale = pale * (1 - 0.6f * gap) * (1 - 0.7f * knob);
        }
        return surface{pale, grey(0), 0.03f, 0.6f};
    }
    case R_DARK:
        return surface{grey(0.03f), grey(0), 0.05f, 0.4f};
    case R_METAL:
        return surface{grey(0.45f), grey(0), 0.15f, 0.4f};
    case R_STONE:
        return surface{grey(0.5f) * (0.75f + 0.4f * fbm(p * 2.3f, 4, 31u)), grey(0), 0.06f, 0.3f};
    case R_SHADE:
        return surface{vec(0.75f, 0.68f, 0.55f),
                       (t.id == 2 ? vec(0.9f, 0.97f, 1.0f) : vec(1.0f, 0.68f, 0.34f)) *
                           (1.9f * c->lamps),
                       0.0f, 1.0f};
    case R_BOOKS:
        return matt(mix(hue(luck(t.id, 5)), grey(0.3f), 0.5f) * pick(t.id, 6, 0.15f, 0.7f));
    case R_PICTURE: {
        float u = (fabsf(n.x) > 0.5f ? p.z : p.x), hill = 0.25f * noise(vec(u * 3, 1), t.id & 255);
        v3 top = mix(hue(luck(t.id, 7)), grey(0.6f), 0.5f),
           low = mix(hue(luck(t.id, 8)), grey(0.2f), 0.4f) * 0.5f;
        float f = fbm(vec(u * 4, p.y * 4), 3, t.id & 255);
        return surface{luck(t.id, 9) < 0.5f ? mix(low, top, step(1.5f, 1.6f, p.y + hill))
                                            : mix(low, top, step(0.35f, 0.65f, f)),
                       grey(0), 0.04f, 0.3f};
    }
    case R_LEAVES:
        return matt(mix(vec(0.02f, 0.06f, 0.015f), vec(0.08f, 0.18f, 0.04f), noise(p * 13.0f, 2u)));
    case R_SCREEN: {
        float line = step(0.4f, 0.5f, noise(vec(p.x * 9, floorf(p.y * 22) * 1.7f), 11u));
        return surface{grey(0.02f),
                       n.z < -0.5f
                           ? mix(vec(0.05f, 0.10f, 0.18f), vec(0.6f, 0.7f, 0.8f), line * 0.7f)
                           : grey(0),
                       0.1f, 0.2f};
    }
    case R_CURTAIN:
        return surface{mix(grey(0.6f), cloth, luck(id, 80)), load(c->sky_low) * 0.10f, 0.0f, 1.0f};
    default: {
        float town = mix(fbm(flat(p) * 0.05f, 3, 19u), 0.45f, unitly(far / 120));
        v3 land = mix(vec(0.07f, 0.11f, 0.04f), vec(0.16f, 0.15f, 0.13f), step(0.4f, 0.6f, town));
        return surface{mix(land, grey(0.75f), c->snow) * (1 - 0.8f * unitly(far / 400)),
                       load(c->haze_colour) * (0.8f * unitly(far / 400)), 0.0f, 1.0f};
    }
    }
}

// Daylight out of the windows and back from where the sun falls, and the lamps.
FN v3 room_lamps(const clip *c, v3 p, v3 n, float seconds)
{
    (void)seconds;
    const struct opening o = windows(c);
    const float side = window_side(c), w = c->plan[0];
    const v3 sun = load(c->sun);
    v3 sum = grey(0), day = mix(load(c->sky_low), load(c->sky_top), 0.15f) * vec(1.06f, 1, 0.94f);
    if (p.y < -0.5f || fabsf(p.x) > 0.5f * w + 0.3f)
        return day * c->ambient * 1.2f;
    for (int i = 0; i < o.count; i++) {
        v3 at = vec(side * 0.5f * w, o.y, o.z + (i - 0.5f * (o.count - 1)) * o.gap), to = at - p;
        float r2 = dot(to, to) + 0.3f, area = 4 * o.hy * o.hz;
        to = to * (1 / sqrtf(r2));
        sum = sum + day * (2.6f * area * fmaxf(to.x * side, 0) *
                           (0.25f + 0.75f * fmaxf(dot(n, to), 0)) / (r2 + area * 0.3f));
        if (sun.x * side > 0.05f) { // the patch that the sun lights
            float reach = fminf(o.y / fmaxf(sun.y, 0.02f), 0.85f * w / (sun.x * side));
            v3 patch = at - sun * reach, away_from = patch - p;
            float q2 = dot(away_from, away_from) + 0.8f;
            sum = sum + load(c->light) * mix(load(c->ground), grey(0.4f), 0.5f) *
                            (0.5f * area * sun.x * side *
                             (0.35f + 0.65f * fmaxf(dot(n, unit(away_from)), 0)) / (q2 + area));
        }
    }
    if (c->lamps > 0.01f) {
        int many = room_lamp_count(c), kind = room_kind(c);
        v3 tint = kind == OFFICE ? vec(0.88f, 0.95f, 1.0f) : vec(1.0f, 0.66f, 0.34f);
        float strong = kind == OFFICE    ? 0.75f
                       : kind == HALL    ? 2.6f
                       : kind == BEDROOM ? 0.5f
                                         : 0.75f;
        for (int i = 0; i < many; i++) {
            v3 to = room_lamp_at(c, i) - p;
            float r2 = dot(to, to) + 0.15f, wide = 0.25f + 0.75f * fmaxf(dot(n, unit(to)), 0);
            sum = sum + tint * (strong * wide / r2 * c->lamps);
        }
        sum = sum + tint * ((kind == BEDROOM ? 0.03f : 0.045f) * c->lamps);
    }
    return sum;
}

// Polished floors.
FN float room_mirror(const clip *c, v3 p, v3 n, float *rough)
{
    *rough = tiled(c) ? 0.01f : 0.05f;
    if (n.y < 0.9f || p.y > 0.02f || p.y < -0.1f)
        return 0;
    int kind = room_kind(c);
    if ((kind == LIVING || kind == BEDROOM) && fabsf(p.x) < 0.24f * c->plan[0] &&
        fabsf(p.z - 0.15f * c->plan[2]) < 0.16f * c->plan[2])
        return 0;
    return tiled(c) ? 0.30f : 0.12f;
}
