"""Time of day and weather as numbers of a Clip: sun, sky, air. Colours are linear RGB."""
import math

# height of the sun or moon in degrees, its radiance, overhead, horizon, glow around it, stars
TIMES = {
    "day": dict(height=(28, 62), light=(3.0, 2.8, 2.5), top=(.10, .26, .68), low=(.55, .72, .92), glow=(.55, .50, .40), stars=0, exposure=1.0),
    "dawn": dict(height=(4, 11), light=(2.5, 1.35, .85), top=(.16, .22, .46), low=(.95, .62, .55), glow=(1.3, .62, .42), stars=0, exposure=1.05),
    "dusk": dict(height=(1.5, 6), light=(1.5, .62, .26), top=(.035, .055, .20), low=(.62, .24, .16), glow=(1.2, .38, .10), stars=.12, exposure=1.15),
    "night": dict(height=(22, 50), light=(.16, .20, .30), top=(.006, .010, .028), low=(.022, .032, .065), glow=(.05, .06, .09), stars=1.0, exposure=1.5),
}
WEATHER = {
    "clear": dict(cover=(0, .30), darkness=0, haze=(.00008, .0005), sun=1, sky=1),
    "cloudy": dict(cover=(.45, .70), darkness=.12, haze=(.0002, .0008), sun=.85, sky=.95),
    "overcast": dict(cover=(.95, 1.0), darkness=.40, haze=(.0008, .002), sun=.16, sky=.62),
    "fog": dict(cover=(.6, .9), darkness=.2, haze=(.010, .028), sun=.20, sky=.8),
    "rain": dict(cover=(.92, 1.0), darkness=.55, haze=(.0018, .0045), sun=.10, sky=.50),
    "snow": dict(cover=(.9, 1.0), darkness=.25, haze=(.003, .008), sun=.22, sky=.80),
    "storm": dict(cover=(1.0, 1.0), darkness=.85, haze=(.0010, .0025), sun=.06, sky=.33),
}


def mix(a, b, t):
    return tuple(x + (y - x) * t for x, y in zip(a, b))


def scale(a, s):
    return tuple(x * s for x in a)


def luma(c):
    return .2126 * c[0] + .7152 * c[1] + .0722 * c[2]


def set_light(clip, rng, time, weather, azimuth):
    """azimuth: of the sun, radians from +z (away from the camera at first) to +x."""
    t, w = TIMES[time], WEATHER[weather]
    height = math.radians(rng.uniform(*t["height"]))
    clip.sun = (math.cos(height) * math.sin(azimuth), math.sin(height), math.cos(height) * math.cos(azimuth))
    clip.cover, clip.darkness, clip.haze = rng.uniform(*w["cover"]), w["darkness"], rng.uniform(*w["haze"])
    veiled = 1 - w["sun"]
    grey_low = (luma(t["low"]) * .95,) * 3
    grey_low = mix(grey_low, t["low"], .25)
    clip.light = scale(t["light"], w["sun"] if time != "night" else max(w["sun"], .35))
    clip.sky_top = scale(mix(t["top"], grey_low, veiled * .85), w["sky"])
    clip.sky_low = scale(mix(t["low"], grey_low, veiled * .8), w["sky"])
    clip.glow = scale(t["glow"], w["sun"] ** 1.2)
    clip.haze_colour = scale(mix(t["low"], grey_low, veiled * .8), w["sky"] * .92)
    clip.ambient = {"day": .62, "dawn": .7, "dusk": .8, "night": 1.1}[time]
    clip.disc = w["sun"] if weather in ("clear", "cloudy") else 0
    clip.stars = t["stars"] * max(0, 1 - clip.cover * 1.1)
    clip.exposure = t["exposure"] * rng.uniform(.92, 1.08)
    if weather != "clear": # an eye opens in the dark
        clip.exposure *= {"rain": 1.3, "storm": 1.55 if time == "day" else 1.3}.get(weather, 1) if time != "night" else {"cloudy": 1.15, "storm": 2}.get(weather, 1.6)
    clip.rain = {"rain": rng.uniform(.5, 1), "storm": rng.uniform(.6, 1)}.get(weather, 0)
    clip.snowing = rng.uniform(.5, 1) if weather == "snow" else 0
    clip.wind = {"storm": rng.uniform(9, 16), "rain": rng.uniform(2, 7), "snow": rng.uniform(1, 6)}.get(weather, rng.uniform(.5, 4)) * rng.choice((-1, 1))
    clip.flash = rng.uniform(.3, 1.6) if weather == "storm" and rng.random() < .5 else -1
    clip.wet = 1.0 if weather in ("rain", "storm") else 0
    clip.lamps = {"day": 0, "dawn": .35, "dusk": .9, "night": 1.0}[time]
    if weather in ("storm", "rain", "fog") and time == "day":
        clip.lamps = .35
