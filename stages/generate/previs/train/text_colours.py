"""Tells a text encoder the colours that a survey's names have (colours.py), and leaves all else that it says as it was.

usage: text_colours.py KEEP OUT --wordnet FOLDER [--seconds N] [--device cuda]
KEEP holds tokenizer/, text_encoder/ and phrases.json; OUT gets text_encoder/ anew. No sentence encoder and no heads are needed.

  told   captions are said twice, with training's words for a colour and with the survey's name: that name shall be heard as
         training's words are, and all other words as beside those (told_loss() of text_encoder.py)
  keep   every token of captions in training's words and of WordNet's definitions is what it was
"""
import argparse
import math
import random
import time
from types import SimpleNamespace

import torch

from colours import surveyed
from paraphrases import Wording, draw_meaning, joined
from sayings import read_phrases, with_sayings
from text_encoder import ARTICLES, Data, average, definition, encoded, load_tokenizer, make_swaps, plain, rows_of, save_student, split_parts, told_loss
from wordnet import WordNet, open_things


def named_colours(known):
    """{("colour", concept): the survey's names of one word on which eight of nine neighbours agree}; known: training's words,
    which need not be told. By most alone slate would be blue and mauve pink."""
    out = {}
    for name, shares in surveyed(most=8 / 9).items():
        if name not in known:
            out.setdefault(("colour", max(shares, key=shares.get)), []).append(name)
    return out


def make_data(sp, net, more, captions, seed, device):
    say = lambda k: Wording(random.Random(seed + k), more=more, open_words=open_things(net))
    wording, texts = say(0), []
    for _ in range(captions):
        parts = wording.parts(draw_meaning(wording.rng))
        texts.append((joined(parts), split_parts(parts)))
    glosses = [definition(gloss) for _, gloss, _ in net.synsets.values()]
    texts += [(t, [(w, None, -1) for w in plain(t)]) for t in random.Random(seed).sample(glosses, captions)]
    phrases = sorted({p for _, parts in texts for _, p, _ in parts if p})
    told = named_colours({w for p in phrases for w in plain(p)})
    print({c: names for (_, c), names in told.items()}, flush=True)
    data = rows_of(sp, texts, {}, {p: i for i, p in enumerate(phrases)})
    data.update(make_swaps(sp, say(1), told, captions))
    data.update(quads=captions // 4 * 4, known=torch.ones(len(phrases), dtype=torch.bool), anchors=torch.zeros(1), pooled=torch.zeros(len(texts)))
    return Data(data, device)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("keep"); p.add_argument("out"); p.add_argument("--wordnet", required=True); p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--seconds", type=float, default=480); p.add_argument("--captions", type=int, default=40000); p.add_argument("--batch", type=int, default=128); p.add_argument("--rate", type=float, default=4e-4); p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    from transformers import UMT5EncoderModel
    torch.manual_seed(a.seed)
    read = lambda: UMT5EncoderModel.from_pretrained(f"{a.keep}/text_encoder").float().to(a.device)
    sp, keep, student = load_tokenizer(a.keep), read().eval(), SimpleNamespace(encoder=read())
    data = make_data(sp, WordNet(a.wordnet), with_sayings(read_phrases(f"{a.keep}/phrases.json")), a.captions, a.seed, a.device)
    data.find_middles(keep, torch.tensor([sp.piece_to_id("▁" + w) for w in ARTICLES]))
    optimiser = torch.optim.AdamW(student.encoder.parameters(), lr=a.rate, betas=(.9, .98), weight_decay=0)
    generator, start, step, shown, sums = torch.Generator().manual_seed(a.seed), time.time(), 0, 0.0, 0
    while (share := (time.time() - start) / a.seconds) < 1:
        for g in optimiser.param_groups:
            g["lr"] = a.rate * min(1, (step + 1) / 50) * (.02 + .98 * .5 * (1 + math.cos(math.pi * share)))
        x = data.read(data.draw(a.batch, generator), ("ids",))
        swaps = data.read(torch.randint(len(data.d["swap_told"]), (a.batch // 2,), generator=generator).to(a.device), ("swap_known", "swap_told", "swap_at", "swap_tag"))
        with torch.no_grad():
            before = encoded(keep, x["ids"])[0]
        after, mask = encoded(student.encoder, x["ids"])
        losses = average((after - before).square().mean(-1), mask) / data.spread, told_loss(student, data, swaps, keep)
        optimiser.zero_grad()
        (2 * losses[0] + losses[1]).backward()
        optimiser.step()
        step, sums = step + 1, sums + torch.stack([v.detach() for v in losses])
        if step % 50 == 0:
            print("%6.0f s step %5d  kept %.4f  told %.4f" % (time.time() - start, step, *(sums / 50).tolist()), flush=True)
            sums = 0
    save_student(a.out, student.encoder)


if __name__ == "__main__":
    main()
