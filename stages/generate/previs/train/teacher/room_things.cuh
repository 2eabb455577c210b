// Rooms: their walls, windows and furniture. clip.plan: width (x), height and depth (z) of the
// room, whose middle is x = z = 0, and its kind, negative where the windows are on the left. What
// is high stands along the walls and in the half away from the camera, so that a camera in the near
// half is free.
#pragma once
#include "clip.cuh"
#include "town_walls.cuh"

enum { LIVING = 1, KITCHEN, OFFICE, HALL, BEDROOM };
enum {
    R_WALL = 100,
    R_FRAME,
    R_WOOD,
    R_CLOTH,
    R_PALE,
    R_DARK,
    R_METAL,
    R_SHADE,
    R_BOOKS,
    R_PICTURE,
    R_LEAVES,
    R_SCREEN,
    R_OUTSIDE,
    R_CURTAIN,
    R_BED,
    R_STONE
};

FN int room_kind(const clip *c)
{
    return (int)fabsf(c->plan[3]);
}
FN float window_side(const clip *c)
{
    return c->plan[3] < 0 ? -1.0f : 1.0f;
}
FN uint32_t room_id(const clip *c)
{
    return scramble((uint32_t)c->seed + 4242u);
}

struct opening {
    float y, z, hy, hz, gap;
    int count;
};
// Windows in the side wall, `gap` apart.
FN struct opening windows(const clip *c)
{
    uint32_t id = room_id(c);
    float h = c->plan[1], d = c->plan[2];
    struct opening o;
    int kind = room_kind(c);
    o.count = kind == HALL ? 4 : kind == OFFICE ? 3 : 1 + (int)(luck(id, 1) * 2);
    o.gap = d * 0.8f / o.count;
    if (o.count < 3)
        o.gap = 2.4f;
    o.hz = fminf(0.42f * o.gap, kind == HALL ? 1.1f : pick(id, 2, 0.7f, 1.1f));
    o.hy = kind == HALL ? 0.36f * h : pick(id, 3, 0.55f, 0.85f);
    o.y = kind == HALL ? 0.52f * h : fminf(0.85f + o.hy, h - 0.25f - o.hy);
    o.z = kind == HALL || kind == OFFICE ? 0 : 0.10f * d;
    return o;
}
// To the middle of the nearest window along z.
FN float to_window(const struct opening *o, float z)
{
    float f = (z - o->z) / o->gap + 0.5f * (o->count - 1);
    return (f - clamp(floorf(f + 0.5f), 0, o->count - 1)) * o->gap;
}

