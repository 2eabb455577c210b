"""How each setting is put together from layers, back to front."""
import torch
from . import layers as L, subjects as S, weather as W
from .camera import View, over
from .light import Light
from .noise import cloud_bank, smooth
from .sky import paint_sky
from .street import paint_street


def side_of(view, reach):
    """Where the subject stands, in world X at depth 10: left, middle or right as its spec says."""
    base = view.per_clip([{-1: -1.0, 0: 0.0, 1: 1.0}[s["side"]] for s in view.specs])
    return base * reach * 0.5 * min(1.0, view.aspect / 1.5) + view.draw(-0.25, 0.25) * reach


def tone(view, *choices):
    """A colour a clip, somewhere between the choices."""
    c = torch.tensor(choices)
    w = torch.rand(view.B, len(choices), generator=view.gen) ** 2 + 1e-3
    return view.colour((w / w.sum(1, keepdim=True)) @ c)


def near(view):
    """Distance of the subject: close shots stand nearer."""
    return view.per_clip([{"close": 6.2, "aerial": 13.0, "wide": 12.0}.get(s["shot"], 9.0) for s in view.specs]) * view.draw(0.92, 1.1)


def is_(name):
    return lambda s: s["subject"] == name


def sea_state(view):
    return view.per_clip([{"calm": .08, "normal": .4, "rough": .95}[s["sea"]] for s in view.specs]) * view.draw(0.8, 1.15)


def ocean(view, light, bank, pic):
    if view.any(lambda s: s["land"]):
        pic = far_land(view, light, bank, pic)
    rough = sea_state(view)
    pic = L.water(view, light, bank, pic, rough, deep=tone(view, [.03, .17, .24], [.04, .22, .26], [.08, .16, .20]))
    d, where = near(view), None
    where = side_of(view, 5.0) * d / 10 + view.cx * 0
    if view.any(is_("ship")):
        pic = S.ship(view, light, pic, d, where, rough, is_("ship"))
    if view.any(is_("sailboat")):
        pic = S.sailboat(view, light, pic, d * 0.75, where * 0.75, rough, is_("sailboat"))
    return pic


def far_land(view, light, bank, pic):
    on = view.flag(lambda s: s["land"])
    return L.ridge(view, light, bank, pic, 95.0, -13 * (1 - on) - 2.0, 10.0, 28.0, tone(view, [.20, .24, .22], [.3, .26, .22]), 3.3 + view.draw(0, 40))


def mountains(view, light, bank, pic):
    rock = tone(view, [.42, .38, .37], [.34, .36, .42], [.46, .36, .30])
    green = tone(view, [.16, .25, .13], [.24, .27, .14], [.12, .20, .15])
    snow = view.draw(0.12, 0.5)
    pic = L.ridge(view, light, bank, pic, 120.0, 0.0, view.draw(90, 135), 78.0, rock, 1.7 + view.draw(0, 40), snow=snow, rough=0.46)
    pic = L.ridge(view, light, bank, pic, 70.0, -2.0, view.draw(34, 52), 42.0, rock * 0.9, 5.1 + view.draw(0, 40), snow=snow + 0.14, rough=0.46)
    pic = L.ridge(view, light, bank, pic, 40.0, -1.5, view.draw(8, 14), 19.0, torch.lerp(rock, green, 0.7), 9.9 + view.draw(0, 40), rough=0.5)
    lake = lambda s: s["land"]
    meadow = L.ground(view, light, bank, pic, green, green * 1.5)
    if view.any(lake):
        mix = view.flag(lake)
        wet = L.water(view, light, bank, L.pines(view, light, pic, 30.0, 0.0, 2.6, 0.9, green * 0.6, 4.4), view.draw(0.03, 0.14), deep=tone(view, [.04, .20, .22], [.06, .16, .22]))
        pic = torch.where(mix.unsqueeze(1) > 0.5, wet, meadow)
    else:
        pic = meadow
    pic = L.pines(view, light, pic, 16.0, view.draw(-0.4, 0.1) - 4 * view.flag(lake), view.draw(1.4, 2.4), 0.8, green * 0.6, 2.2 + view.draw(0, 40), density=0.3)
    return L.pines(view, light, pic, 7.0, view.draw(-1.5, -0.6) - view.flag(lake), view.draw(1.8, 2.8), 1.3, green * 0.5, 6.2 + view.draw(0, 40), density=0.16)


