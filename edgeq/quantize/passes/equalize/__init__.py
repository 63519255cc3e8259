"""Cross-layer equalization: scales the channels between two layers, and the second layer's weights by the inverse, where the
quantized outputs gain by it.

    pairs       pairs of layers with channels that can be scaled, and a copy of the graph with factors applied
    factors     the factors, and the gain that they predict for a layer

Nagel et al., "Data-free quantization through weight equalization and bias correction", 2019.
"""

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_index import index_of
from edgeq.nouns.passes import AppliedChange, PassResult
from edgeq.plain_text import counted
from edgeq.quantize.calibration.calibrate import LEVELS, Ranges, calibrate_onnx, ranges_of
from edgeq.quantize.calibration.calibrators import AUTO, minmax
from edgeq.quantize.calibration.calibrators.mse import squared_error
from edgeq.quantize.calibration.tensor_stats import TensorStats
from edgeq.quantize.effort import EFFORTS, left_out
from edgeq.quantize.evaluate.evaluator import Gain
from edgeq.quantize.evaluate.sqnr import finite
from edgeq.quantize.passes import small_convs
from edgeq.quantize.passes.equalize.factors import Channels, eighths_of, gain_db
from edgeq.quantize.passes.equalize.pairs import Floats, Pair, array, as_in, factors_of, pairs_of, scaled
from edgeq.quantize.passes.ranges.trial import OnnxTrial
from edgeq.quantize.quantization import Context, Quantization
from edgeq.quantize.run_model import Progress, values_of
from edgeq.quantize.samples import SamplesLike, Split, evenly_spaced, split_of

if TYPE_CHECKING:
    import onnx

__all__ = ["COMPARE", "NAME", "STAGE", "Equalized", "as_in", "equalized", "run"]

NAME = "equalize"
STAGE, COMPARE = "equalize channels", "compare with equalized channels"

Write = Callable[["onnx.ModelProto", Path, Ranges], None]  # quantizes a graph into a file

_CHANNEL_SAMPLES = 8  # for the ranges of channels
_PREDICTING_SAMPLES = 3  # for where the noise is: on ten networks this predicted the same as 8 within 0.1 dB
_RANGE_SAMPLES = 64  # for the ranges of tensors
_FEWEST = 32  # in all
_WORTH_TRYING_DB = 3.0  # predicted for some pair
_WORTH_SCALING_DB = 0.5  # predicted for a pair
_WORTH_COMPARING_DB = (
    1.0  # predicted for the model's outputs: half of it is seen, as the noise of weights stays
)
_WORTH_KEEPING_DB = 0.5  # of the outputs: other rounding alone moves them by 0.1 to 0.5 dB

_HOW = "output channels equalized with the next layer's weights (cross-layer equalization)"


@dataclass(frozen=True)
class Equalized:
    model: "onnx.ModelProto"
    result: PassResult
    changes: tuple[AppliedChange, ...] = ()


def run(q: Quantization, context: Context) -> Quantization:
    if not EFFORTS[context.options.effort].equalize:
        return q.with_result(PassResult(NAME, False, left_out(context.options.effort)))
    in_float = small_convs.convolutions(q, context).keys()

    def write(model: "onnx.ModelProto", path: Path, ranges: Ranges) -> None:
        context.backend.write(replace(q, model=model, ranges=ranges), path, in_float, fitted=False)

    threads, progress = context.threads, context.progress
    found = equalized(q.graph, write, context.path, context.calibration, threads=threads, progress=progress)
    return replace(q, model=found.model).with_changes(NAME, found.changes).with_result(found.result)


def equalized(
    model: "onnx.ModelProto",
    write: Write,
    beside: Path,
    samples: SamplesLike,
    *,
    threads: int,
    progress: Progress,
) -> Equalized:
    """`model`, which has inferred shapes, or an equalized copy if that is closer to float once `write` has quantized both.
    Files that are tried lie next to `beside` meanwhile.
    """

    def skipped(why: str, gain_db: float | None = None) -> Equalized:
        return Equalized(model, PassResult(NAME, False, why, gain_db))

    pairs = pairs_of(model)
    if not pairs:
        return skipped("no two layers are directly connected")
    if samples.count < _FEWEST:
        return skipped(f"fewer than {_FEWEST} samples to decide by")
    split = split_of(samples)
    few = evenly_spaced(split.fit, _CHANNEL_SAMPLES)
    factors = _factors(model, pairs, few, threads)
    most = max(each.gain_db for each in factors)
    if most < _WORTH_TRYING_DB:
        return skipped(f"channels are alike: no layer would gain more than {max(most, 0.0):.1f} dB")
    worth = [each for each in factors if each.gain_db >= _WORTH_SCALING_DB]
    fewer = evenly_spaced(few, _PREDICTING_SAMPLES)
    predicted = _predicted_db(worth, calibrate_onnx(model, fewer, True, threads=threads).tensors)
    if predicted < _WORTH_COMPARING_DB:
        return skipped(f"{counted(len(worth), 'layer')}: most of the noise is elsewhere", round(predicted, 1))
    eighths = {each.pair.first.name: each.eighths for each in worth}
    changed = scaled(model, eighths)
    progress(COMPARE, 0.0)
    with tempfile.TemporaryDirectory(dir=beside.parent) as name:
        gain = _Comparison(Path(name), write, split, threads).gain(model, changed)
        progress(COMPARE, 1.0)
    layers, gain_db = counted(len(eighths), "layer"), round(gain.db, 1)
    if not gain.reaches(_WORTH_KEEPING_DB):
        return skipped(f"{layers}: the outputs do not reliably gain", gain_db)
    changes = tuple(AppliedChange(first, _HOW, gain_db) for first in eighths)
    return Equalized(changed, PassResult(NAME, True, layers, gain_db), changes)


