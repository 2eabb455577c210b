#!/usr/bin/env bash
# Pictures at volume: seconds a picture and pictures a minute of SDXL at 1024x1024 with guidance, for
# 1, 4, 8 and 16 shots in a forward pass. Usage: stills.sh BENCH_MODELS DIR [STEPS] [PRECISION]
#
# DIR is made by bench/make_checkpoint.py --family sdxl --sparse. A picture is STEPS steps (20), each
# the median of bench/models divided among its shots, and a decode, which takes one picture at a time
# so that a batch needs no more memory there. Words are encoded once a run and are not counted.
set -eu
models=$1 dir=$2 steps=${3:-20} precision=${4:-f16}
pattern='s/.*median *\([0-9.]*\) s .*peak *\([0-9.]*\) GiB.*/\1 \2/p'

decode=$("$models" "$dir" --part vae --size 1024x1024 --frames 1 --repeat 3 | sed -n "$pattern")
set -- $decode
echo "decode $1 s, $2 GiB"
printf '%-8s %12s %16s %18s %8s\n' shots 'a step, s' 'a picture, s' 'pictures a minute' GiB
for batch in 1 4 8 16; do
  step=$("$models" "$dir" --size 1024x1024 --frames 1 --guidance 5 --batch $batch --repeat 5 \
    --precision "$precision" | sed -n "$pattern")
  echo "$batch $step $1 $steps" | awk '{
    picture = $5 * $2 / $1 + $4
    printf "%-8d %12.4f %16.3f %18.1f %8.2f\n", $1, $2, picture, 60 / picture, $3 }'
done
