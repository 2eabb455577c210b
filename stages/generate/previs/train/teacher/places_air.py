"""Where things are: the sky, high among clouds."""
import math

from framing import CLOSE, farther, place

UP = 300 # metres: clouds' heights are told from the subject's


def in_the_sky(s, c, rng):
    place(s, c, rng)
    c.at = (0, UP, 0)
    nobody = s["subject"] == "nobody"
    size = c.size if not nobody else 90
    zoom = rng.uniform(1.4, 2.1)
    distance = size * zoom * rng.uniform(.8, 1.35) * farther(s, c) * (1 if nobody else CLOSE)
    if s["move"] != "tracking": # slow enough to stay in the picture
        c.speed = min(c.speed, .6 * distance / zoom)
    angle, rise = rng.uniform(-.7, .7), rng.uniform(-.32, .3)
    if s["move"] == "aerial":
        rise, distance = rng.uniform(.3, .6), max(distance, min(40, (4 if s["subject"] == "birds" else 8) * size))
    at = (math.sin(angle) * distance, UP + math.sin(rise) * distance, -math.cos(angle) * distance * math.cos(rise))
    target = (0, UP + size * rng.uniform(.0, .15), 0)
    if nobody:
        target = (0, at[1] + distance * rng.uniform(-.25, .15), 0)
    return at, target, zoom
