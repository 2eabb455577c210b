"""What stands in the distance: ridges, dunes, trees, buildings; and the ground and water they stand on."""
import torch
import torch.nn.functional as F
from .noise import smooth, hash1, hash2, fbm1, lookup
from .camera import over


def aired(light, colour, depth):
    """A colour seen through the air in front of it."""
    return torch.lerp(colour, light.haze_colour, light.far(depth).unsqueeze(1))


def lit_by(light, albedo, shade):
    """Albedo (N,3,1,1) under shadow light plus key light times shade (N,H,W)."""
    return albedo * (light.shadow + light.key * shade.unsqueeze(1))


def ridge(view, light, bank, pic, depth, base, height, width, albedo, seed, snow=None, rough=0.55, octaves=6, relief=1.0):
    """A mountain range on the plane `depth`: sharp crests; faces turned to the light run down from them."""
    X, Y, px = view.at(depth)
    crest = base + height * fbm1(X / width + seed, seed, octaves, rough, ridged=True) ** 1.5
    Xf, Yf = X.expand(-1, view.H, -1), Y.expand(-1, -1, view.W)
    drop = ((crest - Yf) / height).clamp(0, 2)
    bend = lookup(bank, Xf / (width * 2.2), Yf / (width * 1.1) + 0.37 * seed) - 0.5
    Xw = (Xf + drop * bend * width * 0.75) / width + seed
    e = 0.03
    slope = fbm1(Xw + e, seed, 4, rough, ridged=True) - fbm1(Xw - e, seed, 4, rough, ridged=True)
    side = torch.sign(view.at(depth)[0].new_ones(1) * light.sun_x + 0.01)
    grain = lookup(bank, Xf / (width * 0.6), Yf / (width * 0.4) + seed) - 0.5
    shade = (0.45 - slope * side * 2.6 * relief + grain * 0.5).clamp(0, 1) * (0.6 - 0.25 * drop.clamp(0, 1))
    shade = shade * (1 - 0.45 * light.fog)
    body = albedo.expand(-1, -1, view.H, view.W)
    if snow is not None:
        line = base + height * (snow + 0.35 * (bend + grain * 0.7))
        white = smooth(-0.06, 0.10, (Yf - line) / height) * (0.55 + 0.45 * smooth(-0.5, 0.3, slope * side * -3 + 0.3))
        body = torch.lerp(body, body.new_tensor([.93, .95, 1.0]).view(1, 3, 1, 1), white.unsqueeze(1))
    colour = aired(light, body * (light.shadow + light.key * shade.unsqueeze(1)), depth)
    colour = torch.lerp(colour, light.haze_colour.expand_as(colour), (drop ** 1.5 * 0.3 * (0.4 + light.fog)).clamp(0, 0.7).unsqueeze(1))
    return over(pic, ((crest - Y) / px + 0.5).clamp(0, 1), colour)


def hills(view, light, bank, pic, depth, base, height, width, albedo, seed, contrast=1.0):
    """Soft ground that rises and falls: dunes, downs, snow banks. Lit by the slope of its own crest."""
    X, Y, px = view.at(depth)
    curve = lambda x: fbm1(x / width + seed, seed, 3, 0.32)
    crest = base + height * curve(X)
    Xf, Yf = X.expand(-1, view.H, -1), Y.expand(-1, -1, view.W)
    drop = ((crest - Yf) / height).clamp(0, 3)
    bend = lookup(bank, Xf / (width * 4.0), Yf / (width * 1.4) + 0.21 * seed) - 0.5
    Xw = Xf + drop * (0.30 + bend * 0.8) * width
    slope = (curve(Xw + 0.08 * width) - curve(Xw - 0.08 * width)) / 0.16
    shade = (0.5 - 1.3 * contrast * slope * torch.sign(light.sun_x + 0.01) + 0.35 * bend).clamp(0.05, 1)
    shade = torch.lerp(shade, shade * 0.3 + 0.4, 0.7 * light.fog) * 0.8
    colour = aired(light, lit_by(light, albedo, shade), depth)
    return over(pic, ((crest - Y) / px + 0.5).clamp(0, 1), colour)


