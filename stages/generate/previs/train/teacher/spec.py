"""What a clip shows: a small dict, drawn at random or told, that the renderer and the captions read."""
import math
import random
import zlib

from camera import FPS, MOVES, path
from framing import apart, lens
from places import PLACES
from light import TIMES, WEATHER, set_light
from teacher import SETTINGS, SUBJECTS, Clip

# Settings of many parts are harder to learn than a horizon; so are subjects that fly with wings and rotors.
SETTING_SHARE = {"sea": 1, "harbour": 1.3, "mountains": 1, "desert": .8, "forest": 1, "river": 1.1, "city_night": 1.6, "street_day": 1.5, "sky": .8, "space": .6, "snow": .9, "interior": 1.2}
# a setting's subjects, and how often
SUBJECTS_OF = {
    "sea": {"ship": 3, "sailing_boat": 3, "submarine": 3, "birds": 1.4, "lighthouse": 1.6, "helicopter": 1.6, "aeroplane": 1.1, "balloon": .8, "drone": .8, "rocket": .5, "nobody": 1.5},
    "harbour": {"ship": 3, "sailing_boat": 3, "submarine": 2, "birds": 1.4, "person": 1.5, "car": 1.2, "train": .8, "lighthouse": 1.6, "helicopter": 1.4, "balloon": .8, "aeroplane": .8, "drone": 1.1, "nobody": 1.5},
    "mountains": {"aeroplane": 2, "helicopter": 2, "balloon": 1.5, "birds": 2, "train": 2, "person": 1.5, "drone": 1.6, "car": 1.2, "rocket": .6, "nobody": 2},
    "desert": {"car": 2, "person": 2, "rocket": 2, "balloon": 1, "helicopter": 1.6, "train": 1.5, "aeroplane": 1.4, "drone": 1.4, "birds": 1.1, "nobody": 1.5},
    "forest": {"person": 2.5, "car": 2, "drone": 2, "birds": 1.4, "train": 2, "helicopter": 1.1, "balloon": .8, "aeroplane": .8, "nobody": 1.5},
    "river": {"sailing_boat": 2.5, "ship": 1.2, "balloon": 1, "birds": 1.4, "person": 1.5, "train": 1.5, "helicopter": 1.6, "aeroplane": 1.1, "drone": 1.1, "nobody": 1.5},
    "city_night": {"car": 3, "helicopter": 2, "person": 2.5, "drone": 1.6, "train": 2, "balloon": .8, "aeroplane": .7, "birds": .8, "nobody": 1.5},
    "street_day": {"car": 3.5, "person": 3, "drone": 1.6, "birds": 1.4, "train": 2, "balloon": .8, "helicopter": 1.4, "aeroplane": .8, "nobody": 1.2},
    "sky": {"aeroplane": 3, "balloon": 3, "birds": 3, "helicopter": 2, "drone": 2, "rocket": 2, "nobody": 1.2},
    "space": {"rocket": 4, "person": 2, "nobody": 1.5},
    "snow": {"person": 2.5, "train": 2.5, "car": 2, "helicopter": 1.6, "birds": 1.4, "aeroplane": 1.1, "balloon": 1, "drone": 1.4, "lighthouse": .6, "rocket": .6, "nobody": 1.5},
    "interior": {"person": 4, "drone": 1.4, "birds": .9, "car": .8, "train": .6, "aeroplane": .8, "helicopter": .8, "balloon": .6, "rocket": .6, "ship": .5, "sailing_boat": .5, "submarine": .4, "lighthouse": .3, "nobody": 1.5},
}
# Metres; where there are several, of the kinds that the renderer's kind() chooses among by seed, in its order.
SIZES = {"ship": (95, 125, 135, 26), "sailing_boat": (14, 14, 16), "submarine": 70, "car": (4.6, 4.2, 5.3, 5.4), "train": 45,
         "aeroplane": (36, 36, 9), "helicopter": 13, "drone": 1.2, "person": 1.75, "birds": 4, "balloon": 19, "lighthouse": 28,
         "rocket": (50, 40, 55), "nobody": 1}
