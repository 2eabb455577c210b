// Blocks of buildings between streets, of a street by day and a city by night. clip.plan: metres
// from block to block across (x) and along (z), width of the streets along z and of those across. A
// street runs along x = 0, the middle of a block is at z = 0; buildings stand on lots of a block.
#pragma once
#include "clip.cuh"

struct thing {
    float d;
    int what;
    uint32_t id;
};
enum {
    PAVING,
    WALL,
    TRUNK,
    CROWN,
    POST,
    LAMP,
    BODY,
    CABIN,
    TYRE,
    HEADLAMP,
    TAILLAMP,
    NEON,
    MAST,
    BEACON,
    AWNING,
    BALCONY,
    STONE,
    WOOD,
    CONTAINER,
    CRANE,
    HULL,
    DECK,
    SAILCLOTH
};
struct lot {
    float x, z, hx, hz, h; // middle in the block, half its building's size
    int kind;
    uint32_t id;
};
struct block {
    int bx, bz;
    v3 q;         // the point from the block's middle
    float hx, hz; // half of what is built on
    uint32_t id;
};

FN void add(thing *to, float d, int what, uint32_t id)
{
    if (d < to->d)
        *to = thing{d, what, id};
}
FN float luck(uint32_t id, uint32_t k)
{
    return chance(id + k * 0x9e3779b9u);
}
FN float pick(uint32_t id, uint32_t k, float a, float b)
{
    return mix(a, b, luck(id, k));
}
FN bool is_city(const clip *c)
{
    return c->setting == CITY_NIGHT;
}
FN float kerb_at(const clip *c)
{
    return 0.5f * c->plan[2] - clamp(0.2f * c->plan[2], 2.6f, 5.0f);
}

FN uint32_t block_id(const clip *c, int bx, int bz)
{
    return scramble((uint32_t)bx * 73856093u ^
                    scramble((uint32_t)bz + (uint32_t)c->seed * 19349663u));
}
FN struct block block_of(const clip *c, v3 p)
{
    struct block b;
    b.bx = (int)floorf(p.x / c->plan[0]);
    b.bz = (int)floorf(p.z / c->plan[1] + 0.5f);
    b.q = vec(p.x - (b.bx + 0.5f) * c->plan[0], p.y, p.z - b.bz * c->plan[1]);
    b.hx = 0.5f * (c->plan[0] - c->plan[2]);
    b.hz = 0.5f * (c->plan[1] - c->plan[3]);
    b.id = block_id(c, b.bx, b.bz);
    return b;
}
// Nothing in the block is higher. Towers crowd about a middle ahead of where the camera starts.
FN float highest(const clip *c, int bx, int bz)
{
    if (!is_city(c))
        return 25;
    float x = (bx + 0.5f) * c->plan[0] - 60, z = bz * c->plan[1] - 260;
    float core = expf(-(x * x + z * z) / (2 * 330.0f * 330.0f)) * c->relief;
    float lucky = chance(block_id(c, bx, bz) + 5u);
    return 26 + 190 * core * (0.3f + 0.7f * lucky * lucky) + 18 * lucky;
}

FN int lots_along(const clip *c)
{
    return is_city(c) ? 2 : 8;
}

FN float lot_edge(const block *b, int ix, int i, int n)
{
    float at = -b->hz + 2 * b->hz * i / n;
    return i <= 0 || i >= n ? at : at + (luck(b->id, 40u + ix * 20 + i) - 0.5f) * 0.5f * b->hz / n;
}
FN struct lot lot_of(const clip *c, const block *b, int ix, int iz)
{
    struct lot l;
    float side = ix ? 1.0f : -1.0f;
    l.id = scramble(b->id + 977u * ix + 131u * iz + 7u);
    if (is_city(c)) {
        float top = highest(c, b->bx, b->bz), tall = luck(l.id, 1);
        l.hx = 0.5f * b->hx * pick(l.id, 2, 0.66f, 0.97f);
        l.hz = 0.5f * b->hz * pick(l.id, 3, 0.66f, 0.97f);
        l.x = side * (b->hx - l.hx - pick(l.id, 4, 0, 1.2f));
        l.z = (iz ? 1 : -1) * (b->hz - l.hz - pick(l.id, 5, 0, 1.2f));
        l.h = top * (0.30f + 0.68f * tall * tall);
        l.kind = (int)(luck(l.id, 6) * 5);
    } else {
        int n = lots_along(c);
        float a = lot_edge(b, ix, iz, n), e = lot_edge(b, ix, iz + 1, n);
        l.hz = 0.5f * (e - a);
        l.z = 0.5f * (a + e);
        l.hx = pick(l.id, 2, 5.2f, 6.2f);
        l.x = side * (b->hx - l.hx - (luck(l.id, 3) < 0.3f ? pick(l.id, 4, 0.3f, 0.9f) : 0));
        l.kind = (int)(luck(l.id, 6) * 4);
        l.h = 3.6f + 3.1f * (1 + (int)(luck(l.id, 1) * 3.7f)) + pick(l.id, 8, 0, 0.8f);
    }
    return l;
}

