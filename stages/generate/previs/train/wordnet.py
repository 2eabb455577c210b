"""WordNet 3.0 as a dictionary: what a word means, said by its senses' glosses and by what stands above them.

A sentence encoder hardly knows "windjammer" alone; of "windjammer: a large sailing ship", which is a sailing vessel,
which is a vessel, it has a clear view. Dictionary embeds words and phrases so, all of WordNet alike: no list ties a word
kept for evaluation to a concept.
"""
import random
import re

import torch
import torch.nn.functional as F

from colours import surveyed
from paraphrases import LENSES, NAMED, ROOTS, SLOTS, WAYS, held_back, held_stems, words

FILES = ("noun", "verb", "adj", "adv")
PARTS = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
ABOVE = ("@", "@i", "&", "\\")       # hypernym, instance hypernym, similar to, derived from
ENDINGS = (("s", ""), ("es", ""), ("ies", "y"), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""), ("er", ""), ("er", "e"), ("men", "man"), ("ly", ""))
COMMON = 1500                        # a word that glosses use more often than this is grammar: what WordNet says of "in" is the inch


class WordNet:
    def __init__(self, folder):
        self.synsets, self.below, self.instances, self.above, self.senses, self.uses = {}, {}, {}, {}, {}, {}
        for part in FILES:
            for line in open(f"{folder}/data.{part}", encoding="utf-8"):
                if not line.startswith(" "):
                    self._synset(part, line)
            for line in open(f"{folder}/index.{part}", encoding="utf-8"):
                f = line.split()
                if not line.startswith(" "):
                    self.senses.setdefault(f[0].replace("_", " "), {})[part] = f[-int(f[2]):]
        for lemmas, gloss, _ in self.synsets.values():
            for w in plain(gloss):
                self.uses[w] = self.uses.get(w, 0) + 1

    def _synset(self, part, line):
        head, _, gloss = line.partition(" | ")
        f = head.split()
        count = int(f[3], 16)
        lemmas = [re.sub(r"\(\w+\)$", "", f[4 + 2 * i]).replace("_", " ") for i in range(count)]
        self.synsets[part, f[0]] = (lemmas, gloss.strip(), f[1])
        first = 4 + 2 * count + 1
        links = [(f[i], PARTS[f[i + 2]], f[i + 1]) for i in range(first, first + 4 * int(f[first - 1]), 4)]
        self.above[part, f[0]] = [(p, o) for kind, p, o in links if kind in ABOVE][:3]
        if part == "noun":
            self.below[f[0]] = [o for kind, _, o in links if kind == "~"]
            self.instances[f[0]] = [o for kind, _, o in links if kind == "~i"]

    def noun(self, lemma, sense):
        return self.senses[lemma]["noun"][sense - 1]

    def kinds(self, lemma, sense, depth, stop=()):
        """Lemmas of a noun's sense and of what it has under it, down to a depth."""
        return [w for o in self.under(lemma, sense, depth, stop) for w in self.synsets["noun", o][0]]

    def under(self, lemma, sense, depth, stop=()):
        """A noun's sense and what it has under it, down to a depth."""
        layer, out = [self.noun(lemma, sense)], []
        for _ in range(depth + 1):
            out += layer
            layer = [b for o in layer for b in self.below[o] if b not in stop]
        return out

    def named(self, lemma, sense, depth=2):
        """First names of what is an instance of a noun's sense or of what it has under it: the Nile is one of a river."""
        return [self.synsets["noun", i][0][0] for o in self.under(lemma, sense, depth) for i in self.instances[o]]

    def base(self, word):
        """The lemma that a word is a form of, or None."""
        if word in self.senses:
            return word
        for end, instead in ENDINGS:
            if word.endswith(end) and len(word) > len(end) + 2:
                root = word[:-len(end)] + instead
                for r in (root, root[:-1] if end in ("ed", "ing") and root[-1:] == root[-2:-1] else root):
                    if r in self.senses:
                        return r
        return None

    def senses_of(self, word, most=3):
        """[(synset, weight)]: the first senses of each part of speech, the earlier the heavier."""
        return [((part, o), 1 / (1 + i)) for part, found in self.senses.get(self.base(word), {}).items() for i, o in enumerate(found[:most])]


