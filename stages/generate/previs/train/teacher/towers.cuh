// Balloon, lighthouse, rocket. Included by subjects.cuh.

FN part balloon(v3 p)
{
    float down = unitly((0.16f - p.y) / 0.50f); // 0 at the widest, 1 at the mouth
    float r = p.y > 0.16f
                  ? 0.345f * sqrtf(fmaxf(1 - (p.y - 0.16f) * (p.y - 0.16f) / (0.335f * 0.335f), 0))
                  : mix(0.345f, 0.075f, down * down * (1.25f - 0.25f * down));
    float round = atan2f(p.x, p.z), far = length(flat(p));
    r += 0.006f * fabsf(cosf(round * 8)) * unitly(r * 5); // gores
    float d = p.y > 0.16f ? fminf(ball(p - vec(0, 0.16f, 0), vec(0.345f, 0.335f, 0.345f)), far - r)
                          : far - r;
    part s = {fmaxf(fmaxf(d, -0.335f - p.y), p.y - 0.50f) * 0.72f, ENVELOPE};
    add(&s, round_box(p - vec(0, -0.455f, 0), vec(0.052f, 0.042f, 0.052f), 0.008f), WOOD);
    add(&s, box(p - vec(0, -0.413f, 0), vec(0.056f, 0.006f, 0.056f)), BAG);
    v3 m = away(p);
    add(&s,
        capsule(vec(m.x, p.y, m.z), vec(0.048f, -0.42f, 0.048f), vec(0.050f, -0.33f, 0.050f),
                0.0035f),
        DARK);
    add(&s, cylinder(p - vec(0, -0.372f, 0), 0.016f, 0.012f), STEEL);
    add(&s, sphere(vec(m.x - 0.022f, p.y + 0.400f, p.z), 0.016f), SKIN); // who flies it
    return s;
}

#define LANTERN_Y 0.815f

FN part lighthouse(const clip *c, v3 p)
{
    bool sea = c->setting != DESERT && c->setting != SNOW && c->setting != MOUNTAINS &&
               c->at[1] < 0.03f * c->size; // else it has an island
    v3 q = vec(p.x, p.y - 0.42f, p.z);
    part s = {cone(q, 0.35f, 0.098f, 0.062f), BANDS};
    add(&s, cylinder(p - vec(0, 0.762f, 0), 0.092f, 0.010f), DARK);
    add(&s, fmaxf(fabsf(length(flat(p)) - 0.088f) - 0.0025f, fabsf(p.y - 0.795f) - 0.003f), DARK);
    float a = roundf(atan2f(p.x, p.z) / 0.5236f) * 0.5236f;
    v3 post = turn_y(p, a);
    add(&s, capsule(post, vec(0, 0.77f, 0.088f), vec(0, 0.795f, 0.088f), 0.0025f), DARK);
    add(&s, cylinder(p - vec(0, LANTERN_Y, 0), 0.048f, 0.045f), LENS);
    add(&s, cone(p - vec(0, 0.888f, 0), 0.030f, 0.066f, 0.008f), PAINT);
    add(&s, sphere(p - vec(0, 0.922f, 0), 0.010f), DARK);
    if (sea) {
        float lump = 0.05f * noise(p * 9, 77u + c->seed) + 0.05f * noise(p * 4, 78u + c->seed);
        add(&s, (ball(p - vec(0, -0.04f, 0), vec(0.34f, 0.115f, 0.30f)) - lump + 0.03f) * 0.6f,
            ROCK);
    } else {
        add(&s, cylinder(p - vec(0, 0.035f, 0), 0.125f, 0.045f), PAD);
    }
    add(&s, box(p - vec(0.17f, 0.105f, 0.03f), vec(0.065f, 0.05f, 0.055f)), HOUSE); // the keeper's
    v3 r = p - vec(0.17f, 0.155f, 0.03f);
    add(&s, fmaxf((fabsf(r.z) * 0.6f + r.y * 0.8f) - 0.036f, fmaxf(fabsf(r.x) - 0.070f, -r.y)),
        PAINT);
    return s;
}

FN bool upright(const clip *c)
{
    return c->setting != SPACE;
}
// How high above its pad, in lengths.
FN float lifted(const clip *c, float seconds)
{
    if (c->speed <= 0 || !upright(c))
        return 0;
    float t = seconds + 0.35f;
    return c->speed / c->size * (0.25f * t + 0.42f * t * t);
}

