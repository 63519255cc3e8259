"""Runs the float graph over the calibration samples and keeps statistics of every activation, in one streaming pass.

Memory is that of one sample's activations and one `TensorStats` per tensor, whatever the number of samples.

The pass stops early where more samples would change no range. After 128 samples, 256, 512 and so on, the ends of all
ranges are compared with those after half as many: the extremes, and where a histogram is kept those of the percentile
too. Where none of them moved by more than 2 % of its tensor's width, which is 0.17 dB of rounding, the samples that are
left are not run. Half, because extremes come in bursts: on MNIST 64 samples in a row moved nothing, twice, and the next
ones moved ends by 7 %.
"""

import hashlib
import importlib.metadata
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.foreign import as_conversion_failed
from edgeq.graphs.tflite import read_tflite
from edgeq.graphs.tflite_session import feed, interpreter_of
from edgeq.graphs.weightless import digest
from edgeq.limited.native_call import native_call
from edgeq.quantize.calibration.array_cache import NO_CACHE, ArrayCache
from edgeq.quantize.calibration.calibrators import AUTO, calibrator_named, percentile
from edgeq.quantize.calibration.float_outputs import MOST_BYTES, FloatOutputs
from edgeq.quantize.calibration.instrumented_graph import InstrumentedGraph, folded_inputs
from edgeq.quantize.calibration.tensor_stats import (
    FORMAT,
    Range,
    SampleStats,
    TensorStats,
    packed,
    stats_of_sample,
    unpacked,
    values_per_sample,
)
from edgeq.quantize.run_model import Progress, no_progress
from edgeq.quantize.samples import Array, SamplesLike

if TYPE_CHECKING:
    import onnx
    from ai_edge_litert.interpreter import Interpreter

Ranges = dict[str, Range]
Ends = npt.NDArray[np.float64]  # [tensors, low and high of one or two ranges]

LEVELS = {8: 2**8, 16: 2**16}  # by the bits of the activations
_LARGEST = float(np.finfo(np.float32).max)
_BITS = 12  # of an end of a range, which moves by a quarter of a thousandth at most
STAGE = "calibrate"
_FEWEST = 64  # samples before ends are compared
_TOLERANCE = 0.02  # of the width by which an end may move


@dataclass(frozen=True)
class Calibration:
    """Statistics of each tensor on the first `samples` of the set: fewer than it has where the ranges converged.

    `model` is the sha256 of the float model, weights included. `outputs` are those that were asked for, where they are known.
    """

    tensors: Mapping[str, TensorStats]
    samples: int
    model: str
    outputs: FloatOutputs | None = None


def needs_histogram(calibrator: str) -> bool:
    """Raises TargetRefused when there is no calibrator of this name."""
    return any(
        calibrator_named(name).NEEDS_HISTOGRAM for name in (AUTO if calibrator == "auto" else (calibrator,))
    )


def ranges_of(calibration: Calibration, calibrator: str, bits: int = 8) -> Ranges:
    """Of the tensors that had values, for activations of `bits`; their ends rounded (`_rounded`)."""
    range_of, levels = calibrator_named(calibrator).range_of, LEVELS[bits]
    distinct = {id(stats): stats for stats in calibration.tensors.values() if stats.count}
    found = {key: _rounded(range_of(stats, levels)) for key, stats in distinct.items()}
    return {name: found[id(stats)] for name, stats in calibration.tensors.items() if stats.count}


def _rounded(ends: Range) -> Range:
    """To _BITS significant bits. Float kernels of another CPU add in another order, which changes the last bits of the
    extremes; with them the scales would change, and with these, now and then, an integer.
    """
    low, high = ends
    return _round(low), _round(high)


def _round(value: float) -> float:
    fraction, exponent = math.frexp(value)
    rounded = math.ldexp(round(math.ldexp(fraction, _BITS)), exponent - _BITS)
    return rounded if abs(rounded) <= _LARGEST else value  # a mask holds the lowest float32 there is


def calibrate_onnx(
    model: "onnx.ModelProto",
    samples: SamplesLike,
    histogram: bool,
    *,
    threads: int = 1,
    progress: Progress = no_progress,
    cache: ArrayCache = NO_CACHE,
    kept: tuple[str, ...] = (),
) -> Calibration:
    """Of all float tensors of `model`, which has inferred shapes, inputs included. `kept`: tensors whose values are the outputs of
    the calibration; unknown where the statistics come from the cache, or all of them are large.

    A tensor that only a foldable Relu or Clip reads gets the statistics of that one's output.
    """
    facts = _facts("onnxruntime", digest(model), samples, histogram, threads)

    seen: list[tuple[Array, ...]] = []

    def run() -> tuple[dict[str, TensorStats], int]:
        progress(STAGE, 0.0)
        per_sample = values_per_sample(samples.count) if histogram else 0
        graph = InstrumentedGraph(model, per_sample, threads, kept)
        inputs = graph.inputs

        def look() -> Iterator[dict[str, SampleStats]]:
            feeds = (dict(zip(inputs, samples[i], strict=True)) for i in range(samples.count))
            for stats, outputs in graph.run_each(feeds):
                if sum(o.nbytes for o in outputs) * samples.count <= MOST_BYTES:
                    seen.append(outputs)
                yield stats

        return _stream(samples.count, look(), histogram, progress)

    found = _cached_or(run, cache, facts)
    if kept and len(seen) == found.samples:
        found = replace(found, outputs=FloatOutputs(samples, kept, tuple(seen)))
    behind = {
        name: found.tensors[after] for name, after in folded_inputs(model).items() if after in found.tensors
    }
    return replace(found, tensors={**found.tensors, **behind})


