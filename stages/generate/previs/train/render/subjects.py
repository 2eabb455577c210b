"""Things that a shot is about. Each is drawn on its own upright plane in metres-like units, with the foot at Y = 0."""
import torch
from .noise import smooth, hash1, fbm1
from .camera import over
from .layers import aired, windows


def box(x, y, cx, cy, hx, hy):
    """Signed distance of a box (negative inside), max-norm."""
    return torch.maximum((x - cx).abs() - hx, (y - cy).abs() - hy)


def convex(x, y, *edges):
    """Convex shape from edges (nx, ny, d): inside where nx*x + ny*y <= d."""
    out = None
    for nx, ny, d in edges:
        e = (nx * x + ny * y - d) / (nx * nx + ny * ny) ** 0.5
        out = e if out is None else torch.maximum(out, e)
    return out


def fill(sd, px):
    return (0.5 - sd / px).clamp(0, 1)


def afloat(view, depth, centre, bob, roll):
    """Local coordinates of a thing that floats: mirrored below its waterline, broken by ripples there."""
    X, Y, px = view.at(depth)
    X, Y = X.expand(-1, view.H, -1), Y.expand(-1, -1, view.W)
    under = Y < 0
    wave = torch.sin(Y * 16 + view.t * 5 + torch.sin(X * 3 + view.t * 2)) * 0.10 * (-Y).clamp(0, 1.2) ** 0.5
    x = X - centre + torch.where(under, wave, torch.zeros_like(wave))
    y = Y.abs() * torch.where(under, 1.12, 1.0) - bob * torch.where(under, -1.0, 1.0)
    x, y = x + roll * y, y - roll * x
    return x, y, px, torch.where(under, 0.42, 1.0) * (Y > -2.6)


def paint(pic, light, depth, alpha, albedo, shade):
    colour = albedo * (light.shadow * 0.85 + light.key * shade.unsqueeze(1))
    return over(pic, alpha, aired(light, colour.expand_as(pic), depth))


def lamp(pic, light, dist2, radius, strength, colour=(1.0, .78, .45)):
    glow = torch.exp(-dist2 / (radius * radius)) * strength + torch.exp(-dist2 / (radius * 4.5) ** 2) * strength * 0.3
    return over(pic, glow.clamp(0, 0.97), pic.new_tensor(colour).view(1, 3, 1, 1))


