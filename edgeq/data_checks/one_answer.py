"""Float predicts one class for nearly all samples."""

from collections.abc import Iterator

import numpy as np

from edgeq.nouns.data_check import DataFinding

FEWEST = 16  # different samples
_NEARLY_ALL = 0.9
# With two classes one of them is often rare: a word that wakes, a fault, a face.
_OF_TWO = 32
_LABELLED_ALIKE = 0.8


def one_answer(answers: np.ndarray, labels: np.ndarray | None, classes: int) -> Iterator[DataFinding]:
    """`answers` [samples] are numbers of one of `classes`, `labels` those of the same samples."""
    given, counts = np.unique(answers, return_counts=True)
    share, favourite = counts.max() / len(answers), int(given[counts.argmax()])
    if (
        len(answers) < FEWEST
        or share < _NEARLY_ALL
        or len(np.unique(labels if labels is not None else [])) == 1
    ):
        return
    if labels is not None and np.mean(labels == favourite) >= _LABELLED_ALIKE * share:
        return
    if labels is None and classes == 2 and (share < 1 or len(answers) < _OF_TWO):
        return
    yield DataFinding(
        "one_answer",
        f"float predicts class {favourite} on {counts.max()} of {len(answers)} samples",
        "either the samples are nearly all of one class, or they are not what the model was trained on: check scale, mean, "
        "channel order and layout",
    )
