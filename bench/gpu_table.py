#!/usr/bin/env python3
"""The table of README: our steps, decodes, a whole shot and pictures at volume beside diffusers' on
one GPU.

  bench/gpu_table.py --checkpoints DIR [--program build/auteur-pipe] [--models build/bench/models]
                     [--out bench/results] [CASE...]

DIR holds, or is given, checkpoints of bench/make_checkpoint.py --sparse; for the whole shot (CASE
"shot") DIR/workhorse, 38.5 GiB of it in full. For every case ours and the peer's run one after the
other; after each a dated result file is written: OUT/DATE-GPU.json with all figures, and the table
as text beside it. Rows of that day and GPU that are there already stay where CASE names only others,
each with what the chip reached in its own call. All take some 17 minutes of an H200: steps 7, VAEs
4, the shot 4, pictures 1. Needs the CUDA object (AUTEUR_CUDA or beside the program), PyTorch and
diffusers.

"of limit" is the time that the pass would take if each of its FLOPs ran at the best rate that the
chip was measured at in this run for their kind (product, attention, convolution), over ours. For
fp8 attention, which nothing here can be measured with but ours, the limit is the 16-bit rate times
the ratio of the fp8 product's to the 16-bit product's.

"plan's time, memory" is what `plan` told before, over what was then measured; memory is to be
within a tenth.
"""
import argparse
import contextlib
import datetime
import io
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

HUNYUAN, WAN, COG, SVD, SDXL = ("hunyuan-video", "wan2.2-t2v-a14b", "cogvideox-5b", "svd-xt", "sdxl")
DTYPE = {HUNYUAN: "BF16", WAN: "BF16", COG: "BF16", SVD: "F16", SDXL: "F16"}

# name, the peer's case, checkpoint, arguments, wanted against eager, against compiled, GiB at most
CASES = [
    ("HunyuanVideo step, 17 f 1280x720, bf16", "hunyuan step 17f", HUNYUAN,
     "--size 1280x720 --frames 17 --repeat 5", 0.80, 1.0, None),
    ("HunyuanVideo step, 17 f 1280x720, fp8", "hunyuan step 17f", HUNYUAN,
     "--size 1280x720 --frames 17 --repeat 5 --precision fp8", 0.52, 0.66, None),
    ("HunyuanVideo step, 129 f 960x544, fp8", "hunyuan step 129f", HUNYUAN,
     "--size 960x544 --frames 129 --repeat 1 --precision fp8", 0.55, None, None),
    ("Wan 2.2 A14B expert step, 81 f 832x480, fp8", "wan step 81f", WAN,
     "--size 832x480 --frames 81 --repeat 3 --precision fp8", 0.58, None, None),
    ("CogVideoX-5B step with guidance, 49 f 720x480", "cogvideox step", COG,
     "--size 720x480 --frames 49 --guidance 6 --repeat 3 --precision fp8", 0.55, None, None),
    ("SVD-XT step with guidance, 25 f 1024x576", "svd step", SVD,
     "--size 1024x576 --frames 25 --guidance 3 --repeat 5", 0.55, None, None),
    ("SVD-XT step with guidance, 25 f 1024x576, fp8", "svd step", SVD,
     "--size 1024x576 --frames 25 --guidance 3 --repeat 5 --precision fp8", 0.55, None, None),
    ("SDXL step 1024x1024, batch 2", "sdxl step 2", SDXL,
     "--size 1024x1024 --frames 1 --guidance 5 --repeat 20", 0.60, 0.85, None),
    ("SDXL step 1024x1024, batch 2, fp8", "sdxl step 2", SDXL,
     "--size 1024x1024 --frames 1 --guidance 5 --repeat 20 --precision fp8", 0.60, 0.85, None),
    ("SDXL step 1024x1024, batch 16", "sdxl step 16", SDXL,
     "--size 1024x1024 --frames 1 --guidance 5 --batch 8 --repeat 9", 0.70, None, None),
    ("SDXL step 1024x1024, batch 16, fp8", "sdxl step 16", SDXL,
     "--size 1024x1024 --frames 1 --guidance 5 --batch 8 --repeat 9 --precision fp8", 0.70, None, None),
    ("HunyuanVideo VAE, 17 f 1280x720, tiles in time", "hunyuan vae 17f tiled", HUNYUAN,
     "--part vae --size 1280x720 --frames 17 --vae-memory 11.6 --repeat 5", 0.20, None, 12),
    ("HunyuanVideo VAE, 17 f 1280x720, whole", "hunyuan vae 17f whole", HUNYUAN,
     "--part vae --size 1280x720 --frames 17 --vae-memory 11.6 --vae-frames 20 --repeat 5", 0.40, None,
     12),
    ("HunyuanVideo VAE, 65 f 1280x720, tiles in time", "hunyuan vae 65f tiled", HUNYUAN,
     "--part vae --size 1280x720 --frames 65 --vae-memory 11.6 --repeat 3", 0.20, None, 12),
    ("Wan VAE, 81 f 832x480", "wan vae 81f", WAN,
     "--part vae --size 832x480 --frames 81", 0.40, None, None),
    ("Wan VAE, 17 f 1280x720", "wan vae 17f", WAN,
     "--part vae --size 1280x720 --frames 17", 0.40, None, None),
    ("CogVideoX VAE, 49 f 720x480", "cogvideox vae", COG,
     "--part vae --size 720x480 --frames 49", 0.40, None, None),
    ("SVD VAE, 8 f 1024x576", "svd vae", SVD,
     "--part vae --size 1024x576 --frames 8 --repeat 5", 0.40, None, None),
    ("SDXL VAE, 1024x1024", "sdxl vae", SDXL,
     "--part vae --size 1024x1024 --frames 1 --repeat 9", 0.40, None, None),
]