def city(view, light, bank, pic):
    stone = lambda: tone(view, [.46, .44, .45], [.36, .38, .44], [.48, .40, .34])
    pic = L.skyline(view, light, pic, 90.0, 0.0, 8.0, 62.0, 9.5, stone(), 2.0 + view.draw(0, 60), pane=(2.0, 2.6), share=0.32)
    pic = L.skyline(view, light, pic, 55.0, 0.0, 5.0, 34.0, 6.6, stone() * 0.9, 4.0 + view.draw(0, 60), pane=(1.35, 1.7), share=0.36)
    pic = L.skyline(view, light, pic, 34.0, 0.0, 2.5, 14.0, 5.0, stone() * 0.75, 8.0 + view.draw(0, 60), pane=(0.95, 1.2), share=0.4)
    wet = L.water(view, light, bank, pic, view.draw(0.05, 0.3), deep=tone(view, [.05, .14, .18], [.06, .12, .16]))
    roofs = L.ground(view, light, bank, pic, tone(view, [.18, .18, .2], [.25, .22, .2]), tone(view, [.3, .3, .32], [.2, .24, .2]), grain=3.0)
    roofs = L.skyline(view, light, roofs, 21.0, -0.2, 0.8, 3.6, 3.4, stone() * 0.6, 12.0 + view.draw(0, 60), pane=(0.7, 0.85), share=0.45)
    roofs = L.pines(view, light, roofs, 12.0, -0.2, 0.9, 0.9, tone(view, [.16, .26, .12], [.2, .24, .14]), 3.0 + view.draw(0, 40), density=0.5)
    return torch.where(view.flag(lambda s: s["land"]).unsqueeze(1) > 0.5, wet, roofs)


def forest(view, light, bank, pic):
    green = tone(view, [.15, .27, .12], [.10, .22, .14], [.24, .26, .10], [.34, .20, .07])
    snowy = view.flag(lambda s: s["weather"] == "snow") * 0.85
    pic = L.hills(view, light, bank, pic, 70.0, -2, view.draw(9, 17), 26.0, green * 0.8, 1.3 + view.draw(0, 40))
    pic = L.pines(view, light, pic, 42.0, 0.6, 9.0, 2.6, green * 0.9, 2.2 + view.draw(0, 40), snowy, 0.95)
    earth = torch.lerp(green * 0.8, green.new_tensor([.86, .9, .97]).view(1, 3, 1, 1), snowy.unsqueeze(1))
    pic = L.ground(view, light, bank, pic, earth * 0.8, earth * 1.1, grain=4.0)
    pic = L.pines(view, light, pic, 26.0, 0.1, 7.2, 2.3, green * 0.75, 5.2 + view.draw(0, 40), snowy, 0.9)
    if view.any(lambda s: s["shafts"]):
        pic = W.shafts(view, light, pic, lambda s: s["shafts"])
    pic = L.pines(view, light, pic, 16.0, -0.1, 6.2, 2.5, green * 0.6, 8.2 + view.draw(0, 40), snowy, 0.7)
    if view.any(is_("walker")):
        pic = S.walker(view, light, pic, near(view) * 1.0, side_of(view, 3.0), is_("walker"))
    if view.any(is_("cabin")):
        pic = S.cabin(view, light, pic, near(view) * 1.05, side_of(view, 4.0), -0.1, is_("cabin"), False)
    return L.pines(view, light, pic, 8.0, -0.6, 5.4, 3.1, green * 0.42, 11.2 + view.draw(0, 40), snowy, 0.42)


def desert(view, light, bank, pic):
    sand = tone(view, [.86, .62, .36], [.80, .52, .30], [.90, .72, .48])
    pic = L.ridge(view, light, bank, pic, 130.0, -2, view.draw(4, 40), 40.0, sand * 0.6, 1.1 + view.draw(0, 40))
    pic = L.hills(view, light, bank, pic, 75.0, -4.0, view.draw(22, 32), 32.0, sand, 2.7 + view.draw(0, 40), 1.5)
    pic = L.hills(view, light, bank, pic, 42.0, -3.4, view.draw(10, 15), 21.0, sand, 4.9 + view.draw(0, 40), 1.5)
    if view.any(is_("caravan")):
        pic = S.walker(view, light, pic, 19.0, side_of(view, 5.0), is_("caravan"), count=5)
    pic = L.hills(view, light, bank, pic, 22.0, -2.8, view.draw(4.0, 6.0), 13.0, sand * 0.97, 8.3 + view.draw(0, 40), 1.4)
    pic = L.ground(view, light, bank, pic, sand * 0.92, sand * 1.06, grain=9.0, ripples=view.draw(0.5, 1.0), near_dark=0.12)
    pic = L.hills(view, light, bank, pic, 13.0, -2.3, view.draw(2.2, 3.2), 9.0, sand, 6.3 + view.draw(0, 40), 1.3)
    if view.any(is_("walker")):
        pic = S.walker(view, light, pic, near(view) * 1.0, side_of(view, 3.4), is_("walker"))
    dust = view.flag(lambda s: s["weather"] == "fog")
    return over(pic, (dust * 0.25).expand(-1, view.H, view.W), torch.lerp(light.horizon, sand, 0.4))