@dataclass(frozen=True, eq=False)
class _Factors:
    """Of a pair; `gain_db` is predicted for the outputs of its second layer."""

    pair: Pair
    eighths: npt.NDArray[np.int64]
    gain_db: float


def _factors(
    model: "onnx.ModelProto", pairs: tuple[Pair, ...], samples: SamplesLike, threads: int
) -> list[_Factors]:
    constants = index_of(model.graph).constants
    found = []
    for pair, channels in zip(pairs, _channels(model, pairs, samples, threads), strict=True):
        eighths = eighths_of(channels)
        gain = gain_db(pair, array(constants[pair.second.input[1]]), channels, factors_of(eighths))
        found.append(_Factors(pair, eighths, gain))
    return found


def _predicted_db(factors: Sequence[_Factors], tensors: Mapping[str, TensorStats]) -> float:
    """How far the noise of all tensors together falls, where their noise-to-signal ratios add up at the outputs. Rounding of
    weights, which falls no further, is left out: no more than this is to be gained.
    """
    distinct = {id(stats): stats for stats in tensors.values() if stats.bins is not None and stats.count}
    noise = {
        key: squared_error(s, minmax.range_of(s, 0), LEVELS[8]).noise_to_signal for key, s in distinct.items()
    }
    scaled = {id(tensors[each.pair.tensor]): each.gain_db for each in factors if each.pair.tensor in tensors}
    before = sum(noise.values())
    after = sum(n * 10 ** (-scaled.get(key, 0.0) / 10) for key, n in noise.items())
    return 10.0 * math.log10(before / after) if after > 0.0 else 0.0


def _channels(
    model: "onnx.ModelProto", pairs: tuple[Pair, ...], samples: SamplesLike, threads: int
) -> list[Channels]:
    found: list[Channels] = []
    for k, values in enumerate(values_of(model, [pair.tensor for pair in pairs], samples, threads)):
        each = [Channels.of(_finite(np.asarray(value, np.float32))) for value in values]
        found = [s.with_another(e, k) for s, e in zip(found, each, strict=True)] if found else each
    return found


def _finite(values: Floats) -> Floats:
    return values if np.isfinite(values).all() else finite(values).astype(np.float32)


@dataclass(frozen=True)
class _Comparison:
    """Quantizes both graphs with the ranges of every automatic calibrator. Other ranges gain as much as factors do: the
    factors have to gain with all of them.
    """

    folder: Path
    write: Write
    split: Split
    threads: int

    def gain(self, model: "onnx.ModelProto", changed: "onnx.ModelProto") -> Gain:
        """The smallest with any calibrator, or the first that is too small."""
        trials = self._trial(model, "before"), self._trial(changed, "after")
        evaluator = trials[0].evaluator(self.split.check, self.threads)
        learned = evenly_spaced(self.split.learn, _RANGE_SAMPLES)
        calibrations = [
            calibrate_onnx(each, learned, True, threads=self.threads) for each in (model, changed)
        ]
        gains: list[Gain] = []
        for calibrator in AUTO:
            for trial, calibration in zip(trials, calibrations, strict=True):
                trial.write(ranges_of(calibration, calibrator))
            gains.append(evaluator.gain(*(trial.path for trial in trials)))
            if not gains[-1].reaches(_WORTH_KEEPING_DB):
                return gains[-1]
        return min(gains, key=lambda gain: gain.db)

    def _trial(self, model: "onnx.ModelProto", name: str) -> OnnxTrial:
        path = self.folder / name / "model.onnx"
        path.parent.mkdir()
        return OnnxTrial(model, lambda ranges: self.write(model, path, ranges), path)
