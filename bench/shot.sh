#!/usr/bin/env bash
# A whole shot of HunyuanVideo, 17 frames of 1280x720 in 20 steps, from the process's start to the file
# (ours: with text, sampling, decode, film and poster), beside diffusers' in the same run.
# Usage: shot.sh PROGRAM MODELS [PRECISION...]
#
# MODELS/workhorse is made with random weights where it is missing (38.5 GiB, bench/make_checkpoint.py).
# PRECISION: bf16 (as published) and fp8 where none is named.
# Each is run once uncounted, so that files and what was tuned are there for both, then once more.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$1 models=$2
shift 2
[ $# -gt 0 ] || set -- bf16 fp8
python=${PYTHON:-python3}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export AUTEUR_CACHE=$scratch/cache

[ -d "$models/workhorse" ] ||
    "$python" "$here/make_checkpoint.py" --family hunyuan-video "$models/workhorse" >/dev/null
cat >"$scratch/board.yaml" <<'B'
name: shot
fps: 24
size: 1280x720
shots:
  - id: a
    tier: workhorse
    prompt: A frigate cuts through grey Atlantic swell at dawn
    frames: 17
    steps: 20
    seed: 7
B

# Seconds of the second of two runs of COMMAND; what it printed goes to $scratch/NAME.log.
timed() {
    local name=$1 start
    shift
    for _ in 1 2; do
        rm -rf "$scratch/out"
        start=$(date +%s.%N)
        "$@" >"$scratch/$name.log" 2>&1 || { tail -n 20 "$scratch/$name.log" >&2; return 1; }
    done
    echo "$start $(date +%s.%N)" | awk '{ printf "%.2f", $2 - $1 }'
}

peer=$(timed peer "$python" "$here/peer_shot.py" "$models/workhorse" "$scratch/peer.npy")
echo "diffusers: $peer s ($(tail -n 1 "$scratch/peer.log"))"
for precision in "$@"; do
    ours=$(timed ours "$program" run "$scratch/board.yaml" -o "$scratch/out" --models "$models" \
        --device cuda --precision "$precision" --json)
    echo "ours, $precision: $ours s, $(echo "$ours $peer" | awk '{ printf "%.2f", $1 / $2 }') of it (wanted: 0.45)"
    "$python" - "$scratch/out/shots/a/a.json" <<'P'
import json, sys
sheet = json.load(open(sys.argv[1]))
for stage, t in sheet["timings"].items():
    print(f"    {stage:10} {t['seconds']:7.2f} s  {sheet['made'][stage]['notes'].get('gpu_mib', '')}")
P
done
