"""Trains the upscaler that lies beside the checkpoint (stages/decode/upscaler.h: the compact network of Real-ESRGAN), three times each way, on rendered clips.

usage: upscaler.py OUTDIR [--vae VAEFOLDER] [--seconds 300] [--device cuda] [--workers 12] ...
writes OUTDIR/upscaler/model.safetensors (fp16) and OUTDIR/upscaler.png, by the clock

It sees what the program will give it: pictures of the model's size that the autoencoder has softened. VAEFOLDER (published layout) may still be in
training: it is read again whenever it changes, and until it is there, and without it, a blur stands in for it.
"""
import argparse
import copy
import math
import os
import random
import sys
import time

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "teacher"))

from clips import Stream
from styles import styled
from teacher import render

SCALE = 3


class Upscaler(nn.Module):
    def __init__(self, width, between):
        super().__init__()
        layers = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(between):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        layers.append(nn.Conv2d(width, 3 * SCALE ** 2, 3, padding=1))
        nn.init.zeros_(layers[-1].weight)
        nn.init.zeros_(layers[-1].bias)
        self.body = nn.ModuleList(layers)
        for layer in layers[:-1:2]:  # three channels begin as the picture itself, from which the last layer learns to interpolate at once
            nn.init.dirac_(layer.weight[:3].data)
            nn.init.zeros_(layer.bias[:3].data)

    def forward(self, x):
        """[N,3,h,w] in 0..1."""
        y = x
        for layer in self.body:
            y = layer(y)
        return F.pixel_shuffle(y.float(), SCALE) + F.interpolate(x, scale_factor=SCALE, mode="nearest")


def losses(wrong):
    """Of ours minus the target, [B,T,3,H,W]: L1, L1 of edges at three scales, and L1 of what changes from frame to frame, which is shimmer; with a weight of 1
    that was 1.04 of Lanczos' and with 4 it was 0.90, PSNR no worse (1,100 tiny steps, blurred clips)."""
    loss = wrong.abs().mean() + 4 * wrong.diff(dim=1).abs().mean()
    wrong = wrong.flatten(0, 1)
    for _ in range(3):
        loss = loss + (wrong.diff(dim=2).abs().mean() + wrong.diff(dim=3).abs().mean()) / 3
        wrong = F.avg_pool2d(wrong, 2)
    return loss


class Softener:
    """What happens to a picture before the upscaler gets it."""

    def __init__(self, folder, device):
        self.folder, self.device, self.vae, self.read = folder, device, None, None

    def look(self):
        """Reads the autoencoder if there is a new state of it."""
        path = f"{self.folder}/diffusion_pytorch_model.safetensors"
        changed = os.path.getmtime(path) if self.folder and os.path.exists(path) else None
        if changed == self.read:
            return
        from diffusers import AutoencoderKLWan  # here, since the processes that draw clips import this file too, and diffusers takes long
        try:
            self.vae = AutoencoderKLWan.from_pretrained(self.folder, torch_dtype=torch.float32).to(self.device).eval()
        except Exception as e:  # somebody is writing it
            return print("no autoencoder yet:", e, flush=True)
        self.read = changed
        print("autoencoder of %d channels read" % self.vae.config.z_dim, flush=True)

    def round_trip(self, x):
        from vae import decode, encode, statistics
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            z = encode(self.vae, x.permute(0, 4, 1, 2, 3) * 2 - 1)[0]
            # the denoiser never hits a latent exactly
            z = z + torch.randn_like(z) * statistics(self.vae, z.device)[1] * torch.rand(len(z), 1, 1, 1, 1, device=z.device) ** 2 * 0.15
            y = decode(self.vae, z)
        return (y.float().clamp(-1, 1) / 2 + 0.5).permute(0, 2, 3, 4, 1)

    @torch.no_grad()
    def __call__(self, small):
        """[n,T,h,w,3] in 0..1 to the same; a few stay as they are but for the noise."""
        share = lambda: torch.rand(len(small), 1, 1, 1, 1, device=small.device)
        x = self.round_trip(small) if self.vae else soft(small)
        x = x.lerp(soft(x), (share() * (0.8 if self.vae else 2) - 0.4).clamp(0, 1))
        x = torch.where(share() < 0.1, small, x)
        return (x + torch.randn_like(x) * share() * 0.008).clamp(0, 1)


