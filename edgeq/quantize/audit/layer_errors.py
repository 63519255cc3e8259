"""Where each quantized layer's error comes from: its input's range and rounding, its weights, a shifted bias.

With x what the layer gets in float, z what it gets once quantized, W, b float's weights and bias, Q, c the file's:

    Q z + c - (W x + b)  =  W (clip(x) - x)  +  W (z - clip(x))  +  ((Q - W) z + c - b)
                            clipping            rounding             weights
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.quantize.audit.layer_error import LayerError, relative
from edgeq.quantize.passes.fit.fit_layers import Layer, QuantizedFile, layer_inputs
from edgeq.quantize.passes.fit.linear import Linear
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]

_LEVELS = 256  # of activations in 8 bits
_COLUMNS = 4096  # of a layer's outputs, evenly spread, are enough for shares


@dataclass(frozen=True)
class _Numbers:
    """What a layer multiplies and adds: matrices [groups, rows, k], biases [groups, rows]; and its input's range."""

    linear: Linear
    weight: Array
    bias: Array
    quantized: Array
    quantized_bias: Array
    low: float
    high: float
    levels: int

    def to_grid(self, x: Array) -> Array:
        """`x`, which is within the range, as the layer gets it where nothing before it was quantized."""
        step = (self.high - self.low) / (self.levels - 1)
        return np.asarray(self.low + np.round((x - self.low) / step) * step)


def onnx_layer_errors(
    model: "onnx.ModelProto", quantized: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> dict[str, LayerError]:
    """By node, of the float graph `model` and the QDQ file made from it."""
    return layer_errors(QdqFile.read(quantized, model), samples, threads=threads, progress=progress)


def layer_errors(
    file: QuantizedFile[Layer],
    samples: SamplesLike,
    *,
    threads: int,
    progress: Progress,
    levels: int = _LEVELS,
) -> dict[str, LayerError]:
    """By layer of `file`, whose activations have so many `levels`."""
    runs = file.runs(samples, tuple(range(samples.count)), threads)
    found, layers = {}, file.layers()
    for k, layer in enumerate(layers):
        progress("explain", k / len(layers))
        pairs = layer_inputs(layer, runs)
        linear, limits = layer.linear(pairs[0][0].shape), file.input_range(layer)
        if linear is not None and limits is not None:
            integers, scale = file.integers(layer), file.scale(layer)
            numbers = _numbers(
                linear, layer.weight, layer.bias, integers, scale, file.bias(layer), limits, levels
            )
            found[layer.name] = _error(numbers, pairs)
    return _finite(found)


def _numbers(
    linear: Linear,
    weight: Array,
    bias: Array | None,
    integers: Array,
    scale: Array,
    quantized_bias: Array | None,
    limits: tuple[float, float],
    levels: int,
) -> _Numbers:
    matrix = linear.matrix(weight)
    rows = matrix.shape[:2]
    step = np.broadcast_to(scale.astype(np.float64).reshape(-1), rows[0] * rows[1]).reshape(*rows, 1)
    zeros = np.zeros(rows)
    biases = (zeros if b is None else b.astype(np.float64).reshape(rows) for b in (bias, quantized_bias))
    return _Numbers(
        linear, matrix, next(biases), linear.matrix(integers) * step, next(biases), *limits, levels
    )


def _finite(errors: dict[str, LayerError]) -> dict[str, LayerError]:
    """Of a layer that gets an infinity the parts of an error are no numbers."""
    return {name: e for name, e in errors.items() if np.isfinite([e.error, e.own]).all()}


@np.errstate(over="ignore", invalid="ignore")
def _error(n: _Numbers, pairs: list[tuple[Array, Array]]) -> LayerError:
    """Powers are summed over positions; signal, then the parts of the docstring above, then all of it, then its own."""
    powers, total, count = np.zeros(6), np.zeros(n.bias.shape), 0
    for parts in _parts(n, pairs):
        powers += [float(np.sum(np.square(part))) for part in parts]
        total += parts[4].sum(axis=2)
        count += parts[-1].shape[2]
    shift = float(np.sum(np.square(total / max(count, 1)))) * count
    clipping, rounding, weights, error, own, shift = relative([*powers, shift])
    return LayerError(error, own, rounding, weights, shift, n.low, n.high, clipping)


def _parts(n: _Numbers, pairs: list[tuple[Array, Array]]) -> Iterator[tuple[Array, ...]]:
    """(float's output, clipping, rounding, weights, all of the error, its own), each [groups, rows, positions], per sample."""
    bias, quantized_bias = n.bias[..., None], n.quantized_bias[..., None]
    for i, (x, z) in enumerate(pairs):
        step = max(1, n.linear.positions(x.shape) * len(pairs) // _COLUMNS) | 1
        xs, zs = (n.linear.columns(a, i % step, step).astype(np.float64) for a in (x, z))
        cut = np.clip(xs, n.low, n.high)
        clipping, rounding = n.weight @ (cut - xs), n.weight @ (zs - cut)
        weights = (n.quantized - n.weight) @ zs + quantized_bias - bias
        real = n.weight @ xs + bias
        own = n.quantized @ n.to_grid(cut) + quantized_bias - real
        yield real, clipping, rounding, weights, clipping + rounding + weights, own
