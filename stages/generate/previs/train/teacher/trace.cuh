// From a ray to a colour.
#pragma once
#include "glow.cuh"
#include "sky.cuh"

using namespace subjects_;

enum { ROOM_STEPS = 110, WOODS_STEPS = 160, SHADOW_STEPS = 22, MIRROR_STEPS = 48 };
#define FAR 4000.0f

BIG float solid(const world *w, v3 p, float shell = SHELL)
{
    int where = 0;
    return fminf(setting_distance(w->c, p, w->seconds), subjects(w, p, &where, shell).d);
}

// Distance to the first solid thing, or `most`.
BIG float meet_solid(const world *w, v3 from, v3 d, float most, int steps)
{
    float t = 0.02f, before = t;
    const bool flat = has_floor(w->c);
    if (flat && d.y < -1e-5f && from.y > 0)
        most = fminf(most, -from.y / d.y);
    for (int i = 0; i < steps && t < most; i++) {
        v3 p = from + d * t;
        float s = flat ? fminf(town_things(w->c, p, w->seconds), subjects(w, p).d) : solid(w, p);
        if (s < 0 && i > 0) { // past it, where a distance over uneven ground was too bold: back to
                              // where it is met
            for (int k = 0; k < 7; k++) {
                float m = 0.5f * (before + t);
                if (solid(w, from + d * m) > 0)
                    before = m;
                else
                    t = m;
            }
            return t;
        }
        if (s < 0.0006f * t + 0.0005f)
            return t;
        before = t;
        t += s;
    }
    return t < most && steps < ROOM_STEPS ? most : fminf(t, most);
}

FN v3 solid_normal(const world *w, v3 p, float far)
{
    // of land, what is smaller than a pixel would flicker; subjects keep their edges
    bool wide = setting_is_land(w->c) && subjects(w, p).d > 0.002f * far + 0.01f;
    float e = 0.001f + (wide ? 0.0032f : 0.0007f) * far;
    v3 a = vec(1, -1, -1), b = vec(-1, -1, 1), d = vec(-1, 1, -1), g = vec(1, 1, 1);
    return unit(a * solid(w, p + a * e) + b * solid(w, p + b * e) + d * solid(w, p + d * e) +
                g * solid(w, p + g * e));
}

// How much of the sun is seen: 0 to 1.
FN float sunlit(const world *w, v3 p)
{
    const v3 sun = load(w->c->sun);
    const float reach = setting_reach(w->c);
    float seen = 1, t = 0.03f;
    const bool indoors = w->c->setting == INTERIOR; // edges of window frames are near and thin
    const float least = indoors ? 0.006f : 0.02f, more = indoors ? 0.008f : 0.03f,
                soft = indoors ? 0.022f : 0.035f;
    for (int i = 0; i < (indoors ? 3 * SHADOW_STEPS : SHADOW_STEPS) && t < reach; i++) {
        float s = solid(w, p + sun * t);
        seen = fminf(seen, 0.5f + 0.5f * s / (soft * t));
        if (seen < 0)
            break;
        t += clamp(s * (indoors ? 0.7f : 1.0f), least + more * t, 0.15f * reach);
    }
    if (seen <= 0)
        return 0;
    return seen * seen * (3 - 2 * seen) * setting_shade(w->c, p, w->seconds);
}

FN float open_above(const world *w, v3 p, v3 n, float size)
{
    float near = solid(w, p + n * (0.12f * size), 1) / (0.12f * size);
    float wide = solid(w, p + n * (0.5f * size), 1) / (0.5f * size);
    return unitly(0.25f + 0.4f * unitly(near) + 0.35f * unitly(wide));
}

// Its normal may come back with relief too fine for a distance.
FN surface solid_surface(const world *w, v3 p, v3 *n, float far)
{
    int where = 0;
    part one = subjects(w, p, &where, SHELL);
    if (one.d <= setting_distance(w->c, p, w->seconds)) {
        const pose *at = where < MOST ? &w->of[where] : &w->rest;
        v3 m = vec(dot(*n, at->right), dot(*n, at->up), dot(*n, at->forward));
        return subject_surface(w->c, one.material, to_frame(at, p, w->c->size), m, where,
                               w->seconds);
    }
    if (setting_is_land(w->c))
        return land_surface(w->c, p, n, far);
    return setting_surface(w->c, p, *n, far, w->seconds);
}

// Air between: what is far goes towards the haze, which is brighter around the sun.
FN v3 through_air(const clip *c, v3 colour, v3 d, float t)
{
    float gone = 1 - expf(-c->haze * t), near = fmaxf(dot(d, load(c->sun)), 0);
    v3 haze = load(c->haze_colour) + load(c->glow) * (0.22f * powf(near, 5));
    return mix(colour, haze, gone);
}