def soft(x):
    """A blur of 1 2 1 each way."""
    n, t, h, w, _ = x.shape
    kernel = x.new_tensor((1, 2, 1)) / 4
    y = F.pad(x.permute(0, 1, 4, 2, 3).reshape(-1, 1, h, w), (1, 1, 1, 1), mode="replicate")
    return F.conv2d(y, kernel.outer(kernel)[None, None]).view(n, t, 3, h, w).permute(0, 1, 3, 4, 2)


def lanczos(x):
    """Lanczos-3, as the program enlarges without an upscaler; [N,3,h,w]."""
    def weights(size):
        centre = (torch.arange(size * SCALE) + 0.5)[:, None] / SCALE - 0.5
        at = centre.floor() + torch.arange(-3, 4)
        w = torch.sinc(at - centre) * torch.sinc((at - centre) / 3) * ((at - centre).abs() < 3)
        return torch.zeros(size * SCALE, size).scatter_add_(1, at.long().clamp(0, size - 1), w / w.sum(1, keepdim=True)).to(x)
    return weights(x.shape[2]) @ x @ weights(x.shape[3]).T


class Pairs:
    """The last clips rendered: large [n,T,3h,3w,3] uint8 and as small as the model makes them [n,T,h,w,3] half, not yet softened."""

    def __init__(self, o, softener):
        self.o, self.softener, self.width, self.height = o, softener, *map(int, o.size.split("x"))
        self.stream = Stream(o.frames, self.height, self.width, o.seed, o.device, workers=o.workers)
        self.chance, self.large, self.small, self.count = random.Random(o.seed), [], [], 0

    def render(self):
        specs, clips, views = zip(*self.stream.drawn())
        large = render(clips, views, self.height * SCALE, self.width * SCALE, self.stream.samples, self.o.device)
        own = render(clips, views, self.height, self.width, self.stream.samples, self.o.device)
        larges, smalls = [], []
        for s, picture, small in zip(specs, large, own):
            picture, small = styled(picture, s["style"]), small.float() / 255
            # the model learned from renders of its own size, jagged where these are; where a style's grain depends on the size there is no such pair
            if s["style"] != "photo" or self.chance.random() < 0.4:
                small = F.avg_pool2d(picture.permute(0, 3, 1, 2).float(), SCALE).permute(0, 2, 3, 1) / 255
            turned = (lambda p: p.flip(2)) if self.chance.random() < 0.5 else (lambda p: p)
            larges.append(turned(picture))
            smalls.append(turned(small))
        return torch.stack(larges), torch.stack(smalls)

    def more(self):
        """Eight clips more; the oldest go."""
        large, small = self.render()
        small = self.softener(small).half()
        if self.count < self.o.pool:
            self.large.append(large)
            self.small.append(small)
        else:
            at = self.count // len(large) % len(self.large)
            self.large[at], self.small[at] = large, small
        self.count += len(large)

    def crops(self):
        """x [B,T,3,side,side] and what it should become, both in 0..1."""
        xs, targets, side = [], [], self.o.side
        for _ in range(self.o.batch):
            at = self.chance.randrange(len(self.large))
            j, y, x = (self.chance.randrange(n) for n in (len(self.large[at]), self.height - side + 1, self.width - side + 1))
            xs.append(self.small[at][j, :, y:y + side, x:x + side])
            targets.append(self.large[at][j, :, y * SCALE:(y + side) * SCALE, x * SCALE:(x + side) * SCALE])
        return torch.stack(xs).permute(0, 1, 4, 2, 3).float(), torch.stack(targets).permute(0, 1, 4, 2, 3).float() / 255


