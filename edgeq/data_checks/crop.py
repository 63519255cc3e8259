"""Images of which the preprocessing keeps only a small centre crop: a preset's short side with another size."""

from collections.abc import Iterator

from edgeq.data_checks.evidence import Evidence
from edgeq.nouns.data_check import DataFinding

_SMALL = 0.5  # of the short side; models are trained with a crop of 0.875 of it, rarely less than 0.7
_USUAL = 7 / 8


def small_crop(evidence: Evidence) -> Iterator[DataFinding]:
    p = evidence.samples.preprocessing
    if p is None or p.size is None or not p.short_side or max(p.size) >= _SMALL * p.short_side:
        return
    height, width = p.size
    yield DataFinding(
        "crop",
        f"the model sees only the centre {height}x{width} of each image, whose short side is resized to {p.short_side} pixels",
        f"add resize=short_side:{round(max(p.size) / _USUAL)}, or resize=stretch for the whole image, unless it was trained so",
    )
