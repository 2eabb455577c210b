"""Framing that the settings share."""
import math

from camera import path
from teacher import clearance, ground, unhidden

# metres above the ground, of what flies
HEIGHT = {"aeroplane": (60, 160), "helicopter": (18, 45), "drone": (3, 9), "birds": (9, 26), "balloon": (25, 60)}
# of its length, from its middle to its ends along and across its heading, where several stand beside each other
EXTENT = {"ship": (.5, .08), "sailing_boat": (.42, .26), "submarine": (.5, .07), "car": (.5, .2), "train": (.67, .05), "aeroplane": (.5, .5),
          "helicopter": (.55, .42), "drone": (.42, .42), "person": (.25, .2), "birds": (.38, .46), "balloon": (.36, .36), "lighthouse": (.36, .36),
          "rocket": (.3, .3), "nobody": (.5, .5)}
# of its length, how high the middle of what stands is
MIDDLE = {"person": .72, "lighthouse": .46, "rocket": .48, "sailing_boat": .42, "birds": 0, "balloon": 0}


# times as long a lens for what is small or stands far off, by setting and subject or by subject
LENS = {"ship": 1.35, "submarine": 1.5, "train": 1.5, "birds": 1.3, "drone": 1.35, ("harbour", "ship"): 2.0, ("harbour", "submarine"): 2.2, ("harbour", "person"): 1.3, ("harbour", "car"): 1.3,
        ("harbour", "lighthouse"): 1.3, ("city_night", "person"): 1.35, ("street_day", "person"): 1.3, ("street_day", "helicopter"): 1.6, ("city_night", "helicopter"): 1.5,
        ("city_night", "aeroplane"): 1.7, ("forest", "person"): 1.3, ("street_day", "train"): 1.0, ("city_night", "train"): 1.0,
        ("forest", "train"): 1.0, ("river", "train"): 1.3, ("desert", "rocket"): 1.3, ("sea", "helicopter"): 1.15,
        ("street_day", "aeroplane"): 1.7, ("river", "ship"): 1.0, ("harbour", "helicopter"): 1.4}


def lens(s):
    aerial = {"person": 2.2, "drone": 1.7, "car": 2, "birds": 1.1}.get(s["subject"], 1) if s["move"] == "aerial" and s["setting"] != "interior" else 1
    return LENS.get((s["setting"], s["subject"]), LENS.get(s["subject"], 1)) * aerial


SMALL = ("drone", "birds")  # of what flies: seen from near
CLOSE = .8  # of the distance that shows all of a subject's surroundings: a small one is lost in a small picture


def apart(s, c):
    """Metres along x between several, so that none hides another."""
    along, across = EXTENT[s["subject"]]
    return c.size * (.14 + 2.3 * math.hypot(along * math.sin(c.heading), across * math.cos(c.heading)))


def farther(s, c):
    """How many times as far a camera stands for several to be in the picture."""
    return max(1, (1 + (c.count - 1) * apart(s, c) / c.size) / 2.4) if s["subject"] != "nobody" else 1


def place(s, c, rng):
    """The subject in the middle of the world, crossing the picture."""
    low, high = HEIGHT.get(s["subject"], (0, 0))
    if s["subject"] == "rocket" and s["setting"] == "sky":
        low, high = 40, 90
    c.at = (0, ground(c, 0, 0) + rng.uniform(low, high), 0)
    c.heading = rng.choice((-1, 1)) * rng.uniform(.9, 1.9)


def frame(s, c, rng, empty=30, lowest=1.6):
    """Where the camera stands, what it looks at, its zoom. empty: metres of what is looked at where there is no
    subject; lowest: of the camera above the ground."""
    size = c.size if s["subject"] != "nobody" else empty
    zoom = rng.uniform(1.5, 2.2)
    distance = size * zoom * rng.uniform(.75, 1.3)
    distance *= farther(s, c) * (CLOSE if s["subject"] != "nobody" else 1)
    if s["subject"] == "person" and s["setting"] != "space" and s["move"] != "aerial":  # from farther off, so that the horizon is in the picture
        distance, zoom = 2 * distance, 2 * zoom
    angle = rng.uniform(-.6, .6)
    height = c.at[1] * rng.uniform(.3, .9) + max(lowest, size * rng.uniform(.05, .22))
    if s["move"] == "aerial":
        height = c.at[1] + max(distance * rng.uniform(.35, .6), min(15, 5 * size))
        distance = max(distance, min(40, 7 * size))
    x, z = c.at[0] + math.sin(angle) * distance, c.at[2] - math.cos(angle) * distance
    at = (x, max(height, ground(c, x, z) + lowest), z)
    lift = 0 if s["subject"] != "rocket" else -MIDDLE["rocket"] if s["setting"] == "space" else .2 if c.speed > 0 else 0
    target = (c.at[0], c.at[1] + size * (lift + MIDDLE[s["subject"]] + rng.uniform(-.03, .03) if s["subject"] in MIDDLE else rng.uniform(.08, .2)), c.at[2])
    return at, target, zoom


def flying(s, c, rng, low=2.0):
    """For what flies: from near its own height, so that what lies below is seen, too."""
    size = c.size
    zoom, angle = rng.uniform(1.4, 2.0), rng.uniform(-.7, .7)
    distance = size * zoom * rng.uniform(.8, 1.4) * farther(s, c) * CLOSE
    rise = rng.uniform(.35, .7) if s["move"] == "aerial" else rng.uniform(-.12, .3)
    if s["move"] == "aerial":
        distance = max(distance, 4 if s["subject"] in SMALL else 12)
    if s["move"] != "tracking":
        c.speed = min(c.speed, .6 * distance / zoom)
    x, z = c.at[0] + math.sin(angle) * distance, c.at[2] - math.cos(angle) * distance
    y = max(c.at[1] + distance * rise, max(ground(c, x, z), 0) + low)
    return (x, y, z), (c.at[0], c.at[1] - distance * rng.uniform(0, .12), c.at[2]), zoom


def free(s, c, shot, room=.5, frames=49):
    """Whether a camera's whole move keeps `room` metres to everything and sees the subject from its middle place
    and one of its ends. shot: as frame() gives it."""
    at, target, zoom = shot

    def subject(seconds):
        go = c.speed * (seconds - c.middle)
        return (c.at[0] + math.sin(c.heading) * go, c.at[1], c.at[2] + math.cos(c.heading) * go)

    views = path(s["move"], 1.25, at, target, zoom, frames, subject)[::6]
    if min(clearance(c, tuple(v.at)) for v in views) < room:
        return False
    if s["setting"] in ("sea", "river") and min(v.at[1] for v in views) < 1.2 * c.wave + .4:
        return False
    if s["subject"] == "nobody":
        return True
    seen = [unhidden(c, tuple(v.at), (x, y + c.size * .12, z)) > .97 for v in views for x, y, z in [subject(v.seconds)]]
    return seen[len(seen) // 2] and sum(seen) >= .7 * len(seen)


def sought(s, c, rng, draw, room=.5, tries=60):
    """The first of what draw() gives that is free, or the one with most room where it stands."""
    most, best = -1e9, None
    for _ in range(tries):
        shot = draw()
        if free(s, c, shot, room):
            return shot
        here = min(clearance(c, tuple(v.at)) for v in path(s["move"], 1.25, *shot, 49)[::8])
        if here > most:
            most, best = here, shot
    return best
