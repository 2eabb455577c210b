"""Measures the previs model by the films that the program delivers, against what was asked and against renders of the same.

  python measure.py films PROGRAM OUT [--shots N]      runs the prompts through PROGRAM, or goes on with it, and prints the table
  python measure.py films --made DIR [--shots N]       the same of films that lie there, ID.mp4 or ID.pt (uint8 [49, 240, 416, 3])
  python measure.py drawn CHECKPOINT [--shots N] [--device cuda]   the same of what diffusers draws, on a GPU in a minute
  python measure.py renders [--shots N] [--device cuda]   what the measure itself reaches, on renders of the prompts: renders.jsonl
  python measure.py vae CHECKPOINT [--clips N] [--device cuda]   the VAE's round trip, through diffusers: vae.json

Needs torch and the ffmpeg command, films in ID.pt torch alone; vae and drawn need diffusers. README.md says what each figure means.
"""
import argparse
import hashlib
import json
import math
import os
import subprocess
import sys

import torch

import flow
from judges import FRAMES, HEIGHT, HERE, NAMES, PICTURES, WIDTH, fixed, halved, load, named, render, styled

PAIRS = tuple(f for k in range(8) for f in (6 * k, 6 * k + 1))  # neighbours whose flow is looked at
DIRECTED = (*flow.PARTS, "static")
FAR = ("sky", "space")  # too far to spread, whatever the camera does: its flow there does not tell a dolly
TRAIN = os.path.join(HERE, "../../stages/generate/previs/train")
VAE = "stages/generate/previs/checkpoint/vae/diffusion_pytorch_model.safetensors"


def prompts(o):
    with open(o.prompts) as f:
        return [json.loads(line) for line in f][:o.shots]


def measured(film, net):
    """What a film shows, as numbers and names. film: uint8 [49, 240, 416, 3]; only PAIRS and PICTURES are looked at."""
    a, b = (film[list(PAIRS[k::2])] for k in (0, 1))
    moved = flow.flow_between(flow.luma(a), flow.luma(b))
    whole, moving = (flow.camera(flow.luma(a), moved).median(0).values * 1000).tolist()
    colours = [v.permute(0, 3, 1, 2).float() / 255 for v in (a, b)]
    mean = film[list(PICTURES)].float().mean((0, 1, 2)) / 255
    return {"moves": [round(v, 3) for v in whole], "moving": [round(v, 3) for v in moving],
            "flicker": round(float(flow.flicker(*colours, moved).mean()), 3),
            "luma": round(float(mean @ mean.new_tensor((.299, .587, .114))), 4), "warmth": round(float((mean[0] - mean[2]) / (mean.sum() + 1e-6)), 4),
            **({"named": named(net, film)} if net else {})}


def rendered(s, device):
    """A film of a spec by the teacher; pictures that no measure looks at are black."""
    clip, views = fixed(s, FRAMES)
    pictures = render([clip], [[views[i] for i in PAIRS]], HEIGHT, WIDTH, 2, device)[0]
    film = torch.zeros(FRAMES, HEIGHT, WIDTH, 3, dtype=torch.uint8, device=device)
    film[list(PAIRS)] = styled(pictures, s["style"])
    return film


def film_of(folder, name, device):
    """The delivered film, or None."""
    saved = os.path.join(folder, name + ".pt")
    if os.path.exists(saved):
        return torch.load(saved, map_location=device)
    path = next((p for p in (os.path.join(folder, name + ".mp4"), os.path.join(folder, name, name + ".mp4")) if os.path.exists(p)), None)
    if not path:
        return None
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], stdout=subprocess.PIPE, check=True).stdout
    film = torch.frombuffer(bytearray(raw), dtype=torch.uint8).view(-1, HEIGHT, WIDTH, 3).to(device)
    return film if len(film) == FRAMES else None


def board(rows):
    """The storyboard of the prompts."""
    lines = ["name: bench-previs", "fps: 24", f"size: {WIDTH}x{HEIGHT}", "deliver: {codec: h264, quality: 95}", f"defaults: {{tier: previs, frames: {FRAMES}}}", "shots:"]
    for r in rows:
        lines += [f"  - id: {r['id']}", f"    prompt: {json.dumps(r['prompt'])}", f"    seed: {r['shown']['seed']}"]
    return "\n".join(lines) + "\n"


