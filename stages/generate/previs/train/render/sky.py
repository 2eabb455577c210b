"""Sky: gradient, sun, moon, stars, clouds, lightning."""
import torch
from .noise import smooth, hash2, hash1, lookup
from .camera import over


def paint_sky(view, light, bank):
    el = view.dy.clamp(0, 1.2)                                            # (N, H, 1)
    low, high = smooth(0.0, 0.3, el), smooth(0.2, 0.95, el)
    grad = torch.lerp(torch.lerp(light.horizon, light.middle, low.unsqueeze(1)), light.zenith, high.unsqueeze(1))
    pic = grad.expand(view.N, 3, view.H, view.W).contiguous()
    gx, gy = view.dx - light.sun_x, view.dy - light.sun_y
    dist = (gx * gx + gy * gy).sqrt()
    if view.any(lambda s: s["time"] == "night" or s["time"] == "dusk"):
        pic = pic + (stars(view) * (light.night + 0.25 * light.dusk) * (light.open_sky > 0.5) * smooth(0.02, 0.3, el)).unsqueeze(1)
    warm = light.has_sun * (0.35 + 0.65 * light.low_sun)
    glow = torch.exp(-dist * 6) * 0.6 + torch.exp(-dist * 1.9) * 0.32
    band = torch.exp(-view.dy.abs() * 5 - gx.abs() * 1.1) * 0.4 * light.low_sun
    pic = over(pic, ((glow + band) * warm).clamp(0, 0.95), light.key * 1.05)
    disc = smooth(0.060, 0.048, dist) * light.has_sun
    pic = over(pic, disc, torch.lerp(light.key, torch.ones_like(light.key), 0.75))
    if view.any(lambda s: s["moon"]):
        size = view.draw(0.05, 0.085)
        face = smooth(size + 0.006, size - 0.006, dist)
        seas = lookup(bank, (gx / size * 0.12 + 0.3).expand_as(dist).contiguous(), (gy / size * 0.12).expand_as(dist).contiguous())
        pic = pic + ((torch.exp(-dist * 5) * 0.22 + torch.exp(-dist * 16) * 0.3) * light.has_moon).unsqueeze(1) * pic.new_tensor([.75, .85, 1.0]).view(1, 3, 1, 1)
        pic = over(pic, face * light.has_moon, (0.72 + 0.5 * (seas - 0.35)).clamp(0.5, 1).unsqueeze(1) * pic.new_tensor([1.0, .98, .90]).view(1, 3, 1, 1))
    return clouds(view, light, bank, pic)


def stars(view):
    cells = 19.0
    x, y = view.dx * cells + 500, view.dy * cells + 500
    ix, iy = x.floor(), y.floor()
    h = hash2(ix, iy, 3.1)
    px, py = 0.12 + 0.76 * hash2(ix, iy, 5.7), 0.12 + 0.76 * hash2(ix, iy, 8.3)
    d2 = (x - ix - px) ** 2 + (y - iy - py) ** 2
    radius = (view.pixel * cells).clamp_min(0.02) * (0.75 + 0.7 * hash2(ix, iy, 1.9) ** 3)
    twinkle = 0.85 + 0.15 * torch.sin(view.t * 6 + h * 60)
    bright = (hash2(ix, iy, 9.9) * 0.7 + 0.3) * (h > 0.80)
    return torch.exp(-d2 / (radius * radius)) * bright * twinkle


def clouds(view, light, bank, pic):
    lift = view.dy.clamp_min(0.0) + 0.10
    x = view.dx / lift * 0.055 + view.t * 0.006 + view.draw(0, 1)
    y = (0.11 / lift + view.draw(0, 1)).expand_as(x)
    thick = lookup(bank, x.contiguous(), y.contiguous())
    lit = thick - lookup(bank, x + 0.012 * torch.sign(light.sun_x), y + 0.012)
    amount = view.per_clip([{"clear": .18, "cloudy": .75, "overcast": .95, "fog": .3, "rain": .9, "storm": 1.0, "snow": .8}[s["weather"]] for s in view.specs])
    cut = 0.80 - 0.46 * (amount + view.draw(-0.1, 0.1))
    cover = smooth(0.0, 0.26, thick - cut) * smooth(0.0, 0.13, view.dy) * (0.55 + 0.35 * amount)
    dark = torch.lerp(light.shadow, light.middle, 0.55) * (1 - 0.35 * view.flag(lambda s: s["weather"] == "storm").unsqueeze(1))
    bright = torch.lerp(light.horizon, light.key, 0.6)
    shade = (0.62 + lit * 7 - 0.9 * (thick - cut)).clamp(0, 1) * (0.35 + 0.65 * light.open_sky)
    pic = over(pic, cover, torch.lerp(dark, bright, shade.unsqueeze(1)))
    if view.any(lambda s: s["weather"] == "storm"):
        when = hash1((view.t * 7).floor(), view.draw(0, 50))
        flash = (when > 0.86).float() * view.flag(lambda s: s["weather"] == "storm")
        pic = pic + (flash * 0.4 * cover).unsqueeze(1) * pic.new_tensor([.8, .85, 1.0]).view(1, 3, 1, 1)
    return pic
