// Water about y = 0: height, normal, and where a ray meets it.
#pragma once
#include "clip.cuh"

FN bool has_water(const clip *c)
{
    return c->setting == SEA || c->setting == HARBOUR || c->setting == RIVER ||
           (c->setting == MOUNTAINS && c->wave > 0); // a lake
}

// A wave: sharper crests than troughs, -0.6 to 1.
FN float swell(v2 p, float angle, float length, float phase, float seconds)
{
    float k = 6.2832f / length, w = sqrtf(9.8f * k);
    float x = (p.x * cosf(angle) + p.y * sinf(angle)) * k - w * seconds + phase,
          s = 0.5f + 0.5f * sinf(x);
    return 1.6f * (0.35f * s + 0.65f * s * s) - 0.6f;
}

// Swell before the wind, waves across it, and chop that grows finer; octaves: detail, of which the
// first two are swell. Between -0.75 and 1 times clip.wave.
BIG float wave_height(const clip *c, v2 p, float seconds, int octaves)
{
    const float size = c->wave, main = 9 + 24 * size,
                turned = (c->wind < 0 ? 3.1416f : 0) + 0.7f * (chance(c->seed + 501u) - 0.5f);
    // no crest is endless: groups of waves pass, and lines bend
    v2 slow = p * (0.55f / main);
    float bend = noise(vec(slow.x - 0.05f * seconds, slow.y), c->seed + 502) - 0.5f;
    v2 q = vec(p.x + bend * main * 0.65f, p.y + bend * main * 0.4f);
    float sum = size * (0.47f + 0.5f * bend) * swell(q, turned, main, 0, seconds);
    if (octaves > 1)
        sum += size * (0.34f - 0.25f * bend) * swell(q, turned + 0.72f, main * 0.67f, 2, seconds);
    if (octaves > 2)
        sum += size * 0.24f * swell(q, turned - 0.80f, main * 0.43f, 4, seconds);
    float high = 0.05f + 0.15f * size / (1 + 0.25f * size), scale = 2.6f / main, speed = 0.9f;
    v2 r = turn(p, -turned);
    for (int i = 3; i < octaves; i++) {
        float s = seconds * speed;
        float one = noise(vec(r.x * scale - s, r.y * scale * 0.55f + i * 3.7f), c->seed + 500 + i);
        float two = noise(vec(r.x * scale * 0.9f - s * 0.7f, r.y * scale * 0.8f - s * 0.25f),
                          c->seed + 540 + i);
        float crest = 1 - fabsf(one + two - 1);
        sum += fminf(high, size * 0.35f) * (crest * crest - 0.45f);
        high *= 0.47f;
        scale *= 2.15f;
        speed *= 1.45f;
        r = turn(r, 0.55f);
    }
    return sum;
}

// Rings where drops fall: the slope they give.
FN v2 rings(const clip *c, v2 p, float seconds)
{
    v2 sum = vec(0, 0);
    for (int i = 0; i < 2; i++) {
        v2 q = p * (i ? 1.7f : 2.6f) + vec(i * 7.3f, i * 3.1f);
        int x = (int)floorf(q.x), y = (int)floorf(q.y);
        float start = chance(x, y, 31u + i), age = fraction(seconds * 1.3f + start);
        int round = (int)floorf(seconds * 1.3f + start);
        v2 off = q - vec(x + 0.3f + 0.4f * chance(x, y, round, 33u),
                         y + 0.3f + 0.4f * chance(x, y, round, 34u));
        float away = length(off), ring = (away - 0.45f * age) * 14;
        if (fabsf(ring) < 3.14f)
            sum = sum + off * (sinf(ring) * (1 - age) / (away + 0.05f));
    }
    return sum * (0.28f * c->rain);
}

FN v3 wave_normal(const clip *c, v2 p, float seconds, float far)
{
    int octaves = far < 40 ? 8 : far < 120 ? 7 : far < 350 ? 6 : 5;
    float e = 0.03f + far * 0.0012f;
    float h = wave_height(c, p, seconds, octaves);
    float dx = (wave_height(c, vec(p.x + e, p.y), seconds, octaves) - h) / e;
    float dz = (wave_height(c, vec(p.x, p.y + e), seconds, octaves) - h) / e;
    float calm =
        1 /
        (1 + far * 0.003f); // what is smaller than a pixel is a duller mirror, not a rougher one
    if (c->rain > 0 && far < 45) {
        v2 r = rings(c, p, seconds);
        dx += r.x * (1 - far / 45), dz += r.y * (1 - far / 45);
    }
    return unit(vec(-dx * calm, 1, -dz * calm));
}

// White on the water, 0 to 1: breaking crests, and in a storm streaks along the wind; height: over
// clip.wave.
FN float froth(const clip *c, v2 p, float height, float seconds, float far)
{
    if (c->wave < 0.4f)
        return 0;
    const float turned = (c->wind < 0 ? 3.1416f : 0) + 0.7f * (chance(c->seed + 501u) - 0.5f),
                storm = step(0.9f, 2.2f, c->wave);
    v2 r = turn(p, -turned);
    int octaves = far < 150 ? 5 : 4;
    float patch = fbm(vec(r.x * 0.35f - seconds * 0.5f, r.y * 0.22f), octaves, c->seed + 610);
    float cap = step(0.62f - 0.25f * storm, 1.0f - 0.1f * storm, height + 1.5f * (patch - 0.5f)) *
                step(0.4f, 1.3f, c->wave);
    cap *= step(
        0.30f, 0.62f,
        noise(vec(r.x * 0.045f - seconds * 0.2f, r.y * 0.06f), c->seed + 612)); // here and there
    float line = 0;
    if (storm > 0)
        line = step(0.56f, 0.72f,
                    fbm(vec(r.x * 0.07f - seconds * 0.15f, r.y * 0.55f), octaves, c->seed + 620)) *
               storm * 0.55f;
    float fine =
        step(0.38f, 0.62f, fbm(r * 1.7f - vec(seconds * 0.6f, 0), far < 60 ? 4 : 2, c->seed + 630));
    return unitly(cap * (0.2f + 0.8f * fine) +
                  line * (0.4f + 0.6f * fine) * (0.6f + 0.4f * step(-0.3f, 0.5f, height)));
}

// Distance along the ray, or `most`.
BIG float meet_water(const clip *c, v3 from, v3 d, float seconds, float most)
{
    float top = 1.2f * c->wave + 0.02f, low = -0.85f * c->wave - 0.02f;
    float a = 0, b;
    if (d.y > -1e-4f && from.y > top)
        return most;
    if (fabsf(d.y) < 1e-4f)
        return most;
    a = fmaxf((top - from.y) / d.y, 0);
    b = (low - from.y) / d.y;
    if (b < 0 || a > most)
        return most;
    if (c->wave < 0.05f || a > 900)
        return fminf(-from.y / d.y > 0 ? -from.y / d.y : most, most);
    float t = a, before = a;
    for (int i = 0; i < 44; i++) {
        v3 p = from + d * t;
        float over = p.y - wave_height(c, flat(p), seconds, 4);
        if (over < 0.002f * t)
            break;
        before = t;
        t += fmaxf(over * 0.7f / (0.25f + fabsf(d.y)), 0.02f + 0.007f * t);
        if (t > b)
            return fminf(b, most);
    }
    for (int i = 0; i < 4; i++) {
        float m = 0.5f * (before + t);
        v3 p = from + d * m;
        if (p.y > wave_height(c, flat(p), seconds, 4))
            before = m;
        else
            t = m;
    }
    return fminf(t, most);
}
