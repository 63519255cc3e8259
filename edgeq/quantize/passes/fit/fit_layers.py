"""Fits the quantized layers of a file one after the other, each to the rounding errors of all layers before it.

Knows neither ONNX nor TFLite: a file hands over its layers and takes their new weights (qdq_file.py, quantized_tflite.py).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from edgeq.quantize.evaluate.partial_run import PartialRun
from edgeq.quantize.passes.fit.least_squares import fit_and_check_moments, solve, solve_few_levels
from edgeq.quantize.passes.fit.linear import Linear
from edgeq.quantize.passes.fit.row_blocks import blocks_of
from edgeq.quantize.run_model import Progress, no_progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.weights import Weights

Array = npt.NDArray[Any]
Pairs = list[tuple[Array, Array]]  # a layer's input in float and once quantized, one pair per sample

# Length of a row whose moments are worth their time and memory: 4,608 are 512 channels under a 3 x 3 window. In blocks rows
# of any length are, but for the columns of one sample: 65,536 inputs of 256 positions take 64 MB.
_LONGEST_WHOLE, _LONGEST_IN_BLOCKS = 4608, 65536
_STAGE = "fit weights and biases"


class QuantizedLayer(Protocol):
    """A layer of both models. `weight` and `bias` are float's, `weight` in the order outputs, inputs, kernel where the
    format stores it otherwise.
    """

    @property
    def name(self) -> str: ...

    @property
    def float_input(self) -> Any: ...

    @property
    def input(self) -> Any: ...

    @property
    def weight(self) -> Array: ...

    @property
    def bias(self) -> Array | None: ...

    def linear(self, input_shape: tuple[int, ...]) -> Linear | None:
        """How it multiplies inputs that `columns_input` gives; None where this is not known."""

    def columns_input(self, x: Array) -> Array:
        """The layer's input, channels first."""


Layer = TypeVar("Layer", bound=QuantizedLayer)


class QuantizedFile(Protocol[Layer]):
    """A quantized model, with the float one that it was made from."""

    def layers(self) -> tuple[Layer, ...]:
        """In the order in which they run."""

    def runs(self, samples: SamplesLike, threads: int) -> tuple[PartialRun[Any], PartialRun[Any]]:
        """Of float and of the quantized model as it is changed."""

    def integers(self, layer: Layer) -> npt.NDArray[np.int8]:
        """The quantized weight, in the order of `layer.weight`."""

    def scale(self, layer: Layer) -> Array:
        """Of the weight: one per output, or one for all."""

    def bias(self, layer: Layer) -> Array | None:
        """The dequantized bias."""

    def input_range(self, layer: Layer) -> tuple[float, float] | None:
        """The smallest and the largest value that the layer's input can have; None where it is not quantized."""

    def put(self, layer: Layer, weights: Weights) -> None:
        """Replaces integers, scale and bias; types and shapes stay."""

    def save(self, path: Path) -> None: ...


def fit_layers(
    file: QuantizedFile[Layer],
    samples: SamplesLike,
    *,
    bits: int = 8,
    threads: int = 1,
    progress: Progress = no_progress,
) -> dict[str, Weights]:
    """Changes the weights of `file`, and returns the new ones by layer; layers that are not among them keep theirs.

    `samples` are those to learn from. Below 8 `bits`, rows get 2^bits levels, still stored as int8.
    """
    runs = file.runs(samples, threads)
    found: dict[str, Weights] = {}
    layers = file.layers()
    longest = _LONGEST_IN_BLOCKS if bits == 8 else _LONGEST_WHOLE
    for k, layer in enumerate(layers):
        progress(_STAGE, k / len(layers))
        pairs = layer_inputs(layer, runs)
        linear = layer.linear(pairs[0][0].shape)
        if linear is not None and linear.matrix(layer.weight).shape[-1] <= longest:
            with threadpool_limits(1, "blas"):  # more threads oversubscribe a shared machine
                found[layer.name] = _fitted(
                    linear, pairs, layer.weight, layer.bias, file.integers(layer), file.scale(layer), bits
                )
            file.put(layer, found[layer.name])
    progress(_STAGE, 1.0)
    return found


def save_with_weights(file: QuantizedFile[Layer], weights: Mapping[str, Weights], path: Path) -> None:
    """Writes `file` with the weights that `fit_layers` found to `path`; layers that are in float stay so."""
    for layer in file.layers():
        if layer.name in weights:
            file.put(layer, weights[layer.name])
    file.save(path)


def layer_inputs(layer: QuantizedLayer, runs: tuple[PartialRun[Any], PartialRun[Any]]) -> Pairs:
    x, z = runs[0].to(layer.float_input), runs[1].to(layer.input)
    return [(layer.columns_input(a), layer.columns_input(b)) for a, b in zip(x, z, strict=True)]


def _fitted(
    linear: Linear,
    pairs: Pairs,
    weight: Array,
    bias: Array | None,
    integers: Array,
    scale: Array,
    bits: int,
) -> Weights:
    """Keeps the scale and the largest integer at 8 `bits`; below, rows with a scale of their own get 2^bits levels."""
    matrix = linear.matrix(weight)
    rows = matrix.shape[:2]
    wanted = None if bias is None else bias.astype(np.float64).reshape(rows)
    k = matrix.shape[-1]
    if bits < 8 and scale.size == rows[0] * rows[1]:
        moments = fit_and_check_moments(linear, pairs, k)
        solution = solve_few_levels(matrix.astype(np.float64), wanted, moments, bits)
    else:
        blocks = blocks_of(k)
        moments = fit_and_check_moments(linear, pairs, k, blocks)
        scales = np.broadcast_to(scale.astype(np.float64).reshape(-1), rows[0] * rows[1]).reshape(rows)
        limit = int(np.abs(integers.astype(np.int16)).max())
        solution = solve(matrix, wanted, moments, scales, -limit, limit, blocks)
    return Weights(
        linear.tensor(solution.integers, integers),
        solution.scale.reshape(-1) if scale.size > 1 else solution.scale.reshape(-1)[:1],
        None if solution.bias is None else solution.bias.reshape(-1),
    )
