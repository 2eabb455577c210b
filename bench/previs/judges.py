"""Judges of what a film shows: one small net that names setting, subject, colour and the like from three pictures of it.

  python judges.py judges.pt --seconds 280 --clips 26000 --device cuda --workers 12 [--init judges.pt]

renders clips with the teacher, trains on them while they come, and prints how often it is right on renders kept aside
(seeds that neither it nor the model was taught on). A film is 49 pictures of 416x240; a judge sees those of PICTURES at half the size.
"""
import argparse
import os
import random
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
TRAIN = os.path.normpath(os.path.join(HERE, "../../stages/generate/previs/train"))
sys.path += [os.path.join(TRAIN, "teacher"), TRAIN]

from clips import STYLE_SHARE, Stream, mirrored, unpacked  # noqa: E402
from light import TIMES, WEATHER  # noqa: E402
from spec import COLOURS, SUBJECTS_OF, draw, fixed  # noqa: E402
from styles import STYLES, styled  # noqa: E402
from teacher import SETTINGS, SUBJECTS, loaded, render  # noqa: E402

FRAMES, HEIGHT, WIDTH = 49, 240, 416
PICTURES = (6, 24, 42)
NAMES = {"setting": SETTINGS, "subject": SUBJECTS, "colour": tuple(COLOURS), "count": (1, 2, 3), "time": tuple(TIMES), "weather": tuple(WEATHER), "style": STYLES}
FIRST_SEED = 1 << 41  # training's are below 2**40
ASIDE = 1 << 20       # seeds from FIRST_SEED on whose renders are never trained on


def spec_of(seed):
    """A clip's spec: as the teacher draws them, or, half of those to train on, with every subject as often."""
    rng = random.Random(seed)
    told = {}
    if seed >= FIRST_SEED + ASIDE and seed % 2:
        told["subject"] = rng.choice(SUBJECTS[1:])
        places = {place: table[told["subject"]] for place, table in SUBJECTS_OF.items() if told["subject"] in table}
        told["setting"] = rng.choices(list(places), [w ** .5 for w in places.values()])[0]
    s = draw(rng, **told)
    s["style"] = rng.choices(list(STYLE_SHARE), list(STYLE_SHARE.values()))[0]
    return s


def prepared(seed):
    s = spec_of(seed)
    clip, views = fixed(s, FRAMES)
    return s, bytes(clip), b"".join(bytes(views[i]) for i in PICTURES)


class Pictures(Stream):
    """A Stream of PICTURES of clips, rendered at the film's size and halved as a film's are."""

    def __init__(self, seed, device, at_once, workers):
        super().__init__(len(PICTURES), HEIGHT, WIDTH, seed, device, samples=1, at_once=at_once, workers=workers)

    def _ask(self):
        jobs = range(self.seed, self.seed + self.at_once)
        self.seed += self.at_once
        self.ahead.append([self.workers.submit(prepared, j) for j in jobs] if self.workers else [prepared(j) for j in jobs])

    def ready(self):
        return not self.workers or bool(self.ahead) and all(j.done() for j in self.ahead[0])

    def next(self):
        while len(self.ahead) < (4 if self.workers else 1):
            self._ask()
        specs, clips, views = zip(*(unpacked(j.result() if self.workers else j, self.frames) for j in self.ahead.pop(0)))
        out = []
        for s, p in zip(specs, render(clips, views, *self.size, self.samples, self.device)):
            p = styled(p, s["style"])
            out.append(halved(mirrored(s, p)[1] if s["seed"] & 1 else p))
        return specs, torch.stack(out)


def halved(pictures):
    """uint8 [n, 240, 416, 3] to uint8 [n, 3, 120, 208]."""
    return F.avg_pool2d(pictures.permute(0, 3, 1, 2).float(), 2).round().to(torch.uint8)


def labels(specs):
    """[clips, slots]; -1 where a slot says nothing: no subject has neither colour nor count, and ink and neon no colour."""
    def label(s, slot):
        if slot in ("colour", "count") and s["subject"] == "nobody" or slot == "colour" and s["style"] in ("ink", "neon"):
            return -1
        return NAMES[slot].index(s[slot])
    return torch.tensor([[label(s, slot) for slot in NAMES] for s in specs])


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o))
        self.skip = nn.Sequential(nn.AvgPool2d(stride, ceil_mode=True), nn.Conv2d(i, o, 1, bias=False)) if stride > 1 or i != o else nn.Identity()

    def forward(self, x):
        return F.relu(self.skip(x) + self.body(x))


