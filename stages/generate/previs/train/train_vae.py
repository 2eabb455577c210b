"""Trains the autoencoder on crops of rendered clips.

usage: [torchrun --nproc-per-node N] train_vae.py OUTDIR [--init VAE] [--seconds 180] [--device cuda] ...
writes OUTDIR/vae (published layout, fp16) and OUTDIR/vae.png. --init: an autoencoder to go on from; where it has more
channels, its principal axes.
"""
import argparse
import copy
import json
import math
import os
import time
from functools import partial

import torch
import torch.distributed as dist
import torch.nn.functional as F

from diffusers import AutoencoderKLWan

from optimiser import FlatGradients, Muon, Replay
from pool import Stream
from sample import sheet
from vae import decode, encode, new_vae, speed_up, with_fewer_channels


def edges(a, b):
    """L1 of differences along x, y and time at three scales: keeps outlines and motion where plain L1 would blur them."""
    loss = 0.0
    for k in range(3):
        for d in (2, 3, 4):
            loss = loss + (a.diff(dim=d) - b.diff(dim=d)).abs().mean()
        if k < 2:
            a, b = F.avg_pool3d(a, (1, 2, 2)), F.avg_pool3d(b, (1, 2, 2))
    return loss / 3


def clip_pool(count, frames, height, width, seed, device, workers):
    """uint8 clips (count,3,T,H,W)."""
    stream = Stream(frames, height, width, seed, device, workers=workers)
    pool = torch.empty(count, 3, frames, height, width, dtype=torch.uint8, device=device)
    for at in range(0, count, stream.at_once):
        pool[at:at + stream.at_once] = stream.next()[1].permute(0, 4, 1, 2, 3)[:count - at]
    stream.close()
    return pool


def crop(pool, count, frames, side):
    """Random crops of random clips, gathered on the device; channels end up innermost, as the convolutions like them."""
    n, _, T, H, W = pool.shape
    d = pool.device
    start = lambda room: torch.randint(room, (count, 1, 1, 1), device=d)
    j = start(n)
    t = start(T - frames + 1) + torch.arange(frames, device=d).view(1, -1, 1, 1)
    y = start(H - side + 1) + torch.arange(side, device=d).view(1, 1, -1, 1)
    x = start(W - side + 1) + torch.arange(side, device=d).view(1, 1, 1, -1)
    return pool[j, :, t, y, x].permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def losses(vae, x, late, small):
    mean, logvar = encode(vae, x)
    mean, logvar = mean.float(), logvar.float().clamp(-20, 6)
    kl = 0.5 * (mean * mean + logvar.exp() - 1 - logvar).mean()
    z = mean + torch.randn_like(mean) * (0.5 * logvar).exp()
    target = x
    if late:               # first learn to see, then to forgive
        # the denoiser will never hit a latent exactly
        z = z + torch.randn_like(z) * z.detach().std() * torch.rand(len(z), 1, 1, 1, 1, device=z.device) * 0.12
        if small:          # a latent made smaller must mean the picture made smaller, or coarse structure hides in fine detail
            z = F.avg_pool3d(z, (1, 2, 2))
            target = F.avg_pool3d(x, (1, 2, 2))
    y = decode(vae, z).float()
    return 2.0 * (y - target).abs().mean() + 0.7 * edges(y, target) + 2e-5 * kl, kl


@torch.no_grad()
def measure(vae, pool, device):
    """Per-channel latent mean and std, and PSNR on whole clips."""
    zs, psnr = [], []
    for i in range(min(24, len(pool))):
        x = pool[i:i + 1].float() / 127.5 - 1
        with torch.autocast(device, torch.bfloat16):
            z = encode(vae, x)[0]
            y = decode(vae, z)
        zs.append(z.float().flatten(2))
        psnr.append(10 * math.log10(4 / ((y.float().clamp(-1, 1) - x) ** 2).mean().item()))
    z = torch.cat(zs, 2)[0]
    return z.mean(1).tolist(), z.std(1).tolist(), psnr


