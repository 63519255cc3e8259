"""Chooses the ways to set ranges whose file comes closest to float, on the calibration samples themselves: first the
best one for the whole model, then others for single tensors.

The held-out samples stay untouched: they judge, they do not choose.
"""

from dataclasses import dataclass
from pathlib import Path

from edgeq.quantize.calibration.array_cache import NO_CACHE, ArrayCache
from edgeq.quantize.calibration.calibrate import LEVELS, Calibration, Ranges, ranges_of
from edgeq.quantize.calibration.observers import AUTO
from edgeq.quantize.evaluate.evaluator import Evaluator, Noise, file_evaluator, mean_sqnr_db
from edgeq.quantize.passes.ranges.per_tensor import Ways, counted, refined, tries
from edgeq.quantize.passes.ranges.trial import Trial
from edgeq.quantize.samples import SamplesLike, Subset, evenly_spaced

_SAMPLES = 64  # to choose with, and as many to check with: enough to tell ways apart by tenths of a decibel
_CHECKED_FROM = 32  # samples in all; below they all choose, for the whole model only
# Values of activations that may be computed to choose per tensor, well under a second's worth. A number, not a time, so
# that the same input gives the same file on every machine.
_WORK = 100_000_000


@dataclass(frozen=True)
class Chosen:
    """`calibrator` in words."""

    calibrator: str
    ranges: Ranges


def closest_ranges(
    calibration: Calibration,
    calibrator: str,
    trial: Trial,
    samples: SamplesLike,
    threads: int,
    cache: ArrayCache = NO_CACHE,
) -> Chosen:
    """The ranges of `calibrator`; for "auto" those that bring the file of `trial` closest to float."""
    name, ranges = (
        _closest(calibration, trial, samples, threads, cache)
        if calibrator == "auto"
        else (calibrator, ranges_of(calibration, calibrator))
    )
    if calibration.samples < samples.count:
        name += f", of {calibration.samples:,} of {samples.count:,} samples: ranges converged"
    return Chosen(name, ranges)


def _closest(
    calibration: Calibration, trial: Trial, samples: SamplesLike, threads: int, cache: ArrayCache
) -> tuple[str, Ranges]:
    positions = evenly_spaced(samples.count, 2 * _SAMPLES)
    checked = len(positions) >= _CHECKED_FROM

    def on(those: tuple[int, ...]) -> Evaluator[Path]:
        some = Subset(samples, those)
        return file_evaluator(trial.float_path, some, threads, model=calibration.model, cache=cache)

    every = on(positions)
    choose = on(positions[::2]) if checked else every
    ranges = {way: ranges_of(calibration, way) for way in AUTO}
    best = max(AUTO, key=lambda way: mean_sqnr_db(_noise(trial, ranges[way], every)))  # the first of equals
    ways = _per_tensor(calibration, ranges, best, trial, choose) if checked else {}
    if set(ways.values()) - {best}:
        check, mixed = on(positions[1::2]), _mixed(ranges, ways, best)
        before, after = (_noise(trial, r, check) for r in (ranges[best], mixed))
        if mean_sqnr_db(after) > mean_sqnr_db(before):
            return f"per tensor: {', '.join(counted(ways))}", mixed
    return best, ranges[best]


def _per_tensor(
    calibration: Calibration, ranges: dict[str, Ranges], best: str, trial: Trial, choose: Evaluator[Path]
) -> Ways:
    """By tensor; empty where none can be tried alone."""
    values = sum(s.count for s in {id(s): s for s in calibration.tensors.values()}.values())
    each = max(values // calibration.samples * len(choose.reference[0]), 1)
    candidates = tries(calibration.tensors, trial.single(), ranges, best, LEVELS)[: _WORK // each]
    return refined(
        best,
        trial.single(),
        candidates,
        lambda ways: _noise(trial, _mixed(ranges, ways, best), choose),
    )


def _mixed(ranges: dict[str, Ranges], ways: Ways, best: str) -> Ranges:
    return {**ranges[best], **{tensor: ranges[way][tensor] for tensor, way in ways.items()}}


def _noise(trial: Trial, ranges: Ranges, evaluator: Evaluator[Path]) -> Noise:
    trial.write(ranges)
    return evaluator.noise(trial.path)
