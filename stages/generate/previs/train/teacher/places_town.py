"""Where things are: harbour, city night, street day.

clip.plan of a street: see town_blocks.cuh. Buildings stand beyond half a street's width from x = 0, so a camera
within that is free wherever it goes along z; parked cars and trees narrow it near the ground.
"""
import math
import random

from framing import HEIGHT, SMALL, farther

SWING = .45  # the sine of an orbit's largest turn to a side


def kerb_at(c):
    return .5 * c.plan[2] - min(max(.2 * c.plan[2], 2.6), 5)


def street(s, c, rng, city):
    there = random.Random(c.seed)
    wide = there.uniform(27, 38) if city else there.uniform(24, 27)
    c.plan = (wide + there.uniform(52, 78), there.uniform(84, 120), wide, there.uniform(15, 22)) if city else \
             (wide + there.uniform(33, 44), there.uniform(92, 120), wide, there.uniform(11, 15))
    c.exposure *= {"day": 1.3, "dawn": 1.12, "dusk": .88, "night": .68}[s["time"]]
    if city:  # its own light hides stars and what is far
        c.haze = max(c.haze, .0035)
        if s["time"] == "night":
            c.stars, c.sky_low, c.sky_top = 0, there.choice(((.055, .030, .055), (.025, .035, .080))), (.004, .006, .022)
            c.haze_colour = tuple(.7 * x for x in c.sky_low)
    kerb, along = kerb_at(c), rng.choice((0, math.pi))
    lanes = kerb - 2.2 > 6
    lamp = rng.choice((-.5, .5)) * (26 if city else 22)  # where lamps stand, as in lamp_gap() of town_things.cuh
    subject = s["subject"]
    low, high = HEIGHT.get(subject, (0, 0))
    c.at, c.heading = (0, rng.uniform(low, high), 0), along + rng.uniform(-.25, .25)
    side = 1 if along == 0 else -1  # one drives on the right
    if subject == "car":
        lane = .27 * (kerb - 2.2) if lanes else .5 * (kerb - 2.2)
        c.at, c.heading = ((side * lane if s["count"] == 1 else 0), 0, lamp + rng.uniform(-3, 3)), along
        c.spread = min(max(c.spread, 3.1), 3.5)
        if s["count"] == 1 and s["move"] != "tracking" and rng.random() < .4:  # on a street across
            c.heading = rng.choice((-math.pi / 2, math.pi / 2))
            c.at = (rng.uniform(-1, 1), 0, .5 * c.plan[1] - math.copysign(.16 * c.plan[3], c.heading))
            c.speed *= .6
            zoom, free = rng.uniform(1.3, 1.8), kerb - 2.6
            distance = rng.uniform(5.5, 9) if s["move"] != "aerial" else 22
            x = max(-free, min(free, rng.uniform(-.6, .6) * distance)) * (.3 if s["move"] == "orbit" else 1)
            y = rng.uniform(1.9, 2.9) if s["move"] != "aerial" else rng.uniform(9, 16)
            return (x, y, c.at[2] - distance), (c.at[0], .9, c.at[2]), zoom
    elif subject == "train":
        # along the street; the camera stands before its nearer end, and beside its way
        c.at, c.heading, c.speed = (side * 2.0, 0, 0), along, rng.uniform(4, 8)
        near, x = rng.uniform(15, 24) + .5 * c.size, c.at[0] - side * rng.uniform(4, 6)
        y = rng.uniform(2.1, 4) if s["move"] != "aerial" else rng.uniform(12, 25)
        if s["move"] == "orbit":
            near, x, c.speed = .5 * c.size + 8, -.5 * side, 2
        return (x, y, -near), (c.at[0] * .5, 2, -.5 * c.size + 4), rng.uniform(1.3, 1.9)
    elif subject == "person":
        c.spread = rng.uniform(1.2, 1.7)
        c.at, c.heading = (rng.uniform(-1.5, 1.5), 0, lamp + rng.uniform(-1.5, 1.5)), rng.choice((-1, 1)) * math.pi / 2  # across: parked cars hide the pavements
    elif subject == "birds":
        c.at = (rng.uniform(-3, 3), rng.uniform(7, 14), 0)
    elif subject == "helicopter":
        c.at = (0, rng.uniform(22, 60) if city else rng.uniform(30, 45), 0)
    elif subject == "aeroplane":
        c.at = (0, rng.uniform(240, 300) if city else rng.uniform(60, 110), 0)
    elif subject == "balloon":
        c.at = (0, rng.uniform(35, 75), 0)
    elif subject == "drone":
        c.at = (rng.uniform(-2, 2), rng.uniform(2.5, 7), 0)
    if subject == "nobody":
        return view_of_street(s, c, rng, city, kerb)
    small = subject in SMALL
    zoom = rng.uniform(1.2, 1.8) * (1.35 if small or subject == "car" else 1)
    size = c.size
    distance = size * zoom * (rng.uniform(.6, 1.0) if subject == "car" else rng.uniform(.8, 1.25)) + (1.6 if subject in ("car", "drone") else .8)
    distance = max(distance, 3.2) * (farther(s, c) if subject in ("drone", "helicopter", "birds") else 1)
    if s["move"] != "tracking" and subject != "person":  # what goes along the street stays in front of the camera
        c.speed *= .3 if s["move"] == "orbit" else .65
        distance = max(distance, c.speed * (.6 if small else 1) + .8 * size + (2 if small else 4))
    flies = c.at[1] > 0
    # how far from the middle of the street the camera may be
    free = (.5 * c.plan[2] - 2.5) / 1.3 if c.at[1] > 12 else kerb - 2.6 - (1.7 if s["move"] == "tracking" and subject == "person" else 0)
    if c.at[1] > (235 if city else 32):  # over all roofs
        free = 200
    low_free = .76 * (kerb - 2.2) - 2.2 if lanes else kerb - 3.4
    if s["move"] == "orbit":
        distance = max(3.0, min(distance, (free - min(abs(c.at[0]), free * .6)) / SWING))
    target = (c.at[0], c.at[1] + size * (.65 if subject == "person" else .15) + (0 if flies else .2), c.at[2])
    if s["move"] == "aerial":
        y = c.at[1] + rng.uniform(9, 20) * (.13 if small else 1)
        d = max(distance, rng.uniform(22, 34) * (.25 if small else .75 if subject == "person" else 1))
        x = max(-free, min(free, c.at[0]))
        return (x, y, c.at[2] - d), target, zoom
    angle = rng.uniform(-.7, .7)
    if s["move"] == "orbit":
        angle *= .15
    x = c.at[0] + math.sin(angle) * distance
    x = max(-free, min(free, x))
    if s["move"] == "orbit" and abs(c.at[0]) > free:  # on a pavement: from the road
        x = c.at[0] - math.copysign(min(distance * .6, 4), c.at[0])
    z = c.at[2] - math.sqrt(max(distance ** 2 - (x - c.at[0]) ** 2, distance ** 2 * .2))
    if flies:
        y = c.at[1] + distance * rng.uniform(-.12, .35) if c.at[1] > 12 else max(1.8, c.at[1] - distance * rng.uniform(0, .4))
        y = max(y, (2.3 + .27 * target[1]) / 1.27)  # a dolly may go down again
    else:  # over the roofs of cars where there may be some
        y = rng.uniform(2.1, 2.9) if abs(x) > low_free else rng.uniform(1.4, 1.9 if subject == "person" else 2.6)
    return (x, y, z), target, zoom


