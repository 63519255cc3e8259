"""Interprets labels: class numbers where possible, else whatever the user's metric takes.

Knows arrays; knows no model, so not how many classes there are.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

# Under these names labels are looked for in an .npz or in a dict that a function yields.
KEYS = ("labels", "label")


def class_numbers(truth: np.ndarray | None) -> np.ndarray | None:
    """int64 [n], or None where the labels are no class numbers.

    Whole numbers stored as floats are class numbers too, much that writes arrays knows no other type; so is a column
    [n, 1], and so are rows [n, classes] of which each is one-hot.
    """
    if truth is None or truth.dtype.kind not in "biuf" or truth.ndim not in (1, 2):
        return None
    if is_one_hot(truth):
        return np.asarray(np.argmax(truth, axis=1), np.int64)
    column = truth.reshape(-1) if truth.size == len(truth) else truth
    if column.ndim != 1 or not (np.isfinite(column) & (column == np.trunc(column))).all():
        return None
    return np.asarray(column, np.int64)


def is_one_hot(truth: np.ndarray) -> bool:
    """Every row has a single 1 among zeros."""
    if truth.dtype.kind not in "biuf" or truth.ndim != 2 or truth.shape[1] < 2 or not len(truth):
        return False
    return bool(np.isin(truth, (0, 1)).all() and (truth.astype(np.float64).sum(axis=1) == 1).all())


def words(truth: np.ndarray | None) -> str:
    """ "class numbers 0 to 9", "class 3 only", "one-hot over 10 classes", "float32, 7x4 per sample"; empty without labels."""
    if truth is None:
        return ""
    if is_one_hot(truth):
        return f"one-hot over {truth.shape[1]:,} classes"
    numbers = class_numbers(truth)
    if numbers is not None and len(numbers):
        first, last = numbers.min(), numbers.max()
        return f"class {first} only" if first == last else f"class numbers {first} to {last}"
    if numbers is not None:
        return "none"
    if truth.dtype == object:
        return "arrays of various shapes"
    return f"{truth.dtype}, {'x'.join(map(str, truth.shape[1:])) or 'one number'} per sample"


def likely_labels(arrays: Mapping[str, np.ndarray], inputs: Collection[str]) -> str:
    """ "y looks like labels (1,000 integers from 0 to 9): name it labels" of arrays without labels; empty where none does.

    One integer per sample from 0 on, next to arrays of several values each.
    """
    if len(arrays) < 2:
        return ""
    longest = max((len(a) for a in arrays.values() if a.ndim > 1), default=0)
    for name, array in arrays.items():
        if name in inputs or len(array.shape) not in (1, 2) or not longest or len(array) != longest:
            continue
        numbers = class_numbers(array)
        if numbers is not None and len(numbers) > 1 and 0 <= numbers.min() < numbers.max():
            kind = f"one-hot over {array.shape[1]:,} classes" if is_one_hot(array) else _integers(numbers)
            return f"{name} looks like labels ({kind}): name it labels"
    return ""


def _integers(numbers: np.ndarray) -> str:
    return f"{len(numbers):,} integers from {numbers.min()} to {numbers.max()}"


def stacked(labels: Sequence[np.ndarray]) -> np.ndarray:
    """[n, ...]; where shapes differ (boxes: as many as there are) an object array [n] of arrays."""
    if len({label.shape for label in labels}) == 1:
        return np.stack(labels)
    loose = np.empty(len(labels), dtype=object)
    for i, label in enumerate(labels):
        loose[i] = label
    return loose