def ship(view, light, pic, depth, where, rough, who):
    """A frigate: flared hull, superstructure, mast, turret, running lights, bow wave."""
    on = view.flag(who)
    facing = torch.sign(view.draw(-1, 1))
    travel = view.draw(0.5, 1.3)
    centre = where + facing * travel * (view.t - 0.7)
    bob = 0.02 + 0.10 * rough * torch.sin(view.t * 2.1 + view.draw(0, 6))
    x, y, px, soft = afloat(view, depth, centre, bob, 0.035 * rough * torch.sin(view.t * 1.7 + view.draw(0, 6)) )
    x = x * facing
    L = view.draw(2.4, 3.0)
    xn = x / L
    sheer = 0.42 + 0.22 * xn.clamp(0, 1) ** 2
    hull = torch.maximum(torch.maximum(y - sheer, -y - 0.1), torch.maximum(xn * L - L * (0.86 + 0.24 * y), -xn * L - L * 0.95))
    decks = torch.minimum(box(x, y, -0.05 * L, 0.62, 0.42 * L, 0.26), box(x, y, 0.08 * L, 0.98, 0.20 * L, 0.24))
    decks = torch.minimum(decks, box(x, y, 0.14 * L, 1.28, 0.10 * L, 0.12))
    funnel = convex(x + 0.17 * L, y, (1, 0.15, 0.30), (-1, 0.05, 0.24), (0, 1, 1.35), (0, -1, -0.8))
    mast = torch.minimum(box(x, y, 0.08 * L, 1.75, 0.035, 0.65), box(x, y, 0.08 * L, 1.85, 0.30, 0.03))
    mast = torch.minimum(mast, convex(x - 0.08 * L, y, (1, .22, .42), (-1, .22, -0.02 + .40), (0, 1, 1.9), (0, -1, -1.2)))
    gun = torch.minimum(box(x, y, 0.52 * L, 0.66, 0.13, 0.13), box(x, y, 0.66 * L, 0.72, 0.28, 0.025))
    aft = box(x, y, -0.62 * L, 0.58, 0.22 * L, 0.18)
    grey = pic.new_tensor([.46, .50, .54]).view(1, 3, 1, 1)
    top = torch.minimum(torch.minimum(decks, funnel), torch.minimum(torch.minimum(mast, gun), aft))
    lightside = 0.55 + 0.25 * torch.sign(light.sun_x) * facing * (x / L)
    pic = paint(pic, light, depth, fill(top, px) * soft * on, grey, (lightside * (0.6 + 0.25 * smooth(0.3, 1.5, y)) - 0.30 * ((y * 4.2).floor() % 2)).clamp(0.08, 1) * (1 - 0.35 * light.fog))
    pic = paint(pic, light, depth, fill(hull, px) * soft * on, grey * 0.8, ((0.30 + 0.5 * y) * (0.6 + 0.4 * lightside)).clamp(0, 1))
    _, lit, _ = windows(view, light, x + 40, y, px, 0.22, 0.24, 3.0, torch.zeros_like(x), light.lamps * 0.7)
    pic = over(pic, lit * fill(decks + 0.04, px) * soft * on * light.lamps, pic.new_tensor([1.0, .82, .5]).view(1, 3, 1, 1))
    pic = lamp(pic, light, (x - 0.08 * L) ** 2 + (y - 2.42) ** 2, 0.05 + 1.2 * px, light.lamps * on * soft)
    wake = torch.exp(-((y) / (0.07 + 0.06 * rough)) ** 2) * smooth(1.1, 0.9, xn.abs()) + torch.exp(-((x - 0.88 * L) ** 2 + (y - 0.06) ** 2) / 0.035) + torch.exp(-(y / 0.06) ** 2) * smooth(-2.6, -0.9, xn) * (xn < -0.9)
    foam = (wake * (0.5 + 0.5 * torch.sin(x * 9 - view.t * 12) * torch.sin(x * 5.3 + 2))).clamp(0, 1)
    return over(pic, foam * on * 0.75, aired(light, light.shadow * 0.95 + light.key * 0.7, depth))


def sailboat(view, light, pic, depth, where, rough, who, size=1.0):
    on = view.flag(who)
    facing = torch.sign(view.draw(-1, 1))
    centre = where + facing * view.draw(0.25, 0.7) * (view.t - 0.7)
    bob = 0.02 + 0.09 * rough * torch.sin(view.t * 2.6 + view.draw(0, 6))
    x, y, px, soft = afloat(view, depth, centre, bob, -facing * 0.07 + 0.05 * (0.4 + rough) * torch.sin(view.t * 1.9 + view.draw(0, 6)))
    x, y, px = x * facing / size, y / size, px / size
    hull = torch.maximum(torch.maximum(y - 0.22 - 0.08 * (x.clamp_min(0)) ** 2, -y - 0.1), (x + 0.05).abs() - (0.72 + 0.55 * y))
    main = convex(x, y, (1, 0, -0.03), (0, -1, -0.36), (-1, 0.43, 0.93))
    jib = convex(x, y, (-1, 0, -0.05), (0, -1, -0.30), (1, 0.42, 0.92))
    mast = box(x, y, 0.0, 1.25, 0.022, 1.05)
    sail = torch.minimum(main, jib)
    white = torch.lerp(pic.new_tensor([.96, .94, .88]).view(1, 3, 1, 1), pic.new_tensor([.85, .30, .18]).view(1, 3, 1, 1), (view.draw(0, 1) > 0.75).float().unsqueeze(1))
    pic = paint(pic, light, depth, fill(mast, px) * soft * on, white * 0.5, torch.full_like(x, 0.5))
    pic = paint(pic, light, depth, fill(sail, px) * soft * on, white, (0.62 + 0.35 * x * torch.sign(light.sun_x) * facing + 0.1 * torch.sin(y * 3)).clamp(0.15, 1))
    pic = paint(pic, light, depth, fill(hull, px) * soft * on, pic.new_tensor([.42, .26, .17]).view(1, 3, 1, 1), (0.35 + y).clamp(0.1, 0.8))
    pic = lamp(pic, light, x ** 2 + (y - 2.3) ** 2, 0.04 + 1.1 * px, light.lamps * on * soft)
    foam = torch.exp(-(y / 0.05) ** 2) * smooth(1.0, 0.8, x.abs()) * (0.5 + 0.5 * torch.sin(x * 11 - view.t * 9))
    return over(pic, foam * 0.5 * on, aired(light, light.shadow + light.key * 0.6, depth))


