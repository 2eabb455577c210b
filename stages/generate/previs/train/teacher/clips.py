"""Rendered clips in streams: some processes draw and frame specs, the device renders and styles them."""
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

from spec import draw, fixed, withheld
from styles import STYLES, styled
from teacher import SUBJECTS, Clip, View, loaded, render

STYLE_SHARE = dict(zip(STYLES, (.70, .10, .10, .10)))


def prepared(job):
    """(spec, Clip, Views) as bytes; in a process of its own, since framing asks the renderer about the ground."""
    seed, frames = job
    rng = random.Random(seed)
    s = draw(rng)
    while withheld(s):
        s = draw(rng)
    s["style"] = rng.choices(list(STYLE_SHARE), list(STYLE_SHARE.values()))[0]
    clip, views = fixed(s, frames)
    return s, bytes(clip), b"".join(bytes(v) for v in views)


def unpacked(packed, frames):
    s, clip, views = packed
    return s, Clip.from_buffer_copy(clip), list((View * frames).from_buffer_copy(views))


MIRRORED = {"pan_left": "pan_right", "pan_right": "pan_left"}


def mirrored(s, pictures):
    """Left for right: another clip for nothing."""
    return {**s, "move": MIRRORED.get(s["move"], s["move"])}, pictures.flip(2)


def workers_for(count):
    """Processes that frame specs; several streams may share them. Forked, since they import what their parent has, with
    the renderer loaded before, since they must not look for a device."""
    loaded(torch.cuda.is_available())
    return ProcessPoolExecutor(count, mp_context=get_context("fork")) if count else None


class Stream:
    """Endless (specs, pictures [n, frames, height, width, 3] uint8), each clip and its mirror image apart by chance.
    workers: how many processes frame specs, or what workers_for() gave, which streams may share."""

    def __init__(self, frames, height, width, seed, device, samples=2, at_once=8, workers=6, ahead=8):
        self.frames, self.size, self.device = frames, (height, width), device
        self.samples, self.at_once, self.seed = samples, at_once, seed
        self.workers = workers_for(workers) if isinstance(workers, int) else workers
        self.length = ahead if self.workers else 1
        self.ahead = []

    def ask(self):
        """Keeps the workers busy; next() does so, too."""
        while len(self.ahead) < self.length:
            jobs = [(self.seed + i, self.frames) for i in range(self.at_once)]
            self.seed += self.at_once
            self.ahead.append([self.workers.submit(prepared, j) for j in jobs] if self.workers else [prepared(j) for j in jobs])

    def close(self):
        if self.workers:
            self.workers.shutdown(cancel_futures=True)

    def ready(self):
        return bool(self.ahead) and (not self.workers or all(j.done() for j in self.ahead[0]))

    def drawn(self):
        """(spec, Clip, Views) of the next clips."""
        self.ask()
        packed = [j.result() if self.workers else j for j in self.ahead.pop(0)]
        if self.workers:
            self.ask()
        return [unpacked(p, self.frames) for p in packed]

    def shown(self, clips, views):
        """Where the subjects show, with their shadows and mirror images: bool [n, frames, height / 8, width / 8]."""
        without = [Clip.from_buffer_copy(bytes(c)) for c in clips]
        for c in without:
            c.subject = SUBJECTS.index("nobody")
        there, gone = (render(c, views, self.size[0] // 8, self.size[1] // 8, 1, self.device).short() for c in (clips, without))
        return (there - gone).abs().amax(-1) > 12

    def next(self, where=False):
        """where: a third result, as shown() gives it."""
        specs, clips, views = zip(*self.drawn())
        pictures = render(clips, views, *self.size, self.samples, self.device)
        subjects = self.shown(clips, views) if where else None
        out = []
        for i, (s, p) in enumerate(zip(specs, pictures)):
            p = styled(p, s["style"])
            other = mirrored(s, p)
            if s["seed"] & 1 and not withheld(other[0]):
                s, p = other
                if where:
                    subjects[i] = subjects[i].flip(-1)
            out.append((s, p))
        found = [s for s, _ in out], torch.stack([p for _, p in out])
        return (*found, subjects) if where else found


if __name__ == "__main__":  # how fast
    import sys
    import time
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    small = device == "cpu"
    stream = Stream(5 if small else 49, 60 if small else 240, 104 if small else 416, 1, device, workers=2 if small else 12)
    stream.next()
    start = time.time()
    for i in range(2 if small else 12):
        specs, pictures = stream.next()
        if not small:
            torch.cuda.synchronize()
        print(f"{(i + 1) * len(specs) / (time.time() - start):.2f} clips/s", tuple(pictures.shape), flush=True)
    stream.close()