@torch.no_grad()
def measure(net, held, softener, device):
    """PSNR in dB of each clip and the mean error of changes between frames, of Lanczos and of ours; rows of a picture to look at."""
    psnr, shimmer, rows = ([], []), [0.0, 0.0], []
    with torch.random.fork_rng([device] if torch.device(device).type == "cuda" else []):
        torch.manual_seed(1)  # spoilt the same way every time
        for i, (large, small) in enumerate(held):
            x = softener(small[None])[0].permute(0, 3, 1, 2)
            target = large.permute(0, 3, 1, 2).float() / 255
            made = [way(x).clamp(0, 1) for way in (lanczos, net)]
            for k, y in enumerate(made):
                psnr[k].append(-10 * math.log10(((y - target) ** 2).mean().item()))
                shimmer[k] += (y - target).diff(dim=0).abs().mean().item() / len(held)
            if i < 8:
                h, w = (n // 3 for n in target.shape[2:])
                rows.append(torch.cat([y[-1, :, h:2 * h, w:2 * w] for y in (*made, target)], 2))
    return psnr, shimmer, torch.cat(rows, 1)


def write(net, rows, out):
    """Each file at once, for somebody may be reading."""
    os.makedirs(f"{out}/upscaler", exist_ok=True)
    save_file({k: v.half().contiguous().cpu() for k, v in net.state_dict().items()}, f"{out}/upscaler.part")
    os.replace(f"{out}/upscaler.part", f"{out}/upscaler/model.safetensors")
    Image.fromarray((rows * 255).round().byte().permute(1, 2, 0).cpu().numpy()).save(f"{out}/upscaler.png")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("out"); a.add_argument("--vae"); a.add_argument("--device", default="cuda")
    a.add_argument("--seconds", type=float, default=300, help="from the first step on"); a.add_argument("--workers", type=int, default=12)
    a.add_argument("--width", type=int, default=16); a.add_argument("--between", type=int, default=3)
    a.add_argument("--size", default="416x240", help="of the model's pictures"); a.add_argument("--frames", type=int, default=5, help="4 k + 1")
    a.add_argument("--batch", type=int, default=16); a.add_argument("--side", type=int, default=96); a.add_argument("--rate", type=float, default=2e-3)
    a.add_argument("--pool", type=int, default=400, help="clips kept"); a.add_argument("--held", type=int, default=24, help="clips kept out")
    a.add_argument("--every", type=float, default=60, help="seconds between files"); a.add_argument("--seed", type=int, default=1)
    o = a.parse_args()
    cuda = torch.device(o.device).type == "cuda"
    if cuda:
        torch.cuda.set_device(o.device if ":" in o.device else 0)
    torch.manual_seed(o.seed)
    start = time.time()
    softener = Softener(o.vae, o.device)
    softener.look()
    pairs = Pairs(o, softener)
    held = []
    while len(held) < o.held:
        held += list(zip(*pairs.render()))
    held = held[:o.held]
    net = Upscaler(o.width, o.between).to(o.device, memory_format=torch.channels_last)
    print("%d weights; %d clips held out: %.1f s" % (sum(p.numel() for p in net.parameters()), len(held), time.time() - start), flush=True)
    adam = torch.optim.AdamW(net.parameters(), lr=o.rate, betas=(0.9, 0.98), weight_decay=0.0, fused=cuda)

    def sums(x, target):
        with torch.autocast(torch.device(o.device).type, torch.bfloat16, enabled=cuda):
            y = net(x.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        return losses(y.unflatten(0, x.shape[:2]) - target)

    step_of = torch.compile(sums) if cuda else sums
    start = written = time.time()
    step, rendering, total = 0, 0.0, []
    while (gone := (time.time() - start) / o.seconds) < 1:
        if not pairs.large or rendering < 0.25 * (time.time() - start):  # a quarter of the time is the renderer's
            before = time.time()
            softener.look()
            pairs.more()
            if cuda:
                torch.cuda.synchronize()
            rendering += time.time() - before
            continue
        for g in adam.param_groups:
            g["lr"] = o.rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * gone)))
        loss = step_of(*pairs.crops())
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        adam.zero_grad(set_to_none=True)
        total.append(loss.detach())
        step += 1
        if step % 50 == 0 and cuda:
            torch.cuda.synchronize()  # or the clock runs ahead of the work
        if time.time() - written > o.every:
            report(net, held, softener, o, time.time() - start, step, pairs.count, total)
            written, total = time.time(), []
    report(net, held, softener, o, time.time() - start, step, pairs.count, total)
    pairs.stream.close()


def report(net, held, softener, o, seconds, step, clips, total):
    stored = copy.deepcopy(net).half().float()
    (plain, ours), shimmer, rows = measure(stored, held, softener, o.device)
    write(net, rows, o.out)
    mean = lambda v: sum(v) / len(v) if v else math.nan
    better = mean(ours) > mean(plain) and shimmer[1] < shimmer[0]
    print("%6.1f s step %d clips %d loss %.4f psnr %.2f (Lanczos %.2f, worse on %d of %d) shimmer %.3f of Lanczos: %s" % (
        seconds, step, clips, mean([t.item() for t in total]), mean(ours), mean(plain), sum(a < b for a, b in zip(ours, plain)), len(held),
        shimmer[1] / shimmer[0], "better on both" if better else "NOT better on both"), flush=True)


if __name__ == "__main__":
    main()
