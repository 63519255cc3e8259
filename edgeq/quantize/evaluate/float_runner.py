"""Opens a float model so that it computes what its graph defines, also where the runtime's optimised graph does not.

onnxruntime rewrites a graph before it runs it, and a rewrite can be wrong: 1.32 takes a Transpose in front of a MatMul with
a vector into a product that transposes the vector. A right int8 file then looks wrong, and a wrong float one right.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeq.errors import ConversionFailed
from edgeq.foreign import as_conversion_failed
from edgeq.quantize.evaluate.sqnr import are_integers, equal_values, sqnr_db
from edgeq.quantize.run_model import Runner, load
from edgeq.quantize.samples import Array, SamplesLike

_SAMPLES = 3  # a wrong rewrite is wrong on any sample
_NOISE = 1e-3  # of an output's largest value, in float32: sums in another order
_HALF_NOISE = 1e-2  # where values are rounded to 16 bits between the operators, or not
_EQUAL = 99.0  # percent of integers: those that float noise decides differ
_LAST_BITS = 1e-6  # of a value
_FAULT_MARGIN_DB = 20.0  # by how much a fault is worse than what noise in the last bits does
_HALF = frozenset({"float16", "bfloat16"})


@dataclass(frozen=True)
class FloatRunner:
    """`runner` computes the graph by definition where `differs_db` is a number: the SQNR in dB of what the runtime computes
    from its optimised graph, in the output that differs most. Else it is the runtime's own.
    """

    runner: Runner
    differs_db: float | None = None


def float_runner(path: Path, format: str, threads: int, samples: SamplesLike) -> FloatRunner:
    """Of a float file. Compares on the first of `samples`. Raises what run_model.load does, and ConversionFailed where the
    model does not run.
    """
    if format != "onnx":
        return FloatRunner(load(path, format, threads))
    few = [samples[i] for i in range(min(samples.count, _SAMPLES))]
    # One session after the other: each holds the weights.
    try:
        expected = _by_definition(path, threads, few)
    except ConversionFailed:  # some operators have a kernel in the optimised graph alone
        return FloatRunner(load(path, format, threads))
    optimised = load(path, format, threads)
    with as_conversion_failed("the model does not run on this host's runtime"):
        got = [optimised(arrays) for arrays in few]
        if not _differ(expected, got):
            return FloatRunner(optimised)
        again = [optimised(arrays) for arrays in few]
    if _differ(got, again):  # it draws random numbers
        return FloatRunner(optimised)
    perturbed = _by_definition(path, threads, _perturbed(few))
    differs_db = _worst_db(expected, got)
    if _differ(expected, perturbed) and _worst_db(expected, perturbed) < differs_db + _FAULT_MARGIN_DB:
        return FloatRunner(optimised)  # noise itself decides as much, as which of two equal boxes is first
    return FloatRunner(load(path, format, threads, unoptimized=True), differs_db)


def _by_definition(path: Path, threads: int, samples: list[tuple[Array, ...]]) -> list[tuple[Array, ...]]:
    """The outputs of each sample. Raises ConversionFailed."""
    defined = load(path, "onnx", threads, unoptimized=True)
    with as_conversion_failed("the graph does not run by definition"):
        return [defined(arrays) for arrays in samples]


def _perturbed(samples: list[tuple[Array, ...]]) -> list[tuple[Array, ...]]:
    """With noise in the last bits of float32 on every float value."""
    rng = np.random.default_rng(0)

    def one(array: Array) -> Array:
        if array.dtype.kind != "f":
            return array
        noise = 1.0 + _LAST_BITS * rng.standard_normal(array.shape)
        return np.asarray(array.astype(np.float64) * noise, array.dtype)

    return [tuple(one(array) for array in arrays) for arrays in samples]


def _differ(expected: list[tuple[Array, ...]], got: list[tuple[Array, ...]]) -> bool:
    return any(_differs(e, g) for one in zip(expected, got, strict=True) for e, g in zip(*one, strict=True))


def _differs(expected: Array, got: Array) -> bool:
    if expected.shape != got.shape:
        return True
    if are_integers(expected):
        return equal_values(expected.reshape(1, -1), got.reshape(1, -1)) < _EQUAL
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(got)):
        return True
    e, g = expected[finite].astype(np.float64), got[finite].astype(np.float64)
    if not e.size:
        return False
    noise = _HALF_NOISE if expected.dtype.name in _HALF else _NOISE
    return float(np.abs(e - g).max()) > noise * float(max(np.abs(e).max(), np.abs(g).max()))


def _worst_db(expected: list[tuple[Array, ...]], got: list[tuple[Array, ...]]) -> float:
    found = [
        sqnr_db(e.reshape(1, -1), g.reshape(1, -1))
        for one in zip(expected, got, strict=True)
        for e, g in zip(*one, strict=True)
        if _differs(e, g)
    ]
    return min(db for db in found if db is not None)