FN void chair(thing *t, v3 q, uint32_t id)
{
    float near = box(q - vec(0, 0.5f, 0), vec(0.25f, 0.5f, 0.25f));
    if (near > 0.5f) {
        add(t, near, R_WOOD, id);
        return;
    }
    add(t, box(q - vec(0, 0.45f, 0), vec(0.21f, 0.025f, 0.21f)), R_WOOD, id);
    add(t, box(q - vec(0, 0.72f, 0.19f), vec(0.20f, 0.22f, 0.015f)), R_WOOD, id);
    add(t, cylinder(vec(fabsf(q.x) - 0.18f, q.y - 0.22f, fabsf(q.z) - 0.18f), 0.02f, 0.22f), R_WOOD,
        id);
}
FN void table(thing *t, v3 q, float hx, float hz, float high, uint32_t id)
{
    add(t, box(q - vec(0, high, 0), vec(hx, 0.025f, hz)), R_WOOD, id);
    add(t,
        box(vec(fabsf(q.x) - hx + 0.07f, q.y - high * 0.5f, fabsf(q.z) - hz + 0.07f),
            vec(0.03f, high * 0.5f, 0.03f)),
        R_WOOD, id);
}
// Against a wall at its back, +z.
FN void shelf(thing *t, v3 q, float hx, float high, uint32_t id)
{
    float outer = box(q - vec(0, high * 0.5f, 0), vec(hx, high * 0.5f, 0.17f));
    if (outer > 0.4f) {
        add(t, outer, R_WOOD, id);
        return;
    }
    float f = fraction(q.y / 0.38f) * 0.38f - 0.19f;
    float hole = box(vec(q.x, f, q.z + 0.04f), vec(hx - 0.04f, 0.17f, 0.17f));
    add(t, fmaxf(outer, -hole), R_WOOD, id);
    float thick = 0.055f, i = floorf(q.x / thick), x = q.x - (i + 0.5f) * thick;
    uint32_t book =
        scramble(id + (uint32_t)(int)i * 31u + (uint32_t)(int)floorf(q.y / 0.38f) * 1237u);
    if (luck(book, 1) < 0.82f && fabsf(q.x) < hx - 0.08f && q.y < high - 0.3f) {
        float tall = pick(book, 2, 0.09f, 0.15f);
        add(t,
            fmaxf(box(vec(x, f + 0.17f - tall, q.z - 0.0f),
                      vec(thick * 0.47f, tall, pick(book, 3, 0.09f, 0.12f))),
                  0.002f) *
                0.7f,
            R_BOOKS, book);
    }
}
FN void floor_lamp(thing *t, v3 q)
{
    add(t, cylinder(q - vec(0, 0.75f, 0), 0.018f, 0.75f), R_METAL, 0);
    add(t, cylinder(q - vec(0, 0.015f, 0), 0.15f, 0.015f), R_METAL, 0);
    add(t, cone(q - vec(0, 1.55f, 0), 0.16f, 0.24f, 0.15f) * 0.9f, R_SHADE, 1);
}
FN void plant(thing *t, v3 q, uint32_t id)
{
    add(t, cone(q - vec(0, 0.2f, 0), 0.2f, 0.13f, 0.19f), R_CLOTH, id);
    float leaves = ball(q - vec(0, 0.85f, 0), vec(0.38f, 0.5f, 0.38f));
    if (leaves < 0.3f)
        leaves = (leaves + 0.30f * noise(q * 7.0f, 41u)) * 0.5f;
    add(t, leaves, R_LEAVES, id);
}
FN void picture(thing *t, v3 q, float hx, float hy, uint32_t id) // thin along z
{
    float frame = box(q, vec(hx, hy, 0.02f));
    add(t, frame, fabsf(q.x) < hx - 0.04f && fabsf(q.y) < hy - 0.04f ? R_PICTURE : R_WOOD, id);
}

// Where lamps hang or stand: how many, and each one's place.
FN int room_lamp_count(const clip *c)
{
    return room_kind(c) == OFFICE ? 4 : room_kind(c) == HALL ? 3 : 2;
}
FN v3 room_lamp_at(const clip *c, int i)
{
    float w = c->plan[0], h = c->plan[1], d = c->plan[2], side = window_side(c);
    switch (room_kind(c)) {
    case KITCHEN:
        return i == 0 ? vec(0.1f * w * -side, 1.95f, 0.17f * d) : vec(0, h - 0.35f, 0.38f * d);
    case OFFICE:
        return vec((i & 1 ? 0.22f : -0.22f) * w, h - 0.06f, (i < 2 ? -0.08f : 0.27f) * d);
    case HALL:
        return vec(0, 0.68f * h, (i - 1) * 0.3f * d);
    case BEDROOM:
        return vec((i ? 1.05f : -1.05f) + 0.0f, 0.80f, 0.5f * d - 0.3f);
    default:
        return i == 0 ? vec(-side * (0.5f * w - 0.45f), 1.5f, 0.5f * d - 0.5f)
                      : vec(0, h - 0.45f, 0.2f * d);
    }
}

