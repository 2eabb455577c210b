"""What falls in front of the lens, and what the lens and the grade do to the picture afterwards."""
import torch
import torch.nn.functional as F
from .noise import smooth, hash1, hash2
from .camera import over


def falling(view, light, pic):
    if view.any(lambda s: s["weather"] in ("rain", "storm")):
        amount = view.flag(lambda s: s["weather"] in ("rain", "storm"))
        total = 0.0
        for k, (cells, length, speed) in enumerate(((26, 1.6, 2.6), (44, 2.6, 2.2), (70, 3.8, 1.8))):
            x = (view.dx * view.f + 0.10 * view.v) * cells + 300
            ix = x.floor()
            y = view.v * length + view.t * speed * length * (0.9 + 0.3 * hash1(ix, k + 2.2)) + hash1(ix, k + 0.5) * 9
            iy = y.floor()
            fy = y - iy
            drop = (hash2(ix, iy, k + 7.0) > 0.42) * smooth(0.0, 0.2, fy) * smooth(0.62, 0.25, fy)
            total = total + drop * torch.exp(-((x - ix - 0.5) / (0.05 + 0.5 * cells * view.pixel)) ** 2) * (0.42 - 0.09 * k)
        pic = over(pic, (total * amount).clamp(0, 0.5), torch.lerp(light.horizon, torch.ones_like(light.horizon), 0.45) * (0.75 - 0.3 * light.night.unsqueeze(1)))
    if view.any(lambda s: s["weather"] == "snow"):
        amount = view.flag(lambda s: s["weather"] == "snow")
        total = 0.0
        for k, (cells, size, speed) in enumerate(((5, 0.085, 0.30), (9, 0.085, 0.25), (16, 0.09, 0.2))):
            x = (view.dx * view.f * 0.8 + 0.05 * torch.sin(view.t * 1.5 + k * 2 + view.v * 3)) * cells + 200 + view.t * 0.3
            y = (view.v - view.pitch * 0 + view.t * speed * 1.6) * cells
            ix, iy = x.floor(), y.floor()
            px, py = 0.2 + 0.6 * hash2(ix, iy, k + 1.5), 0.2 + 0.6 * hash2(ix, iy, k + 3.5)
            r = (size * (0.7 + 0.8 * hash2(ix, iy, k + 5.5))).clamp_min(0.0) + 0.4 * cells * view.pixel
            total = total + torch.exp(-((x - ix - px) ** 2 + (y - iy - py) ** 2) / (r * r)) * (hash2(ix, iy, k + 9.5) > 0.35) * (0.9 - 0.15 * k)
        pic = over(pic, (total * amount).clamp(0, 0.9), torch.lerp(light.horizon, torch.ones_like(light.horizon), 0.75) * (1 - 0.3 * light.night.unsqueeze(1)))
    if view.any(lambda s: s["weather"] == "fog"):
        band = torch.exp(-((view.dy + 0.02) / 0.22) ** 2) * 0.35 * view.flag(lambda s: s["weather"] == "fog")
        pic = over(pic, band.expand(-1, -1, view.W), light.haze_colour)
    return pic


def shafts(view, light, pic, who):
    """Rays of light fanning out from the sun through trees or dust."""
    on = view.flag(who)
    gx, gy = view.dx - light.sun_x, view.dy - (light.sun_y + 0.35)
    angle = torch.atan2(gx, -gy)
    rays = 0.5 + 0.5 * torch.sin(angle * 23 + view.draw(0, 6) + 0.3 * view.t) * torch.sin(angle * 9.7 + view.draw(0, 6))
    fade = torch.exp(-((gx * gx + gy * gy).sqrt()) * 0.8) * smooth(-0.55, 0.35, view.dy)
    return over(pic, (rays ** 2 * fade * 0.42 * on).clamp(0, 0.8), torch.lerp(light.key, light.horizon, 0.4))


def grade(view, pic):
    """Vignette, soft highlight shoulder, and the looks that a caption may name."""
    r2 = (view.u / view.aspect) ** 2 * 0.6 + view.v ** 2 * 0.5
    pic = pic.clamp(0, 1.4) * (1 - 0.16 * r2).unsqueeze(1)
    pic = torch.where(pic > 0.8, 0.8 + 0.2 * torch.tanh((pic - 0.8) / 0.2), pic)
    grey = (pic * pic.new_tensor([.30, .59, .11]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    look = lambda name: view.flag(lambda s: s["look"] == name).unsqueeze(1)
    if view.any(lambda s: s["look"] == "teal_orange"):
        tint = torch.lerp(pic.new_tensor([.0, .12, .14]).view(1, 3, 1, 1), pic.new_tensor([.12, .03, -.10]).view(1, 3, 1, 1), smooth(0.15, 0.75, grey))
        pic = pic + tint * look("teal_orange")
    if view.any(lambda s: s["look"] == "mono"):
        pic = torch.lerp(pic, (grey - 0.5) * 1.15 + 0.5, look("mono"))
    return pic.clamp(0, 1)


def degrade(pic, kind, frames, generator):
    """Spoils one clip (T,3,H,W) in the way that its caption confesses."""
    T, _, H, W = pic.shape
    if kind == "blurry":
        k = max(3, int(H * 0.035)) | 1
        for _ in range(2):
            pic = F.avg_pool2d(F.pad(pic, (k // 2,) * 4, mode="replicate"), k, 1)
    elif kind == "noisy":
        pic = pic + 0.13 * torch.randn(T, 1, H, W, generator=generator).to(pic.device)
    elif kind == "flat":
        pic = pic.mean((2, 3), keepdim=True) * 0.7 + 0.3 * pic
    elif kind == "blocky":
        pic = F.interpolate(F.interpolate(pic, scale_factor=1 / 8, mode="area"), size=(H, W), mode="nearest")
    elif kind == "text":
        rows = torch.rand(3, 7, 5, generator=generator) > 0.45
        cell, strip = max(2, H // 70), []
        for row in range(2):
            glyphs = (torch.rand(7, 12 * 6, generator=generator) > 0.5).float()
            glyphs[:, 5::6] = 0
            strip.append(glyphs)
        mask = torch.cat([strip[0], torch.zeros(3, 72), strip[1]]).repeat_interleave(cell, 0).repeat_interleave(cell, 1).to(pic.device)
        h, w = min(mask.shape[0], H - 4), min(mask.shape[1], W - 4)
        top = int(torch.randint(0, H - h, (1,), generator=generator)); left = int(torch.randint(0, W - w, (1,), generator=generator))
        pic = pic.clone()
        pic[:, :, top:top + h, left:left + w] = torch.lerp(pic[:, :, top:top + h, left:left + w], torch.ones_like(pic[:, :, top:top + h, left:left + w]), mask[:h, :w] * 0.85)
    elif kind == "flicker":
        pic = pic * (0.65 + 0.5 * torch.rand(T, 1, 1, 1, generator=generator).to(pic.device))
    elif kind == "overexposed":
        pic = pic * 1.6 + 0.25
    return pic.clamp(0, 1)