def calibrate_tflite(
    path: Path,
    samples: SamplesLike,
    histogram: bool,
    *,
    threads: int = 1,
    progress: Progress = no_progress,
    cache: ArrayCache = NO_CACHE,
) -> Calibration:
    """Of all float activations of a .tflite file, by name."""
    facts = _facts(
        "ai-edge-litert", hashlib.sha256(path.read_bytes()).hexdigest(), samples, histogram, threads
    )

    def run() -> tuple[dict[str, TensorStats], int]:
        progress(STAGE, 0.0)
        interpreter = interpreter_of(path, threads, keep_all=True)
        constant = {t.name for t in read_tflite(path).tensors if t.constant}
        per_sample = values_per_sample(samples.count)

        def look(arrays: tuple[Array, ...]) -> dict[str, SampleStats]:
            feed(interpreter, arrays)
            with as_conversion_failed("the float .tflite does not run on a calibration sample"):
                native_call(interpreter.invoke)
            tensors = _float_tensors(interpreter)
            return {
                name: _sample_stats(interpreter, index, per_sample)
                for name, index in tensors.items()
                if name not in constant
            }

        each = (look(samples[i]) for i in range(samples.count))
        return _stream(samples.count, each, histogram, progress)

    return _cached_or(run, cache, facts)


def _stream(
    count: int,
    each: Iterator[Mapping[str, SampleStats]],
    histogram: bool,
    progress: Progress,
) -> tuple[dict[str, TensorStats], int]:
    """The statistics over up to `count` samples, and on how many they are."""
    tensors: dict[str, TensorStats] = {}
    before = None
    for i, sample in enumerate(each):
        for name, stats in sample.items():
            if name not in tensors:
                tensors[name] = TensorStats(histogram)
            tensors[name].update(stats)
        progress(STAGE, (i + 1) / count)
        if i + 1 >= _FEWEST and (i + 1).bit_count() == 1:  # a power of two
            after = range_ends(tensors)
            if before is not None and ranges_converged(before, after):
                progress(STAGE, 1.0)
                return tensors, i + 1
            before = after
    return tensors, count


def range_ends(tensors: Mapping[str, TensorStats]) -> Ends:
    return np.array(
        [
            (*s.extremes, *(percentile.range_of(s, 0) if s.bins is not None and s.count else s.extremes))
            for s in tensors.values()
        ]
    )


def ranges_converged(before: Ends, after: Ends) -> bool:
    """Whether no end moved by more than the tolerance; a tensor that was not there before did."""
    if before.shape != after.shape:
        return False
    width = after[:, 1:2] - after[:, 0:1]
    return bool(np.all(np.abs(after - before) <= _TOLERANCE * width))


def _cached_or(
    run: Callable[[], tuple[dict[str, TensorStats], int]], cache: ArrayCache, facts: dict[str, Any]
) -> Calibration:
    """From the cache; else computed, and put there."""
    arrays = cache.find(**facts)
    found = None if arrays is None else unpacked(arrays)
    if found is None:
        found = run()
        cache.put(packed(*found), **facts)
    return Calibration(*found, model=facts["model"])


def _facts(runtime: str, model: str, samples: SamplesLike, histogram: bool, threads: int) -> dict[str, Any]:
    """All that the statistics depend on; sums of floats depend on the runtime and on how work is divided."""
    return {
        "what": "tensor_stats",
        "format": FORMAT,
        "model": model,
        "samples": samples.sha256,
        "count": samples.count,
        "histogram": histogram,
        "runtime": [runtime, importlib.metadata.version(runtime)],
        "threads": threads,
    }


def _float_tensors(interpreter: "Interpreter") -> dict[str, int]:
    """Name to index."""
    return {
        d["name"]: d["index"]
        for d in interpreter.get_tensor_details()
        if d["dtype"] is np.float32 and d["name"]
    }


def _sample_stats(interpreter: "Interpreter", index: int, per_sample: int) -> SampleStats:
    try:
        array = interpreter.get_tensor(index)
    except ValueError:  # a tensor that the runtime never filled
        array = np.empty(0, np.float32)
    return stats_of_sample(array, per_sample)
