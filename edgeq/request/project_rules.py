"""What the values of edgeq.toml must keep to, beyond their types; the command line's flags keep to the same."""

import math
from collections.abc import Iterator
from types import NoneType

from edgeq.model_name import is_model_name
from edgeq.nouns.project import Gates, Place, Project
from edgeq.nouns.repairs import repairs_of
from edgeq.nouns.states import states_of

# Both ends belong to the range; None: no end.
_RANGES: dict[str, tuple[float | None, float | None]] = {
    "calibrate": (1, None),
    "max_drop": (0, None),
    "min_agreement": (0, 100),
    "min_sqnr_db": (None, None),
    "confidence": (50, 99.9),
    "port": (1, 65535),
}


def problems_of(noun: Project | Gates | Place) -> Iterator[str]:
    """One line per problem of the noun's own keys; what is not set has none."""
    for key, (low, high) in _RANGES.items():
        value = getattr(noun, key, None)
        if value is not None and not _within(value, low, high):
            yield f"{key}: {value:g} is not {_words(low, high)}"
    if isinstance(noun, Project):
        if noun.name is not None and not is_model_name(noun.name):
            yield f"name: {noun.name!r} becomes a folder: letters, digits and . _ + - only, beginning with a letter or digit"
        for key in ("passes", "repairs"):
            try:
                repairs_of(getattr(noun, key) or "all")
            except ValueError as error:
                yield f"{key}: {error}"
        try:
            states_of(noun.states)
        except ValueError as error:
            yield f"states: {error}"
        if not isinstance(noun.preprocess, (str, dict, NoneType)):
            yield f"preprocess: {noun.preprocess!r} is neither text nor a table"
        for name, shape in noun.shapes.items():
            if not shape or min(shape) < 1:
                yield f"shapes.{name}: {list(shape)} has a dimension below 1, or none"


def _within(value: float, low: float | None, high: float | None) -> bool:
    return math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)


def _words(low: float | None, high: float | None) -> str:
    if low is None:
        return "a finite number"
    return f"at least {low}" if high is None else f"between {low} and {high}"
