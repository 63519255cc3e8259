"""Runs the float graph over the calibration samples and keeps what was seen of every activation, in one streaming pass.

Memory is that of one sample's activations and one `Seen` per tensor, whatever the number of samples.
"""

import hashlib
import importlib.metadata
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.foreign import translated
from edgeq.limited.native_call import native_call
from edgeq.quantize.calibration import ranges_converged, stored_stats
from edgeq.quantize.calibration.array_cache import Kept
from edgeq.quantize.calibration.instrumented_graph import ObservedGraph, hidden
from edgeq.quantize.calibration.observers import AUTO, observer
from edgeq.quantize.calibration.tensor_stats import Glance, Range, Seen, counted_of_one, glance_at
from edgeq.quantize.run_model import Progress, feed, interpreter_of, no_progress
from edgeq.quantize.samples import Array, SamplesLike
from edgeq.quantize.tflite_file import read

Ranges = dict[str, Range]

LEVELS = 256
_LARGEST = float(np.finfo(np.float32).max)
_BITS = 12  # of an end of a range, which moves by a quarter of a thousandth at most
NOTHING_KEPT = Kept()


@dataclass(frozen=True)
class Calibration:
    """What was seen of each tensor on the first `samples` of the set; fewer than it has where ranges stood still.

    `model` is the sha256 of the float model, weights included.
    """

    tensors: Mapping[str, Seen]
    samples: int
    model: str


def needs_histogram(calibrator: str) -> bool:
    """Raises TargetRefused when there is no calibrator of this name."""
    return any(observer(name).HISTOGRAM for name in (AUTO if calibrator == "auto" else (calibrator,)))


def ranges_of(calibration: Calibration, calibrator: str) -> Ranges:
    """Of the tensors that had values, their ends rounded (`_rounded`)."""
    way = observer(calibrator)
    distinct = {id(seen): seen for seen in calibration.tensors.values() if seen.count}
    found = {key: _rounded(way.range_of(seen, LEVELS)) for key, seen in distinct.items()}
    return {name: found[id(seen)] for name, seen in calibration.tensors.items() if seen.count}


def _rounded(ends: Range) -> Range:
    """To _BITS significant bits. Float kernels of another CPU add in another order, which changes the last bits of what is
    seen; with them the scales would change, and with these, now and then, an integer.
    """
    low, high = ends
    return _round(low), _round(high)


def _round(value: float) -> float:
    fraction, exponent = math.frexp(value)
    rounded = math.ldexp(round(math.ldexp(fraction, _BITS)), exponent - _BITS)
    return rounded if abs(rounded) <= _LARGEST else value  # a mask holds the lowest float32 there is


def onnx_seen(
    model: Any,
    samples: SamplesLike,
    histogram: bool,
    *,
    threads: int = 1,
    progress: Progress = no_progress,
    kept: Kept = NOTHING_KEPT,
) -> Calibration:
    """Of all float tensors of `model` (an onnx ModelProto with inferred shapes), inputs included.

    A tensor that only its Relu or Clip reads is seen as what that makes of it.
    """
    facts = _facts("onnxruntime", model.SerializeToString(), samples, histogram, threads)

    def seen() -> tuple[dict[str, Seen], int]:
        counted = counted_of_one(samples.count) if histogram else 0
        graph = ObservedGraph(model, counted, threads)
        inputs = graph.inputs
        return _stream(
            samples,
            lambda arrays: graph.look(dict(zip(inputs, arrays, strict=True))),
            histogram,
            progress,
        )

    found = _kept_or(seen, kept, facts)
    behind = {name: found.tensors[after] for name, after in hidden(model).items() if after in found.tensors}
    return replace(found, tensors={**found.tensors, **behind})


def tflite_seen(
    path: Path,
    samples: SamplesLike,
    histogram: bool,
    *,
    threads: int = 1,
    progress: Progress = no_progress,
    kept: Kept = NOTHING_KEPT,
) -> Calibration:
    """Of all float activations of a .tflite file, by name."""
    facts = _facts("ai-edge-litert", path.read_bytes(), samples, histogram, threads)

    def seen() -> tuple[dict[str, Seen], int]:
        interpreter = interpreter_of(path, threads, keep_all=True)
        constant = {t.name for t in read(path).tensors if t.constant}
        counted = counted_of_one(samples.count)

        def look(arrays: tuple[Array, ...]) -> dict[str, Glance]:
            feed(interpreter, arrays)
            with translated("the float .tflite does not run on a calibration sample"):
                native_call(interpreter.invoke)
            tensors = _float_tensors(interpreter)
            return {
                name: _glance_at(interpreter, index, counted)
                for name, index in tensors.items()
                if name not in constant
            }

        return _stream(samples, look, histogram, progress)

    return _kept_or(seen, kept, facts)


def _stream(
    samples: SamplesLike,
    look: Callable[[tuple[Array, ...]], Mapping[str, Glance]],
    histogram: bool,
    progress: Progress,
) -> tuple[dict[str, Seen], int]:
    """What was seen, and on how many samples."""
    seen: dict[str, Seen] = {}
    before = None
    for i in range(samples.count):
        for name, glance in look(samples[i]).items():
            if name not in seen:
                seen[name] = Seen(histogram)
            seen[name].note(glance)
        progress("calibrate", (i + 1) / samples.count)
        if ranges_converged.is_checked(i + 1):
            after = ranges_converged.ends(seen)
            if before is not None and ranges_converged.stand_still(before, after):
                return seen, i + 1
            before = after
    return seen, samples.count


def _kept_or(
    see: Callable[[], tuple[dict[str, Seen], int]], kept: Kept, facts: dict[str, Any]
) -> Calibration:
    """From what is kept; else seen and kept."""
    arrays = kept.find(**facts)
    found = None if arrays is None else stored_stats.unpacked(arrays)
    if found is None:
        found = see()
        kept.put(stored_stats.packed(*found), **facts)
    return Calibration(*found, model=facts["model"])


def _facts(runtime: str, model: bytes, samples: SamplesLike, histogram: bool, threads: int) -> dict[str, Any]:
    """All that decides what is seen; sums of floats depend on the runtime and on how work is divided."""
    return {
        "what": "seen",
        "format": stored_stats.FORMAT,
        "model": hashlib.sha256(model).hexdigest(),
        "samples": samples.sha256,
        "count": samples.count,
        "histogram": histogram,
        "runtime": [runtime, importlib.metadata.version(runtime)],
        "threads": threads,
    }


def _float_tensors(interpreter: Any) -> dict[str, int]:
    """Name to index."""
    return {
        d["name"]: d["index"]
        for d in interpreter.get_tensor_details()
        if d["dtype"] is np.float32 and d["name"]
    }


def _glance_at(interpreter: Any, index: int, counted: int) -> Glance:
    try:
        array = interpreter.get_tensor(index)
    except ValueError:  # a tensor that the runtime never filled
        array = np.empty(0, np.float32)
    return glance_at(array, counted)
