#!/usr/bin/env python3
"""Pictures at volume: seconds a picture and pictures a minute of SDXL at 1024x1024 with guidance, for
1, 4, 8 and 16 shots in a forward pass, beside diffusers' on the same GPU in the same run.

  bench/stills.py --models build/bench/models --checkpoints DIR [--steps 20] [--precision f16]

A picture is its share of STEPS steps, each the median of a few, and a decode, which ours does one
picture at a time so that a batch needs no more memory there; the peer's decode is counted likewise.
Words are encoded once a run and are not counted. Needs PyTorch and diffusers; checkpoints are made
as for bench/gpu_table.py.
"""
import argparse

from gpu_table import SDXL, Peer, checkpoint, run_ours

SIZE = "--size 1024x1024 --frames 1"


def a_picture(step, decode, batch, steps):
    """seconds, a minute's pictures, GiB; or why not"""
    for part in (step, decode):
        if "failed" in part:
            return part["failed"] + " | |"
    seconds = steps * step["seconds"] / batch + decode["seconds"]
    return f"{seconds:.3f} s | {60 / seconds:.1f} | {max(step['gib'], decode['gib']):.1f} GiB"


def of_peer(result):
    return result if "failed" in result else {"seconds": result["eager"], "gib": result["gib"]}


def show(models, checkpoints, peer, steps=20, precision="f16"):
    folder = checkpoint(checkpoints, SDXL)
    decode = run_ours(models, folder, f"--part vae {SIZE} --repeat 9")
    peer_decode = of_peer(peer.run("sdxl vae"))
    print("| pictures at once | a picture | a minute | memory | diffusers: a picture | a minute | memory |")
    print("| --- " * 7 + "|")
    for batch in (1, 4, 8, 16):
        step = run_ours(models, folder, f"{SIZE} --guidance 5 --batch {batch} --repeat 5 "
                                        f"--precision {precision}")
        peer_step = of_peer(peer.run("sdxl step 2 eager" if batch == 1 else f"sdxl step {2 * batch}"))
        print(f"| {batch} | {a_picture(step, decode, batch, steps)} | "
              f"{a_picture(peer_step, peer_decode, batch, steps)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="build/bench/models")
    parser.add_argument("--checkpoints", required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--precision", default="f16")
    o = parser.parse_args()
    peer = Peer()
    show(o.models, o.checkpoints, peer, o.steps, o.precision)
    peer.process.stdin.close()


if __name__ == "__main__":
    main()
