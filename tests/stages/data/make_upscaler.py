"""Makes upscaler/: a tiny upscaler of random weights, and what PyTorch's own modules make of a frame.

A developer's tool: nothing in build or test needs it. Wants torch and safetensors.

usage: make_upscaler.py           writes beside itself
"""
import os

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

WIDTH, BETWEEN, SCALE, HEIGHT, ACROSS = 5, 2, 3, 6, 9

torch.manual_seed(5)
layers = [nn.Conv2d(3, WIDTH, 3, padding=1), nn.PReLU(WIDTH)]
for _ in range(BETWEEN):
    layers += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.PReLU(WIDTH)]
layers.append(nn.Conv2d(WIDTH, 3 * SCALE * SCALE, 3, padding=1))
body = nn.ModuleList(layers)
for layer in body:
    if isinstance(layer, nn.PReLU):
        nn.init.uniform_(layer.weight, -0.5, 0.9)

rgb = torch.rand(HEIGHT, ACROSS, 3) * 2.4 - 1.2  # some of it beyond what a picture holds
with torch.no_grad():
    x = (rgb.clamp(-1, 1) / 2 + 0.5).permute(2, 0, 1)[None]
    y = x
    for layer in body:
        y = layer(y)
    y = nn.PixelShuffle(SCALE)(y) + F.interpolate(x, scale_factor=SCALE, mode="nearest")
    out = (y * 2 - 1)[0].permute(1, 2, 0).contiguous()

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "upscaler")
os.makedirs(folder, exist_ok=True)
save_file({f"body.{name}": value.contiguous() for name, value in body.state_dict().items()}, f"{folder}/model.safetensors")
save_file({"0.rgb": rgb, "0.larger": out}, f"{folder}/golden.safetensors")
