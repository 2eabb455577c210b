// What the subjects are made of: colours and fine detail by place, so that distances stay plain.
// Included by subjects.cuh.

// 1 in the panes of a row: `share` of each period.
FN float panes(float x, float period, float share)
{
    return fabsf(fraction(x / period) - 0.5f) < 0.5f * share ? 1.0f : 0.0f;
}
FN bool within(float x, float a, float b)
{
    return x > a && x < b;
}

// Glass by day, a lit room at night; not every one is lit alike.
FN surface window(const clip *c, float luck)
{
    float on = c->lamps * (luck < 0.22f ? 0.12f : 0.6f + 0.8f * luck);
    return surface{vec(0.025f, 0.035f, 0.045f), vec(1.0f, 0.72f, 0.36f) * (1.5f * on), 0.22f,
                   0.08f};
}

FN v3 second_colour(
    const clip *c) // beside the paint: white, cream or a dark tone, that differs from it
{
    float l = luma(load(c->paint));
    if (l > 0.45f)
        return chance(c->seed + 5) < 0.5f ? vec(0.05f, 0.09f, 0.22f) : vec(0.30f, 0.05f, 0.04f);
    return chance(c->seed + 5) < 0.7f ? grey(0.75f) : vec(0.72f, 0.58f, 0.32f);
}

