"""Where things are: the sea."""
import math
import random

from framing import HEIGHT, flying, frame, place, sought

WATERS = ((.020, .085, .115), (.012, .055, .11), (.025, .13, .14), (.03, .085, .075), (.028, .06, .075))


def at_sea(s, c, rng):
    there = random.Random(c.seed)
    c.ground = there.choice(WATERS if s["weather"] in ("clear", "cloudy") else WATERS[:1] + WATERS[3:])
    place(s, c, rng)
    if s["subject"] == "lighthouse":
        c.at = (0, .168 * c.size, 0)
    if s["subject"] == "birds":
        c.at = (0, rng.uniform(3, 9) + 1.5 * c.wave, 0)

    def shot():
        if s["subject"] in HEIGHT:
            return flying(s, c, rng, 2 + 1.6 * c.wave)
        at, target, zoom = frame(s, c, rng, empty=40, lowest=1.7 + 2.6 * c.wave)
        if c.wave > 1.2 and c.size > 20: # nearer in a storm, or waves and rain hide it
            at = tuple(a + (b - a) * k for a, b, k in zip(at, c.at, (.3, 0, .3)))
        if s["subject"] == "nobody":
            # out over the waves, the horizon above or below the middle
            target = (target[0], at[1] + math.dist(at, target) * rng.uniform(-.16, .05), target[2])
        return at, target, zoom

    return sought(s, c, rng, shot, room=1.2)