def coast(view, light, bank, pic):
    pic = far_land(view, light, bank, pic)
    rough = sea_state(view)
    pic = L.water(view, light, bank, pic, rough, deep=tone(view, [.03, .19, .24], [.05, .24, .28]))
    if view.any(is_("sailboat")):
        pic = S.sailboat(view, light, pic, 14.0, -side_of(view, 7.0), rough, is_("sailboat"))
    d = near(view) * 1.15
    where = side_of(view, 4.6) * d / 10
    X, Y, px = view.at(d)
    from .noise import fbm1, lookup
    seed = view.draw(0, 40)
    rise = 1.5 * torch.exp(-(((X - where) / view.draw(1.9, 3.2)) ** 2).clamp(0, 30)) + 0.55 * (fbm1(X * 0.9 + seed, seed, 4) - 0.35) * torch.exp(-(((X - where) / 4.2) ** 2).clamp(0, 30))
    crest = rise - 0.45
    foot = 0.85 + 0.0 * seed
    pic = S.lighthouse(view, light, pic, d, where, foot, lambda s: True)
    Xf, Yf = X.expand(-1, view.H, -1), Y.expand(-1, -1, view.W)
    n = lookup(bank, Xf / 5, Yf / 3) - 0.5
    rock = tone(view, [.34, .30, .27], [.28, .30, .30], [.42, .34, .26])
    grass = tone(view, [.24, .33, .13], [.34, .34, .16])
    body = torch.lerp(rock, grass, smooth(-0.30, -0.08, Yf - crest + 0.35 * n).unsqueeze(1))
    shade = (0.5 + 1.6 * (n - lookup(bank, Xf / 5 + 0.02 * torch.sign(light.sun_x), Yf / 3) + 0.5) + 0.2 * torch.sign(light.sun_x) * ((Xf - where) / 3)).clamp(0.08, 1) * 0.8
    pic = over(pic, ((crest - Y) / px + 0.5).clamp(0, 1) * (Yf > -0.5 * view.draw(0.1, 0.5)), L.aired(light, L.lit_by(light, body, shade), d))
    surf = torch.exp(-((Yf + 0.05 + 0.05 * torch.sin(view.t * 2 + Xf * 2)) / 0.11) ** 2) * (crest > -0.25) * smooth(0.3, 0.6, lookup(bank, Xf / 3 + view.t * 0.05, Yf + view.t * 0.05))
    return over(pic, surf * 0.7, light.shadow + light.key * 0.6)


def harbour(view, light, bank, pic):
    pic = L.hills(view, light, bank, pic, 60.0, -1, view.draw(6, 14), 24.0, tone(view, [.22, .28, .17], [.30, .26, .2]), 1.9 + view.draw(0, 40))
    brick = tone(view, [.62, .40, .30], [.72, .64, .52], [.55, .50, .48], [.70, .45, .36])
    pic = L.skyline(view, light, pic, 21.0, 0.4, 1.8, 4.6, 2.3, brick, 3.0 + view.draw(0, 60), pane=(0.62, 0.85), share=0.5)
    pic = quay(view, light, pic, 20.0)
    pic = L.water(view, light, bank, pic, view.draw(0.05, 0.2), deep=tone(view, [.04, .16, .18], [.06, .18, .20]))
    always = lambda s: True
    for k in range(3):
        pic = S.sailboat(view, light, pic, 16.0 - 2 * k, view.draw(-9, 9), view.draw(0.1, 0.2), always, 0.9)
    if view.any(is_("ship")):
        pic = S.ship(view, light, pic, near(view) * 1.1, side_of(view, 5.0), view.draw(0.05, 0.15), is_("ship"))
    return pic


