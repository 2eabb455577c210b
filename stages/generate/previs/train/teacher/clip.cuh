// What a clip shows, as numbers: made by spec.py, mirrored in teacher.py (struct Clip), in this
// order. World: x right, y up, z away, metres; water and ground are about y = 0. Colours are
// linear.
#pragma once
#include "vec.cuh"

enum setting {
    SEA,
    HARBOUR,
    MOUNTAINS,
    DESERT,
    FOREST,
    RIVER,
    CITY_NIGHT,
    STREET_DAY,
    SKY,
    SPACE,
    SNOW,
    INTERIOR
};
enum subject {
    NOBODY,
    SHIP,
    SAILING_BOAT,
    SUBMARINE,
    CAR,
    TRAIN,
    AEROPLANE,
    HELICOPTER,
    DRONE,
    PERSON,
    BIRDS,
    BALLOON,
    LIGHTHOUSE,
    ROCKET
};

struct clip {
    int setting, subject, count, seed;
    float sun[3], light[3];                // towards what casts shadows, sun or moon; its radiance
    float sky_top[3], sky_low[3], glow[3]; // overhead, at the horizon, around the sun
    float ambient;                         // of the sky's light, how much reaches everything
    float disc, stars, cover,
        darkness;               // of sun or moon; stars; share of clouds, and how dark they are
    float haze, haze_colour[3]; // extinction a metre
    float rain, snowing, flash; // 0 to 1; flash: second of a lightning, or below 0
    float wind, wave;           // metres a second along x; height of waves
    float snow, wet, lamps;     // on the ground, 0 to 1; lights are on, 0 to 1
    float ground[3], second[3], accent[3]; // colours of the setting
    float relief;                          // of terrain, about 1
    float exposure;
    float at[3], heading, speed, size; // the subject: where it is in the middle of the clip,
                                       // radians from +z to +x, m/s, length in metres
    float paint[3], spread;            // its colour; metres between several
    float middle;                      // seconds, when it is `at`
    float plan[4]; // of a place, see its header: chosen where the camera is placed, so
                   // that it never stands in a wall
};

// A picture's camera.
struct view {
    float at[3], right[3], up[3], forward[3];
    float zoom; // of half the picture's height, distance of the picture
    float seconds;
};

struct surface {
    v3 colour, emits;
    float shine, rough; // share of the mirror image at right angles; 0 sharp, 1 dull
};
FN surface matt(v3 colour)
{
    return surface{colour, grey(0), 0.0f, 1.0f};
}
