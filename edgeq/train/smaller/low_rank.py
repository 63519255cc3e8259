"""Large linear layers of a float graph as two factors each: fewer multiplications and weights, for an error of the outputs that is least.

two_factors.py has the formula and its source, linear_layers.py which layers there are. What an error of a layer costs the outputs is measured
by factorizing it alone: on MobileNetV2 that differs a thousandfold, and float with 0.9 of its multiplications agrees with itself in 94 % of 32
images in place of 22.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from edgeq.errors import ModelRefused
from edgeq.graphs.onnx_edit import copied, drop_unread
from edgeq.graphs.onnx_index import index_of
from edgeq.quantize.evaluate.pre_softmax_outputs import pre_softmax_of, tensors_in
from edgeq.quantize.run_model import values_of
from edgeq.quantize.samples import SamplesLike, evenly_spaced
from edgeq.train.smaller.linear_layers import LinearLayer, linear_layers, replace_by_factors
from edgeq.train.smaller.two_factors import Choice, Spectrum, ranks_for, spectrum, spectrum_of_outputs

if TYPE_CHECKING:
    from onnx import ModelProto

Doubles = npt.NDArray[np.float64]
Progress = Callable[[str, float], None]

_SAMPLES = 512  # that the inputs' covariance is taken from
_ROWS = 512  # of each of them: neighbouring pixels are alike
_PROBED_ON = 8  # samples: how much a layer's error moves the outputs
_ROOM = 512 * 2**20  # bytes of covariances at a time
_NOTHING = 1e-9  # of a variance
_STAGE = "factorize"


@dataclass(frozen=True)
class FactoredLayer:
    """A layer of `inputs` x `outputs` weights that became two of `rank`. `error`: the share of its outputs' variance that is lost; the
    `macs` of one run, `before` and after.
    """

    name: str
    inputs: int
    outputs: int
    rank: int
    error: float
    macs_before: int
    macs: int


@dataclass(frozen=True, eq=False)
class _Moments:
    """Of the inputs of a layer, about zero where its outputs can take no mean: `covariance` [n, n], or of W x [m, m] where those are fewer;
    the mean of their variances, `power`; `mean` [n]; `rows` of one run.
    """

    covariance: Doubles
    power: float
    mean: Doubles
    rows: float


def low_rank(
    model: "ModelProto",
    samples: SamplesLike,
    *,
    keep: float,
    threads: int = 1,
    progress: Progress = lambda stage, done: None,
) -> "tuple[ModelProto, tuple[FactoredLayer, ...]]":
    """A copy of the float graph `model` whose large linear layers take `keep` (0 to 1) of their multiplications, in all, and those that
    have two factors now. Names of nodes and tensors, shapes and opset stay.

    Raises ModelRefused where it has no such layer, or where they cannot be made so small.
    """
    copy = copied(model)
    layers = list(linear_layers(index_of(copy.graph)))
    if not layers:
        raise ModelRefused(
            "the model has no linear or 1x1 layer that is large enough for two factors",
            "leave out --low-rank",
        )
    found: dict[int, tuple[Spectrum, _Moments]] = {}
    with threadpool_limits(threads, "blas"):
        for k, moments in _moments(model, layers, evenly_spaced(samples, _SAMPLES), threads):
            found[k] = _spectrum(layers[k], moments), moments
            progress(_STAGE, len(found) / len(layers) / 2)
    choices = [_choice(layer, *found[k]) for k, layer in enumerate(layers)]
    whole = sum(c.whole for c in choices)
    ranks = ranks_for(_by_outputs(model, found, choices, samples, threads, progress), keep * whole)
    reached = sum(c.cost(rank) for c, rank in zip(choices, ranks, strict=True)) / whole
    if reached > keep:
        raise ModelRefused(
            f"the linear layers cannot be made as small as {keep:.0%} of their multiplications",
            f"give --low-rank at least {reached:.2f}",
        )
    factored = []
    for k, (layer, rank) in enumerate(zip(layers, ranks, strict=True)):
        if rank is not None:
            factored.append(_factored(layer, choices[k], rank))
            _replace(copy, layer, *found[k], rank)
    drop_unread(copy.graph)
    return copy, tuple(factored)


def _spectrum(layer: LinearLayer, moments: _Moments) -> Spectrum:
    weights = layer.weights.astype(np.float64)
    if _gives_fewer(layer):
        return spectrum_of_outputs(weights, moments.covariance, moments.power)
    return spectrum(weights, moments.covariance)


def _gives_fewer(layer: LinearLayer) -> bool:
    """Than it takes."""
    outputs, inputs = layer.weights.shape
    return bool(outputs < inputs)


def _choice(layer: LinearLayer, of: Spectrum, moments: _Moments) -> Choice:
    outputs, inputs = layer.weights.shape
    return Choice(of.errors, moments.rows * (outputs + inputs), moments.rows * outputs * inputs)


def _by_outputs(
    model: "ModelProto",
    found: dict[int, tuple[Spectrum, _Moments]],
    choices: Sequence[Choice],
    samples: SamplesLike,
    threads: int,
    progress: Progress,
) -> list[Choice]:
    """With errors of the outputs in place of the layers' own: in proportion to them, as measured at the rank that saves least."""
    few = evenly_spaced(samples, _PROBED_ON)
    outputs = tensors_in(model, pre_softmax_of(model))
    exact = _values(model, outputs, few, threads)
    weighted = []
    for k, choice in enumerate(choices):
        progress(_STAGE, 0.5 + k / len(choices) / 2)
        error = float(choice.errors[choice.most])
        if choice.most and error > _NOTHING:
            one = copied(model)
            _replace(one, list(linear_layers(index_of(one.graph)))[k], *found[k], choice.most)
            drop_unread(one.graph)
            lost = _relative_error(exact, _values(one, outputs, few, threads))
            choice = replace(choice, errors=choice.errors * (lost / error))
        weighted.append(choice)
    return weighted


