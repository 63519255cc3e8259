"""Fits the quantized layers of a file one after the other, each to the rounding errors of all layers before it.

Knows neither ONNX nor TFLite: a file hands over its layers and takes their new weights (qdq_file.py, quantized_tflite.py).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from edgeq.errors import TargetRefused
from edgeq.nouns.weight_levels import UNIFORM
from edgeq.quantize.effort import DEFAULT, EFFORTS, Effort
from edgeq.quantize.evaluate.partial_run import PartialRun
from edgeq.quantize.fit_time import shares_before
from edgeq.quantize.numerics.level_kinds import other_levels
from edgeq.quantize.passes.fit.bits_by_layer import bits_by_layer
from edgeq.quantize.passes.fit.gptq_rounding import Floats
from edgeq.quantize.passes.fit.least_squares import (
    Solution,
    change_of_mean,
    few_levels,
    fit_and_check_moments,
    means_of,
    solve,
    solve_few_levels,
)
from edgeq.quantize.passes.fit.level_sets import on_levels_of
from edgeq.quantize.passes.fit.linear import Linear
from edgeq.quantize.passes.fit.nearest_levels import nearest_scale, rounded_to_nearest
from edgeq.quantize.passes.fit.row_blocks import blocks_of
from edgeq.quantize.passes.fit.short_code import level_range, short_levels
from edgeq.quantize.run_model import Progress, no_progress
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.weights import Weights

Array = npt.NDArray[Any]
Pairs = list[tuple[Array, Array]]  # a layer's input in float and once quantized, one pair per sample

# Length of a row that is fitted whole: 4,608 are 512 channels under a 3 x 3 window. Longer ones take blocks; below 8 bits their steps
# are then chosen by the weights alone (nearest_levels.py), as those of all else that cannot be chosen by the outputs.
_LONGEST_WHOLE, _BLOCK = 4608, 288
SHORTEST_FEW = 32  # weights of a row, to get few levels where a number of bits is the mean
SHORT_ROWS = f"rows have fewer than {SHORTEST_FEW} weights"
OUTER = "it is a first or last layer"
SELECTS = "it only selects values"
STAGE = "fit weights and biases"


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

    @property
    def axis(self) -> int:
        """Of `weight`, along which its outputs lie."""

    def linear(self, input_shape: tuple[int, ...]) -> Linear | None:
        """How it multiplies inputs that `columns_input` gives; None where this is not known."""

    def columns_input(self, x: Array) -> Array:
        """The layer's input, channels first."""


Layer = TypeVar("Layer", bound=QuantizedLayer)


class QuantizedFile(Protocol[Layer]):
    """A quantized model, with the float one that it was made from."""

    def layers(self) -> tuple[Layer, ...]:
        """In the order in which they run."""

    def runs(
        self, samples: SamplesLike, threads: int, first: int | None = None
    ) -> tuple[PartialRun[Any], PartialRun[Any]]:
        """Of float and of the quantized model as it is changed, of the `first` samples; None: of all."""

    def integers(self, layer: Layer) -> npt.NDArray[np.int8]:
        """The quantized weight, in the order of `layer.weight`."""

    def scale(self, layer: Layer) -> Array:
        """Of the weight: one per output, or one for all."""

    def bias(self, layer: Layer) -> Array | None:
        """The dequantized bias."""

    def input_range(self, layer: Layer) -> tuple[float, float] | None:
        """The smallest and the largest value that the layer's input can have; None where it is not quantized."""

    def outer(self) -> Collection[str]:
        """The names of the first and the last layers, in float or not."""

    def put(self, layer: Layer, weights: Weights) -> None:
        """Replaces integers, scale and bias; types and shapes stay."""

    def float_with(self, layer: Layer, weight: Array, folder: Path) -> Any:
        """The float model with another weight of a layer, as an evaluator takes it: itself, or a file below `folder`."""

    def save(self, path: Path) -> None: ...


@dataclass(frozen=True)
class WeightLevels:
    """`kind` of edgeq/nouns/weight_levels.py; its levels are int8 up to `most`."""

    kind: str = UNIFORM
    most: int = 127


AS_UNIFORM = WeightLevels()


