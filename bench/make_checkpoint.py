#!/usr/bin/env python3
"""Writes a checkpoint with random weights in the form and size of a family's published one, as far
as it is known without a download (tests/stages/test_published.c says what was not compared).

  bench/make_checkpoint.py --family hunyuan-video DIR        45 GB or so
  bench/make_checkpoint.py --family sdxl --scale tiny DIR    as small as the fixture of the tests
  bench/make_checkpoint.py --family svd-xt --sparse DIR      holes for the large: takes no disk
  bench/make_checkpoint.py --family wan2.2-t2v-a14b --dtype BF16 --skip transformer_2 DIR

Names, shapes and configs come from stages/models/published, tokenizers from tests/fixtures, so
that a text is cut by a small vocabulary, whose tokens are all rows of the full embedding. Needs
numpy. What such a model makes is noise; how long it takes and what memory is that of the real one.
"""
import argparse
import itertools
import json
import math
import os
import re
import shutil
import struct

import numpy

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PUBLISHED = os.path.join(ROOT, "stages/models/published")
FIXTURES = os.path.join(ROOT, "tests/fixtures")
SHARD = 5 * 10**9
SIZE = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}
FIXTURE = {"cogvideox-5b": "cogvideox", "cogvideox1.5-5b": "cogvideox",
           "wan2.1-t2v-14b": "wan2.2-t2v-a14b", "wan2.1-t2v-1.3b": "wan2.2-t2v-a14b"}


def expand(name):
    """Every name of a pattern: {a-b} a range, {a,b} a list."""
    parts = []
    for text in re.split(r"(\{[^}]*\})", name):
        if not text.startswith("{"):
            parts.append([text])
        elif "-" in text:
            first, last = text[1:-1].split("-")
            parts.append([str(i) for i in range(int(first), int(last) + 1)])
        else:
            parts.append(text[1:-1].split(","))
    return ["".join(p) for p in itertools.product(*parts)]


def table_listing(path):
    listing = {}
    with open(path) as lines:
        for line in lines:
            pattern, dtype, shape = line.split()
            shape = [int(n) for n in shape.split("x")]
            listing.update((name, (dtype, shape)) for name in expand(pattern))
    return listing


def folder_listing(folder):
    """What the weight files of a small checkpoint hold."""
    listing = {}
    for file in sorted(os.listdir(folder)):
        if file.endswith(".safetensors"):
            with open(os.path.join(folder, file), "rb") as f:
                header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
            header.pop("__metadata__", None)
            listing.update((n, (t["dtype"], t["shape"])) for n, t in header.items())
    return listing


