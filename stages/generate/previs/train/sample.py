"""Runs a checkpoint folder on prompts with the published scheduler, and lays frames out on a contact sheet.

usage: sample.py CHECKPOINT OUT.png [--steps 16] [--guidance 5] [--device cpu] [--prompt "..."]...
"""
import argparse
import copy

import torch

NEGATIVE = "blurry, low quality, text, watermark"
PROMPTS = ["A frigate cuts through grey Atlantic swell at dawn, slow aerial dolly forward, volumetric light, 35mm film grain",
           "Sunset over mountains", "A city skyline at night, lit windows, camera pans left", "A pine forest in morning mist, slow dolly in, volumetric light",
           "Desert dunes at golden hour, wide shot, slow pan right", "A lighthouse on a rocky coast at night, its beam sweeps, static camera",
           "A small cabin in a snowy field, snow is falling, dusk", "A car drives down a city street in heavy rain at night, dolly in",
           "A sailing boat on a calm sea at sunset, static shot", "Snow-capped peaks reflected in a lake, bright daylight, tilt up"]


def sheet(picture, path):
    from PIL import Image
    Image.fromarray(((picture.float().cpu().permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).byte().numpy()).save(path)


@torch.no_grad()
def generate(parts, prompts, frames=33, height=224, width=384, steps=16, guidance=5.0, seed=0, negative=NEGATIVE, device="cuda", amp=True):
    """parts: (tokenizer, encoder, transformer, vae, scheduler). Clips (B,3,T,H,W), one seed a prompt."""
    from text import embed
    from vae import decode, statistics
    tokenizer, encoder, transformer, vae, scheduler = parts
    scheduler = copy.deepcopy(scheduler)
    scheduler.set_timesteps(steps, device=device)
    with torch.autocast(device, torch.bfloat16, enabled=amp):
        cond = embed(encoder, tokenizer.rows(prompts).to(device)).float()
        none = embed(encoder, tokenizer.rows([negative] * len(prompts)).to(device)).float()
        shape = (1, 16, (frames - 1) // 4 + 1, height // 8, width // 8)
        z = torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(seed + i)) for i in range(len(prompts))]).to(device)
        for t in scheduler.timesteps:
            both = transformer(torch.cat([z, z]), t.expand(2 * len(z)), torch.cat([none, cond]), return_dict=False)[0].float()
            n, c = both.chunk(2)
            z = scheduler.step(n + guidance * (c - n), t, z, return_dict=False)[0]
        mean, std = statistics(vae, device)
        return torch.cat([decode(vae, (z[i:i + 1] * std + mean)).float().clamp(-1, 1) for i in range(len(z))]), z


def load_transformer(folder):
    """Stored bf16, run fp32; read by hand because the library's reader wants one more package for this class."""
    from diffusers import WanTransformer3DModel
    from safetensors.torch import load_file
    model = WanTransformer3DModel.from_config(WanTransformer3DModel.load_config(folder))
    model.load_state_dict({k: v.float() for k, v in load_file(f"{folder}/diffusion_pytorch_model.safetensors").items()})
    return model


def load(folder, device="cpu"):
    from diffusers import AutoencoderKLWan, UniPCMultistepScheduler
    from transformers import UMT5EncoderModel
    from text import Tokenizer
    up = lambda m: m.float().to(device).eval().requires_grad_(False)
    return (Tokenizer(f"{folder}/tokenizer"), up(UMT5EncoderModel.from_pretrained(f"{folder}/text_encoder")),
            up(load_transformer(f"{folder}/transformer")), up(AutoencoderKLWan.from_pretrained(f"{folder}/vae")),
            UniPCMultistepScheduler.from_pretrained(f"{folder}/scheduler"))


def contact(clips, columns=3):
    T = clips.shape[2]
    at = [round(i * (T - 1) / (columns - 1)) for i in range(columns)]
    return torch.cat([torch.cat([c[:, t] for t in at], -1) for c in clips], 1)


if __name__ == "__main__":
    a = argparse.ArgumentParser()
    a.add_argument("checkpoint"); a.add_argument("out"); a.add_argument("--steps", type=int, default=16); a.add_argument("--guidance", type=float, default=5.0)
    a.add_argument("--device", default="cpu"); a.add_argument("--prompt", action="append"); a.add_argument("--seed", type=int, default=0)
    a.add_argument("--size", default="384x224x33"); a.add_argument("--negative", default=NEGATIVE)
    a = a.parse_args()
    w, h, f = map(int, a.size.split("x"))
    parts = load(a.checkpoint, a.device)
    clips = torch.cat([generate(parts, [p], f, h, w, a.steps, a.guidance, a.seed, a.negative, a.device, a.device != "cpu")[0].cpu() for p in a.prompt or PROMPTS])
    sheet(contact(clips), a.out)