FN surface vessel_surface(const clip *c, int material, v3 q, v3 n)
{
    v3 paint = load(c->paint);
    float dirt = 0.85f + 0.25f * fbm(vec(q.z * 60, q.y * 25, q.x * 60), 3, c->seed + 40);
    if (material == HULL && c->subject == SUBMARINE) {
        v3 low = q.y < 0.006f ? vec(0.05f, 0.02f, 0.018f) : paint;
        return surface{low * (dirt * (panes(q.z, 0.062f, 0.95f) > 0 ? 1.0f : 0.8f)), grey(0), 0.06f,
                       0.35f};
    }
    if (material == HULL && c->subject == SAILING_BOAT) {
        v3 colour = n.y > 0.75f
                        ? vec(0.42f, 0.27f, 0.14f) * (0.8f + 0.3f * panes(q.x, 0.02f, 0.85f))
                    : q.y < 0.012f                ? second_colour(c) * 0.6f
                    : within(q.y, 0.045f, 0.052f) ? second_colour(c)
                                                  : paint;
        return surface{colour, grey(0), 0.06f, 0.25f};
    }
    if (material == HULL) {
        int of = kind(c, 4);
        float line = of == 3 ? 0.020f : 0.006f, deck = of == 3 ? 0.085f : of == 2 ? 0.066f : 0.040f;
        if (n.y > 0.75f)
            return matt(of == 2 || of == 3 ? vec(0.34f, 0.25f, 0.16f)
                                           : mix(paint, grey(0.14f), 0.6f));
        if (q.y < line)
            return matt((luma(paint) > 0.05f && paint.x > 2 * paint.z
                             ? vec(0.06f, 0.07f, 0.09f)
                             : vec(0.26f, 0.035f, 0.025f)) *
                        dirt);
        if (q.y < line * 1.6f + 0.001f)
            return matt(grey(0.7f));
        if (of == 2 && within(q.y, 0.030f, 0.058f) && q.z < 0.36f) { // portholes
            float row = within(q.y, 0.032f, 0.038f) || within(q.y, 0.047f, 0.053f) ? 1.0f : 0.0f;
            if (row * panes(q.z, 0.016f, 0.45f) > 0)
                return window(c, chance((int)floorf(q.z / 0.016f), q.y > 0.042f, c->seed));
        }
        if (of == 3 &&
            within(q.y - 0.08f * unitly(q.z * 2) * unitly(q.z * 2), deck - 0.006f, deck + 0.006f))
            return matt(grey(0.72f));
        float streak = fbm(vec(q.z * 90, q.y * 8), 3, c->seed + 41);
        v3 rust = mix(paint, vec(0.16f, 0.07f, 0.03f),
                      0.5f * step(0.60f, 0.85f, streak) * (of == 0 || of == 2 ? 0.3f : 1.0f));
        return surface{rust * dirt, grey(0), 0.04f, 0.4f};
    }
    if (material == HOUSE || material == BRIDGE) {
        bool big = c->subject == SHIP && kind(c, 4) == 3, boat = c->subject == SAILING_BOAT,
             keeper = c->subject == LIGHTHOUSE;
        float rows = keeper ? 0.100f
                     : boat ? 0.030f
                     : big  ? 0.085f
                            : 0.0265f,
              period = keeper ? 0.043f
                       : boat ? 0.045f
                       : big  ? 0.048f
                              : 0.0125f;
        float along = fabsf(n.x) > fabsf(n.z) ? q.z : q.x;
        if (fabsf(n.y) < 0.6f) {
            float base = keeper ? 0.055f : boat ? 0.058f : big ? 0.125f : 0.066f;
            if (material == BRIDGE) {
                float middle = kind(c, 4) == 0   ? 0.117f
                               : kind(c, 4) == 1 ? 0.197f
                               : kind(c, 4) == 2 ? 0.144f
                                                 : 0.272f;
                if (fabsf(q.y - middle) < (big ? 0.020f : 0.0060f) &&
                    panes(along, big ? 0.034f : 0.011f, 0.86f) > 0)
                    return window(c, 0.45f);
            } else {
                float v = fraction((q.y - base) / rows);
                if (within(v, boat ? 0.25f : 0.35f, boat ? 0.85f : 0.72f) &&
                    panes(along, period, keeper ? 0.4f : 0.55f) > 0)
                    return window(c, chance((int)floorf(along / period),
                                            (int)floorf((q.y - base) / rows), c->seed + 3));
                if (v < 0.06f)
                    return matt(grey(0.45f));
            }
        } else if (c->subject == SHIP) {
            return matt(vec(0.33f, 0.34f, 0.33f));
        }
        bool painted =
            c->subject == SHIP && (kind(c, 4) == 0 || (kind(c, 4) == 2 && q.y < 0.094f) ||
                                   (kind(c, 4) == 3 && q.y < 0.145f));
        return surface{painted ? mix(paint, grey(0.6f), 0.15f) : grey(0.72f) * dirt, grey(0), 0.03f,
                       0.5f};
    }
    if (material == BOXES) { // containers: mostly in the ship's colour, some in others
        int y = (int)floorf((q.y - 0.052f) / 0.022f), x = (int)floorf((q.x + 0.066f) / 0.022f),
            z = (int)floorf((q.z + 0.26f) / 0.039f);
        float r = chance(x * 9 + y, z, c->seed + 9), t = chance(x * 9 + y, z, c->seed + 10);
        v3 other = t < 0.3f    ? grey(0.5f)
                   : t < 0.5f  ? vec(0.30f, 0.09f, 0.05f)
                   : t < 0.75f ? vec(0.06f, 0.13f, 0.22f)
                               : vec(0.10f, 0.20f, 0.10f);
        v3 colour = r < 0.68f ? paint * (0.65f + 0.6f * t) : other;
        float gap = within(fraction((q.y - 0.052f) / 0.022f), 0.06f, 1) &&
                            within(fraction((q.z + 0.26f) / 0.039f), 0.05f, 0.95f)
                        ? 1.0f
                        : 0.3f;
        return matt(colour * (gap * dirt * (0.85f + 0.15f * panes(q.z, 0.0045f, 0.5f))));
    }
    // a sail: cloth in panels, light comes through it
    float seam = panes(q.y, 0.075f, 0.95f) > 0 ? 1.0f : 0.72f;
    v3 cloth = chance(c->seed + 6) < 0.35f && within(q.y, 0.30f, 0.42f)
                   ? second_colour(c)
                   : mix(paint, grey(0.8f), 0.06f);
    return surface{
        cloth * seam,
        cloth * (load(c->light) * 0.10f + load(c->sky_low) * 0.10f + grey(0.02f * c->lamps)), 0, 1};
}

