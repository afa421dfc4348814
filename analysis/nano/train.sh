#!/bin/sh
# The whole training, from the folders of UTKFace and APPA-REAL (pictures and labels.csv) to a checkpoint. Each stage goes on where it stopped when run again.
# Usage: train.sh UTKFACE_FOLDER APPAREAL_FOLDER WORK_FOLDER [FACE_MINUTES [BOTH_MINUTES]]
set -eu
here=$(dirname "$0")
python=${PYTHON:-python3}
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
mkdir -p "$3"
if [ ! -f "$3/arrays/valid.json" ]; then
    "$python" "$here/manifests.py" "$1" "$2"
    "$python" "$here/data.py" "$3/arrays" "$1/manifest.csv" "$2/manifest.csv"
fi
"$python" "$here/train.py" face "$3/arrays" "$3/face" --minutes "${4:-62}" --first-part 0.55 --resume
"$python" "$here/train.py" both "$3/arrays" "$3/both" --start "$3/face/state.pt" --minutes "${5:-60}" --resume
"$python" "$here/export.py" "$3/both/state.pt" "$3/nano.pth.tar"
"$python" "$here/evaluate.py" "$3/nano.pth.tar" "$3/arrays" --json "$3/figures.json"
