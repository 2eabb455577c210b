// The subjects: distances in their own frame (x right, y up, z forward, the length is 1; what swims
// has its waterline and what stands its ground at y = 0, what flies its middle), and what they are
// made of. Files: vessels.cuh, vehicles.cuh (car, train), flyers.cuh, people.cuh (person, birds),
// towers.cuh (balloon, lighthouse, rocket), materials.cuh, poses.cuh (where each is), glow.cuh
// (lamps' halos, rotors, smoke).
#pragma once
#include "clip.cuh"

namespace subjects_
{ // its names are also used by places

struct part {
    float d;
    int material;
};
enum material {
    PAINT,
    PALE,
    DEEP,
    WHITE,
    CREAM,
    DARK,
    STEEL,
    GLASS,
    RUBBER,
    WOOD,
    SKIN,
    HAIR,
    LEGS,
    SHOES,
    BAG,
    FLAME,
    LENS,
    HULL,
    HOUSE,
    BRIDGE,
    BOXES,
    SAIL,
    CAR_BODY,
    CAR_CABIN,
    WHEEL,
    CARRIAGE,
    LOCOMOTIVE,
    BALLAST,
    RAIL,
    FUSELAGE,
    WING,
    HELI_BODY,
    COAT,
    ENVELOPE,
    BANDS,
    ROCK,
    GIRDER,
    STAGE,
    PAD,
    BIRD
};

FN void add(part *to, float d, int material)
{
    if (d < to->d)
        *to = part{d, material};
}
// The larger, without a crease.
FN float cut(float a, float b, float r)
{
    return -joined(-a, -b, r);
}
// A box whose sides lean inwards by `lean` a unit of height.
FN float block(v3 p, v3 half, float lean)
{
    float in = lean * (p.y + half.y);
    return fmaxf(fmaxf(fabsf(p.x) - half.x + in, fabsf(p.z) - half.z + in), fabsf(p.y) - half.y) *
           0.93f;
}
// Which of a subject's kinds a clip shows: spec.py reckons alike, to give it the right length.
FN int kind(const clip *c, int of)
{
    return (c->seed >> 3) % of;
}

#include "vessels.cuh"
#include "vehicles.cuh"
#include "flyers.cuh"
#include "people.cuh"
#include "towers.cuh"
#include "materials.cuh"

// A box about everything, from its middle, in the subject's frame.
FN void subject_bound(const clip *c, v3 *middle, v3 *half)
{
    switch (c->subject) {
    case SHIP:
        *middle = vec(0, 0.15f, 0), *half = vec(0.15f, 0.30f, 0.56f);
        break;
    case SAILING_BOAT:
        *middle = vec(0, 0.42f, 0), *half = vec(0.22f, 0.53f, 0.47f);
        break;
    case SUBMARINE:
        *middle = vec(0, 0.06f, 0), *half = vec(0.09f, 0.17f, 0.52f);
        break;
    case CAR:
        *middle = vec(0, 0.22f, 0), *half = vec(0.23f, 0.24f, 0.51f);
        break;
    case TRAIN:
        *middle = vec(0, 0.080f, 0), *half = vec(0.045f, 0.085f, 0.68f);
        break;
    case AEROPLANE:
        *middle = vec(0, 0.03f, -0.01f), *half = vec(0.66f, 0.22f, 0.54f);
        break;
    case HELICOPTER:
        *middle = vec(0, 0.02f, 0), *half = vec(0.52f, 0.25f, 0.60f);
        break;
    case DRONE:
        *middle = vec(0, 0, 0), *half = vec(0.44f, 0.20f, 0.44f);
        break;
    case PERSON:
        *middle = vec(0, 0.5f, 0), *half = vec(0.22f, 0.54f, 0.34f);
        break;
    case BIRDS:
        *middle = vec(0, 0, 0), *half = vec(0.52f, 0.34f, 0.42f);
        break;
    case BALLOON:
        *middle = vec(0, 0, 0), *half = vec(0.40f, 0.52f, 0.40f);
        break;
    case LIGHTHOUSE:
        *middle = vec(0, 0.40f, 0), *half = vec(0.50f, 0.56f, 0.50f);
        break;
    default:
        *middle = vec(0, 0.40f, 0), *half = vec(0.22f, 0.58f, 0.22f);
        if (c->setting == SPACE)
            *middle = grey(0), *half = vec(0.22f, 0.22f, 0.58f);
    }
}

BIG part subject_part(const clip *c, v3 p, int i, float seconds)
{
    switch (c->subject) {
    case SHIP:
        return ship(c, p);
    case SAILING_BOAT:
        return sailing_boat(c, p, i, seconds);
    case SUBMARINE:
        return submarine(p);
    case CAR:
        return car(c, p);
    case TRAIN:
        return train(c, p);
    case AEROPLANE:
        return aeroplane(c, p, seconds);
    case HELICOPTER:
        return helicopter(p, i, seconds);
    case DRONE:
        return drone(p, i, seconds);
    case PERSON:
        return person(c, p, i, seconds);
    case BIRDS:
        return bird(c, p, i, seconds);
    case BALLOON:
        return balloon(p);
    case LIGHTHOUSE:
        return lighthouse(c, p);
    default:
        return rocket(c, p);
    }
}

} // namespace subjects_
