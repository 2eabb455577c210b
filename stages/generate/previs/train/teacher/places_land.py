"""Where things are: mountains, desert, snow."""
import math

from framing import HEIGHT, flying, frame, place, sought
from teacher import SUBJECTS, ground


def wide(s, c, rng):
    """A view of the land itself."""
    zoom, angle, away = rng.uniform(1.3, 1.8), rng.uniform(-math.pi, math.pi), rng.uniform(45, 90)
    high = rng.uniform(30, 70) if s["move"] == "aerial" else rng.choice((rng.uniform(2, 5), rng.uniform(8, 22)))
    x, z = -math.sin(angle) * away, -math.cos(angle) * away
    y = ground(c, x, z) + high
    up = {"mountains": .10, "desert": -.03, "snow": .03}[s["setting"]] - (.18 if s["move"] == "aerial" else 0)
    return (x, y, z), (0, y + away * up, 0), zoom


def land(s, c, rng):
    c.wave = 0
    c.subject = SUBJECTS.index("nobody")  # the height before its way is made flat
    place(s, c, rng)
    c.subject = SUBJECTS.index(s["subject"])
    how = wide if s["subject"] == "nobody" else flying if s["subject"] in HEIGHT else frame
    return sought(s, c, rng, lambda: how(s, c, rng), tries=12)


PLACES = {"mountains": land, "desert": land, "snow": land}
