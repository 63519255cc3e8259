#!/usr/bin/env bash
# Trains ResNet-20 on a GPU for a few steps of 4-bit weights and activations, and compares the file with the CPU's. Under five minutes.
#
#     benchmarks/cuda_check.sh [FOLDER OF THE DATA]
#
# Says so where torch finds no GPU, and ends with 0 then: there is nothing to check.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
data=${1:-${EDGEQ_DATA:-../shared/data}}
if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  echo "no GPU: torch $("$python" -c 'import torch; print(torch.__version__)') finds no CUDA device here, nothing was checked"
  exit 0
fi
"$python" -c 'import torch; print("GPU:", torch.cuda.get_device_name(0), "torch", torch.__version__)'
"$python" -m benchmarks.training.accuracy --bits W4A4 --epochs 1 --images 20000 --device cuda --data "$data"
