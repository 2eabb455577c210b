"""The engine's peer: times diffusers' Wan modules in PyTorch beside bench/engine, on the same weights,
size and cores, taking turns, and prints ours / theirs (1.0 or less: ours is no slower).

usage: peer_torch.py ENGINE DIR [WxH FRAMES THREADS ROUNDS]
DIR without a checkpoint gets one of the previs size with random weights.
"""
import glob
import os
import re
import subprocess
import sys
import time

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from safetensors.torch import load_file

engine, directory = sys.argv[1:3]
size, frames, threads, rounds = (sys.argv[3:] + ["416x240", "49", "2", "3"][len(sys.argv) - 3 :])[:4]
width, height = map(int, size.split("x"))
torch.set_num_threads(int(threads))

if not os.path.exists(f"{directory}/transformer/config.json"):
    torch.manual_seed(1)
    WanTransformer3DModel(num_attention_heads=4, attention_head_dim=64, text_dim=128, ffn_dim=768, num_layers=7).save_pretrained(f"{directory}/transformer")
    AutoencoderKLWan(base_dim=16, num_res_blocks=1).save_pretrained(f"{directory}/vae")


def load(kind, part):
    model = kind.from_config(kind.load_config(f"{directory}/{part}"))
    for path in glob.glob(f"{directory}/{part}/*.safetensors"):
        model.load_state_dict(load_file(path), strict=False)
    return model.float().eval()


denoiser, vae = load(WanTransformer3DModel, "transformer"), load(AutoencoderKLWan, "vae")
latents = torch.randn(1, denoiser.config.in_channels, (int(frames) - 1) // 4 + 1, height // 8, width // 8)
text = torch.randn(1, 128, denoiser.config.text_dim)
text[:, 40:] = 0
best = {}


def keep(name, milliseconds):
    best[name] = min(best.get(name, 1e30), milliseconds)


def timed(name, work):
    start = time.perf_counter()
    work()
    keep(name, 1000 * (time.perf_counter() - start))


with torch.inference_mode():
    step = lambda: denoiser(latents, torch.tensor([500]), text, return_dict=False)
    decode = lambda: vae.decode(latents, return_dict=False)
    step(), decode()
    for _ in range(int(rounds)):
        said = subprocess.run([engine, directory, "--size", size, "--frames", frames, "--threads", threads, "--repeat", "1"],
                              check=True, capture_output=True, text=True).stdout
        for name, value in re.findall(r"^(denoiser|vae)\s+([\d.]+) ms", said, re.M):
            keep(name, float(value))
        timed("torch denoiser", step)
        timed("torch vae", decode)
print(said, end="")
for name in ("denoiser", "vae"):
    print(f"{name:9} ours {best[name]:8.1f} ms  torch {best['torch ' + name]:8.1f} ms  ratio {best[name] / best['torch ' + name]:.3f}")