def pines(view, light, pic, depth, base, height, spacing, albedo, seed, snowy=0.0, density=0.75, wander=0.5):
    """A row of conifers: jagged cones, each with its own size, swaying a little."""
    X, Y, px = view.at(depth)
    colour_far = None
    for k in range(2):
        sway = 0.015 * height * torch.sin(view.t * 2.2 + depth + k)
        cell = (X / spacing + 0.5 * k).floor()
        r1, r2, r3 = hash1(cell, seed + k), hash1(cell, seed + k + 11.3), hash1(cell, seed + k + 23.9)
        tall = height * (0.55 + 0.6 * r1)
        foot = base + wander * (fbm1(X / (spacing * 9) + seed, seed, 2) - 0.5) - 0.05 * height
        centre = (cell - 0.5 * k + 0.5 + 0.4 * (r2 - 0.5)) * spacing
        up = ((Y - foot) / tall)                                               # (N, H, W)
        tooth = up * (7 + 4 * r3)
        tooth = tooth - tooth.floor()
        half = tall * (0.24 + 0.07 * r3) * (1.02 - up) * (0.62 + 0.38 * (1 - tooth))
        away = (X + sway * up - centre)
        inside = ((half - away.abs()) / px + 0.5).clamp(0, 1) * (up > -0.3) * (up < 1.0) * (r2 < density)
        side = (0.5 + 0.5 * (away * torch.sign(light.sun_x) / half.clamp_min(1e-3)).clamp(-1, 1))
        shade = (0.16 + 0.75 * side * (0.4 + 0.6 * tooth)) * (0.45 + 0.55 * up.clamp(0, 1)) * (1 - 0.5 * light.fog)
        body = albedo * (0.8 + 0.4 * r1.unsqueeze(1))
        if snowy is not None and not isinstance(snowy, float):
            cap = (snowy * (1 - tooth) * smooth(0.2, 0.9, 1 - tooth)).clamp(0, 1)
            body = torch.lerp(body.expand(-1, -1, view.H, view.W), body.new_tensor([.85, .9, .97]).view(1, 3, 1, 1), cap.unsqueeze(1))
        colour = aired(light, body * (light.shadow * 0.9 + light.key * shade.unsqueeze(1)), depth)
        pic = over(pic, inside, colour)
    return pic


def windows(view, light, X, Y, px, wide, tall, seed, block, share):
    """Lit window panes on a wall: (mask, warm) both (N,H,W). Fades to an average where panes get smaller than a pixel."""
    gx, gy = X / wide, Y / tall
    ix, iy = gx.floor(), gy.floor()
    fx, fy = gx - ix, gy - iy
    ex, ey = (px / wide).clamp(0.02, 1), (px / tall).clamp(0.02, 1)
    pane = smooth(0.20 - ex, 0.20 + ex, fx) * smooth(0.80 + ex, 0.80 - ex, fx) * smooth(0.25 - ey, 0.25 + ey, fy) * smooth(0.75 + ey, 0.75 - ey, fy)
    pane = torch.lerp(pane, torch.full_like(pane, 0.28), smooth(0.35, 0.9, torch.maximum(ex, ey)).expand_as(pane))
    on = hash2(ix + block * 7.0, iy, seed) < share
    return pane, pane * on, hash2(ix * 3 + block, iy, seed + 4.0)


