"""How far a candidate's outputs are from float's: error, agreement and paired accuracy.

Pure numpy. Outputs are arrays of shape [samples, ...]; where the shape varies between samples they are object arrays
of one array per sample. Nothing here knows models, runtimes or gates.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from edgeq.quantize.evaluate.confidence import PairedCounts

Array = npt.NDArray[np.generic]
Bools = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]

_CHUNK = 64  # samples that are widened to float64 at a time
_WORST = float(np.finfo(np.float32).max)
NO_SIGNAL = 1e-200  # below the square of any float32: stands for an output of zeros


def sqnr_db(reference: Array, candidate: Array) -> float | None:
    """Signal to quantization noise, 10 log10(sum r^2 / sum (r - c)^2) in dB over all values; None when they are equal.

    A value that is not finite where the reference's is, and an output of another shape, count as the worst error.
    """
    return pooled_db(*per_sample_powers(reference, candidate))


def pooled_db(signal: Doubles, noise: Doubles) -> float | None:
    """`sqnr_db` from the powers of each sample."""
    if float(noise.sum()) == 0.0:
        return None
    return 10.0 * float(np.log10(max(float(signal.sum()), NO_SIGNAL) / float(noise.sum())))


def per_sample_powers(reference: Array, candidate: Array) -> tuple[Doubles, Doubles]:
    """Of each sample: sum r^2 and sum (r - c)^2, by the rules of `sqnr_db`."""
    loose = reference.dtype == object or candidate.dtype == object
    signal, noise = [np.zeros(0)], [np.zeros(0)]
    for r, error in errors_in_pieces(reference, candidate):
        within = tuple(range(0 if loose else 1, r.ndim))
        signal.append(np.atleast_1d(np.square(finite(r)).sum(axis=within)))
        noise.append(np.atleast_1d(np.square(error).sum(axis=within)))
    return np.concatenate(signal), np.concatenate(noise)


def powers(reference: Array, candidate: Array) -> tuple[float, float]:
    """Of two arrays of one sample, and so of any shape: sum r^2 and sum (r - c)^2, by the rules of `sqnr_db`."""
    signal, noise = per_sample_powers(reference[None], candidate[None])
    return float(signal.sum()), float(noise.sum())


def largest_error(reference: Array, candidate: Array) -> float:
    """max |r - c| over all values, in the output's own unit; 0 for no values."""
    return max(
        (float(error.max()) for _, error in errors_in_pieces(reference, candidate) if error.size), default=0.0
    )


def equal_values(reference: Array, candidate: Array) -> float:
    """Percent of the reference's values that the candidate has too; none of a sample's where the shapes differ."""
    pairs = list(zip(reference, candidate, strict=True))
    if all(np.array_equal(r, c) for r, c in pairs):
        return 100.0
    same = sum(int(np.sum(r == c)) for r, c in pairs if np.shape(r) == np.shape(c))
    return min(100.0 * same / max(sum(np.size(r) for r, _ in pairs), 1), 99.99)


def are_integers(outputs: Array) -> bool:
    """Integers or booleans, which have no signal and no noise."""
    values = np.asarray(outputs[0]) if outputs.dtype == object and len(outputs) else outputs
    return values.dtype.kind in "iub"


def agreement(reference: Array, candidate: Array, k: int = 1) -> float:
    """Percent of samples on which the reference's first class is among the candidate's first `k`. Shapes [n, classes]."""
    first = np.argmax(reference, axis=1)
    ranked = np.argsort(-_scores(candidate), axis=1, kind="stable")[:, :k]
    return 100.0 * float(np.mean(np.any(ranked == first[:, None], axis=1)))


def first_classes(outputs: Array) -> npt.NDArray[np.intp]:
    """[n] of scores [n, classes]."""
    return np.asarray(np.argmax(_scores(outputs), axis=1))


def paired_counts(float_right: Bools, candidate_right: Bools) -> PairedCounts:
    """Of the same samples, [n] each: how many only one of the two gets right."""
    lost, won = int(np.sum(float_right & ~candidate_right)), int(np.sum(~float_right & candidate_right))
    return PairedCounts(lost, won, len(float_right))


def _scores(outputs: Array) -> npt.NDArray[np.floating]:
    """NaN never wins an argmax."""
    scores = outputs.astype(np.float64)
    return np.where(np.isnan(scores), -np.inf, scores)


def differences(reference: Array, candidate: Array) -> Doubles:
    """c - r in float64, of arrays of one shape. What is equal differs by 0, infinities and NaN too; any other of these differs
    by no finite number.
    """
    r, c = reference.astype(np.float64, copy=False), candidate.astype(np.float64, copy=False)
    same = (r == c) | (np.isnan(r) & np.isnan(c))
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(same, 0.0, c - r)


def finite(values: Array) -> Doubles:
    """In float64, with 0 for what is not finite: an infinite signal would hide every error. Values
    beyond float32 count as its largest, whose square is finite.
    """
    wide = values.astype(np.float64)
    return np.where(np.isfinite(wide), np.clip(wide, -_WORST, _WORST), 0.0)


def errors_in_pieces(
    reference: Array, candidate: Array
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Pieces of (reference, |error|) in float64."""
    for r, c in _pieces(reference, candidate):
        if r.shape != c.shape:
            c = np.full_like(r, np.nan)
        error = np.abs(differences(r, c))
        yield r, np.where(error <= _WORST, error, _WORST)


def _pieces(
    reference: Array, candidate: Array
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    step = 1 if reference.dtype == object or candidate.dtype == object else _CHUNK
    for start in range(0, len(reference), step):
        r, c = reference[start : start + step], candidate[start : start + step]
        if step == 1:
            r, c = np.asarray(r[0]), np.asarray(c[0])
        yield r.astype(np.float64), c.astype(np.float64)
