"""Makes the small tokenizers of tests/prompts/data: clip, llama, t5, in the published layouts.

usage: make_test_tokenizers.py OUTDIR
Those of bytes are trained, without regard to words, on the random texts of make_tokenizer_corpus.py, so
that a text that is cut at a wrong place gets other ids; t5 knows few characters and no bytes. Only for developers.
"""
import json
import os
import random
import sys

OUT = sys.argv[1]
sys.argv = ["", "", "", "0", "0"]
import make_tokenizer_corpus as corpus
import sentencepiece
from tokenizers import Regex, Tokenizer, models, pre_tokenizers as P, processors, trainers

r = random.Random(1)
TEXTS = [corpus.text(r) for _ in range(3000)] + [" ".join(r.sample(corpus.WORDS, 8)) for _ in range(3000)]
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def write(path, what):
    with open(os.path.join(OUT, path), "w") as f:
        f.write(what if isinstance(what, str) else json.dumps(what, ensure_ascii=False, separators=(",", ":")) + "\n")


def learn(size, suffix, texts):
    end = {"end_of_word_suffix": suffix} if suffix else {}
    t = Tokenizer(models.BPE(**end))
    t.pre_tokenizer = P.ByteLevel(add_prefix_space=False, use_regex=False)
    t.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, initial_alphabet=sorted(P.ByteLevel.alphabet()), max_token_length=12,
                                                     show_progress=False, **end))
    return t


def special(text, normalized):
    return {"content": text, "lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False, "special": True}


def clip():
    words = [w for s in TEXTS for w in s.lower().split()]
    merges = [tuple(m) for m in json.loads(learn(1300, "</w>", words).to_str())["model"]["merges"]]
    base = [chr(c) for c in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))]
    base += [b + "</w>" for b in base]
    known, kept = set(base), []
    for a, b in merges:
        if a in known and b in known:
            kept.append((a, b))
            known.add(a + b)
    tokens = list(dict.fromkeys(base + [a + b for a, b in kept])) + ["<|startoftext|>", "<|endoftext|>"]
    start, end = len(tokens) - 2, len(tokens) - 1
    write("clip/vocab.json", {t: i for i, t in enumerate(tokens)})
    write("clip/merges.txt", "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in kept))
    write("clip/tokenizer_config.json", {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "!", "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>", "added_tokens_decoder": {"0": special("!", False), str(start): special("<|startoftext|>", True),
                                                               str(end): special("<|endoftext|>", True)}})


def llama():
    t = learn(1100, None, TEXTS)
    t.pre_tokenizer = P.Sequence([P.Split(Regex(LLAMA), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)])
    bos = t.get_vocab_size()
    t.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<pad>"])
    t.post_processor = processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", bos)])
    j = json.loads(t.to_str())
    j["model"]["ignore_merges"] = True
    write("llama/tokenizer.json", j)
    write("llama/tokenizer_config.json", {"model_max_length": 8192, "pad_token": "<pad>", "padding_side": "right"})


def t5():
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS[3000:]), model_prefix=os.path.join(OUT, "t5/spiece"), vocab_size=400,
        model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, character_coverage=0.98, hard_vocab_limit=False,
        normalization_rule_name="identity", minloglevel=2)
    os.remove(os.path.join(OUT, "t5/spiece.vocab"))
    write("t5/tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "pad_token": "<pad>", "model_max_length": 226})


for name in ("clip", "llama", "t5"):
    os.makedirs(os.path.join(OUT, name), exist_ok=True)
clip()
llama()
t5()