FN surface car_surface(const clip *c, int material, v3 q, v3 n, int i, float seconds)
{
    const car_form f = form_of(c);
    v3 paint = load(c->paint);
    float x = fabsf(q.x), y = q.y - f.lift;
    surface body = {paint * (1 - 0.25f * unitly((0.10f - y) * 12)), grey(0), 0.07f, 0.12f};
    if (material == WHEEL) {
        v2 r = vec(q.y - f.wheel, fabsf(q.z + 0.005f) - 0.305f);
        if (q.z < -0.005f)
            r.y = -r.y;
        float far = length(r) / f.wheel,
              a = atan2f(r.y, r.x) + c->speed * seconds / (f.wheel * c->size) + i;
        if (far > 0.66f || x < 0.17f)
            return matt(grey(0.022f));
        bool spoke = cosf(a * 5) > -0.15f || far < 0.2f || far > 0.58f;
        return surface{spoke ? grey(0.55f) : grey(0.03f), grey(0), spoke ? 0.3f : 0, 0.3f};
    }
    if (material == CAR_CABIN) {
        if (c->subject == AEROPLANE)
            return surface{grey(0.03f), vec(0.5f, 0.35f, 0.18f) * (0.4f * c->lamps), 0.25f, 0.08f};
        float rise = f.roof - f.belt, v = (y - f.belt) / rise;
        bool side = fabsf(n.x) > 0.6f, van = kind(c, 4) == 3;
        float pillar = 0.5f * (f.front_roof + f.rear_roof) - 0.02f;
        bool glass = within(v, van ? 0.10f : 0.04f, 0.84f) && n.y < 0.9f &&
                     (side ? (van ? q.z > 0.165f : fabsf(q.z - pillar) > 0.012f) &&
                                 q.z < mix(f.front, f.front_roof, v) - 0.045f &&
                                 q.z > mix(f.rear, f.rear_roof, v) + 0.045f
                           : x < 0.150f - 0.2f * f.lean * v &&
                                 (n.z > 0 || !van || within(x, 0.015f, 0.12f)));
        if (glass)
            return surface{vec(0.02f, 0.025f, 0.03f), vec(0.9f, 0.65f, 0.35f) * (0.07f * c->lamps),
                           0.22f, 0.06f};
        if (within(fabsf(q.z - 0.165f), 0.0f, 0.003f) && van && side)
            return matt(grey(0.02f));
        return body;
    }
    float on = c->lamps, lamp_y = 0.5f * (0.05f + f.belt) + 0.030f;
    if (q.z > 0.435f && within(y, lamp_y - 0.022f, lamp_y + 0.016f) && within(x, 0.095f, 0.178f))
        return surface{grey(0.75f), vec(1.0f, 0.93f, 0.75f) * (6.0f * on), 0.2f, 0.1f};
    if (q.z > 0.46f && within(y, lamp_y - 0.022f, lamp_y + 0.010f) && x < 0.085f)
        return surface{panes(q.y, 0.008f, 0.5f) > 0 ? grey(0.02f) : grey(0.25f), grey(0), 0.1f,
                       0.3f};
    if (q.z < -0.445f && within(y, lamp_y - 0.020f, lamp_y + 0.022f) && within(x, 0.100f, 0.180f))
        return surface{vec(0.40f, 0.01f, 0.01f), vec(1.0f, 0.05f, 0.03f) * (3.0f * on), 0.1f, 0.2f};
    if (fabsf(q.z) > 0.47f && x < 0.06f && within(y, 0.078f, 0.102f))
        return matt(grey(0.7f));
    if (y < 0.070f || (kind(c, 4) == 2 && q.z < -0.10f && n.y > 0.7f && x < 0.162f))
        return matt(grey(0.03f));
    float door = 0.5f * (f.front_roof + f.rear_roof) - 0.02f;
    if (x > 0.16f && y > 0.085f && n.y < 0.7f &&
        (fabsf(q.z - door) < 0.0025f || fabsf(q.z - f.front + 0.02f) < 0.0025f))
        return matt(paint * 0.25f);
    if (x > 0.185f && within(y, f.belt - 0.035f, f.belt - 0.027f) &&
        fabsf(q.z - door - 0.04f) < 0.018f)
        return matt(grey(0.35f));
    return body;
}