def view_of_street(s, c, rng, city, kerb):
    """Nobody there: along the street, over it, or from the air."""
    zoom = rng.uniform(1.1, 1.6)
    if s["move"] == "aerial" or (city and rng.random() < .35):
        y = rng.uniform(50, 120) if city else rng.uniform(32, 60)
        c.haze = min(c.haze, 1.3 / (y + 60))  # fog, but not all white
        z = -rng.uniform(140, 300) if city else -rng.uniform(20, 60)
        ahead = rng.uniform(220, 340) if city else rng.uniform(50, 80)
        if city:
            return (0, y, z), (0, y * rng.uniform(.5, .8), z + ahead), zoom
        x = rng.uniform(-20, 20)
        return (x, y, z), (x, y * .3, z + ahead), zoom
    y = rng.uniform(2.1, 2.8) if rng.random() < .65 else rng.uniform(3, 10)
    x = rng.uniform(-.55, .55) * kerb * (1 if y < 3 else .4)
    ahead = rng.uniform(14, 30)
    side = rng.uniform(-.8, .8) * kerb
    if s["move"] == "orbit":
        ahead, x, side = (kerb - 2) / SWING, 0, 0
    return (x, y, -ahead), (side, y + rng.uniform(-.5, 2.5), 0), zoom


def harbour(s, c, rng):
    """The quay's edge is at z = 22, 2 metres high; from there to the camera is water, free where a subject is."""
    subject, zoom, edge = s["subject"], rng.uniform(1.3, 1.9), 22
    if c.seed & 2:  # from behind the camera, onto the fronts of the houses
        c.sun = (c.sun[0], c.sun[1], -abs(c.sun[2]))
    c.heading = rng.choice((-1, 1)) * rng.uniform(1.35, 1.8)
    low, high = HEIGHT.get(subject, (0, 0)) if subject != "aeroplane" else (26, 40)
    z = {"ship": -38, "submarine": -38, "sailing_boat": rng.uniform(-8, -2), "birds": rng.uniform(-12, 0)}.get(subject, 0)
    c.at, size = (rng.uniform(-6, 6), rng.uniform(low, high) * (.6 if subject == "birds" else 1), z), c.size
    distance = size * zoom * rng.uniform(.75, 1.2)
    if subject == "ship":
        c.size = size = size * .75
        distance *= .8
    elif subject == "sailing_boat":
        c.spread = max(c.spread, 9)
    elif subject in ("person", "car", "train", "rocket"):  # on the quay
        person = subject == "person"
        # halfway between two lamps
        c.at = (6 + rng.uniform(-1, 1), 2, edge + (rng.uniform(1.8, 3.2) if person else rng.uniform(8.5, 10)))
        c.heading = math.copysign(math.pi / 2, c.heading)
        distance = rng.uniform(4, 6.5) if person else max(9, min(size * zoom, 60))
        c.spread = rng.uniform(1, 1.4) if person else 4.0
        c.speed *= 1 if person or s["move"] == "tracking" else .5
    elif subject == "lighthouse":
        c.at = (-46 * mirrored(c), 1.9, -14)
        c.heading = 0
    elif subject == "birds":
        distance = rng.uniform(6, 9)
    elif subject == "nobody":
        c.at = (rng.uniform(-20, 20), 0, 12)
        size, distance = 20, rng.uniform(22, 55)
    c.haze = min(c.haze, 1.4 / max(distance, 30))  # fog, but not all white
    angle = rng.uniform(-.5, .5)
    y = max(1.7, size * rng.uniform(.08, .25)) + c.at[1] * rng.uniform(.6, 1)
    if subject == "nobody":
        y = rng.uniform(2, 9)
    if s["move"] == "aerial":
        small = subject in SMALL
        y = c.at[1] + max(0 if small else min(24, 6 + size), distance * rng.uniform(.35, .6))
        distance = max(distance, 5 if small else min(50, 14 + 2 * size))
    target = (c.at[0], c.at[1] + size * (.45 if subject in ("person", "lighthouse") else .17), c.at[2])
    at = (c.at[0] + math.sin(angle) * distance, max(y, c.at[1] + 1.3 if c.at[1] == 2 else y), c.at[2] - math.cos(angle) * distance)
    return at, target, zoom


def mirrored(c):
    """As in town_harbour.cuh: cranes are on the right, or on the left where this is -1."""
    return -1 if c.seed & 1 else 1


PLACES = {"harbour": harbour, "city_night": lambda s, c, rng: street(s, c, rng, True), "street_day": lambda s, c, rng: street(s, c, rng, False)}
