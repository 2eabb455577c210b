"""Colour scripts: what sky, light and shadow look like at each time of day, and what weather does to them."""
import torch

# zenith, middle sky, horizon, key light, shadow (ambient) light
SCRIPTS = {
    "day":    [(.16, .40, .76), (.42, .66, .92), (.80, .89, .95), (1.00, .97, .88), (.46, .56, .70)],
    "dawn":   [(.30, .40, .66), (.74, .60, .70), (1.0, .80, .66), (1.00, .78, .62), (.42, .40, .54)],
    "sunset": [(.20, .24, .50), (.86, .44, .34), (1.0, .72, .30), (1.00, .62, .26), (.38, .28, .40)],
    "dusk":   [(.05, .09, .26), (.16, .22, .48), (.66, .46, .50), (.42, .44, .64), (.16, .19, .34)],
    "night":  [(.008, .014, .05), (.022, .042, .12), (.07, .11, .22), (.44, .52, .72), (.085, .11, .20)],
}
TIMES = tuple(SCRIPTS)
GREY_SKY = {"day": (.72, .76, .80), "dawn": (.78, .70, .71), "sunset": (.78, .62, .52), "dusk": (.30, .34, .48), "night": (.085, .105, .165)}


class Light:
    def __init__(self, view):
        rows = {k: [] for k in ("zenith", "middle", "horizon", "key", "shadow")}
        for s in view.specs:
            jitter = (torch.rand(3, generator=view.gen) - 0.5) * 0.07
            gain = 1 + (torch.rand(1, generator=view.gen) - 0.5) * 0.16
            grey = torch.tensor(GREY_SKY[s["time"]])
            veil = {"clear": 0.0, "cloudy": 0.25, "overcast": 0.7, "fog": 0.8, "rain": 0.82, "storm": 0.9, "snow": 0.65}[s["weather"]]
            dim = {"rain": 0.78, "storm": 0.5, "overcast": 0.9}.get(s["weather"], 1.0)
            for name, c in zip(rows, SCRIPTS[s["time"]]):
                c = torch.tensor(c) * (1 + jitter) * gain
                if name == "key":
                    soft = torch.lerp(c, c.mean().expand(3) * 0.72, veil * 0.8)
                elif name == "shadow":
                    soft = torch.lerp(c, c.mean().expand(3) * 1.1, veil * 0.8)
                else:
                    lower = {"zenith": 0.72, "middle": 0.9, "horizon": 1.0}[name]
                    soft = torch.lerp(c, grey * lower * gain, veil)
                rows[name].append((soft * dim).clamp(0, 1).tolist())
        for name, c in rows.items():
            setattr(self, name, view.colour(c))
        is_time = lambda *names: view.flag(lambda s: s["time"] in names)
        self.night, self.dusk, self.day = is_time("night"), is_time("dusk"), is_time("day")
        self.lamps = (self.night + 0.85 * self.dusk + 0.25 * is_time("sunset", "dawn")
                      + 0.2 * view.flag(lambda s: s["time"] == "day" and s["weather"] in ("storm", "rain"))).clamp(0, 1)
        self.open_sky = view.per_clip([{"clear": 1., "cloudy": .75, "snow": .12, "fog": .1}.get(s["weather"], 0.) for s in view.specs])
        # where the sun (or moon) stands, in view directions
        self.sun_x = view.draw(-0.75, 0.75)
        high = view.draw(0.55, 1.15)
        low = view.draw(0.03, 0.16)
        sunny = view.flag(lambda s: s["time"] in ("dawn", "sunset"))
        moon = self.night + self.dusk
        self.sun_y = low * sunny + high * (1 - sunny) * (1 - moon) + view.draw(0.2, 0.46) * moon
        self.has_moon = view.flag(lambda s: s["moon"]) * self.open_sky
        self.has_sun = (1 - moon) * self.open_sky
        self.low_sun = sunny * self.open_sky
        fog = view.per_clip([{"fog": 1.0, "snow": .45, "rain": .5, "storm": .45, "overcast": .2, "cloudy": .08}.get(s["weather"], 0.0) for s in view.specs])
        haze = 0.0032 + 0.0022 * view.flag(lambda s: s["time"] in ("dawn", "sunset"))
        self.density = haze + fog * view.draw(0.022, 0.042)
        self.fog = fog
        self.haze_colour = torch.lerp(self.horizon, self.middle, 0.25)

    def far(self, depth):
        """How much of a thing at this depth is air: (N,1,1)."""
        return 1 - torch.exp(-self.density * depth)