def fit_layers(
    file: QuantizedFile[Layer],
    samples: SamplesLike,
    *,
    counts: Sequence[int] | None = None,
    bits: float = 8,
    short_code: bool = False,
    levels: WeightLevels = AS_UNIFORM,
    whole: Collection[str] | None = None,
    effort: Effort = EFFORTS[DEFAULT],
    threads: int = 1,
    progress: Progress = no_progress,
    seconds: Mapping[str, float] | None = None,
    heard: Mapping[str, float] | None = None,
) -> dict[str, Weights]:
    """Changes the weights of `file`, and returns the new ones by layer; layers that are not among them keep theirs.

    `samples` are those to learn from, of which each layer is fitted to the first `counts`, which do not fall; None: to all. Below 8
    `bits`, rows get 2^bits levels, still stored as int8: those of least error. For a `short_code` they are those that an entropy coder makes least
    of (short_code.py), `bits` are the mean of all layers (`shared_bits`). `levels` that are not uniform have all layers but those of `whole`, by default of `whole_layers`,
    2^bits at most for each row. `effort` says whether biases alone are corrected, and the blocks
    that rows are fitted in. `seconds` that layers are expected to take, by name: what `progress` goes by. What of each layer's rounding is
    `heard` in the outputs (heard_noise.py); None: the same of each.
    Raises TargetRefused where no layer can have the levels.
    """
    layers = file.layers()
    counts = counts or [samples.count] * len(layers)
    runs = file.runs(samples, threads, min(counts, default=0))
    found: dict[str, Weights] = {}
    wanted = [
        (layer, n) for layer, n in zip(layers, counts, strict=True) if effort.fitted or layer.bias is not None
    ]
    whole = whole_layers(file, levels.kind) if whole is None else whole
    if levels.kind != UNIFORM and len(whole) == len(layers):
        raise TargetRefused(
            f"the network has no layer for {levels.kind} weights: {len(layers)} in int8 have weights of their own, and those are first and last ones, or have short rows",
            "leave out --levels",
        )
    shared = shared_bits(layers, bits, whole, levels.kind, heard)
    done = shares_before([layer.name for layer, _ in wanted], seconds or {})
    for k, (layer, count) in enumerate(wanted):
        progress(STAGE, done[k])
        pairs = layer_inputs(layer, runs, count)
        linear = layer.linear(pairs[0][0].shape)
        each = shared[layer.name] if short_code or levels.kind != UNIFORM else bits
        stored = Weights(file.integers(layer), file.scale(layer), None)
        if linear is not None:
            with threadpool_limits(1, "blas"):  # more threads oversubscribe a shared machine
                if effort.fitted:
                    found[layer.name] = _fitted(
                        layer, linear, pairs, stored, each, effort.block, short_code, levels
                    )
                else:
                    found[layer.name] = _with_bias_corrected(layer, linear, pairs, stored)
        elif each < 8:
            axis = layer.axis if stored.scale.size > 1 else None
            found[layer.name] = _nearest(layer, file.bias(layer), each, axis, levels)
        if layer.name in found:
            file.put(layer, found[layer.name])
    progress(STAGE, 1.0)
    return found


