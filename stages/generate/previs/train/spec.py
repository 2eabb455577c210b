"""What a clip shows, drawn at random: one small dict that both the renderer and the captions read."""
from render.light import TIMES

SUBJECTS = {
    "ocean": {"ship": .42, "sailboat": .28, "birds": .08, None: .22},
    "mountains": {"birds": .15, "drones": .12, None: .73},
    "city": {"birds": .1, "drones": .18, None: .72},
    "forest": {"walker": .12, "cabin": .12, "birds": .1, "drones": .08, None: .58},
    "desert": {"walker": .22, "caravan": .15, "birds": .05, None: .58},
    "coast": {"sailboat": .2, "birds": .15, None: .65},
    "harbour": {"ship": .35, "birds": .15, None: .5},
    "snowfield": {"cabin": .35, "walker": .2, None: .45},
    "country": {"train": .5, "cabin": .15, "birds": .1, None: .25},
    "street": {"car": .6, None: .4},
}
SHARE = {"ocean": .16, "mountains": .14, "city": .13, "forest": .10, "desert": .10, "coast": .09, "harbour": .07, "snowfield": .08, "country": .06, "street": .07}
WEATHER = {"clear": .46, "cloudy": .16, "overcast": .07, "fog": .12, "rain": .09, "storm": .03, "snow": .07}
MOVES = {"static": .24, "pan_left": .12, "pan_right": .12, "dolly_in": .16, "dolly_out": .10, "tilt_up": .06, "tilt_down": .05,
         "truck_left": .04, "truck_right": .04, "crane_up": .04, "handheld": .03}
TIME_SHARE = {"day": .30, "dawn": .14, "sunset": .22, "dusk": .12, "night": .22}
FAULTS = ("blurry", "noisy", "flat", "blocky", "text", "flicker", "overexposed")


def pick(rng, table):
    keys = list(table)
    return keys[rng.choices(range(len(keys)), [table[k] for k in keys])[0]]


def draw_spec(rng, setting=None, fault_share=0.05):
    s = {"setting": setting or pick(rng, SHARE)}
    s["time"] = pick(rng, TIME_SHARE)
    weather = dict(WEATHER)
    if s["setting"] == "desert":
        weather.update(rain=0.01, storm=0.0, snow=0.0)
    if s["setting"] == "snowfield":
        weather.update(snow=.28, rain=0.0, storm=0.0)
    if s["setting"] in ("ocean", "coast"):
        weather.update(storm=.10, snow=.02)
    s["weather"] = pick(rng, weather)
    s["subject"] = pick(rng, SUBJECTS[s["setting"]])
    s["move"] = pick(rng, MOVES)
    s["speed"] = pick(rng, {"slow": .38, "normal": .45, "fast": .17})
    s["shot"] = pick(rng, {"wide": .3, "medium": .38, "close": .14, "aerial": .10, "low": .08})
    if s["shot"] == "close" and s["subject"] in (None, "birds", "drones") and s["setting"] != "coast":
        s["shot"] = "medium"
    if s["setting"] in ("street", "forest") and s["shot"] == "aerial":
        s["shot"] = "wide"
    s["moon"] = s["time"] in ("night", "dusk") and rng.random() < (.6 if s["time"] == "night" else .25)
    s["sea"] = {"storm": "rough", "rain": "normal"}.get(s["weather"]) or pick(rng, {"calm": .35, "normal": .45, "rough": .2})
    s["land"] = rng.random() < {"ocean": .2, "mountains": .4, "city": .55}.get(s["setting"], .5)
    s["shafts"] = s["weather"] in ("clear", "cloudy", "fog") and s["time"] in ("dawn", "day", "sunset") and rng.random() < .5
    s["side"] = rng.choices((-1, 0, 1), (.25, .5, .25))[0]
    s["look"] = pick(rng, {None: .88, "teal_orange": .06, "mono": .06})
    s["fault"] = rng.choice(FAULTS) if rng.random() < fault_share else None
    return s