def lighthouse(view, light, pic, depth, where, foot, who):
    """A banded tower with a lantern; at night the beam turns."""
    on = view.flag(who)
    X, Y, px = view.at(depth)
    x, y = (X - where).expand(-1, view.H, -1), (Y - foot).expand(-1, -1, view.W)
    tall = view.draw(3.3, 4.2)
    half = 0.42 - 0.17 * (y / tall).clamp(0, 1)
    tower = torch.maximum(x.abs() - half, torch.maximum(y - tall, -y - 0.5))
    gallery = box(x, y, 0, tall, 0.36, 0.07)
    lantern = box(x, y, 0, tall + 0.28, 0.19, 0.26)
    roof = convex(x, y - tall - 0.5, (1, 0.8, 0.27), (-1, 0.8, 0.27), (0, -1, 0.0))
    band = ((y / tall * 5).floor() % 2)
    red, white = pic.new_tensor([.72, .14, .11]).view(1, 3, 1, 1), pic.new_tensor([.95, .93, .90]).view(1, 3, 1, 1)
    plain = (view.draw(0, 1) > 0.6).float()
    skin = torch.lerp(white.expand(view.N, 3, view.H, view.W), red, (band * (1 - plain)).unsqueeze(1))
    round_ = (0.55 + 0.5 * (x / half) * torch.sign(light.sun_x)).clamp(0.08, 1)
    # the beam sweeps round: its length on the picture is the cosine of its heading
    turn = view.t * 2.6 + view.draw(0, 6.28)
    reach = torch.cos(turn)
    lx, ly = x, y - tall - 0.28
    along = lx * torch.sign(reach)
    spread = 0.05 + 0.075 * along.clamp_min(0) / reach.abs().clamp_min(0.12)
    beam = torch.exp(-(ly - 0.02 * along) ** 2 / spread ** 2) * smooth(0.0, 0.3, along) * smooth(14.0 * reach.abs() + 0.5, 1.0, along)
    beam_on = (light.lamps * (0.35 + 0.3 * light.night + 0.35 * light.fog) * on)
    pic = over(pic, (beam * beam_on).clamp(0, 0.85), pic.new_tensor([1.0, .95, .75]).view(1, 3, 1, 1))
    pic = paint(pic, light, depth, fill(torch.minimum(gallery, roof), px) * on, red * 0.7, round_ * 0.6)
    pic = paint(pic, light, depth, fill(tower, px) * on, skin, round_ * 0.85)
    pic = paint(pic, light, depth, fill(lantern, px) * on, white * 0.6, round_ * 0.7)
    facing = (0.5 - 0.5 * torch.sin(turn)) ** 2
    return lamp(pic, light, lx ** 2 + ly ** 2, 0.2, (light.lamps * (0.6 + 0.5 * facing) + 0.12) * on, (1.0, .93, .70))


