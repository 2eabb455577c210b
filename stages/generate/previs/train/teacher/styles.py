"""Looks that a style word asks for, made from a rendered clip: pictures in, pictures out, the same way in every
frame so that nothing crawls but what moves."""
import torch
import torch.nn.functional as T

STYLES = ("photo", "ink", "watercolour", "neon")


def luma(v):
    return (v * v.new_tensor((.299, .587, .114)).view(1, 3, 1, 1)).sum(1, keepdim=True)


def blur(v, radius):
    if radius < 1:
        return v
    size = 2 * radius + 1
    x = torch.arange(-radius, radius + 1, device=v.device, dtype=v.dtype)
    k = torch.exp(-(x / (.55 * radius)) ** 2)
    k = k / k.sum()
    c = v.shape[1]
    v = T.conv2d(T.pad(v, (radius, radius, 0, 0), mode="replicate"), k.view(1, 1, 1, size).expand(c, 1, 1, size), groups=c)
    return T.conv2d(T.pad(v, (0, 0, radius, radius), mode="replicate"), k.view(1, 1, size, 1).expand(c, 1, size, 1), groups=c)


def slope(y):
    """How steep the picture is: Sobel's, of [N,1,H,W]."""
    p = T.pad(y, (1, 1, 1, 1), mode="replicate")
    k = y.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]).view(1, 1, 3, 3) / 4
    return (T.conv2d(p, k) ** 2 + T.conv2d(p, k.transpose(2, 3)) ** 2).sqrt()


SHEET = 7  # all are painted on the same paper: grain that differed from clip to clip could not be learned


def paper(like, grain):
    """Grain that stays where it is: [1,1,H,W], about 0."""
    g = torch.Generator(like.device).manual_seed(SHEET)
    h, w = like.shape[-2:]
    out = 0
    for octave in range(3):
        n = torch.randn(1, 1, max(2, h >> (2 - octave)), max(2, w >> (2 - octave)), generator=g, device=like.device, dtype=like.dtype)
        out = out + T.interpolate(n, size=(h, w), mode="bilinear", align_corners=False) * (.5, .3, .2)[octave]
    return out * grain


def unevenness(like, amount):
    """Broad and smooth, where washes run: [1,1,H,W], about 0."""
    g = torch.Generator(like.device).manual_seed(SHEET)
    h, w = like.shape[-2:]
    out = sum(T.interpolate(torch.randn(1, 1, n, n * w // h, generator=g, device=like.device, dtype=like.dtype), size=(h, w), mode="bicubic", align_corners=False) / k
              for n, k in ((5, 1), (13, 2)))
    return out * amount


def stepped(y, steps):
    """y in a few tones, with narrow soft edges between."""
    x = y * steps
    low = torch.floor(x)
    t = ((x - low - .5) * 5 + .5).clamp(0, 1)
    return (low + t * t * (3 - 2 * t)) / steps


def ink(v):
    """Lines where things end, washes of grey, on warm paper."""
    scale = v.shape[-2] / 240
    y = blur(luma(v), round(scale))
    spread = y.quantile(.95) - y.quantile(.05) if y.numel() < 1 << 24 else y.std() * 3
    y = ((y - y.mean()) / (spread + .05) + .55).clamp(0, 1)
    line = ((slope(y) * 3.2) - .22).clamp(0, 1)
    wash = .42 + .58 * stepped((blur(y, max(1, round(2 * scale))) + unevenness(v, .035)).clamp(0, 1), 4)
    tone = (wash * (1 - .92 * line) + paper(v, .018)).clamp(0, 1)
    dark, light = v.new_tensor((.10, .10, .13)).view(1, 3, 1, 1), v.new_tensor((.97, .945, .89)).view(1, 3, 1, 1)
    return dark + (light - dark) * tone


def watercolour(v):
    """Flat washes that pool at their edges, paler where the paper shows."""
    scale = v.shape[-2] / 240
    soft = blur(v, max(1, round(2.5 * scale)))
    y = luma(soft)
    steps = stepped((y + unevenness(v, .03)).clamp(0, 1), 6).clamp(.04, 1)
    flat = soft * (steps / (y + .02)).clamp(.5, 1.8)
    grey = luma(flat)
    flat = grey + (flat - grey) * 1.25
    pool = (slope(blur(steps, max(1, round(scale)))) * 1.3).clamp(0, .35)
    out = flat * (1 - pool) * .78 + .22 + paper(v, .022)
    return out.clamp(0, 1)


def neon(v):
    """Dark, with glowing edges in cyan and magenta."""
    scale = v.shape[-2] / 240
    y = luma(v)
    edge = (slope(blur(y, max(1, round(scale)))) * 4 - .12).clamp(0, 1)
    tint = v.new_tensor((.05, .95, 1.)).view(1, 3, 1, 1), v.new_tensor((1., .10, .75)).view(1, 3, 1, 1)
    where = (torch.linspace(0, 1, v.shape[-2], device=v.device, dtype=v.dtype).view(1, 1, -1, 1) + (v[:, :1] - v[:, 2:])).clamp(0, 1)
    colour = tint[0] + (tint[1] - tint[0]) * where
    glow = blur(edge * colour, max(2, round(4 * scale)))
    base = v * v.new_tensor((.30, .16, .42)).view(1, 3, 1, 1) + v.new_tensor((.02, .0, .05)).view(1, 3, 1, 1)
    return (base + edge * colour * .9 + glow * 1.1).clamp(0, 1)


def styled(frames, style):
    """uint8 [T,H,W,3] to the same."""
    if style in (None, "photo"):
        return frames
    v = frames.permute(0, 3, 1, 2).float() / 255
    v = {"ink": ink, "watercolour": watercolour, "neon": neon}[style](v)
    return (v * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