FN struct thing room(const clip *c, v3 p)
{
    const float w = c->plan[0], h = c->plan[1], d = c->plan[2], side = window_side(c);
    const uint32_t id = room_id(c);
    const int kind = room_kind(c);
    struct thing t = {1e9f, R_WALL, 0};
    const struct opening o = windows(c);
    float inside = box(p - vec(0, 0.5f * h, 0), vec(0.5f * w, 0.5f * h, 0.5f * d));
    float shell = fmaxf(-inside, inside - 0.24f);
    float wz = to_window(&o, p.z), wx = p.x * side - 0.5f * w;
    shell = fmaxf(shell, -box(vec(wx, p.y - o.y, wz), vec(0.6f, o.hy, o.hz)));
    add(&t, shell, R_WALL, 0);
    add(&t, p.y + 7, R_OUTSIDE, 0);
    if (inside > 0.5f)
        return t;
    // window: frame, bars, sill, curtains
    if (fabsf(wx) < 0.8f) {
        v3 q = vec(wx - 0.10f, fabsf(p.y - o.y), fabsf(wz));
        float ring = fmaxf(box(q, vec(0.04f, o.hy + 0.03f, o.hz + 0.03f)),
                           -box(q, vec(0.2f, o.hy - 0.045f, o.hz - 0.045f)));
        ring = fminf(ring, box(q, vec(0.025f, o.hy, 0.022f)));
        ring = fminf(ring, box(vec(q.x, p.y - o.y - 0.35f * o.hy, q.z), vec(0.025f, 0.02f, o.hz)));
        add(&t, ring, R_FRAME, 0);
        add(&t, box(vec(wx + 0.03f, p.y - o.y + o.hy + 0.02f, wz), vec(0.14f, 0.02f, o.hz + 0.1f)),
            R_FRAME, 0);
        if (luck(id, 9) < 0.7f && kind != OFFICE && kind != KITCHEN) {
            float fold = 0.025f * sinf(wz * 42);
            v3 k = vec(wx + 0.09f + fold, p.y - o.y - 0.02f, fabsf(wz) - o.hz - 0.06f);
            add(&t, box(k, vec(0.012f, o.hy + 0.16f, 0.17f)) * 0.6f, R_CURTAIN, 0);
        }
    }
    v3 back = vec(p.x, p.y, p.z - 0.5f * d);
    float into = p.x * side + 0.5f * w; // metres from the wall without windows
    // pictures
    for (int i = 0; i < 2; i++) {
        float hx = pick(id, 20 + i, 0.25f, 0.5f) * (kind == HALL ? 2 : 1),
              hy = hx * pick(id, 22 + i, 0.7f, 1.2f);
        if (kind != KITCHEN && kind != OFFICE)
            picture(&t,
                    vec(p.z - (0.22f - 0.3f * i) * d,
                        p.y - fminf(1.65f, 0.6f * h) - (kind == HALL ? 0.6f : 0), into - 0.015f),
                    hx, hy, id + i);
    }
    if (kind == BEDROOM || kind == LIVING || kind == OFFICE)
        picture(&t, back - vec(kind == LIVING ? 0.22f * w * side : 0, 1.72f, -0.015f), 0.5f, 0.34f,
                id + 5);
    // pendants and lamps on the ceiling
    if (kind == HALL || kind == KITCHEN || kind == LIVING) {
        for (int i = 0; i < room_lamp_count(c); i++) {
            if (kind == LIVING && i == 0)
                continue;
            v3 q = p - room_lamp_at(c, i);
            float big = kind == HALL ? 0.45f : 0.17f;
            add(&t,
                kind == HALL ? sphere(q, big)
                             : cone(q - vec(0, 0.08f, 0), 0.13f, 1.3f * big, 0.5f * big) * 0.8f,
                R_SHADE, 1);
            add(&t, fmaxf(length(flat(q)) - 0.012f, fmaxf(-q.y, q.y - h)), R_DARK, 0);
        }
    }
    switch (kind) {
    case LIVING: {
        v3 s = vec(into - 0.47f, p.y, p.z - 0.14f * d); // a sofa along the wall
        float arm = fabsf(s.z) - 1.0f;
        add(&t, round_box(s - vec(0, 0.24f, 0), vec(0.42f, 0.17f, 1.0f), 0.06f), R_CLOTH, id);
        add(&t, round_box(s - vec(-0.34f, 0.52f, 0), vec(0.13f, 0.34f, 1.0f), 0.07f), R_CLOTH, id);
        add(&t, round_box(vec(s.x, s.y - 0.36f, arm), vec(0.42f, 0.26f, 0.12f), 0.06f), R_CLOTH,
            id);
        add(&t,
            round_box(vec(s.x + 0.1f, s.y - 0.56f, fabsf(s.z) - 0.7f) * 1.0f,
                      vec(0.08f, 0.17f, 0.2f), 0.06f),
            R_PALE, id);
        table(&t, p - vec(-0.08f * w * side, 0, 0.16f * d), 0.3f, 0.5f, 0.40f, id);
        shelf(&t, back - vec(pick(id, 30, -0.16f, 0.02f) * w * side, 0, -0.18f), 0.55f,
              1.9f + 0.38f * (luck(id, 31) > 0.5f ? 1 : 0) - 0.0f, id);
        floor_lamp(&t, p - vec(room_lamp_at(c, 0).x, 0, room_lamp_at(c, 0).z));
        plant(&t, p - vec(side * (0.5f * w - 0.5f), 0, 0.5f * d - 0.55f), id);
        v3 a = p - vec(side * 0.26f * w, 0, 0.22f * d); // an armchair
        a = turn_y(a, side * 0.9f);
        add(&t, round_box(a - vec(0, 0.25f, 0), vec(0.34f, 0.17f, 0.34f), 0.06f), R_PALE, id);
        add(&t, round_box(a - vec(0, 0.52f, 0.3f), vec(0.34f, 0.32f, 0.1f), 0.06f), R_PALE, id);
        break;
    }
    case KITCHEN: {
        float run = 0.42f * w;
        v3 k = back - vec(0.04f * w, 0, -0.31f);
        add(&t, box(k - vec(0, 0.44f, 0), vec(run, 0.43f, 0.30f)), R_PALE, id + 1);
        add(&t, box(k - vec(0, 0.89f, 0), vec(run + 0.01f, 0.02f, 0.32f)), R_STONE, id);
        add(&t, box(k - vec(0, 1.75f, 0.13f), vec(run, 0.33f, 0.17f)), R_PALE, id + 2);
        add(&t, box(back - vec(-0.5f * w + 0.4f, 0.95f, -0.36f), vec(0.34f, 0.95f, 0.34f)), R_METAL,
            id); // fridge
        add(&t, box(k - vec(0.4f, 0.94f, 0), vec(0.12f, 0.1f, 0.1f)), R_DARK, id);
        add(&t, cylinder(k - vec(-0.6f, 1.0f, 0), 0.10f, 0.09f), R_METAL, id);
        v3 q = p - vec(-0.1f * w * side, 0, 0.17f * d);
        table(&t, q, 0.65f, 0.42f, 0.74f, id);
        chair(&t, vec(fabsf(q.x) - 0.35f, q.y, fabsf(q.z) - 0.62f), id);
        add(&t, ball(q - vec(0, 0.83f, 0), vec(0.16f, 0.07f, 0.16f)) * 0.7f, R_CLOTH, id);
        break;
    }
    case OFFICE: {
        float gx = 0.25f * w, gz = 0.24f * d;
        v3 q = vec(fabsf(p.x) - gx, p.y, p.z - 0.10f * d);
        q.z = q.z - gz * clamp(floorf(q.z / gz + 0.5f), 0, 1);
        table(&t, q, 0.8f, 0.38f, 0.73f, id);
        add(&t, box(q - vec(0.1f, 1.02f, 0.15f), vec(0.30f, 0.18f, 0.015f)), R_SCREEN, id);
        add(&t, box(q - vec(0.1f, 0.79f, 0.17f), vec(0.03f, 0.06f, 0.02f)), R_DARK, id);
        add(&t, box(q - vec(-0.5f, 0.79f, 0), vec(0.12f, 0.04f, 0.16f)), R_PALE, id);
        v3 s = q + vec(-0.1f, 0, 0.62f);
        add(&t, round_box(s - vec(0, 0.47f, 0), vec(0.22f, 0.04f, 0.22f), 0.03f), R_DARK, id);
        add(&t, round_box(s - vec(0, 0.8f, -0.2f), vec(0.2f, 0.26f, 0.03f), 0.03f), R_DARK, id);
        add(&t, cylinder(s - vec(0, 0.22f, 0), 0.03f, 0.22f), R_METAL, id);
        shelf(&t, back - vec(-0.34f * w, 0, -0.18f), 0.6f, 1.9f, id);
        plant(&t, p - vec(0.5f * w - 0.5f, 0, 0.5f * d - 0.5f), id);
        for (int i = 0; i < 4; i++)
            add(&t, box(p - room_lamp_at(c, i), vec(0.6f, 0.03f, 0.15f)), R_SHADE, 2);
        break;
    }
    case HALL: {
        float gap = d / 5, f = p.z / gap, z = (f - clamp(floorf(f + 0.5f), -2, 2)) * gap;
        v3 q = vec(fabsf(p.x) - 0.37f * w, p.y, z);
        add(&t, cylinder(q - vec(0, 0.5f * h, 0), 0.3f, 0.5f * h), R_STONE, id);
        add(&t, round_box(q - vec(0, 0.2f, 0), vec(0.42f, 0.2f, 0.42f), 0.03f), R_STONE, id);
        add(&t, round_box(q - vec(0, h - 0.25f, 0), vec(0.45f, 0.25f, 0.45f), 0.05f), R_STONE, id);
        add(&t,
            round_box(vec(fabsf(p.x) - 0.37f * w, p.y - 0.25f, z - 0.5f * gap),
                      vec(0.3f, 0.22f, 0.9f), 0.05f),
            R_WOOD, id);
        add(&t, box(back - vec(0, 0.15f, -0.6f), vec(0.17f * w, 0.15f, 0.6f)), R_STONE,
            id); // a step before a door
        break;
    }
    default: {
        v3 b = back - vec(0, 0, -1.1f);
        add(&t, box(b - vec(0, 0.17f, 0), vec(0.82f, 0.13f, 1.05f)), R_WOOD, id);
        add(&t, round_box(b - vec(0, 0.40f, 0), vec(0.80f, 0.13f, 1.02f), 0.08f), R_PALE, id);
        add(&t, round_box(b - vec(0, 0.46f, -0.30f), vec(0.84f, 0.11f, 0.76f), 0.08f), R_BED, id);
        add(&t,
            ball(vec(fabsf(b.x) - 0.40f, b.y - 0.60f, b.z - 0.78f), vec(0.33f, 0.12f, 0.2f)) * 0.6f,
            R_PALE, id);
        add(&t, box(back - vec(0, 0.62f, -0.05f), vec(0.9f, 0.5f, 0.05f)), R_WOOD, id);
        v3 n = vec(fabsf(p.x) - 1.05f, p.y, p.z - 0.5f * d + 0.28f);
        add(&t, box(n - vec(0, 0.25f, 0), vec(0.2f, 0.25f, 0.2f)), R_WOOD, id);
        add(&t, cylinder(n - vec(0, 0.58f, 0), 0.03f, 0.09f), R_METAL, id);
        add(&t, cone(n - vec(0, 0.78f, 0), 0.11f, 0.15f, 0.09f), R_SHADE, 1);
        add(&t, box(vec(into - 0.3f, p.y - 1.05f, p.z - 0.26f * d), vec(0.3f, 1.05f, 0.8f)), R_PALE,
            id + 1); // wardrobe
        chair(&t, turn_y(p - vec(side * (0.5f * w - 0.6f), 0, 0.3f * d), -side * 1.0f), id);
        break;
    }
    }
    return t;
}