def skyline(view, light, pic, depth, base, low, high, wide, albedo, seed, pane=(0.42, 0.5), share=0.45):
    """A row of towers with lit windows, setbacks and masts."""
    X, Y, px = view.at(depth)
    for k in range(2):
        cell = (X / wide + 0.37 * k).floor()
        r1, r2, r3 = (hash1(cell, seed + k + s) for s in (0.0, 7.7, 15.1))
        loc = X / wide + 0.37 * k - cell - 0.5                                 # -0.5 .. 0.5 in the plot
        half = 0.30 + 0.17 * r2
        roof = base + low + (high - low) * r1 ** 1.7 * (0.75 + 0.25 * k)
        top = torch.where(loc.abs() < half * 0.6, roof, roof - (0.12 + 0.1 * r3) * (roof - base) * (r3 > 0.4))
        mast = (r2 > 0.72) & (loc.abs() < 0.02)
        top = torch.where(mast, roof + 0.16 * (roof - base), top)
        top = torch.where(loc.abs() < half, top, torch.full_like(top, -1e3))
        alpha = ((top - Y) / px + 0.5).clamp(0, 1) * ((Y - base) / px + 0.5).clamp(0, 1) * ((half - loc.abs()) * wide / px + 0.5).clamp(0, 1)
        side = smooth(-0.1, 0.1, loc * torch.sign(light.sun_x) + 0.12 * (r3 - 0.5) + 0.1)
        pane_all, pane_on, tint = windows(view, light, loc * wide + 50.0, Y, px, pane[0] * (0.8 + 0.5 * r2), pane[1], seed + k, cell, share * light.lamps)
        height = ((Y - base) / (high + 0.01)).clamp(0, 1)
        shade = ((0.2 + 0.62 * side) * (0.65 + 0.35 * height)) * (1 - 0.55 * light.fog)
        glassy = (0.26 * pane_all * (1 - light.lamps)).unsqueeze(1)
        body = albedo * (0.7 + 0.6 * r3.unsqueeze(1))
        colour = lit_by(light, body.expand(-1, -1, view.H, view.W), shade)
        colour = torch.lerp(colour, (light.middle * 0.75).expand_as(colour), glassy)
        glow = pic.new_tensor([1.0, .74, .40]).view(1, 3, 1, 1) * (1 - tint.unsqueeze(1) * 0.5) + pic.new_tensor([.85, .92, 1.0]).view(1, 3, 1, 1) * tint.unsqueeze(1) * 0.5
        colour = torch.lerp(colour, glow, (pane_on * (0.55 + 0.45 * tint) * smooth(0.05, 0.5, light.lamps)).unsqueeze(1).clamp(0, 1))
        colour = torch.lerp(colour, light.haze_colour.expand_as(colour), (light.far(depth) * (0.75 + 0.25 * (1 - height))).unsqueeze(1))
        beacon = torch.exp(-((loc * wide) ** 2 + (Y - roof - 0.16 * (roof - base)) ** 2) / (2.2 * px) ** 2) * (r2 > 0.72) * light.lamps * (torch.sin(view.t * 5 + r1 * 6) > -0.2)
        pic = over(pic, alpha, colour)
        pic = over(pic, beacon.clamp(0, 0.9), pic.new_tensor([1.0, .2, .15]).view(1, 3, 1, 1))
    return pic


def ground(view, light, bank, pic, albedo, second, level=0.0, grain=6.0, ripples=0.0, near_dark=0.25):
    """Land seen from above: two earth colours mixed by noise, darker at the feet, hazy far off."""
    X, Z, dist, seen = view.ground(level)
    foot = view.pixel * dist * dist / (view.cy - level).clamp_min(0.3)
    fade = 1 / (1 + (foot / grain * 6.0) ** 2)
    big = lookup(bank, X / (grain * 8), Z / (grain * 5))
    small = lookup(bank, X / grain * 0.6 + 0.3, Z / grain * 0.8)
    mix = (0.5 + (big - 0.5) * 1.5 + (small - 0.5) * 1.3 * fade).clamp(0, 1)
    shade = (0.55 + (small - lookup(bank, X / grain * 0.6 + 0.3 + 0.02 * torch.sign(light.sun_x), Z / grain * 0.8)) * 3.5 * fade)
    if not isinstance(ripples, float):
        wave = torch.sin(Z * 4.0 + (big * 40) + X * 0.8) * smooth(11.0, 3.0, dist) * ripples
        shade = shade + 0.16 * wave
    shade = shade.clamp(0.05, 1) * (1 - near_dark * smooth(7.0, 1.5, dist)) * (1 - 0.4 * light.fog)
    body = torch.lerp(albedo, second, mix.unsqueeze(1))
    colour = lit_by(light, body, shade)
    air = (1 - torch.exp(-light.density * dist)).unsqueeze(1)
    return over(pic, seen.expand(-1, -1, view.W), torch.lerp(colour, light.haze_colour.expand_as(colour), air.expand_as(colour)))


