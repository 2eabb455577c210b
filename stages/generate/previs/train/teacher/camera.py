"""The camera's path as Views: where it stands in each picture and how it moves.

World: x right, y up, z away. A move is centred on the clip, so that its middle is the framing asked for.
"""
import math

from teacher import View

MOVES = ("static", "pan_left", "pan_right", "tilt_up", "tilt_down", "dolly_in", "dolly_out", "orbit", "aerial", "tracking")
FPS = 24.0


def sub(a, b):
    return tuple(x - y for x, y in zip(a, b))


def unit(a):
    n = math.sqrt(sum(x * x for x in a)) or 1
    return tuple(x / n for x in a)


def cross(a, b):
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def look(at, target, zoom, seconds, yaw=0.0, pitch=0.0):
    """yaw to the right and pitch up, radians, on top of looking at the target."""
    f = unit(sub(target, at))
    heading, height = math.atan2(f[0], f[2]) + yaw, math.asin(max(-1, min(1, f[1]))) + pitch
    height = max(-1.45, min(1.45, height))
    f = (math.cos(height) * math.sin(heading), math.sin(height), math.cos(height) * math.cos(heading))
    right = unit(cross((0, 1, 0), f))
    return View(at, right, cross(f, right), f, zoom, seconds)


def path(move, rate, at, target, zoom, frames, subject=None):
    """Views of a clip. at, target: where the camera stands and looks in the middle; rate: 1 as usual.
    subject(seconds): where the subject is, for tracking."""
    views, mid = [], (frames - 1) / FPS / 2
    distance = math.dist(at, target)
    for i in range(frames):
        s = i / FPS
        t = (s - mid) / 2.0 * rate  # about -0.5 .. 0.5 over two seconds
        p, q, yaw, pitch, lens = at, target, 0.0, 0.0, zoom
        if move == "pan_left":
            yaw = -0.55 * t / zoom * 1.6
        elif move == "pan_right":
            yaw = 0.55 * t / zoom * 1.6
        elif move == "tilt_up":
            pitch = 0.34 * t / zoom * 1.6
        elif move == "tilt_down":
            pitch = -0.34 * t / zoom * 1.6
        elif move in ("dolly_in", "dolly_out"):
            go = (0.42 if move == "dolly_in" else -0.42) * t * distance
            f = unit(sub(target, at))
            p = tuple(a + b * go for a, b in zip(at, f))
            p = (p[0], max(p[1], 0.6), p[2])
            lens = zoom * math.exp(0.55 * go / distance)  # far off, a way alone does not show
        elif move == "orbit":
            a = 0.7 * t
            d = sub(at, target)
            p = (target[0] + d[0] * math.cos(a) - d[2] * math.sin(a), at[1], target[2] + d[0] * math.sin(a) + d[2] * math.cos(a))
        elif move == "aerial":
            f = unit((target[0] - at[0], 0, target[2] - at[2]))
            go = 0.5 * t * distance
            p = (at[0] + f[0] * go, at[1], at[2] + f[2] * go)
            q = (target[0] + f[0] * go, target[1], target[2] + f[2] * go)
        elif move == "tracking" and subject:
            now, then = subject(s), subject(mid)
            d = sub(now, then)
            p, q = tuple(a + b for a, b in zip(at, d)), tuple(a + b for a, b in zip(target, d))
        views.append(look(p, q, lens, s, yaw, pitch))
    return views
