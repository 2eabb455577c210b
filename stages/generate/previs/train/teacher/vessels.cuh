// Vessels: ships of four kinds, sailing boats, submarine. Included by subjects.cuh.

// From stern to bow; full: where the bow begins to narrow; sheer: how much the deck rises forward.
FN float hull(v3 p, float beam, float low, float deck, float sheer, float rake, float full)
{
    float z = p.z - rake * p.y * step(0.05f, 0.5f, p.z);
    float bow = unitly((z - full) / (0.5f - full)), aft = unitly((-0.32f - z) / 0.18f);
    float up = deck + sheer * (bow * bow + 0.25f * aft * aft);
    float w = beam * (1 - bow * bow) * (1 - 0.22f * aft * aft) *
              (0.80f + 0.20f * unitly((p.y - low) / (up - low)));
    return fmaxf(fmaxf(fabsf(p.x) - w, fmaxf(p.y - up, low - p.y)), fabsf(z) - 0.5f) * 0.82f;
}

FN part frigate(v3 p)
{
    part s = {hull(p, 0.062f, -0.03f, 0.042f, 0.030f, 0.7f, 0.0f), HULL};
    add(&s, block(p - vec(0, 0.064f, -0.03f), vec(0.050f, 0.026f, 0.19f), 0.25f), PALE);
    add(&s, block(p - vec(0, 0.110f, 0.085f), vec(0.042f, 0.026f, 0.050f), 0.30f), BRIDGE);
    add(&s, block(p - vec(0, 0.115f, -0.09f), vec(0.026f, 0.036f, 0.040f), 0.22f), PALE);
    add(&s, block(p - vec(0, 0.158f, -0.09f), vec(0.019f, 0.008f, 0.030f), 0), DARK);
    add(&s, cone(p - vec(0, 0.180f, 0.055f), 0.055f, 0.020f, 0.006f), PALE);
    add(&s, box(p - vec(0, 0.200f, 0.055f), vec(0.036f, 0.003f, 0.005f)), STEEL);
    add(&s, sphere(p - vec(0, 0.237f, 0.055f), 0.016f), WHITE);
    add(&s, cone(p - vec(0, 0.135f, -0.175f), 0.050f, 0.010f, 0.004f), STEEL);
    add(&s, block(p - vec(0, 0.072f, 0.27f), vec(0.026f, 0.022f, 0.032f), 0.35f), PALE);
    add(&s, capsule(p, vec(0, 0.075f, 0.29f), vec(0, 0.088f, 0.38f), 0.005f), STEEL);
    return s;
}

FN part freighter(const clip *c, v3 p)
{
    part s = {hull(p, 0.075f, -0.03f, 0.052f, 0.035f, 0.5f, 0.20f), HULL};
    // bays of containers, as high as chance has stacked them
    const float first = -0.26f, bay = 0.078f;
    float at = (p.z - first) / bay;
    int own = (int)clamp(floorf(at), 0, 7),
        beside = (int)clamp(floorf(at + (at - own > 0.5f ? 1 : -1)), 0, 7);
    for (int k = 0; k < 2; k++) {
        int j = k ? beside : own;
        float h = 0.011f * (2 + (int)(4 * chance(j, 3, c->seed)));
        add(&s, box(p - vec(0, 0.052f + h, first + (j + 0.5f) * bay), vec(0.066f, h, bay * 0.46f)),
            BOXES);
    }
    add(&s, box(p - vec(0, 0.115f, -0.355f), vec(0.062f, 0.070f, 0.036f)), HOUSE);
    add(&s, box(p - vec(0, 0.195f, -0.350f), vec(0.078f, 0.014f, 0.026f)), BRIDGE);
    add(&s, box(p - vec(0, 0.150f, -0.425f), vec(0.022f, 0.060f, 0.022f)), PAINT);
    add(&s, box(p - vec(0, 0.216f, -0.425f), vec(0.019f, 0.010f, 0.019f)), DARK);
    add(&s, capsule(p, vec(0, 0.205f, -0.35f), vec(0, 0.26f, -0.35f), 0.004f), STEEL);
    add(&s, capsule(p, vec(0, 0.06f, 0.43f), vec(0, 0.18f, 0.43f), 0.005f), CREAM);
    return s;
}

