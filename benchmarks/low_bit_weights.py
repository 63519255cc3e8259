"""What weights of 4, 3, 2 and 1 bit lose by each kind of levels, as SQNR in dB, each channel with a scale of its own.

    python -m benchmarks.low_bit_weights [--json]

Gaussian and Laplacian weights, 64 channels of 576, and the convolutions of ResNet-20 behind the first, in which a layer counts
as much as every other. "to the largest" are uniform integers whose range holds the largest weight; every other kind has the
scale or the levels of least squared error. Nothing is trained, and no activation is looked at: compare, do not predict.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.own_home import data_folder
from edgeq.quantize.numerics import Floats, codebook, few_integers, power_of_two, two_or_three
from edgeq.quantize.numerics.best_scale import squared_error
from edgeq.quantize.numerics.levels import Levels

CHECKPOINT = "cifar10/resnet_torch/resnet20-12fca82f.th"


def kinds() -> dict[tuple[int, str], Callable[[Floats], Levels]]:
    """By bits and name."""
    found: dict[tuple[int, str], Callable[[Floats], Levels]] = {}
    for bits in (4, 3, 2):
        found[bits, "uniform, to the largest"] = partial(to_the_largest, bits=bits)
        found[bits, "uniform"] = partial(few_integers.fitted, bits=bits, axis=0, narrow_range=False)
        found[bits, "uniform, narrow"] = partial(few_integers.fitted, bits=bits, axis=0)
        if bits > 2:
            found[bits, "powers of two (APoT)"] = partial(power_of_two.fitted, bits=bits, axis=0)
        found[bits, "codebook, one a layer"] = partial(codebook.fitted_shared, bits=bits, axis=0)
        found[bits, "codebook, one a channel"] = partial(codebook.fitted, bits=bits, axis=0)
    found[2, "ternary"] = partial(two_or_three.fitted_ternary, axis=0)
    found[1, "binary"] = partial(two_or_three.fitted_binary, axis=0)
    return found


def to_the_largest(weights: Floats, bits: int) -> Levels:
    most = (1 << (bits - 1)) - 1
    scale: Floats = (np.abs(weights).reshape(len(weights), -1).max(axis=1) / most).astype(np.float32)
    return Levels(np.arange(-most, most + 1, dtype=np.float32), scale, 0)


def weights() -> dict[str, list[Floats]]:
    random = np.random.default_rng(0)
    return {
        "Gaussian": [random.normal(size=(64, 576)).astype(np.float32)],
        "Laplacian": [random.laplace(size=(64, 576)).astype(np.float32)],
        "ResNet-20": convolutions(data_folder() / CHECKPOINT),
    }


def convolutions(checkpoint: Path) -> list[Floats]:
    """Those behind the first, [channels, ..] each."""
    import torch

    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    return [w.numpy() for name, w in state.items() if ".conv" in name and w.ndim == 4][1:]


def sqnr_db(tensors: list[Floats], fit: Callable[[Floats], Levels]) -> float:
    """The mean of the tensors' own, as int8 holds the levels."""
    return mean(
        10 * float(np.log10(np.mean(np.square(w)) / squared_error(w, fit(w).expanded_to_int8().levels)))
        for w in tensors
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    given = weights()
    rows = [
        {"bits": bits, "kind": name} | {of: round(sqnr_db(tensors, fit), 1) for of, tensors in given.items()}
        for (bits, name), fit in kinds().items()
    ]
    print(json.dumps(rows, indent=2) if options.json else table(rows))


def table(rows: list[dict[str, object]]) -> str:
    """As Markdown."""
    lines = ["| " + " | ".join(rows[0]) + " |", "|---" * len(rows[0]) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(str(v) for v in row.values()) + " |" for row in rows)])


if __name__ == "__main__":
    main()
