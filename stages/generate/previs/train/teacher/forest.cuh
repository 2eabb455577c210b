// A forest with a path and a clearing around where the subject is. clip.wave is the clearing's
// radius here.
#pragma once
#include "trees.cuh"

#define FOREST_CELL 5.6f

FN float path_half(const clip *c)
{
    return c->subject == TRAIN ? 3.2f : c->subject == CAR ? 2.1f : 1.0f;
}
FN float path_x(const clip *c, float z)
{
    if (c->subject == TRAIN)
        return 0;
    float bend = 9 * (chance(c->seed + 241u) - 0.5f),
          slow = 0.040f + 0.02f * chance(c->seed + 242u);
    return bend * (1 - cosf(z * slow)) * (z > 0 ? 1.0f : -1.0f);
}
FN float forest_tall(const clip *c)
{
    return 13 + 9 * chance(c->seed + 243u);
}
FN float forest_firs(const clip *c)
{
    float luck = chance(c->seed + 244u);
    return luck < 0.35f ? 0.04f : luck < 0.65f ? 0.95f : 0.5f;
}

#define FOREST_NEAR 240.0f // farther off trees are only a roughness of hills
FN float forest_hills(const clip *c, v2 p)
{
    float r2 = dot(p, p);
    if (r2 < 90 * 90)
        return 0;
    return step(90, 750, sqrtf(r2)) * c->relief * 95 * fbm(p * 0.0032f, 3, c->seed + 247);
}

FN float forest_height(const clip *c, v2 p)
{
    float off = fabsf(p.x - path_x(c, p.y)) - path_half(c),
          far = step(0.3f, 16, off) * step(2, 16, length(p) - c->wave);
    float h = far * c->relief * 4.5f * (fbm(p * 0.028f, 2, c->seed + 245) - 0.42f);
    return h + 0.14f * step(-0.5f, 0.7f, off);
}

FN grown forest_at(const clip *c, v3 p, float seconds)
{
    const float sway = swaying(c);
    const float tall = forest_tall(c), firs = forest_firs(c),
                bare = 0.22f + 0.22f * chance(c->seed + 246u);
    float top = tall * 1.05f + 3.0f * c->relief;
    if (p.y > top + 2 + 95 * c->relief)
        return grown{p.y - top - 95 * c->relief, firs > 0.4f ? OF_NEEDLES : OF_LEAVES, 0.5f, 0.5f};
    float hills = forest_hills(c, flat(p));
    if (dot(flat(p), flat(p)) > FOREST_NEAR * FOREST_NEAR) {
        float lumps = noise(flat(p) * 0.24f, 248u), wide = noise(flat(p) * 0.05f, 249u);
        float crown = hills + tall * (0.50f + 0.42f * lumps);
        return grown{(p.y - crown) * 0.6f, wide < firs ? OF_NEEDLES : OF_LEAVES,
                     noise(flat(p) * 0.24f, 250u), 0.15f + 0.85f * lumps};
    }
    if (p.y > top + hills + 2)
        return grown{(p.y - top - hills) * 0.8f, firs > 0.4f ? OF_NEEDLES : OF_LEAVES, 0.5f, 0.5f};
    float h = forest_height(c, flat(p)) + hills;
    v3 q = vec(p.x, p.y - h, p.z);
    grown all = {q.y * 0.8f, OF_EARTH, 0, 0};
    float off = fabsf(p.x - path_x(c, p.z)) - path_half(c);
    if (q.y < 1.6f) {
        float low =
            off > 0.5f && length(flat(p)) > 0.5f * c->wave ? bush(c, q, 2.3f, 0.42f, 0.75f) : 0.35f;
        if (low < all.d)
            all = grown{low, OF_BUSH, 0.4f, 0.6f};
    } else {
        all.d = fminf(all.d, q.y - 1.0f);
    }
    v2 g = flat(p) * (1 / FOREST_CELL);
    int x0 = (int)floorf(g.x - 0.5f), y0 = (int)floorf(g.y - 0.5f);
    all.d = fminf(all.d, 2.6f); // what stands in cells not looked at is farther off than this
    for (int i = 0; i < 4; i++) {
        int x = x0 + (i & 1), y = y0 + (i >> 1);
        tree t = tree_of(c, x, y, FOREST_CELL, tall, firs);
        float room = t.girth + 1.0f + 0.35f * (1 - bare) * t.wide;
        if (t.luck < 0.10f || length(t.at) < c->wave + room ||
            fabsf(t.at.x - path_x(c, t.at.y)) < path_half(c) + room)
            continue;
        grow(&all, &t, vec(q.x - t.at.x, q.y, q.z - t.at.y),
             bare * (t.needles ? 0.6f + 0.6f * t.luck : 1.0f), sway, seconds);
    }
    return all;
}

FN surface forest_surface(const clip *c, v3 p, v3 n, float far, float seconds)
{
    grown g = forest_at(c, p, seconds);
    float h = forest_height(c, flat(p)) + forest_hills(c, flat(p));
    v3 q = vec(p.x, p.y - h, p.z);
    if (g.kind != OF_EARTH)
        return growth_surface(c, &g, q, n, far, 1);
    float off = fabsf(p.x - path_x(c, p.z)) - path_half(c), side = p.x - path_x(c, p.z);
    float fine = 0.6f * seen_detail(noise(flat(p) * 6.5f, 251u), 0.15f, far) +
                 0.4f * seen_detail(noise(flat(p) * 21, 255u), 0.05f, far),
          wide = fbm(flat(p) * 0.45f, 3, c->seed + 252);
    v3 litter = mix(load(c->ground), mix(load(c->accent), vec(0.16f, 0.10f, 0.05f), 0.5f),
                    step(0.2f, 0.8f, fine * 0.6f + wide * 0.4f));
    litter = mix(litter, load(c->second) * 1.1f,
                 step(0.36f, 0.72f, wide * 0.75f + 0.25f * fine) * 0.8f) *
             (0.55f + 0.8f * fine);
    v3 trod = vec(0.20f, 0.155f, 0.11f) * (0.7f + 0.5f * noise(flat(p) * 2.3f, 253u)) *
              (0.85f + 0.3f * fine);
    float path = step(0.45f, -0.25f, off + 0.6f * (wide - 0.5f)), shine = 0;
    if (c->subject == CAR) // a strip of grass between the tracks
        trod = mix(trod, load(c->second) * 1.2f, step(0.55f, 0.25f, fabsf(side)) * 0.7f);
    if (c->subject == TRAIN) {
        trod = grey(0.17f) * (0.5f + fine);
        if (fabsf(side) < 1.3f && fraction(p.z * 1.5f) < 0.42f)
            trod = vec(0.075f, 0.06f, 0.05f);
        if (fabsf(fabsf(side) - 0.76f) < 0.06f)
            trod = grey(0.30f), shine = 0.35f;
    }
    v3 colour = mix(litter, trod, path);
    colour = mix(colour, grey(0.74f) * (0.92f + 0.1f * fine),
                 c->snow * (0.96f - 0.25f * path) * (shine > 0 ? 0.0f : 1.0f));
    if (c->wet > 0) {
        colour = colour * 0.6f;
        shine = fmaxf(shine, 0.035f * path * step(0.5f, 0.62f, wide));
    }
    return surface{colour, grey(0), shine, shine > 0.02f ? 0.15f : 0.7f};
}
