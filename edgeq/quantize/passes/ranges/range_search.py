"""Chooses the calibrators whose file comes closest to float, on the calibration samples: first the best one for the whole
model, then others for single tensors.

An outlier that can be clipped in one tensor decides the output in another, so no calibrator is best for all. But each
change of a range also changes all rounding behind it, which alone moves the outputs by a few tenths of a decibel: taking
every gain would fit the samples. So a change for a tensor needs a gain of two standard errors over the samples, and all
changes together are kept by the rule of evaluator.py, on other calibration samples. Held-out samples have no part in it.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeq.quantize.calibration.array_cache import NO_CACHE, ArrayCache
from edgeq.quantize.calibration.calibrate import LEVELS, Calibration, Ranges, ranges_of
from edgeq.quantize.calibration.calibrators import AUTO
from edgeq.quantize.calibration.calibrators.mse import squared_error
from edgeq.quantize.calibration.tensor_stats import TensorStats
from edgeq.quantize.evaluate.evaluator import (
    Evaluator,
    Noise,
    gain_of,
    mean_sqnr_db,
)
from edgeq.quantize.passes.ranges.trial import Trial
from edgeq.quantize.run_model import Progress, no_progress
from edgeq.quantize.samples import SamplesLike, Subset, evenly_spaced, split_of

Calibrators = Mapping[str, str]  # by tensor

STAGE = "choose ranges"
_FEWEST = 16  # samples to choose by for a tensor: of many that are tried, fewer let too many pass by luck
_STANDARD_ERRORS = 2.0  # of the noise's fall for a tensor: each of many is tried
_SIGNIFICANT = 0.01  # of the noise of all tensors together: 0.04 dB
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
    bits: int = 8,
    most: int = 64,
    progress: Progress = no_progress,
) -> Chosen:
    """The ranges of `calibrator` for activations of `bits`; for "auto", which is for 8 bits, those that bring the file of
    `trial` closest to float on up to `most` of the samples.
    """
    name, ranges = (
        _closest(calibration, trial, samples, threads, cache, most, progress)
        if calibrator == "auto"
        else (calibrator, ranges_of(calibration, calibrator, bits))
    )
    if calibration.samples < samples.count:
        name += f", of {calibration.samples:,} of {samples.count:,} samples: ranges converged"
    return Chosen(name, ranges)


def candidates_of(
    stats: Mapping[str, TensorStats],
    tensors: tuple[str, ...],
    ranges: Mapping[str, Mapping[str, tuple[float, float]]],
    start: str,
    levels: int,
) -> list[tuple[str, str]]:
    """(tensor, calibrator) for each calibrator but `start` that makes a difference to a tensor, the largest first.

    `ranges` has the ranges by calibrator and tensor. The histogram gives the squared error of a range; relative to the
    tensor's signal it approximates its share of the outputs' error, where the shares of all tensors add up.
    """
    known = [tensor for tensor in tensors if stats[tensor].bins is not None]
    noise_to_signal = {
        (tensor, calibrator): squared_error(stats[tensor], ranges[calibrator][tensor], levels).noise_to_signal
        for tensor in known
        for calibrator in ranges
    }
    least = _SIGNIFICANT * sum(noise_to_signal[tensor, start] for tensor in known)
    change = {
        key: abs(s - noise_to_signal[key[0], start]) for key, s in noise_to_signal.items() if key[1] != start
    }
    return sorted((key for key in change if change[key] > least), key=lambda key: -change[key])


def per_tensor(
    start: str,
    tensors: tuple[str, ...],
    candidates: list[tuple[str, str]],
    noise: Callable[[Calibrators], Noise],
) -> dict[str, str]:
    """The calibrator of each tensor. `noise` measures [samples, outputs]; it is called once for each of `candidates`, and
    once more.
    """
    chosen = dict.fromkeys(tensors, start)
    before = noise(chosen)
    if len(before) < _FEWEST:
        return chosen
    for tensor, calibrator in candidates:
        tried = {**chosen, tensor: calibrator}
        after = noise(tried)
        if gain_of(before, after).standard_errors > _STANDARD_ERRORS:
            chosen, before = tried, after
    return chosen


def _closest(
    calibration: Calibration,
    trial: Trial,
    samples: SamplesLike,
    threads: int,
    cache: ArrayCache,
    most: int,
    progress: Progress,
) -> tuple[str, Ranges]:
    split = split_of(samples)
    progress(STAGE, 0.0)

    def on(some: Subset) -> Evaluator[Path]:
        return trial.evaluator(some, threads, calibration.model, cache, calibration.outputs)

    some = evenly_spaced(split.learn, most)
    learned = on(some)
    ranges = {name: ranges_of(calibration, name) for name in AUTO}
    noise = {}
    first = 0 if calibration.outputs else some.count  # float runs too
    for k, name in enumerate(AUTO):
        noise[name] = _noise(trial, ranges[name], learned)
        tries = _most_tries(calibration, trial, split.choose)
        runs, later = some.count, tries * split.choose.count
        whole = first + len(AUTO) * runs + later + 1
        progress(STAGE, (first + (k + 1) * runs) / whole)
    best = max(AUTO, key=lambda name: mean_sqnr_db(noise[name]))  # the first of equals

    def told(tried: int) -> None:
        progress(STAGE, (first + len(AUTO) * runs + tried * split.choose.count) / whole)

    chosen = (
        _per_tensor(calibration, ranges, best, trial, on(split.choose), tries, told) if trial.single() else {}
    )
    progress(STAGE, 1.0)
    if set(chosen.values()) - {best}:
        check, mixed = on(split.check), _mixed(ranges, chosen, best)
        before, after = (_noise(trial, r, check) for r in (ranges[best], mixed))
        if gain_of(before, after).reaches(0.0):
            return f"per tensor: {_in_words(chosen)}", mixed
    return best, ranges[best]


def _most_tries(calibration: Calibration, trial: Trial, choose: Subset) -> int:
    """Of a single tensor; 0 where they are not tried by themselves."""
    values = sum(s.count for s in {id(s): s for s in calibration.tensors.values()}.values())
    each = max(values // calibration.samples * choose.count, 1)
    return min(_WORK // each, (len(AUTO) - 1) * len(trial.single()))


def _per_tensor(
    calibration: Calibration,
    ranges: dict[str, Ranges],
    best: str,
    trial: Trial,
    choose: Evaluator[Path],
    most: int,
    told: Callable[[int], None],
) -> Calibrators:
    """By up to `most` tries; `told` hears how many are over."""
    tensors = trial.single()
    candidates = candidates_of(calibration.tensors, tensors, ranges, best, LEVELS[8])[:most]
    tried = itertools.count()

    def noise(calibrators: Calibrators) -> Noise:
        told(next(tried))
        return _noise(trial, _mixed(ranges, calibrators, best), choose)

    return per_tensor(best, tensors, candidates, noise)


def _mixed(ranges: dict[str, Ranges], calibrators: Calibrators, best: str) -> Ranges:
    return {**ranges[best], **{tensor: ranges[name][tensor] for tensor, name in calibrators.items()}}


def _noise(trial: Trial, ranges: Ranges, evaluator: Evaluator[Path]) -> Noise:
    trial.write(ranges)
    return evaluator.noise(trial.path)


def _in_words(calibrators: Calibrators) -> str:
    """'name (number of tensors)', the most frequent first."""
    names = list(calibrators.values())
    order = sorted(set(names), key=lambda n: (-names.count(n), n))
    return ", ".join(f"{name} ({names.count(name)})" for name in order)
