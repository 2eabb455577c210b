#!/usr/bin/env python3
"""A whole shot by diffusers, to be timed from its start to its end beside `auteur-pipe run`:

  time bench/peer_shot.py CHECKPOINT OUT.npy     HunyuanVideo, 17 frames 1280x720, 20 steps

Everything on the GPU, VAE tiling on as its documentation advises for this size. The frames are
written as they are, without the encoding that ours includes. Needs PyTorch and diffusers.
"""
import sys
import time

START = time.time()
import numpy
import torch
from diffusers import HunyuanVideoPipeline


def main():
    folder, out = sys.argv[1:3]
    pipe = HunyuanVideoPipeline.from_pretrained(folder, torch_dtype=torch.bfloat16)
    pipe.vae.to(torch.float16)
    pipe.to("cuda")
    pipe.vae.enable_tiling()
    torch.cuda.synchronize()
    loaded = time.time()
    frames = pipe("A frigate cuts through grey Atlantic swell at dawn", height=720, width=1280,
                  num_frames=17, num_inference_steps=20, output_type="np",
                  generator=torch.Generator().manual_seed(7)).frames
    numpy.save(out, frames)
    print(f"loaded after {loaded - START:.1f} s, done after {time.time() - START:.1f} s, peak "
          f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB, frames {frames.shape}")


if __name__ == "__main__":
    main()
