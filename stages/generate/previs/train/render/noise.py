"""Randomness with a place: hashes, value noise, and tileable cloud textures."""
import torch
import torch.nn.functional as F


def smooth(a, b, x):
    """0 below a, 1 above b, smooth between; a > b turns it round."""
    t = ((x - a) / (b - a)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def hash1(n, seed):
    s = torch.sin(n * 127.1 + seed * 311.7) * 43758.5453
    return s - s.floor()


def hash2(a, b, seed):
    s = torch.sin(a * 127.1 + b * 269.5 + seed * 311.7) * 43758.5453
    return s - s.floor()


def value1(x, seed):
    """Value noise on a line, 0..1."""
    i = x.floor()
    f = x - i
    f = f * f * (3 - 2 * f)
    return torch.lerp(hash1(i, seed), hash1(i + 1, seed), f)


def fbm1(x, seed, octaves=5, gain=0.5, ridged=False):
    """Sum of octaves of value noise, 0..1; ridged folds each octave so that crests are sharp."""
    total, weight, amp = 0.0, 0.0, 1.0
    for k in range(octaves):
        n = value1(x * 2.03**k + 17.3 * k, seed + k)
        if ridged:
            n = 1 - (2 * n - 1).abs()
        total, weight, amp = total + amp * n, weight + amp, amp * gain
    return total / weight


def cloud_bank(count, size, slope, generator, device):
    """`count` periodic textures with a power spectrum of f^-slope, mean 0.5; padded by one wrapped texel."""
    f = torch.fft.fftfreq(size, device=device) * size
    r = (f[:, None] ** 2 + f[None, : size // 2 + 1] ** 2).sqrt().clamp_min(1.0)
    white = torch.randn(count, size, size, generator=generator).to(device)
    tex = torch.fft.irfft2(torch.fft.rfft2(white)[..., : size // 2 + 1] * r ** (-slope), s=(size, size))
    tex = 0.5 + 0.2 * (tex - tex.mean((1, 2), keepdim=True)) / tex.std((1, 2), keepdim=True)
    return F.pad(tex[:, None], (0, 1, 0, 1), mode="circular")


def lookup(bank, x, y):
    """Samples the bank (B textures) at x, y of shape (B*T, H, W), period 1; returns (B*T, H, W)."""
    n, h, w = x.shape
    b = bank.shape[0]
    grid = torch.stack((x - x.floor(), y - y.floor()), -1).view(b, (n // b) * h, w, 2) * 2 - 1
    return F.grid_sample(bank, grid, mode="bilinear", padding_mode="border", align_corners=True).view(n, h, w)
