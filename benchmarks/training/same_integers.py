"""How many integers of a trained file equal those of the trained network, by kind of network (tests/models/kinds.py), on both runtimes.

Each is trained two steps, which move weights, scales and biases. Counted are all tensors that the network quantizes; the worst of them is
shown, and the network's outputs. `--bits 4` gives inner layers weights of 4 bits.

    .venv/bin/python -m benchmarks.training.same_integers
"""

import argparse
import tempfile
from pathlib import Path

from edgeq.conversion import cache
from edgeq.ingest.onnx_to_tflite.environment import built
from tests.models.kinds import KINDS
from tests.train.kinds_runs import Equal, on_litert, on_onnxruntime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="kinds, with commas between them")
    parser.add_argument("--bits", type=int, default=8, help="of weights (8)")
    parser.add_argument(
        "--cache", type=Path, default=cache.folder(), help="where onnx2tf's environment is kept"
    )
    given = parser.parse_args()
    built(given.cache, print)
    print("| kind | onnxruntime: worst tensor, outputs | LiteRT | most apart |")
    print("|---|---|---|---|")
    for kind in given.only.split(",") if given.only else KINDS:
        with tempfile.TemporaryDirectory() as folder:
            one = on_onnxruntime(kind, Path(folder), given.bits)
            other = on_litert(kind, Path(folder), given.cache, given.bits)
        print(
            f"| {KINDS[kind]} | {_shown(one)} | {_shown(other)} | {max(one.most, other.most)} |", flush=True
        )


def _shown(found: Equal) -> str:
    return f"{100 * found.worst:.4g} %, {100 * found.outputs:.4g} %"


if __name__ == "__main__":
    main()
