// What stands and drives in streets: trees, lamps, parked cars, traffic.
#pragma once
#include "town_blocks.cuh"

// Along z, its nose at +z; a metre is a metre. lit: lamps count.
FN void car_block(thing *t, v3 q, uint32_t id)
{
    float near = box(q - vec(0, 0.75f, 0), vec(0.95f, 0.8f, 2.3f));
    if (near > 1.5f) {
        add(t, near - 0.1f, BODY, id);
        return;
    }
    float tall = luck(id, 3) < 0.3f ? 0.25f : 0.0f, back = luck(id, 4) < 0.4f ? -0.6f : -0.25f;
    add(t, round_box(q - vec(0, 0.62f, 0), vec(0.88f, 0.34f, 2.2f), 0.12f), BODY, id);
    float slope = 0.45f * fmaxf(q.y - 0.9f, 0);
    add(t,
        round_box(
            vec(fabsf(q.x) + slope * 0.4f, q.y - 1.12f - tall * 0.5f, fabsf(q.z - back) + slope),
            vec(0.8f, 0.34f + tall * 0.5f, 1.35f), 0.1f) *
            0.85f,
        CABIN, id);
    v3 w = vec(fabsf(q.x) - 0.8f, q.y - 0.33f, fabsf(q.z) - 1.35f);
    float r = length(vec(w.y, w.z));
    add(t, fmaxf(r - 0.33f, fabsf(w.x) - 0.12f), TYRE, id);
    v3 e = vec(fabsf(q.x) - 0.62f, q.y - 0.68f, q.z);
    add(t, box(e - vec(0, 0, 2.18f), vec(0.17f, 0.09f, 0.04f)), HEADLAMP, id);
    add(t, box(e + vec(0, 0, 2.18f), vec(0.16f, 0.08f, 0.04f)), TAILLAMP, id);
}

// A cell along z of length `size`: which one, and the point from its middle.
FN int cell(float z, float size, float *from)
{
    float i = floorf(z / size);
    *from = z - (i + 0.5f) * size;
    return (int)i;
}

// Is z of a street beside a block, and not where it is crossed?
FN bool beside_block(const clip *c, float z, float margin)
{
    float f = z / c->plan[1] + 0.5f;
    f = fabsf(f - floorf(f) - 0.5f) * c->plan[1];
    return f < 0.5f * (c->plan[1] - c->plan[3]) - margin;
}

FN float lamp_gap(const clip *c)
{
    return is_city(c) ? 26.0f : 22.0f;
}

// Lanes at 0.27 and 0.8 of the way to the kerb where nothing is parked; speed of each side.
FN float traffic_speed(const clip *c)
{
    return 8.0f + 4 * chance(c->seed + 3);
}
FN bool has_traffic(const clip *c, int lane, int street, float z)
{
    if (street != 0)
        return true;
    float free = lane == 0              ? (c->subject == TRAIN ? 125.0f : 75.0f)
                 : c->subject == PERSON ? 60.0f
                                        : 9.0f;
    if (c->subject == CAR && fabsf(sinf(c->heading)) > 0.5f) // it crosses
        free = 125;
    return fabsf(z) > free;
}

