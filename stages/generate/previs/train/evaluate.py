"""Objective checks of a checkpoint: does the picture show what was asked?

usage: evaluate.py CHECKPOINT OUTDIR [--device cpu] [--steps 16] [--guidance 2.5] [--each 2] [--frames 17] [--scenes 4] [--renders 1500]

- setting: a small classifier trained on single rendered frames names the place of generated frames
- time of day: mean luminance, day against night, for every setting
- camera: how far the picture slides (pan, tilt) and spreads (dolly), by phase correlation of its four quarters
"""
import argparse
import json
import random

import torch
import torch.nn.functional as F

from render.settings import render
from sample import contact, generate, load, sheet
from spec import SHARE, draw_spec

PLACES = {"ocean": "a frigate on the open sea", "mountains": "a mountain range, snow-capped peaks", "city": "a city skyline", "forest": "a pine forest", "desert": "sand dunes in the desert",
          "coast": "a lighthouse on a rocky island", "harbour": "boats moored in the harbour", "snowfield": "a small cabin in a snowy field", "country": "green hills, a train passes", "street": "a city street, a car"}
CAMERA = {"pan left": ("slide", 1, +1), "pan right": ("slide", 1, -1), "tilt up": ("slide", 0, +1), "tilt down": ("slide", 0, -1), "dolly in": ("spread", None, +1), "dolly out": ("spread", None, -1)}


def luminance(clips):
    return ((clips + 1) / 2 * clips.new_tensor([.30, .59, .11]).view(1, 3, 1, 1, 1)).sum(1)


def shift(a, b):
    """Displacement (rows, columns) of b against a by phase correlation."""
    h, w = a.shape
    window = torch.hann_window(h)[:, None] * torch.hann_window(w)[None]
    fa, fb = (torch.fft.rfft2((x - x.mean()) * window) for x in (a, b))
    cross = fb * fa.conj()
    peak = int(torch.fft.irfft2(cross / (cross.abs() + 1e-3 * cross.abs().max()), s=(h, w)).argmax())
    y, x = peak // w, peak % w
    return torch.tensor([y - h if y > h / 2 else y, x - w if x > w / 2 else x], dtype=torch.float32)


def motion(clip):
    """Mean slide (rows, columns) and outward spread of the picture over the clip, in pixels, from steps of four frames."""
    y = luminance(clip[None])[0]
    T, H, W = y.shape
    slide, spread = torch.zeros(2), 0.0
    for t in range(0, T - 4, 4):
        moved = {}
        for r in (0, 1):
            for c in (0, 1):
                cut = lambda f: f[r * H // 2:(r + 1) * H // 2, c * W // 2:(c + 1) * W // 2]
                moved[r, c] = shift(cut(y[t]), cut(y[t + 4]))
        slide += torch.stack(list(moved.values())).median(0).values
        spread += float((moved[0, 1] + moved[1, 1] - moved[0, 0] - moved[1, 0])[1] / 4 + (moved[1, 0] + moved[1, 1] - moved[0, 0] - moved[0, 1])[0] / 4)
    return slide, spread


class Judge(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        c = lambda i, o: torch.nn.Sequential(torch.nn.Conv2d(i, o, 3, 2, 1), torch.nn.BatchNorm2d(o), torch.nn.ReLU())
        self.net = torch.nn.Sequential(c(3, 24), c(24, 48), c(48, 96), c(96, 128), torch.nn.AdaptiveAvgPool2d((2, 3)), torch.nn.Flatten(), torch.nn.Dropout(0.3), torch.nn.Linear(768, classes))

    def forward(self, x):
        return self.net(x)


def train_judge(count, device):
    rng, names = random.Random(3), list(SHARE)
    pictures, labels = [], []
    while len(labels) < count:
        name = names[(len(labels) // 20) % len(names)]
        specs = [draw_spec(rng, name, 0.0) for _ in range(20)]
        pictures.append(render(specs, 1, 112, 192, rng.randrange(1 << 30), device)[:, :, 0])
        labels += [names.index(name)] * 20
    x, y = torch.cat(pictures), torch.tensor(labels, device=device)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    x, y, held = x[order], y[order], len(y) // 6
    judge = Judge(len(names)).to(device)
    opt = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.05)
    for epoch in range(14):
        judge.train()
        for g in opt.param_groups:
            g["lr"] = 2e-3 * (1 - epoch / 14)
        for i in torch.randperm(len(y) - held).split(64):
            b = x[held + i]
            b = b.flip(-1) if random.random() < .5 else b
            b = F.avg_pool2d(b, 3, 1, 1) if random.random() < .4 else b          # a generated frame is softer than a rendered one
            loss = F.cross_entropy(judge(b), y[held + i])
            opt.zero_grad(), loss.backward(), opt.step()
    judge.eval()
    with torch.no_grad():
        return judge, names, float((judge(x[:held]).argmax(1) == y[:held]).float().mean())


def main():
    a = argparse.ArgumentParser()
    a.add_argument("checkpoint"); a.add_argument("out"); a.add_argument("--device", default="cpu"); a.add_argument("--steps", type=int, default=16); a.add_argument("--guidance", type=float, default=2.5)
    a.add_argument("--each", type=int, default=2); a.add_argument("--frames", type=int, default=17); a.add_argument("--renders", type=int, default=1500); a.add_argument("--scenes", type=int, default=4)
    a = a.parse_args()
    parts = load(a.checkpoint, a.device)
    make = lambda prompt, seed: generate(parts, [prompt], a.frames, 224, 384, a.steps, a.guidance, seed, device=a.device)[0][0].float().cpu()
    report, shots = {"frames": a.frames, "steps": a.steps, "guidance": a.guidance}, []
    judge, names, held = train_judge(a.renders, "cpu")
    report["classifier on held-out renders"] = round(held, 3)
    print(report, flush=True)
    right, total, light = 0, 0, {}
    for name, words in PLACES.items():
        for k in range(a.each):
            for time in ("by day", "at night"):
                clip = make(f"{words} {time}", 100 + k)
                shots.append(clip)
                small = F.interpolate(clip[:, a.frames // 2][None], size=(112, 192), mode="area")
                with torch.no_grad():
                    guess = names[int(judge(small).argmax())]
                right, total = right + (guess == name), total + 1
                light.setdefault((name, time), []).append(float(luminance(clip[None]).mean()))
                print(name, time, "->", guess, round(light[name, time][-1], 3), flush=True)
    report["setting named rightly"] = f"{right}/{total}"
    report["night darker than day"] = f"{sum(max(light[n, 'at night']) < min(light[n, 'by day']) for n in PLACES)}/{len(PLACES)}"
    report["mean luminance"] = {t: round(sum(sum(v) / len(v) for (n, u), v in light.items() if u == t) / len(PLACES), 3) for t in ("by day", "at night")}
    for words, (kind, axis, sign) in CAMERA.items():
        good = []
        for place in ("a city skyline at dusk", "snow-capped mountains by day", "a pine forest by day", "a city street at sunset")[:a.scenes]:
            clip = make(f"{place}, {words}", 200)
            shots.append(clip)
            slide, spread = motion(clip)
            value = float(slide[axis]) if kind == "slide" else spread
            good.append(value)
            print(words, place, round(value, 1), flush=True)
        report[words] = {"right sign": f"{sum(v * sign > 0 for v in good)}/{len(good)}", "pixels": [round(v, 1) for v in good]}
    json.dump(report, open(f"{a.out}/evaluation.json", "w"), indent=1)
    print(json.dumps(report, indent=1))
    sheet(contact(torch.stack(shots)), f"{a.out}/evaluation.png")


if __name__ == "__main__":
    main()