def judged(r, got):
    """[(figure, right)] of one shot."""
    asked, out = r["asked"], []
    move = asked.get("move")
    if move in DIRECTED:
        told = not (move.startswith("dolly") and asked["setting"] in FAR)
        out.append(("camera direction" if told else "dolly towards sky or stars", flow.moves_as(move, got["moves"], got["moving"])))
    elif move in ("orbit", "aerial"):
        out.append(("orbit or aerial: not still", not flow.moves_as("static", got["moves"], got["moving"])))
    for slot in NAMES:
        if slot in asked and "named" in got:
            out.append(({"setting": "setting named", "subject": "subject named", "colour": "dominant colour"}.get(slot, slot + " named"), str(got["named"][slot]) == str(asked[slot])))
    return out


def ordered(four):
    """[right] of a prompt at its four times of day: night is darkest, dusk darker than day, and the light redder from day to dawn to dusk."""
    light, warmth = ({t: got[k] for t, got in four.items()} for k in ("luma", "warmth"))
    return [light["night"] < light["dusk"], light["night"] < light["dawn"], light["dusk"] < light["day"], warmth["day"] < warmth["dawn"] < warmth["dusk"]]


def figures(rows, got):
    """{figure: [(words, right)]} of all shots that there are."""
    out, times = {}, {}
    for r in rows:
        if r["id"] in got:
            for figure, right in judged(r, got[r["id"]]):
                out.setdefault(figure, []).append((r["words"], right))
            if "times" in r:  # prompts.jsonl alone has them
                times.setdefault((r["words"], r["times"]), {})[r["shown"]["time"]] = got[r["id"]]
    out["times of day in order"] = [(words, right) for (words, _), four in times.items() if len(four) == 4 for right in ordered(four)]
    return out


WANTED = {"camera direction": 92, "times of day in order": 95, "dominant colour": 88, "setting named": 85, "subject named": 75}


def share(seen, words=None):
    few = [right for w, right in seen if words in (None, w)]
    return f"{100 * sum(few) / len(few):.1f} % of {len(few)}" if few else "-"


def table(rows, got, renders):
    ours, theirs = figures(rows, got), figures(rows, renders)
    kinds = list(dict.fromkeys(r["words"] for r in rows))
    print(f"| figure | wanted | measured | {' | '.join(f'in {k} words' for k in kinds)} | renders of the same |\n| --- | --- | --- |{' --- |' * len(kinds)} --- |")
    beside = sorted((set(ours) | set(theirs)) - set(WANTED))
    for figure in [*WANTED, *beside]:
        seen = ours.get(figure, [])
        print(f"| {figure} | {'>= %d %%' % WANTED[figure] if figure in WANTED else ''} | {share(seen)} | {' | '.join(share(seen, k) for k in kinds)} | {share(theirs.get(figure, []))} |")
    both = [i for i in got if i in renders]
    if both and got is not renders:
        mine, its = (sum(x[i]["flicker"] for i in both) / len(both) for x in (got, renders))
        print(f"| flicker, of 255, over the renders' | <= 1.5 | {mine / max(its, 1e-6):.2f} of {len(both)} | {mine:.2f} | | {its:.2f} |")
    try:
        vae = json.load(open(os.path.join(HERE, "vae.json")))
        stale = "" if vae["weights"] == digest(os.path.join(HERE, "../..", VAE)) else ", of other weights"
        print(f"| VAE round trip | >= 30 dB | {vae['mean']:.1f} dB of {vae['clips']}{stale} | worst {vae['worst']:.1f} dB | | |", flush=True)
    except OSError:
        pass


