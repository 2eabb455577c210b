"""Averages the weights of two transformers of one descent: what training's last steps left in each by chance goes, what both know stays.

usage: average.py A B OUT [--share .33]      share: of B's weights. A, B and OUT are checkpoints; OUT's transformer is written over.
"""
import argparse

import torch
from safetensors.torch import load_file, save_file

WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("a"); p.add_argument("b"); p.add_argument("out"); p.add_argument("--share", type=float, default=.33)
    o = p.parse_args()
    a, b = (load_file(f"{folder}/{WEIGHTS}") for folder in (o.a, o.b))
    save_file({k: ((1 - o.share) * a[k].float() + o.share * b[k].float()).to(a[k].dtype) for k in a}, f"{o.out}/{WEIGHTS}", metadata={"format": "pt"})


if __name__ == "__main__":
    main()
