"""How many bits each layer's weights get, so that they have so many in the mean and the layers' outputs lose least in all.

Fewer bits cost a layer the error of its rounded weights, relative to what the layer gives (read_squares.py). Bits are taken one by one
from the layer whose error grows least for the bits that its weights save.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.quantize.numerics.level_kinds import uniform_levels
from edgeq.train.batches import Batches
from edgeq.train.low_bits import Bits
from edgeq.train.read_squares import ReadWeights, read_weights

if TYPE_CHECKING:
    from onnx import ModelProto

_FEWEST, _ROUNDED, _MOST = 2, 5, 8  # above _ROUNDED an error is a quarter of that with a bit less


def mixed_widths(
    floats: "ModelProto",
    weights: Mapping[str, npt.NDArray[np.float32]],
    layers: Mapping[str, Bits],
    axes: Mapping[str, int | None],
    mean: float,
    samples: Batches,
) -> dict[str, Bits]:
    """`layers`, by node, with 2 to 8 bits for the weights of each and at most `mean` of a weight in all. `floats`: the float graph, `weights`
    by name, `axes` of their scales by node. A layer of another kind has the mean, rounded.
    """
    read = read_weights(floats, weights, tuple(layers), samples)
    errors = {name: _errors(r, axes[name]) for name, r in read.items()}
    sizes = {name: r.weight.size for name, r in read.items()}
    chosen = dict.fromkeys(sizes, _MOST)
    spare = int((_MOST - mean) * sum(sizes.values()))
    while spare > 0 and (can := [name for name, bits in chosen.items() if bits > _FEWEST]):
        grows = {n: (errors[n][chosen[n] - 1] - errors[n][chosen[n]]) / sizes[n] for n in can}
        least = min(can, key=lambda n: (grows[n], n))
        chosen[least] -= 1
        spare -= sizes[least]
    return {name: replace(bits, weights=chosen.get(name, round(mean))) for name, bits in layers.items()}


def _errors(read: ReadWeights, axis: int | None) -> dict[int, float]:
    """Of the layer's output, by bits."""
    errors = {}
    for bits in range(_FEWEST, _ROUNDED + 1):
        rounded = uniform_levels(read.weight, bits, axis).round_trip(read.weight)
        errors[bits] = float(read.share(read.weight - rounded).sum())
    return errors | {
        bits: errors[_ROUNDED] / 4 ** (bits - _ROUNDED) for bits in range(_ROUNDED + 1, _MOST + 1)
    }