SHOT = "Whole shot, HunyuanVideo, 17 f 1280x720, from the process's start to the file"
STILLS = "Pictures at volume, SDXL 1024x1024, f16"


class Peer:
    """One process for all cases: starting PyTorch takes as long as most of them."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "peer_diffusers.py"), "--serve"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.known = {}

    def run(self, case):
        if case not in self.known:
            self.process.stdin.write(case + "\n")
            self.process.stdin.flush()
            self.known[case] = {"failed": "the peer ended"}
            for line in self.process.stdout:
                if line.startswith('{"case"'):
                    self.known[case] = json.loads(line)
                    break
        return self.known[case]


def run_ours(models, folder, arguments):
    done = subprocess.run([models, folder, *arguments.split()], capture_output=True, text=True)
    found = re.search(r"median +([\d.]+) s +best +([\d.]+) s +peak +([\d.]+) GiB", done.stdout)
    if not found:
        return {"failed": (done.stderr or done.stdout)[-300:]}
    ours = dict(zip(("seconds", "best", "gib"), map(float, found.groups())))
    told = re.search(r"plan told +([\d.]+) s \(([\d.]+) of measured\) +([\d.]+) GiB \(([\d.]+) of",
                     done.stdout)
    if told:
        ours["told"] = dict(zip(("seconds", "time_ratio", "gib", "gib_ratio"),
                                map(float, told.groups())))
    return ours


def told_text(ours):
    if "told" not in ours:
        return ""
    told = ours["told"]
    missed = "" if abs(told["gib_ratio"] - 1) <= 0.1 else ", MISSED"
    return f"{told['time_ratio']:.2f} / {told['gib_ratio']:.2f}{missed}"


def checkpoint(root, family):
    folder = os.path.join(root, family)
    if not os.path.isdir(folder):
        subprocess.run([sys.executable, os.path.join(HERE, "make_checkpoint.py"), "--family", family,
                        "--dtype", DTYPE[family], "--sparse", folder], check=True,
                       stdout=subprocess.DEVNULL)
    return folder


def limit_seconds(flops, chip, arguments, peer_case):
    """None where a kind of FLOPs has no measured rate, or the peer computes pixels twice."""
    if "tiled" in peer_case:
        return None
    fp8 = "fp8" in arguments
    narrow = any(name in peer_case for name in ("cogvideox", "svd", "sdxl"))
    attention = chip["attention 64" if narrow else "attention"]
    rates = {"linear": chip["linear fp8" if fp8 else "linear"], "conv": chip["conv"],
             "attention": attention * (chip["linear fp8"] / chip["linear"] if fp8 else 1)}
    if not flops or any(kind not in rates for kind in flops):
        return None
    return sum(n / rates[kind] for kind, n in flops.items())


def verdict(ratio, wanted):
    return "" if wanted is None else f"{ratio:.2f} (<= {wanted:.2f}{'' if ratio <= wanted else ', MISSED'})"


def line(row):
    name, ours, peer = row["name"], row["ours"], row["peer"]
    if "failed" in ours or "failed" in peer:
        return f"| {name} | {ours.get('failed') or peer.get('failed')} | | | | | | |"
    eager = ours["seconds"] / peer["eager"]
    compiled = ours["seconds"] / peer["compiled"] if "compiled" in peer else None
    memory = f"{ours['gib']:.1f}"
    if row["gib_wanted"] and ours["gib"] > row["gib_wanted"]:
        memory += f" (<= {row['gib_wanted']}, MISSED)"
    of_limit = f"{row['limit'] / ours['seconds']:.2f}" if row["limit"] else ""
    return (f"| {name} | {ours['seconds']:.4f} s | {peer['eager']:.4f} s | "
            f"{verdict(eager, row['eager_wanted'])} | "
            f"{verdict(compiled, row['compiled_wanted']) if compiled else ''} | {of_limit} | "
            f"{memory} / {peer['gib']:.1f} GiB | {told_text(ours)} |")


def limits(chip):
    return (", ".join(f"{k} {v / 1e12:.0f} TFLOP/s" for k, v in chip.items()
                      if isinstance(v, float) and k != "copy") + f", copy {chip['copy'] / 1e9:.0f} GB/s")


def table(rows, date):
    """Rows of a call stand under what the chip reached in it."""
    chips = []
    for row in rows:
        if row["chip"] not in chips:
            chips.append(row["chip"])
    one = chips[0]
    text = f"{date}, {one['gpu']}, PyTorch {one['torch']}, cuDNN {one['cudnn']}, diffusers {one['diffusers']}.\n"
    for chip in chips:
        mine = [row for row in rows if row["chip"] == chip]
        text += f"\nMeasured limits: {limits(chip)}.\n"
        if any("peer" in row for row in mine):
            text += ("\n| case | ours | diffusers | ours/eager | ours/compiled | of limit | memory "
                     "| plan's time, memory |\n" + "| --- " * 8 + "|\n"
                     + "".join(line(row) + "\n" for row in mine if "peer" in row))
        for row in mine:
            if "peer" not in row:
                text += f"\n{row['name']}:\n\n" + "\n".join(row["said"]) + "\n"
    return text


class Results:
    """The dated files; what this day's earlier runs on this GPU put there stays."""

    def __init__(self, folder, chip):
        os.makedirs(folder, exist_ok=True)
        self.date, self.chip, self.rows = datetime.date.today().isoformat(), chip, {}
        self.stem = os.path.join(folder, f"{self.date}-{chip['gpu'].split()[-1]}")
        if os.path.exists(self.stem + ".json"):
            with open(self.stem + ".json") as f:
                self.rows = {row["name"]: row for row in json.load(f)["rows"]}

    def text(self):
        return table(list(self.rows.values()), self.date)

    def put(self, row):
        self.rows[row["name"]] = {**row, "chip": self.chip}
        order = [case[0] for case in CASES] + [SHOT, STILLS]
        self.rows = {name: self.rows[name] for name in order if name in self.rows}
        with open(self.stem + ".json", "w") as f:
            json.dump({"date": self.date, "rows": list(self.rows.values())}, f, indent=1)
        with open(self.stem + ".md", "w") as f:
            f.write(self.text())


