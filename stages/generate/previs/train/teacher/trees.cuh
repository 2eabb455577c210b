// Trees and bushes: conifers and broadleaf trees, one in each cell of a lattice or none.
#pragma once
#include "clip.cuh"

struct grown {
    float d;
    int kind;    // of enum growth
    float luck;  // of the tree, 0 to 1
    float depth; // in the crown: 0 within to 1 outside
};
enum growth { OF_EARTH, OF_TRUNK, OF_LEAVES, OF_NEEDLES, OF_BUSH, OF_STONE, OF_REED, OF_MASONRY };

struct tree {
    v2 at;
    float height, wide, girth, luck;
    bool needles;
};

// The tree of a cell. firs: share of conifers; tall: height of the tallest, metres.
FN tree tree_of(const clip *c, int x, int y, float cell, float tall, float firs)
{
    uint32_t seed = c->seed + 200u;
    tree t;
    t.luck = chance(x, y, seed);
    t.at = vec((x + 0.5f + 0.44f * (chance(x, y, seed + 1) - 0.5f)) * cell,
               (y + 0.5f + 0.44f * (chance(x, y, seed + 2) - 0.5f)) * cell);
    t.height = tall * (0.62f + 0.38f * chance(x, y, seed + 3));
    t.needles = chance(x, y, seed + 4) < firs;
    t.wide = cell * (t.needles ? 0.30f + 0.10f * t.luck : 0.36f + 0.09f * t.luck);
    t.girth = t.height * (0.011f + 0.009f * t.luck) + 0.05f;
    return t;
}

// Metres that a crown is moved by the wind.
FN float swaying(const clip *c)
{
    return clamp(c->wind * 0.018f, -0.24f, 0.24f) + (c->wind < 0 ? -0.02f : 0.02f);
}

// p: from the foot of the tree. bare: how far up the crown begins.
FN void grow(grown *all, const tree *t, v3 p, float bare, float sway, float seconds)
{
    float up = p.y / t->height, off = sway * unitly(up) * unitly(up);
    p.x -= off * (0.7f + sinf(seconds * (1.5f + t->luck) + 40 * t->luck)); // bent by the wind
    p.z -= off * 0.4f * sinf(seconds * 2.1f + 23 * t->luck);
    float r = length(flat(p));
    float out = fmaxf(r - t->wide * 1.15f, p.y - t->height * 1.03f);
    if (out > 1.0f && out > all->d)
        return;
    float girth = t->girth * (1.25f - 0.9f * unitly(up)) + 0.25f * t->girth * step(0.5f, 0, p.y);
    float lean = (t->luck - 0.5f) * 0.05f * p.y, trunk;
    trunk =
        fmaxf(length(vec(p.x - lean, p.z + lean * 0.5f)) - girth, p.y - t->height * 0.92f) * 0.9f;
    if (trunk < all->d)
        *all = grown{trunk, OF_TRUNK, t->luck, 0};
    float crown, foot = t->height * bare;
    if (t->needles) {
        float u = unitly((p.y - foot) / (t->height - foot)), layers = 5 + 3 * t->luck;
        float tier = fraction(u * layers);
        float wide = t->wide * (powf(1 - u, 0.85f) * (1 - 0.38f * tier) + 0.03f);
        crown = fmaxf((r - wide) * 0.62f, foot - 0.25f * t->wide - p.y + 0.25f * r);
        crown = fmaxf(crown, p.y - t->height);
    } else {
        float mid = 0.5f * (foot + t->height), tall = 0.55f * (t->height - foot),
              turned = t->luck * 40;
        v3 side = vec(cosf(turned), 0, sinf(turned)) * (0.42f * t->wide);
        crown = ball(p - vec(0, mid + 0.1f * tall, 0),
                     vec(0.85f * t->wide, tall * 0.95f, 0.85f * t->wide));
        crown = joined(crown,
                       ball(p - vec(side.x, mid - 0.25f * tall, side.z),
                            vec(0.72f * t->wide, tall * 0.5f, 0.72f * t->wide)),
                       0.5f);
        crown = joined(crown,
                       ball(p - vec(-side.x, mid + 0.05f * tall, -side.z),
                            vec(0.66f * t->wide, tall * 0.55f, 0.66f * t->wide)),
                       0.5f);
        crown *= 0.8f;
    }
    if (crown < 1.1f) { // tufts of leaves
        float tuft = noise(p * 1.25f + grey(t->luck * 60), 211u) - 0.5f,
              fine = crown < 0.6f ? noise(p * 3.6f, 212u) - 0.5f : 0;
        crown = (crown + (t->needles ? 0.35f : 0.75f) * tuft + 0.55f * fine) * 0.68f;
        crown = fmaxf(crown, -0.7f);
        if (crown < all->d)
            *all = grown{crown, t->needles ? OF_NEEDLES : OF_LEAVES, t->luck,
                         unitly(0.5f - tuft - fine)};
    } else {
        all->d = fminf(all->d, crown - 0.75f);
    }
}

