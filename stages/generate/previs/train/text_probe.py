"""What a text encoder tells of captions in words it was never shown: retrieval, and small probes for each slot.

Probes are trained on captions in training words and asked about captions in which every slot is said in held-out ones. One reads the mean of the
tokens; the other, as cross attention does, looks for its slot among the tokens with one query. The teacher answers the
same questions and is the ceiling, but for directions and counts, where it is weak itself.
"""
import json
import os
import random

import torch
import torch.nn.functional as F

from paraphrases import ABSENT, SLOTS, Wording, draw_meaning, joined
from sayings import read_phrases

CLASSES = {s: [ABSENT] + [c for c in SLOTS[s] if c != "nobody"] for s in SLOTS}
ISSUE = ("a ship on a stormy sea at night", "a vessel on rough ocean at nightfall")
ASKED = ISSUE + ("two crimson convertibles on a boulevard at sundown, swing to the left", "a trio of pelicans above the Himalayas, drizzle, the lens creeps nearer", "zeppelin over the cosmos, gouache",
                 "a corvette in a tempest off the coast, aerial shot, sumi-e ink", "a lonely chopper above dunes in a sandstorm at cockcrow", "glacier in a blizzard, camera tilts down", "cosy parlour in lamplight, slow zoom out")


class StudentView:
    def __init__(self, work, device):
        import sentencepiece
        from transformers import UMT5EncoderModel
        self.sp = sentencepiece.SentencePieceProcessor(model_file=f"{work}/tokenizer/spiece.model")
        self.encoder, self.device = UMT5EncoderModel.from_pretrained(f"{work}/text_encoder").float().eval().to(device), device

    @torch.no_grad()
    def tokens(self, texts):
        rows = [self.sp.encode(t)[:127] + [1] for t in texts]
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for i, r in enumerate(rows):
            ids[i, :len(r)] = torch.tensor(r)
        ids = ids.to(self.device)
        return self.encoder(ids, attention_mask=(ids != 0).long()).last_hidden_state, ids != 0


def read(view, texts, length=72):
    """All token states (N, length, D) with zeros after the end, and the mask."""
    hs, ms = [], []
    for i in range(0, len(texts), 64):
        h, m = view.tokens(texts[i:i + 64])
        h, m = h[:, :length] * m[:, :length, None], m[:, :length]
        hs.append(F.pad(h, (0, 0, 0, length - h.shape[1])).cpu()); ms.append(F.pad(m, (0, length - m.shape[1])).cpu())
    return torch.cat(hs), torch.cat(ms)


def pooled(h, m):
    return h.sum(1) / m.sum(1, keepdim=True)


class Probe(torch.nn.Module):
    """For each slot either a linear layer on the mean, or a query that picks tokens and a linear layer on what it picked."""

    def __init__(self, width, looks):
        super().__init__()
        self.looks = looks
        self.query = torch.nn.Parameter(torch.zeros(len(CLASSES), width))
        self.out = torch.nn.ModuleList(torch.nn.Linear(width, len(c)) for c in CLASSES.values())

    def forward(self, h, m):
        if not self.looks:
            v = pooled(h, m)[:, None].expand(-1, len(self.out), -1)
        else:
            s = torch.einsum("btd,sd->bst", h, self.query).masked_fill(~m[:, None], -1e4)
            v = torch.einsum("bst,btd->bsd", s.softmax(-1), h)
        return [f(v[:, i]) for i, f in enumerate(self.out)]


def fit(h, m, labels, looks, steps=250):
    torch.manual_seed(0)
    probe = Probe(h.shape[-1], looks)
    opt = torch.optim.AdamW(probe.parameters(), lr=.02, weight_decay=.05)
    for step in range(steps):
        for g in opt.param_groups:
            g["lr"] = .02 * (1 - step / steps)
        rows = torch.randperm(len(h))[:512] if looks else slice(None)
        loss = sum(F.cross_entropy(l, labels[rows, i]) for i, l in enumerate(probe(h[rows], m[rows])))
        opt.zero_grad(); loss.backward(); opt.step()
    return probe


def labels_of(meanings):
    return torch.tensor([[c.index(m.get(s, ABSENT)) for s, c in CLASSES.items()] for m in meanings])