FN surface train_surface(const clip *c, int material, v3 q, v3 n)
{
    v3 paint = load(c->paint), other = second_colour(c);
    q = q * TRAIN_SCALE;
    if (material == BALLAST) {
        float stones = 0.6f + 0.7f * fbm(vec(q.x, q.z) * 420, 2, c->seed + 50);
        bool sleeper = fabsf(q.x) < 0.0235f && q.y > 0.0050f && panes(q.z, 0.0115f, 0.42f) > 0;
        v3 colour =
            sleeper
                ? vec(0.10f, 0.075f, 0.055f)
                : mix(load(c->ground), vec(0.20f, 0.18f, 0.16f), q.y > 0.0f ? 0.9f : 0.5f) * stones;
        return matt(mix(colour, grey(0.75f), c->snow * (sleeper ? 0.25f : 0.8f) * unitly(n.y)));
    }
    if (material == RAIL)
        return surface{q.y > 0.0105f ? grey(0.45f) : vec(0.13f, 0.08f, 0.055f), grey(0), 0.2f,
                       0.3f};
    float y = q.y - RAIL_TOP, k = floorf((q.z + 0.5f) * 4), z = q.z + 0.375f - 0.25f * k;
    bool side = fabsf(n.x) > 0.6f;
    if (material == CARRIAGE || (material == LOCOMOTIVE && !kind(c, 2))) {
        if (y > 0.078f)
            return matt(mix(paint * 0.7f, grey(0.14f), 0.25f));
        if (material == LOCOMOTIVE && within(y, 0.056f, 0.072f) && z > 0.083f &&
            fabsf(q.x) < 0.024f && n.z > 0.2f)
            return window(c, 0.3f);
        if (material == LOCOMOTIVE && z > 0.09f && within(y, 0.034f, 0.042f) &&
            within(fabsf(q.x), 0.010f, 0.021f))
            return surface{grey(0.7f), vec(1, 0.93f, 0.75f) * (7 * c->lamps), 0, 1};
        if (q.z < -0.49f && within(y, 0.032f, 0.040f) && within(fabsf(q.x), 0.014f, 0.023f))
            return surface{vec(0.4f, 0.02f, 0.02f), vec(1, 0.05f, 0.03f) * (4 * c->lamps), 0, 1};
        if (side && material == CARRIAGE && within(y, 0.050f, 0.070f) && fabsf(z) < 0.098f &&
            panes(z, 0.0245f, 0.72f) > 0) {
            surface s =
                window(c, 0.3f + 0.7f * chance((int)k, (int)floorf(z / 0.0245f), c->seed + 51));
            s.emits = s.emits * 1.4f;
            return s;
        }
        if (side && within(fabsf(z), 0.102f, 0.112f) && within(y, 0.024f, 0.070f) &&
            material == CARRIAGE)
            return surface{other * 0.8f, grey(0), 0.05f, 0.3f};
        if (side && within(y, 0.041f, 0.045f))
            return surface{other, grey(0), 0.05f, 0.3f};
        if (y < 0.021f)
            return matt(grey(0.05f));
        return surface{paint, grey(0), 0.06f, 0.2f};
    }
    // a steam engine
    if (z < -0.015f && side && within(y, 0.062f, 0.080f) && within(z, -0.052f, -0.028f))
        return window(c, 0.7f);
    if (z > 0.112f)
        return surface{grey(0.04f),
                       length(vec(q.x, y - 0.080f)) < 0.006f ? vec(1, 0.9f, 0.7f) * (7 * c->lamps)
                                                             : grey(0),
                       0.05f, 0.3f};
    if (z > -0.02f && panes(z, 0.030f, 0.10f) > 0)
        return surface{vec(0.5f, 0.36f, 0.12f), grey(0), 0.2f, 0.2f};
    return surface{paint, grey(0), 0.045f, 0.2f};
}