def whole_shot(o):
    """What bench/shot.sh says; it needs a folder whose workhorse is not sparse."""
    done = subprocess.run([os.path.join(HERE, "shot.sh"), o.program, o.checkpoints], text=True,
                          capture_output=True, env={**os.environ, "PYTHON": sys.executable})
    return {"name": SHOT, "said": (done.stdout if done.returncode == 0 else done.stderr).splitlines()}


def pictures(o, peer):
    from stills import show
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        show(o.models, o.checkpoints, peer)
    return {"name": STILLS, "said": said.getvalue().splitlines()}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/auteur-pipe")
    parser.add_argument("--models", default="build/bench/models")
    parser.add_argument("--checkpoints", required=True)
    parser.add_argument("--out", default=os.path.join(HERE, "results"))
    parser.add_argument("case", nargs="*", help="words that a case's name must hold; none: all")
    o = parser.parse_args()

    peer_process = Peer()
    chip, ours = peer_process.run("chip"), {}
    if "failed" in chip:
        sys.exit(f"the chip cannot be measured: {chip['failed']}")
    results = Results(o.out, chip)
    for name, peer_case, family, arguments, eager, compiled, gib in CASES:
        if o.case and not any(word in name for word in o.case):
            continue
        peer = peer_process.run(peer_case)
        if (family, arguments) not in ours:
            ours[family, arguments] = run_ours(o.models, checkpoint(o.checkpoints, family), arguments)
        row = {"name": name, "arguments": arguments, "ours": ours[family, arguments], "peer": peer,
               "eager_wanted": eager, "compiled_wanted": compiled, "gib_wanted": gib,
               "limit": limit_seconds(peer.get("flops"), chip, arguments, peer_case)}
        print(line(row), flush=True)
        results.put(row)
    for name, make in ((SHOT, lambda: whole_shot(o)), (STILLS, lambda: pictures(o, peer_process))):
        if not o.case or any(word in name for word in o.case):
            results.put(make())
    peer_process.process.stdin.close()
    print(results.text())


if __name__ == "__main__":
    main()
