// Vectors and small functions for the renderer: the same text is compiled by nvcc for a GPU and by
// a C++ compiler for a processor.
#pragma once
#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#define FN  static __host__ __device__ __forceinline__
#define BIG static __host__ __device__ __noinline__ // called from many places: one copy
#else
#define FN  static inline
#define BIG static
#endif

struct v2 {
    float x, y;
};
struct v3 {
    float x, y, z;
};

FN v2 vec(float x, float y)
{
    return v2{x, y};
}
FN v3 vec(float x, float y, float z)
{
    return v3{x, y, z};
}
FN v3 grey(float x)
{
    return v3{x, x, x};
}
FN v3 load(const float *p)
{
    return v3{p[0], p[1], p[2]};
}
FN v2 operator+(v2 a, v2 b)
{
    return v2{a.x + b.x, a.y + b.y};
}
FN v2 operator-(v2 a, v2 b)
{
    return v2{a.x - b.x, a.y - b.y};
}
FN v2 operator*(v2 a, float s)
{
    return v2{a.x * s, a.y * s};
}
FN v3 operator+(v3 a, v3 b)
{
    return v3{a.x + b.x, a.y + b.y, a.z + b.z};
}
FN v3 operator-(v3 a, v3 b)
{
    return v3{a.x - b.x, a.y - b.y, a.z - b.z};
}
FN v3 operator-(v3 a)
{
    return v3{-a.x, -a.y, -a.z};
}
FN v3 operator*(v3 a, v3 b)
{
    return v3{a.x * b.x, a.y * b.y, a.z * b.z};
}
FN v3 operator*(v3 a, float s)
{
    return v3{a.x * s, a.y * s, a.z * s};
}
FN v3 operator*(float s, v3 a)
{
    return a * s;
}
FN float dot(v2 a, v2 b)
{
    return a.x * b.x + a.y * b.y;
}
FN float dot(v3 a, v3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}
FN v3 cross(v3 a, v3 b)
{
    return v3{a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
FN float length(v2 a)
{
    return sqrtf(dot(a, a));
}
FN float length(v3 a)
{
    return sqrtf(dot(a, a));
}
FN v3 unit(v3 a)
{
    return a * (1 / sqrtf(dot(a, a) + 1e-20f));
}
FN v2 flat(v3 a)
{
    return v2{a.x, a.z};
}
FN float clamp(float x, float a, float b)
{
    return fminf(fmaxf(x, a), b);
}
FN float unitly(float x)
{
    return clamp(x, 0, 1);
}
FN float mix(float a, float b, float t)
{
    return a + (b - a) * t;
}
FN v3 mix(v3 a, v3 b, float t)
{
    return a + (b - a) * t;
}
FN v3 least(v3 a, v3 b)
{
    return v3{fminf(a.x, b.x), fminf(a.y, b.y), fminf(a.z, b.z)};
}
FN v3 most(v3 a, v3 b)
{
    return v3{fmaxf(a.x, b.x), fmaxf(a.y, b.y), fmaxf(a.z, b.z)};
}
FN v3 away(v3 a)
{
    return v3{fabsf(a.x), fabsf(a.y), fabsf(a.z)};
}
// 0 below a, 1 above b, without corners between.
FN float step(float a, float b, float x)
{
    float t = unitly((x - a) / (b - a));
    return t * t * (3 - 2 * t);
}
FN float fraction(float x)
{
    return x - floorf(x);
}
FN v2 turn(v2 p, float angle)
{
    float c = cosf(angle), s = sinf(angle);
    return v2{c * p.x - s * p.y, s * p.x + c * p.y};
}
// About the upright axis; x right, y up, z away.
FN v3 turn_y(v3 p, float angle)
{
    v2 q = turn(v2{p.x, p.z}, angle);
    return v3{q.x, p.y, q.y};
}
FN v3 reflect(v3 d, v3 n)
{
    return d - n * (2 * dot(d, n));
}
FN float luma(v3 c)
{
    return 0.2126f * c.x + 0.7152f * c.y + 0.0722f * c.z;
}

// ---- chance and noise

FN uint32_t scramble(uint32_t x)
{
    x = x * 747796405u + 2891336453u;
    x = ((x >> ((x >> 28) + 4)) ^ x) * 277803737u;
    return (x >> 22) ^ x;
}
FN float chance(uint32_t x)
{
    return (float)(scramble(x) >> 8) * (1.0f / 16777216.0f);
}
FN float chance(int x, int y, uint32_t seed)
{
    return chance((uint32_t)x * 73856093u ^ scramble((uint32_t)y + seed * 19349663u));
}
FN float chance(int x, int y, int z, uint32_t seed)
{
    return chance(x, y, scramble((uint32_t)z + seed * 83492791u));
}
// Smooth, 0 to 1, a lattice of 1.
FN float noise(v2 p, uint32_t seed)
{
    float fx = floorf(p.x), fy = floorf(p.y), u = p.x - fx, v = p.y - fy;
    int x = (int)fx, y = (int)fy;
    u = u * u * u * (u * (u * 6 - 15) + 10);
    v = v * v * v * (v * (v * 6 - 15) + 10);
    float a = mix(chance(x, y, seed), chance(x + 1, y, seed), u);
    float b = mix(chance(x, y + 1, seed), chance(x + 1, y + 1, seed), u);
    return mix(a, b, v);
}
FN float noise(v3 p, uint32_t seed)
{
    float fz = floorf(p.z), w = p.z - fz;
    w = w * w * (3 - 2 * w);
    uint32_t at = (uint32_t)(int)fz;
    return mix(noise(v2{p.x, p.y}, seed + at * 7919u), noise(v2{p.x, p.y}, seed + (at + 1) * 7919u),
               w);
}
// The next octave's place: twice as fine, and turned or moved against the one before.
FN v2 finer(v2 p)
{
    return vec(1.6f * p.x - 1.2f * p.y + 17.3f, 1.2f * p.x + 1.6f * p.y - 9.1f);
}
FN v3 finer(v3 p)
{
    return vec(2.02f * p.x + 3.1f, 2.02f * p.y - 7.7f, 2.02f * p.z + 1.9f);
}
// Octaves of noise in a plane or in space; 0 to 1.
template <typename V> FN float fbm(V p, int octaves, uint32_t seed)
{
    float sum = 0, size = 0.5f, all = 0;
    for (int i = 0; i < octaves; i++) {
        sum += size * noise(p, seed + i);
        all += size;
        size *= 0.5f;
        p = finer(p);
    }
    return sum / all;
}
// Sharp crests; 0 to 1.
FN float ridges(v2 p, int octaves, uint32_t seed)
{
    float sum = 0, size = 0.5f, all = 0, before = 1;
    for (int i = 0; i < octaves; i++) {
        float n = 1 - fabsf(2 * noise(p, seed + i) - 1);
        n *= n;
        sum += size * n * before;
        all += size;
        before = n;
        size *= 0.5f;
        p = finer(p);
    }
    return sum / all;
}

// ---- shapes: distances, negative inside

FN float sphere(v3 p, float r)
{
    return length(p) - r;
}
FN float ball(v3 p, v3 r) // an ellipsoid, about
{
    v3 q = vec(p.x / r.x, p.y / r.y, p.z / r.z), g = vec(q.x / r.x, q.y / r.y, q.z / r.z);
    float k = length(q);
    return k * (k - 1) / fmaxf(length(g), 1e-6f);
}
FN float box(v3 p, v3 half)
{
    v3 q = away(p) - half;
    return length(most(q, grey(0))) + fminf(fmaxf(q.x, fmaxf(q.y, q.z)), 0);
}
FN float round_box(v3 p, v3 half, float r)
{
    return box(p, half - grey(r)) - r;
}
FN float capsule(v3 p, v3 a, v3 b, float r)
{
    v3 pa = p - a, ba = b - a;
    return length(pa - ba * unitly(dot(pa, ba) / dot(ba, ba))) - r;
}
// Upright, of half height h.
FN float cylinder(v3 p, float r, float h)
{
    float dx = length(flat(p)) - r, dy = fabsf(p.y) - h;
    return fminf(fmaxf(dx, dy), 0) + length(vec(fmaxf(dx, 0), fmaxf(dy, 0)));
}
// Upright, radius a at -h and b at h.
FN float cone(v3 p, float h, float a, float b)
{
    float r = mix(a, b, unitly((p.y + h) / (2 * h))), slope = (a - b) / (2 * h);
    return fmaxf((length(flat(p)) - r) / sqrtf(1 + slope * slope), fabsf(p.y) - h);
}
FN float joined(float a, float b, float r) // without a crease
{
    float h = fmaxf(r - fabsf(a - b), 0) / r;
    return fminf(a, b) - h * h * r * 0.25f;
}