def water(view, light, bank, pic, rough, level=0.0, start=0.0, deep=None):
    """Sea or lake: the picture above the horizon mirrored, broken by moving ripples, over its own deep colour.

    rough (N,1,1): 0 mirror, 1 storm. start: distance where the water begins (land behind it stays)."""
    X, Z, dist, seen = view.ground(level)
    t = view.t
    s = 1.0 + 0.9 * rough
    # waves are long across the view and short along it; each octave dies out where it gets finer than a pixel
    foot = view.pixel * dist * dist / (view.cy - level).clamp_min(0.3)
    seen_at = lambda period: 1 / (1 + (foot / period * 3.0) ** 2)
    n1 = (lookup(bank, X / 30 + t * 0.02, Z / 17 - t * 0.07) - 0.5) * seen_at(17)
    n2 = (lookup(bank, X / 9.5 - t * 0.03, Z / 5.0 - t * 0.16) - 0.5) * seen_at(5)
    n3 = (lookup(bank, X / 3.1 + t * 0.05, Z / 1.7 - t * 0.30) - 0.5) * seen_at(1.7)
    near = smooth(60.0, 3.0, dist)
    ripple = n1 * 1.1 + n2 * (0.4 + 0.6 * near) + n3 * 0.7
    tiltx = (lookup(bank, X / 4.1 + 0.4 - t * 0.05, Z / 2.6 - t * 0.18) - 0.5) * seen_at(2.6)
    amount = 0.05 + 0.20 * rough
    # mirrored picture: same distance above the horizon, in picture coordinates
    below = (-view.dy) * view.f
    row = (-view.pitch * view.f) + below * 0.92 + (ripple * amount * s + 0.12 * rough) * smooth(0.0, 0.5, below + 0.05)
    col = view.u + tiltx * amount * 0.8 * smooth(0.0, 0.6, below)
    grid = torch.stack(((col / view.aspect).expand(view.N, view.H, view.W), (-row).expand(view.N, view.H, view.W)), -1)
    mirror = F.grid_sample(pic, grid.clamp(-1, 1), mode="bilinear", padding_mode="border", align_corners=False)
    if deep is None:
        deep = pic.new_tensor([.05, .20, .27]).view(1, 3, 1, 1)
    body = deep * (light.shadow * 0.9 + light.key * 0.75)
    fresnel = (0.30 + 0.62 * torch.exp(-below.clamp_min(0) * (1.3 + 0.9 * rough)) + ripple * (0.5 + 0.5 * rough)).clamp(0.06, 0.97)
    colour = torch.lerp(body.expand_as(pic), mirror, fresnel.unsqueeze(1).expand_as(pic))
    crest = smooth(0.10, 0.34, ripple * (0.75 + 0.5 * rough))
    colour = torch.lerp(colour, (torch.lerp(light.horizon, light.key, 0.35) * 0.9).expand_as(pic), (crest * 0.22 * (0.35 + rough)).unsqueeze(1))
    # the sun's (or moon's) road
    road = torch.exp(-((view.dx - light.sun_x) / (0.07 + 0.12 * below.clamp(0, 1) + 0.05 * rough)) ** 2)
    glint = smooth(0.03, 0.22, n2 * 0.9 + n3 * 0.9 + n1 * 0.3)
    strength = (light.low_sun * 0.85 + 0.25 * light.has_sun * (1 - light.low_sun) + light.has_moon * 0.75)
    colour = over(colour, (road * glint * strength).clamp(0, 0.95), torch.lerp(light.key, torch.ones_like(light.key), 0.35) * (1 - 0.2 * light.night.unsqueeze(1)))
    foam = smooth(0.22, 0.36, (0.55 * n2 + n3) * rough * 1.25) * smooth(45.0, 8.0, dist)
    colour = over(colour, foam * 0.8, (light.shadow * 0.9 + light.key * 0.75))
    air = (1 - torch.exp(-light.density * dist * 0.8))
    colour = torch.lerp(colour, light.haze_colour.expand_as(pic), air.unsqueeze(1).expand_as(pic))
    where = seen * smooth(start - 0.02, start + 0.3, -dist + 2 * start) if start else seen
    return over(pic, where.expand(-1, -1, view.W), colour)