FN surface flyer_surface(const clip *c, int material, v3 q, v3 n)
{
    v3 paint = load(c->paint), other = second_colour(c);
    float x = fabsf(q.x);
    bool prop = kind(c, 3) == 2;
    if (material == WING) {
        bool tip = x > (prop ? 0.56f : 0.46f),
             slat = panes(q.z + (prop ? 0 : 0.33f * x), 0.11f, 0.97f) < 0.5f;
        return surface{(tip    ? other
                        : prop ? paint
                               : mix(paint, grey(0.55f), 0.22f)) *
                           (slat ? 0.8f : 1.0f),
                       grey(0), 0.06f, 0.3f};
    }
    if (material == FUSELAGE) {
        if (!prop) {
            if (within(q.y, 0.010f, 0.024f) && within(q.z, -0.33f, 0.385f) && fabsf(n.x) > 0.5f) {
                if (within(q.y, 0.011f, 0.022f) && panes(q.z, 0.0175f, 0.55f) > 0)
                    return window(
                        c, 0.35f + 0.5f * chance((int)floorf(q.z / 0.0175f), q.x > 0, c->seed));
                return surface{mix(paint, grey(0.8f), 0.25f), grey(0), 0.08f, 0.15f};
            }
            if (within(q.y, 0.008f, 0.030f) && within(q.z, 0.432f, 0.462f))
                return surface{grey(0.02f), vec(0.7f, 0.6f, 0.4f) * (0.7f * c->lamps), 0.25f, 0.1f};
            if (q.y < -0.030f && q.z > -0.30f)
                return surface{grey(0.62f), grey(0), 0.08f, 0.2f};
            if (within(q.y, -0.006f, 0.002f))
                return surface{other, grey(0), 0.08f, 0.2f};
        } else if (within(q.y - 0.03f * unitly(-q.z * 2), -0.028f, -0.004f)) {
            return surface{other, grey(0), 0.08f, 0.2f};
        }
        return surface{paint, grey(0), 0.045f, 0.15f};
    }
    // a helicopter's cabin: glass in front and in the doors
    bool frame = x < 0.007f || fabsf(q.z - 0.205f) < 0.010f;
    bool glass = !frame && ((within(q.z, 0.195f, 0.37f) && q.y > -0.045f && q.y < 0.085f) ||
                            (within(q.z, 0.075f, 0.195f) && within(q.y, 0.0f, 0.068f)));
    if (glass)
        return surface{vec(0.02f, 0.03f, 0.04f), vec(0.8f, 0.55f, 0.3f) * (0.35f * c->lamps), 0.25f,
                       0.06f};
    if (within(q.y, -0.050f, -0.030f))
        return surface{other, grey(0), 0.07f, 0.2f};
    return surface{paint, grey(0), 0.045f, 0.2f};
}