def birds(view, light, pic, who, drones=False):
    """A loose flock crossing the sky, wings beating; or drones that hover and blink."""
    on = view.flag(who)
    drift = torch.sign(view.draw(-1, 1)) * view.draw(0.10, 0.22)
    ox, oy = view.draw(-0.35, 0.35), view.draw(0.24, 0.42)
    count = 7 if not drones else 4
    for i in range(count):
        a, b, c = view.draw(-0.38, 0.38), view.draw(-0.13, 0.13), view.draw(0.020, 0.034) * (1.5 if drones else 1.0)
        if drones:
            x = view.dx - ox - a * 1.4 - drift * 0.5 * (view.t - 0.7) - 0.01 * torch.sin(view.t * 3 + i)
            y = view.dy - oy - b * 1.3 - 0.012 * torch.sin(view.t * 2.3 + i * 2)
            x, y = x / c, y / c
            px = view.pixel / c
            body = torch.minimum(box(x, y, 0, 0, 0.42, 0.16), box(x, y, 0, 0.08, 1.2, 0.06))
            rotor = torch.minimum(box(x, y, -1.15, 0.22, 0.5, 0.045), box(x, y, 1.15, 0.22, 0.5, 0.045))
            legs = torch.minimum(box(x, y, -0.3, -0.26, 0.05, 0.16), box(x, y, 0.3, -0.26, 0.05, 0.16))
            pic = over(pic, fill(torch.minimum(torch.minimum(body, rotor), legs), px) * on * 0.95, light.shadow * 0.25)
            blink = (torch.sin(view.t * 9 + i * 1.7) > 0).float()
            pic = lamp(pic, light, (x + 1.1) ** 2 + y ** 2, 0.16, on * (0.35 + 0.65 * blink) * (0.4 + 0.6 * light.lamps), (1.0, .25, .2))
            pic = lamp(pic, light, (x - 1.1) ** 2 + y ** 2, 0.16, on * (0.4 + 0.6 * light.lamps), (.35, 1.0, .5))
        else:
            flap = torch.sin(view.t * (13 + i) + i * 2.1)
            x = (view.dx - ox - a - drift * (view.t - 0.7)) / c
            y = (view.dy - oy - b - 0.01 * torch.sin(view.t * 2 + i)) / c
            ax = x.abs()
            wing = (y - ax * (0.25 + 0.5 * flap) + 0.35 * ax * ax).abs() - 0.13 * (1.15 - ax).clamp_min(0)
            body = (x * x * 2 + y * y * 9).sqrt() - 0.32
            sd = torch.minimum(torch.maximum(wing, ax - 1.1), body)
            pic = over(pic, fill(sd, view.pixel / c) * on * 0.9, torch.lerp(light.shadow * 0.3, light.middle, 0.15))
    return pic


def walker(view, light, pic, depth, where, who, count=1):
    """One or more figures walking on the ground."""
    on = view.flag(who)
    facing = torch.sign(view.draw(-1, 1))
    for i in range(count):
        X, Y, px = view.at(depth)
        x = (X - where - i * 0.9 - facing * 0.75 * (view.t - 0.7)) * facing
        x, y = x.expand(-1, view.H, -1), Y.expand(-1, -1, view.W)
        step = torch.sin(view.t * 7.0 + i * 1.3)
        leg = lambda s: (x - s * 0.24 * (0.75 - y).clamp_min(0)).abs() - 0.075
        legs = torch.maximum(torch.minimum(leg(step), leg(-step)), torch.maximum(y - 0.8, -y))
        coat = torch.maximum(x.abs() - (0.25 - 0.11 * ((y - 0.5) / 0.8)), (y - 1.02).abs() - 0.42)
        head = ((x - 0.03) ** 2 + (y - 1.58) ** 2).sqrt() - 0.12
        sd = torch.minimum(torch.minimum(legs, coat), head)
        pic = paint(pic, light, depth, fill(sd, px) * on, pic.new_tensor([.16, .13, .13]).view(1, 3, 1, 1), torch.full_like(x, 0.25) + 0.3 * (x * torch.sign(light.sun_x) * facing * 4).clamp(0, 1))
    return pic