FN float tower(v3 q, const struct lot *l)
{
    v3 half = vec(l->hx, l->h * 0.5f, l->hz);
    v3 m = q - vec(0, l->h * 0.5f, 0);
    float base = l->h * pick(l->id, 9, 0.12f, 0.4f), d;
    switch (l->kind) {
    case 1: // a narrower tower on a base
        d = box(q - vec(0, base * 0.5f, 0), vec(l->hx, base * 0.5f, l->hz));
        return fminf(d, box(m, vec(l->hx * 0.72f, half.y, l->hz * 0.72f)));
    case 2: // in steps
        d = box(q - vec(0, l->h * 0.3f, 0), vec(l->hx, l->h * 0.3f, l->hz));
        d = fminf(d,
                  box(q - vec(0, l->h * 0.42f, 0), vec(l->hx * 0.8f, l->h * 0.42f, l->hz * 0.8f)));
        return fminf(d, box(m, vec(l->hx * 0.55f, half.y, l->hz * 0.55f)));
    case 3: // round, on a base
        d = box(q - vec(0, base * 0.25f, 0), vec(l->hx, base * 0.25f, l->hz));
        return fminf(d, cylinder(m, fminf(l->hx, l->hz) * 0.92f, half.y));
    default:
        return box(m, half);
    }
}

// q from the lot's middle; out: +1 where its front looks towards +x.
FN void house(thing *t, v3 q, const struct lot *l, float out)
{
    float body = box(q - vec(0, l->h * 0.5f, 0), vec(l->hx, l->h * 0.5f, l->hz)), roof = 1e9f;
    if (l->kind >= 2) { // a roof with its ridge along the street
        float slope = l->kind == 2 ? 0.75f : 1.5f, top = l->kind == 2 ? l->hx * 0.75f : 2.6f;
        roof = (q.y - l->h - (l->hx + 0.35f - fabsf(q.x)) * slope) / sqrtf(1 + slope * slope);
        roof = fmaxf(fmaxf(roof, q.y - l->h - top),
                     fmaxf(l->h - 0.15f - q.y, fabsf(q.z) - l->hz + 0.02f));
        add(t, roof, WALL, l->id);
    } else { // flat, with an edge
        add(t, box(q - vec(0, l->h + 0.1f, 0), vec(l->hx + 0.25f, 0.35f, l->hz - 0.01f)), STONE,
            l->id);
    }
    add(t,
        box(q - vec(pick(l->id, 20, -2, 2), l->h + 1.5f, pick(l->id, 21, -0.7f, 0.7f) * l->hz),
            vec(0.45f, 1.6f, 0.6f)),
        STONE, l->id);
    if (body > 2.4f) {
        add(t, body - 1.4f, WALL, l->id);
        return;
    }
    add(t, body, WALL, l->id);
    float face = q.x * out - l->hx; // metres in front of the face
    if (luck(l->id, 11) < 0.6f) {   // an awning over a shop
        v3 a = vec(face - 0.65f, q.y - 3.0f + 0.35f * face, q.z);
        add(t, box(a, vec(0.68f, 0.05f, l->hz * pick(l->id, 12, 0.45f, 0.85f))) * 0.9f, AWNING,
            l->id);
    }
    if (luck(l->id, 13) < 0.4f && q.y > 3.5f && q.y < l->h) {
        float floor = floorf((q.y - 3.6f) / 3.1f),
              bay = 2 * l->hz / fmaxf(1, floorf(l->hz * 2 / 3.6f));
        float u = q.z + l->hz, v = q.y - 3.6f - floor * 3.1f;
        u = u - (floorf(u / bay) + 0.5f) * bay;
        float rail = box(vec(face - 0.4f, v - 0.55f, u), vec(0.45f, 0.5f, bay * 0.36f));
        rail = fmaxf(rail,
                     -box(vec(face - 0.4f, v - 0.75f, u), vec(0.40f, 0.6f, bay * 0.36f - 0.05f)));
        add(t, rail, BALCONY, l->id);
    }
}

