#!/bin/sh
# On a machine with an NVIDIA GPU, unattended: our image engine beside diffusers with torch.compile, both in fp16.
#   tests/bench/image_gpu.sh FOLDER        FOLDER is made if it is missing; it takes 20 GB
# Needs torch, diffusers and optimum-onnx beside hordenode. Figures are seconds per step and picture, and ours over theirs:
# at or below 1 is the goal; `outside` is at most 0.05 where the GPU is not kept waiting between steps.
# DEVICE=cpu TINY=-tiny PAIRS=2 STEPS=3 is a dry run.
set -eu
here=$(dirname "$0")
device=${DEVICE:-cuda}
tiny=${TINY:-}
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$here/../.."
measure() { # model, size, batch
    [ -d "$folder/$1/data" ] || python -m tests.bench.image_peers make "$folder/$1" --device "$device" --model "$1"
    python -m tests.bench.image_peers run "$folder/$1" --device "$device" --size "$2" --batch "$3" \
        --engines hordenode diffusers --pairs "${PAIRS:-7}" --steps "${STEPS:-20}"
}
measure "sd15$tiny" "${SIZE:-512}" 1
measure "sd15$tiny" "${SIZE:-512}" 4
measure "sdxl$tiny" "${SIZE:-1024}" 1
