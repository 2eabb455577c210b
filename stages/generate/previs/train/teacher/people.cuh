// A person walking, and a bird. Included by subjects.cuh.

struct gait {
    float thigh, shin, arm; // radians forward of straight down
};
// turns: of the walk so far; half a turn apart for the two sides.
FN gait step_of(float turns)
{
    float a = 6.2832f * turns, forward = fmaxf(cosf(a + 0.35f), 0);
    gait g;
    g.thigh = 0.06f + 0.44f * sinf(a);
    g.shin = g.thigh - 0.10f - 0.95f * forward * forward; // bent while it swings forward
    g.arm = -0.42f * sinf(a);
    return g;
}
FN v3 swung(v3 from, float angle, float l)
{
    return from + vec(0, -cosf(angle) * l, sinf(angle) * l);
}

#define STRIDE 0.84f // two steps, of a person's height

FN float walked(const clip *c, int i, float seconds)
{
    return c->speed * seconds / (c->size * STRIDE) + chance(c->seed + 31 * i);
}

// By seed and number: 1 hat, 2 backpack, 4 skirt, 8 long hair, 16 short jacket
FN int dress(const clip *c, int i)
{
    uint32_t s = scramble((uint32_t)c->seed * 3 + i);
    return (s & 3 ? 0 : 1) | ((s >> 2) & 3 ? 0 : 2) | ((s >> 4) & 3 ? 0 : 4) |
           ((s >> 6) & 1 ? 8 : 0) | ((s >> 8) & 3 ? 0 : 16);
}

FN part person(const clip *c, v3 p, int i, float seconds)
{
    float turns = walked(c, i, seconds), swing = c->speed > 0.05f ? 1.0f : 0.12f;
    int wears = dress(c, i);
    const float hip = 0.500f, thigh = 0.235f, shin = 0.235f;
    gait g[2] = {step_of(turns), step_of(turns + 0.5f)};
    float low = 0, bob;
    for (int k = 0; k < 2; k++) {
        g[k].thigh *= swing, g[k].shin *= swing, g[k].arm *= swing;
        low = fmaxf(low, thigh * cosf(g[k].thigh) + shin * cosf(g[k].shin));
    }
    bob = low + 0.030f - hip; // the lower foot stands on the ground
    p.y -= bob;
    part s = {1e9f, COAT};
    for (int k = 0; k < 2; k++) {
        v3 q = vec(k ? -p.x : p.x, p.y, p.z);
        v3 a = vec(0.046f, hip, 0), knee = swung(a, g[k].thigh, thigh),
           foot = swung(knee, g[k].shin, shin);
        add(&s, joined(capsule(q, a, knee, 0.043f), capsule(q, knee, foot, 0.032f), 0.02f), LEGS);
        float tip = 0.5f * (g[k].shin + 0.1f);
        add(&s,
            capsule(q, foot + vec(0, -0.006f, -0.015f),
                    foot + vec(0.006f, -0.008f + 0.055f * tip, 0.062f), 0.024f),
            SHOES);
        v3 shoulder = vec(0.100f, 0.790f, 0),
           elbow = swung(shoulder + vec(0.010f, 0, 0), g[1 - k].arm, 0.160f);
        v3 hand = swung(elbow, g[1 - k].arm + 0.30f * swing, 0.135f);
        add(&s,
            joined(capsule(q, shoulder, elbow, 0.033f), capsule(q, elbow, hand, 0.027f), 0.015f),
            COAT);
        add(&s, sphere(q - hand - vec(0, -0.022f, 0.006f), 0.027f), SKIN);
    }
    // the coat: a flattened cone from the shoulders to above the knee; it opens with the step
    float end = wears & 16 ? 0.47f : 0.36f, h = 0.5f * (0.83f - end),
          v = unitly((0.83f - p.y) / (2 * h));
    float wide = mix(0.098f, wears & 16 ? 0.092f : 0.112f, v) - 0.030f * step(0.12f, 0.0f, v) -
                 0.012f * step(0.3f, 0.0f, fabsf(v - 0.45f));
    float deep = 0.66f - 0.05f * (1 - v) + 0.30f * swing * v * v * fabsf(sinf(6.2832f * turns));
    float trunk = (length(vec(p.x, p.z / deep)) - wide) * 0.62f;
    add(&s, cut(trunk, fabsf(p.y - 0.83f + h) - h, 0.03f), COAT);
    v3 m = vec(fabsf(p.x), p.y, p.z);
    add(&s, joined(s.d, capsule(m, vec(0, 0.812f, 0), vec(0.092f, 0.795f, 0), 0.036f), 0.03f),
        COAT);
    if (wears & 4 && !(wears & 16)) {
        float k = unitly((0.48f - p.y) / 0.24f);
        add(&s,
            fmaxf((length(vec(p.x, p.z * 0.95f)) - 0.085f - 0.055f * k) * 0.8f,
                  fabsf(p.y - 0.37f) - 0.12f),
            LEGS);
    }
    add(&s, capsule(p, vec(0, 0.80f, -0.004f), vec(0, 0.87f, 0.006f), 0.032f), SKIN);
    add(&s, ball(p - vec(0, 0.915f, 0.012f), vec(0.052f, 0.066f, 0.060f)), SKIN);
    add(&s,
        fmaxf(ball(p - vec(0, 0.925f, -0.004f), vec(0.060f, 0.070f, 0.068f)),
              (p.z - 0.030f) * 0.8f - (p.y - 0.925f) * 0.75f),
        HAIR);
    if (wears & 8)
        add(&s, ball(p - vec(0, 0.865f, -0.038f), vec(0.056f, 0.090f, 0.034f)), HAIR);
    if (wears & 1) {
        add(&s, cylinder(p - vec(0, 0.957f, 0.0f), 0.100f, 0.005f), BAG);
        add(&s, cylinder(p - vec(0, 0.985f, -0.002f), 0.058f, 0.030f), BAG);
    }
    if (wears & 2)
        add(&s, round_box(p - vec(0, 0.70f, -0.105f), vec(0.075f, 0.105f, 0.050f), 0.03f), BAG);
    return s;
}