class Judges(nn.Module):
    """Pictures' features at two sizes; each slot looks where it learnt to (attention over places and pictures)."""

    def __init__(self, width=96, looks=2):
        super().__init__()
        self.near = nn.Sequential(nn.Conv2d(3, 32, 5, 2, 2, bias=False), nn.BatchNorm2d(32), nn.ReLU(), Block(32, 56, 2), Block(56, 56, 1), Block(56, 112, 2))
        self.far = nn.Sequential(Block(112, 176, 2), Block(176, 176, 1))
        self.across, self.down = nn.Conv2d(112, width, 1), nn.Conv2d(176, width, 1)
        self.looks, self.width = looks, width
        self.where = nn.Conv2d(width, looks * len(NAMES), 1)
        self.says = nn.ModuleDict({slot: nn.Sequential(nn.Dropout(.2), nn.Linear(looks * width + 176, len(names))) for slot, names in NAMES.items()})

    def forward(self, x):
        """[clips, pictures, 3, 120, 208] in 0..1 to {slot: [clips, names]}."""
        n = len(x)
        near = self.near((x.flatten(0, 1) * 4 - 2).contiguous(memory_format=torch.channels_last))
        far = self.far(near)
        seen = self.across(near) + F.interpolate(self.down(far), size=near.shape[-2:], mode="bilinear", align_corners=False)
        flat = lambda v: v.unflatten(0, (n, -1)).transpose(1, 2).flatten(2)  # [clips, channels, pictures x places]
        share = flat(self.where(F.relu(seen))).float().softmax(-1)
        looked = torch.einsum("ncp,nkp->nkc", flat(seen).float(), share).unflatten(1, (len(NAMES), self.looks))
        whole = flat(far).float().mean(-1)
        return {slot: says(torch.cat([looked[:, k].flatten(1), whole], 1)) for k, (slot, says) in enumerate(self.says.items())}


def spoilt(x, generator):
    """As a model's pictures may be: a batch softer or shifted as a whole, each clip with a light and grain of its own."""
    def u(*shape):
        return torch.rand(*shape, generator=generator, device=x.device)
    n, t, _, h, w = x.shape
    v = x.flatten(0, 1)
    way = random.random()
    if way < .35:
        small = random.uniform(.4, .95)
        v = F.interpolate(F.interpolate(v, scale_factor=small, mode="area"), size=(h, w), mode=random.choice(("bilinear", "bicubic")), align_corners=False)
    elif way < .6:
        k = torch.tensor([1., 2, 1], device=x.device)
        k = (k[:, None] * k / 16).view(1, 1, 3, 3).repeat(3, 1, 1, 1)
        v = F.conv2d(F.pad(v, (1, 1, 1, 1), mode="replicate"), k, groups=3)
    if random.random() < .5:  # a shift and a little zoom
        theta = torch.zeros(n, 2, 3, device=x.device)
        theta[:, 0, 0] = theta[:, 1, 1] = .85 + .18 * u(n)
        theta[:, :, 2] = .12 * (u(n, 2) - .5)
        theta = theta.repeat_interleave(t, 0)
        v = F.grid_sample(v, F.affine_grid(theta, v.shape, align_corners=False), mode="bilinear", padding_mode="reflection", align_corners=False)
    v = v.unflatten(0, (n, t))
    if random.random() < .5:
        v = v.flip(-1)
    each = (n, 1, 1, 1, 1)
    v = (v.clamp(0, 1) ** torch.exp(.16 * (u(*each) - .5))) * (.94 + .12 * u(*each)) + .03 * (u(n, 1, 3, 1, 1) - .5)
    return (v + .04 * u(*each) ** 2 * torch.randn(v.shape, generator=generator, device=x.device)).clamp(0, 1)


def loss_of(out, told):
    weight = {"setting": 1, "subject": 1.5, "colour": 1}
    total = 0
    for k, slot in enumerate(NAMES):
        if (told[:, k] >= 0).any():
            total = total + weight.get(slot, .3) * F.cross_entropy(out[slot], told[:, k], ignore_index=-1, label_smoothing=.05)
    return total


def load(path=os.path.join(HERE, "judges.pt"), device="cpu"):
    net = Judges()
    whole = lambda v: v[0].float() * v[1].float() if isinstance(v, (list, tuple)) else v.float() if v.is_floating_point() else v
    net.load_state_dict({k: whole(v) for k, v in torch.load(path, map_location="cpu", weights_only=True).items()})
    return net.eval().to(device)


@torch.no_grad()
def named(net, film):
    """{slot: name} of a film uint8 [49, 240, 416, 3]."""
    out = net(halved(film[list(PICTURES)])[None].float() / 255)
    return {slot: NAMES[slot][int(out[slot][0].argmax())] for slot in NAMES}