# Metres a second: in the two seconds of a clip about two lengths at most, so that it stays in the picture.
SPEEDS = {"ship": (8, 7, 8, 4.5), "sailing_boat": 3.5, "submarine": 6, "car": 4.4, "train": 10, "aeroplane": (38, 38, 10), "helicopter": 11,
          "drone": 1.1, "person": 1.35, "birds": 3.5, "balloon": 1.2, "lighthouse": 0, "rocket": 0, "nobody": 0}
COLOURS = {"red": (.55, .03, .03), "orange": (.75, .22, .02), "yellow": (.75, .55, .04), "green": (.05, .32, .07), "blue": (.04, .12, .55),
           "purple": (.25, .05, .42), "pink": (.80, .25, .42), "white": (.80, .80, .80), "black": (.02, .02, .022), "grey": (.25, .26, .28)}


def of_kind(table, subject, seed):
    """The entry of a subject's kind: kind() of subjects.cuh."""
    entry = table[subject]
    return entry[(seed >> 3) % len(entry)] if isinstance(entry, tuple) else entry


def pick(rng, table):
    return rng.choices(list(table), list(table.values()))[0]


WEATHER_SHARE = {"clear": 5, "cloudy": 2, "overcast": 1, "fog": 1, "rain": 1.2, "snow": .8, "storm": .8}
RARE = {"space": {"clear": 1}, "interior": {"clear": 5, "cloudy": 1, "overcast": 1, "rain": 1, "snow": .6},
        "desert": {"clear": 6, "cloudy": 2, "overcast": .5, "fog": .6, "storm": .6, "rain": .2},
        "snow": {"clear": 4, "cloudy": 2, "overcast": 1, "fog": 1, "snow": 4, "storm": .4}}


def draw(rng, **told):
    s = dict(told)
    s.setdefault("setting", pick(rng, SETTING_SHARE))
    s.setdefault("subject", pick(rng, SUBJECTS_OF[s["setting"]]))
    s.setdefault("time", pick(rng, {"day": 4, "dawn": 2, "dusk": 2, "night": 2}))
    s.setdefault("weather", pick(rng, RARE.get(s["setting"], WEATHER_SHARE)))
    s.setdefault("move", rng.choice(MOVES if s["subject"] != "nobody" else MOVES[:-1]))
    s.setdefault("colour", rng.choice(list(COLOURS)) if s["subject"] != "birds" else "white" if s["time"] == "night" else "black" if s["setting"] == "snow" else pick(rng, {"white": 3, "black": 2, "grey": 1}))
    s.setdefault("count", 1 if s["subject"] in ("lighthouse", "rocket", "train", "nobody") else rng.choices((1, 2, 3), (5, 3, 3))[0])
    s.setdefault("seed", rng.randrange(1 << 30))
    return s


def withheld(s):
    """Whether training leaves this combination out, so that bench/previs can ask for what no clip has shown."""
    return zlib.crc32(" ".join(s[slot] for slot in ("setting", "subject", "time", "move")).encode()) % 10 == 0


def vary(rng, colour, by=.12):
    return tuple(max(0, c * rng.uniform(1 - by, 1 + by)) for c in colour)


GROUND = {  # ground, second, accent
    "sea": ((.020, .085, .115), (.1, .1, .1), (.1, .1, .1)),
    "harbour": ((.020, .075, .085), (.30, .27, .24), (.45, .20, .14)),
    "mountains": ((.17, .16, .15), (.07, .13, .035), (.75, .77, .80)),
    "desert": ((.62, .40, .20), (.50, .28, .13), (.25, .20, .12)),
    "forest": ((.10, .11, .04), (.035, .10, .025), (.10, .065, .04)),
    "river": ((.030, .075, .065), (.08, .16, .035), (.035, .10, .025)),
    "city_night": ((.06, .06, .065), (.12, .12, .14), (1, .75, .4)),
    "street_day": ((.10, .10, .105), (.42, .36, .30), (.35, .15, .10)),
    "sky": ((.10, .14, .06), (.2, .2, .12), (.1, .1, .1)),
    "space": ((.25, .22, .20), (.08, .20, .45), (.5, .3, .2)),
    "snow": ((.80, .83, .88), (.06, .09, .05), (.25, .17, .11)),
    "interior": ((.30, .19, .11), (.62, .56, .46), (.42, .10, .08)),
}


