"""Optical flow between pictures, and what it says of the camera and of flicker.

Lucas and Kanade's (1981), from coarse to fine, in torch alone, so that it runs beside the model on any machine.
"""
import torch
import torch.nn.functional as F


def luma(pictures):
    """uint8 [n, h, w, 3] to [n, 1, h, w] in 0..1."""
    return (pictures.float() @ pictures.new_tensor((.299, .587, .114), dtype=torch.float32)).div(255)[:, None]


def warped(v, flow):
    """v at where each pixel went: [n, c, h, w] by [n, 2, h, w] in pixels; and where that is within the picture."""
    n, _, h, w = v.shape
    y, x = torch.meshgrid(torch.arange(h, device=v.device), torch.arange(w, device=v.device), indexing="ij")
    x, y = x + flow[:, 0], y + flow[:, 1]
    grid = torch.stack((x * 2 / (w - 1) - 1, y * 2 / (h - 1) - 1), -1)
    return F.grid_sample(v, grid, mode="bilinear", padding_mode="border", align_corners=True), ((x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1))[:, None]


def slopes(v):
    """Along x and y."""
    p = F.pad(v, (1, 1, 1, 1), mode="replicate")
    return (p[..., 1:-1, 2:] - p[..., 1:-1, :-2]) / 2, (p[..., 2:, 1:-1] - p[..., :-2, 1:-1]) / 2


def soft(v, radius=4):
    """Means over a window, twice a box, so that what is near counts most."""
    size = 2 * radius + 1
    for _ in range(2):
        v = F.avg_pool2d(F.pad(v, (radius,) * 4, mode="replicate"), (1, size), 1)
        v = F.avg_pool2d(v, (size, 1), 1)
    return v


def flow_between(a, b, steps=4, least=1e-5):
    """Pixels that each place of a has moved by in b: a, b [n, 1, h, w] in 0..1; [n, 2, h, w] along x and y."""
    levels = [(a, b)]
    while min(levels[-1][0].shape[-2:]) >= 24:
        levels.append(tuple(F.avg_pool2d(v, 2, ceil_mode=True) for v in levels[-1]))
    flow = None
    for a, b in reversed(levels):
        size = a.shape[-2:]
        flow = a.new_zeros(len(a), 2, *size) if flow is None else F.interpolate(flow, size=size, mode="bilinear", align_corners=False) * 2
        gx, gy = slopes(a)
        radius = 4 if min(size) >= 48 else 2
        xx, xy, yy = soft(gx * gx, radius) + least, soft(gx * gy, radius), soft(gy * gy, radius) + least
        det = xx * yy - xy * xy
        for _ in range(steps):
            there, inside = warped(b, flow)
            off = (there - a) * inside
            ex, ey = soft(gx * off, radius), soft(gy * off, radius)
            flow = flow - torch.cat(((yy * ex - xy * ey) / det, (xx * ey - xy * ex) / det), 1).clamp(-2, 2)
    return flow


def fitted(basis, seen, weight):
    """The slide and spread [n, 3] that come nearest to the flow `seen`, by weighted least squares."""
    normal = torch.einsum("aip,ajp,np->nij", basis, basis, weight) + 1e-6 * torch.eye(3, device=seen.device)
    return torch.linalg.solve(normal, torch.einsum("aip,nap,np->ni", basis, seen, weight))


DETAIL = 2e-6  # of slopes squared: what has more counts alike, or a train alone would speak for faint dunes around it


def camera(a, flow, rounds=12):
    """Of the picture as a whole, and of what moves in it most: [n, 2, 3], how far each slides right and down and how far its
    top and bottom spread, of the picture's height. Fits of slide and spread to where there is something to hold on to; the
    first is robust against what moves by itself."""
    n, _, h, w = flow.shape
    y, x = torch.meshgrid(torch.arange(h, device=a.device) - (h - 1) / 2, torch.arange(w, device=a.device) - (w - 1) / 2, indexing="ij")
    x, y = x / h, y / h
    gx, gy = slopes(a)
    xx, xy, yy = soft(gx * gx), soft(gx * gy), soft(gy * gy)
    corner = (xx + yy) / 2 - (((xx - yy) / 2) ** 2 + xy ** 2).sqrt()  # the lesser eigenvalue: detail along both axes
    held = (corner / (corner + DETAIL)).flatten(1)
    held = held / held.sum(1, keepdim=True).clamp_min(1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    basis = torch.stack((torch.stack((one, zero, x)), torch.stack((zero, one, y)))).flatten(2)  # [2, 3, places]
    seen = (flow / h).flatten(2)
    weight = held
    for _ in range(rounds):
        fit = fitted(basis, seen, weight)
        off = (seen - torch.einsum("aip,ni->nap", basis, fit)).norm(dim=1)
        weight = held / (1 + (off / (.5 * (off * held).sum(1, keepdim=True) + 1e-4)) ** 2)
    speed = held * seen.norm(dim=1) ** 2
    moving = fitted(basis, seen, speed / speed.sum(1, keepdim=True).clamp_min(1e-9))
    return torch.stack((fit, moving), 1) * torch.tensor((1, 1, .5), device=a.device)


def flicker(a, b, flow):
    """How much b differs from a where it has moved to, of 255: mean over what is still in the picture. a, b: [n, 3, h, w] in 0..1."""
    there, inside = warped(b, flow)
    return 255 * ((there - a).abs() * inside).sum((1, 2, 3)) / (3 * inside.sum((1, 2, 3)).clamp_min(1))


# What films asked for a move do, in thousandths of the picture's height a frame: (slide right, slide down, spread) of
# which part, and its sign. A camera that turns left makes the picture slide right.
PARTS = {"pan_left": (0, 1), "pan_right": (0, -1), "tilt_up": (1, 1), "tilt_down": (1, -1), "dolly_in": (2, 1), "dolly_out": (2, -1)}
LEAST = (.5, .5, .2)    # of a move; what is large and moves by itself, or waves, seem some of it
STILL = (1.6, 1.0, .6)  # of a static camera, at most


GROWS = 1.5             # before a sky or stars, which are too far to spread, the subject alone shows a dolly: its spread, at least


def moves_as(move, whole, moving):
    """Whether a picture that does this (camera()) was made with the move; None where flow cannot tell one from another."""
    if move == "static":
        return all(abs(v) < most for v, most in zip(whole, STILL))
    if move not in PARTS:
        return None
    part, sign = PARTS[move]
    strong = whole[part] * sign
    others = max(abs(v) for k, v in enumerate(whole) if k != part)
    if part == 2 and all(abs(v) < least for v, least in zip(whole, LEAST)):
        return moving[2] * sign > max(GROWS, .4 * abs(moving[0]), .4 * abs(moving[1]))
    return strong > LEAST[part] and strong > .4 * others  # a large subject that crosses the picture adds some of its own
