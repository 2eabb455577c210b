#!/usr/bin/env python3
"""Diffusers on this GPU, for bench/gpu_table.py: steps and decodes of the published models at their
published sizes, with random weights of a standard deviation of 0.02, and what the chip itself can do.

  bench/peer_diffusers.py CASE...        one line of JSON a case; without a case: their names
  bench/peer_diffusers.py --serve        the same for each line of its input

"eager" and "compiled" are seconds (the median of a few runs between CUDA events), "gib" the peak of
memory, "flops" what the pass takes by its kinds: "linear", "attention", "conv". Needs PyTorch and
diffusers.
"""
import argparse
import gc
import json
import sys

import torch
from torch.utils.flop_counter import FlopCounterMode

DEVICE = "cuda"
BF16, F16 = torch.bfloat16, torch.float16


def rand(*shape, dtype=BF16, device=DEVICE):
    return torch.randn(*shape, device=device, dtype=dtype)


def build(cls, dtype, **config):
    """A model with numbers that nobody trained; made on the meta device, so that it is quick."""
    with torch.device("meta"):
        model = cls(**config)
    model = model.to_empty(device=DEVICE).to(dtype).eval().requires_grad_(False)
    for p in model.parameters():
        p.data.normal_(0, 0.02)
    for b in model.buffers():
        if b.is_floating_point():
            b.data.normal_(0, 0.02)
    return model


def seconds(run, runs, uncounted=1):
    for _ in range(uncounted):
        run()
    torch.cuda.synchronize()
    took = []
    for _ in range(runs):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize()
        took.append(begin.elapsed_time(end) / 1e3)
    return sorted(took)[len(took) // 2]


KINDS = {"mm": "linear", "addmm": "linear", "bmm": "linear", "baddbmm": "linear",
         "convolution": "conv", "_convolution": "conv", "cudnn_convolution": "conv"}


def flops_of(run):
    """FLOPs of one pass by kind, as PyTorch counts them while it runs."""
    counter = FlopCounterMode(display=False)
    with counter:
        run()
    out = {}
    for op, n in counter.get_flop_counts()["Global"].items():
        name = str(op).split(".")[-1]
        kind = KINDS.get(name, "attention" if "attention" in name else name)
        out[kind] = out.get(kind, 0) + n
    return out


def measure(run, runs=3, compiled=None):
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    out = {"flops": flops_of(run), "eager": seconds(run, runs),
           "gib": torch.cuda.max_memory_allocated() / 2**30}
    if compiled:
        out["compiled"] = seconds(compiled, max(runs, 3), 2)
    return out


# ---- the chip: (rate, unit) of what the passes are made of

def chip():
    def product(m, n, k):
        a, b = rand(m, k), rand(n, k)
        return 2 * m * n * k / seconds(lambda: a @ b.t(), 10, 3)

    def product_fp8(m, n, k):
        a = rand(m, k).to(torch.float8_e4m3fn)
        b = rand(n, k).to(torch.float8_e4m3fn)
        sa, sb = torch.ones(m, 1, device=DEVICE), torch.ones(1, n, device=DEVICE)
        return 2 * m * n * k / seconds(lambda: torch._scaled_mm(
            a, b.t(), scale_a=sa, scale_b=sb, out_dtype=BF16, use_fast_accum=True), 10, 3)

    def attention(tokens, heads, dim):
        from torch.nn.attention import sdpa_kernel, SDPBackend
        q, k, v = (rand(1, heads, tokens, dim) for _ in range(3))
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            return 4 * tokens**2 * dim * heads / seconds(
                lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v), 5, 2)

    def conv():
        x = rand(1, 128, 17, 720, 1280, dtype=F16).to(memory_format=torch.channels_last_3d)
        w = rand(128, 128, 3, 3, 3, dtype=F16).to(memory_format=torch.channels_last_3d)
        work = 2 * 128 * 128 * 27 * 17 * 720 * 1280
        return work / seconds(lambda: torch.nn.functional.conv3d(x, w, padding=1), 3, 1)

    def copy():
        x = torch.empty(2**31, dtype=torch.uint8, device=DEVICE)
        y = torch.empty_like(x)
        return 2 * 2**31 / seconds(lambda: y.copy_(x), 10, 3)

    import diffusers
    return {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "diffusers": diffusers.__version__,
            "cudnn": torch.backends.cudnn.version(),
            "linear": max(product(18256, 12288, 3072), product(8192, 8192, 8192)),
            "linear fp8": max(product_fp8(18256, 12288, 3072), product_fp8(8192, 8192, 8192)),
            "attention": attention(18256, 24, 128), "attention 64": attention(17776, 48, 64),
            "conv": conv(), "copy": copy()}