// With its own light, the sun's, the sky's; quick: without shadows, for mirror images.
FN v3 lit_surface(const world *w, v3 p, v3 n, v3 d, float far, bool quick)
{
    const clip *c = w->c;
    const v3 sun = load(c->sun);
    surface s = solid_surface(w, p, &n, far);
    float facing = fmaxf(dot(n, sun), 0);
    float sees = facing <= 0 ? 0
                 : quick     ? (c->setting == INTERIOR ? 0.1f : 0.8f)
                             : sunlit(w, p + n * (0.01f + 0.001f * far));
    float open = quick ? 0.8f : open_above(w, p, n, 1.5f + 0.02f * far);
    v3 from_above = mix(load(c->sky_low), load(c->sky_top), 0.5f + 0.5f * n.y);
    v3 ambient = from_above * (c->ambient * open * (0.65f + 0.35f * n.y));
    v3 bounce = load(c->ground) * load(c->light) * (0.05f * fmaxf(-n.y * 0.5f + 0.5f, 0) * open);
    v3 lamps = setting_lamps(c, p, n, w->seconds) + subject_lamps(w, p, n);
    v3 colour = s.colour * (load(c->light) * (facing * sees) + ambient + bounce + lamps) + s.emits;
    if (s.shine > 0) {
        v3 r = reflect(d, n), half = unit(sun - d);
        float edge = powf(1 - fmaxf(-dot(d, n), 0), 5),
              mirror = s.shine + (1 - s.shine) * edge * 0.6f;
        float sharp = 4 + 400 * (1 - s.rough) * (1 - s.rough);
        v3 seen = clear_sky(c, vec(r.x, fabsf(r.y) * 0.9f + 0.03f, r.z)) *
                  (open * (1 - 0.6f * s.rough) * (c->setting == INTERIOR ? 0.3f : 1.0f));
        colour =
            mix(colour, seen, mirror) +
            load(c->light) * (sees * s.shine * powf(fmaxf(dot(n, half), 0), sharp) * sharp * 0.08f);
    }
    return colour;
}

FN v3 water_colour(const world *w, v3 p, v3 d, float far)
{
    const clip *c = w->c;
    const v3 sun = load(c->sun);
    v3 n = wave_normal(c, flat(p), w->seconds, far), r = reflect(d, n);
    // waves that are too far to be told apart still turn mirrors up, towards a higher sky
    float rough = (0.012f + 0.05f * unitly(c->wave)) * (0.25f + 0.75f * step(20, 300, far)), t,
          height;
    float edge = 0.02f + 0.98f * powf(1 - unitly(-dot(d, n) + rough), 5);
    r.y = fabsf(r.y) + 0.004f + rough * 1.5f;
    r = unit(r);
    t = meet_solid(w, p + n * 0.05f, r, 600, MIRROR_STEPS);
    v3 seen;
    if (t < 600) {
        v3 q = p + r * t;
        seen =
            through_air(c, lit_surface(w, q, solid_normal(w, q, far + t), r, far + t, true), r, t);
    } else {
        seen = sky(c, p, r, w->seconds);
    }
    seen = subject_air(w, p, r, t, seen);
    height = p.y / fmaxf(c->wave, 0.05f);
    float through = unitly(0.3f + 0.7f * height) * powf(fmaxf(dot(d, sun) * 0.5f + 0.5f, 0), 2);
    v3 day = mix(load(c->sky_low), load(c->sky_top), 0.5f) * c->ambient +
             load(c->light) * (0.25f * fmaxf(sun.y, 0.1f));
    v3 deep = (c->setting == MOUNTAINS ? vec(0.02f, 0.07f, 0.08f) : load(c->ground)) * day *
              (1.1f + 0.25f * height * unitly(c->wave) + 1.6f * through * unitly(c->wave));
    v3 colour = mix(deep, seen, unitly(edge));
    // the sun's image, spread over the small waves' slopes
    v3 half = unit(sun - d);
    float wide = 0.0035f + 0.012f * unitly(c->wave) * step(10, 200, far),
          up = fmaxf(dot(n, half), 1e-3f);
    float glitter = expf(-(1 / (up * up) - 1) / wide) * 0.012f / wide,
          spark = noise(flat(p) * (6 / (1 + far * 0.02f)) + vec(w->seconds * 3, 0), 97u);
    colour = colour + load(c->light) *
                          (glitter * (0.35f + 2.2f * spark * spark) *
                           (1 - 0.9f * c->darkness * c->cover) * (1 - 0.8f * c->cover * c->cover));
    float white = froth(c, flat(p), height, w->seconds, far);
    // foam where it washes round what stands in it, and behind what goes through it
    float beside = solid(w, p), band = 0.2f + 0.3f * c->wave,
          lace = fbm(flat(p) * 1.3f + vec(0, w->seconds * 0.4f), 3, 611u);
    if (beside < 3 * band)
        white = fmaxf(white,
                      step(2.5f * band, 0, beside) *
                          step(0.30f, 0.75f, lace + 0.5f - beside / (2.5f * band) * 0.55f - 0.25f) *
                          unitly(c->wave * (c->setting == RIVER ? 0.9f : 2.5f)));
    white = fmaxf(white, wake(w, p));
    v3 foam = mix(load(c->sky_low), load(c->sky_top), 0.35f) * 1.2f +
              load(c->light) * (0.3f * fmaxf(dot(n, sun), 0));
    return mix(colour, foam, white * 0.85f);
}