def _values(model: "ModelProto", outputs: Sequence[str], samples: SamplesLike, threads: int) -> list[Doubles]:
    """Of each output, by sample."""
    every = zip(*values_of(model, outputs, samples, threads), strict=True)
    return [np.stack([np.asarray(value, np.float64) for value in values]) for values in every]


def _relative_error(exact: Sequence[Doubles], found: Sequence[Doubles]) -> float:
    """The mean over outputs of the squared error over the variance."""
    each = [
        np.mean(np.square(b - a)) / max(float(np.var(a)), 1e-30) for a, b in zip(exact, found, strict=True)
    ]
    return float(np.mean(each))


def _factored(layer: LinearLayer, choice: Choice, rank: int) -> FactoredLayer:
    outputs, inputs = layer.weights.shape
    name = layer.node.name or layer.node.output[0]
    error = float(choice.errors[rank])
    return FactoredLayer(name, inputs, outputs, rank, error, round(choice.whole), round(choice.cost(rank)))


def _replace(model: "ModelProto", layer: LinearLayer, of: Spectrum, moments: _Moments, rank: int) -> None:
    a, b = (part.astype(np.float32) for part in of.factors(rank))
    lost = layer.weights.astype(np.float64) - a.astype(np.float64) @ b.astype(np.float64)
    replace_by_factors(layer, index_of(model.graph), a, b, lost @ moments.mean)


def _moments(
    model: "ModelProto", layers: Sequence[LinearLayer], samples: SamplesLike, threads: int
) -> Iterator[tuple[int, _Moments]]:
    """By the place of a layer; in as many runs as memory needs."""
    for group in _groups(layers):
        tensors = list(dict.fromkeys(layers[k].node.input[0] for k in group))
        sums = {k: np.zeros(layers[k].weights.shape[1]) for k in group}
        squares = {k: np.zeros((min(layers[k].weights.shape),) * 2) for k in group}
        powers = dict.fromkeys(group, 0.0)
        count, whole = dict.fromkeys(group, 0), dict.fromkeys(group, 0)
        for values in values_of(model, tensors, samples, threads):
            by_name = dict(zip(tensors, values, strict=True))
            for k in group:
                every = layers[k].rows(by_name[layers[k].node.input[0]])
                rows = every[:: -(-len(every) // _ROWS)]
                sums[k] += rows.sum(axis=0)
                powers[k] += float(np.square(rows).sum())
                seen = rows @ layers[k].weights.T if _gives_fewer(layers[k]) else rows
                squares[k] += seen.T @ seen
                count[k] += len(rows)
                whole[k] += len(every)
        for k in group:
            layer, n = layers[k], max(count[k], 1)
            mean = sums[k] / n if layer.takes_mean else np.zeros(len(sums[k]))
            centre = layer.weights @ mean if _gives_fewer(layer) else mean
            covariance = squares[k] / n - np.outer(centre, centre)
            power = (powers[k] / n - float(np.square(mean).sum())) / len(mean)
            yield k, _Moments(covariance, power, mean, whole[k] / samples.count)


def _groups(layers: Sequence[LinearLayer]) -> Iterator[list[int]]:
    group: list[int] = []
    taken = 0
    for k, layer in enumerate(layers):
        size = 8 * min(layer.weights.shape) ** 2
        if group and taken + size > _ROOM:
            yield group
            group, taken = [], 0
        group.append(k)
        taken += size
    if group:
        yield group
