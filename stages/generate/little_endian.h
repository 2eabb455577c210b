/* Little-endian fields of stored blobs, read and written through a moving pointer. */
#ifndef AUTEUR_STAGES_GENERATE_LITTLE_ENDIAN_H
#define AUTEUR_STAGES_GENERATE_LITTLE_ENDIAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void put_u32(uint8_t **p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        *(*p)++ = (uint8_t)(v >> 8 * i);
}

static inline void put_u64(uint8_t **p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p, (uint32_t)(v >> 32));
}

static inline void put_f64(uint8_t **p, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u64(p, bits);
}

static inline void put_floats(uint8_t **p, const float *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, v + i, sizeof bits);
        put_u32(p, bits);
    }
}

static inline uint32_t get_u32(const uint8_t **p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v |= (uint32_t) * (*p)++ << 8 * i;
    return v;
}

static inline uint64_t get_u64(const uint8_t **p)
{
    uint64_t low = get_u32(p);
    return low | (uint64_t)get_u32(p) << 32;
}

static inline double get_f64(const uint8_t **p)
{
    uint64_t bits = get_u64(p);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline void get_floats(const uint8_t **p, float *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = get_u32(p);
        memcpy(v + i, &bits, sizeof bits);
    }
}

#endif
