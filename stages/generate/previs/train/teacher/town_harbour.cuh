// Harbour: a quay along x whose edge is at z = QUAY, houses in rows up a slope behind it, moored
// boats, on one side cranes and warehouses, on the other a breakwater in front of a marina. What is
// nearer than the quay is water.
#pragma once
#include "town_look.cuh"
#include "water.cuh"

#define QUAY 22.0f

FN float harbour_side(const clip *c)
{
    return c->seed & 1 ? -1.0f : 1.0f;
}

FN float harbour_ground(const clip *c, v2 p)
{
    if (p.y < QUAY)
        return 0;
    float rise = fmaxf(p.y - QUAY - 34, 0), x = p.x * harbour_side(c);
    float hill = c->relief * (0.10f + 0.35f * noise(vec(x * 0.006f + 3, p.y * 0.004f), c->seed));
    return 2 + fminf(rise * hill, 90) +
           (rise > 0 ? fminf(rise * 0.1f, 9) * fbm(vec(x, p.y) * 0.03f, 3, c->seed + 2) : 0);
}

// A boat along z, its bow at +z; size: half its length.
FN void boat(thing *t, v3 q, float size, bool sails, uint32_t id)
{
    float near = box(q - vec(0, size * 1.2f, 0), vec(size * 0.4f, size * 1.5f, size));
    if (near > 3) {
        add(t, near, HULL, id);
        return;
    }
    float f = q.z / size, beam = size * (sails ? 0.27f : 0.30f) *
                                 (1 - 0.85f * step(0.2f, 1.05f, f)) *
                                 (0.85f + 0.15f * step(-0.4f, 0.4f, q.y));
    float deck = size * 0.20f * (1 + 0.35f * step(0.2f, 1, f));
    add(t, box(q - vec(0, deck * 0.5f - 0.2f, 0), vec(beam, deck * 0.5f + 0.2f, size)) * 0.7f,
        q.y > deck - 0.07f ? DECK : HULL, id);
    if (sails) {
        add(t,
            round_box(q - vec(0, deck + 0.1f, -0.05f * size),
                      vec(size * 0.13f, 0.32f, size * 0.34f), 0.1f),
            DECK, id);
        add(t, cylinder(q - vec(0, size * 1.4f, 0.1f * size), 0.07f, size * 1.3f), MAST, id);
        add(t,
            capsule(q, vec(0, size * 0.45f, 0.08f * size), vec(0, size * 0.45f, -0.65f * size),
                    0.16f),
            SAILCLOTH, id);
        add(t, capsule(q, vec(0, size * 2.6f, 0.1f * size), vec(0, deck, 0.97f * size), 0.03f),
            MAST, id);
        add(t, capsule(q, vec(0, size * 2.6f, 0.1f * size), vec(0, deck, -0.97f * size), 0.03f),
            MAST, id);
    } else {
        float back = luck(id, 3) < 0.5f ? -0.35f : 0.25f;
        add(t, box(q - vec(0, deck + 0.85f, back * size), vec(size * 0.17f, 0.95f, size * 0.2f)),
            CABIN, id);
        add(t, box(q - vec(0, deck + 1.85f, back * size), vec(size * 0.19f, 0.06f, size * 0.24f)),
            DECK, id);
        add(t, cylinder(q - vec(0, deck + 1.8f, (back + 0.3f) * size), 0.06f, 2.0f), MAST, id);
        add(t,
            capsule(q, vec(0, deck + 3.6f, (back + 0.3f) * size),
                    vec(0, deck + 1.2f, -0.95f * size), 0.04f),
            MAST, id);
    }
}

FN void crane(thing *t, v3 q, uint32_t id) // over the quay's edge; its jib towards -z
{
    float near = box(q - vec(0, 18, -6), vec(6, 19, 24));
    if (near > 4) {
        add(t, near, CRANE, id);
        return;
    }
    v3 m = vec(fabsf(q.x), q.y, fabsf(q.z - 5));
    add(t, capsule(m, vec(4.6f, 0, 5), vec(3.2f, 15, 3.5f), 0.45f), CRANE, id);
    add(t, box(m - vec(0, 14.5f, 0), vec(4.2f, 0.7f, 4.5f)), CRANE, id);
    add(t, box(q - vec(0, 18, 6), vec(2.2f, 2.4f, 3.4f)), CRANE, id + 1);
    add(t, capsule(m, vec(4.4f, 5, 4.6f), vec(0, 5, 4.6f), 0.25f), CRANE, id);
    float up = luck(id, 4) < 0.4f ? 26.0f : 9.0f;
    v3 tip = vec(0, 20 + up * 0.6f, -27 + up * 0.45f);
    add(t, capsule(q, vec(0, 18, 6), tip, 0.55f), CRANE, id);
    add(t, capsule(q, vec(0, 28, 7), tip, 0.10f), MAST, id);
    add(t, capsule(q, vec(0, 20, 5), vec(0, 28, 7), 0.35f), CRANE, id);
    add(t, capsule(q, vec(0, 28, 7), vec(0, 19, 15), 0.12f), MAST, id);
    add(t, capsule(q, tip, tip - vec(0, 11, 0), 0.07f), MAST, id);
    add(t, sphere(q - tip - vec(0, 0.9f, 0), 0.5f), BEACON, id);
}