FN surface tower_surface(const clip *c, int material, v3 q, v3 n, float seconds)
{
    v3 paint = load(c->paint), other = second_colour(c);
    float round = atan2f(q.x, q.z);
    if (material == ENVELOPE) {
        int way = (c->seed >> 5) % 4;
        float gore = round / 6.2832f * 16;
        bool second = way == 0   ? fraction(gore / 4) < 0.34f
                      : way == 1 ? within(q.y, 0.05f, 0.17f) || q.y > 0.44f
                      : way == 2 ? fraction(gore / 4 + 1.6f * q.y) < 0.32f
                                 : within(q.y + 0.035f * fabsf(fraction(gore / 2) - 0.5f) * 4,
                                          0.12f, 0.24f) ||
                                       q.y < -0.24f;
        v3 colour = second ? other : paint;
        float seam = within(fraction(gore), 0.04f, 0.96f) ? 1.0f : 0.75f,
              flare = 0.5f + 0.5f * sinf(seconds * 2.3f + c->seed) * sinf(seconds * 5.1f);
        float near = unitly(1.0f - 1.25f * (q.y + 0.32f));
        v3 glow = colour * vec(1.6f, 1.0f, 0.5f) *
                  (c->lamps * (0.16f + 1.5f * near * near * (0.55f + 0.45f * flare)));
        return surface{colour * seam, glow + colour * load(c->sky_low) * 0.08f, 0.02f, 0.6f};
    }
    if (material == BANDS) {
        float worn = 0.85f + 0.22f * fbm(vec(round * 3, q.y * 8), 3, c->seed + 60);
        float v = (q.y - 0.07f) / 0.70f;
        bool spiral = c->seed & 16;
        bool white = fraction(v * 2.5f + (spiral ? round / 6.2832f : 0) + 0.45f) > 0.68f;
        if (v < 0.14f && fabsf(round) < 0.25f)
            return matt(vec(0.10f, 0.06f, 0.04f));
        if (within(fabsf(fraction(v * 3.2f) - 0.5f), 0, 0.10f) &&
            within(fraction(round / 6.2832f * 4 + 0.5f), 0.42f, 0.58f))
            return window(c, 0.6f);
        float l = luma(paint);
        return matt((white ? (l > 0.45f ? vec(0.45f, 0.06f, 0.05f) : grey(0.75f)) : paint) * worn);
    }
    if (material == ROCK) {
        float r = fbm(q * 22, 4, c->seed + 61);
        v3 stone = mix(vec(0.10f, 0.09f, 0.08f), vec(0.28f, 0.25f, 0.22f), r) *
                   (q.y < 0.03f ? 0.45f : 1.0f);
        return matt(mix(stone, grey(0.8f), c->snow * step(0.4f, 0.8f, n.y)));
    }
    if (material == GIRDER) {
        float a = fabsf(n.x) > 0.5f
                      ? q.z
                      : q.x - (q.x > 0 ? 1 : -1) * (kind(c, 3) == 1 ? 0.255f : 0.195f),
              v = fraction(q.y / 0.055f);
        bool bar =
            fabsf(a) > 0.022f || v < 0.14f || fabsf(fabsf(2 * v - 1) - fabsf(a) / 0.026f) < 0.22f;
        bool lamp = v < 0.14f && fabsf(a) < 0.006f;
        return surface{bar ? vec(0.34f, 0.12f, 0.07f) : grey(0.035f),
                       lamp ? vec(1, 0.8f, 0.5f) * (3 * c->lamps) : grey(0), 0, 1};
    }
    if (material == PAD)
        return matt(grey(0.30f) * (0.75f + 0.4f * fbm(vec(q.x, q.z) * 30, 3, c->seed)));
    // a rocket's side
    float y = upright(c) ? q.y : q.z + 0.48f, a = upright(c) ? round : atan2f(q.x, q.y);
    int of = kind(c, 3);
    if (of == 1) {
        if (within(y, 0.55f, 0.62f) &&
            length(vec(fraction(a / 1.5708f + 0.5f) - 0.5f, (y - 0.585f) * 6)) < 0.16f)
            return window(c, 0.9f);
        return surface{y > 0.78f || within(y, 0.40f, 0.43f) ? other : paint, grey(0), 0.05f, 0.15f};
    }
    bool band = within(y, 0.30f, 0.34f) || within(y, 0.58f, 0.60f) || within(y, 0.655f, 0.67f);
    bool block = within(y, 0.10f, 0.17f) && fraction(a / 3.1416f) < 0.5f;
    return surface{block ? grey(0.03f) : band ? other : paint, grey(0), 0.04f, 0.25f};
}

