"""Latents of rendered clips with their captions, kept in the accelerator's memory and added to while training goes on."""
import os
import random
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "teacher"))  # its modules name each other as programs do

from clips import Stream, workers_for      # noqa: E402
from paraphrases import Wording, joined, said_of  # noqa: E402
from sayings import read_phrases           # noqa: E402
from text import LENGTH, embed                 # noqa: E402
from vae import encode, statistics             # noqa: E402

CAPTIONS = 4
SUBJECT = 3.0


class Captioner:
    """Captions in training words, with sayings.py's and with WordNet's that text_encoder.py left in phrases.json."""

    def __init__(self, folder, seed):
        path = f"{folder}/phrases.json"
        self.rng = random.Random(seed)
        self.say = Wording(self.rng, more=read_phrases(path) if folder and os.path.exists(path) else {})

    def __call__(self, spec):
        return joined(self.say.parts(said_of(spec, self.rng)))


def weights(subjects):
    """What a latent's error counts, (n, T, H/8, W/8), 1 on average: a subject's more than its surroundings', for it is
    what is looked at and a small part of the picture."""
    first, rest = subjects[:, :1].float(), subjects[:, 1:].float()
    w = 1 + SUBJECT * torch.cat([first, rest.unflatten(1, (-1, 4)).amax(2)], 1)
    return (w / w.mean((1, 2, 3), keepdim=True)).to(torch.bfloat16)


class Pool:
    """The latest `room` latents (8, T, H/8, W/8) of one shape, each with CAPTIONS captions' embeddings and weights() of
    its error. grow() adds a batch."""

    def __init__(self, vae, tokenizer, encoder, captioner, stream, room, device):
        self.vae, self.tokenizer, self.encoder, self.captioner, self.stream, self.device = vae, tokenizer, encoder, captioner, stream, device
        self.mean, self.std = statistics(vae, device)
        h, w = stream.size
        self.z = torch.empty(room, vae.config.z_dim, (stream.frames - 1) // 4 + 1, h // 8, w // 8, dtype=torch.bfloat16, device=device)
        self.words = torch.empty(room, CAPTIONS, LENGTH, encoder.config.d_model, dtype=torch.bfloat16, device=device)
        self.weight = torch.empty(room, *self.z.shape[2:], dtype=torch.bfloat16, device=device)
        self.made = 0

    def __len__(self):
        return min(self.made, len(self.z))

    @torch.no_grad()
    def grow(self):
        specs, pictures, subjects = self.stream.next(where=True)
        rows = self.tokenizer.rows([self.captioner(s) for s in specs for _ in range(CAPTIONS)]).to(self.device)
        at = (torch.arange(len(specs)) + self.made) % len(self.z)
        x = pictures.permute(0, 4, 1, 2, 3)
        for i in range(0, len(specs), max(1, 400 // self.stream.frames)):  # a few hundred pictures at once
            part = slice(i, i + max(1, 400 // self.stream.frames))
            with torch.autocast(x.device.type, torch.bfloat16):
                z = encode(self.vae, x[part].float() / 127.5 - 1)[0]
            self.z[at[part].to(self.device)] = ((z.float() - self.mean) / self.std).to(torch.bfloat16)
        self.words[at.to(self.device)] = embed(self.encoder, rows).unflatten(0, (-1, CAPTIONS)).to(torch.bfloat16)
        self.weight[at.to(self.device)] = weights(subjects)
        self.made += len(specs)

    def draw(self, count):
        """Latents, words and weights of some, each (count, ...) in bf16."""
        i = torch.randint(0, len(self), (count,), device=self.z.device)
        k = torch.randint(0, CAPTIONS, (count,), device=self.z.device)
        return self.z[i], self.words[i, k], self.weight[i][:, None]
