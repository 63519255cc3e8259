"""Equalizes a graph and keeps that only where the quantized outputs surely win by it."""

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.graphs.onnx_index import index_of
from edgeq.nouns.fidelity import Remedy
from edgeq.nouns.repairs import OFF, Tried, counted
from edgeq.quantize.calibration.calibrate import Ranges, calibrate_onnx, ranges_of
from edgeq.quantize.calibration.observers import AUTO
from edgeq.quantize.evaluate.evaluator import Noise, file_evaluator, mean_sqnr_db, surely_less
from edgeq.quantize.evaluate.sqnr import finite
from edgeq.quantize.passes.equalize.factors import Channels, eighths_of, gain_db
from edgeq.quantize.passes.equalize.pairs import Pair, pairs_of
from edgeq.quantize.passes.equalize.scaled import Eighths, array, factors_of, scaled
from edgeq.quantize.passes.ranges.trial import OnnxTrial
from edgeq.quantize.run_model import Progress
from edgeq.quantize.samples import SamplesLike, Subset, evenly_spaced
from edgeq.quantize.tensor_values import values_of

Write = Callable[[Any, Path, Ranges], None]  # quantizes a ModelProto into a file

_LOOKED_AT = 8  # samples, for the channels' sizes
_SAMPLES = 64  # to choose with, and as many to check with
_FEWEST = 32  # in all
_WORTH_TRYING_DB = (
    3.0  # that some pair must win by itself: trying costs as much as quantizing the model twice
)
_WORTH_TAKING_DB = 0.5  # of a pair
_WORTH_KEEPING_DB = 0.5  # of the outputs: other rounding alone moves them by 0.1 to 0.5 dB

_HOW = "output channels equalized with the next layer's weights (cross-layer equalization)"


@dataclass(frozen=True)
class Equalized:
    model: Any
    tried: Tried
    remedies: tuple[Remedy, ...] = ()


def not_equalized(model: Any, why: str = OFF, gain_db: float | None = None) -> Equalized:
    return Equalized(model, Tried("equalize", False, why, gain_db))


def equalized(
    model: Any, write: Write, beside: Path, samples: SamplesLike, *, threads: int, progress: Progress
) -> Equalized:
    """`model` (a ModelProto with inferred shapes), or a copy that gives the same and is closer to it once written by
    `write`; what it is tried with lies beside the file `beside` meanwhile.
    """
    pairs = pairs_of(model)
    if not pairs:
        return not_equalized(model, "no two layers are directly connected")
    if samples.count < _FEWEST:
        return not_equalized(model, f"fewer than {_FEWEST} samples to decide by")
    eighths, most = _factors(model, pairs, samples, threads)
    if most < _WORTH_TRYING_DB:
        return not_equalized(
            model, f"channels are alike: no layer would gain more than {max(most, 0.0):.1f} dB"
        )
    changed = scaled(model, eighths)
    with tempfile.TemporaryDirectory(dir=beside.parent) as name:
        tried = _Tries(Path(name), write, samples, threads)
        gain = tried.gain_db(model, changed)
        progress("equalize", 1.0)
    layers = counted(len(eighths), "layer")
    if gain is None or gain < _WORTH_KEEPING_DB:
        return not_equalized(model, f"{layers}: the outputs do not reliably improve", gain)
    remedies = tuple(Remedy(first, _HOW, gain) for first in eighths)
    return Equalized(changed, Tried("equalize", True, layers, gain), remedies)


def _factors(
    model: Any, pairs: tuple[Pair, ...], samples: SamplesLike, threads: int
) -> tuple[Eighths, float]:
    """Of the pairs that win by it, and the most that one of them wins, in dB."""
    constants = index_of(model.graph).constants
    found, most = {}, 0.0
    for pair, seen in zip(pairs, _seen(model, pairs, samples, threads), strict=True):
        eighths = eighths_of(seen)
        gain = gain_db(pair, array(constants[pair.second.input[1]]), seen, factors_of(eighths))
        if gain >= _WORTH_TAKING_DB:
            found[pair.first.name] = eighths
        most = max(most, gain)
    return found, most


def _seen(model: Any, pairs: tuple[Pair, ...], samples: SamplesLike, threads: int) -> list[Channels]:
    tensors, indices = [pair.tensor for pair in pairs], evenly_spaced(samples.count, _LOOKED_AT)
    found: list[Channels] = []
    for k, values in enumerate(values_of(model, tensors, samples, indices, threads)):
        each = [Channels.of(finite(value).astype(np.float32)) for value in values]
        found = [s.with_another(e, k) for s, e in zip(found, each, strict=True)] if found else each
    return found


@dataclass(frozen=True)
class _Tries:
    """Quantizes with the ranges that the samples which choose give, in every way, and compares on those and on others.

    What other ranges bring is as much as what factors bring: a graph that wins has to win with all of them.
    """

    folder: Path
    write: Write
    samples: SamplesLike
    threads: int

    def gain_db(self, model: Any, changed: Any) -> float | None:
        """The smallest one of what it wins, of either set and every way, as soon as that is too little; None where it may
        be luck.
        """
        positions = evenly_spaced(self.samples.count, 2 * _SAMPLES)
        choose, check = (Subset(self.samples, part) for part in (positions[::2], positions[1::2]))
        before, after = self._trial(model, "before"), self._trial(changed, "after")
        evaluators = [file_evaluator(before.float_path, some, self.threads) for some in (choose, check)]
        seen = [calibrate_onnx(each, choose, True, threads=self.threads) for each in (model, changed)]
        now: list[Noise] = []
        then: list[Noise] = []
        gains: list[float] = []
        for evaluator, way in itertools.product(evaluators, AUTO):
            for noises, trial, ranges in zip((now, then), (before, after), seen, strict=True):
                trial.write(ranges_of(ranges, way))
                noises.append(evaluator.noise(trial.path))
            gains.append(mean_sqnr_db(then[-1]) - mean_sqnr_db(now[-1]))
            if gains[-1] < _WORTH_KEEPING_DB:  # nothing behind this can save it
                return round(gains[-1], 1)
        for of_one in (slice(0, len(AUTO)), slice(len(AUTO), None)):
            if not surely_less(np.mean(now[of_one], axis=0), np.mean(then[of_one], axis=0)):
                return None
        return round(min(gains), 1)

    def _trial(self, model: Any, name: str) -> OnnxTrial:
        path = self.folder / name / "model.onnx"
        path.parent.mkdir()
        return OnnxTrial(model, lambda ranges: self.write(model, path, ranges), path)
