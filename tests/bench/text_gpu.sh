#!/bin/sh
# On a machine with an NVIDIA GPU, unattended: our text engine beside transformers and ONNX Runtime GenAI, all in fp16.
#   tests/bench/text_gpu.sh FOLDER        FOLDER is made if it is missing
# Needs torch, transformers and onnxruntime-genai-cuda beside hordenode; an engine that is missing is left out and named.
# DEVICE=cpu SIZE=tiny PAIRS=2 is a dry run. Figures are tokens per second, and ours over theirs: at or above 1 is the goal.
set -eu
here=$(dirname "$0")
device=${DEVICE:-cuda}
cd "$here/../.."
[ -d "$1/onnx" ] || python -m tests.bench.text_gpu make "$1" --device "$device" --size "${SIZE:-1b}"
for count in 1 8 32; do
    python -m tests.bench.text_gpu run "$1" --device "$device" --count "$count" --pairs "${PAIRS:-7}" --tokens "${TOKENS:-64}"
done
