"""Reconstructs a file and keeps that only where the model's outputs do not suffer by it."""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.foreign import translated
from edgeq.nouns.repairs import Tried, counted
from edgeq.quantize.evaluate.evaluator import graph_evaluator, tflite_evaluator
from edgeq.quantize.memory import activation_bytes
from edgeq.quantize.numerics.weights import Weights
from edgeq.quantize.passes.fit import fit_onnx, fit_tflite
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike, evenly_spaced

_FEWEST, _MOST = 8, 128  # samples
_ROOM = 512 * 2**20  # bytes for what all samples hold between two layers, in float and quantized

# Sums of squares of huge values overflow, and what is solved with them is no number: it is measured and dropped.
_huge_values = np.errstate(over="ignore", invalid="ignore")

HOW = "weights and biases corrected for earlier rounding error"


@dataclass(frozen=True)
class Reconstruction:
    """New weights by layer, none where nothing is gained."""

    weights: dict[str, Weights] = field(default_factory=dict)
    gain_db: float = 0.0
    tried: Tried = Tried("fit", False, f"fewer than {_FEWEST} samples to learn from")  # noqa: RUF009 (frozen)


@_huge_values
def onnx_reconstruction(
    model: Any, source: Path, written: Path, samples: SamplesLike, threads: int, progress: Progress
) -> Reconstruction:
    """Of the QDQ file `written`, made from `model`, which was read from `source`; both files stay as they are.

    Learns from up to 128 samples, fewer where their activations would take more than 512 MB, from none when there are
    under 8. Dropped where the SQNR of the pre-softmax outputs does not rise on those samples.
    """
    indices = _indices(source, "onnx", samples)
    if not indices:
        return Reconstruction()
    with translated(f"cannot read {written.name} as ONNX"):
        import onnx

        plain, changed = onnx.load(str(written)), onnx.load(str(written))
    weights = fit_onnx.reconstruct(model, changed, samples, indices, threads=threads, progress=progress)
    evaluator = graph_evaluator(model, samples, indices, threads)
    return _kept(weights, evaluator.sqnr_db(plain), evaluator.sqnr_db(changed))


@_huge_values
def tflite_reconstruction(
    source: Path, written: Path, samples: SamplesLike, threads: int, progress: Progress
) -> Reconstruction:
    """The same of the quantized .tflite `written`, made from `source`."""
    indices = _indices(source, "tflite", samples)
    if not indices:
        return Reconstruction()
    weights = fit_tflite.reconstruct(source, written, samples, indices, threads=threads, progress=progress)
    with tempfile.TemporaryDirectory(dir=written.parent) as folder:
        changed = Path(folder) / "changed.tflite"
        shutil.copyfile(written, changed)
        fit_tflite.replay(source, changed, weights)
        evaluator = tflite_evaluator(source, samples, indices, threads)
        return _kept(weights, evaluator.sqnr_db(written), evaluator.sqnr_db(changed))


def _indices(source: Path, format: str, samples: SamplesLike) -> tuple[int, ...]:
    room = _ROOM // max(2 * activation_bytes(source, format, samples), 1)
    count = min(samples.count, _MOST, room)
    return evenly_spaced(samples.count, count) if count >= _FEWEST else ()


def _kept(weights: dict[str, Weights], before: float, after: float) -> Reconstruction:
    """By the SQNR of the outputs before and after the fit, in dB."""
    gain, layers = after - before, counted(len(weights), "layer")
    if gain <= 0:
        return Reconstruction(
            tried=Tried("fit", False, f"{layers}: the outputs do not improve", round(gain, 1))
        )
    return Reconstruction(weights, gain, Tried("fit", True, layers, round(gain, 1)))
