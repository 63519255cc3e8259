"""Labels that float only guesses: it is right no more often than with shuffled labels."""

from collections.abc import Iterator

import numpy as np

from edgeq.data_checks.evidence import Evidence
from edgeq.nouns.data_check import DataFinding
from edgeq.quantize.evaluate.accuracy import Guessing, Scored, against_guessing

_PLAIN = 0.01  # a share of shuffles below which no more samples are looked at
_MOST = 512
_TELLING = 200  # samples: a model that is no better than a guess on so many is of no use on the others


def guesses(evidence: Evidence, scored: Scored, numbers: np.ndarray) -> Iterator[DataFinding]:
    """The test that the conversion makes of its held-out samples, on more samples than the evidence has where these leave
    doubt. Certain on all samples or on many; on a part of a few it takes an accuracy that is not even above chance.
    """
    found = _tested(evidence, scored, numbers)
    if found.share > _PLAIN:
        evidence.read_until(_MOST)
        found = _tested(evidence, scored, numbers)
    enough = found.samples >= min(_TELLING, evidence.samples.count)
    if found.knows_nothing and (enough or found.right <= found.by_chance):
        yield DataFinding(
            "guessing",
            f"{found}; it predicts class {found.favourite} most often, on {found.favourite_count:,}",
            "do the samples and their labels fit this model? Check scale, mean, channel order and layout, and how the labels "
            "are numbered",
            certain=enough,
        )


def _tested(evidence: Evidence, scored: Scored, numbers: np.ndarray) -> Guessing:
    rows, labels = evidence.rows(), evidence.labels(numbers)
    assert labels is not None
    return against_guessing(scored.predictions(rows), labels, scored.classes(rows, numbers))
