"""Writes random texts and what the reference libraries make of them, for diff_tokenizer.c.

usage: make_tokenizer_corpus.py KIND DIR COUNT SEED > CORPUS
KIND: json  DIR/tokenizer.json by the library `tokenizers`
      clip  vocab.json and merges.txt by CLIPTokenizer of `transformers`
      spm   DIR/spiece.model by `sentencepiece`
Only for developers: neither the build nor the tests need it, or Python. The committed corpora in
tests/prompts/data were made with it.
"""
import json
import random
import sys
import unicodedata

# What the libraries disagree about, found by trying every code point: letters and digits that are
# younger than Unicode 14 (PCRE2, libunistring; the reference has 17), and combining marks younger than
# Unicode 9 (the reference's normalisation knows no later ones). Texts have none of them.
DISPUTED = (
    "7FD 898-89F 8CA-8D3 9FE C3C D3B-D3C EBA 1715 1ABF-1ACE 1C89-1C8A 1DF6-1DFA A7CB-A7CE A7D2 A7D4 A7DA-A7DC A82C "
    "105C0-105F3 10D24-10D27 10D40-10D65 10D6F-10D85 10EAB-10EAC 10EC2-10EC4 10F46-10F50 10F82-10F85 11070 "
    "1123F-11240 1133B 11380-11389 1138B 1138E 11390-113B5 113B7 113D1 113D3 1145E 116D0-116E3 11839-1183A 11930 11938 "
    "1193D-1193E 11943 119E0 11A34 11A47 11A99 11BC0-11BE0 11BF0-11BF9 11D42 11D44-11D45 11D97 11F02 11F04-11F10 "
    "11F12-11F33 11F50-11F59 1342F 13441-13446 13460-143FA 16100-1611D 16130-16139 16D40-16D6C 16D70-16D79 "
    "16EA0-16EB8 16FF0-16FF1 18CFF 1B132 1B155 1CCF0-1CCF9 1D2C0-1D2D3 1DF25-1DF2A 1E030-1E06D 1E130-1E136 1E2AE "
    "1E2EC-1E2EF 1E4D0-1E4EB 1E4F0-1E4F9 1E5D0-1E5ED 1E5F0-1E5FA 2B739 2EBF0-2EE5D 31350-323AF "
)
KIND, DIR, COUNT, SEED = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def encoder():
    if KIND == "json":
        from tokenizers import Tokenizer
        t = Tokenizer.from_file(DIR + "/tokenizer.json")
        t.no_truncation()
        t.no_padding()
        return lambda s: t.encode(s).ids
    if KIND == "clip":
        from transformers import CLIPTokenizer
        t = CLIPTokenizer.from_pretrained(DIR)
        return lambda s: t.backend_tokenizer.encode(s).ids
    import sentencepiece
    t = sentencepiece.SentencePieceProcessor(model_file=DIR + "/spiece.model")
    return lambda s: t.encode(s) + [t.eos_id()]


def span(s):
    a, _, b = s.partition("-")
    return range(int(a, 16), int(b or a, 16) + 1)


SKIP = {c for s in DISPUTED.split() for c in span(s)}
CATEGORY = {}
for c in range(0x110000):
    if not 0xD800 <= c <= 0xDFFF and c not in SKIP:
        CATEGORY.setdefault(unicodedata.category(chr(c)), []).append(chr(c))
CATEGORIES = [k for k in sorted(CATEGORY) if k != "Cs"]
SPACE = [chr(c) for c in (9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 0x85, 0xA0, 0x1680, 0x180E, *range(0x2000, 0x2010),
                          0x2028, 0x2029, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF)]
