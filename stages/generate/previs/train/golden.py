"""Runs a checkpoint through diffusers' own WanPipeline, fp32 on the CPU, and keeps what a C implementation is checked against.

usage: golden.py CHECKPOINT OUTDIR      writes golden.json and golden.safetensors
"""
import json
import os
import sys
import types

import torch
from diffusers import WanPipeline
from diffusers.pipelines.wan import pipeline_wan
from safetensors.torch import save_file

from sample import load

PROMPT = "A frigate cuts through grey Atlantic swell at dawn, slow aerial dolly forward, volumetric light, 35mm film grain"
NEGATIVE = ""
TOKENS = ["", " ", "  leading and   multiple   spaces  ", "UPPER lower MiXeD", "don't we'll I'm", "1234567890 3.14 1,000", "tab\tnewline\nend", "emoji 🎬🚢 end", "漢字とかな混じり",
          "Привет мир", "naïve façade Ångström", "ｆｕｌｌｗｉｄｔｈ　ｓｐａｃｅ", "</s> literal", "Sunset over mountains", PROMPT]
SIZE = dict(height=32, width=48, num_frames=9, num_inference_steps=8, guidance_scale=1.0, max_sequence_length=64)
SEED = 1234


class PipelineTokenizer:
    """The pipeline's view of the SentencePiece model: ids, </s>, zeros to max_length."""

    def __init__(self, tokenizer):
        self.ids = tokenizer.ids

    def __call__(self, text, max_length=None, **_):
        rows = [self.ids(t) for t in text]
        pad = lambda r, fill: r + [fill] * (max_length - len(r))
        return types.SimpleNamespace(input_ids=torch.tensor([pad(r, 0) for r in rows]), attention_mask=torch.tensor([pad([1] * len(r), 0) for r in rows]))


def main(checkpoint, out):
    tokenizer, encoder, transformer, vae, scheduler = load(checkpoint)
    pipeline_wan.ftfy = types.SimpleNamespace(fix_text=lambda s: s)
    kept, meta = {}, dict(family="wan", prompt=PROMPT, negative_prompt=NEGATIVE, seed=SEED, steps=SIZE["num_inference_steps"], guidance=SIZE["guidance_scale"], flow_shift=scheduler.config.flow_shift,
                          height=SIZE["height"], width=SIZE["width"], frames=SIZE["num_frames"], max_sequence_length=SIZE["max_sequence_length"], boundary_ratio=None, timesteps=[],
                          tokenize={"umt5": [[s, tokenizer.ids(s)] for s in TOKENS]})
    put = lambda name, v: kept.__setitem__(name, (v.detach().float() if v.is_floating_point() else v.detach().to(torch.int64)).clone().contiguous())
    draw = pipeline_wan.randn_tensor
    pipeline_wan.randn_tensor = lambda *a, **k: (put("noise0", n := draw(*a, **k)), n)[1]
    forward, calls = transformer.forward, []

    def recorded(*a, **k):
        y = forward(*a, **k)
        if len(calls) < 2:
            for name, v in k.items():
                if torch.is_tensor(v):
                    put(f"transformer.call{len(calls)}.in.{name}", v)
            put(f"transformer.call{len(calls)}.out", y[0])
        calls.append(1)
        return y

    def step(_, i, t, kw):
        put(f"latents.step{i}", kw["latents"])
        meta["timesteps"].append(float(t))
        return kw

    transformer.forward = recorded
    pipe = WanPipeline(tokenizer=PipelineTokenizer(tokenizer), text_encoder=encoder, vae=vae, scheduler=scheduler, transformer=transformer)
    pipe.set_progress_bar_config(disable=True)
    with torch.no_grad():
        a, b = pipe.encode_prompt(PROMPT, NEGATIVE, True, max_sequence_length=SIZE["max_sequence_length"])
        put("prompt_embeds", a), put("negative_prompt_embeds", b)
        z = pipe(prompt=PROMPT, negative_prompt=NEGATIVE, generator=torch.Generator().manual_seed(SEED), output_type="latent", callback_on_step_end=step, **SIZE).frames
        put("latents.final", z)
        mean, std = (torch.tensor(v).view(1, -1, 1, 1, 1) for v in (vae.config.latents_mean, vae.config.latents_std))
        put("vae.frames", vae.decode(z * std + mean).sample)
    meta["tensors"] = {k: list(v.shape) for k, v in kept.items()}
    os.makedirs(out, exist_ok=True)
    save_file(kept, f"{out}/golden.safetensors")
    json.dump(meta, open(f"{out}/golden.json", "w"), indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
