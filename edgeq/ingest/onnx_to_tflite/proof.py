"""Compares a TFLite graph with its ONNX source: both run on the same input."""

import signal
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from edgeq import child_python
from edgeq.errors import ConversionFailed
from edgeq.ingest.onnx_to_tflite import run_apart
from edgeq.ingest.onnx_to_tflite.call import REMEDY
from edgeq.ingest.onnx_to_tflite.pins import CONVERTER
from edgeq.nouns.tensor import TensorSpec

# Float kernels that add in another order leave 100 dB and more; a wrong graph leaves less than 20.
ENOUGH_DB = 60.0
_TIMEOUT_S = 600

Arrays = tuple[np.ndarray, ...]


def outputs_of(file: Path, inputs: Arrays) -> Arrays:
    """What LiteRT computes, in the graph's order. Raises ConversionFailed in its words."""
    with tempfile.TemporaryDirectory(prefix="edgeq-") as folder:
        given, taken = Path(folder, "inputs.npz"), Path(folder, "outputs.npz")
        np.savez(given, *inputs)
        command = child_python.script(run_apart.__file__, file, given, taken)
        try:
            done = child_python.run(command, _TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise _broken(f"did not finish within {_TIMEOUT_S} s", []) from None
        if done.returncode < 0:
            raise _broken(f"crashes on it ({signal.Signals(-done.returncode).name})", [])
        if done.returncode:
            said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise _broken(f"does not run it: {said[-1].partition(': ')[2][:300] if said else ''}", said[-10:])
        with np.load(taken) as arrays:
            return tuple(arrays[f"arr_{position}"] for position in range(len(arrays.files)))


def require_same(expected: Arrays, got: Arrays, outputs: tuple[TensorSpec, ...]) -> float:
    """The lowest SQNR of all outputs, in dB. Raises ConversionFailed naming the output that is another."""
    figures = []
    for spec, before, after in zip(outputs, expected, got, strict=True):
        if before.shape != after.shape:
            raise _another(spec, f"has the shape {after.shape} instead of {before.shape}")
        if words := _not_finite(before, after):
            raise _another(spec, words)
        figures.append(sqnr_db(before, after))
        if figures[-1] < ENOUGH_DB:
            raise _another(spec, f"differs from ONNX by {figures[-1]:.0f} dB SQNR on random input")
    return min(figures, default=np.inf)


def _not_finite(expected: np.ndarray, got: np.ndarray) -> str:
    """The first value that is infinite or none on one side, and something else on the other, in words; else empty."""
    if expected.dtype.kind != "f":
        return ""
    other = (expected != got) & ~(np.isnan(expected) & np.isnan(got))
    other &= ~(np.isfinite(expected) & np.isfinite(got))
    if not other.any():
        return ""
    first = np.flatnonzero(other)[0]
    return (
        f"has {got.reshape(-1)[first]:g} where ONNX has {expected.reshape(-1)[first]:g}, "
        f"at {np.count_nonzero(other):,} of {expected.size:,} values on random input"
    )


def sqnr_db(expected: np.ndarray, got: np.ndarray) -> float:
    """10 log10(sum expected^2 / sum (expected - got)^2); infinite when nothing differs, NaN and infinities included."""
    with np.errstate(invalid="ignore", over="ignore"):
        wide, other = expected.astype(np.float64), got.astype(np.float64)
        alike = (wide == other) | (np.isnan(wide) & np.isnan(other))
        noise = float(np.sum(np.where(alike, 0.0, wide - other) ** 2))
        signal_ = float(np.sum(np.where(np.isfinite(wide), wide, 0.0) ** 2))
    if noise == 0:
        return np.inf
    return 10 * np.log10(signal_ / noise) if np.isfinite(noise) and signal_ > 0 else -np.inf


def _broken(words: str, details: list[str]) -> ConversionFailed:
    return ConversionFailed(f"{CONVERTER} made a TFLite file and LiteRT {words}", REMEDY, details=details)


def _another(spec: TensorSpec, words: str) -> ConversionFailed:
    return ConversionFailed(f"{CONVERTER} changed the model: the output {spec.name} {words}", REMEDY)
