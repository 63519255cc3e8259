"""How much of the rounding of each layer's weights is heard in the model's outputs: what float loses where they alone have 4 bits.

Neither the number of a layer's weights nor its own outputs tell: a weight of one layer of MobileNetV2 is heard 170,000 times as loud as
one of another.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edgeq.graphs.products import Product
from edgeq.quantize.calibration.array_cache import ArrayCache
from edgeq.quantize.evaluate.evaluator import Evaluator
from edgeq.quantize.passes.fit.fit_layers import QuantizedFile, QuantizedLayer
from edgeq.quantize.passes.fit.nearest_levels import rounded_to_nearest
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike, Subset, evenly_spaced, split_of

Layer = TypeVar("Layer", bound=QuantizedLayer)
Candidate = TypeVar("Candidate")

STAGE = "find what each layer's rounding costs"
_BITS = 4  # noise enough to be measured, and little enough to grow in proportion
_PRODUCTS = 5e10  # multiply-accumulates of all runs; on 2 samples at least, on 8 at most
_FEWEST, _MOST = 2, 8


def probes(samples: SamplesLike, products: Sequence[Product]) -> Subset:
    """The samples that it is measured on."""
    macs = sum(p.groups * p.rows * p.length * p.columns for p in products)
    return evenly_spaced(split_of(samples).learn, samples_for(macs, len(products)))


def samples_for(macs: int, layers: int) -> int:
    """How many, for a network of so many multiply-accumulates and layers."""
    return min(max(int(_PRODUCTS / max(macs * layers, 1)), _FEWEST), _MOST)


def noise_heard(
    file: QuantizedFile[Layer],
    evaluator: Callable[[], Evaluator[Candidate]],
    folder: Path,
    cache: ArrayCache,
    facts: Mapping[str, object],
    progress: Progress,
) -> dict[str, float]:
    """By layer, in the share of the noise in the outputs' power. `evaluator` of float files on `probes`, asked for where the `cache` knows
    nothing of these `facts`; files are written below `folder`.
    """
    layers = file.layers()
    facts = {**facts, "what": "heard noise", "bits": _BITS, "layers": [layer.name for layer in layers]}
    known = cache.find(**facts)
    if known is None:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            heard = [*_measured(file, layers, evaluator(), Path(scratch), progress)]
        known = {"heard": np.array(heard)}
        cache.put(known, **facts)
    return dict(zip((layer.name for layer in layers), known["heard"].tolist(), strict=True))


def _measured(
    file: QuantizedFile[Layer],
    layers: Sequence[Layer],
    evaluator: Evaluator[Candidate],
    folder: Path,
    progress: Progress,
) -> Iterator[float]:
    for k, layer in enumerate(layers):
        progress(STAGE, k / len(layers))
        noise = evaluator.noise(file.float_with(layer, _rounded(layer), folder))
        yield float(np.mean(noise.sum(axis=0)))
    progress(STAGE, 1.0)


def _rounded(layer: QuantizedLayer) -> npt.NDArray[np.float32]:
    """The weight on the nearest of 2^4 levels of each output."""
    found = rounded_to_nearest(layer.weight, None, _BITS, layer.axis)
    axes = [-1 if axis == layer.axis else 1 for axis in range(layer.weight.ndim)]
    return np.asarray(found.integers * found.scale.reshape(axes), np.float32)
