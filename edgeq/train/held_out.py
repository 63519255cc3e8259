"""Which samples of a set training never sees: those that validation judges by. Knows numbers of samples and labels only.

The choice has no randomness, so that a run that is resumed, or has another seed, is validated on the same samples.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.errors import DataRefused

SHARE = 0.05
FEWEST, MOST = 32, 1000

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """Positions of samples, ascending; no sample is in both."""

    train: Positions
    validation: Positions


def held_out(count: int, labels: "npt.NDArray[np.integer] | None", share: float = SHARE) -> HeldOut:
    """`share` of `count` samples for validation, at least 32 and at most 1,000, but never more than half.

    With `labels`, integers of shape [count], every class keeps its share, and at least one sample to train on. Without
    them, or where no class has two samples, those for validation are evenly spaced. Raises DataRefused for fewer than two samples, ValueError for a share that is none.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"the share for validation is {share}: expected a number between 0 and 1")
    if count < 2:
        raise DataRefused(
            f"training takes two samples at least, one of them to validate by; there is {count}",
            "give more samples with --data",
        )
    number = min(max(round(share * count), FEWEST), MOST, count // 2)
    chosen = np.zeros(0, np.int64) if labels is None else _stratified(labels, number)
    if not len(chosen):
        chosen = _evenly(np.arange(count), number)
    rest = np.setdiff1d(np.arange(count), chosen)
    return HeldOut(rest, chosen)


def _evenly(positions: Positions, number: int) -> Positions:
    """From the middle of each of `number` equal parts, so that the ends count no more than the rest."""
    places = ((np.arange(number) + 0.5) * len(positions) / max(number, 1)).astype(np.int64)
    return np.asarray(positions[places], np.int64)


def _stratified(labels: "npt.NDArray[np.integer]", number: int) -> Positions:
    classes, sizes = np.unique(labels, return_counts=True)
    parts = _shares(sizes, number)
    chosen = [_evenly(np.flatnonzero(labels == c), n) for c, n in zip(classes, parts, strict=True)]
    return np.sort(np.concatenate(chosen))


def _shares(sizes: Positions, number: int) -> list[int]:
    """How many of each class: its share of `number`, rounded by the largest remainder, one less than the class has at most."""
    exact = sizes * number / sizes.sum()
    parts = np.minimum(np.floor(exact).astype(np.int64), sizes - 1)
    by_remainder = np.argsort(-(exact - np.floor(exact)), kind="stable")
    while (left := number - parts.sum()) > 0:
        room = [c for c in by_remainder if parts[c] < sizes[c] - 1][:left]
        if not room:
            break
        parts[room] += 1
    return [int(n) for n in parts]
