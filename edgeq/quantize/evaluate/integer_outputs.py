"""Outputs of integers or booleans: class numbers, masks, pixels, counts, indices. How they are compared with float's.

Class numbers have no distance, so the share of equal values counts. Pixels and counts have one: they may also be close by
their SQNR about the mean, where class numbers that are wrong at random reach no more than a few dB. Which entries a detector
selected is no answer of its own: neighbouring boxes change places where their scores are nearly equal.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgeq.quantize.evaluate.sqnr import NO_SIGNAL, Array, are_integers, errors_in_pieces

_FEW = 4  # an entry of a selection has at most so many indices: batch, class and box


@dataclass(frozen=True)
class Integers:
    """Which outputs of a model are integers: `alone` all of them; `judged` some, by their equal values; `selected` some,
    that say which entries of a list were selected.
    """

    alone: bool = False
    judged: bool = False
    selected: bool = False


def integers_of(reference: Sequence[Array]) -> Integers:
    """`reference` are float's outputs, [samples, ...] each."""
    found = [k for k, r in enumerate(reference) if are_integers(r)]
    picked = selections(reference)
    return Integers(bool(found) and len(found) == len(reference), len(found) > len(picked), bool(picked))


def selections(reference: Sequence[Array]) -> frozenset[int]:
    """Which outputs say what was selected among candidates whose values are float outputs: indices of which no sample has
    one twice, as TopK and NonMaxSuppression give them; what has as many values as a ranked list of floats; and the
    number of entries in such a list that are not zero. None where there are no float outputs.
    """
    floats = [r for r in reference if not are_integers(r)]
    ranked = [r for r in floats if _is_ranked(r)]
    return frozenset(
        k
        for k, r in enumerate(reference)
        if floats and are_integers(r)
        if _are_distinct(r) or any(_accompanies(r, scores) for scores in ranked)
    )


def equal_beyond_usual(reference: Array, candidate: Array) -> float | None:
    """Percent of equal values where either has another than float's most frequent one, such as a map's background; None
    where neither has another.
    """
    counts: Counter[int] = Counter()
    for r in reference:
        values, times = np.unique(np.asarray(r), return_counts=True)
        counts.update(dict(zip(values.tolist(), times.tolist(), strict=True)))
    usual = counts.most_common(1)[0][0] if counts else 0
    same = others = 0
    for r, c in zip(reference, candidate, strict=True):
        r, c = np.asarray(r), np.asarray(c)
        if r.shape != c.shape:
            others += r.size
            continue
        either = (r != usual) | (c != usual)
        others += int(either.sum())
        same += int((either & (r == c)).sum())
    return 100.0 * same / others if others else None


def about_mean_db(reference: Array, candidate: Array) -> float | None:
    """10 log10(sum (r - mean r)^2 / sum (r - c)^2) in dB over all values; None when they are equal."""
    total, squares, noise, count = 0.0, 0.0, 0.0, 0
    for r, error in errors_in_pieces(reference, candidate):
        total, squares, count = total + float(r.sum()), squares + float(np.square(r).sum()), count + r.size
        noise += float(np.square(error).sum())
    if noise == 0.0:
        return None
    signal = squares - total * total / max(count, 1)
    return 10.0 * float(np.log10(max(signal, NO_SIGNAL) / noise))


def _samples(output: Array) -> Iterator[Array]:
    """Each without axes of length one."""
    return (np.squeeze(np.asarray(sample)) for sample in output)


def _is_ranked(floats: Array) -> bool:
    """Each sample is one row that never rises, and some row falls."""
    falls = False
    for row in (sample.astype(np.float64) for sample in _samples(floats)):
        if row.ndim > 1 or (row.ndim == 1 and (row[1:] > row[:-1]).any()):
            return False
        falls |= row.ndim == 1 and row.size > 1 and bool(row[0] > row[-1])
    return falls


def _are_distinct(integers: Array) -> bool:
    """No sample has an entry twice: a number, or up to four that stand in one row, or in one column."""
    samples = [np.asarray(found) for found in integers]
    if {s.ndim for s in samples} == {
        1,
        2,
    }:  # a lone entry, [1, 3], has lost its first axis as a batch of one does
        samples = [s[None] if s.ndim == 1 else s for s in samples]
    if integers.dtype == np.bool_ or any(s.dtype == np.bool_ for s in samples):
        return False
    if any(s.ndim != 2 for s in samples):
        return _no_entry_twice([np.squeeze(s)[..., None] for s in samples])
    flat = [s.reshape(-1, 1) for s in samples]
    one_row = all(1 in s.shape for s in samples)
    return _no_entry_twice(flat if one_row else samples) or _no_entry_twice([s.T for s in samples])


def _no_entry_twice(samples: list[Array]) -> bool:
    """An entry is a row."""
    if any(s.ndim != 2 or s.shape[1] > _FEW for s in samples):
        return False
    distinct = all(len(np.unique(s, axis=0)) == len(s) for s in samples)
    return distinct and any(len(s) > 1 for s in samples)


def _accompanies(integers: Array, scores: Array) -> bool:
    rows = list(zip(_samples(integers), _samples(scores), strict=True))
    if all(i.shape == s.shape for i, s in rows):
        return True
    return all(i.size == 1 and int(i.reshape(())) == np.count_nonzero(s) for i, s in rows)
