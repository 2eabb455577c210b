"""A city street in one-point perspective: two walls of facades, a road, lamps, a car. Rays are traced, so dollies are true."""
import torch
from .noise import smooth, hash1, hash2, lookup
from .camera import over
from .layers import windows
from .subjects import box, fill, lamp


def facades(view, light, dx, dy, half, reach, seed):
    """Colour and cover of the two walls at X = +-half, for rays (dx, dy, 1) (any broadcast shape) from the camera."""
    side = torch.sign(dx)
    gap = (half - side * view.cx).clamp_min(0.4)
    dist = gap / dx.abs().clamp_min(1e-3)
    Z, Y = view.cz + dist, view.cy + dy * dist
    plot = 5.2
    cell = (Z / plot).floor() + side * 31
    r1, r2, r3 = hash1(cell, seed), hash1(cell, seed + 5), hash1(cell, seed + 9)
    roof = 4.0 + 9.5 * r1
    px = view.pixel * dist
    cover = ((roof - Y) / px + 0.5).clamp(0, 1) * (dist < reach) * (Y > -0.05)
    zz = Z - (Z / plot).floor() * plot
    pane, on, tint = windows(view, light, Z, Y - 1.3, px * 2.0, 0.72 + 0.2 * r2, 1.05, seed, side, 0.42 * light.lamps)
    upper = (Y > 1.5)
    shop = ((Y < 1.25) & (Y > 0.15) & (zz > 0.4) & (zz < plot - 0.4)).float()
    one = view.colour([[1., 1, 1]] * view.B)
    hue = torch.stack((0.55 + 0.25 * r2, 0.42 + 0.16 * r3, 0.34 + 0.16 * r1), 1) * (0.55 + 0.5 * r3).unsqueeze(1)
    shade = (0.42 + 0.30 * side * torch.sign(light.sun_x)) * (0.55 + 0.45 * (Y / 9).clamp(0, 1)) * (1 - 0.4 * light.fog)
    colour = hue * (light.shadow + light.key * shade.unsqueeze(1))
    edge = smooth(0.16, 0.0, torch.minimum(zz, plot - zz)) * 0.5
    colour = colour * (1 - edge).unsqueeze(1)
    glass = (light.middle * 0.55) * one
    colour = torch.lerp(colour, glass.expand_as(colour), (pane * upper * 0.6 * (1 - light.lamps)).unsqueeze(1))
    warm = torch.stack((1.0 - 0.12 * tint, 0.72 + 0.2 * tint, 0.36 + 0.5 * tint), 1)
    colour = torch.lerp(colour, warm, (on * upper * smooth(0.1, 0.6, light.lamps)).unsqueeze(1))
    neon = torch.stack((0.6 + 0.4 * torch.sin(cell * 2.1), 0.5 + 0.3 * torch.sin(cell * 4.3 + 1), 0.55 + 0.45 * torch.sin(cell * 3.3 + 2)), 1)
    shoplight = torch.lerp(torch.full_like(neon, 0.0) + pic_warm(neon), neon, (r2 > 0.55).float().unsqueeze(1))
    colour = torch.lerp(colour, shoplight, (shop * (0.12 + 0.6 * light.lamps) * (0.55 + 0.45 * Y.clamp(0, 1.2)) * (r3 > 0.3)).unsqueeze(1))
    sign = ((Y > 1.35) & (Y < 1.75) & (zz > 1.0) & (zz < plot - 1.2) & (r1 > 0.35)).float()
    colour = torch.lerp(colour, neon, (sign * (0.35 + 0.6 * light.lamps)).unsqueeze(1))
    air = (1 - torch.exp(-light.density * 1.3 * dist)).unsqueeze(1)
    return torch.lerp(colour, light.haze_colour.expand_as(colour), air), cover, dist


def pic_warm(like):
    return like.new_tensor([1.0, .78, .45]).view(1, 3, 1, 1)


def paint_street(view, light, bank, pic):
    half = view.draw(3.6, 4.8)
    seed = view.draw(1, 60)
    dx = view.dx.expand(-1, view.H, -1)
    dy = view.dy.expand(-1, -1, view.W)
    wall, cover, _ = facades(view, light, dx, dy, half, 150.0, seed)
    sky = pic
    pic = over(pic, cover, wall)
    # road and pavement, wet where it rains or by night
    X, Z, dist, seen = view.ground()
    wet = (view.flag(lambda s: s["weather"] in ("rain", "storm", "snow")) * 0.75 + 0.35 * light.night).clamp(0, 0.85)
    n = lookup(bank, X / 5, Z / 7) - 0.5
    kerb = half * 0.62
    road = pic.new_tensor([.20, .20, .22]).view(1, 3, 1, 1)
    pave = pic.new_tensor([.44, .42, .40]).view(1, 3, 1, 1)
    body = torch.lerp(road, pave, smooth(-0.02, 0.05, X.abs() - kerb).unsqueeze(1)) * (1 + 0.5 * n).unsqueeze(1)
    dash = smooth(0.09, 0.05, X.abs()) * ((Z / 2.6 - (Z / 2.6).floor()) < 0.5)
    zebra = smooth(0.06, 0.03, (X.abs() - kerb + 0.12).abs())
    body = torch.lerp(body, body.new_tensor([.85, .83, .76]).view(1, 3, 1, 1).expand_as(body), ((dash + 0.5 * zebra) * 0.8).clamp(0, 1).unsqueeze(1))
    snow = view.flag(lambda s: s["weather"] == "snow")
    body = torch.lerp(body, body.new_tensor([.9, .93, .98]).view(1, 3, 1, 1).expand_as(body), (snow * smooth(-0.15, 0.25, n + 0.25 * (X.abs() > kerb))).unsqueeze(1) * 0.8)
    colour = body * (light.shadow + light.key * 0.5 * (1 - 0.4 * light.fog).unsqueeze(1))
    mirror, mcover, _ = facades(view, light, dx + n * 0.03, -dy, half, 150.0, seed)
    # a reflected ray starts at the road: its height at the wall is dy*(dist_wall) - cy; shift by twice the camera height
    mirror = torch.lerp(torch.lerp(light.horizon, light.middle, 0.4).expand_as(mirror), mirror, mcover.unsqueeze(1))
    gloss = wet * (0.35 + 0.5 * torch.exp(view.dy.clamp(-2, 0) * 2.5)) * (0.75 + n)
    colour = torch.lerp(colour, mirror, gloss.clamp(0, 0.85).unsqueeze(1).expand_as(colour))
    air = (1 - torch.exp(-light.density * 1.3 * dist)).unsqueeze(1)
    colour = torch.lerp(colour, light.haze_colour.expand_as(colour), air.expand_as(colour))
    onroad = seen * (X.abs() < half)
    pic = over(pic, onroad, colour)
    pic = lamps(view, light, pic, kerb)
    return cars(view, light, pic, kerb)