// Wet ground and polished floors: what stands there is seen in them, too.
FN v3 mirrored(const world *w, v3 p, v3 n, v3 d, float far, v3 colour)
{
    float rough, share = setting_mirror(w->c, p, n, &rough), t;
    if (share <= 0.01f)
        return colour;
    rough /= 1 + 0.02f * far;
    v2 at = flat(p) * 7.0f;
    v3 r = reflect(d, unit(n + vec(noise(at, 71u) - 0.5f, 0, noise(at, 72u) - 0.5f) * rough)), seen;
    r.y = fabsf(r.y) + 0.003f;
    r = unit(r);
    t = meet_solid(w, p + n * 0.02f, r, 500, MIRROR_STEPS);
    if (t < 500) {
        v3 q = p + r * t;
        seen = through_air(w->c, lit_surface(w, q, solid_normal(w, q, far + t), r, far + t, true),
                           r, t);
    } else {
        seen = sky(w->c, p, r, w->seconds);
    }
    float edge = powf(1 - unitly(-dot(d, n)), 4);
    seen = subject_air(w, p, r, t, seen);
    return mix(colour, seen, share * (0.2f + 0.8f * edge));
}

BIG v3 trace(const clip *c, const view *v, float x, float y)
{
    const world w = world_of(c, v->seconds);
    v3 from = load(v->at);
    v3 d = unit(load(v->right) * x + load(v->up) * y + load(v->forward) * v->zoom);
    float wet = has_water(c) ? meet_water(c, from, d, v->seconds, FAR) : FAR;
    const int steps = has_floor(c)                                  ? 2 * ROOM_STEPS
                      : c->setting == FOREST || c->setting == RIVER ? WOODS_STEPS
                                                                    : ROOM_STEPS;
    float t = meet_solid(&w, from, d, wet, steps); // streets are long, woods are dense
    v3 colour;
    if (wet < FAR && wet <= t) {
        colour = through_air(c, water_colour(&w, from + d * wet, d, wet), d, wet);
    } else if (t < FAR) {
        v3 p = from + d * t;
        v3 n = solid_normal(&w, p, t);
        colour = through_air(c, mirrored(&w, p, n, d, t, lit_surface(&w, p, n, d, t, false)), d, t);
    } else if (c->setting == SPACE) {
        colour = space(c, from, d, v->seconds);
    } else {
        colour = sky(c, from, d, v->seconds);
        if (c->setting != SKY)
            colour = mix(colour, through_air(c, colour, d, FAR), expf(-12 * fmaxf(d.y, 0)));
        if (c->haze > 0.0012f) // fog and rain veil the clouds, too
            colour = through_air(c, colour, d, fminf(60 / fmaxf(d.y, 0.02f), FAR));
    }
    colour = setting_air(c, from, d, fminf(t, wet), v->seconds, colour);
    return subject_air(&w, from, d, fminf(t, wet), colour);
}

// To what a screen shows, 0 to 1, sRGB's curve: bright parts lose colour before they clip.
FN v3 on_screen(v3 x)
{
    v3 y = vec(1 - expf(-x.x), 1 - expf(-x.y), 1 - expf(-x.z));
    float l = luma(x), m = 1 - expf(-l);
    y = mix(y, x * (m / fmaxf(l, 1e-5f)), 0.35f);
    y = least(most(y, grey(0)), grey(1));
    return vec(powf(y.x, 1 / 2.2f), powf(y.y, 1 / 2.2f), powf(y.z, 1 / 2.2f));
}
