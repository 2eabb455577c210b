// What hangs in the air about the subjects and is no surface: halos of their lamps, turning rotors,
// flames, smoke, a lighthouse's beam; the light that they throw on what is near; and their wakes.
#pragma once
#include "poses.cuh"

namespace subjects_
{ // its names are also used by places

// The k-th lamp of a subject in its frame, and its colour; false where there are no more.
FN bool lamp(const clip *c, int k, float seconds, int i, v3 *at, v3 *colour)
{
    const v3 white = vec(1, 0.95f, 0.85f), red = vec(1, 0.06f, 0.04f), green = vec(0.05f, 1, 0.25f),
             warm = vec(1, 0.70f, 0.35f);
    float beat = fraction(seconds * 1.1f + 0.37f * i + chance(c->seed + 3)),
          blink = beat < 0.14f ? 1.0f : 0.0f;
    float x = k & 1 ? -1.0f : 1.0f; // starboard first
    const v3 side = k & 1 ? red : green;
    switch (c->subject) {
    case SHIP: {
        int of = kind(c, 4);
        const float top[4] = {0.25f, 0.265f, 0.265f, 0.445f},
                    fore[4] = {0.055f, -0.35f, 0.335f, 0.05f},
                    wide[4] = {0.045f, 0.080f, 0.052f, 0.092f};
        const float y[4] = {0.115f, 0.195f, 0.145f, 0.24f}, z[4] = {0.085f, -0.33f, 0.245f, 0.10f},
                    deck[4] = {0.055f, 0.06f, 0.07f, 0.12f};
        *at = k < 2    ? vec(x * wide[of], y[of], z[of])
              : k == 2 ? vec(0, top[of], fore[of])
              : k == 3 ? vec(0, deck[of] + 0.02f, -0.49f)
                       : vec(0, of == 1 ? 0.19f : deck[of] + 0.06f, of == 1 ? 0.43f : 0.40f);
        *colour = k < 2 ? side * 0.7f : white * (k == 2 ? 0.9f : 0.5f);
        return k < 5;
    }
    case SAILING_BOAT:
        *at = k < 2    ? vec(x * 0.03f, 0.10f, 0.40f)
              : k == 2 ? vec(0, 0.935f, 0.075f)
                       : vec(0, 0.10f, -0.20f);
        *colour = k < 2 ? side * 0.6f : k == 2 ? white * 0.8f : warm * 0.6f;
        return k < 4;
    case SUBMARINE:
        *at = k < 2    ? vec(x * 0.028f, 0.165f, 0.16f)
              : k == 2 ? vec(0, 0.235f, 0.15f)
                       : vec(0, 0.085f, -0.46f);
        *colour = k < 2 ? side * 0.6f : white * 0.8f;
        return k < 4;
    case CAR: {
        float y = 0.14f + form_of(c).lift;
        *at = k < 2 ? vec(x * 0.137f, y, 0.485f) : vec(x * 0.140f, y, -0.485f);
        *colour = k < 2 ? white * 1.6f : red * 0.8f;
        return k < 4;
    }
    case TRAIN:
        *at = k < 2 ? vec(x * 0.016f, RAIL_TOP + (kind(c, 2) ? 0.08f : 0.038f),
                          kind(c, 2) ? 0.492f : 0.49f)
                    : vec(x * 0.018f, RAIL_TOP + 0.036f, -0.50f);
        *at = *at * (1 / TRAIN_SCALE);
        *colour = k < 2 ? white * 1.8f : red * 0.6f;
        return k < 4;
    case AEROPLANE: {
        bool prop = kind(c, 3) == 2;
        *at = k < 2    ? (prop ? vec(x * 0.64f, 0.155f, 0.12f) : vec(x * 0.50f, 0.022f, -0.24f))
              : k == 2 ? (prop ? vec(0, 0.20f, -0.44f) : vec(0, 0.205f, -0.49f))
              : k == 3 ? (prop ? vec(0, -0.10f, 0.1f) : vec(0, -0.072f, 0.05f))
              : k == 4 ? (prop ? vec(0, -0.05f, 0.49f) : vec(0, -0.05f, 0.44f))
                       : vec((k == 5 ? 1.0f : -1.0f) * (prop ? 0.62f : 0.49f),
                             prop ? 0.155f : 0.02f, prop ? 0.06f : -0.27f);
        *colour = k < 2    ? side * 0.9f
                  : k == 2 ? white * 0.5f
                  : k == 3 ? red * (1.5f * blink)
                  : k == 4 ? white * 1.3f
                           : white * (beat > 0.5f && beat < 0.6f ? 1.8f : 0.0f);
        return k < 7;
    }
    case HELICOPTER:
        *at = k < 2    ? vec(x * 0.115f, -0.09f, 0.14f)
              : k == 2 ? vec(0, 0.20f, -0.47f)
              : k == 3 ? vec(0, -0.125f, 0.05f)
                       : vec(0, -0.12f, 0.28f);
        *colour = k < 2    ? side * 0.9f
                  : k == 2 ? white * 0.5f
                  : k == 3 ? red * (1.6f * blink)
                           : white * 1.5f;
        return k < 5;
    case DRONE:
        *at = vec(x * 0.29f, 0.0f, k < 2 ? 0.29f : -0.29f);
        *colour = k < 2 ? green * 0.9f : red * (0.9f * (beat < 0.7f));
        return k < 4;
    case LIGHTHOUSE:
        *at = vec(0, LANTERN_Y, 0), *colour = vec(1, 0.86f, 0.55f) * 2.2f;
        return k < 1;
    case BALLOON: {
        float flare = 0.72f + 0.28f * sinf(seconds * 2.3f + c->seed) * sinf(seconds * 5.1f);
        *at = vec(0, -0.353f, 0), *colour = vec(1, 0.55f, 0.16f) * (1.3f * flare);
        return k < 1;
    }
    case ROCKET:
        *at = vec(0, upright(c) ? 0.955f : 0, upright(c) ? 0 : 0.47f),
        *colour = red * (0.9f * (beat < 0.5f));
        return k < 1;
    default:
        return false;
    }
}

// Nearest of the ray and the line from a to b: how far along each, and how far apart.
FN float nearest(v3 from, v3 d, v3 a, v3 b, float *along, float *u)
{
    v3 e = b - a, r = from - a;
    float ee = dot(e, e), de = dot(d, e), dr = dot(d, r), er = dot(e, r);
    float det = ee - de * de;
    *u = unitly(det > 1e-6f * ee ? (er - de * dr) / det : 0.5f);
    *along = fmaxf(dot(a + e * *u - from, d), 0);
    return length(from + d * *along - a - e * *u);
}

// A soft trail from a to b: how much it hides.
FN float plume(v3 from, v3 d, float t, v3 a, v3 b, float ra, float rb, uint32_t seed, float drift)
{
    float s, u, apart = nearest(from, d, a, b, &s, &u), r = mix(ra, rb, sqrtf(u));
    if (s > t || s <= 0 || apart > r * 1.5f)
        return 0;
    v3 q = (from + d * s) * (1.6f / mix(ra, rb, 0.5f));
    q = q + unit(a - b) * drift;
    float lump = fbm(q, 3, seed);
    return step(1.05f, 0.35f, apart / r + 1.1f * (lump - 0.5f)) * (1 - step(0.6f, 1.0f, u)) *
           step(0.0f, 0.03f, u + 0.02f);
}

// A disc of turning blades, as a shutter sees them.
FN float rotor(v3 from, v3 d, float t, const pose *at, float size, v3 middle, v3 axis, float r)
{
    v3 m = from_frame(at, middle, size),
       n = at->right * axis.x + at->up * axis.y + at->forward * axis.z;
    float slope = dot(d, n);
    if (fabsf(slope) < 0.01f)
        return 0;
    float s = dot(m - from, n) / slope;
    if (s <= 0 || s > t)
        return 0;
    float far = length(from + d * s - m) / (r * size);
    return far < 1 ? (0.13f + 0.17f * step(0.75f, 1.0f, far) * step(1.0f, 0.96f, far)) : 0;
}

BIG v3 subject_air(const world *w, v3 from, v3 d, float t, v3 colour)
{
    const clip *c = w->c;
    const float size = c->size;
    const v3 day = load(c->light) * (0.25f * fmaxf(c->sun[1], 0.15f) + 0.08f) +
                   mix(load(c->sky_low), load(c->sky_top), 0.4f) * (0.7f * c->ambient);
    for (int i = 0; i < w->count; i++) {
        const pose *at = &w->of[i];
        v3 centre = from_frame(at, w->middle, size);
        float near = dot(centre - from, d), reach = size * (length(w->half) + 0.35f);
        bool about = length(from + d * fmaxf(near, 0) - centre) < reach;
        bool burns = c->subject == ROCKET && (c->speed > 0 || !upright(c));
        if (!about && !burns && c->subject != LIGHTHOUSE && c->subject != TRAIN && c->lamps < 0.05f)
            continue;
        // smoke and steam
        if (c->subject == SHIP && kind(c, 4) != 0 && about) {
            const float top[4] = {0, 0.225f, 0.225f, 0.31f}, z[4] = {0, -0.425f, -0.10f, -0.03f};
            v3 a = from_frame(at, vec(0, top[kind(c, 4)], z[kind(c, 4)]), size);
            v3 b = a + (at->forward * -c->speed * 1.2f + vec(c->wind, 2.5f, 0)) * (0.03f * size);
            float hides = plume(from, d, t, a, b, 0.012f * size, 0.06f * size, c->seed + 80u,
                                w->seconds * 1.5f);
            colour = mix(colour, day * 0.35f, 0.45f * hides);
        }
        if (c->subject == TRAIN && kind(c, 2)) {
            v3 a =
                from_frame(at, vec(0, (RAIL_TOP + 0.10f) / TRAIN_SCALE, 0.47f / TRAIN_SCALE), size);
            v3 b = a - at->forward * (0.95f * size) + vec(c->wind * 0.8f, 0.18f * size, 0);
            float hides = plume(from, d, t, a, b, 0.012f * size, 0.11f * size, c->seed + 80u,
                                -w->seconds * 2.5f);
            colour = mix(colour, day * 0.95f + grey(0.02f) * c->lamps, 0.85f * hides);
        }
        if (burns) {
            bool up = upright(c);
            v3 a = from_frame(at, up ? vec(0, 0.03f, 0) : vec(0, 0, -0.46f), size);
            if (up) { // the column of smoke down to the ground, and what it stirs up there
                v3 low = load(c->at);
                if (c->setting == SKY)
                    low.y = a.y - 3 * size;
                else
                    low = from_frame(at, vec(0, 0, 0), size), low.y = c->at[1];
                float tall = a.y - low.y;
                if (tall > 0.02f * size) {
                    v3 b = low + vec(c->wind * tall * 0.01f, 0, 0);
                    float wide = fminf(0.05f + 0.14f * tall / size, 0.32f) * size;
                    float hides = plume(from, d, t,
                                        a - vec(0, 0.22f * size, 0) * unitly(tall / (0.3f * size)),
                                        b - vec(0, 0.6f * (tall + 0.3f * size), 0), 0.050f * size,
                                        wide * 1.3f, c->seed + 81u, w->seconds * 2.2f);
                    v3 fired = vec(1.0f, 0.5f, 0.2f) * (0.30f * (1 + c->lamps));
                    colour = mix(colour, day + fired * 0.5f, 0.93f * hides);
                }
                if (c->setting != SKY) {
                    float grown = fminf(0.25f + 0.30f * (w->seconds + 0.4f), 1.0f) * size;
                    for (int k = 0; k < 6; k++) { // clouds of it roll away from the pad
                        float way = 1.047f * k + chance(c->seed + 40 + k),
                              go = grown * (0.45f + 0.75f * chance(c->seed + 50 + k));
                        float r = (0.09f + 0.16f * grown / size) * size *
                                  (0.8f + 0.5f * chance(c->seed + 60 + k));
                        v3 m = low + vec(sinf(way) * go, 0.35f * r, cosf(way) * go);
                        float s = dot(m - from, d), apart = length(from + d * s - m) / r;
                        if (s <= 0 || s > t + r || apart > 1.5f)
                            continue;
                        v3 p = from + d * s;
                        float lump =
                            fbm((p - vec(0, w->seconds * 4, 0)) * (2.2f / r), 3, c->seed + 82u + k);
                        float hides = step(1.0f, 0.45f, apart + 1.3f * (lump - 0.5f)) *
                                      unitly((t - s) / r + 1);
                        colour = mix(colour,
                                     (day + vec(0.35f, 0.16f, 0.05f) * (0.4f + c->lamps * 0.5f)) *
                                         (0.7f + 0.5f * unitly((p.y - m.y) / r + 0.3f)),
                                     0.92f * hides);
                    }
                }
            }
            v3 b = from_frame(at,
                              up ? vec(0, -0.34f - 0.03f * sinf(w->seconds * 37), 0)
                                 : vec(0, 0, -0.80f - 0.02f * sinf(w->seconds * 41)),
                              size);
            float s, u, apart = nearest(from, d, a, b, &s, &u);
            if (s < t + 0.1f * size && s > 0) {
                float r = size * mix(0.034f, 0.050f, u) * (1.05f - u * u),
                      core = expf(-2.2f * apart * apart / (r * r + 1e-6f));
                float halo = expf(-apart / (0.10f * size)) * (1 - 0.6f * u);
                v3 hot = up ? mix(vec(1, 0.92f, 0.70f), vec(1, 0.42f, 0.10f), u)
                            : mix(vec(0.85f, 0.93f, 1), vec(0.25f, 0.45f, 1), u);
                colour = colour + hot * (5.0f * core * (1 - 0.6f * u)) +
                         (up ? vec(1, 0.5f, 0.18f) : vec(0.3f, 0.5f, 1)) * (0.35f * halo);
            }
        }
        if (c->subject == HELICOPTER && about) {
            float a = rotor(from, d, t, at, size, vec(0, ROTOR_Y, ROTOR_Z), vec(0, 1, 0), 0.47f);
            float b =
                rotor(from, d, t, at, size, vec(-0.022f, 0.155f, -0.455f), vec(1, 0, 0), 0.095f);
            colour = mix(colour, day * 0.25f, fmaxf(a, 1.6f * b));
        }
        if (c->subject == DRONE && about)
            for (int k = 0; k < 4; k++)
                colour = mix(
                    colour, day * 0.30f,
                    1.9f * rotor(from, d, t, at, size,
                                 vec(k & 1 ? 0.275f : -0.275f, 0.087f, k & 2 ? 0.275f : -0.275f),
                                 vec(0, 1, 0), 0.15f));
        if (c->subject == AEROPLANE && kind(c, 3) == 2 && about)
            colour = mix(colour, day * 0.3f,
                         rotor(from, d, t, at, size, vec(0, -0.012f, 0.475f), vec(0, 0, 1), 0.15f));
        bool lit = c->lamps > 0.05f || c->subject == AEROPLANE || c->subject == HELICOPTER;
        if (c->subject == LIGHTHOUSE && c->lamps > 0.3f) {
            v3 top = from_frame(at, vec(0, LANTERN_Y, 0), size);
            for (int k = 0; k < 2; k++) {
                float turned = w->seconds * 0.9f + c->seed + 3.1416f * k, s, u;
                v3 end = top + vec(sinf(turned), -0.012f, cosf(turned)) * (size * 9);
                float apart = nearest(from, d, top, end, &s, &u), r = size * (0.030f + 0.75f * u);
                if (s > 0 && s < t) {
                    float seen = expf(-1.6f * apart * apart / (r * r)) * powf(1 - u, 2.0f) *
                                 step(0.0f, 0.01f, u) * step(0.0f, 0.8f * size, s);
                    colour =
                        colour + vec(1, 0.90f, 0.66f) *
                                     (c->lamps * seen * (0.22f + 0.5f * unitly(c->haze * 100)));
                }
            }
        }
        v3 p, glow;
        for (int k = 0; lit && k < 7 && lamp(c, k, w->seconds, i, &p, &glow); k++) {
            p = from_frame(at, p, size);
            float s = dot(p - from, d);
            if (s <= 0 || s > t + 0.03f * size)
                continue;
            float apart = length(from + d * s - p),
                  r = fmaxf(0.010f * size *
                                (c->subject == CAR || c->subject == DRONE ? 2.0f : 1.0f),
                            0.0036f * s);
            float x = apart / r;
            if (x > 12)
                continue;
            float bright = c->lamps * expf(-c->haze * s * 0.7f);
            if (c->subject == BALLOON || c->lamps < 0.05f)
                bright = fmaxf(bright, 0.45f);
            if ((c->subject == CAR ||
                 c->subject == TRAIN)) { // a lamp behind a shade shines one way
                float to = -dot(d, at->forward) * (k < 2 ? 1 : -1);
                bright *= step(-0.15f, 0.5f, to);
            }
            if (c->subject == LIGHTHOUSE) { // it sweeps over the one who looks
                float turned = w->seconds * 0.9f + c->seed,
                      facing = fabsf(d.x * sinf(turned) + d.z * cosf(turned));
                bright *= 0.5f + 2.5f * powf(facing, 40);
            }
            colour = colour + glow * (bright * (2.6f * expf(-x * x * 0.9f) +
                                                0.22f / (1 + x * x) * step(12.0f, 3.0f, x)));
        }
    }
    return colour;
}

// Light that subjects throw on p, facing n; as of a white surface.
FN v3 subject_lamps(const world *w, v3 p, v3 n)
{
    const clip *c = w->c;
    v3 sum = grey(0);
    if (c->subject == CAR || c->subject == TRAIN || c->subject == HELICOPTER) {
        if (c->lamps < 0.05f)
            return sum;
        for (int i = 0; i < w->count; i++) {
            bool heli = c->subject == HELICOPTER;
            v3 q = to_frame(&w->of[i], p, c->size) -
                   (heli ? vec(0, -0.12f, 0.28f) : vec(0, 0.14f, 0.48f));
            v3 axis = heli ? unit(vec(0.12f * sinf(w->seconds * 0.8f), -1, 0.55f))
                           : unit(vec(0, -0.06f, 1));
            float far = length(q), on = dot(q, axis) / fmaxf(far, 1e-4f);
            float cone = heli ? step(0.955f, 0.985f, on) : step(0.60f, 0.990f, on);
            float fall = heli ? 1.4f / (1 + 0.02f * far * far)
                              : 1.5f / (0.45f + far * far * (c->subject == TRAIN ? 4.0f : 0.55f));
            sum = sum +
                  vec(1, 0.93f, 0.78f) *
                      (c->lamps * cone * fall * 0.6f *
                       (0.25f +
                        0.75f * fmaxf(-dot(n, unit(p - from_frame(&w->of[i], vec(0, 0.2f, 0.48f),
                                                                  c->size))),
                                      0)));
        }
    }
    if (c->subject == ROCKET && c->speed > 0 && upright(c)) {
        v3 q = p - from_frame(&w->of[0], vec(0, -0.12f, 0), c->size);
        float far = length(q) / c->size;
        sum = sum + vec(1, 0.55f, 0.22f) *
                        (0.6f / (0.12f + 2.5f * far * far) *
                         (0.3f + 0.7f * fmaxf(-dot(n, unit(q)), 0)) * (0.25f + 0.75f * c->lamps));
    }
    return sum;
}

// Foam on the water at p: at the bow, along the sides, behind. 0 to 1.
FN float wake(const world *w, v3 p)
{
    const clip *c = w->c;
    if (c->speed < 0.3f ||
        !(c->subject == SHIP || c->subject == SAILING_BOAT || c->subject == SUBMARINE)) {
        if (c->subject == LIGHTHOUSE && w->count > 0 &&
            c->at[1] < 0.03f * c->size) { // surf about the rock
            v3 q = to_frame(&w->of[0], p, c->size);
            float far = length(vec(q.x / 0.37f, q.z / 0.33f)) - 0.06f * sinf(w->seconds * 1.4f);
            return step(1.30f, 0.95f, far) *
                   step(0.35f, 0.6f,
                        fbm(flat(p) * (9 / c->size) + vec(w->seconds * 0.3f, 0), 3, c->seed + 71) +
                            0.2f * step(1.15f, 1.0f, far));
        }
        return 0;
    }
    float sum = 0;
    const float hull_end = c->subject == SAILING_BOAT ? 0.40f : 0.5f;
    float half = c->subject == SHIP           ? (kind(c, 4) == 3 ? 0.13f : 0.07f)
                 : c->subject == SAILING_BOAT ? 0.12f
                                              : 0.06f;
    for (int i = 0; i < w->count; i++) {
        v3 q = to_frame(&w->of[i], p, c->size);
        float x = fabsf(q.x), behind = hull_end - q.z; // from the bow
        if (behind < -0.05f || behind > 3.2f || x > 1.2f)
            continue;
        float lumps = fbm(vec(q.x * 26, (q.z * c->size + c->speed * w->seconds) / c->size * 12), 3,
                          c->seed + 70);
        float arm = half * 0.35f + 0.26f * behind,
              line = expf(-powf((x - arm) / (0.018f + 0.05f * behind), 2)) * expf(-behind * 1.1f) *
                     0.75f;
        float beside =
            behind < 2 * hull_end
                ? expf(-powf(fmaxf(x - half * sqrtf(unitly(behind * 2.2f)), 0) / 0.022f, 2)) * 0.9f
                : 0;
        float trail =
            behind > 2 * hull_end - 0.08f
                ? step(1.0f, 0.3f, x / (half * (0.9f + 0.25f * (behind - 2 * hull_end)))) *
                      expf(-(behind - 2 * hull_end) * 0.95f)
                : 0;
        float at = fmaxf(fmaxf(line, beside), trail);
        sum = fmaxf(sum, step(0.52f, 0.25f, lumps + 0.62f - at) * fminf(at * 1.6f, 1));
    }
    return sum * unitly(c->speed / 2.5f);
}

} // namespace subjects_
