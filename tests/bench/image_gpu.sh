#!/bin/sh
# On a machine with an NVIDIA GPU, unattended: our engine beside diffusers with torch.compile, both in fp16.
#   tests/bench/image_gpu.sh FOLDER [XL_FOLDER]     FOLDER is made if it is missing; XL_FOLDER holds torch/ and onnx/ of SDXL
# DEVICE=cpu SIZE=64 STEPS=2 PAIRS=1 is a dry run. A figure at or below 1 is the goal; "outside" is the part of a step
# that the UNet does not run.
set -eu
here=$(dirname "$0")
device=${DEVICE:-cuda}
[ -d "$1/onnx" ] || python "$here/image_peers.py" make "$1" --device "$device"
for batch in 1 4; do
    python "$here/image_peers.py" run "$1" --engines hordenode diffusers --device "$device" --batch "$batch" \
        --size "${SIZE:-512}" --steps "${STEPS:-20}" --pairs "${PAIRS:-7}"
done
if [ $# -gt 1 ]; then
    python "$here/image_peers.py" run "$2" --engines hordenode diffusers --device "$device" \
        --size "${SIZE:-1024}" --steps "${STEPS:-20}" --pairs "${PAIRS:-7}"
fi
