// Halos about the lamps of a street, of traffic and of a quay: what makes far lamps seen that are
// smaller than a pixel.
#pragma once
#include "town_harbour.cuh"

FN v3 halo(const clip *c, v3 from, v3 d, float t, v3 p, float size)
{
    float s = dot(p - from, d);
    if (s <= 0 || s > t + 0.6f)
        return grey(0);
    float r = fmaxf(size, 0.0030f * s), x = length(from + d * s - p) / r,
          veil = unitly(c->haze * 60);
    if (x > 14)
        return grey(0);
    float wide = (0.10f + 0.12f * veil) / (1 + x * x * (0.35f - 0.25f * veil)) * step(14, 4, x);
    return grey((1.3f * expf(-x * x) + wide) * expf(-c->haze * s * 0.6f));
}

BIG v3 town_air(const clip *c, v3 from, v3 d, float t, float seconds, v3 colour)
{
    const v3 tint = lamp_tint(c);
    float f;
    v3 sum = grey(0);
    if (c->lamps < 0.1f)
        return colour;
    if (c->setting == HARBOUR) {
        if (fabsf(d.z) < 0.02f)
            return colour;
        float side = harbour_side(c), x = (from.x + d.x * (QUAY + 5.5f - from.z) / d.z) * side;
        int i = cell(x, 20, &f);
        for (int j = -1; j <= 1; j++)
            sum = sum + tint * halo(c, from, d, t,
                                    vec(((i + j + 0.5f) * 20 + 8) * side, 7.6f, QUAY + 5.5f), 0.3f);
        float blink = 0.5f + 0.5f * sinf(seconds * 2.2f);
        if (c->subject != LIGHTHOUSE)
            sum = sum + vec(1, 0.25f, 0.15f) * (1.5f * blink) *
                            halo(c, from, d, t, vec(-48.5f * side, 9.4f, -14), 0.6f);
        return colour + sum * c->lamps;
    }
    // of the street along x = 0, where the ray is over it
    float kerb = kerb_at(c), gap = lamp_gap(c), high = is_city(c) ? 7.55f : 6.0f;
    if (fabsf(from.x) > 0.5f * c->plan[2])
        return colour;
    int first = cell(from.z, gap, &f), way = d.z > 0 ? 1 : -1;
    for (int k = -1; k < 12; k++) {
        float z = (first + k * way + 0.5f) * gap;
        if (!beside_block(c, z, 2))
            continue;
        for (int side = 0; side < 2; side++)
            sum = sum +
                  tint * halo(c, from, d, t, vec((side ? 1 : -1) * (kerb - 1.15f), high, z), 0.22f);
    }
    if (is_city(c)) // no traffic: street_things()
        return colour + sum * c->lamps;
    bool parked = chance(c->seed + 812) < 0.8f;
    float half = parked ? kerb - 2.2f : kerb, room = 31;
    int lanes = half > 6 ? 2 : 1;
    for (int side = 0; side < 2; side++) {
        float go = traffic_speed(c) * (side ? 1 : -1);
        uint32_t seed = scramble((uint32_t)c->seed * 31u + side);
        for (int lane = 0; lane < lanes; lane++) {
            float at = lanes == 2 ? (lane == 0 ? 0.27f : 0.76f) * half : 0.5f * half,
                  moved = go * (seconds - c->middle) + 7.7f * lane;
            first = cell(from.z - moved, room, &f);
            for (int k = 0; k < 14; k++) {
                int n = first + k * way;
                uint32_t id = scramble(seed + 9001u + 29u * n + 7u * lane);
                float z = (n + 0.5f) * room;
                if (luck(id, 1) >= 0.6f ||
                    !has_traffic(c, lanes == 1 ? 0 : lane, 0, z + 7.7f * lane))
                    continue;
                bool towards = (side ? 1 : -1) * way < 0;
                z += pick(id, 2, -0.2f, 0.2f) * room + moved - 2.25f * way;
                v3 lamp = towards ? vec(1, 0.93f, 0.8f) * 1.2f : vec(1, 0.05f, 0.03f) * 0.7f;
                for (int e = 0; e < 2; e++)
                    sum = sum + lamp * halo(c, from, d, t,
                                            vec((side ? at : -at) + (e ? 0.62f : -0.62f), 0.68f, z),
                                            0.11f);
            }
        }
    }
    return colour + sum * c->lamps;
}
