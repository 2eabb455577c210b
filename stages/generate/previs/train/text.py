"""The text side: a SentencePiece unigram tokenizer with T5's conventions and a small UMT5 encoder.

usage: text.py OUTDIR [TEXTFILE ...]     makes OUTDIR/spiece.model and tokenizer_config.json from captions and plain text
"""
import io
import json
import os
import random
import re
import sys

import sentencepiece
import torch

from captions import caption, negative
from spec import draw_spec

LENGTH = 128          # the pipeline pads embeddings to this many tokens with zeros
VOCABULARY = 2400


def corpus(files, count=50000):
    rng = random.Random(7)
    lines = [caption(draw_spec(rng), rng) for _ in range(count)] + [negative(rng) for _ in range(2000)]
    words = {}
    for name in files:
        for w in re.findall(r"[A-Za-z][a-z']+", open(name, encoding="utf-8", errors="ignore").read()):
            words[w.lower()] = words.get(w.lower(), 0) + 1
    plain = [w for w, n in words.items() if n > 1]
    for _ in range(6000 if plain else 0):          # enough English that an unknown word falls into a few pieces
        lines.append(" ".join(rng.choices(plain, k=8)))
    lines += ["%d, %d.%d (%d) - %d mm; f/%d: it's \"quoted\" & more!?" % tuple(rng.randint(0, 2050) for _ in range(6)) for _ in range(300)]
    return lines


def make_tokenizer(folder, files):
    os.makedirs(folder, exist_ok=True)
    buf = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus(files)), model_writer=buf, vocab_size=VOCABULARY, model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        byte_fallback=True, character_coverage=0.9995, hard_vocab_limit=False, minloglevel=2)
    open(f"{folder}/spiece.model", "wb").write(buf.getvalue())
    json.dump({"tokenizer_class": "T5Tokenizer", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "extra_ids": 0, "model_max_length": LENGTH},
              open(f"{folder}/tokenizer_config.json", "w"), indent=1)


class Tokenizer:
    def __init__(self, folder):
        self.sp = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/spiece.model")
        self.model_max_length = LENGTH

    def ids(self, text):
        return self.sp.encode(text)[:LENGTH - 1] + [1]

    def rows(self, texts):
        out = torch.zeros(len(texts), LENGTH, dtype=torch.int16)
        for i, t in enumerate(texts):
            row = self.ids(t)
            out[i, :len(row)] = torch.tensor(row, dtype=torch.int16)
        return out


def new_encoder(vocabulary):
    from transformers import UMT5Config, UMT5EncoderModel
    return UMT5EncoderModel(UMT5Config(vocab_size=vocabulary, d_model=128, d_kv=32, d_ff=320, num_layers=3, num_heads=4, feed_forward_proj="gated-gelu",
                                       dropout_rate=0.0, pad_token_id=0, eos_token_id=1))


def embed(encoder, ids):
    """Token rows (B, LENGTH), 0-padded, to embeddings with zeros after the last token, as WanPipeline makes them."""
    ids = ids.long()
    used = int((ids != 0).sum(1).max())
    mask = ids[:, :used] != 0
    h = encoder(ids[:, :used], attention_mask=mask.long()).last_hidden_state * mask[..., None]
    return torch.nn.functional.pad(h, (0, 0, 0, LENGTH - used))


if __name__ == "__main__":
    make_tokenizer(sys.argv[1], sys.argv[2:])
    t = Tokenizer(sys.argv[1])
    print(t.sp.vocab_size(), [t.sp.id_to_piece(i) for i in t.ids("A frigate cuts through grey Atlantic swell at dawn, slow aerial dolly forward, 35mm film grain. Naïve café zebra")])
