"""What colours people call by which names: the survey of xkcd.com (2010, CC0), as the package matplotlib has it.

A name's colour is told by the names nearest to it that end in one of the plain words ("brick red", "navy blue").
"""
import torch

PLAIN = {"red": "red", "orange": "orange", "yellow": "yellow", "green": "green", "blue": "blue", "purple": "purple", "violet": "purple", "pink": "pink", "white": "white", "black": "black",
         "grey": "grey", "gray": "grey", "brown": None, "tan": None, "beige": None}
UNSAID = ("vomit", "booger", "snot", "puke", "bile", "shit", "poop", "poo", "piss", "barf")


def oklab(codes):
    """"#rrggbb" to Oklab (N, 3), as B. Ottosson gives it (2020)."""
    c = torch.tensor([[int(x[i:i + 2], 16) / 255 for i in (1, 3, 5)] for x in codes])
    c = torch.where(c <= .04045, c / 12.92, ((c + .055) / 1.055) ** 2.4)
    lms = c @ torch.tensor([[.4122214708, .5363325363, .0514459929], [.2119034982, .6806995451, .1073969566], [.0883024619, .2817188376, .6299787005]]).T
    return lms.clamp(min=0) ** (1 / 3) @ torch.tensor([[.2104542553, .7936177850, -.0040720468], [1.9779984951, -2.4285922050, .4505937099], [.0259040371, .7827717662, -.8086757660]]).T


def surveyed(words=1, neighbours=9, most=.5):
    """{name of so many words: {concept: share of its neighbours}} of the names that mostly are one of the concepts' colours."""
    from matplotlib.colors import XKCD_COLORS
    names = [n.partition(":")[2] for n in XKCD_COLORS]
    lab = oklab(list(XKCD_COLORS.values()))
    ends = [n.split()[-1] for n in names]
    plain = [i for i, e in enumerate(ends) if e in PLAIN]
    out = {}
    for i, name in enumerate(names):
        parts = name.split()
        if len(parts) != words or not all(p.isalpha() for p in parts) or name in PLAIN or set(parts) & set(UNSAID):
            continue
        near = torch.cdist(lab[i:i + 1], lab[plain])[0].topk(neighbours, largest=False).indices.tolist()
        found = [PLAIN[ends[plain[k]]] for k in near]
        if parts[-1] in PLAIN and found.count(PLAIN[parts[-1]]) < neighbours - 2: # "purply blue" is no plain case
            continue
        shares = {c: found.count(c) / neighbours for c in set(found) if c}
        if max(shares.values(), default=0) >= most:
            out[name] = shares
    return out