def quay(view, light, pic, depth):
    X, Y, px = view.at(depth)
    alpha = ((0.5 - Y) / px + 0.5).clamp(0, 1).expand(-1, -1, view.W)
    pic = over(pic, alpha, L.aired(light, pic.new_tensor([.38, .35, .32]).view(1, 3, 1, 1) * (light.shadow + light.key * 0.45), depth))
    step = 3.4
    x = X / step - (X / step).floor() - 0.5
    d2 = (x * step) ** 2 + (Y - 1.6) ** 2
    return S.lamp(pic, light, d2, 0.12 + 0.6 * px, light.lamps)


def snowfield(view, light, bank, pic):
    rock = tone(view, [.36, .38, .44], [.42, .40, .42])
    white = tone(view, [.88, .92, 1.0], [.84, .90, .98])
    pic = L.ridge(view, light, bank, pic, 110.0, -1, view.draw(40, 75), 55.0, rock, 1.5 + view.draw(0, 40), snow=view.draw(0.05, 0.25), rough=0.46)
    pic = L.hills(view, light, bank, pic, 50.0, -2, view.draw(6, 11), 24.0, white, 3.5 + view.draw(0, 40), 0.9)
    pine = tone(view, [.10, .17, .13], [.12, .18, .16])
    frost = view.draw(0.3, 0.8)
    pic = L.pines(view, light, pic, 34.0, 0.4, 4.4, 1.7, pine, 5.5 + view.draw(0, 40), frost, 0.6)
    pic = L.ground(view, light, bank, pic, white * 0.9, white, grain=12.0, near_dark=0.08)
    if view.any(is_("cabin")):
        pic = S.cabin(view, light, pic, near(view) * 1.05, side_of(view, 4.4), 0.0, is_("cabin"))
    if view.any(is_("walker")):
        pic = S.walker(view, light, pic, near(view) * 1.0, side_of(view, 3.4), is_("walker"))
    return L.pines(view, light, pic, 13.0, -0.35, 4.0, 2.6, pine * 0.8, 7.5 + view.draw(0, 40), frost, 0.30)


def country(view, light, bank, pic):
    green = tone(view, [.28, .40, .14], [.40, .42, .16], [.58, .48, .20])
    pic = L.hills(view, light, bank, pic, 95.0, -1, view.draw(14, 26), 34.0, green * 0.7, 1.1 + view.draw(0, 40))
    pic = L.hills(view, light, bank, pic, 55.0, -1.5, view.draw(7, 12), 26.0, green * 0.85, 3.1 + view.draw(0, 40))
    pic = L.pines(view, light, pic, 40.0, 0.4, 2.6, 1.6, green * 0.45, 5.1 + view.draw(0, 40), 0.0, 0.5)
    pic = L.ground(view, light, bank, pic, green, torch.lerp(green, green.new_tensor([.75, .62, .26]).view(1, 3, 1, 1), view.draw(0, 0.8).unsqueeze(1)), grain=5.0)
    if view.any(is_("train")):
        pic = S.train(view, light, pic, near(view) * 0.85, 0.12, is_("train"))
    if view.any(is_("cabin")):
        pic = S.cabin(view, light, pic, near(view) * 1.15, side_of(view, 4.4), 0.0, is_("cabin"), False)
    return pic


COMPOSE = {"ocean": ocean, "mountains": mountains, "city": city, "forest": forest, "desert": desert, "coast": coast,
           "harbour": harbour, "snowfield": snowfield, "country": country, "street": lambda v, l, b, p: paint_street(v, l, b, p)}


@torch.no_grad()
def render(specs, frames, height, width, seed, device="cpu"):
    """Clips (B, 3, T, H, W) in -1..1. All specs of one call share their setting."""
    view = View(specs, frames, height, width, device, seed)
    light = Light(view)
    bank = cloud_bank(view.B, 256, 1.75, view.gen, device)
    pic = paint_sky(view, light, bank)
    pic = COMPOSE[specs[0]["setting"]](view, light, bank, pic)
    if view.any(is_("birds")):
        pic = S.birds(view, light, pic, is_("birds"))
    if view.any(is_("drones")):
        pic = S.birds(view, light, pic, is_("drones"), drones=True)
    pic = W.grade(view, W.falling(view, light, pic)).view(view.B, frames, 3, height, width)
    for b, s in enumerate(specs):
        if s["fault"]:
            pic[b] = W.degrade(pic[b], s["fault"], frames, view.gen)
    return (pic * 2 - 1).permute(0, 2, 1, 3, 4).contiguous()
