"""Where things are: interior. clip.plan: see room_things.cuh."""
import math
import random

from light import luma

# kind: width, height, depth
ROOMS = {1: ((5.0, 6.6), (2.6, 3.0), (6.6, 8.2)), 2: ((4.6, 5.8), (2.5, 2.8), (5.8, 7.0)), 3: ((7, 9.5), (2.8, 3.1), (8.5, 11)),
         4: ((10, 14), (5.2, 7), (16, 22)), 5: ((4.6, 5.8), (2.5, 2.8), (6.4, 7.6))}
SWING = .45  # the sine of an orbit's largest turn to a side


def interior(s, c, rng):
    there = random.Random(c.seed)
    kind = there.choice(list(ROOMS))
    w, h, d = (there.uniform(*x) for x in ROOMS[kind])
    side = there.choice((-1, 1))
    c.plan = (w, h, d, side * kind)
    # the sun shines in
    high, level = c.sun[1], math.hypot(c.sun[0], c.sun[2])
    a = rng.uniform(-.35, .9)
    c.sun = (side * math.cos(a) * level, high, math.sin(a) * level)
    c.ambient *= .5
    c.exposure *= {"day": 1.6, "dawn": 1.25, "dusk": 1.05, "night": .8}[s["time"]]
    if s["time"] == "day":  # dull weather: the lens opens
        c.exposure *= min(2.2, max(1, .75 / max(luma(tuple(c.sky_low)), .1)))
    c.haze *= .02 if s["weather"] != "fog" else .3
    rain = (c.rain, c.snowing)
    c.rain = c.snowing = c.wet = 0  # nothing falls indoors
    c.snow = 1.0 if rain[1] else 0
    zoom = rng.uniform(1.15, 1.6)
    move = s["move"]
    walks = s["subject"] == "person"
    front = -.5 * d + .45
    if walks:
        c.speed *= rng.choice((0, .45, .6))
        c.spread = rng.uniform(.9, 1.2)
        c.at = (rng.uniform(-.12, .12) * w, 0, rng.uniform(-.06, .0) * d)
        c.heading = rng.choice((-1, 1)) * rng.uniform(1.35, 1.75) if s["count"] == 1 else math.pi + rng.uniform(-.25, .25)
        if s["count"] > 1:
            c.speed *= .5
        target = (c.at[0] * .8, rng.uniform(.85, 1.1), c.at[2])
        distance = rng.uniform(2.6, 3.8) if kind != 4 else rng.uniform(3.2, 6)
    elif s["subject"] != "nobody":  # small, or a model of what is large
        c.size, c.speed = min(c.size, rng.uniform(.9, 1.2) * {"train": 1.7, "submarine": 1.7, "ship": 1.7, "birds": 2.2, "lighthouse": 1.4, "rocket": 1.3}.get(s["subject"], 1)), min(c.speed, .5)
        c.spread = c.size * 1.1
        flies = s["subject"] in ("drone", "birds", "helicopter", "aeroplane", "balloon")
        c.at = (rng.uniform(-.1, .1) * w, rng.uniform(1.2, 1.6) if flies else .05, -.05 * d)
        c.heading = rng.choice((-1, 1)) * rng.uniform(1.0, 1.9)
        target, distance = (c.at[0], c.at[1] + (.1 if flies else .3), c.at[2]), rng.uniform(1.9, 2.6)
        zoom *= 1 if flies else 1.25
    else:
        target = (rng.uniform(-.1, .1) * w, rng.uniform(.9, 1.2) if kind != 4 else 1.8, .3 * d)
        distance, zoom = d, zoom * 1.2
    # room for what the move takes
    most = target[2] - front
    if move in ("dolly_in", "dolly_out"):
        most /= 1.27
    elif move == "aerial":
        most /= 1.32
    elif move == "tracking":
        most -= .7
    if move == "orbit":
        most = min(most, ((.5 if kind != 4 else .31) * w - .5 - .3 * abs(target[0])) / SWING)
    distance = min(distance, most)
    free = .5 * w - .55 if kind != 4 else .3 * w
    x = target[0] + rng.uniform(-.5, .5) * distance
    if move == "orbit":
        x = target[0] * .3
    x = max(-free + .3, min(free - .3, x)) / (1.3 if move in ("aerial", "dolly_out") else 1)
    y = rng.uniform(1.25, 1.65) if move != "aerial" else h - rng.uniform(.35, .5) if kind != 4 else .42 * h
    return (x, y, target[2] - distance), target, zoom


PLACES = {"interior": interior}
