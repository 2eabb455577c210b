"""Trains the transformer by flow matching on latents of clips that are rendered while it trains; then teaches it few steps.

usage: [torchrun --nproc-per-node N] train_denoiser.py BASE OUT [--still S] [--short S] [--full S] [--distil S] ...
BASE holds vae/, tokenizer/, text_encoder/ and phrases.json. OUT gets a whole checkpoint, again and again, and sheet_*.png.

Four phases, told in seconds, each going on from the one before (or from --init):
  still   single pictures: what things look like, for a hundredth of a clip's work
  short   pieces of 13 frames: how they move
  full    49 frames; while these two train, a part of the steps goes back to the phases before
  distil  8 steps of Euler's method, each taught to do what SUBSTEPS guided ones of the weights so far do; half of the
          places to step from are where the student's own step before led, so that its errors do not add up
"""
import argparse
import copy
import json
import math
import os
import random
import shutil
import time
from functools import partial

import torch
import torch.distributed as dist
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel

from optimiser import FlatGradients, Muon, Replay
from pool import Captioner, Pool, Stream, workers_for
from sample import PROMPTS, contact, generate, load_transformer, sheet
from spec import draw
from text import Tokenizer, embed

SHIFT, STEPS, SUBSTEPS = 3.0, 8, 4
SIZES = ((240, 416, .8), (416, 240, .1), (208, 480, .1))  # height, width, share: all of 390 tokens a latent frame
# frames, clips a step and device, clips kept, rendered at once, flow shift
PHASES = {"still": (1, 128, 60000, 128, 2.0), "short": (13, 32, 12000, 16, 2.5), "full": (49, 8, 9000, 8, SHIFT), "distil": (49, 6, 9000, 8, SHIFT)}
BACK = .5       # of the steps of a phase, those that go back to earlier ones' clips
BLUR = .5       # noise on the words' embeddings, of their spread: what is near a word must mean what it means
AGREE = 8       # steps between looks at the clock, which wait for the device


def new_transformer(channels):
    m = WanTransformer3DModel(patch_size=(1, 2, 2), num_attention_heads=4, attention_head_dim=64, in_channels=channels, out_channels=channels, text_dim=128, freq_dim=256,
                              ffn_dim=512, num_layers=7, cross_attn_norm=True, qk_norm="rms_norm_across_heads")
    torch.nn.init.zeros_(m.proj_out.weight)
    torch.nn.init.zeros_(m.proj_out.bias)
    return m


def many_steps():
    return UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=SHIFT)


def few_steps():
    """Of order 1 and without its corrector UniPC is Euler's method."""
    return UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=SHIFT, solver_order=1, disable_corrector=list(range(64)))  # whatever number of steps is asked for


def draw_time(count, shift, device):
    """Noise levels: logit-normal, then the shift that sampling uses; some uniform so that no level is forgotten."""
    u = torch.sigmoid(torch.randn(count, device=device))
    flat = torch.rand(count, device=device)
    u = torch.where(torch.rand(count, device=device) < 0.15, flat, u)
    return (shift * u / (1 + (shift - 1) * u)).clamp(1e-3, 1.0)


class Averaged:
    """Exponential moving average of the weights: what is sampled from and shipped."""

    def __init__(self, module):
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self.a, self.b = list(self.module.parameters()), list(module.parameters())

    @torch.no_grad()
    def update(self, share):
        """share: a tensor of one, of the new in the average."""
        new = torch._foreach_sub(self.b, self.a)
        torch._foreach_mul_(new, share)
        torch._foreach_add_(self.a, new)


def store(base, out, transformer, scheduler):
    """The whole checkpoint in the published layout, weights in bf16."""
    for part in ("vae", "tokenizer", "text_encoder"):
        if os.path.abspath(base) != os.path.abspath(out):
            shutil.copytree(f"{base}/{part}", f"{out}/{part}", dirs_exist_ok=True)
    copy.deepcopy(transformer).to(torch.bfloat16).save_pretrained(f"{out}/transformer")
    scheduler.save_pretrained(f"{out}/scheduler")
    json.dump({"_class_name": "WanPipeline", "_diffusers_version": "0.40.0", "boundary_ratio": None, "expand_timesteps": False,
               "scheduler": ["diffusers", "UniPCMultistepScheduler"], "text_encoder": ["transformers", "UMT5EncoderModel"],
               "tokenizer": ["transformers", "T5TokenizerFast"], "transformer": ["diffusers", "WanTransformer3DModel"],
               "transformer_2": [None, None], "vae": ["diffusers", "AutoencoderKLWan"]}, open(f"{out}/model_index.json", "w"), indent=2)