// q and n in the subject's frame.
FN surface subject_surface(const clip *c, int material, v3 q, v3 n, int i, float seconds)
{
    v3 paint = load(c->paint);
    surface s;
    switch (material) {
    case PAINT:
        s = surface{paint, grey(0), 0.04f, 0.3f};
        break;
    case PALE:
        s = surface{mix(paint, grey(0.55f), 0.18f), grey(0), 0.05f, 0.35f};
        break;
    case DEEP:
        s = surface{paint * 0.55f, grey(0), 0.05f, 0.4f};
        break;
    case WHITE:
        s = surface{grey(0.75f), grey(0), 0.04f, 0.4f};
        break;
    case CREAM:
        s = matt(vec(0.62f, 0.55f, 0.42f));
        break;
    case DARK:
        s = surface{grey(0.030f), grey(0), 0.04f, 0.4f};
        break;
    case STEEL:
        s = surface{grey(0.32f), grey(0), 0.15f, 0.3f};
        break;
    case GLASS:
        s = window(c, 0.6f);
        break;
    case RUBBER:
        s = matt(grey(0.022f));
        break;
    case WOOD:
        s = matt(vec(0.30f, 0.17f, 0.07f) * (0.8f + 0.3f * panes(q.y, 0.016f, 0.7f)));
        break;
    case SKIN: {
        float tone = chance(c->seed + 17 + i);
        s = matt(mix(vec(0.62f, 0.38f, 0.27f), vec(0.16f, 0.08f, 0.045f), tone * tone));
        break;
    }
    case HAIR:
        s = matt(mix(vec(0.02f, 0.014f, 0.010f),
                     chance(c->seed + 19 + i) < 0.3f ? vec(0.42f, 0.27f, 0.10f)
                                                     : vec(0.11f, 0.055f, 0.025f),
                     chance(c->seed + 18 + i)));
        break;
    case LEGS: // darker than the coat, and akin to it
        s = matt(
            mix(vec(0.03f, 0.035f, 0.05f), vec(0.07f, 0.065f, 0.06f), chance(c->seed + 20 + i)) *
                0.6f +
            paint * (0.15f + 0.4f * chance(c->seed + 23 + i)));
        break;
    case SHOES:
        s = matt(vec(0.025f, 0.018f, 0.014f));
        break;
    case BAG:
        s = matt(
            mix(vec(0.10f, 0.055f, 0.03f), vec(0.03f, 0.05f, 0.035f), chance(c->seed + 21 + i)) +
            paint * (0.6f * (chance(c->seed + 24 + i) < 0.5f)));
        break;
    case LENS:
        s = c->subject == LIGHTHOUSE ? surface{vec(0.10f, 0.12f, 0.13f),
                                               vec(1, 0.86f, 0.55f) * (4.5f * c->lamps), 0.2f, 0.1f}
                                     : surface{grey(0.02f), grey(0), 0.2f, 0.05f};
        break;
    case COAT: {
        float fold = 0.85f + 0.3f * fbm(vec(atan2f(q.x, q.z) * 3, q.y * 4), 2, c->seed + 22 + i);
        bool open = fabsf(q.x) < 0.006f && q.z > 0.02f && q.y < 0.80f;
        s = matt(open ? paint * 0.4f : paint * fold);
        break;
    }
    case BIRD:
        s = surface{paint * (n.y < -0.3f ? 0.8f : 1.0f), paint * load(c->sky_low) * 0.05f, 0, 1};
        break;
    case CAR_BODY:
    case CAR_CABIN:
    case WHEEL:
        s = car_surface(c, material, q, n, i, seconds);
        break;
    case CARRIAGE:
    case LOCOMOTIVE:
    case BALLAST:
    case RAIL:
        s = train_surface(c, material, q, n);
        break;
    case FUSELAGE:
    case WING:
    case HELI_BODY:
        s = flyer_surface(c, material, q, n);
        break;
    case ENVELOPE:
    case BANDS:
    case ROCK:
    case GIRDER:
    case STAGE:
    case PAD:
        s = tower_surface(c, material, q, n, seconds);
        break;
    default:
        s = vessel_surface(c, material, q, n);
    }
    // what everything about it throws into its shade, so that a colour stays that colour against
    // the light
    float fill =
        0.10f * luma(load(c->sky_low)) + 0.035f * luma(load(c->light)) * fmaxf(c->sun[1], 0);
    s.emits = s.emits + s.colour * fill;
    // what its own lamps throw on it, so that its colour is seen at night
    if (c->lamps > 0 && material != BALLAST && material != RAIL && material != ROCK &&
        material != BIRD)
        s.emits = s.emits +
                  s.colour * vec(1, 0.96f, 0.92f) *
                      (c->lamps *
                       ((c->setting == CITY_NIGHT && (c->subject == CAR || c->subject == PERSON)) ||
                                c->setting == INTERIOR
                            ? 0.04f
                            : 0.13f) *
                       (0.7f + 0.3f * n.y) * (material == SAIL ? 0.65f - 0.5f * q.y : 1.0f));
    if (c->snow > 0 && c->subject != PERSON && c->subject != BIRDS && material != ROCK &&
        material != BALLAST)
        s.colour =
            mix(s.colour, vec(0.75f, 0.78f, 0.82f), 0.55f * c->snow * step(0.80f, 0.97f, n.y));
    return s;
}
