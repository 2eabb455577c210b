"""Rendered clips, and their latents with captions, kept in the accelerator's memory."""
import random
import time

import torch

from captions import caption
from render.settings import render
from spec import draw_spec, SHARE, pick
from vae import encode, statistics


def batches(count, size, seed, fault_share):
    """Lists of specs; all specs of a list share their setting, because a setting is drawn as one picture program."""
    rng = random.Random(seed)
    while count > 0:
        setting = pick(rng, SHARE)
        specs = [draw_spec(rng, setting, fault_share) for _ in range(min(size, count))]
        count -= len(specs)
        yield specs


def clip_pool(count, frames, height, width, seed, device, size=8):
    """uint8 clips (count,3,T,H,W) for the autoencoder."""
    pool = torch.empty(count, 3, frames, height, width, dtype=torch.uint8, device=device)
    at = 0
    for k, specs in enumerate(batches(count, size, seed, 0.06)):
        v = render(specs, frames, height, width, seed * 100003 + k, device)
        pool[at:at + len(specs)] = ((v + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        at += len(specs)
    return pool


class Latents:
    """`count` latents of one size with several captions each."""

    def __init__(self, vae, tokenizer, count, frames, height, width, seed, device, size=8, captions=6, seconds=1e9):
        mean, std = statistics(vae, device)
        rng = random.Random(seed + 1)
        self.z = torch.empty(count, 16, (frames - 1) // 4 + 1, height // 8, width // 8, dtype=torch.bfloat16, device=device)
        self.specs, texts, start = [], [], time.time()
        for k, specs in enumerate(batches(count, size, seed, 0.05)):
            v = render(specs, frames, height, width, seed * 100003 + k, device)
            with torch.no_grad(), torch.autocast(v.device.type, torch.bfloat16):
                z = (encode(vae, v)[0].float() - mean) / std
            self.z[len(self.specs):len(self.specs) + len(specs)] = z.to(torch.bfloat16)
            self.specs += specs
            texts += [caption(s, rng) for s in specs for _ in range(captions)]
            if time.time() - start > seconds:
                break
        n = len(self.specs)
        self.z = self.z[:n]
        self.ids = tokenizer.rows(texts).view(n, captions, -1).to(device)

    def draw(self, count, generator):
        i = torch.randint(0, len(self.z), (count,), generator=generator, device=self.z.device)
        k = torch.randint(0, self.ids.shape[1], (count,), generator=generator, device=self.z.device)
        return self.z[i].float(), self.ids[i, k]