class Trainer:
    def __init__(self, a):
        from transformers import UMT5EncoderModel
        self.a, self.device = a, a.device
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if a.device == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
        self.workers = workers_for(a.workers)
        if self.world > 1:
            dist.init_process_group("nccl" if a.device == "cuda" else "gloo")
        torch.manual_seed(a.seed)
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
        frozen = lambda m: m.float().to(self.device).eval().requires_grad_(False)
        self.vae = frozen(AutoencoderKLWan.from_pretrained(f"{a.base}/vae"))
        self.encoder = frozen(UMT5EncoderModel.from_pretrained(f"{a.base}/text_encoder"))
        self.tokenizer = Tokenizer(f"{a.base}/tokenizer")
        self.captioner = Captioner(a.base, a.seed * 64 + self.rank)
        self.model = (load_transformer(f"{a.init}/transformer") if a.init else new_transformer(self.vae.config.z_dim)).to(self.device)
        self.average = Averaged(self.model)
        if a.compile:
            torch._dynamo.config.recompile_limit = 32
            self.model.compile_repeated_blocks(dynamic=False)
        torch.manual_seed(a.seed * 977 + self.rank)     # from here on the devices draw apart
        with torch.no_grad():
            self.nothing = embed(self.encoder, self.tokenizer.rows([""]).to(self.device))
            rows = self.tokenizer.rows([self.captioner(draw(random.Random(i))) for i in range(400)]).to(self.device)
            self.spread = embed(self.encoder, rows)[rows != 0].std(0)
        self.replays = {}
        self.coin = random.Random(a.seed)      # same on every rank: all take the same size
        self.streams, self.rendered, self.begun = {}, 0, time.time()

    def say(self, *words):
        if self.rank == 0:
            print("%6.0f s " % (time.time() - self.begun), *words, flush=True)

    # ---- clips

    def stream(self, name, k):
        """Streams of the next phase are asked for while one trains, so that its first clips wait for it."""
        frames, _, _, at_once, _ = PHASES["full" if name == "distil" else name]
        if (name, k) not in self.streams:
            height, width, share = SIZES[k] if not self.a.tiny else (32, 48, 1)
            count = max(1, round(at_once * (1 if share > .5 else .25)))
            seed = self.a.seed * 10 ** 10 + self.rank * 10 ** 8 + (list(PHASES).index(name) * 4 + k) * 10 ** 6
            s = Stream(5 if self.a.tiny and frames > 1 else frames, height, width, seed, self.device, at_once=4 if self.a.tiny else count, workers=self.workers, ahead=6)
            s.ask()
            self.streams[name, k] = s
        return self.streams[name, k]

    def pools(self, name, old):
        if name == "distil" and old:
            return old
        room = PHASES[name][2] if not self.a.tiny else 16
        return [Pool(self.vae, self.tokenizer, self.encoder, self.captioner, self.stream(name, k), max(8, round(room * s[2])), self.device) for k, s in enumerate(SIZES)]

    def fill(self, pools, seconds):
        """So many seconds of rendering before the first step; each pool at least one batch."""
        start = time.time()
        for p in pools:
            p.grow()
        while time.time() - start < seconds:
            pools[self.coin.choices(range(len(pools)), [s[2] for s in SIZES])[0]].grow()
        if self.world > 1:
            dist.barrier()

    # ---- steps

    def cast(self):
        return torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda", cache_enabled=False)  # a graph keeps no cache

    def speed(self, model, x, level, words):
        return model(x, (level * 1000).expand(len(x)), words, return_dict=False)[0].float()

    def blurred(self, words):
        words = words.float()
        return words + BLUR * self.spread * torch.randn_like(words) * (words != 0).any(-1, keepdim=True)

    def flow_loss(self, shift, z, words, weight):
        z, words = z.float(), self.blurred(words)
        words = torch.where((torch.rand(len(words), device=z.device) < .1)[:, None, None], self.nothing, words)
        t, noise = draw_time(len(z), shift, z.device), torch.randn_like(z)
        s = t.view(-1, 1, 1, 1, 1)
        with self.cast():
            v = self.speed(self.model, (1 - s) * z + s * noise, t, words)
        loss = (weight * (v - (noise - z)).square()).mean()
        loss.backward()
        return loss.detach()

    def distil_loss(self, own, levels, z, words, weight):
        """One of the STEPS steps, the same for the whole batch. levels: of the step before it, of its start, of its end."""
        z, words = z.float(), self.blurred(words)       # few steps, too, must draw what is near a word
        before, high, low = levels
        noise = torch.randn_like(z)
        both = torch.cat([words, self.nothing.expand_as(words)])
        with torch.no_grad(), self.cast():
            x = (1 - high) * z + high * noise
            if own:
                x = (1 - before) * z + before * noise
                x = x + (high - before) * self.speed(self.model, x, before, words)
            y = x
            for k in range(SUBSTEPS):
                a, b = high + (low - high) * k / SUBSTEPS, high + (low - high) * (k + 1) / SUBSTEPS
                some, none = self.speed(self.teacher, torch.cat([y, y]), a, both).chunk(2)
                y = y + (b - a) * (none + self.a.guidance * (some - none))
            wanted = (y - x) / (low - high)
        with self.cast():
            v = self.speed(self.model, x, high, words)
        loss = (weight * (v - wanted).square()).mean()
        loss.backward()
        return loss.detach()

    def backward(self, name, pool, batch):
        """Gradients of a batch of the pool's clips; its loss."""
        drawn, key, function = pool.draw(batch), (name, pool.stream.size), partial(self.flow_loss, PHASES[name][4])
        if name == "distil":
            own = self.coin.random() < .5
            i = self.coin.randrange(1 if own else 0, STEPS)
            drawn, key, function = (self.levels[[max(i - 1, 0), i, i + 1]], *drawn), (*key, own), partial(self.distil_loss, own)
        if key not in self.replays:
            self.replays[key] = Replay(function, *drawn)
        self.grads.zero()
        return self.replays[key](*drawn)

    def optimisers(self):
        params = list(self.model.parameters())
        self.grads = FlatGradients(params)
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "blocks." in n]
        inside = {id(p) for p in matrices}
        self.muon = Muon(matrices)
        self.rate, self.part, self.step, self.replays = torch.zeros((), device=self.device), torch.zeros((), device=self.device), 0, {}
        cuda = self.device == "cuda"
        self.adam = torch.optim.AdamW([p for p in params if id(p) not in inside], lr=self.rate if cuda else self.a.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=cuda, capturable=cuda)

    def update(self, rate):
        """One step of all weights by the gradients that there are."""
        def sums(rate, part):
            self.adam.step()
            self.muon.step(rate)
            self.average.update(part)
        self.grads.share()
        self.rate.fill_(rate)
        self.part.fill_(1 - min(1 - 1 / self.a.horizon, (1 + self.step) / (10 + self.step)))
        self.step += 1
        if self.device != "cuda":
            for g in self.adam.param_groups:
                g["lr"] = rate
            return sums(self.rate, self.part)
        if self.step < 4:                       # its state comes to be
            sums(self.rate, self.part)
        else:
            if "update" not in self.replays:
                self.replays["update"] = Replay(sums, self.rate, self.part, warm=0)
            self.replays["update"](self.rate, self.part)

    def phase(self, name, seconds, pools, rate, after):
        """rate(share of the phase that is gone)."""
        self.fill(pools, 0 if self.a.tiny or (name == "distil" and self.older) else min(25, .15 * seconds))
        start, clock, spent, saved, said, losses, mine = time.time(), 0.0, 0.0, 0.0, 0.0, [], 0.0
        for k in range(len(SIZES)) if after else ():
            self.stream(after, k)
        older = list(self.older.items()) if name in ("short", "full") else []
        while clock < seconds:
            k = self.coin.choices(range(len(SIZES)), [s[2] for s in SIZES])[0]
            if spent < self.a.share * clock and self.step % AGREE == 0:     # all devices render at the same time, or they would wait for one another
                begun = time.time()
                if pools[k].stream.ready():
                    pools[k].grow()
                    if self.device == "cuda":
                        torch.cuda.synchronize()
                mine += time.time() - begun
            now, there = (name, pools) if not older or self.coin.random() > BACK else self.coin.choice(older)
            loss = self.backward(now, there[k], 2 if self.a.tiny else max(1, int(PHASES[now][1] * self.a.scale)))
            self.update(rate(clock / seconds))
            if now == name:
                losses.append(loss.clone())
            if self.step % AGREE == 0:
                clock, spent = self.grads.agreed(time.time() - start, mine)
            if clock - said > 10 and losses:
                self.say("%s %5.0f s step %6d  loss %.4f  rate %.1e  clips %d (%.0f%% of the time)" % (name, clock, self.step, torch.stack(losses).mean().item(), rate(clock / seconds),
                                                                                                  self.world * sum(p.made for p in pools), 100 * spent / clock))
                said, losses = clock, []
            if clock - saved > self.a.save:
                saved = clock
                self.save(name, "%s_%04d" % (name, int(clock)))
        self.save(name, name)

    def save(self, phase, tag):
        if self.rank == 0:
            t, few = time.time(), phase == "distil"
            store(self.a.base, self.a.out, self.average.module, few_steps() if few else many_steps())
            size = dict(frames=5, height=32, width=48) if self.a.tiny else dict(frames=PHASES[phase][0])
            parts = (self.tokenizer, self.encoder, self.average.module, self.vae, few_steps() if few else many_steps())
            clips = generate(parts, PROMPTS[:2 if self.a.tiny else None], device=self.device, amp=self.device == "cuda", steps=STEPS if few else 4 if self.a.tiny else 24,
                             guidance=1.0 if few else self.a.guidance, **size)
            sheet(contact(clips.cpu(), 6 if phase == "still" else 3), f"{self.a.out}/sheet_{tag}.jpg")
            self.say("saved %s (%.1f s)" % (tag, time.time() - t))
        if self.world > 1:
            dist.barrier()

    def run(self):
        a = self.a
        plan = [(n, s) for n, s in (("still", a.still), ("short", a.short), ("full", a.full)) if s > 0]
        order = plan + ([("distil", a.distil)] if a.distil > 0 else [])
        total, gone, pools = sum(s for _, s in plan), 0.0, None
        self.optimisers()
        self.older = {}

        def rate(share):                        # over all of the phases before distil: even, then down by a cosine
            f = (gone + share * seconds) / total
            fall = 1.0 if f < a.hold else 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * (f - a.hold) / max(1e-9, 1 - a.hold)))
            return a.rate * min(1, (self.step + 1) / 200) * fall

        for i, (name, seconds) in enumerate(order):
            if name == "distil":
                if os.path.exists(a.tell):      # what looks best is seen on the sheets while this runs
                    a.guidance = float(open(a.tell).read())
                self.say("distilling guidance %.2f" % a.guidance)
                if self.rank == 0:              # to go on from another day
                    store(a.base, a.out + "_many", self.average.module, many_steps())
                self.teacher = copy.deepcopy(self.average.module)
                if a.student:
                    self.average.module.load_state_dict(load_transformer(f"{a.student}/transformer").state_dict())
                self.model.load_state_dict(self.average.module.state_dict())
                if a.compile:
                    self.teacher.compile_repeated_blocks(dynamic=False)
                s = few_steps()
                s.set_timesteps(STEPS)
                self.levels = s.sigmas.to(self.device).float()
                self.optimisers()
                self.a.horizon = min(a.horizon, 150)
                rate = lambda share: .35 * a.rate * min(1, (self.step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
            if pools:
                self.older[order[i - 1][0]] = pools
            pools = self.pools(name, pools)
            after = order[i + 1][0] if i + 1 < len(order) and order[i + 1][0] != "distil" else None
            self.phase(name, seconds, pools, rate, after)
            gone += seconds
            self.rendered += sum(p.made for p in pools) if name != "distil" else 0
        if self.world > 1:
            dist.destroy_process_group()
        if self.workers:
            self.workers.shutdown(cancel_futures=True)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("base"); a.add_argument("out"); a.add_argument("--init"); a.add_argument("--device", default="cuda")
    a.add_argument("--still", type=float, default=150); a.add_argument("--short", type=float, default=200); a.add_argument("--full", type=float, default=600)
    a.add_argument("--distil", type=float, default=330); a.add_argument("--guidance", type=float, default=3.0); a.add_argument("--student", default="", help="a checkpoint of few steps that distil goes on with, its teacher what was trained before or --init")
    a.add_argument("--tell", default="", help="a file that may name another guidance for distil")
    a.add_argument("--rate", type=float, default=1.2e-3); a.add_argument("--hold", type=float, default=.6); a.add_argument("--seed", type=int, default=1)
    a.add_argument("--scale", type=float, default=1.0); a.add_argument("--horizon", type=float, default=1000); a.add_argument("--share", type=float, default=.3, help="of the time, for rendering")
    a.add_argument("--save", type=float, default=150); a.add_argument("--workers", type=int, default=12); a.add_argument("--no-compile", dest="compile", action="store_false")
    a.add_argument("--tiny", action="store_true")
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    Trainer(a).run()


if __name__ == "__main__":
    main()
