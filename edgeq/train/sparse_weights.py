"""Which weights become zero and stay so while the rest is trained: only smaller to send, as kernels multiply zeros too.

A weight w that reads channel c of its layer's input costs that layer's output, relative to what the output is,

    w^2 mean(x_c^2) / sum over the layer of w^2 mean(x_c^2)

by the diagonal of the least-squares problem (Optimal Brain Damage, LeCun, Denker & Solla 1990; Sun et al. 2023, arXiv:2306.11695, rank
by its root within each output). Those that cost least in all layers together go.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.train.batches import Batches
from edgeq.train.read_squares import read_weights

if TYPE_CHECKING:
    from onnx import ModelProto

Mask = npt.NDArray[np.bool_]


def kept_weights(
    floats: "ModelProto",
    weights: Mapping[str, npt.NDArray[np.float32]],
    layers: Sequence[str],
    share: float,
    samples: Batches,
) -> dict[str, Mask]:
    """By node of the float graph, of the shape of its weight, True for what stays: all but `share`, 0 to 1, of the weights of `layers`
    in all. `weights`: by name. Every layer keeps one at least.
    """
    costs = {name: r.share(r.weight) for name, r in read_weights(floats, weights, layers, samples).items()}
    if not costs:
        return {}
    flat = np.concatenate([cost.ravel() for cost in costs.values()])
    count = min(round(share * flat.size), flat.size - 1)
    if not count:
        return {}
    limit = np.partition(flat, count)[count]
    return {name: (cost >= limit) | (cost == cost.max()) for name, cost in costs.items()}