// Along y from 0 to 0.95.
FN part rocket(const clip *c, v3 p)
{
    if (!upright(c)) {
        float y = p.z + 0.48f;
        p.z = p.y, p.y = y;
    }
    float far = length(flat(p));
    v3 m = away(p);
    part s = {1e9f, STAGE};
    switch (kind(c, 3)) {
    case 0: // with boosters beside it
        add(&s, fmaxf(far - 0.052f, fabsf(p.y - 0.40f) - 0.32f), STAGE);
        add(&s, cone(p - vec(0, 0.785f, 0), 0.065f, 0.058f, 0.010f), PAINT);
        add(&s, cylinder(p - vec(0, 0.70f, 0), 0.058f, 0.025f), PAINT);
        add(&s, capsule(p, vec(0, 0.84f, 0), vec(0, 0.93f, 0), 0.007f), STEEL);
        add(&s, cylinder(vec(m.x - 0.082f, p.y - 0.27f, p.z), 0.032f, 0.21f), STAGE);
        add(&s, cone(vec(m.x - 0.082f, p.y - 0.53f, p.z), 0.050f, 0.032f, 0.004f), PAINT);
        add(&s, cone(vec(m.x - 0.082f, p.y - 0.045f, p.z), 0.018f, 0.034f, 0.022f), DARK);
        add(&s, cone(p - vec(0, 0.060f, 0), 0.022f, 0.046f, 0.026f), DARK);
        break;
    case 1: { // of old films: a spindle on fins
        float v = (p.y - 0.45f) / 0.45f,
              r = 0.118f * fmaxf(1 - v * v * (v > 0 ? 1.0f : 0.55f), 0.0f);
        add(&s, fmaxf(far - r, fabsf(p.y - 0.49f) - 0.42f) * 0.85f, STAGE);
        float h = fmaxf(m.x, m.z), w = fminf(m.x, m.z);
        float f = fmaxf(fmaxf(w - 0.008f, (h - 0.195f + 0.35f * fmaxf(p.y - 0.10f, 0)) * 0.9f),
                        (p.y - 0.36f + 1.1f * h) * 0.65f);
        add(&s, fmaxf(f, (0.13f - 0.62f * h) - p.y), PAINT);
        add(&s, cone(p - vec(0, 0.072f, 0), 0.022f, 0.048f, 0.034f), DARK);
        break;
    }
    default: // one slender stage over another
        add(&s, fmaxf(far - 0.058f, fabsf(p.y - 0.30f) - 0.24f), STAGE);
        add(&s, cone(p - vec(0, 0.56f, 0), 0.025f, 0.058f, 0.046f), DARK);
        add(&s, fmaxf(far - 0.046f, fabsf(p.y - 0.68f) - 0.12f), STAGE);
        add(&s, ball(p - vec(0, 0.80f, 0), vec(0.052f, 0.145f, 0.052f)), PAINT);
        add(&s,
            fmaxf(fmaxf(fminf(m.x, m.z) - 0.005f,
                        fmaxf(m.x, m.z) - 0.125f + 0.55f * fmaxf(p.y - 0.06f, 0)),
                  fabsf(p.y - 0.11f) - 0.07f) *
                0.85f,
            PAINT);
        add(&s, cone(p - vec(0, 0.052f, 0), 0.020f, 0.046f, 0.030f), DARK);
    }
    return s;
}

// What stays on the ground.
FN part launch_pad(const clip *c, v3 p)
{
    part s = {cylinder(p - vec(0, 0.012f, 0), 0.27f, 0.016f), PAD};
    add(&s, cylinder(p - vec(0, 0.030f, 0), 0.090f, 0.010f), DARK);
    float side = c->seed & 1 ? 1.0f : -1.0f, out = kind(c, 3) == 1 ? 0.255f : 0.195f;
    v3 q = vec(p.x * side - out, p.y, p.z);
    add(&s, box(q - vec(0, 0.42f, 0), vec(0.030f, 0.41f, 0.030f)), GIRDER);
    add(&s, capsule(q, vec(0, 0.83f, 0), vec(0, 0.93f, 0), 0.005f), STEEL);
    float reach = c->speed > 0 ? 0.03f : 0.060f; // drawn back when it lifts off
    add(&s, box(q - vec(-0.03f - reach, 0.74f, 0), vec(reach, 0.012f, 0.014f)), GIRDER);
    add(&s, box(q - vec(-0.03f - reach, 0.42f, 0), vec(reach, 0.010f, 0.014f)), GIRDER);
    return s;
}
