"""Labels of which float knows nothing: it is right no more often than with them shuffled."""

from collections.abc import Iterator

import numpy as np

from edgeq.nouns.data_check import DataFinding
from edgeq.quantize.guessing import against_guessing


def guesses(answers: np.ndarray, labels: np.ndarray, classes: int) -> Iterator[DataFinding]:
    """Not certain by the few samples that were looked at: all of them decide that before candidates are made."""
    found = against_guessing(answers, labels, classes)
    if found.knows_nothing and found.right <= found.by_chance:
        yield DataFinding(
            "guessing",
            str(found),
            "do the samples and their labels fit this model? Check scale, mean, channel order and layout, and how the labels "
            "are numbered",
        )
