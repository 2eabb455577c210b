"""The camera: where it stands, how it moves, and how picture coordinates become world coordinates.

World: X right, Y up, Z away. Every layer is an upright plane Z = depth, or the ground plane Y = 0. A pixel (u, v)
looks along (u/f + yaw, v/f + pitch, 1). Yaw and pitch are small, so a turn slides the picture, as a pan does.
"""
import torch

MOVES = ("static", "pan_left", "pan_right", "tilt_up", "tilt_down", "dolly_in", "dolly_out",
         "truck_left", "truck_right", "crane_up", "handheld")
SPEEDS = {"slow": 0.6, "normal": 1.0, "fast": 1.6}
FPS = 24.0


class View:
    """Everything a layer needs to know of a batch: B clips of T frames, flattened to N = B*T pictures."""

    def __init__(self, specs, frames, height, width, device, seed):
        self.specs, self.B, self.T, self.H, self.W = specs, len(specs), frames, height, width
        self.device = device
        self.gen = torch.Generator().manual_seed(seed)
        self.N = self.B * frames
        aspect = width / height
        self.u = torch.linspace(-1, 1, width, device=device).mul((width - 1) / width * aspect).view(1, 1, width)
        self.v = torch.linspace(1, -1, height, device=device).mul((height - 1) / height).view(1, height, 1)
        self.aspect = aspect
        seconds = torch.arange(frames, device=device) / FPS
        self.t = seconds.repeat(self.B).view(-1, 1, 1)
        self._place_camera()

    # -- parameters --------------------------------------------------------------------------------------------
    def draw(self, low, high):
        """One uniform number a clip, repeated over its frames: (N, 1, 1)."""
        return self.per_clip(torch.rand(self.B, generator=self.gen) * (high - low) + low)

    def per_clip(self, values):
        values = torch.as_tensor(values, dtype=torch.float32)
        return values.to(self.device).repeat_interleave(self.T).view(-1, 1, 1)

    def flag(self, test):
        """1 for clips whose spec passes the test, else 0: (N, 1, 1)."""
        return self.per_clip([1.0 if test(s) else 0.0 for s in self.specs])

    def any(self, test):
        return any(test(s) for s in self.specs)

    def colour(self, rows):
        """A colour a clip: (N, 3, 1, 1)."""
        c = torch.as_tensor(rows, dtype=torch.float32).to(self.device)
        return c.repeat_interleave(self.T, 0).view(-1, 3, 1, 1)

    # -- camera ------------------------------------------------------------------------------------------------
    def _place_camera(self):
        shot = lambda name: self.flag(lambda s: s["shot"] == name)
        zero = torch.zeros_like(self.t)
        rate = self.per_clip([SPEEDS[s["speed"]] for s in self.specs]) * self.draw(0.85, 1.15)
        mid = (self.T - 1) / FPS / 2
        go = lambda a, b: rate * (self.flag(lambda s: s["move"] == a) - self.flag(lambda s: s["move"] == b))
        clock = self.t - mid                      # camera paths are centred on the clip
        pan, tilt = go("pan_right", "pan_left"), go("tilt_up", "tilt_down")
        dolly, truck = go("dolly_in", "dolly_out"), go("truck_right", "truck_left")
        crane = rate * self.flag(lambda s: s["move"] == "crane_up")
        shake = self.flag(lambda s: s["move"] == "handheld")
        wob = lambda a, b: torch.sin(self.t * a + self.draw(0, 6)) * 0.6 + torch.sin(self.t * b + self.draw(0, 6)) * 0.4
        base_f = 1.55 + 0.5 * shot("close") - 0.12 * shot("wide") + self.draw(-0.08, 0.08)
        aerial, low = shot("aerial"), shot("low")
        self.f = base_f * torch.exp(0.14 * dolly * clock)          # the far field must answer a dolly too
        self.yaw = self.draw(-0.1, 0.1) + 0.62 * pan * clock + shake * 0.035 * wob(7.0, 13.0)
        self.pitch = self.draw(0.02, 0.14) - 0.2 * aerial + 0.1 * low + 0.42 * tilt * clock + shake * 0.025 * wob(8.0, 11.0)
        self.cx = self.draw(-1, 1) + 2.6 * truck * clock + 0.7 * pan * clock + zero
        self.cz = 3.0 * dolly * clock + zero
        self.cy = (1.7 + 3.2 * aerial - 0.7 * low + self.draw(-0.15, 0.15)) + 1.5 * crane * (clock + mid)
        self.dx = self.u / self.f + self.yaw                       # (N, 1, W)
        self.dy = self.v / self.f + self.pitch                     # (N, H, 1)
        self.pixel = 2.0 / self.H / self.f                         # size of a pixel at distance 1

    def at(self, depth):
        """World X (N,1,W), Y (N,H,1) on the upright plane at this depth, and the size of a pixel there."""
        far = (depth - self.cz).clamp_min(0.5)
        return self.cx + self.dx * far, self.cy + self.dy * far, self.pixel * far

    def ground(self, level=0.0):
        """World X, Z (N,H,W) of the plane Y = level, its distance, and where the plane is seen at all (soft)."""
        down = (-self.dy).clamp_min(0.004)
        dist = ((self.cy - level) / down).clamp(0.3, 300.0)        # (N, H, 1)
        seen = (-(self.dy) / self.pixel + 0.5).clamp(0, 1)
        return self.cx + self.dx * dist, (self.cz + dist).expand(-1, -1, self.W), dist, seen


def over(picture, alpha, colour):
    """Paints colour (N,3,1|H,1|W) over the picture (N,3,H,W) with alpha (N,H,W)."""
    return torch.lerp(picture, colour.expand_as(picture), alpha.unsqueeze(1).expand_as(picture))
