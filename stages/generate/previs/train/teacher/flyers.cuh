// Aeroplane, helicopter, drone. Included by subjects.cuh. Turning blades are also drawn as soft
// discs: glow.cuh.

// A wing from x = 0 to `span`: edges at the root and how far back they run to the tip.
FN float wing(v3 p, float span, float lead, float lead_back, float trail, float trail_back,
              float thick)
{
    float x = fabsf(p.x), s = unitly(x / span);
    float in = fmaxf(p.z - lead + lead_back * s, trail - trail_back * s - p.z) * 0.86f;
    return fmaxf(fmaxf(in, x - span), fabsf(p.y) - thick * (1 - 0.55f * s)) * 0.95f;
}
// Upright.
FN float fin(v3 p, float height, float lead, float lead_back, float trail, float trail_back,
             float thick)
{
    return fmaxf(wing(vec(p.y, p.x, p.z), height, lead, lead_back, trail, trail_back, thick), -p.y);
}

FN part airliner(v3 p)
{
    float nose = unitly((p.z - 0.36f) / 0.14f), tail = unitly((-0.16f - p.z) / 0.34f);
    float r = 0.058f * sqrtf(fmaxf(1 - nose * nose, 0.0004f)) * (1 - 0.80f * tail * tail),
          x = fabsf(p.x);
    float cy = 0.040f * tail * tail - 0.012f * nose * nose;
    part s = {fmaxf(length(vec(p.x, p.y - cy)) - r, fabsf(p.z) - 0.5f) * 0.75f, FUSELAGE};
    add(&s, wing(p - vec(0, -0.028f + 0.10f * x, 0), 0.50f, 0.115f, 0.33f, -0.095f, 0.175f, 0.010f),
        WING);
    add(&s,
        wing(p - vec(0, 0.030f + 0.06f * x, 0), 0.185f, -0.385f, 0.12f, -0.465f, 0.065f, 0.005f),
        WING);
    add(&s, fin(p - vec(0, 0.035f, 0), 0.165f, -0.325f, 0.145f, -0.465f, 0.055f, 0.006f), PAINT);
    v3 e = vec(x - 0.165f, p.z - 0.055f, p.y + 0.058f);
    add(&s, cone(vec(e.x, -e.y, e.z), 0.055f, 0.029f, 0.020f), p.z > 0.106f ? DARK : PAINT);
    add(&s, box(vec(x - 0.165f, p.y + 0.030f, p.z - 0.03f), vec(0.004f, 0.016f, 0.045f)), WING);
    return s;
}

FN part propeller_plane(v3 p, float seconds)
{
    float nose = unitly((p.z - 0.30f) / 0.20f), tail = unitly((0.02f - p.z) / 0.52f),
          x = fabsf(p.x);
    float r = 0.085f * (1 - 0.45f * nose * nose) * (1 - 0.80f * tail);
    float cy = 0.035f * tail - 0.012f * nose;
    part s = {fmaxf(length(vec(p.x * 1.06f, p.y - cy)) - r, fmaxf(p.z - 0.46f, -0.5f - p.z)) *
                  0.78f,
              FUSELAGE};
    add(&s, round_box(p - vec(0, 0.075f, 0.11f), vec(0.068f, 0.055f, 0.115f), 0.03f), CAR_CABIN);
    add(&s, wing(p - vec(0, 0.135f + 0.03f * x, 0), 0.64f, 0.215f, 0.03f, 0.035f, -0.03f, 0.014f),
        WING);
    add(&s, wing(p - vec(0, 0.045f, 0), 0.215f, -0.36f, 0.05f, -0.48f, 0.0f, 0.007f), WING);
    add(&s, fin(p - vec(0, 0.03f, 0), 0.165f, -0.33f, 0.11f, -0.49f, 0.02f, 0.007f), PAINT);
    v3 m = vec(x, p.y, p.z);
    add(&s, capsule(m, vec(0.06f, -0.05f, 0.14f), vec(0.34f, 0.135f, 0.13f), 0.006f), PALE);
    add(&s, capsule(m, vec(0.05f, -0.06f, 0.14f), vec(0.125f, -0.135f, 0.15f), 0.008f), PALE);
    v3 w = vec(x - 0.130f, p.y + 0.140f, p.z - 0.15f);
    add(&s, fmaxf(length(vec(w.y, w.z)) - 0.036f, fabsf(w.x) - 0.012f), RUBBER);
    add(&s, sphere(p - vec(0, -0.012f, 0.46f), 0.030f), DARK);
    v2 b = turn(vec(p.x, p.y + 0.012f), seconds * 9.0f);
    add(&s, box(vec(b.x, b.y, p.z - 0.475f), vec(0.145f, 0.011f, 0.004f)), DARK);
    return s;
}