// Houses in rows along x: which one is near x.
FN struct lot row_lot(const clip *c, int row, int i, float *base)
{
    struct lot l;
    float wide = 8.6f, off = 4.3f * row;
    uint32_t seed = (uint32_t)c->seed * 7u + row * 1009u;
    float a = i * wide + off + 2.4f * (chance(i, row, seed) - 0.5f),
          e = (i + 1) * wide + off + 2.4f * (chance(i + 1, row, seed) - 0.5f);
    l.id = scramble(seed + 77u * i + 5u);
    l.x = 0.5f * (a + e), l.z = QUAY + 20 + 21.0f * row;
    l.hx = pick(l.id, 2, 4.8f, 5.8f), l.hz = 0.5f * (e - a);
    l.h = 3.6f + 3.1f * (1 + (int)(luck(l.id, 1) * 2.9f)) + pick(l.id, 8, 0, 0.9f);
    l.kind = luck(l.id, 6) < 0.2f ? 1 : luck(l.id, 6) < 0.75f ? 2 : 3;
    *base = row == 0 ? 2.0f : harbour_ground(c, vec(l.x * harbour_side(c), l.z - 5)) - 0.3f;
    return l;
}
FN bool dockside(float x)
{
    return x > 52;
} // there are no houses

BIG struct thing harbour(const clip *c, v3 p, float seconds)
{
    struct thing t = {1e9f, PAVING, 0};
    const uint32_t seed = (uint32_t)c->seed * 31u + 5u;
    p.x *= harbour_side(c);
    float land = harbour_ground(c, vec(p.x * harbour_side(c), fmaxf(p.z, QUAY)));
    add(&t, p.z > QUAY + 33 ? (p.y - land) * 0.75f : fmaxf(QUAY - p.z, p.y - 2), PAVING, 0);
    float f, bob = 0.5f * c->wave;
    uint32_t id;
    int i;
    // along the edge: bollards, lamps, boats
    if (p.y < 14 && fabsf(p.z - QUAY) < 14) {
        i = cell(p.x, 7, &f);
        float b = capsule(vec(f, p.y - 2, p.z - QUAY - 0.7f), grey(0), vec(0, 0.45f, 0), 0.17f);
        add(&t,
            fminf(b, capsule(vec(f, p.y - 2, p.z - QUAY - 0.7f), vec(-0.25f, 0.5f, 0),
                             vec(0.25f, 0.5f, 0), 0.1f)),
            POST, 0);
        i = cell(p.x, 20, &f);
        v3 q = vec(f - 8, p.y - 2, p.z - QUAY - 5.5f);
        add(&t, capsule(q, grey(0), vec(0, 5.4f, 0), 0.09f), POST, 0);
        add(&t, sphere(q - vec(0, 5.6f, 0), 0.28f), LAMP, 0);
        add(&t, 10 - fabsf(f) + 1.5f, POST, 0);
        i = cell(p.x, 13.5f, &f);
        id = scramble(seed + 51u * i);
        float size = pick(id, 1, 3.4f, 5.2f), x = (i + 0.5f) * 13.5f;
        if (luck(id, 2) < 0.75f &&
            !((c->subject == PERSON || c->subject == CAR) && fabsf(x) < 17)) {
            v3 m = vec(f - pick(id, 5, -1, 1), p.y - bob * sinf(seconds * 1.2f + i * 2.1f),
                       p.z - QUAY + 2.3f);
            boat(&t, vec(-m.z, m.y, luck(id, 6) < 0.5f ? m.x : -m.x), size, false, id);
        }
        add(&t, 6.75f - fabsf(f) + 0.5f, HULL, 0);
    } else {
        add(&t, fmaxf(fmaxf(p.y - 13, fabsf(p.z - QUAY) - 12.5f), 0.8f), POST, 0);
    }
    // a marina to the left: boats with their bows to the water, at a floating pier
    float to_marina = fmaxf(fmaxf(fabsf(p.x + 62) - 36, fabsf(p.z - 9) - 8), p.y - 15);
    if (to_marina < 3) {
        i = cell(p.x, 4.6f, &f);
        id = scramble(seed + 777u + 13u * i);
        if (luck(id, 1) < 0.8f && fabsf((i + 0.5f) * 4.6f + 62) < 34)
            boat(&t,
                 vec(f, p.y - 0.1f - bob * sinf(seconds * 1.4f + i * 1.7f),
                     7.5f - p.z + pick(id, 2, -0.6f, 0.6f)),
                 pick(id, 3, 3.8f, 5.6f), luck(id, 4) < 0.85f, id);
        add(&t, 2.3f - fabsf(f) + 0.8f, HULL, 0);
        add(&t, box(p - vec(-62, 0.25f, 14.6f), vec(36, 0.2f, 1.1f)), WOOD, 0);
    } else {
        add(&t, fmaxf(to_marina - 0.5f, 0.4f), WOOD, 0);
    }
    // breakwater, a small light at its end
    float rocks =
        box(p - vec(-246, -0.6f, -14), vec(200, 2.2f - 0.3f * fminf(fabsf(p.z + 14), 4), 3.2f));
    if (rocks < 2)
        rocks = (rocks - 0.9f * (noise(p * 0.8f, 71u) - 0.35f)) * 0.7f;
    else
        rocks -= 0.7f;
    add(&t, rocks, STONE, 0);
    if (c->subject != LIGHTHOUSE) {
        v3 q = p - vec(-48.5f, 1.6f, -14);
        add(&t, cone(q - vec(0, 3.5f, 0), 3.5f, 1.1f, 0.8f), TRUNK, 1);
        add(&t, cylinder(q - vec(0, 7.7f, 0), 0.6f, 0.6f), LAMP, 1);
        add(&t, cone(q - vec(0, 8.8f, 0), 0.5f, 0.9f, 0.1f), TRUNK, 2);
    }
    // houses
    float rows = 21.0f, r = clamp(floorf((p.z - QUAY - 20) / rows + 0.5f), 0, 2),
          zrow = QUAY + 20 + rows * r;
    float face = fabsf(p.z - zrow) - 6.6f, left = p.x - 50;
    if (fmaxf(fmaxf(face, left), p.y - 40) < 5) {
        int row = (int)r, k = (int)floorf((p.x - 4.3f * row) / 8.6f);
        float g = (p.x - 4.3f * row) / 8.6f - k;
        for (int j = 0; j < 2; j++) {
            int at = j == 0 ? k : g > 0.5f ? k + 1 : k - 1;
            float base;
            const struct lot l = row_lot(c, row, at, &base);
            if (!dockside(l.x + l.hz) && luck(l.id, 80) < (row ? 0.75f : 0.93f))
                house(&t, vec(l.z - p.z, p.y - base, p.x - l.x), &l, 1.0f);
        }
        add(&t, sqrtf(fmaxf(face, 0) * fmaxf(face, 0) + 6.0f), WALL, 0);
        add(&t, 0.5f * rows - fabsf(p.z - zrow) + 4.2f, WALL, 0);
    } else {
        add(&t, fmaxf(fmaxf(face, fmaxf(left, p.y - 40)) - 0.5f, 1), WALL, 0);
    }
    // cranes, containers, warehouses
    if (p.x > 49) {
        i = cell(p.x - 52, 46, &f);
        id = scramble(seed + 333u + 17u * i);
        if (i >= 0) {
            crane(&t, vec(f - pick(id, 1, -8, 8), p.y - 2, p.z - QUAY - 2), id);
            add(&t, fmaxf(23 - fabsf(f) + 8.5f, fmaxf(p.y - 33, fabsf(p.z - QUAY - 4) - 34)), CRANE,
                0);
        }
        int kx = cell(p.x - 52, 6.6f, &f);
        float fz, zz = p.z - QUAY - 16;
        int kz = cell(zz, 3.2f, &fz);
        id = scramble(seed + 91u * kx + 1723u * kz);
        if (kx >= 0 && kz >= 0 && kz < 4) {
            int high = (int)(luck(id, 1) * 4.2f);
            if (high > 0)
                add(&t, box(vec(f, p.y - 2 - 1.3f * high, fz), vec(3.05f, 1.3f * high, 1.25f)),
                    CONTAINER, id);
        }
        float yard = fmaxf(fmaxf(-zz, zz - 12.8f), p.y - 13);
        add(&t, yard > 0.5f ? fmaxf(yard, 0.3f) : fminf(3.3f - fabsf(f), 1.6f - fabsf(fz)) + 0.3f,
            CONTAINER, 0);
        kx = cell(p.x - 52, 44, &f);
        v3 q = vec(f, p.y - 2, p.z - QUAY - 48);
        if (kx >= 0) {
            id = scramble(seed + 555u + 3u * kx);
            float h = pick(id, 1, 8, 12), gable = (q.y - h - 0.22f * (20 - fabsf(q.x))) * 0.97f;
            add(&t, fmaxf(box(q - vec(0, 9, 0), vec(20, 9, 14)), gable), CONTAINER, id | 1u << 31);
            add(&t, fmaxf(22 - fabsf(f) + 1.8f, fmaxf(p.y - 16, fabsf(q.z) - 16)), WALL, 0);
        }
    } else {
        add(&t, fmaxf(fmaxf(52 - p.x, fmaxf(p.y - 36, fabsf(p.z - QUAY - 20) - 46)), 2), CRANE, 0);
    }
    return t;
}