FN part liner(const clip *c, v3 p)
{
    part s = {hull(p, 0.062f, -0.03f, 0.068f, 0.022f, 0.6f, 0.10f), HULL};
    add(&s, block(p - vec(0, 0.080f, -0.03f), vec(0.054f, 0.015f, 0.36f), 0), HOUSE);
    add(&s, block(p - vec(0, 0.106f, -0.03f), vec(0.048f, 0.013f, 0.31f), 0.1f), HOUSE);
    add(&s, block(p - vec(0, 0.128f, 0.0f), vec(0.040f, 0.010f, 0.25f), 0.1f), HOUSE);
    add(&s, box(p - vec(0, 0.143f, 0.245f), vec(0.050f, 0.009f, 0.018f)), BRIDGE);
    int most = c->seed & 1 ? 1 : 0; // two funnels or three
    float apart = most ? 0.135f : 0.20f, from = most ? 0.0f : -0.10f;
    float k = clamp(roundf((p.z - from) / apart), (float)-most, 1);
    v3 f = p - vec(0, 0.175f, from + k * apart);
    f.z += 0.22f * f.y;
    f.x *= 1.5f;
    add(&s, cylinder(f, 0.032f, 0.046f) * 0.65f, f.y > 0.030f ? DARK : PAINT);
    add(&s, capsule(p, vec(0, 0.08f, 0.36f), vec(0, 0.26f, 0.335f), 0.004f), CREAM);
    add(&s, capsule(p, vec(0, 0.08f, -0.37f), vec(0, 0.22f, -0.385f), 0.004f), CREAM);
    return s;
}

FN part trawler(v3 p)
{
    part s = {fmaxf(hull(p, 0.135f, -0.06f, 0.100f, 0.080f, 0.55f, -0.05f),
                    -box(p - vec(0, 0.13f, -0.22f), vec(0.105f, 0.055f, 0.23f))),
              HULL};
    float x = fabsf(p.x);
    v3 m = vec(x, p.y, p.z);
    add(&s, block(p - vec(0, 0.155f, 0.07f), vec(0.088f, 0.080f, 0.12f), 0.04f), HOUSE);
    add(&s, block(p - vec(0, 0.265f, 0.095f), vec(0.074f, 0.038f, 0.080f), 0.05f), BRIDGE);
    add(&s, box(p - vec(0, 0.308f, 0.095f), vec(0.082f, 0.006f, 0.092f)), PAINT);
    add(&s, box(p - vec(0, 0.25f, -0.025f), vec(0.028f, 0.06f, 0.026f)), PAINT);
    add(&s, capsule(p, vec(0, 0.30f, 0.06f), vec(0, 0.44f, 0.05f), 0.008f), CREAM);
    add(&s, capsule(p, vec(0, 0.26f, 0.01f), vec(0, 0.37f, -0.36f), 0.007f), CREAM);
    add(&s, capsule(m, vec(0.095f, 0.08f, -0.42f), vec(0.085f, 0.30f, -0.42f), 0.010f), PAINT);
    add(&s, box(p - vec(0, 0.30f, -0.42f), vec(0.095f, 0.012f, 0.012f)), PAINT);
    add(&s, cylinder(vec(p.y - 0.125f, p.x, p.z + 0.20f), 0.045f, 0.075f), RUBBER);
    add(&s, capsule(p, vec(0, 0.15f, 0.42f), vec(0, 0.26f, 0.44f), 0.005f), CREAM);
    return s;
}

FN part ship(const clip *c, v3 p)
{
    switch (kind(c, 4)) {
    case 0:
        return frigate(p);
    case 1:
        return freighter(c, p);
    case 2:
        return liner(c, p);
    default:
        return trawler(p);
    }
}

// To which side the sails stand out: away from the wind.
FN float lee(const clip *c)
{
    float side = c->wind * cosf(c->heading);
    return side < 0 ? -1.0f : 1.0f;
}

// Between a mast at z = mast, from y = foot to top, and the end of a boom: bellied, its edge
// flutters.
FN float mainsail(v3 p, float mast, float foot, float top, float chord, float side, float seconds)
{
    float v = unitly((p.y - foot) / (top - foot)), behind = mast - p.z;
    float width = chord * (1 - v) + 0.10f * chord * sinf(3.1416f * v) + 0.006f;
    float u = clamp(behind / width, 0, 1.2f);
    float x = side * (0.36f * behind * (1 - 0.25f * v) + 0.42f * width * u * (1 - u)) +
              0.007f * u * sinf(11 * v - 7 * seconds + 3 * u);
    float in = fmaxf(fmaxf(-behind, (behind - width) * 0.88f), fmaxf(foot - p.y, p.y - top));
    return fmaxf(fabsf(p.x - x) - 0.005f, in) * 0.72f;
}