BIG void street_things(thing *t, const clip *c, v3 p, float seconds)
{
    float kerb = kerb_at(c), k = floorf(p.x / c->plan[0] + 0.5f), u = p.x - k * c->plan[0],
          a = fabsf(u);
    float wide = kerb + 3.2f, over = fmaxf(p.y - 9.0f, 0), beside = fmaxf(a - wide, 0);
    float bound = sqrtf(over * over + beside * beside);
    if (bound > 2) {
        add(t, bound, POST, 0);
        return;
    }
    int side = u > 0, street = (int)k;
    float f, gap = lamp_gap(c), d;
    // a lamp in a cell, and trees between
    int i = cell(p.z, gap, &f);
    uint32_t seed = scramble((uint32_t)c->seed * 31u + street * 2u + side);
    if (beside_block(c, (i + 0.5f) * gap, 2)) {
        float high = is_city(c) ? 7.6f : 6.0f;
        v3 q = vec(a - kerb - 0.55f, p.y, f);
        add(t, capsule(q, grey(0), vec(0, high, 0), 0.09f), POST, 0);
        add(t, capsule(q, vec(0, high, 0), vec(-1.6f, high + 0.3f, 0), 0.06f), POST, 0);
        add(t, round_box(q - vec(-1.7f, high + 0.22f, 0), vec(0.5f, 0.13f, 0.2f), 0.05f), LAMP, 0);
    }
    d = 0.5f * gap - fabsf(f) + 0.5f * gap - 0.3f; // lamps of the next cells
    add(t, d, POST, 0);
    bool trees = chance(c->seed + 811) < (is_city(c) ? 0.5f : 0.85f);
    if (trees) {
        float step = gap / 2, g, j;
        int n = cell(p.z + 0.5f * step, step, &g);
        uint32_t id = scramble(seed + 17u * n);
        j = pick(id, 1, -0.8f, 0.8f);
        float z = n * step + j, r = pick(id, 2, 1.3f, 2.1f), high = pick(id, 3, 4.4f, 5.6f);
        // every second cell's middle is a lamp's
        if (n % 2 == 0 && luck(id, 4) < 0.85f && beside_block(c, z, 4)) {
            v3 q = vec(a - kerb - 0.9f, p.y, g - j);
            add(t, capsule(q, grey(0), vec(0.05f, high - 0.6f, 0.1f), 0.13f), TRUNK, id);
            float crown = ball(q - vec(0, high, 0), vec(r, r * 0.95f, r));
            if (crown < 1.2f) {
                float lumps = noise(q * 1.5f + grey(7.0f * luck(id, 5)), id & 0xffff) - 0.5f;
                crown = (crown - 0.9f * lumps * r * 0.6f) * 0.7f;
            } else {
                crown -= 0.55f;
            }
            add(t, crown, CROWN, id);
        }
        add(t, fmaxf(0.5f * step - fabsf(g) + 0.5f * step - 3.2f, 0.25f), CROWN, 0);
    }
    if (is_city(c)) // nothing else: a small model makes a mush of many lamps
        return;
    // parked at the kerb
    float length = 6.6f;
    int n = cell(p.z, length, &f);
    uint32_t id = scramble(seed + 4099u + 23u * n);
    bool parked = chance(c->seed + 812) < 0.8f;
    if (parked) {
        if (luck(id, 1) < 0.62f && beside_block(c, (n + 0.5f) * length, 4))
            car_block(t,
                      vec(u - (side ? 1 : -1) * (kerb - 1.1f), p.y,
                          (f - pick(id, 2, -0.5f, 0.5f)) * (side ? 1 : -1)),
                      id);
        add(t, fmaxf(0.5f * length - fabsf(f) + 0.5f, fmaxf(p.y - 1.9f, 0.2f)), BODY, 0);
    }
    // traffic, on the right: towards +z where x is positive
    float go = traffic_speed(c) * (side ? 1 : -1), room = 31;
    float half = parked ? kerb - 2.2f : kerb;
    int lanes = half > 6 ? 2 : 1;
    for (int lane = 0; lane < lanes; lane++) {
        float at = lanes == 2 ? (lane == 0 ? 0.27f : 0.76f) * half : 0.5f * half;
        float z0 = p.z - go * (seconds - c->middle) - 7.7f * lane;
        n = cell(z0, room, &f);
        id = scramble(seed + 9001u + 29u * n + 7u * lane);
        float z = (n + 0.5f) * room;
        if (luck(id, 1) < 0.6f && has_traffic(c, lanes == 1 ? 0 : lane, street, z + 7.7f * lane)) {
            float q = f - pick(id, 2, -0.2f, 0.2f) * room;
            car_block(t, vec(u - (side ? at : -at), p.y, side ? q : -q), id);
        }
        add(t, fmaxf(0.5f * room - fabsf(f) + 0.3f * room - 2.4f, fmaxf(p.y - 1.9f, 0.4f)), BODY,
            0);
    }
}
