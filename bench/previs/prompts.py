"""Writes prompts.jsonl: 200 prompts that training never saw, each with what it asks and a whole spec for a render of it.

  python prompts.py > prompts.jsonl

Half are in words of training's, of combinations that training's clips leave out (withheld() of the teacher's spec.py);
half in words that are kept for evaluation (paraphrases.py). Colours are asked by day, of subjects that a render of the
spec shows large enough to tell.
Of each half 24 are six shots at four times of day, alike but for that.
"""
import json
import os
import random
import sys

TRAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../stages/generate/previs/train")
sys.path += [os.path.join(TRAIN, "teacher"), TRAIN]

from paraphrases import Wording, joined  # noqa: E402
from spec import COLOURS, draw, fixed, withheld  # noqa: E402
from teacher import SETTINGS, Clip, render  # noqa: E402

SEED = 1 << 42  # judges take from 2**41 on, training what is below 2**40
TIMES = ("dawn", "day", "dusk", "night")
TIMED = {"training": ("sea", "mountains", "desert", "city_night", "street_day", "snow"), "held-out": ("harbour", "forest", "river", "sky", "sea", "mountains")}
MOVES = ("pan_left", "pan_right", "tilt_up", "tilt_down", "dolly_in", "dolly_out") * 9 + ("static",) * 10 + ("orbit", "aerial", "tracking") * 4
COLOURED = 40  # of the 76 of a half that are of one time


def others(colour):
    """What would name a second colour: a red sports car that is to be blue."""
    return {*COLOURS, "striped", "golden"} - {colour, "golden" if colour == "yellow" else colour}


def prompt(rng, words, asked):
    meaning = {slot: str(asked[slot]) for slot in asked}
    if "subject" in meaning:
        meaning.setdefault("count", "1")
    while True:
        text = joined(Wording(rng, held=words == "held-out").parts(meaning))
        if "colour" not in meaning or not others(meaning["colour"]) & set(text.replace(",", "").replace("-", " ").split()):
            return text


def asked_of(rng, s, coloured):
    asked = {"setting": s["setting"], "move": s["move"]}
    if s["subject"] != "nobody":
        asked["subject"] = s["subject"]
        if s["count"] > 1:
            asked["count"] = s["count"]
    if coloured:
        asked["colour"] = s["colour"]
    if s["time"] != "day" or rng.random() < .5:
        asked["time"] = s["time"]
    if s["weather"] != "clear" or rng.random() < .2:
        asked["weather"] = s["weather"]
    if s["style"] != "photo":
        asked["style"] = s["style"]
    return asked


def large(s):
    """Whether the subject has a hundredth of the middle picture or nearly so."""
    clip, views = fixed(s, 49)
    without = Clip.from_buffer_copy(clip)
    without.subject = 0
    a, b = render([clip, without], [views[24:25]] * 2, 60, 104, 1).float()
    return float(((a - b).abs().amax(-1) > 24).float().mean()) > .008


def drawn(rng, words, setting, move, coloured):
    """A spec; that training left it out matters where the words are training's."""
    for tried in range(4000):
        told = {"move": move, "setting": setting if tried < 400 else rng.choice(SETTINGS)}
        if coloured:
            told.update(time="day", count=1, colour=rng.choice(list(COLOURS)))
        s = draw(rng, **told)
        s["style"] = "photo" if coloured or rng.random() < .8 else rng.choice(("ink", "watercolour", "neon"))
        if coloured and (s["subject"] in ("nobody", "birds") or s["weather"] not in ("clear", "cloudy")):
            continue
        if s["subject"] == "nobody" and move == "tracking":
            continue
        if (words == "held-out" or withheld(s)) and (not coloured or large(s)):
            return s
    raise SystemExit("nothing left out")


def half(rng, words):
    groups = []
    for n, setting in enumerate(TIMED[words]):
        base = draw(rng, setting=setting, time="day", weather="clear", move="static", count=1, colour=rng.choice(("red", "white", "yellow")))
        base["style"] = "photo"
        told, group = rng.randrange(1 << 30), []
        for time in TIMES:
            s = {**base, "time": time}
            asked = {"setting": setting, "time": time, **({"subject": s["subject"]} if s["subject"] != "nobody" else {})}
            group.append((prompt(random.Random(told), words, asked), asked, s, f"{words}-{n}"))
        groups.append(group)
    moves = rng.sample(MOVES, len(MOVES))
    for n, move in enumerate(moves):
        coloured = n % 19 < 10 and move != "aerial"
        s = drawn(rng, words, SETTINGS[n % len(SETTINGS)], move, coloured)
        asked = asked_of(rng, s, coloured)
        groups.append([(prompt(rng, words, asked), asked, s, None)])
    return groups


def main():
    rng = random.Random(SEED)
    groups = [(words, g) for words in ("training", "held-out") for g in half(rng, words)]
    rng.shuffle(groups)  # so that the first of them stand for all
    for n, (words, (text, asked, shown, times)) in enumerate((w, one) for w, g in groups for one in g):
        print(json.dumps({"id": f"p{n:03}", "words": words, "prompt": text, "asked": asked, **({"times": times} if times else {}), "shown": shown}))


if __name__ == "__main__":
    main()
