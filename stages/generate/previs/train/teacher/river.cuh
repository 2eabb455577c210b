// A river that winds between grassy banks, with trees, stones, reeds, hills and sometimes a bridge.
#pragma once
#include "trees.cuh"

#define RIVER_CELL  7.6f
#define RIVER_WOODS 230.0f // farther off trees are only a roughness of the ground

FN float river_half(const clip *c)
{
    return (c->subject == SAILING_BOAT ? 15.0f : 9.0f) + 5 * chance(c->seed + 271u);
}
FN float river_x(const clip *c, float z)
{
    float start = 6.28f * chance(c->seed + 272u), slow = 0.014f + 0.008f * chance(c->seed + 273u);
    return (c->subject == TRAIN ? 6.0f : 15.0f) * (sinf(z * slow + start) - sinf(start));
}
FN bool has_bridge(const clip *c)
{
    return c->subject == TRAIN || (c->subject != SAILING_BOAT && chance(c->seed + 274u) < 0.3f);
}
FN float bridge_z(const clip *c)
{
    return c->subject == TRAIN ? 0 : 32 + 25 * chance(c->seed + 275u);
}
FN float bridge_y(const clip *c)
{
    return c->subject == TRAIN ? 7.0f : 4.2f;
}

FN float from_bank(const clip *c, v2 p) // metres inland, negative over the water
{
    return fabsf(p.x - river_x(c, p.y)) * 0.96f - river_half(c);
}

FN float river_height(const clip *c, v2 p, int octaves)
{
    float e = from_bank(c, p),
          edge = 0.8f * (noise(p * 0.21f, c->seed + 276) - 0.5f) * step(6, 2, e);
    float h = -1.7f + 2.7f * step(-3, 3.2f, e + edge);
    if (e > 5) {
        h += step(5, 45, e) * 4 * fbm(p * 0.021f, 2, c->seed + 277);
        float far = step(45, 330, e) + 0.5f * step(150, 500, p.y) * step(10, 80, e);
        if (far > 0)
            h += far * c->relief * 62 * fbm(p * 0.0048f, octaves, c->seed + 278);
        if (length(p) > RIVER_WOODS - 30 && octaves > 2)
            h += 7 * step(RIVER_WOODS - 30, RIVER_WOODS, length(p)) *
                 step(0.42f, 0.52f, noise(p * 0.031f, c->seed + 279)) *
                 (0.5f + 0.5f * noise(p * 0.33f, 280u));
    }
    if (has_bridge(c) && e > 2) // the road to the bridge
        h = fmaxf(h, mix(h, bridge_y(c) + 0.35f - fmaxf(fabsf(p.y - bridge_z(c)) - 2.6f, 0) * 0.75f,
                         step(3, 7, e) * step(120, 60, e)));
    return h;
}

FN float bridge(const clip *c, v3 p)
{
    float z = p.z - bridge_z(c), top = bridge_y(c), x = p.x - river_x(c, bridge_z(c)),
          half = river_half(c) + 7;
    float whole = box(vec(x, p.y - 0.5f * top - 0.2f + 1, z), vec(half, 0.5f * top + 1.15f, 2.2f));
    if (whole > 3)
        return whole;
    float pier = 10.5f, q = x - pier * floorf(x / pier + 0.5f);
    float arch = (length(vec(q / 4.3f, fmaxf(p.y, -2.0f) / (top - 0.9f))) - 1) * 3.4f;
    float deck = fmaxf(whole, -arch);
    if (c->subject != TRAIN) {
        float rail = fmaxf(fmaxf(fabsf(fabsf(z) - 2.05f) - 0.15f, fabsf(p.y - top - 0.75f) - 0.45f),
                           fabsf(x) - half);
        deck = fminf(deck, rail);
    }
    return deck * 0.85f;
}

FN float to_cell_edge(v2 g) // of a lattice of 1
{
    float u = g.x - floorf(g.x), v = g.y - floorf(g.y);
    return fminf(fminf(u, 1 - u), fminf(v, 1 - v));
}

