"""Second moments of the inputs of matrix products over calibration samples, in as many runs as memory needs."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.quantize.samples import SamplesLike, evenly_spaced
from edgeq.quantize.tensor_values import values_of

if TYPE_CHECKING:
    import onnx

_ROOM = 512 * 2**20  # bytes of moments at a time
_SAMPLES = 64


def moments_of(
    model: "onnx.ModelProto", sizes: dict[str, int], samples: SamplesLike, threads: int
) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """(tensor, E x x' [k, k]) of each tensor of `sizes`, the lengths k of their last axes."""
    indices = evenly_spaced(samples.count, _SAMPLES)
    for tensors in _groups(sizes):
        sums = {name: np.zeros((sizes[name],) * 2, np.float64) for name in tensors}
        count = dict.fromkeys(tensors, 0)
        for values in values_of(model, tensors, samples, indices, threads):
            for name, value in zip(tensors, values, strict=True):
                rows = np.asarray(value, np.float32).reshape(-1, sizes[name])
                sums[name] += rows.T @ rows
                count[name] += len(rows)
        yield from ((name, total / max(count[name], 1)) for name, total in sums.items())


def _groups(sizes: dict[str, int]) -> Iterator[Sequence[str]]:
    group: list[str] = []
    taken = 0
    for name, k in sizes.items():
        if group and taken + 8 * k * k > _ROOM:
            yield group
            group, taken = [], 0
        group.append(name)
        taken += 8 * k * k
    if group:
        yield group
