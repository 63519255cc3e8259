"""What the SQNR of a whole output hides: most of its samples, or values beside others that are many times as large."""

from dataclasses import dataclass

import numpy as np

from .error import Array, Doubles, errors_in_pieces

_SMALL = 16.0  # times smaller than the largest: in steps of one scale 4 bits of 8 are left
_TOO_SMALL = 1e5  # stands for zeros
_LONGEST = 4096  # of an axis: more indices are places, not channels
_NO_SIGNAL = 1e-200


@dataclass(frozen=True)
class Small:
    """`count` of `of` indices along `axis` whose values are at most a 16th of those of the largest one, root mean squares
    over all else; together they have `sqnr_db`.
    """

    axis: int
    count: int
    of: int
    sqnr_db: float


def typical_db(signal: Doubles, noise: Doubles) -> float | None:
    """The SQNR of the sample in the middle, in dB, from the powers of each; None where most samples are equal."""
    with np.errstate(divide="ignore"):
        each = 10 * np.log10(np.maximum(signal, _NO_SIGNAL) / noise)
    middle = float(np.median(each)) if len(each) else np.inf
    return middle if np.isfinite(middle) else None


def small_values(reference: Array, candidate: Array) -> Small | None:
    """The worst of all axes but the first; None where values are alike, and where samples differ in shape.

    A detector's boxes are hundreds beside scores below 1: in one tensor, and so of one scale, nothing is left of these.
    """
    if reference.dtype == object or reference.shape != candidate.shape:
        return None
    axes = [a for a in range(1, reference.ndim) if 2 <= reference.shape[a] <= _LONGEST]
    signals, noises = ({a: np.zeros(reference.shape[a]) for a in axes} for _ in range(2))
    for r, error in errors_in_pieces(reference, candidate):
        signal, noise = np.square(np.where(np.isfinite(r), r, 0.0)), np.square(error)
        for a in axes:
            others = tuple(i for i in range(r.ndim) if i != a)
            signals[a] += signal.sum(axis=others)
            noises[a] += noise.sum(axis=others)
    found = [small for a in axes if (small := _small(a, signals[a], noises[a])) is not None]
    return min(found, key=lambda small: small.sqnr_db, default=None)


def _small(axis: int, signal: Doubles, noise: Doubles) -> Small | None:
    share = np.sqrt(signal / max(float(signal.max()), _NO_SIGNAL))
    small = (share < 1 / _SMALL) & (share > 1 / _TOO_SMALL)
    power, error = float(signal[small].sum()), float(noise[small].sum())
    if not small.any() or error == 0.0:
        return None
    return Small(axis, int(small.sum()), len(signal), 10 * float(np.log10(power / error)))