FN part aeroplane(const clip *c, v3 p, float seconds)
{
    return kind(c, 3) < 2 ? airliner(p) : propeller_plane(p, seconds);
}

#define ROTOR_Y 0.185f
#define ROTOR_Z 0.12f

FN part helicopter(v3 p, int i, float seconds)
{
    float x = fabsf(p.x), now = seconds + i * 0.37f;
    v3 m = vec(x, p.y, p.z);
    part s = {ball(p - vec(0, 0, 0.15f), vec(0.115f, 0.120f, 0.235f)), HELI_BODY};
    s.d = joined(s.d, ball(p - vec(0, 0.075f, 0.06f), vec(0.075f, 0.070f, 0.150f)), 0.05f);
    float t = unitly((0.02f - p.z) / 0.50f);
    float boom = length(vec(p.x, p.y - 0.045f - 0.02f * t)) - mix(0.058f, 0.018f, t);
    add(&s, fmaxf(boom, fmaxf(p.z - 0.02f, -0.49f - p.z)) * 0.9f, PAINT);
    add(&s, fin(p - vec(0, 0.04f, 0), 0.150f, -0.40f, 0.06f, -0.48f, 0.05f, 0.009f), PAINT);
    add(&s, box(p - vec(0, 0.062f, -0.38f), vec(0.105f, 0.006f, 0.030f)), PAINT);
    add(&s, capsule(p, vec(0, 0.12f, ROTOR_Z), vec(0, ROTOR_Y + 0.01f, ROTOR_Z), 0.017f), STEEL);
    v2 b = turn(vec(p.x, p.z - ROTOR_Z), now * 11.0f);
    b = fabsf(b.x) > fabsf(b.y) ? vec(fabsf(b.x), b.y) : vec(fabsf(b.y), b.x); // four blades
    float droop = 0.03f * b.x * b.x;
    add(&s, box(vec(b.x - 0.24f, p.y - ROTOR_Y + droop, b.y), vec(0.23f, 0.0045f, 0.016f)), DARK);
    v2 g = turn(vec(p.y - 0.155f, p.z + 0.455f), now * 17.0f);
    add(&s, box(vec(p.x + 0.022f, g.x, g.y), vec(0.003f, 0.095f, 0.011f)), DARK);
    add(&s, capsule(m, vec(0.105f, -0.195f, -0.04f), vec(0.105f, -0.195f, 0.33f), 0.010f), DARK);
    float k = fabsf(p.z - 0.14f);
    add(&s,
        capsule(vec(x, p.y, k), vec(0.05f, -0.09f, 0.075f), vec(0.105f, -0.195f, 0.09f), 0.008f),
        DARK);
    return s;
}

FN part drone(v3 p, int i, float seconds)
{
    float x = fabsf(p.x), z = fabsf(p.z);
    v3 m = vec(x, p.y, z);
    part s = {round_box(p - vec(0, 0.0f, 0), vec(0.135f, 0.070f, 0.215f), 0.060f), PAINT};
    add(&s, box(p - vec(0, 0.062f, -0.02f), vec(0.055f, 0.014f, 0.090f)), DEEP);
    add(&s, capsule(m, vec(0.08f, 0.0f, 0.10f), vec(0.275f, 0.030f, 0.275f), 0.028f), PAINT);
    v3 e = m - vec(0.275f, 0.045f, 0.275f);
    add(&s, cylinder(e, 0.040f, 0.035f), DARK);
    v2 b = turn(vec(p.x > 0 ? e.x : -e.x, p.z > 0 ? e.z : -e.z),
                (seconds + 0.1f * i) * 13 * (p.x * p.z > 0 ? 1 : -1));
    add(&s, box(vec(b.x, e.y - 0.042f, b.y), vec(0.145f, 0.004f, 0.014f)), DARK);
    add(&s, capsule(m, vec(0.10f, -0.05f, 0.10f), vec(0.145f, -0.165f, 0.13f), 0.012f), DARK);
    add(&s, capsule(m, vec(0.145f, -0.165f, 0.0f), vec(0.145f, -0.165f, 0.19f), 0.012f), DARK);
    add(&s, sphere(p - vec(0, -0.080f, 0.175f), 0.050f), LENS);
    return s;
}