FN float segment(v2 p, v2 a, v2 b)
{
    v2 pa = p - a, ba = b - a;
    return length(pa - ba * unitly(dot(pa, ba) / dot(ba, ba)));
}

// Its wings are up or down by `beat`; they reach 0.5 to a side. One to a subject: of a flock a
// small picture keeps specks.
FN part bird(const clip *c, v3 p, int i, float seconds)
{
    float x = fabsf(p.x), luck = chance(c->seed + 521u * i),
          beat = 6.2832f * ((1.3f + 0.4f * luck) * seconds + luck), up = sinf(beat);
    v2 root = vec(0.03f, 0.015f), bend = vec(0.23f, 0.015f + 0.145f * up),
       tip = vec(0.48f, 0.015f + 0.27f * sinf(beat - 0.75f));
    float chord = 0.12f * (1 - 0.55f * unitly((x - 0.13f) / 0.33f)),
          sweep = 0.065f - 0.20f * fmaxf(x - 0.21f, 0);
    float line = fminf(segment(vec(x, p.y), root, bend), segment(vec(x, p.y), bend, tip));
    part s = {fmaxf(line - 0.018f, fabsf(p.z - sweep) - chord) * 0.85f, BIRD};
    add(&s, ball(p, vec(0.075f, 0.080f, 0.26f)), BIRD);
    add(&s,
        fmaxf(fmaxf(fabsf(p.y) - 0.018f, x - 0.035f + 0.25f * (p.z + 0.23f)),
              fabsf(p.z + 0.29f) - 0.11f),
        BIRD);
    add(&s, sphere(p - vec(0, 0.03f, 0.28f), 0.062f), BIRD);
    add(&s, cone(vec(p.x, p.z - 0.36f, p.y - 0.025f), 0.04f, 0.026f, 0.004f), DARK);
    return s;
}