class Numbers:
    """64 MiB of normal numbers, scaled and converted once for each scale and dtype in use."""

    def __init__(self, seed):
        self.random = numpy.random.default_rng(seed)
        self.block = self.random.standard_normal(1 << 24, dtype=numpy.float32)
        self.cache = {}

    def scaled(self, std, dtype):
        key = (std, dtype)
        if key not in self.cache:
            if len(self.cache) == 8:
                self.cache.pop(next(iter(self.cache)))
            self.cache[key] = convert(self.block * numpy.float32(std), dtype)
        return self.cache[key]

    def write(self, f, count, std, dtype):
        block = self.scaled(std, dtype)
        while count:
            start = int(self.random.integers(len(block) // 2))
            n = min(count, len(block) - start)
            f.write(block[start:start + n].data)
            count -= n


def convert(values, dtype):
    if dtype == "BF16":
        bits = values.view(numpy.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16)
    return values.astype({"F32": numpy.float32, "F16": numpy.float16}[dtype])


def tensor_rule(name, shape):
    """(constant, None) or (None, std). Matrices keep the size of what goes through them; what is
    added to a residual stream is a tenth, so that 60 layers stay finite in 16 bits."""
    last = name.rsplit(".", 1)[-1]
    if last == "mix_factor":
        return 0.5, None
    if last == "bias":
        return 0.0, None
    if last == "gamma" or (len(shape) == 1 and last == "weight"):
        return 1.0, None
    if "scale_shift_table" in name:
        return None, 1 / math.sqrt(shape[-1])
    if len(shape) < 2 or "embedding.weight" in name or last == "relative_attention_bias":
        return None, 0.02
    if re.search(r"(shared|embed_tokens)\.weight$", name):
        return None, 1.0 if "shared" in name else 0.02
    std = 1 / math.sqrt(math.prod(shape[1:]))
    if re.search(r"(to_out\.0|o_proj|out_proj|down_proj|fc2|SelfAttention\.o|wo|proj_out|conv2|"
                 r"net\.2)\.weight$", name):
        std /= 10
    return None, std


def write_tensor(f, numbers, name, dtype, shape):
    count = math.prod(shape)
    if dtype == "I64":
        f.write(numpy.arange(count, dtype=numpy.int64).data)
        return
    constant, std = tensor_rule(name, shape)
    if constant is None:
        numbers.write(f, count, std, dtype)
    else:
        f.write(convert(numpy.full(count, constant, numpy.float32), dtype).data)


def write_file(path, tensors, numbers, sparse):
    """sparse: a hole in place of every tensor of a MiB or more."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape) in tensors:
        size = math.prod(shape) * SIZE[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, (dtype, shape) in tensors:
            size = math.prod(shape) * SIZE[dtype]
            if sparse and size >= 1 << 20:
                f.seek(size, os.SEEK_CUR)
            else:
                write_tensor(f, numbers, name, dtype, shape)
        f.truncate(8 + len(text) + at)


def shards_of(listing):
    shards, room = [[]], SHARD
    for name, (dtype, shape) in sorted(listing.items()):
        size = math.prod(shape) * SIZE[dtype]
        if size > room and shards[-1]:
            shards.append([])
            room = SHARD
        shards[-1].append((name, (dtype, shape)))
        room -= size
    return shards


def write_weights(folder, stem, listing, numbers, options):
    shards = shards_of(listing)
    variant = "." + options.variant if options.variant else ""
    if len(shards) == 1:
        write_file(f"{folder}/{stem}{variant}.safetensors", shards[0], numbers, options.sparse)
        return
    where = {}
    for i, tensors in enumerate(shards):
        file = f"{stem}{variant}-{i + 1:05}-of-{len(shards):05}.safetensors"
        write_file(f"{folder}/{file}", tensors, numbers, options.sparse)
        where.update((name, file) for name, _ in tensors)
    total = sum(math.prod(s) * SIZE[d] for d, s in listing.values())
    with open(f"{folder}/{stem}.safetensors.index{variant}.json", "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": where}, f)


def write_component(source, target, library, options, numbers):
    table = os.path.join(source, "tensors.txt")
    listing = table_listing(table) if os.path.exists(table) else folder_listing(source)
    os.makedirs(target, exist_ok=True)
    shutil.copy(os.path.join(source, "config.json"), target)
    if options.dtype:
        listing = {n: (d if d == "I64" else options.dtype, s) for n, (d, s) in listing.items()}
    stem = "model" if library == "transformers" else "diffusion_pytorch_model"
    write_weights(target, stem, listing, numbers, options)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--family", required=True, choices=sorted(os.listdir(PUBLISHED)))
    parser.add_argument("--scale", choices=["full", "tiny"], default="full")
    parser.add_argument("--dtype", choices=["F32", "F16", "BF16"], help="as published")
    parser.add_argument("--variant", choices=["fp16"], help="in the files' names; see --dtype")
    parser.add_argument("--skip", action="append", default=[], help="a component to leave out")
    parser.add_argument("--sparse", action="store_true", help="no large tensors: for bench/models, and checks of headers")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    fixture = os.path.join(FIXTURES, FIXTURE.get(options.family, options.family))
    source = os.path.join(PUBLISHED, options.family) if options.scale == "full" else fixture
    numbers = Numbers(options.seed)
    with open(os.path.join(source, "model_index.json")) as f:
        index = json.load(f)
    for part in options.skip:
        index.pop(part)
        index.pop("boundary_ratio" if part == "transformer_2" else "", None)
    os.makedirs(options.folder, exist_ok=True)
    for part, value in index.items():
        if not isinstance(value, list):
            continue
        target = os.path.join(options.folder, part)
        if os.path.exists(os.path.join(source, part, "config.json")):
            write_component(os.path.join(source, part), target, value[0], options, numbers)
        else:  # tokenizers are the fixture's at every scale
            own = os.path.join(source, part)
            shutil.copytree(own if os.path.isdir(own) else os.path.join(fixture, part), target,
                            dirs_exist_ok=True)
        print(target)
    with open(os.path.join(options.folder, "model_index.json"), "w") as f:
        json.dump(index, f, indent=1)


if __name__ == "__main__":
    main()
