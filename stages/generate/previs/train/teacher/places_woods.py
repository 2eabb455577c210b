"""Where things are: forest, river."""
import math
import random

from framing import HEIGHT, flying, frame, place, sought
from teacher import ground

# leaves, bark and litter by the season and the kind of wood
LEAVES = ((.035, .10, .025), (.045, .12, .02), (.025, .075, .03), (.07, .13, .02), (.30, .13, .015), (.24, .17, .02), (.26, .06, .015))
BARKS = ((.10, .065, .04), (.07, .055, .045), (.14, .10, .075), (.16, .085, .05))
CLEARING = {"person": 4.5, "car": 7, "drone": 4.5, "train": 4, "nobody": 0}


def season(c, field):
    """Summer's greens, or autumn's colours, as the place has them."""
    there = random.Random(c.seed)
    setattr(c, field, there.choice(LEAVES[:4] if there.random() < .72 else LEAVES[4:]))


def back(c, at):
    x, z = (b + 1.4 * (a - b) for a, b in ((at[0], c.at[0]), (at[2], c.at[2])))
    return x, max(at[1], ground(c, x, z) + 1.2), z


def forest(s, c, rng):
    place(s, c, rng)
    season(c, "second")
    c.accent = BARKS[c.seed % len(BARKS)]
    if s["time"] in ("night", "dusk"): # an eye opens under trees
        c.exposure *= 1.3
    subject, aerial = s["subject"], s["move"] == "aerial"
    c.wave = CLEARING.get(subject, 5) * rng.uniform(.9, 1.3) + (9 if aerial and subject != "nobody" else 0)
    if subject in ("car", "person", "drone"): # room for several abreast
        c.wave += .6 * (c.count - 1) * c.spread
    if subject in ("car", "train"):
        c.speed *= .5
    if subject in ("person", "car", "train"):
        c.heading = rng.choice((0, math.pi))
    over = {"helicopter": 30, "aeroplane": 42, "balloon": 32, "birds": 25}.get(subject, 0) # metres: over the trees' tops
    if subject == "drone":
        c.heading = rng.uniform(-math.pi, math.pi)
    c.at = (0, rng.uniform(1.8, 4.5) if subject == "drone" else over * rng.uniform(1, 1.3) if over else ground(c, 0, 0), 0)

    def shot():
        if subject in HEIGHT:
            return flying(s, c, rng, .75 * over or 1.2)
        if subject == "nobody":
            z = -rng.uniform(6, 30)
            x = rng.uniform(-1.2, 1.2) + (rng.uniform(-6, 6) if rng.random() < .5 else 0)
            zoom = rng.uniform(1.3, 1.9)
            if aerial:
                height = rng.uniform(30, 48)
                return (x, height, z - 40), (x + rng.uniform(-20, 20), rng.uniform(2, 14), z + rng.uniform(30, 70)), zoom
            height = ground(c, x, z) + rng.uniform(1.2, 2.6)
            return (x, height, z), (x + rng.uniform(-5, 5), height + rng.uniform(-.6, 2.4), z + rng.uniform(10, 18)), zoom
        if subject == "train":
            side, zoom = rng.choice((-1, 1)), rng.uniform(1.3, 1.8)
            if aerial:
                return (side * rng.uniform(3, 12), rng.uniform(30, 42), -rng.uniform(45, 65)), (0, 2, rng.uniform(-12, 0)), zoom
            lead = 30 if c.heading else -30 # the end that comes first, towards the camera or away
            x, z = side * rng.uniform(4.2, 5.0), -rng.uniform(42, 60)
            return (x, ground(c, x, z) + rng.uniform(1.4, 3.2), z), (0, 2.2, z * .25 + min(lead, 0) * .3), zoom
        at, target, zoom = frame(s, c, rng, lowest=1.2)
        if subject == "person": # who walks some metres
            at = back(c, at)
        if aerial: # steeply down into the clearing
            d = rng.uniform(20, 30)
            a = rng.uniform(-.5, .5)
            at = (math.sin(a) * d, c.at[1] + d * rng.uniform(.95, 1.5), -math.cos(a) * d)
            zoom *= 1.35
        return at, target, zoom

    return sought(s, c, rng, shot, room=.35)


def river(s, c, rng):
    place(s, c, rng)
    season(c, "accent")
    subject, aerial = s["subject"], s["move"] == "aerial"
    half = next((x / 4 for x in range(4, 160) if ground(c, x / 4, 0) > .9), 14) # where the bank is
    if subject in ("sailing_boat", "ship"):
        c.at = (0, 0, 0)
        c.heading = rng.choice((0, math.pi)) + rng.uniform(-.15, .15)
        c.spread = min(c.spread, half * .7)
        c.size = min(.8 * c.size, 30)
        c.speed = min(c.speed, 4)
    elif subject == "person":
        side = rng.choice((-1, 1))
        x = side * next((x / 4 for x in range(4, 160) if ground(c, side * x / 4, 0) > .9), 14) + side * 1.5
        slope = [next((x / 4 for x in range(4, 160) if ground(c, side * x / 4, z) > .9), 14) * side for z in (-2, 2)]
        c.at = (x, ground(c, x, 0), 0)
        c.heading = rng.choice((0, math.pi)) + math.atan2(slope[1] - slope[0], 4)
    elif subject == "train":
        c.at, c.heading = (0, 7.35, 0), rng.choice((-1, 1)) * math.pi / 2
        c.speed *= .5
    elif subject == "birds":
        c.at = (0, rng.uniform(3, 9), 0)

    def shot():
        if subject in HEIGHT:
            return flying(s, c, rng, 1.5)
        zoom = rng.uniform(1.3, 2.0)
        if subject == "nobody":
            z = -rng.uniform(10, 50)
            x = rng.uniform(-half, half)
            height = rng.uniform(22, 45) if aerial else max(ground(c, x, z), 0) + rng.choice((rng.uniform(1.3, 3), rng.uniform(3, 9)))
            return (x, height, z - 20), (rng.uniform(-12, 12), height * (.1 if aerial else .85) + rng.uniform(-.5, 2), z + 20), zoom
        if subject == "train":
            x, z = rng.uniform(-half * 1.4, half * 1.4), -rng.uniform(42, 66)
            height = max(ground(c, x, z), 0) + (rng.uniform(22, 36) if aerial else rng.uniform(2, 9))
            return (x, height, z), (rng.uniform(-6, 6), 6, 0), zoom
        at, target, zoom = frame(s, c, rng, lowest=1.3)
        return (back(c, at) if subject == "person" else at), target, zoom

    return sought(s, c, rng, shot, room=.5)


PLACES = {"forest": forest, "river": river}