FN grown river_at(const clip *c, v3 p, float seconds)
{
    const float sway = swaying(c);
    if (p.y > 130 * c->relief)
        return grown{p.y - 115 * c->relief, OF_LEAVES, 0.5f, 0.5f};
    float h = river_height(c, flat(p), 3), e = from_bank(c, flat(p));
    v3 q = vec(p.x, p.y - h, p.z);
    grown all = {q.y * (e > 60 ? 0.55f : 0.7f), OF_EARTH, 0, 0};
    if (e > -6 && e < 5 && p.y < 3.5f) { // stones and reeds at the water's edge
        if (p.y < 2.4f && fabsf(e + 0.4f) < 2.6f) {
            v2 g = flat(p) * (1 / 2.1f);
            int x = (int)floorf(g.x), y = (int)floorf(g.y);
            float r = 0.2f + 0.5f * chance(x, y, 282u) * chance(x, y, 283u),
                  d = to_cell_edge(g) * 2.1f + 0.2f;
            v2 at = vec((x + 0.5f) * 2.1f, (y + 0.5f) * 2.1f);
            if (chance(x, y, c->seed + 281u) < 0.35f && fabsf(from_bank(c, at) + 0.6f) < 1.8f)
                d = fminf(
                    d, ball(vec(p.x - at.x, p.y - 0.05f, p.z - at.y), vec(r * 1.2f, r * 0.7f, r)) +
                           0.12f * r * (noise(p * 3, 284u) - 0.5f));
            if (d < all.d)
                all = grown{d * 0.85f, OF_STONE, 0.5f, 0.5f};
            float patch = noise(flat(p) * 0.22f, c->seed + 285);
            if (patch > 0.46f) { // reeds, some in a cell
                g = flat(p) * (1 / 0.8f);
                x = (int)floorf(g.x), y = (int)floorf(g.y);
                d = to_cell_edge(g) * 0.8f + 0.08f;
                for (int i = 0; i < 4; i++) {
                    at = vec((x + 0.15f + 0.7f * chance(x, y, 4 * i, 286u)) * 0.8f,
                             (y + 0.15f + 0.7f * chance(x, y, 4 * i + 1, 286u)) * 0.8f);
                    float tall = (0.7f + 1.0f * chance(x, y, 4 * i + 2, 286u)) *
                                 step(1.6f, 0.9f, fabsf(e + 0.7f)) * step(0.46f, 0.56f, patch);
                    float lean = 0.10f * (chance(x, y, 4 * i + 3, 286u) - 0.3f) * fmaxf(p.y, 0) +
                                 0.5f * sway * p.y *
                                     (0.5f + 0.5f * sinf(seconds * 2.3f + 6 * chance(x, y, 287u) +
                                                         p.x * 0.4f));
                    d = fminf(d, fmaxf(length(vec(p.x - at.x - lean, p.z - at.y)) -
                                           0.024f * (1.3f - p.y / (tall + 0.1f)),
                                       p.y - tall));
                }
            } else {
                d = fmaxf((0.46f - patch) * 2.2f, 0.15f);
            }
            if (d < all.d)
                all = grown{d * 0.9f, OF_REED, chance(x, y, 289u), 0.5f};
        } else {
            all.d = fminf(all.d, fmaxf(fmaxf(fabsf(e + 0.4f) - 2.4f, p.y - 2.3f), 0.15f));
        }
    }
    if (has_bridge(c)) {
        float d = bridge(c, p);
        if (d < all.d)
            all = grown{d, OF_MASONRY, 0.5f, 0.5f};
    }
    if (q.y > 15.5f || dot(flat(p), flat(p)) > RIVER_WOODS * RIVER_WOODS) {
        all.d = fminf(all.d, q.y > 15.5f ? fmaxf((q.y - 14) * 0.6f, 0.9f) : 1e9f);
        return all;
    }
    if (e < -4.5f) { // far out over the water nothing grows
        all.d = fminf(all.d, fmaxf(-e - 3, 1));
        return all;
    }
    const float firs = chance(c->seed + 290u) < 0.3f ? 0.7f : 0.1f;
    v2 g = flat(p) * (1 / RIVER_CELL);
    int x0 = (int)floorf(g.x - 0.5f), y0 = (int)floorf(g.y - 0.5f);
    all.d = fminf(all.d, 2.6f);
    for (int i = 0; i < 4; i++) {
        tree t = tree_of(c, x0 + (i & 1), y0 + (i >> 1), RIVER_CELL, 13.5f, firs);
        float grove = noise(t.at * 0.024f, c->seed + 291), bank = from_bank(c, t.at);
        if (t.luck > step(0.30f, 0.68f, grove) || bank < t.wide + 2.6f)
            continue;
        if (c->subject == PERSON &&
            length(t.at - vec(c->at[0], c->at[2])) < 8 + t.wide) // room for the camera
            continue;
        if (has_bridge(c) && fabsf(t.at.y - bridge_z(c)) < 6 + t.wide)
            continue;
        t.height *= 0.75f + 0.25f * step(4, 20, bank);
        t.luck = chance(x0 + (i & 1), y0 + (i >> 1), 292u);
        grow(&all, &t, vec(q.x - t.at.x, q.y, q.z - t.at.y), 0.16f, sway, seconds);
    }
    return all;
}

