// Car and train. Included by subjects.cuh.

struct car_form { // metres of a car's length
    float belt, roof, front, front_roof, rear, rear_roof, lean, wheel, lift;
};
FN car_form form_of(const clip *c)
{
    switch (kind(c, 4)) {
    case 0:
        return car_form{0.180f,  0.312f, 0.215f, 0.055f, -0.375f,
                        -0.215f, 0.30f,  0.070f, 0}; // saloon
    case 1:
        return car_form{0.205f,  0.365f, 0.300f, 0.110f, -0.500f,
                        -0.390f, 0.24f,  0.078f, 0.005f}; // hatchback
    case 2:
        return car_form{0.205f,  0.350f, 0.235f, 0.115f, -0.095f,
                        -0.070f, 0.20f,  0.078f, 0.025f}; // pickup
    default:
        return car_form{0.215f,  0.430f, 0.430f, 0.300f, -0.500f,
                        -0.485f, 0.06f,  0.074f, 0.005f}; // van
    }
}

FN part car(const clip *c, v3 p)
{
    const car_form f = form_of(c);
    float x = fabsf(p.x), z = p.z, y = p.y - f.lift;
    // the nose and the tail narrow a little, and the bonnet falls forward
    float narrow = 1 + 0.22f * z * z, fall = 0.10f * fmaxf(z - 0.2f, 0);
    float low = 0.048f, top = f.belt - fall;
    v3 q = vec(x * narrow, y - 0.5f * (low + top), z);
    part s = {round_box(q, vec(0.196f, 0.5f * (top - low), 0.495f), 0.040f) * 0.88f, CAR_BODY};
    if (kind(c, 4) == 2)
        s.d = fmaxf(s.d, -box(vec(x, y - 0.21f, z + 0.29f), vec(0.160f, 0.085f, 0.180f)));
    float rise = f.roof - f.belt, a = f.front - f.front_roof, b = f.rear_roof - f.rear;
    float front = ((z - f.front) * rise + (y - f.belt) * a) / sqrtf(rise * rise + a * a);
    float rear = ((f.rear - z) * rise + (y - f.belt) * b) / sqrtf(rise * rise + b * b);
    float side = (x - 0.186f + f.lean * fmaxf(y - f.belt, -0.02f)) * 0.95f;
    float cabin = cut(cut(front, rear, 0.03f), cut(side, y - f.roof, 0.04f), 0.03f);
    add(&s, fmaxf(cabin, f.belt - 0.06f - y) * 0.95f, CAR_CABIN);
    v3 w = vec(x - 0.160f, p.y - f.wheel, fabsf(z + 0.005f) - 0.305f);
    float round = length(vec(w.y, w.z));
    s.d = fmaxf(s.d, -fmaxf(round - f.wheel * 1.16f, 0.12f - x));
    add(&s, fmaxf(round - f.wheel, fabsf(w.x) - 0.032f), WHEEL);
    add(&s,
        box(vec(x - 0.190f, y - f.belt - 0.004f, z - f.front + 0.07f), vec(0.030f, 0.011f, 0.010f)),
        PAINT);
    return s;
}

// The train is longer than 1, so that it fills as much of a picture as others do; what follows is
// of its own length.
#define TRAIN_SCALE 0.75f
#define RAIL_TOP    0.0115f // above the ground

// The track lies still while the train goes: its own frame is the train's in the middle of the
// clip.
FN part track(v3 p)
{
    p = p * TRAIN_SCALE;
    float x = fabsf(p.x), along = fabsf(p.z) - 5;
    part s = {
        fmaxf(fmaxf(fmaxf(x - 0.034f - 1.3f * (0.006f - p.y), p.y - 0.006f) * 0.6f, -0.012f - p.y),
              along),
        BALLAST};
    add(&s, fmaxf(box(vec(x - 0.0135f, p.y - 0.0085f, 0), vec(0.0009f, 0.0030f, 1)), along), RAIL);
    s.d /= TRAIN_SCALE;
    return s;
}

FN part steam_engine(v3 p)
{
    v3 lying = vec(p.x, p.z, p.y);
    part s = {cylinder(lying - vec(0, 0.035f, 0.053f), 0.023f, 0.080f), LOCOMOTIVE};
    add(&s, cylinder(lying - vec(0, 0.108f, 0.053f), 0.024f, 0.008f), DARK);
    add(&s, cone(p - vec(0, 0.086f, 0.095f), 0.012f, 0.007f, 0.010f), DARK);
    add(&s, sphere(p - vec(0, 0.074f, 0.045f), 0.011f), STEEL);
    add(&s, sphere(p - vec(0, 0.074f, 0.010f), 0.009f), PAINT);
    add(&s, box(p - vec(0, 0.057f, -0.040f), vec(0.027f, 0.033f, 0.020f)), LOCOMOTIVE);
    add(&s, box(p - vec(0, 0.091f, -0.042f), vec(0.031f, 0.003f, 0.028f)), DARK);
    add(&s, box(p - vec(0, 0.046f, -0.098f), vec(0.026f, 0.020f, 0.024f)), LOCOMOTIVE);
    add(&s, box(p - vec(0, 0.066f, -0.098f), vec(0.020f, 0.006f, 0.020f)), DARK);
    add(&s, box(p - vec(0, 0.024f, 0.0f), vec(0.024f, 0.004f, 0.120f)), DEEP);
    float k = clamp(roundf((p.z - 0.02f) / 0.036f), -1, 1);
    add(&s,
        fmaxf(length(vec(p.y - 0.016f, p.z - 0.02f - k * 0.036f)) - 0.016f,
              fabsf(fabsf(p.x) - 0.020f) - 0.003f),
        DARK);
    add(&s,
        fmaxf(length(vec(p.y - 0.009f, fabsf(fabsf(p.z - 0.0f) - 0.095f) - 0.012f)) - 0.009f,
              fabsf(fabsf(p.x) - 0.020f) - 0.003f),
        DARK);
    return s;
}

FN part carriage(v3 p, bool leads)
{
    float d = round_box(p - vec(0, 0.052f, 0), vec(0.028f, 0.033f, 0.119f), 0.009f);
    if (leads) // a sloping nose
        d = cut(d, ((p.z - 0.100f) * 0.80f + (p.y - 0.055f) * 0.60f), 0.03f);
    part s = {d, leads ? LOCOMOTIVE : CARRIAGE};
    add(&s, box(p - vec(0, 0.016f, 0), vec(0.020f, 0.008f, leads ? 0.080f : 0.100f)), DARK);
    float z = fabsf(fabsf(p.z) - 0.078f) - 0.014f;
    add(&s, fmaxf(length(vec(p.y - 0.008f, z)) - 0.008f, fabsf(fabsf(p.x) - 0.017f) - 0.003f),
        DARK);
    return s;
}

FN part train(const clip *c, v3 p)
{
    p = p * TRAIN_SCALE;
    p.y -= RAIL_TOP;
    float k = clamp(floorf((p.z + 0.5f) * 4), 0, 3);
    v3 q = vec(p.x, p.y, p.z + 0.375f - 0.25f * k);
    part s = k == 3 && kind(c, 2) ? steam_engine(q) : carriage(q, k == 3);
    add(&s, box(p - vec(0, 0.03f, -0.01f), vec(0.012f, 0.014f, 0.45f)), DARK); // couplings
    // the neighbour may be of another shape
    s.d = fminf(s.d, 0.004f + fmaxf(0.125f - fabsf(q.z), 0));
    s.d /= TRAIN_SCALE;
    return s;
}