@torch.no_grad()
def right(net, pictures, told):
    """{slot: (right, of how many)} on renders."""
    net.eval()
    said = [net(p.float() / 255) for p in pictures.split(64)]
    net.train()
    out = {}
    for k, slot in enumerate(NAMES):
        guess, truth = torch.cat([s[slot] for s in said]).argmax(1), told[:, k]
        out[slot] = int(((guess == truth) & (truth >= 0)).sum()), int((truth >= 0).sum())
    return out


def in_bytes(v):
    """A large matrix as bytes and a scale for each of its rows, which is half as much to keep; others in fp16."""
    if not v.is_floating_point() or v.ndim < 2:
        return v.half() if v.is_floating_point() else v
    scale = v.flatten(1).abs().amax(1).clamp_min(1e-8).view(-1, *[1] * (v.ndim - 1)) / 127
    return [(v / scale).round().to(torch.int8), scale]


def save(net, path):
    torch.save({k: in_bytes(v) for k, v in net.state_dict().items()}, path + ".part")
    os.replace(path + ".part", path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("--init", help="judges to go on from, where the teacher has changed")
    p.add_argument("--seconds", type=float, default=280)
    p.add_argument("--clips", type=int, default=26000)
    p.add_argument("--aside", type=int, default=1000, help="clips to tell the accuracy on")
    p.add_argument("--batch", type=int, default=192)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--workers", type=int, default=12)
    o = p.parse_args()
    start = time.time()
    gpu = torch.device(o.device).type == "cuda"
    loaded(gpu)  # compiled here, before each worker would
    torch.manual_seed(1), random.seed(1)
    generator = torch.Generator(o.device).manual_seed(1)
    net = (load(o.init).train() if o.init else Judges()).to(o.device, memory_format=torch.channels_last)
    print(f"{sum(v.numel() for v in net.state_dict().values()) * 2 / 2**20:.2f} MiB in fp16", flush=True)
    opt = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=.05)
    shown = torch.empty(o.aside + o.clips, len(PICTURES), 3, HEIGHT // 2, WIDTH // 2, dtype=torch.uint8, device=o.device)
    told = torch.empty(len(shown), len(NAMES), dtype=torch.long, device=o.device)
    at_once = 64 if gpu else 4
    stream, at, steps, told_at, loss = Pictures(FIRST_SEED, o.device, at_once, o.workers), 0, 0, start, 0.0

    def taken():
        nonlocal at
        specs, pictures = stream.next()
        n = min(len(specs), len(shown) - at)
        shown[at:at + n], told[at:at + n] = pictures[:n], labels(specs[:n]).to(o.device)
        at += n

    while at < o.aside:  # the last batch's rest is trained on, of seeds below ASIDE but never asked again
        taken()
    aside, at = o.aside, o.aside
    stream.close()
    stream = Pictures(FIRST_SEED + ASIDE, o.device, at_once, o.workers)
    begun = time.time()
    print(f"{aside} clips kept aside after {begun - start:.0f} s", flush=True)
    while (gone := (time.time() - begun) / (start + o.seconds - 12 - begun)) < 1:
        if at < len(shown) and gone < .7 and (stream.ready() or at < min(len(shown), aside + 4 * o.batch)):
            taken()
            if at == len(shown):
                stream.close()
        if at < min(len(shown), aside + 2 * o.batch):
            continue
        for group in opt.param_groups:
            group["lr"] = 2e-3 * min(1, (steps + 1) / 100) * max(.01, 1 - gone) ** .8
        i = torch.randint(aside, at, (o.batch,), device=o.device, generator=generator)
        x = spoilt(shown[i].float() / 255, generator)
        with torch.autocast("cuda" if gpu else "cpu", torch.bfloat16, enabled=gpu):
            out = net(x)
        step = loss_of({k: v.float() for k, v in out.items()}, told[i])
        opt.zero_grad()
        step.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        steps += 1
        if steps % 50 == 0 or not gpu:
            loss = step.item()  # and waits, so that the clock is true
        if time.time() - told_at > 20:
            told_at = time.time()
            print(f"{told_at - start:.0f} s, {at - aside} clips, step {steps}, loss {loss:.3f}, aside:",
                  ", ".join(f"{k} {100 * r / max(n, 1):.1f}" for k, (r, n) in right(net, shown[:min(aside, 300)], told[:min(aside, 300)]).items()), flush=True)
            save(net, o.out)
    stream.close()
    save(net, o.out)
    net = load(o.out, o.device)
    print(f"{steps} steps on {at - aside} clips; right on {aside} kept aside:")
    for slot, (r, n) in right(net, shown[:aside], told[:aside]).items():
        print(f"  {slot:8} {r}/{n} {100 * r / max(n, 1):.1f} %")
    print(f"{os.path.getsize(o.out) / 2**20:.2f} MiB, {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