def train(view, light, pic, depth, foot, who):
    """A train of coaches running along the plane, windows lit after dark."""
    on = view.flag(who)
    facing = torch.sign(view.draw(-1, 1))
    X, Y, px = view.at(depth)
    nose = view.draw(-2.0, 3.0)
    x = (X * facing - nose - 4.2 * (view.t - 0.7)).expand(-1, view.H, -1)
    y = (Y - foot).expand(-1, -1, view.W)
    car, n = 3.1, (-(x) / 3.1).floor()
    local = -x - n * car - car / 2
    front = (n == 0) & (local < 0)
    chop = torch.where(front, (0.45 - 0.55 * (car / 2 + local)).clamp_min(0), torch.zeros_like(x))
    sd = torch.maximum(torch.maximum(local.abs() - 1.46, (y - 0.62).abs() - 0.42 + chop * 0.5), torch.maximum(x, -x - car * 7))
    wheels = torch.maximum(((local.abs() - 0.95) ** 2 + (y - 0.14) ** 2).sqrt() - 0.15, torch.maximum(x, -x - car * 7))
    rails = (Y - foot).abs().expand_as(x) - 0.045
    paintjob = torch.where((view.draw(0, 1) > 0.5).unsqueeze(1), pic.new_tensor([.62, .13, .12]).view(1, 3, 1, 1), pic.new_tensor([.16, .30, .45]).view(1, 3, 1, 1))
    pic = paint(pic, light, depth, fill(rails, px) * on * 0.7, pic.new_tensor([.25, .22, .2]).view(1, 3, 1, 1), torch.full_like(x, 0.3))
    pic = paint(pic, light, depth, fill(wheels, px) * on, pic.new_tensor([.1, .1, .1]).view(1, 3, 1, 1), torch.full_like(x, 0.3))
    stripe = smooth(0.05, 0.02, (y - 0.42).abs())
    skin = torch.lerp(paintjob.expand(view.N, 3, view.H, view.W), pic.new_tensor([.9, .88, .8]).view(1, 3, 1, 1), stripe.unsqueeze(1))
    pic = paint(pic, light, depth, fill(sd, px) * on, skin, (0.3 + 0.45 * smooth(0.2, 1.0, y)))
    wx = (local + 1.5) / 0.5
    pane = torch.maximum(((wx - wx.floor()) - 0.5).abs() * 0.5 - 0.16, (y - 0.74).abs() - 0.14)
    pane = fill(torch.maximum(pane, sd + 0.06), px) * on
    glass = torch.lerp(light.middle * 0.45, pic.new_tensor([1.0, .84, .52]).view(1, 3, 1, 1), smooth(0.1, 0.6, light.lamps).unsqueeze(1))
    pic = over(pic, pane * 0.95, aired(light, glass, depth))
    return lamp(pic, light, (x + 0.1) ** 2 + (y - 0.5) ** 2, 0.12, on * (0.25 + 0.75 * light.lamps), (1.0, .95, .8))


def cabin(view, light, pic, depth, where, foot, who, snowy=True):
    on = view.flag(who)
    X, Y, px = view.at(depth)
    x, y = (X - where).expand(-1, view.H, -1), (Y - foot).expand(-1, -1, view.W)
    wall = box(x, y, 0, 0.55, 1.15, 0.65)
    roof = torch.maximum(convex(x, y - 1.1, (1, 1.25, 1.55), (-1, 1.25, 1.55), (0, -1, 0.08)), -y)
    chimney = box(x, y, 0.6, 1.95, 0.14, 0.45)
    wood = pic.new_tensor([.36, .22, .14]).view(1, 3, 1, 1)
    top = pic.new_tensor([.88, .92, .98] if snowy else [.42, .16, .12]).view(1, 3, 1, 1)
    plank = 0.35 + 0.1 * torch.sign(torch.sin(y * 28))
    pic = paint(pic, light, depth, fill(chimney, px) * on, wood * 0.8, torch.full_like(x, 0.4))
    pic = paint(pic, light, depth, fill(wall, px) * on, wood, plank)
    pic = paint(pic, light, depth, fill(roof, px) * on, top, (0.55 + 0.25 * x * torch.sign(light.sun_x)).clamp(0.1, 1))
    panes = torch.minimum(box(x, y, -0.55, 0.62, 0.2, 0.2), box(x, y, 0.55, 0.62, 0.2, 0.2))
    door = box(x, y, 0, 0.36, 0.17, 0.42)
    pic = paint(pic, light, depth, fill(door, px) * on, wood * 0.5, torch.full_like(x, 0.3))
    warm = torch.lerp(light.middle * 0.35, pic.new_tensor([1.0, .76, .36]).view(1, 3, 1, 1), smooth(0.1, 0.5, light.lamps).unsqueeze(1))
    pic = over(pic, fill(panes, px) * on, warm)
    pic = over(pic, (torch.exp(-((x.abs() - 0.55) ** 2 + (y - 0.5) ** 2) / 0.55) * 0.45 * light.lamps * on), pic.new_tensor([1.0, .66, .3]).view(1, 3, 1, 1))
    rise = (y - 2.4).clamp_min(0)
    puff = torch.exp(-((x - 0.6 - 0.28 * rise - 0.10 * torch.sin(rise * 4 - view.t * 3)) / (0.12 + 0.16 * rise)) ** 2) * smooth(0.0, 0.2, rise) * smooth(4.0, 0.5, rise) * (y > 2.35)
    return over(pic, puff * 0.55 * on, torch.lerp(light.middle, light.horizon, 0.5))