@torch.no_grad()
def score(probe, h, m, labels):
    """Share named rightly, of captions that say the slot, among the slot's concepts."""
    out = {}
    for i, (s, l) in enumerate(zip(CLASSES, probe(h, m))):
        said = labels[:, i] > 0
        out[s] = round(100 * (l[:, 1:].argmax(1) + 1 == labels[:, i])[said].float().mean().item(), 1)
    out["mean"] = round(sum(out.values()) / len(out), 1)
    return out


def sets(more, seed=4242):
    """Captions to learn from, in training words and WordNet's (more); to ask about, in both kinds of words; pairs to find."""
    rng = random.Random(seed)
    learn = [draw_meaning(rng) for _ in range(4000)]
    ask = [draw_meaning(rng) for _ in range(600)]
    find = list({json.dumps(m, sort_keys=True): m for m in (draw_meaning(rng) for _ in range(400)) if len(m) > 4}.values())[:200]
    say = lambda ms, held, more=None: [joined(Wording(rng, held, more).parts(m)) for m in ms]
    return dict(learn=(learn, say(learn, False, more)), seen=(ask, say(ask, False)), held=(ask, say(ask, True)), find=(find, say(find, False)), query=(find, say(find, True)))


def retrieval(originals, queries):
    """Top 1: the nearest of the originals is the query's own. Means of the tokens, the originals' mean taken off."""
    c = originals.mean(0)
    a, b = F.normalize(originals - c, dim=-1), F.normalize(queries - c, dim=-1)
    near = b @ a.T
    rank = (near > near.diagonal()[:, None]).sum(1)
    return {"top1": round(100 * (rank == 0).float().mean().item(), 1), "top5": round(100 * (rank < 5).float().mean().item(), 1)}


def measure(view, more):
    t = sets(more)
    states = {k: read(view, texts) for k, (_, texts) in t.items()}
    labels = {k: labels_of(ms) for k, (ms, _) in t.items()}
    scale = pooled(*states["learn"]).std(0).mean() * 4
    states = {k: (h / scale, m) for k, (h, m) in states.items()}
    out = {"retrieval": retrieval(pooled(*states["find"]), pooled(*states["query"]))}
    probes = {}
    for name, looks in (("mean", False), ("token", True)):
        probes[name] = fit(*states["learn"], labels["learn"], looks)
        out[name] = {k: score(probes[name], *states[k], labels[k]) for k in ("seen", "held")}
    h, m = read(view, list(ASKED))
    h = h / scale
    with torch.no_grad():
        answers = [l.argmax(1) for l in probes["token"](h, m)]
    out["asked"] = {t: {s: c[answers[i][j]] for i, (s, c) in enumerate(CLASSES.items()) if answers[i][j]} for j, t in enumerate(ASKED)}
    both = F.normalize(pooled(h, m)[:2] - pooled(*states["find"]).mean(0), dim=-1)
    near = F.normalize(pooled(*states["find"]) - pooled(*states["find"]).mean(0), dim=-1)
    out["issue"] = {"cosine": round((both[0] @ both[1]).item(), 3), "captions nearer than it": int((near @ both[1] > both[0] @ both[1]).sum())}
    return out


def evaluate(a, teacher, log):
    """Prints and keeps figures.json; teacher: makes the teacher, whose figures are kept for the next run."""
    path = f"{a.work}/figures.json"
    figures = json.load(open(path)) if os.path.exists(path) else {}
    more = read_phrases(f"{a.work}/phrases.json")
    if "teacher" not in figures:
        figures["teacher"] = measure(teacher(), more)
        log("the teacher is measured")
    figures["student"] = measure(StudentView(a.work, a.device), more)
    json.dump(figures, open(path, "w"), indent=1)
    for who in ("teacher", "student"):
        f = figures[who]
        print(f"\n{who}: paraphrase found among 200 {f['retrieval']}; the issue's pair {f['issue']}")
        for probe in ("mean", "token"):
            for words in ("seen", "held"):
                print("  %-5s probe, %-4s words  " % (probe, words) + "  ".join("%s %.1f" % x for x in f[probe][words].items()))
    for text, answer in figures["student"]["asked"].items():
        print("  ", text, "->", ", ".join(f"{k} {v}" for k, v in answer.items()))
