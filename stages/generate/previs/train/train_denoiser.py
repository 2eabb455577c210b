"""Trains the text encoder and the transformer together, by flow matching on latents of rendered clips.

usage: [torchrun --nproc-per-node N] train_denoiser.py BASE OUT [--low SECONDS] [--full SECONDS] ...
BASE holds vae/ and tokenizer/. OUT gets a whole checkpoint, again and again, and sheet.png.
"""
import argparse
import copy
import json
import math
import os
import random
import shutil
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel

from dataset import Latents
from optimiser import FlatGradients, Muon
from sample import PROMPTS, contact, generate, load_transformer, sheet
from text import Tokenizer, embed, new_encoder

SHIFT = 3.0
# share of steps, frames, height, width, clips a step and device, share of the rendered set
LOW = [(1.0, 17, 112, 192, 128, 1.0)]
FULL = [(.72, 33, 224, 384, 40, .74), (.10, 17, 224, 384, 72, .10), (.09, 33, 256, 256, 48, .08), (.09, 33, 384, 224, 40, .08)]
TINY = [(1.0, 5, 32, 48, 2, 1.0)]


def new_transformer():
    m = WanTransformer3DModel(patch_size=(1, 2, 2), num_attention_heads=4, attention_head_dim=64, in_channels=16, out_channels=16, text_dim=128, freq_dim=256,
                              ffn_dim=640, num_layers=7, cross_attn_norm=True, qk_norm="rms_norm_across_heads")
    torch.nn.init.zeros_(m.proj_out.weight)
    torch.nn.init.zeros_(m.proj_out.bias)
    return m