def shared_bits(
    layers: Sequence[QuantizedLayer],
    average: float,
    whole: Collection[str],
    kind: str = UNIFORM,
    heard: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Bits by layer: 8 of those of `whole`. Of uniform levels their mean over all weights is `average`, with more than that where a layer
    has few weights, and where its rounding is `heard` (bits_by_layer.py); other kinds have whole numbers of bits, the same for all.
    """
    sizes = {layer.name: int(layer.weight.size) for layer in layers}
    if kind != UNIFORM:
        return {name: 8.0 if name in whole else average for name in sizes}
    few = {name: size for name, size in sizes.items() if name not in whole}
    loud = heard and {name: heard[name] for name in few}
    return dict.fromkeys(whole, 8.0) | bits_by_layer(few, average, sum(sizes[name] for name in whole), loud)


def whole_layers(file: QuantizedFile[Layer], kind: str = UNIFORM) -> dict[str, str]:
    """The layers that keep 8 bits, and why: those that few levels harm most and that mostly hold few of the weights, depthwise ones and first
    ones. Where levels are not uniform also what training leaves in 8 bits (docs/training.md).
    """
    layers = file.layers()
    found = {
        each.name: SHORT_ROWS
        for each in layers
        if each.weight.size < SHORTEST_FEW * each.weight.shape[each.axis]
    }
    if kind == UNIFORM:
        return found
    outer = file.outer()
    found |= {each.name: SELECTS for each in layers if _selects(each)}
    return found | {each.name: OUTER for each in layers if each.name in outer}


def _selects(layer: QuantizedLayer) -> bool:
    """Whether each output is one input as it is: a shortcut that was written as a convolution."""
    rows = np.moveaxis(layer.weight, layer.axis, 0)
    return bool((np.count_nonzero(rows.reshape(len(rows), -1), axis=1) <= 1).all())


def save_with_weights(file: QuantizedFile[Layer], weights: Mapping[str, Weights], path: Path) -> None:
    """Writes `file` with the weights that `fit_layers` found to `path`; layers that are in float stay so."""
    for layer in file.layers():
        if layer.name in weights:
            file.put(layer, weights[layer.name])
    file.save(path)


def held_bytes(file: QuantizedFile[Layer], samples: SamplesLike, sizes: Mapping[str, int]) -> list[int]:
    """That one sample holds at the input of each layer in float, given the `sizes` of tensors in bytes."""
    run, _ = file.runs(samples, 1, 0)
    held = run.held_at(layer.float_input for layer in file.layers())
    return [sum(sizes.get(str(tensor), 0) for tensor in each) for each in held]


def layer_inputs(
    layer: QuantizedLayer, runs: tuple[PartialRun[Any], PartialRun[Any]], count: int = 0
) -> Pairs:
    """Of `count` samples, or as many as were run before."""
    x, z = runs[0].to(layer.float_input, count), runs[1].to(layer.input, count)
    return [(layer.columns_input(a), layer.columns_input(b)) for a, b in zip(x, z, strict=True)]


def _fitted(
    layer: QuantizedLayer,
    linear: Linear,
    pairs: Pairs,
    stored: Weights,
    bits: float,
    block: int | None,
    short_code: bool = False,
    levels: WeightLevels = AS_UNIFORM,
) -> Weights:
    """Keeps the scale and the largest integer at 8 `bits`; below, rows get 2^bits levels: of least error of the outputs where a row has
    a scale of its own and is fitted whole, else of the weights.
    """
    others = levels.kind != UNIFORM and bits < 8
    matrix, scale = linear.matrix(layer.weight), stored.scale
    rows, k = matrix.shape[:2], matrix.shape[-1]
    bias, limit = _bias_by_row(layer, rows), int(np.abs(stored.integers.astype(np.int16)).max())
    if bits < 8 and not others:  # of a file with 7 bits for sums in 16 bits no more
        bits = min(bits, 1 + math.log2(max(limit, 2)))
    if bits < 8 and scale.size == rows[0] * rows[1] and k <= _LONGEST_WHOLE:
        moments = fit_and_check_moments(linear, pairs, k)
        uniform = short_levels if short_code else few_levels
        chosen = on_levels_of(levels.kind, levels.most) if others else uniform
        solution = solve_few_levels(matrix.astype(np.float64), bias, moments, bits, chosen)
        solution = _without_dead_rows(solution, matrix, _scale_by_row(scale, rows))
    else:
        blocks = blocks_of(k, _BLOCK if k > _LONGEST_WHOLE else block)
        moments = fit_and_check_moments(linear, pairs, k, blocks)
        q_min, q_max = (-limit, limit) if bits == 8 or others else level_range(bits)
        axis = 0 if scale.size > 1 else None
        taken: Floats | None = None
        if others:
            on_int8 = other_levels(matrix.reshape(-1, k), levels.kind, int(bits), axis, levels.most)
            scale, taken = on_int8.scale, on_int8.integers.astype(np.float64)
            taken = taken if taken.ndim == 1 else taken.reshape(*rows, -1)
        elif bits < 8:
            scale = nearest_scale(matrix.reshape(-1, k), bits, axis)
        solution = solve(matrix, bias, moments, _scale_by_row(scale, rows), q_min, q_max, blocks, taken)
    return Weights(
        linear.tensor(solution.integers, stored.integers),
        solution.scale.reshape(-1) if scale.size > 1 else solution.scale.reshape(-1)[:1],
        None if solution.bias is None else solution.bias.reshape(-1),
    )


def _without_dead_rows(solution: Solution, matrix: Array, stored: Floats) -> Solution:
    """Rows of zeros stay zeros, with the scale that they have: steps of one made for no weights are too fine for any bias."""
    dead = np.all(matrix == 0, axis=-1)
    integers = np.where(dead[..., None], 0.0, solution.integers)
    return replace(solution, integers=integers, scale=np.where(dead, stored, solution.scale))


def _nearest(
    layer: QuantizedLayer, bias: Floats | None, bits: float, axis: int | None, levels: WeightLevels
) -> Weights:
    """Nothing is known of the inputs: the levels nearest to the weights; the bias stays."""
    if levels.kind == UNIFORM:
        return rounded_to_nearest(layer.weight, bias, bits, axis)
    on_int8 = other_levels(layer.weight, levels.kind, int(bits), axis, levels.most)
    integers = on_int8(on_int8.levels.nearest(layer.weight))
    return Weights(integers, on_int8.scale.reshape(-1), None if bias is None else bias.reshape(-1))


def _with_bias_corrected(layer: QuantizedLayer, linear: Linear, pairs: Pairs, stored: Weights) -> Weights:
    """Integers and scale stay."""
    matrix, integers = linear.matrix(layer.weight), linear.matrix(stored.integers)
    rows = matrix.shape[:2]
    bias = _bias_by_row(layer, rows)
    assert bias is not None
    means = means_of(linear, pairs, matrix.shape[-1])
    change = change_of_mean(matrix, integers * _scale_by_row(stored.scale, rows)[..., None], *means)
    return Weights(stored.integers, stored.scale.reshape(-1), (bias + change).reshape(-1))


def _bias_by_row(layer: QuantizedLayer, rows: tuple[int, ...]) -> Floats | None:
    return None if layer.bias is None else layer.bias.astype(np.float64).reshape(rows)


def _scale_by_row(scale: Array, rows: tuple[int, ...]) -> Floats:
    """[groups, rows] of one scale per row or one for all."""
    return np.asarray(np.broadcast_to(scale.astype(np.float64).reshape(-1), math.prod(rows)).reshape(rows))