def plain(text):
    """Lower case, no brackets or quotes; what ends a phrase is a word of its own, for the tokenizer has it as a piece."""
    return re.sub(r"\s*([,.;:?!])(?=\s|$)", r" \1 ", re.sub(r"[()\"]", " ", text.lower())).split()


def definition(gloss):
    return gloss.split('; "')[0].strip('" ')


class Dictionary:
    """What WordNet's words mean, in the teacher's embeddings. seen: the concepts' own phrases, {concept: phrases}, which say
    what is spoken of here: of a word's senses those near to any concept weigh more, in captions a chopper is no axe.
    WordNet's mustard is a plant and a sauce: what colour a name is, people told in a survey (colours.py)."""

    def __init__(self, net, teacher, seen, heat=.08):
        self.net, self.teacher = net, teacher
        self.row = {k: i for i, k in enumerate(net.synsets)}
        own = teacher.embed([", ".join(lemmas[:4]) + ": " + definition(gloss)[:110] for lemmas, gloss, _ in net.synsets.values()]).float()
        above = self.above(own)
        self.synsets = F.normalize(own + .5 * above + .25 * self.above(above), dim=-1)
        about = centres(teacher.embed, seen)
        self.prior = torch.cat([(s @ about.T).topk(2, dim=1).values.mean(1) for s in self.synsets.split(8192)]).div(heat).exp()
        self.colours = {}       # senses() reads it, and what the names mean but for their colours is asked first
        self.colours = self.coloured(surveyed(), {c: a for (slot, c), a in zip(seen, about) if slot == "colour"}, torch.stack([a for (slot, _), a in zip(seen, about) if slot != "colour"]))

    def coloured(self, names, colours, others, far=.5):
        """{name: its colours' place}, but for names of what is spoken of otherwise: the sea, the forest, dusk."""
        meant = self.senses(list(names))
        spoken = (meant @ others.T).max(1).values
        return {n: F.normalize(sum(share * colours[c] for c, share in shares.items()), dim=-1) for (n, shares), near in zip(names.items(), spoken) if near < far}

    def above(self, v):
        """For each synset the mean of those above it; nothing at the top."""
        links = torch.tensor([(self.row[k], self.row[u]) for k, ups in self.net.above.items() for u in ups])
        out, n = torch.zeros_like(v).index_add_(0, links[:, 0], v[links[:, 1]]), torch.bincount(links[:, 0], minlength=len(v))
        return out / n.clamp(min=1)[:, None]

    def senses(self, words):
        """The mean of each word's senses (N, 384), unit length; zero for what WordNet does not have and for grammar."""
        found = [(i, self.row[k], p) for i, w in enumerate(words) if self.net.uses.get(w, 0) < COMMON for k, p in self.net.senses_of(w)]
        out = torch.zeros(len(words), self.synsets.shape[1])
        if not found:
            return out
        i, rows, p = (torch.tensor(x) for x in zip(*found))
        for part in torch.arange(len(i)).split(65536):
            out.index_add_(0, i[part], self.synsets[rows[part]] * (p[part] * self.prior[rows[part]])[:, None])
        out = F.normalize(out, dim=-1)
        for k, w in enumerate(words):
            if w in self.colours:
                out[k] = F.normalize(out[k] + 1.5 * self.colours[w], dim=-1)
        return out

    def words(self, words):
        """Unit embeddings: a little of how the teacher hears the word alone, most of what its senses are."""
        return F.normalize(.3 * self.teacher.embed(words).float() + 1.4 * self.senses(words), dim=-1)

    def phrases(self, phrases):
        """Unit embeddings: how the teacher hears the phrase, and twice what it means as a lemma or what its words do."""
        bare = [re.sub(r"^(a|an|the|in|at|on|by) ", "", p.lower()) for p in phrases]
        meant = self.senses(bare)
        unknown = [i for i in range(len(bare)) if not meant[i].any()]
        parts = {w: k for k, w in enumerate(dict.fromkeys(w for i in unknown for w in plain(bare[i]) if w[0].isalnum()))}
        if parts:
            table = self.words(list(parts))
            pairs = [(i, parts[w], 1 / (1 + self.net.uses.get(w, 0) / 800)) for i in unknown for w in plain(bare[i]) if w in parts]
            i, k, weight = (torch.tensor(x) for x in zip(*pairs))
            meant = F.normalize(meant.index_add_(0, i, table[k] * weight[:, None]), dim=-1)
        return F.normalize(self.teacher.embed(phrases).float() + 2 * meant, dim=-1)