FN surface river_surface(const clip *c, v3 p, v3 n, float far, float seconds)
{
    grown g = river_at(c, p, seconds);
    float h = river_height(c, flat(p), 3), e = from_bank(c, flat(p));
    if (g.kind == OF_MASONRY) {
        float z = p.z - bridge_z(c), row = floorf(p.y / 0.4f),
              joint = fminf(fraction(p.y / 0.4f), fraction(p.x / 0.8f + 0.5f * row));
        surface s = growth_surface(
            c, &g, p, n, far,
            n.y > 0.7f ? 0.8f
                       : (joint < 0.1f
                              ? 0.65f
                              : 0.9f + 0.3f * chance((int)row, (int)floorf(p.x / 0.8f + 0.5f * row),
                                                     295u)));
        if (c->subject == TRAIN && n.y > 0.7f && fabsf(fabsf(z) - 0.76f) < 0.07f)
            s = surface{grey(0.3f), grey(0), 0.3f, 0.2f};
        return s;
    }
    if (g.kind != OF_EARTH)
        return growth_surface(
            c, &g, g.kind == OF_STONE || g.kind == OF_REED ? p : vec(p.x, p.y - h, p.z), n, far, 1);
    float fine = seen_detail(noise(flat(p) * 5.5f, 296u), 0.18f, far),
          wide = fbm(flat(p) * 0.12f, 3, c->seed + 297),
          field = noise(flat(p) * 0.02f, c->seed + 298);
    fine = 0.6f * fine + 0.4f * seen_detail(noise(flat(p) * 23, 303u), 0.04f, far);
    v3 grass = mix(load(c->second), vec(0.20f, 0.20f, 0.05f), 0.55f * step(0.35f, 0.7f, wide)) *
               (0.55f + 0.8f * fine);
    grass = mix(grass, vec(0.23f, 0.20f, 0.08f), 0.5f * step(0.55f, 0.7f, field) * step(20, 50, e));
    if (e > 2 && far < 45 && noise(flat(p) * 17, 301u) > 0.90f - 0.1f * wide &&
        field > 0.4f) // flowers
        grass = mix(grass,
                    chance(c->seed + 299u) < 0.5f ? vec(0.6f, 0.5f, 0.08f) : vec(0.6f, 0.55f, 0.6f),
                    0.7f);
    v3 mud = vec(0.15f, 0.115f, 0.075f) * (0.7f + 0.6f * fine),
       colour = mix(mud, grass, step(0.35f, 0.75f, p.y + 0.4f * (wide - 0.5f)));
    float way = step(0.8f, 0.45f, fabsf(e - 4.5f) + 0.3f * (wide - 0.5f));
    if (c->subject == PERSON)
        colour = mix(colour, vec(0.24f, 0.19f, 0.13f) * (0.8f + 0.3f * fine), way);
    float wood = step(RIVER_WOODS - 30, RIVER_WOODS, length(flat(p))) *
                 step(0.42f, 0.50f, noise(flat(p) * 0.031f, c->seed + 279));
    colour =
        mix(colour, load(c->accent) * (0.5f + 1.0f * noise(flat(p) * 0.4f, 300u)), wood * 0.9f);
    if (has_bridge(c) && fabsf(p.z - bridge_z(c)) < 2.2f && e > 4)
        colour = vec(0.21f, 0.19f, 0.16f) * (0.8f + 0.3f * fine);
    colour = mix(colour, grey(0.74f),
                 c->snow * step(0.3f, 0.6f, n.y) * step(0.1f, 0.4f, p.y) * (1 - 0.5f * wood));
    float wet = step(0.35f, 0.05f, p.y);
    return surface{colour * (1 - 0.4f * fmaxf(wet, 0.7f * c->wet)), grey(0), 0.05f * wet, 0.6f};
}
