#!/bin/bash
# The whole making of previs on one machine with some GPUs.
#
#   WORDNET=/FOLDER MINILM=/FOLDER make.sh WORK    everything: text encoder, autoencoder, judges and upscaler beside each
#                                                other, a GPU each, then the transformer on all of them
#   make.sh WORK INIT                            the transformer alone, going on from the weights in INIT/transformer;
#                                                WORK/base holds vae/, text_encoder/, tokenizer/ and phrases.json
#
# Seconds: TEXT, VAE, JUDGES, UPSCALER, and TRAIN for the transformer's options. WORK/out gets the logs, WORK/checkpoint
# the checkpoint, WORK/checkpoint_many the weights before distillation. WORK/guidance may name distil's guidance.
# Needs torch, diffusers, transformers, sentencepiece, wordfreq, matplotlib (its table of colours' names) and nvcc.
set -u
W=$(realpath -m "$1") INIT=${2:+$(realpath "$2")}
cd "$(dirname "$0")" || exit 1
GPUS=$(nvidia-smi -L | wc -l) BENCH=../../../../bench/previs
export PYTHONUNBUFFERED=1
mkdir -p "$W/out" "$W/base" "$W/text"
python3 -c 'import sys; sys.path.insert(0, "teacher"); import teacher; teacher.loaded(True)'   # once, not by each
date +%s > "$W/out/start"

on() { # GPU log command...
    local gpu=$1 log=$W/out/$2.log
    shift 2
    CUDA_VISIBLE_DEVICES=$((gpu % GPUS)) OMP_NUM_THREADS=2 "$@" > "$log" 2>&1 # more threads than that stand in each other's way
}

if [ $# -lt 2 ]; then
    on 0 text python3 text_encoder.py "$W/text" --wordnet "$WORDNET" --teacher "$MINILM" --seconds "${TEXT:-200}" --batch 1024 --captions 100000 --glosses 240000 --lemmas 24000 &
    on 1 vae python3 train_vae.py "$W/base" --init ../checkpoint/vae --seconds "${VAE:-200}" --pool 600 &
    on 2 judges python3 $BENCH/judges.py "$W/judges.pt" --seconds "${JUDGES:-220}" &
    on 3 upscaler python3 upscaler.py "$W" --vae "$W/base/vae" --seconds "${UPSCALER:-200}" &
    wait
    cp -r "$W"/text/{tokenizer,text_encoder,phrases.json} "$W/base/"
fi
torchrun --nproc-per-node "$GPUS" train_denoiser.py "$W/base" "$W/checkpoint" ${INIT:+--init "$INIT"} --tell "$W/guidance" ${TRAIN:-} > "$W/out/train.log" 2>&1
echo "ended with status $?" >> "$W/out/train.log"