def store(a, vae, held, step):
    """OUT/vae, OUT/vae.json and OUT/vae.png: three columns, what went in, the first picture, the last."""
    vae = copy.deepcopy(vae).half().float()        # measure what will be stored
    mean, std, psnr = measure(vae, held, a.device)
    print("steps %d psnr %.2f (worst %.2f) latent std %.2f..%.2f" % (step, sum(psnr) / len(psnr), min(psnr), min(std), max(std)), flush=True)
    vae.register_to_config(latents_mean=[round(v, 5) for v in mean], latents_std=[round(v, 5) for v in std])
    os.makedirs(a.out, exist_ok=True)
    copy.deepcopy(vae).half().save_pretrained(f"{a.out}/vae")
    json.dump({"steps": step, "psnr": psnr}, open(f"{a.out}/vae.json", "w"))
    rows = []
    with torch.no_grad():
        for x in held[::4]:
            x = x[None].float() / 127.5 - 1
            y = decode(vae, encode(vae, x)[0]).clamp(-1, 1)
            rows.append(torch.cat([x[0, :, -1], y[0, :, 0], y[0, :, -1]], -1))
    sheet(torch.cat(rows, 1), f"{a.out}/vae.png")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("out"); a.add_argument("--init"); a.add_argument("--seconds", type=float, default=180); a.add_argument("--device", default="cuda")
    a.add_argument("--pool", type=int, default=1000); a.add_argument("--batch", type=int, default=8); a.add_argument("--side", type=int, default=112)
    a.add_argument("--frames", type=int, default=17); a.add_argument("--height", type=int, default=240); a.add_argument("--width", type=int, default=416)
    a.add_argument("--rate", type=float, default=2e-3); a.add_argument("--adam", dest="muon", action="store_false"); a.add_argument("--seed", type=int, default=1)
    a.add_argument("--save", type=float, default=60); a.add_argument("--channels", type=int, default=8); a.add_argument("--workers", type=int, default=12)
    a = a.parse_args()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if a.device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        speed_up()
    if world > 1:
        dist.init_process_group("nccl")
    say = lambda *w: print(*w, flush=True) if rank == 0 else None
    torch.manual_seed(a.seed)
    torch.backends.cudnn.benchmark = True
    start = time.time()
    pool = clip_pool(a.pool, a.frames, a.height, a.width, (a.seed * 64 + rank) * 10 ** 7, a.device, a.workers)
    if a.device == "cuda":
        torch.cuda.synchronize()
    say("pool of %d clips: %.1f s" % (a.pool, time.time() - start))
    vae = (AutoencoderKLWan.from_pretrained(a.init).float() if a.init else new_vae(a.channels)).to(a.device)
    if vae.config.z_dim > a.channels:
        vae = with_fewer_channels(vae, pool[:48].float() / 127.5 - 1, a.channels)
    torch.manual_seed(a.seed + 7 * rank)
    for p in vae.parameters():
        if p.ndim == 5:
            p.data = p.data.contiguous()
    params = list(vae.parameters())
    ends = (id(vae.encoder.conv_in.weight), id(vae.decoder.conv_out.weight))
    matrices = [p for p in params if p.ndim >= 4 and p.shape[0] > 1 and p.numel() > 500 and id(p) not in ends] if a.muon else []
    inside = {id(p) for p in matrices}
    muon = Muon(matrices) if matrices else None
    adam = torch.optim.AdamW([p for p in params if id(p) not in inside], lr=a.rate, betas=(0.9, 0.98), weight_decay=0.0, fused=a.device == "cuda")
    grads = FlatGradients(params)
    kinds = {}

    def sums(late, small, x):
        with torch.autocast(a.device, torch.bfloat16, enabled=a.device == "cuda", cache_enabled=False):
            loss, kl = losses(vae, x, late, small)
        loss.backward()
        return loss.detach(), kl.detach()

    start, step, clock, saved, total = time.time(), 0, 0.0, 0.0, []
    while (gone := clock / a.seconds) < 1:
        lr = a.rate * min(1, (step + 1) / 100) * (1.0 if gone < 0.4 else 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (gone - 0.4) / 0.6)))
        late = gone > 0.35
        x = crop(pool[:-24], a.batch, a.frames, a.side).contiguous(memory_format=torch.channels_last_3d)
        kind = (late, late and step % 6 == 5)
        if kind not in kinds:
            kinds[kind] = Replay(partial(sums, *kind), x)
        grads.zero()
        loss, kl = kinds[kind](x)
        grads.share()
        clock, = grads.agreed(time.time() - start)
        for g in adam.param_groups:
            g["lr"] = lr
        adam.step()
        if muon:
            muon.step(lr, decay=0.0)
        step += 1
        total.append(loss.clone())
        if rank == 0 and clock - saved > a.save:    # for what is trained beside it
            saved = clock
            store(a, vae, pool[-24:], step)
        if step % 200 == 0 or step == 3:
            say("%5d %6.1f s loss %.4f kl %.2f" % (step, clock, torch.stack(total).mean().item(), kl.item()))
            total = []
    if world > 1:
        dist.destroy_process_group()
    if rank == 0:
        store(a, vae, pool[-24:], step)


if __name__ == "__main__":
    main()