// Along a stay from the bow to the mast.
FN float jib(v3 p, float bow, float mast, float top, float side, float seconds)
{
    float run = bow - mast, rise = top - 0.08f, l = sqrtf(run * run + rise * rise);
    float behind = ((bow - p.z) * rise - (p.y - 0.08f) * run) / l,
          v = unitly((p.y - 0.10f) / (top - 0.10f));
    float width = run * 0.98f * (1 - v) * rise / l + 0.01f, u = clamp(behind / width, 0, 1.2f);
    float x = side * (0.30f * behind + 0.55f * width * u * (1 - u)) +
              0.006f * u * sinf(9 * v - 8 * seconds + 1);
    float in = fmaxf(fmaxf(-behind, (behind - width) * 0.9f), 0.10f - p.y);
    return fmaxf(fabsf(p.x - x) - 0.005f, in) * 0.72f;
}

FN part sailing_boat(const clip *c, v3 p, int i, float seconds)
{
    float side = lee(c), now = seconds + i * 1.7f;
    v3 h = p * 1.22f;
    part s = {hull(h, 0.150f, -0.09f, 0.075f, 0.035f, 0.7f, -0.22f) / 1.22f, HULL};
    add(&s, block(p - vec(0, 0.075f, 0.0f), vec(0.060f, 0.022f, 0.13f), 0.4f), HOUSE);
    if (kind(c, 3) < 2) {
        add(&s, capsule(p, vec(0, 0.05f, 0.08f), vec(0, 0.93f, 0.07f), 0.008f), CREAM);
        add(&s, capsule(p, vec(0, 0.14f, 0.07f), vec(side * 0.135f, 0.14f, -0.32f), 0.008f), WOOD);
        add(&s, mainsail(p, 0.065f, 0.15f, 0.91f, 0.38f, side, now), SAIL);
        add(&s, jib(p, 0.43f, 0.085f, 0.80f, side, now), SAIL);
    } else { // two masts
        add(&s, capsule(p, vec(0, 0.05f, 0.13f), vec(0, 0.88f, 0.12f), 0.008f), WOOD);
        add(&s, capsule(p, vec(0, 0.05f, -0.17f), vec(0, 0.70f, -0.175f), 0.007f), WOOD);
        add(&s, capsule(p, vec(0, 0.05f, 0.38f), vec(0, 0.09f, 0.46f), 0.007f), WOOD);
        add(&s, mainsail(p, 0.115f, 0.15f, 0.86f, 0.25f, side, now), SAIL);
        add(&s, mainsail(p, -0.18f, 0.15f, 0.68f, 0.20f, side, now + 1), SAIL);
        add(&s, jib(p, 0.46f, 0.135f, 0.76f, side, now), SAIL);
    }
    add(&s, capsule(p, vec(0, 0.08f, -0.24f), vec(0.0f, 0.17f, -0.24f), 0.020f), BAG); // who steers
    add(&s, sphere(p - vec(0, 0.205f, -0.24f), 0.018f), SKIN);
    return s;
}

FN part submarine(v3 p)
{
    float fore = unitly((p.z - 0.28f) / 0.22f), aft = unitly((-0.05f - p.z) / 0.45f);
    float r = 0.066f * sqrtf(fmaxf(1 - fore * fore, 0.0004f)) * (1 - 0.85f * aft * aft);
    part s = {fmaxf(length(vec(p.x, p.y)) - r, fabsf(p.z) - 0.5f) * 0.7f, HULL};
    add(&s, round_box(p - vec(0, 0.058f, -0.03f), vec(0.026f, 0.012f, 0.30f), 0.008f), DEEP);
    v3 t = p - vec(0, 0.120f, 0.13f);
    add(&s, fmaxf(length(vec(t.x, t.z * 0.34f)) - 0.024f, fabsf(t.y) - 0.062f), PAINT);
    add(&s, box(p - vec(0, 0.135f, 0.145f), vec(0.080f, 0.005f, 0.022f)), PAINT);
    add(&s, capsule(p, vec(0, 0.17f, 0.15f), vec(0, 0.225f, 0.15f), 0.005f), STEEL);
    add(&s, capsule(p, vec(0, 0.17f, 0.115f), vec(0, 0.205f, 0.115f), 0.006f), DARK);
    add(&s, box(p - vec(0, 0.055f, -0.455f), vec(0.005f, 0.060f, 0.032f)), PAINT);
    return s;
}
