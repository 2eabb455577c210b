"""Where things are: space."""
import math

from framing import frame, place

# of the sun seen from the planet: how far from behind the camera, radians, its height, its light, the air's colour
SUNS = {"day": ((1.7, 2.6), (.2, .6), (3.0, 2.8, 2.5), (.25, .50, 1.0)), "dawn": ((.75, 1.15), (.02, .2), (2.4, 1.5, 1.1), (.75, .45, .55)),
        "dusk": ((.65, .95), (-.05, .1), (1.7, .75, .3), (.95, .40, .12)), "night": ((.25, .5), (.35, .6), (.30, .36, .5), (.10, .22, .5))}


def in_space(s, c, rng):
    """In space wind and wave say where the planet is, relief its radius: see space.cuh."""
    turn, height, c.light, c.haze_colour = SUNS[s["time"]]
    side = rng.choice((-1, 1))
    c.wind, c.wave, c.relief = -side * rng.uniform(.1, .5), rng.uniform(-.45, .15), rng.uniform(.35, .62)
    a, h = side * rng.uniform(*turn), rng.uniform(*height)
    c.sun = (math.cos(h) * math.sin(a), math.sin(h), math.cos(h) * math.cos(a))
    c.sky_top = c.sky_low = (.006, .008, .014)
    c.glow = (0, 0, 0)
    c.haze = c.cover = c.darkness = c.disc = c.rain = c.snowing = c.snow = c.wet = 0
    c.flash, c.stars, c.ambient, c.exposure = -1, 1, 6, 1.1
    place(s, c, rng)
    at, target, zoom = frame(s, c, rng)
    if s["subject"] == "nobody":
        target = (0, at[1] + rng.uniform(-6, 4), 0)
    return at, target, zoom