FN surface harbour_surface(const clip *c, v3 p, v3 n, float far, float seconds)
{
    const struct thing t = harbour(c, p, seconds);
    const float side = harbour_side(c), x = p.x * side;
    float up = step(0.5f, 0.8f, n.y) * c->snow, rough = fbm(p * 0.9f, 3, 12u);
    v3 strong = hue(luck(t.id, 33));
    switch (t.what) {
    case PAVING: {
        if (p.z < QUAY + 0.1f && n.z < -0.5f) { // the wall
            float row = floorf(p.y / 0.5f), shift = 0.5f * (row - 2 * floorf(row / 2)),
                  w = 0.004f * far;
            float joint = fmaxf(covers(fraction(p.y / 0.5f), 0, 0.08f, w / 0.5f),
                                covers(fraction(x / 1.1f + shift), 0, 0.04f, w / 1.1f));
            v3 stone = load(c->second) *
                       (0.6f + 0.5f * chance((int)row, (int)floorf(x / 1.1f + shift), 4u));
            stone =
                mix(stone, vec(0.03f, 0.045f, 0.02f), step(0.9f, 0.2f, p.y + 0.4f * rough)); // weed
            float tyre = length(vec(fraction(x / 3.5f) * 3.5f - 1.75f, p.y - 1.1f));
            stone = mix(stone, grey(0.02f), step(0.42f, 0.36f, tyre) * step(0.14f, 0.2f, tyre));
            return matt(stone * (1 - 0.5f * joint));
        }
        v3 stone = load(c->second) * (0.8f + 0.5f * rough);
        float w = 0.004f * far + 0.01f;
        stone = stone * (1 - 0.3f * fmaxf(covers(fraction(x / 1.4f), 0, 0.04f, w),
                                          covers(fraction(p.z / 1.4f), 0, 0.04f, w)));
        stone = mix(stone, grey(0.42f), covers(p.z, QUAY - 0.1f, QUAY + 0.5f, w));
        v3 green =
            mix(vec(0.04f, 0.075f, 0.02f), vec(0.10f, 0.13f, 0.04f), fbm(flat(p) * 0.07f, 4, 7u));
        stone = mix(stone, green, step(32, 38, p.z - QUAY));
        return surface{mix(stone * (1 - 0.4f * c->wet), grey(0.78f), up), grey(0), 0.05f * c->wet,
                       0.4f};
    }
    case WALL: {
        float r = clamp(floorf((p.z - QUAY - 20) / 21.0f + 0.5f), 0, 2), base;
        int row = (int)r, k = (int)floorf((x - 4.3f * row) / 8.6f);
        struct lot l = row_lot(c, row, k, &base);
        for (int j = -1; j <= 1; j++) {
            float b;
            const struct lot at = row_lot(c, row, k + j, &b);
            if (at.id == t.id)
                l = at, base = b;
        }
        if (n.y > 0.35f)
            return roof_surface(c, l.id, p, n, far);
        bool along = fabsf(n.z) > fabsf(n.x);
        return house_wall(c, l.id, along ? x - l.x + l.hz : p.z - l.z + l.hx, p.y - base,
                          2 * (along ? l.hz : l.hx), l.h, along && n.z < 0, far);
    }
    case HULL: {
        float band = p.y < 0.18f ? 1.0f : 0.0f;
        v3 paint = luck(t.id, 34) < 0.45f ? grey(0.65f) : mix(strong, grey(0.2f), 0.3f) * 0.6f;
        return surface{mix(mix(paint, vec(0.25f, 0.03f, 0.02f), band), grey(0.75f), up), grey(0),
                       0.06f, 0.4f};
    }
    case DECK:
        return matt(
            mix(luck(t.id, 35) < 0.5f ? grey(0.62f) : vec(0.30f, 0.18f, 0.09f), grey(0.78f), up));
    case CABIN: {
        bool pane = fabsf(n.y) < 0.4f && p.y > 1.75f && p.y < 2.45f;
        return pane ? surface{grey(0.03f),
                              vec(1, 0.75f, 0.4f) *
                                  (c->lamps * (luck(t.id, 36) < 0.5f ? 0.9f : 0.0f)),
                              0.2f, 0.1f}
                    : matt(grey(0.66f));
    }
    case SAILCLOTH:
        return matt(mix(vec(0.06f, 0.10f, 0.25f), grey(0.6f), luck(t.id, 37) < 0.5f ? 1.0f : 0.0f));
    case TRUNK:
        return matt(t.id == 2 || (p.y > 3.8f && p.y < 6.2f) ? vec(0.50f, 0.05f, 0.04f)
                                                            : grey(0.68f));
    case LAMP:
        return surface{grey(0.4f),
                       (t.id ? vec(1, 0.3f, 0.2f) * (2.0f + 2.0f * sinf(seconds * 2.2f))
                             : lamp_tint(c) * 4.0f) *
                           c->lamps,
                       0.0f, 1.0f};
    case CRANE:
        return surface{mix(mix(load(c->accent), vec(0.60f, 0.36f, 0.03f),
                               luck(c->seed, 8) < 0.5f ? 1.0f : 0.0f) *
                               (t.id & 1 ? 1.0f : 0.9f),
                           grey(0.7f), up),
                       vec(1, 0.8f, 0.5f) * (0.03f * c->lamps), 0.03f, 0.6f};
    case CONTAINER: {
        float rib = 0.8f + 0.2f * covers(fraction((fabsf(n.x) > 0.5f ? p.z : p.x) / 0.5f), 0, 0.5f,
                                         0.008f * far);
        if (t.id >> 31) { // a warehouse
            float door = covers(fraction(x / 10), 0.25f, 0.75f, 0.02f) * step(7.1f, 7.0f, p.y) *
                         (n.z < -0.5f ? 1.0f : 0.0f);
            v3 wall = mix(load(c->second), load(c->accent), luck(t.id, 9)) * rib;
            return surface{mix(mix(wall, grey(0.12f), door), grey(0.78f), up),
                           vec(1, 0.75f, 0.4f) * (0.25f * door * c->lamps), 0.0f, 1.0f};
        }
        float edge = covers(fraction((p.y - 2) / 2.6f), 0, 0.05f, 0.002f * far);
        uint32_t id = scramble(t.id + (uint32_t)(int)floorf((p.y - 2) / 2.6f));
        return matt(
            mix(mix(hue(luck(id, 1)), grey(0.25f), 0.45f) * (0.55f * rib * (1 - 0.5f * edge)),
                grey(0.78f), up));
    }
    case WOOD:
        return matt(mix(vec(0.22f, 0.15f, 0.09f) * (0.7f + 0.5f * rough), grey(0.78f), up));
    case STONE:
        return p.z < 0 ? matt(mix(mix(vec(0.16f, 0.15f, 0.14f) * (0.6f + 0.9f * rough),
                                      vec(0.03f, 0.04f, 0.02f), step(0.7f, 0.2f, p.y)),
                                  grey(0.78f), up))
                       : matt(mix(grey(0.30f), grey(0.78f), up));
    default:
        return thing_surface(c, &t, p, n, seconds);
    }
}

FN v3 harbour_lamps(const clip *c, v3 p, v3 n)
{
    float f, x = p.x * harbour_side(c);
    v3 sum = lamp_tint(c) * 0.03f;
    int i = cell(x, 20, &f);
    (void)i;
    for (int j = 0; j < 2; j++) {
        v3 to = vec(8 + (j ? (f > 0 ? 20.0f : -20.0f) : 0.0f) - f, 7.5f - p.y, QUAY + 5.5f - p.z);
        float r2 = dot(to, to) + 1;
        v3 l = to * (1 / sqrtf(r2));
        l.x *= harbour_side(c);
        sum = sum + lamp_tint(c) * (30 * fmaxf(dot(n, l), 0) / r2);
    }
    if (x > 52) { // work goes on under cranes
        v3 to = vec(0, 24 - p.y, QUAY + 2 - p.z);
        sum = sum +
              vec(0.9f, 0.95f, 1.0f) * (250 * fmaxf(dot(n, unit(to)), 0.1f) / (dot(to, to) + 60));
    }
    return sum * c->lamps;
}
