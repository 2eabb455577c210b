// Where each of the subjects is and how it lies: on waves, on slopes, banking, swaying.
#pragma once
#include "settings.cuh"
#include "subjects.cuh"
#include "water.cuh"

namespace subjects_
{ // its names are also used by places

struct pose {
    v3 at, right, up, forward;
};
enum { MOST = 3 };
struct world { // what a ray needs of a picture
    const clip *c;
    float seconds;
    int count;
    bool rests; // something of the subject stays where it was: track, launch pad
    pose of[MOST], rest;
    v3 middle, half;
};

// Where the i-th of several subjects is. They are side by side in the picture: the camera looks
// along z, more or less, so that along x none hides another.
FN v3 subject_at(const clip *c, int i, float seconds)
{
    float s = sinf(c->heading), k = cosf(c->heading), along = c->speed * (seconds - c->middle);
    v3 p = load(c->at);
    if (c->subject == ROCKET && upright(c))
        p.y += (lifted(c, seconds) - (c->setting == SKY ? 0.75f : 0)) * c->size;
    else
        p = p + vec(s, 0, k) * along;
    if (c->count > 1) {
        float place = i - 0.5f * (c->count - 1), deep = chance(c->seed + 311 * i) - 0.5f;
        p.x += place * c->spread;
        p.z += deep * 0.30f * c->spread;
        if (c->subject == AEROPLANE || c->subject == HELICOPTER || c->subject == DRONE ||
            c->subject == BIRDS || c->subject == BALLOON)
            p.y += (chance(c->seed + 317 * i) - 0.5f) * 0.35f * c->size;
    }
    return p;
}

FN pose turned(v3 at, float heading, float pitch, float roll) // nose up, right side down
{
    float s = sinf(heading), k = cosf(heading), a = sinf(pitch), b = cosf(pitch), e = sinf(roll),
          g = cosf(roll);
    v3 f = vec(s * b, a, k * b), u = vec(-s * a, b, -k * a), r = vec(k, 0, -s);
    return pose{at, r * g - u * e, u * g + r * e, f};
}

FN pose pose_of(const clip *c, int i, float seconds)
{
    v3 at = subject_at(c, i, seconds);
    float s = sinf(c->heading), k = cosf(c->heading), pitch = 0, roll = 0,
          own = 6.2832f * chance(c->seed + 71 * i);
    switch (c->subject) {
    case SHIP:
    case SAILING_BOAT:
    case SUBMARINE:
        if (has_water(c)) {
            float e = c->size * 0.35f;
            float fore = wave_height(c, vec(at.x + s * e, at.z + k * e), seconds, 2);
            float aft = wave_height(c, vec(at.x - s * e, at.z - k * e), seconds, 2);
            at.y += 0.5f * (fore + aft) * 0.8f;
            pitch = clamp((fore - aft) / (2 * e) * 0.7f, -0.25f, 0.25f) +
                    0.02f * c->wave * sinf(seconds * 0.9f + own);
            roll = fminf(0.05f * c->wave, 0.10f) * sinf(seconds * 1.3f + own);
            if (c->subject == SHIP && kind(c, 4) == 3)
                roll *= 2;
        }
        if (c->subject == SAILING_BOAT)
            roll += lee(c) * (0.07f + 0.16f * unitly(fabsf(c->wind) / 9)) +
                    0.02f * sinf(seconds * 1.1f + own);
        break;
    case CAR:
    case TRAIN: {
        float e = c->size * (c->subject == CAR ? 0.31f : 0.9f);
        v2 p = flat(at), f = vec(s, k) * e, r = vec(k, -s) * (c->size * 0.17f);
        if (c->subject == TRAIN) { // along a straight track
            v2 m = flat(subject_at(c, i, c->middle));
            float slope = clamp((setting_ground(c, m + f) - setting_ground(c, m - f)) / (2 * e),
                                -0.06f, 0.06f);
            if (c->at[1] > setting_ground(c, vec(c->at[0], c->at[2])) + 1) // on a bridge
                slope = 0;
            at.y += slope * c->speed * (seconds - c->middle);
            pitch = atanf(slope);
            if (c->setting == CITY_NIGHT || c->setting == STREET_DAY || c->setting == HARBOUR)
                at.y -= 0.0075f * c->size; // rails in the street
        } else {
            float fore = setting_ground(c, p + f), aft = setting_ground(c, p - f);
            at.y += 0.5f * (fore + aft) - setting_ground(c, vec(c->at[0], c->at[2]));
            pitch = atanf((fore - aft) / (2 * e));
            roll = atanf((setting_ground(c, p - r) - setting_ground(c, p + r)) / (0.34f * c->size));
        }
        break;
    }
    case PERSON:
        at.y += setting_ground(c, flat(at)) - setting_ground(c, vec(c->at[0], c->at[2]));
        break;
    case AEROPLANE:
        roll = (chance(c->seed + 12) - 0.5f) * 0.45f + 0.05f * sinf(seconds * 0.8f + own);
        pitch = (chance(c->seed + 13) - 0.35f) * 0.16f;
        at.y += pitch * c->speed * (seconds - c->middle);
        break;
    case HELICOPTER:
        pitch = -0.02f - 0.012f * c->speed + 0.02f * sinf(seconds * 1.2f + own);
        roll = 0.05f * sinf(seconds * 0.9f + own);
        at.y += 0.02f * c->size * sinf(seconds * 1.1f + own);
        break;
    case DRONE:
        pitch = -0.06f - 0.03f * c->speed + 0.03f * sinf(seconds * 2.3f + own);
        roll = 0.06f * sinf(seconds * 1.9f + 2 * own);
        at.y += 0.05f * c->size * sinf(seconds * 1.7f + own);
        break;
    case ROCKET:
        if (!upright(c)) {
            pitch = (chance(c->seed + 14) - 0.35f) * 0.9f;
            at.y += tanf(pitch) * c->speed * (seconds - c->middle);
            roll = seconds * 0.3f;
        }
        break;
    case BALLOON:
        roll = 0.025f * sinf(seconds * 0.7f + own);
        at.y += 0.25f * seconds;
        break;
    default:
        break;
    }
    // a tower stands beside a rocket, not before it
    float heading = (c->subject == ROCKET && upright(c)) || c->subject == LIGHTHOUSE
                        ? chance(c->seed + 15) - 0.5f
                        : c->heading;
    return turned(at, heading, pitch, roll);
}

FN world world_of(const clip *c, float seconds)
{
    world w;
    w.c = c, w.seconds = seconds;
    w.count = c->subject == NOBODY ? 0 : c->count < MOST ? c->count : MOST;
    w.rests =
        c->subject == TRAIN || (c->subject == ROCKET && c->setting != SPACE && c->setting != SKY);
    for (int i = 0; i < w.count; i++)
        w.of[i] = pose_of(c, i, seconds);
    w.rest = pose_of(c, 0, c->middle);
    if (c->subject == ROCKET)
        w.rest.at = load(c->at);
    subject_bound(c, &w.middle, &w.half);
    return w;
}

FN v3 to_frame(const pose *at, v3 p, float size)
{
    v3 d = p - at->at;
    return vec(dot(d, at->right), dot(d, at->up), dot(d, at->forward)) * (1 / size);
}
FN v3 from_frame(const pose *at, v3 q, float size)
{
    return at->at + (at->right * q.x + at->up * q.y + at->forward * q.z) * size;
}

#define SHELL 0.20f // about a subject's box, of its length, where distances are exact or nearly

// Distance and material of the nearest; where: which of them, MOST for what stays.
FN part subjects(const world *w, v3 p, int *where, float shell)
{
    part all = {1e9f, 0};
    const float size = w->c->size;
    for (int i = 0; i < w->count; i++) {
        v3 q = to_frame(&w->of[i], p, size);
        float about = box(q - w->middle, w->half);
        if (about > shell) {
            all.d = fminf(all.d, about * size);
            continue;
        }
        part one = subject_part(w->c, q, i, w->seconds);
        if (about > 0) // without a jump, which shadows would show as rings
            one.d = mix(fmaxf(one.d, about), about, about / shell);
        one.d *= size;
        if (one.d < all.d)
            all = one, *where = i;
    }
    if (w->rests) {
        v3 q = to_frame(&w->rest, p, size);
        part one = w->c->subject == TRAIN ? track(q) : launch_pad(w->c, q);
        one.d *= size;
        if (one.d < all.d)
            all = one, *where = MOST;
    }
    return all;
}
FN part subjects(const world *w, v3 p)
{
    int where;
    return subjects(w, p, &where, SHELL);
}

} // namespace subjects_
