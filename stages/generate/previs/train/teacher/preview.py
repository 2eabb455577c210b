"""Looks at the teacher: a sheet of first, middle and last pictures of some clips.

  python preview.py sheet.png --setting sea --subject ship --time dusk --weather clear --move pan_left ...

Each of --setting, --subject, --time, --weather, --move may name several, separated by commas; one row a combination.
"""
import argparse
import itertools
import random

import torch
from PIL import Image

from spec import draw, fixed
from teacher import render


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    for name in ("setting", "subject", "time", "weather", "move"):
        p.add_argument("--" + name, default="")
    p.add_argument("--rows", type=int, default=0, help="so many random clips instead")
    p.add_argument("--size", default="208x120")
    p.add_argument("--frames", type=int, default=49)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--samples", type=int, default=2)
    p.add_argument("--columns", type=int, default=3)
    p.add_argument("--device", default="cpu")
    o = p.parse_args()
    width, height = map(int, o.size.split("x"))
    rng = random.Random(o.seed)
    axes = {n: getattr(o, n).split(",") if getattr(o, n) else [None] for n in ("setting", "subject", "time", "weather", "move")}
    wanted = [dict(zip(axes, c)) for c in itertools.product(*axes.values())]
    specs = [draw(rng) for _ in range(o.rows)] or [draw(rng, **{k: v for k, v in w.items() if v}) for w in wanted]
    rows = []
    for s in specs:
        clip, views = fixed(s, o.frames)
        few = [views[round(i * (o.frames - 1) / max(1, o.columns - 1))] for i in range(o.columns)]
        rows.append(torch.cat(list(render([clip], [few], height, width, o.samples, o.device)[0].cpu()), dim=1))
        print({k: v for k, v in s.items() if v is not None}, flush=True)
    Image.fromarray(torch.cat(rows).numpy()).save(o.out)


if __name__ == "__main__":
    main()