# of a setting: what its ground, houses or rooms are like, as seeds; chosen by eye of the first eight
PLACES_OF = {"sea": (0, 2, 4), "harbour": (1, 4), "mountains": (2, 5), "desert": (1, 7), "forest": (2, 1), "river": (3, 4), "city_night": (1, 3),
             "street_day": (3, 6), "sky": (3, 4), "space": (0, 4), "snow": (2, 5), "interior": (2, 3, 5, 1)}


def place_of(s):
    """What is the same whatever is there, at whatever time of day and in whatever weather."""
    chosen = PLACES_OF[s["setting"]]
    return f"{s['setting']} {chosen[(s['seed'] >> 1) % len(chosen)]}"


def fixed(s, frames):
    """The Clip and the Views of a spec. A small model draws well what it has seen often, so the places are few and
    everything else varies over them; a subject stands in a place always alike, seen from there. The lowest bit of the
    seed is left to mirror images."""
    place = place_of(s)
    there, rng, sky = (random.Random(x) for x in (place, f"{place} {s['subject']}", f"{place} {s['time']} {s['weather']}"))
    c = Clip()
    c.setting, c.subject = SETTINGS.index(s["setting"]), SUBJECTS.index(s["subject"])
    c.count, c.seed = s["count"], there.randrange(1 << 16)
    set_light(c, sky, s["time"], s["weather"], there.uniform(-1.2, 1.2))
    c.ground, c.second, c.accent = (vary(there, x) for x in GROUND[s["setting"]])
    c.relief = there.uniform(.75, 1.25)
    c.wave = {"storm": 2.2, "rain": .8, "fog": .15}.get(s["weather"], sky.uniform(.2, .7))
    if s["setting"] in ("harbour", "river"):
        c.wave *= .12
    c.snow = 1.0 if s["weather"] == "snow" or s["setting"] == "snow" else 0
    c.paint = COLOURS[s["colour"]]
    c.size = of_kind(SIZES, s["subject"], c.seed) * rng.uniform(.9, 1.1)
    c.speed = of_kind(SPEEDS, s["subject"], c.seed) * rng.uniform(.8, 1.2)
    if s["subject"] == "rocket":
        lifts = s["setting"] == "sky" or rng.random() < .5
        c.speed = rng.uniform(6, 12) if s["setting"] == "space" else rng.uniform(7, 11) if lifts else 0
    elif s["move"] == "tracking" and s["subject"] in ("car", "aeroplane", "helicopter", "drone", "birds", "sailing_boat"):
        c.speed *= 1.7
    c.heading = math.pi / 2
    usual = c.spread = apart(s, c)
    c.middle = (frames - 1) / FPS / 2
    at, target, zoom = PLACES[s["setting"]](s, c, rng)
    if s["subject"] != "nobody": # weather hides a subject in part only
        c.haze = min(c.haze, (1.1 if s["weather"] == "fog" else .75) / math.dist(at, c.at))
    heading = c.heading
    if abs(c.spread - usual) < 1e-3 * usual: # the place has not chosen another
        c.spread = apart(s, c)

    def subject(seconds):
        go = c.speed * (seconds - c.middle)
        return (c.at[0] + math.sin(heading) * go, c.at[1], c.at[2] + math.cos(heading) * go)

    return c, path(s["move"], 1.0, at, target, zoom * lens(s), frames, subject)