def centres(embed, seen):
    """The unit mean of each concept's phrases."""
    return F.normalize(torch.stack([embed(p).float().mean(0) for p in seen.values()]), dim=-1)


def more_phrases(net):
    """{(slot, concept): lemmas of WordNet}, without what is held out, names for places alone."""
    roots = {net.noun(*r[:2]) for slot in ROOTS.values() for rs in slot.values() for r in rs}
    held, out, taken, rng = held_stems(), {}, {}, random.Random(8)
    for slot, concepts in ROOTS.items():
        for concept, rs in concepts.items():
            for lemma in {w for r in rs for w in net.kinds(*r, stop=roots)}:
                if lemma == lemma.lower() and not held_back(lemma, held) and len(lemma.split()) < 4:
                    taken.setdefault((slot, lemma), []).append(concept)
    for (slot, lemma), concepts in sorted(taken.items()):
        if len(concepts) == 1:
            out.setdefault((slot, concepts[0]), []).append(lemma)
    for move, ways in WAYS.items():
        out["move", move] = moves_said(net, ways.split("; "), held)
    for concept, (senses, ways, instances) in NAMED.items():
        found = sorted({n for sense in senses for n in (net.named(*sense) if instances else net.kinds(*sense))})
        said = [rng.choice(ways.split("; ")).format(n) for n in rng.sample(found * 2, min(240, 2 * len(found)))]
        out.setdefault(("setting", concept), []).extend(p for p in said if not held_back(p, held))
    known = words(p for slot in SLOTS.values() for seen, _ in slot.values() for p in seen)
    for name, shares in {**surveyed(), **surveyed(2, most=.7)}.items():
        if name not in known and not held_back(name, held):
            out.setdefault(("colour", max(shares, key=shares.get)), []).append(name)
    return out


def moves_said(net, ways, held, count=120):
    """"the lens saunters to the left": any verb of motion and a direction."""
    rng, way_of_its_own = random.Random(5), re.compile(r"up|down|forward|back|toward|away|circ|round|follow|rise|fall|left|right|turn|enter|leav|return|behind|direction|inward|outward")
    verbs = sorted({l for (part, _), (lemmas, gloss, file) in net.synsets.items() if part == "verb" and file == "38" and not way_of_its_own.search(gloss + " ".join(lemmas))
                    for l in lemmas if l.isalpha() and l.islower() and not held_back(l, held)})
    verbs += ["moves", "goes", "pans", "turns", "travels", "drifts", "slides"] * (len(verbs) // 14)
    third = lambda v: v if v.endswith("s") and not v.endswith("ss") else v + ("es" if v.endswith(("s", "x", "ch", "sh", "o")) else "s")
    return [rng.choice((f"{rng.choice(LENSES)} {third(v)} {w}", f"{v} {w}")) for v, w in ((rng.choice(verbs), rng.choice(ways)) for _ in range(count))]


def open_things(net):
    """Lemmas of animals, artefacts, natural objects, plants: for subjects that are no concept of the table."""
    held = held_stems()
    named = {l for (part, _), (lemmas, _, file) in net.synsets.items() if part == "noun" and file in ("05", "06", "17", "20") for l in lemmas}
    return sorted(l for l in named if l == l.lower() and len(l.split()) < 3 and l.replace(" ", "").isalpha() and not held_back(l, held))
