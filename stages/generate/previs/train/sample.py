"""Runs a checkpoint folder on prompts with the published scheduler, and lays frames out on a contact sheet.

usage: sample.py CHECKPOINT OUT.png [--steps 8] [--guidance 1] [--device cpu] [--prompt "..."]...
"""
import argparse
import copy

import torch

PROMPTS = ["A frigate cuts through grey Atlantic swell at dawn, slow dolly in, 35mm film grain", "a white sailing boat on a calm blue sea at noon, pan left",
           "A city skyline at night, lit windows, camera pans left", "A pine forest in morning mist, slow dolly in", "a red car drives across desert dunes at golden hour, tracking shot",
           "A lighthouse on a rocky coast in a storm at night, static camera", "an old steam train crosses a snowy valley, snow is falling, wide shot", "A yellow taxi drives down a city street in the rain",
           "a hot air balloon over snow-capped mountains at sunrise, aerial shot", "a woman walks through a cosy living room, static camera", "a rocket in outer space near a planet, orbit",
           "two helicopters above the clouds at dusk", "a vessel on rough ocean at nightfall", "a fishing boat in a quiet harbour in thick fog, ink drawing",
           "a flock of birds over a green river, watercolour", "a drone hovers over a street by day, neon style"]


def sheet(picture, path):
    from PIL import Image
    Image.fromarray(((picture.float().cpu().permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).byte().numpy()).save(path)


@torch.no_grad()
def generate(parts, prompts, frames=49, height=240, width=416, steps=8, guidance=1.0, seed=0, negative="", device="cuda", amp=True, at_once=5):
    """parts: (tokenizer, encoder, transformer, vae, scheduler). Clips (B,3,T,H,W), one seed a prompt."""
    from text import embed
    from vae import decode, statistics
    tokenizer, encoder, transformer, vae, first = parts
    shape = (1, vae.config.z_dim, (frames - 1) // 4 + 1, height // 8, width // 8)
    mean, std = statistics(vae, device)
    out = []
    for i in range(0, len(prompts), at_once):
        few, scheduler = prompts[i:i + at_once], copy.deepcopy(first)
        scheduler.set_timesteps(steps, device=device)
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            cond, none = (embed(encoder, tokenizer.rows(t).to(device)).float() for t in (few, [negative] * len(few)))
            z = torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(seed + i + k)) for k in range(len(few))]).to(device)
            for t in scheduler.timesteps:
                v = transformer(z, t.expand(len(z)), cond, return_dict=False)[0].float()
                if guidance != 1:
                    n = transformer(z, t.expand(len(z)), none, return_dict=False)[0].float()
                    v = n + guidance * (v - n)
                z = scheduler.step(v, t, z, return_dict=False)[0]
            out += [decode(vae, (x[None] * std + mean)).float().clamp(-1, 1) for x in z]
    return torch.cat(out)


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
    a.add_argument("checkpoint"); a.add_argument("out"); a.add_argument("--steps", type=int, default=8); a.add_argument("--guidance", type=float, default=1.0)
    a.add_argument("--device", default="cpu"); a.add_argument("--prompt", action="append"); a.add_argument("--seed", type=int, default=0)
    a.add_argument("--size", default="416x240x49"); a.add_argument("--negative", default="")
    a = a.parse_args()
    w, h, f = map(int, a.size.split("x"))
    parts = load(a.checkpoint, a.device)
    clips = torch.cat([generate(parts, [p], f, h, w, a.steps, a.guidance, a.seed, a.negative, a.device, a.device != "cpu").cpu() for p in a.prompt or PROMPTS])
    sheet(contact(clips), a.out)