CASE = list("İIıißẞſsSΣσςŉǰΐΰﬀﬁﬂﬃﬄﬅﬆKÅΩǅǄǆᾼᾳᾈꭰᎠꙊᲈҊ") + ["i̇", "ΑΣ", "ΑΣ ", "ὈΔΥΣΣΕΎΣ"]
COMPOSE = list("ÅÅåéÄ̊̈́ͅकࠀ़क़गּשּׁ가각ᄀ각漢豈נּ𝅗𝅥𝅘𝅥𝅮℀⫝̸ọ̵̀̕;΄ʹ") + ["e\u0301", "A\u030a", "q\u0307\u0323", "\u0344", "\u1100\u1161\u11a8"]
EDGE = [chr(c) for c in (0, 1, 0x7F, 0x80, 0x9F, 0xAD, 0x34F, 0x61C, 0x200B, 0x200C, 0x200D, 0x2061, 0xD7FF, 0xE000, 0xF8FF, 0xFDD0,
                         0xFFFC, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x1FFFE, 0xE0001, 0xE0100, 0xF0000, 0x10FFFD, 0x10FFFF)]
EMOJI = ["👩‍🚀", "👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇩🇪", "✊🏽", "❤️", "1️⃣", "🎬"]
LITERAL = ["<|startoftext|>", "<|endoftext|>", "<|ENDOFTEXT|>", "<|begin_of_text|>", "<|eot_id|>", "<pad>", "</s>", "<s>", "<unk>", "</w>", "<extra_id_0>",
           "<0x41>", "!", "!!!", "<|", "|>", "<|end", "'s", "'S", "'ſ", "'T", "'RE", "'ll", "'Ve", "’s", "'m", "'D", "▁", "▁▁", "Ġ", "Ċ"]
WORDS = ("A frigate cuts through grey Atlantic swell at dawn slow aerial dolly forward volumetric light 35mm film grain don't they've U.S.A. "
         "naïve café — Привет мир 漢字とかな混じり 서울 한국어 ไทย हिन्दी العربية עברית Ελληνικά 1234567890 3.14 ½ Ⅷ ٣ ２ hover 2024").split()
ASCII = [chr(c) for c in range(32, 127)]


def piece(r):
    k = r.randrange(16)
    if k < 3:
        return r.choice(CATEGORY[r.choice(CATEGORIES)])
    if k == 3:
        return r.choice(SPACE)
    if k == 4:
        return r.choice(CASE)
    if k == 5:
        return r.choice(COMPOSE)
    if k == 6:
        return r.choice(EDGE)
    if k == 7:
        return r.choice(EMOJI)
    if k == 8:
        return r.choice(LITERAL)
    if k == 9:
        return r.choice(CATEGORY["Mn"]) * r.choice((1, 1, 2, 5))
    if k == 10:
        return r.choice(ASCII + SPACE) * r.choice((2, 3, 5, 17, 80))
    if k == 11:
        return r.choice(ASCII)
    return r.choice(("", " ", "  ", "\n")) + r.choice(WORDS) + r.choice(("", " "))


def text(r):
    s = "".join(piece(r) for _ in range(r.choice((0, 1, 2, 3, 5, 8, 13, 30))))
    k = r.randrange(12)
    if k == 0:
        s = s.upper()
    elif k == 1:
        s = unicodedata.normalize(r.choice(("NFC", "NFD", "NFKC", "NFKD")), s)
    elif k == 2:
        s = s[:8] * r.choice((2, 9, 40))
    elif k == 3:
        s = "".join(r.sample(s, len(s)))
    return s


def hard():
    """the cases that are worth having in any corpus"""
    yield from ("", " ", "  leading and   multiple   spaces  ", "a" * 300, " " * 50 + "x", "\n" * 9 + " \r\n\t x")
    yield from CASE + COMPOSE + EDGE + EMOJI + LITERAL
    yield from (w + s + w for s in SPACE for w in ("Dawn",))
    yield from ("don't WE'LL I'm They'Ve she'D'S'", "1234567890 3.14 1,000", "punct!?.,;:()[]{}<>@#$%^&*_+-=/\\|~`'\"", " ".join(WORDS))


def main():
    r, encode = random.Random(SEED), encoder()
    texts = list(hard())
    for i in range(COUNT):
        s = texts[i] if i < len(texts) else text(r)
        print(json.dumps([s, encode(s)], separators=(",", ":")))


if __name__ == "__main__":
    main()