class Pair(torch.nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.encoder, self.transformer = new_encoder(vocabulary), new_transformer()

    def forward(self, z, t, ids):
        return self.transformer(z, t, embed(self.encoder, ids), return_dict=False)[0]


def draw_time(count, shift, generator, device):
    """Noise levels: logit-normal, then the shift that sampling uses; a tenth uniform so that no level is forgotten."""
    u = torch.sigmoid(torch.randn(count, generator=generator, device=device))
    flat = torch.rand(count, generator=generator, device=device)
    u = torch.where(torch.rand(count, generator=generator, device=device) < 0.15, flat, u)
    return (shift * u / (1 + (shift - 1) * u)).clamp(1e-3, 1.0)


def flow_loss(pair, z, ids, generator, shift, drop=0.12):
    t = draw_time(len(z), shift, generator, z.device)
    noise = torch.randn(z.shape, generator=generator, device=z.device)
    if drop:
        empty = torch.zeros_like(ids)
        empty[:, 0] = 1
        ids = torch.where((torch.rand(len(z), generator=generator, device=z.device) < drop)[:, None], empty, ids)
    s = t.view(-1, 1, 1, 1, 1)
    with torch.autocast(z.device.type, torch.bfloat16, enabled=z.is_cuda):
        v = pair((1 - s) * z + s * noise, t * 1000, ids)
    return F.mse_loss(v.float(), noise - z)


class Averaged:
    """Exponential moving average of the weights: what is sampled from and shipped."""

    def __init__(self, module):
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self.a, self.b = list(self.module.parameters()), list(module.parameters())

    @torch.no_grad()
    def update(self, step, horizon):
        decay = min(1 - 1 / horizon, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.a, self.b, 1 - decay)


def store(base, out, pair, scheduler):
    """The whole checkpoint in the published layout, weights in bf16."""
    for part in ("vae", "tokenizer"):
        if os.path.abspath(base) != os.path.abspath(out):
            shutil.copytree(f"{base}/{part}", f"{out}/{part}", dirs_exist_ok=True)
    copy.deepcopy(pair.transformer).to(torch.bfloat16).save_pretrained(f"{out}/transformer")
    copy.deepcopy(pair.encoder).to(torch.bfloat16).save_pretrained(f"{out}/text_encoder")
    scheduler.save_pretrained(f"{out}/scheduler")
    json.dump({"_class_name": "WanPipeline", "_diffusers_version": "0.40.0", "boundary_ratio": None, "expand_timesteps": False,
               "scheduler": ["diffusers", "UniPCMultistepScheduler"], "text_encoder": ["transformers", "UMT5EncoderModel"],
               "tokenizer": ["transformers", "T5TokenizerFast"], "transformer": ["diffusers", "WanTransformer3DModel"],
               "transformer_2": [None, None], "vae": ["diffusers", "AutoencoderKLWan"]}, open(f"{out}/model_index.json", "w"), indent=2)


class Trainer:
    def __init__(self, a):
        self.a = a
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.device = a.device
        if a.device == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
            self.device = "cuda"
        if self.world > 1:
            dist.init_process_group("nccl" if a.device == "cuda" else "gloo")
        torch.manual_seed(a.seed)
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
        self.vae = AutoencoderKLWan.from_pretrained(f"{a.base}/vae").float().to(self.device).eval().requires_grad_(False)
        self.tokenizer = Tokenizer(f"{a.base}/tokenizer")
        self.scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=SHIFT)
        self.pair = Pair(self.tokenizer.sp.vocab_size()).to(self.device)
        if a.init:
            from transformers import UMT5EncoderModel
            self.pair.transformer.load_state_dict(load_transformer(f"{a.init}/transformer").state_dict())
            self.pair.encoder.load_state_dict(UMT5EncoderModel.from_pretrained(f"{a.init}/text_encoder").float().state_dict())
        self.average = Averaged(self.pair)
        self._make_optimisers()
        if a.compile:
            self.pair.transformer.compile_repeated_blocks(dynamic=False)
        self.gen = torch.Generator(self.device).manual_seed(a.seed * 977 + self.rank)
        self.coin = random.Random(a.seed)      # same on every rank: all take the same bucket
        self.step, self.start, self.fraction, self.log = 0, None, 0.0, []

    def _make_optimisers(self):
        params = list(self.pair.parameters())
        self.grads = FlatGradients(params)
        matrices = [p for n, p in self.pair.named_parameters() if p.ndim == 2 and (".blocks." in n or ".block." in n) and "relative" not in n] if self.a.muon else []
        ids = {id(p) for p in matrices}
        self.muon = Muon(matrices) if matrices else None
        self.adam = torch.optim.AdamW([p for p in params if id(p) not in ids], lr=self.a.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=self.a.device == "cuda")

    def say(self, *words):
        if self.rank == 0:
            print(*words, flush=True)

    def rate(self):
        f = self.fraction
        return self.a.rate * min(1, (self.step + 1) / 150) * (1.0 if f < 0.4 else 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * (f - 0.4) / 0.6)))

    def one(self, latents, batch, shift):
        self.grads.zero()
        z, ids = latents.draw(batch, self.gen)
        loss = flow_loss(self.pair, z, ids, self.gen, shift)
        loss.backward()
        clock = self.grads.share(self.elapsed())
        lr = self.rate()
        for g in self.adam.param_groups:
            g["lr"] = lr
        self.adam.step()
        if self.muon:
            self.muon.step(lr)
        self.step += 1
        self.average.update(self.step, self.a.horizon)
        return loss.detach(), clock

    def elapsed(self):
        return time.time() - self.start - self.idle

    def make_sets(self, buckets, count, seed):
        t = time.time()
        sets = [Latents(self.vae, self.tokenizer, max(8, int(count * b[5])), b[1], b[2], b[3], seed + 31 * i + 1009 * self.rank, self.device) for i, b in enumerate(buckets)]
        if self.a.device == "cuda":
            torch.cuda.synchronize(); torch.cuda.empty_cache()
        self.say("rendered and encoded %d clips in %.1f s" % (sum(len(s.z) for s in sets), time.time() - t))
        return sets

    def phase(self, name, buckets, seconds, count, seed, shift):
        if seconds <= 0:
            return
        sets = self.make_sets(buckets, count, seed)
        if self.world > 1:
            dist.barrier()
        self.start, self.idle, clock, shown, saved = time.time(), 0.0, 0.0, 0, 0.0
        losses = []
        while clock < seconds:
            k = self.coin.choices(range(len(buckets)), [b[0] for b in buckets])[0]
            loss, clock = self.one(sets[k], max(1, int(buckets[k][4] * self.a.scale)), shift)
            losses.append(loss)
            self.fraction = (self.done + clock) / self.total
            if self.step - shown >= self.a.every:
                self.say("%s step %6d  %6.1f s  loss %.4f  rate %.2e" % (name, self.step, clock, torch.stack(losses).mean().item(), self.rate()))
                losses, shown = [], self.step
            if clock - saved > self.a.save:
                saved = clock
                self.save("%s_%04d" % (name, int(clock)))
        self.done += seconds
        self.save(name)

    def save(self, tag):
        if self.rank == 0:
            t = time.time()
            store(self.a.base, self.a.out, self.average.module, self.scheduler)
            size = dict(frames=5, height=32, width=48) if self.a.tiny else dict(frames=17, height=112, width=192) if tag.startswith("low") else {}
            parts = (self.tokenizer, self.average.module.encoder, self.average.module.transformer, self.vae, self.scheduler)
            clips = generate(parts, PROMPTS[:2 if self.a.tiny else None], device=self.device, amp=self.a.device == "cuda", steps=4 if self.a.tiny else 16, **size)[0]
            sheet(contact(clips.cpu()), f"{self.a.out}/sheet_{tag}.png")
            self.say("saved %s (%.1f s)" % (tag, time.time() - t))

    def run(self):
        a, self.done, self.total = self.a, 0.0, self.a.low + self.a.full
        if a.tiny:
            self.phase("tiny", TINY, a.low, 16, 5, 2.0)
        else:
            self.phase("low", LOW, a.low, a.clips_low, 100000 * a.seed + 11, 2.0)
            self.phase("full", FULL, a.full, a.clips_full, 100000 * a.seed + 50011, SHIFT)
        if self.world > 1:
            dist.destroy_process_group()


def main():
    a = argparse.ArgumentParser()
    a.add_argument("base"); a.add_argument("out"); a.add_argument("--init"); a.add_argument("--device", default="cuda")
    a.add_argument("--low", type=float, default=240); a.add_argument("--full", type=float, default=800); a.add_argument("--clips-low", type=int, default=4000)
    a.add_argument("--clips-full", type=int, default=5000); a.add_argument("--rate", type=float, default=1.2e-3); a.add_argument("--seed", type=int, default=1)
    a.add_argument("--scale", type=float, default=1.0); a.add_argument("--horizon", type=float, default=700); a.add_argument("--every", type=int, default=100)
    a.add_argument("--save", type=float, default=120); a.add_argument("--no-compile", dest="compile", action="store_false"); a.add_argument("--adam", dest="muon", action="store_false")
    a.add_argument("--tiny", action="store_true")
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    Trainer(a).run()


if __name__ == "__main__":
    main()
