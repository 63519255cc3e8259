"""Names the calibration samples whose values no scale has room for, where nothing could be quantized because of them."""

from collections.abc import Iterator

import numpy as np

from edgeq.conversion.finite_float_outputs import name_of
from edgeq.nouns.tensor import TensorSpec
from edgeq.quantize.passes.ranges.no_scale import STANDS_FOR_INFINITY
from edgeq.quantize.samples import SamplesLike

_NAMED = 3


def huge_values(samples: SamplesLike, inputs: tuple[TensorSpec, ...]) -> str:
    """A sentence with the first of them; empty where there are none."""
    found = [*_huge(samples, inputs)]
    if not found:
        return ""
    more = f" and {len(found) - _NAMED:,} more samples" if len(found) > _NAMED else ""
    return f"{'; '.join(found[:_NAMED])}{more}: no other value can share a scale with that; remove them or correct the data"


def _huge(samples: SamplesLike, inputs: tuple[TensorSpec, ...]) -> Iterator[str]:
    for i in range(samples.count):
        for spec, array in zip(inputs, samples[i], strict=True):
            largest = float(np.abs(array).max(initial=0.0)) if array.dtype.kind == "f" else 0.0
            if largest > STANDS_FOR_INFINITY:
                yield f"{name_of(samples, i)}: {spec.name} holds {largest:.2g}"
                break