// Spires, beacons and signs of a tower.
FN void tower_parts(thing *t, v3 q, const struct lot *l, float side)
{
    if (l->h > 70 && luck(l->id, 15) < 0.7f) {
        float tall = l->h * pick(l->id, 16, 0.06f, 0.2f);
        add(t,
            fmaxf(length(flat(q)) - 0.6f * unitly(1.1f - (q.y - l->h) / tall), q.y - l->h - tall),
            MAST, l->id);
        add(t, sphere(q - vec(0, l->h + tall, 0), 1.3f), BEACON, l->id);
    } else if (l->h > 40) { // plant on the roof
        add(t,
            box(q - vec(pick(l->id, 17, -0.3f, 0.3f) * l->hx, l->h + 1.2f, 0),
                vec(0.35f * l->hx, 1.8f, 0.3f * l->hz)),
            STONE, l->id);
        add(t, sphere(q - vec(l->hx * 0.4f, l->h + 1.4f, l->hz * 0.4f), 0.7f), BEACON, l->id);
    }
    if (luck(l->id, 18) < 0.75f && l->kind != 3 &&
        q.y < 24) { // a sign that stands out from the front
        float tall = pick(l->id, 19, 1.6f, 5.0f);
        v3 at = vec(side * (l->hx + 0.75f), 5.0f + tall, (luck(l->id, 22) - 0.5f) * 1.6f * l->hz);
        add(t, box(q - at, vec(0.65f, tall, 0.16f)), NEON, l->id);
    }
    if (luck(l->id, 24) < 0.6f)
        add(t, box(q - vec(side * (l->hx + 0.5f), 3.7f, 0), vec(0.6f, 0.14f, l->hz * 0.8f)), AWNING,
            l->id);
}

BIG void buildings(thing *t, const clip *c, v3 p)
{
    const struct block b = block_of(c, p);
    float top = highest(c, b.bx, b.bz) + (is_city(c) ? 0.2f * 190 : 3.2f);
    float over = fmaxf(p.y - top, 0), ax = fabsf(b.q.x), az = fabsf(b.q.z);
    // the next blocks, as boxes
    float to_x = 0.5f * c->plan[0] - ax + 0.5f * c->plan[2] - 1.5f,
          to_z = 0.5f * c->plan[1] - az + 0.5f * c->plan[3] - 1.5f;
    int nx = b.bx + (b.q.x > 0 ? 1 : -1), nz = b.bz + (b.q.z > 0 ? 1 : -1);
    float more = is_city(c) ? 38.0f : 3.2f;
    float hx = fmaxf(p.y - highest(c, nx, b.bz) - more, 0),
          hz = fmaxf(p.y - highest(c, b.bx, nz) - more, 0);
    float hd = fmaxf(p.y - highest(c, nx, nz) - more, 0),
          reach = 0.5f * fminf(c->plan[0], c->plan[1]) + 6;
    float all = is_city(c) ? 270.0f : 29.0f;
    add(t, sqrtf(to_x * to_x + hx * hx), WALL, 0);
    add(t, sqrtf(to_z * to_z + hz * hz), WALL, 0);
    add(t, sqrtf(to_x * to_x + to_z * to_z + hd * hd), WALL, 0);
    add(t, fmaxf(reach, p.y - all), WALL, 0);
    // this one
    float outside = length(vec(fmaxf(ax - b.hx - 1.5f, 0), over, fmaxf(az - b.hz, 0)));
    if (outside > 4) {
        add(t, outside, WALL, 0);
        return;
    }
    if (is_city(c)) {
        for (int i = 0; i < 4; i++) {
            const struct lot l = lot_of(c, &b, i & 1, i >> 1);
            v3 q = b.q - vec(l.x, 0, l.z);
            float d = tower(q, &l);
            add(t, d < 3 || q.y > l.h - 4 ? d : d - 2.4f, WALL, l.id);
            if (d < 5 || q.y > l.h - 4)
                tower_parts(t, q, &l, l.x > 0 ? 1.0f : -1.0f);
        }
        return;
    }
    int n = lots_along(c), ix = b.q.x > 0;
    float f = (b.q.z + b.hz) / (2 * b.hz) * n, lotwide = 2 * b.hz / n;
    int iz = (int)clamp(floorf(f), 0, n - 1);
    for (int i = 0; i < 2; i++) {
        int at = i == 0 ? iz : f - iz > 0.5f ? iz + 1 : iz - 1;
        if (at < 0 || at >= n)
            continue;
        const struct lot l = lot_of(c, &b, ix, at);
        house(t, b.q - vec(l.x, 0, l.z), &l, ix ? 1.0f : -1.0f);
    }
    float row = fmaxf(ax - b.hx - 1.5f, 0);
    add(t, fmaxf(sqrtf(row * row + 0.09f * lotwide * lotwide), p.y - 28), WALL,
        0);                                                           // houses farther along
    add(t, fmaxf(ax + b.hx - 14.5f, fmaxf(p.y - 28, 0.3f)), WALL, 0); // the row behind
}