def lamps(view, light, pic, kerb):
    """Street lamps, nearest last; positions repeat with the plot so that a dolly passes them."""
    step = 7.0
    first = (view.cz / step).floor()
    for k in range(6, -1, -1):
        z = (first + k + 0.6) * step - view.cz
        ok = smooth(0.8, 1.6, z) * torch.exp(-light.density * 0.6 * z)
        zc = z.clamp_min(0.8)
        for side in (-1.0, 1.0):
            x = view.cx + view.dx * zc - side * (kerb + 0.25)
            y = view.cy + view.dy * zc
            px = view.pixel * zc
            pole = torch.maximum(x.abs() - 0.05, torch.maximum(y - 3.6, -y))
            arm = torch.minimum(pole, torch.maximum((x + side * 0.35).abs() - 0.35, (y - 3.6).abs() - 0.045))
            pic = over(pic, fill(arm, px) * ok, torch.lerp(light.shadow * 0.35, light.haze_colour, light.far(zc).unsqueeze(1)))
            pic = lamp(pic, light, (x + side * 0.65) ** 2 + (y - 3.5) ** 2, 0.11 + 0.8 * px, light.lamps * ok, (1.0, .80, .48))
    return pic


def cars(view, light, pic, kerb):
    """One car driving away (tail lights) and one coming (head lights)."""
    on = view.flag(lambda s: s["subject"] == "car")
    for away in (False, True):
        z0 = view.draw(9, 14) if away else view.draw(16, 24)
        z = z0 + (2.6 if away else -6.0) * (view.t - 0.7) - view.cz
        ok = on * smooth(1.2, 2.0, z)
        zc = z.clamp_min(1.2)
        cx = (kerb * 0.45) * (1 if away else -1)
        x, y, px = view.cx + view.dx * zc - cx, view.cy + view.dy * zc, view.pixel * zc
        bodyd = torch.minimum(box(x, y, 0, 0.52, 0.86, 0.30), torch.maximum(x.abs() - (0.78 - 0.35 * (y - 0.8)), (y - 1.05).abs() - 0.28))
        wheel = torch.minimum(box(x, y, -0.68, 0.16, 0.13, 0.18), box(x, y, 0.68, 0.16, 0.13, 0.18))
        tone = view.colour(torch.rand(view.B, 3, generator=view.gen) * 0.6 + 0.1)
        air = light.far(zc).unsqueeze(1)
        alpha = fill(bodyd, px) * ok
        shade = 0.3 + 0.5 * smooth(0.2, 1.3, y)
        pic = over(pic, torch.exp(-(x / 0.95) ** 4 - ((y + 0.02) / 0.10) ** 2) * ok * 0.6, light.shadow * 0.1)
        pic = over(pic, fill(wheel, px) * ok, light.shadow * 0.15)
        pic = over(pic, alpha, torch.lerp(tone * (light.shadow + light.key * shade.expand(-1, -1, view.W).unsqueeze(1)), light.haze_colour.expand_as(pic), air))
        glass = fill(torch.maximum(x.abs() - (0.66 - 0.35 * (y - 0.8)), (y - 1.05).abs() - 0.2), px) * ok
        pic = over(pic, glass, torch.lerp(light.middle * 0.4, light.haze_colour, air))
        hue = (1.0, .16, .10) if away else (1.0, .95, .82)
        glow = (0.45 if away else 0.3) + 0.6 * light.lamps
        for s in (-1, 1):
            d2 = (x - 0.62 * s) ** 2 + (y - 0.55) ** 2
            pic = lamp(pic, light, d2, 0.10 + 0.5 * px, glow * ok, hue)
            streak = torch.exp(-((x - 0.62 * s) / 0.16) ** 2) * smooth(0.0, -0.1, y) * torch.exp(y.clamp(-5, 0) * 1.5) * light.lamps * ok * 0.35
            pic = over(pic, streak, pic.new_tensor(hue).view(1, 3, 1, 1))
    return pic