# ---- the cases

def hunyuan_model():
    from diffusers import HunyuanVideoTransformer3DModel as Model
    model = build(Model, BF16)
    model.rope = type(model.rope)(2, 1, (16, 56, 56), 256.0)
    return model


def hunyuan_inputs(frames, height, width):
    mask = torch.ones(1, 256, device=DEVICE, dtype=torch.bool)
    mask[:, 77:] = False
    return dict(hidden_states=rand(1, 16, (frames - 1) // 4 + 1, height // 8, width // 8),
                timestep=torch.full((1,), 500, device=DEVICE),
                encoder_hidden_states=rand(1, 256, 4096), encoder_attention_mask=mask,
                pooled_projections=rand(1, 768),
                guidance=torch.full((1,), 6000.0, device=DEVICE, dtype=BF16))


def hunyuan_17():
    model, inputs = hunyuan_model(), hunyuan_inputs(17, 720, 1280)
    fast = torch.compile(model)
    return measure(lambda: model(**inputs), compiled=lambda: fast(**inputs))


def hunyuan_129():
    model, inputs = hunyuan_model(), hunyuan_inputs(129, 544, 960)
    return measure(lambda: model(**inputs), runs=1)


def hunyuan_vae(frames, tiled):
    from diffusers import AutoencoderKLHunyuanVideo as Model
    model = build(Model, F16)
    model.use_tiling = model.use_framewise_decoding = tiled
    z = rand(1, 16, (frames - 1) // 4 + 1, 90, 160, dtype=F16)
    return measure(lambda: model.decode(z).sample, runs=1)


def wan_step():
    from diffusers import WanTransformer3DModel as Model
    model = build(Model, BF16, patch_size=(1, 2, 2), num_attention_heads=40,
                  attention_head_dim=128, in_channels=16, out_channels=16, text_dim=4096,
                  freq_dim=256, ffn_dim=13824, num_layers=40, cross_attn_norm=True)
    model.rope = type(model.rope)(128, (1, 2, 2), 1024).to(DEVICE)
    x, text = rand(1, 16, 21, 60, 104), rand(1, 512, 4096)
    return measure(lambda: model(x, torch.full((1,), 500, device=DEVICE), text), runs=2)


def wan_vae(frames, height, width):
    from diffusers import AutoencoderKLWan as Model
    model, z = build(Model, BF16), rand(1, 16, (frames - 1) // 4 + 1, height // 8, width // 8)
    return measure(lambda: model.decode(z).sample, runs=1)


def cogvideox_step():
    from diffusers import CogVideoXTransformer3DModel as Model
    model = build(Model, BF16, num_attention_heads=48, num_layers=42,
                  use_rotary_positional_embeddings=True, in_channels=16, out_channels=16)
    x, text = rand(2, 13, 16, 60, 90), rand(2, 226, 4096)
    rope = tuple(rand(13 * 30 * 45, 64, dtype=torch.float32) for _ in range(2))
    return measure(lambda: model(x, text, torch.full((2,), 500, device=DEVICE),
                                 image_rotary_emb=rope))


def cogvideox_vae():
    from diffusers import AutoencoderKLCogVideoX as Model
    model = build(Model, BF16, block_out_channels=(128, 256, 256, 512),
                  down_block_types=("CogVideoXDownBlock3D",) * 4,
                  up_block_types=("CogVideoXUpBlock3D",) * 4, layers_per_block=3,
                  latent_channels=16)
    z = rand(1, 16, 13, 60, 90)
    return measure(lambda: model.decode(z).sample, runs=1)


def svd_step():
    from diffusers import UNetSpatioTemporalConditionModel as Model
    model = build(Model, F16, num_attention_heads=(5, 10, 20, 20), num_frames=25)
    x, image = rand(2, 25, 8, 72, 128, dtype=F16), rand(2, 1, 1024, dtype=F16)
    ids = rand(2, 3, dtype=F16)
    return measure(lambda: model(x, torch.tensor(1.0, device=DEVICE), image, ids))


def svd_vae():
    from diffusers import AutoencoderKLTemporalDecoder as Model
    model = build(Model, F16, block_out_channels=(128, 256, 512, 512),
                  down_block_types=("DownEncoderBlock2D",) * 4, layers_per_block=2,
                  latent_channels=4)
    z = rand(8, 4, 72, 128, dtype=F16)
    return measure(lambda: model.decode(z, num_frames=8).sample)


def sdxl_step(batch, compiled):
    from diffusers import UNet2DConditionModel as Model
    model = build(Model, F16, sample_size=128, in_channels=4, out_channels=4,
                  down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                  up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                  block_out_channels=(320, 640, 1280), layers_per_block=2,
                  cross_attention_dim=2048, transformer_layers_per_block=(1, 2, 10),
                  attention_head_dim=(5, 10, 20), use_linear_projection=True,
                  addition_embed_type="text_time", addition_time_embed_dim=256,
                  projection_class_embeddings_input_dim=2816)
    x, text = rand(batch, 4, 128, 128, dtype=F16), rand(batch, 77, 2048, dtype=F16)
    added = dict(text_embeds=rand(batch, 1280, dtype=F16), time_ids=rand(batch, 6, dtype=F16))
    t = torch.tensor(500, device=DEVICE)
    eager = measure(lambda: model(x, t, text, added_cond_kwargs=added), runs=9)
    if compiled:
        model = model.to(memory_format=torch.channels_last)
        x, fast = x.to(memory_format=torch.channels_last), torch.compile(model)
        eager["compiled"] = seconds(lambda: fast(x, t, text, added_cond_kwargs=added), 9, 3)
    return eager


def sdxl_vae():
    from diffusers import AutoencoderKL as Model
    model = build(Model, F16, block_out_channels=(128, 256, 512, 512),
                  down_block_types=("DownEncoderBlock2D",) * 4,
                  up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4)
    z = rand(1, 4, 128, 128, dtype=F16)
    return measure(lambda: model.decode(z).sample, runs=9)


CASES = {
    "chip": chip,
    "hunyuan step 17f": hunyuan_17,
    "hunyuan step 129f": hunyuan_129,
    "wan step 81f": wan_step,
    "cogvideox step": cogvideox_step,
    "svd step": svd_step,
    "sdxl step 2": lambda: sdxl_step(2, True),
    "sdxl step 2 eager": lambda: sdxl_step(2, False),
    "sdxl step 8": lambda: sdxl_step(8, False),
    "sdxl step 16": lambda: sdxl_step(16, False),
    "sdxl step 32": lambda: sdxl_step(32, False),
    "hunyuan vae 17f tiled": lambda: hunyuan_vae(17, True),
    "hunyuan vae 17f whole": lambda: hunyuan_vae(17, False),
    "hunyuan vae 65f tiled": lambda: hunyuan_vae(65, True),
    "wan vae 81f": lambda: wan_vae(81, 480, 832),
    "wan vae 17f": lambda: wan_vae(17, 720, 1280),
    "cogvideox vae": cogvideox_vae,
    "svd vae": svd_vae,
    "sdxl vae": sdxl_vae,
}


def answer(case):
    gc.collect()
    torch.cuda.empty_cache()
    try:
        with torch.no_grad():
            result = CASES[case]()
    except Exception as reason:  # one case that fails must not take the others' figures along
        result = {"failed": f"{type(reason).__name__}: {reason}"[:300]}
    gc.collect()
    torch.cuda.empty_cache()  # for whoever runs next
    print(json.dumps({"case": case, **result}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("case", nargs="*")
    options = parser.parse_args()
    if not options.serve and not options.case:
        print("\n".join(CASES))
    for case in sys.stdin if options.serve else options.case:
        answer(case.strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