FN float bush(const clip *c, v3 p, float cell, float share, float size)
{
    v2 q = flat(p) * (1 / cell);
    int x = (int)floorf(q.x), y = (int)floorf(q.y);
    if (chance(x, y, c->seed + 221u) > share)
        return 0.30f * cell;
    float r = size * (0.5f + 0.5f * chance(x, y, 222u));
    v2 at = vec((x + 0.5f) * cell + (cell * 0.5f - r * 1.3f) * (chance(x, y, 223u) - 0.5f),
                (y + 0.5f) * cell + (cell * 0.5f - r * 1.3f) * (chance(x, y, 224u) - 0.5f));
    float d = ball(vec(p.x - at.x, p.y - 0.25f * r, p.z - at.y), vec(r, r * 0.8f, r)) * 0.8f;
    if (d < 0.5f)
        d = (d + 0.38f * r * (noise(p * (2.6f / r), 225u) - 0.5f)) * 0.7f;
    return fminf(d, 0.30f * cell);
}

// Noise of a certain grain, metres: its mean where a pixel is coarser, or it would flicker.
FN float seen_detail(float n, float grain, float far)
{
    return 0.5f + (n - 0.5f) * step(1, 0.25f, far * 0.0045f / grain);
}

// Colour of what grown() found at p, of which y is above the ground.
FN surface growth_surface(const clip *c, const grown *g, v3 p, v3 n, float far, float bright)
{
    v3 leaf = load(c->setting == FOREST ? c->second : c->accent),
       bark = c->setting == FOREST ? load(c->accent) : vec(0.09f, 0.065f, 0.045f);
    v3 colour;
    float shine = 0;
    switch (g->kind) {
    case OF_TRUNK: {
        float lines = noise(vec(p.x * 9, p.y * 1.3f, p.z * 9), 231u),
              moss = step(0.5f, 0.7f, noise(p * 0.8f, 232u)) * step(2.5f, 0.2f, p.y);
        colour = bark * (0.55f + 0.9f * lines);
        if (g->luck > 0.80f && chance(c->seed + 233u) < 0.5f) // birches
            colour = mix(grey(0.45f), grey(0.05f),
                         step(0.62f, 0.72f, noise(vec(p.x * 2, p.y * 5, p.z * 2), 234u)));
        colour = mix(colour, leaf * 0.7f, moss * 0.6f);
        break;
    }
    case OF_LEAVES:
    case OF_NEEDLES:
    case OF_BUSH: {
        float fine = seen_detail(noise(p * 7.0f, 235u), 0.14f, far);
        v3 one = g->kind == OF_NEEDLES
                     ? mix(leaf, vec(0.028f, 0.068f, 0.034f), leaf.x > leaf.y ? 0.95f : 0.55f)
                     : leaf; // stays green in autumn
        one = mix(one, vec(one.x * 1.7f, one.y * 1.25f, one.z * 0.8f),
                  g->luck); // each tree its own green
        if (g->kind == OF_BUSH)
            one = mix(leaf, vec(0.05f, 0.09f, 0.025f), 0.5f);
        colour = one * ((0.35f + 0.9f * fine) * (0.45f + 0.75f * g->depth) * 1.7f);
        break;
    }
    case OF_STONE:
        colour = mix(vec(0.13f, 0.125f, 0.12f), vec(0.30f, 0.29f, 0.27f), fbm(p * 3, 3, 236u));
        shine = 0.04f * c->wet;
        break;
    case OF_REED:
        colour = mix(vec(0.10f, 0.15f, 0.035f), vec(0.28f, 0.24f, 0.10f),
                     step(0.6f, 1.6f, p.y) * 0.7f + 0.3f * g->luck);
        break;
    default:
        colour = mix(vec(0.20f, 0.18f, 0.16f), vec(0.36f, 0.32f, 0.27f), fbm(p * 1.3f, 3, 237u));
        break;
    }
    colour = mix(colour, grey(0.75f),
                 c->snow * step(0.15f, 0.65f, n.y + 0.35f * (noise(p * 2.2f, 238u) - 0.5f)) *
                     (g->kind == OF_TRUNK ? 0.4f : 0.92f));
    return surface{colour * bright, grey(0), shine, 0.5f};
}