def digest(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()[:16]


def kept(path):
    """{id: measures} of a file of lines."""
    try:
        return {r.pop("id"): r for r in map(json.loads, open(path))}
    except OSError:
        return {}


def keep(path, rows, got):
    with open(path + ".part", "w") as f:
        f.writelines(json.dumps({"id": r["id"], **got[r["id"]]}) + "\n" for r in rows if r["id"] in got)
    os.replace(path + ".part", path)


def judge(device):
    if not os.path.exists(os.path.join(HERE, "judges.pt")):
        print("no judges.pt here: nothing is named (judges.py makes it)")
        return None
    return load(device=device)


def films(o):
    rows, net = prompts(o), judge(o.device)
    folder, results = o.made, os.path.join(o.made or o.out, "measures.jsonl")
    if not folder:
        os.makedirs(o.out, exist_ok=True)
        path = os.path.join(o.out, "board.yaml")
        open(path, "w").write(board(rows))
        subprocess.run([o.program, "run", path, "-o", os.path.join(o.out, "films")])  # what fails is told there and missing here
        folder = os.path.join(o.out, "films/shots")
    got = {}
    for r in rows:
        film = film_of(folder, r["id"], o.device)
        if film is not None:
            got[r["id"]] = measured(film, net)
            if len(got) % 20 == 0:
                print(f"{len(got)} films measured", flush=True)
    keep(results, rows, got)
    print(f"{len(got)} films of {len(rows)} prompts")
    table(rows, got, kept(os.path.join(HERE, "renders.jsonl")))


def drawn(o):
    """By the checkpoint's own scheduler, 8 steps without guidance, as tiers.c sets it."""
    sys.path.append(TRAIN)
    import sample
    rows, net, got, parts = prompts(o), judge(o.device), {}, sample.load(o.checkpoint, o.device)
    for r in rows:
        clip = sample.generate(parts, [r["prompt"]], FRAMES, HEIGHT, WIDTH, seed=r["shown"]["seed"], device=o.device, amp=o.device != "cpu")[0]
        got[r["id"]] = measured(((clip.permute(1, 2, 3, 0) + 1) * 127.5).round().clamp(0, 255).byte().contiguous(), net)
        if len(got) % 20 == 0:
            print(f"{len(got)} drawn", flush=True)
    if o.results:
        keep(o.results, rows, got)
    table(rows, got, kept(os.path.join(HERE, "renders.jsonl")))


def renders(o):
    rows, net, got = prompts(o), judge(o.device), {}
    for r in rows:
        got[r["id"]] = measured(rendered(r["shown"], o.device), net)
        if len(got) % 10 == 0:
            print(f"{len(got)} rendered", flush=True)
        if len(got) == len(rows) or len(got) % 10 == 0:
            keep(o.results, rows, got)
    table(rows, got, got)
    for r in rows:
        wrong = [figure for figure, right in judged(r, got[r["id"]]) if not right]
        if wrong:
            print(r["id"], ", ".join(wrong), json.dumps(r["asked"]), json.dumps(got[r["id"]]))


def vae(o):
    """PSNR of all pictures of a clip together, rounded to 8 bits as a film's are; mean and worst over clips."""
    from clips import Stream
    from diffusers import AutoencoderKLWan
    weights = os.path.join(o.checkpoint, "vae/diffusion_pytorch_model.safetensors")
    net = AutoencoderKLWan.from_pretrained(o.checkpoint, subfolder="vae", torch_dtype=torch.float32).eval().to(o.device)
    stream = Stream(o.frames, HEIGHT, WIDTH, (1 << 42) + (1 << 40), o.device, samples=2, at_once=1, workers=0)
    db = []
    while len(db) < o.clips:
        pictures = stream.next()[1]
        x = pictures.permute(0, 4, 1, 2, 3).float()
        with torch.no_grad():
            y = net.decode(net.encode(x / 127.5 - 1).latent_dist.mode()).sample
        off = (y.clamp(-1, 1) * 127.5 + 127.5).round() - x
        db.append(10 * math.log10(255 ** 2 / max(float((off ** 2).mean()), 1e-9)))
        print(f"{len(db)}: {db[-1]:.1f} dB, mean {sum(db) / len(db):.2f}", flush=True)
    json.dump({"mean": round(sum(db) / len(db), 2), "worst": round(min(db), 2), "clips": len(db), "frames": o.frames, "weights": digest(weights)}, open(o.results, "w"))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = p.add_subparsers(dest="what", required=True)
    f, r, v, d = (kinds.add_parser(n) for n in ("films", "renders", "vae", "drawn"))
    d.add_argument("checkpoint")
    d.add_argument("--results", help="a file for each prompt's measures")
    f.add_argument("program", nargs="?")
    f.add_argument("out", nargs="?")
    f.add_argument("--made", help="a folder of films instead of PROGRAM and OUT")
    v.add_argument("checkpoint")
    v.add_argument("--clips", type=int, default=24)
    v.add_argument("--frames", type=int, default=FRAMES)
    r.add_argument("--results", default=os.path.join(HERE, "renders.jsonl"))
    v.add_argument("--results", default=os.path.join(HERE, "vae.json"))
    for k in (f, r, d):
        k.add_argument("--prompts", default=os.path.join(HERE, "prompts.jsonl"), help="a list of its form; others.jsonl is by another hand")
        k.add_argument("--shots", type=int, help="only the first; they stand for all")
    for k in (f, r, v, d):
        k.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    o = p.parse_args()
    if o.what == "films" and not (o.made or o.program and o.out):
        p.error("films takes PROGRAM and OUT, or --made DIR")
    {"films": films, "renders": renders, "vae": vae, "drawn": drawn}[o.what](o)


if __name__ == "__main__":
    main()
