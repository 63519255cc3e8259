"""A score of the user's own, "file.py:function": called with all outputs and labels, for float and for each candidate."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeq.errors import DataRefused
from edgeq.nouns.fidelity import Accuracy
from edgeq.quantize.samples import Array
from edgeq.user_code import load_attribute, names_code, place_of

Function = Callable[[tuple[Array, ...], "Array | None"], float]

_DRAWS = 200  # at least
_DRAWS_BEYOND = 5  # that lie beyond each end of the interval, at least
_CALLED = (
    "it is called as function(outputs, labels), outputs being one array [samples, ...] per model output, and gives one "
    "number, higher for better"
)


@dataclass(frozen=True)
class OwnMetric:
    """`spec` is what the user called it."""

    spec: str
    function: Function

    @property
    def name(self) -> str:
        return self.spec.rpartition(":")[2]

    def score(self, outputs: tuple[Array, ...], truth: Array | None) -> float:
        """Raises DataRefused with the function's own error, and for what is no finite number."""
        value = self._called(outputs, truth)
        if not math.isfinite(value):
            raise DataRefused(f"--metric {self.spec} gave {value}, which is no score to compare", _CALLED)
        return value

    def compare(
        self,
        reference: tuple[Array, ...],
        candidate: tuple[Array, ...],
        truth: Array | None,
        confidence: float = 95.0,
    ) -> Accuracy:
        """Both scores on the same samples. The interval, at `confidence` percent, is that of a bootstrap over samples
        (fixed seed; the percentile interval of Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13):
        scores such as mean average precision are no mean over samples, so nothing closed applies. Draws on which the
        score does not exist (no sample of a class, say) are left out of it.
        """
        scores = self.score(reference, truth), self.score(candidate, truth)
        low, high = self._interval(reference, candidate, truth, confidence)
        # A score of 0 to 1, such as mean average precision, could never fall by more than the one point of the default.
        scaled = abs(scores[0]) <= 1.0 and scores[1] <= 1.0
        unit = 100.0 if scaled else 1.0
        return Accuracy(
            self.name,
            len(reference[0]),
            unit * scores[0],
            unit * scores[1],
            unit * (scores[1] - scores[0]),
            unit * low,
            unit * high,
            scaled,
            confidence,
        )

    def _interval(
        self,
        reference: tuple[Array, ...],
        candidate: tuple[Array, ...],
        truth: Array | None,
        confidence: float,
    ) -> tuple[float, float]:
        def drawn(outputs: tuple[Array, ...], rows: "npt.NDArray[np.intp]") -> float:
            return self._called(tuple(o[rows] for o in outputs), None if truth is None else truth[rows])

        n, beyond = len(reference[0]), (100.0 - confidence) / 200.0
        count = max(_DRAWS, math.ceil(round(_DRAWS_BEYOND / beyond, 6)))
        rng = np.random.default_rng(0)
        draws = (rng.integers(0, n, size=n) for _ in range(count))
        differences = np.array([drawn(candidate, rows) - drawn(reference, rows) for rows in draws])
        known = differences[np.isfinite(differences)]
        if len(known) < count / 2:
            raise DataRefused(
                f"--metric {self.spec} gave no finite number on {count - len(known)} of {count:,} random choices of the samples",
                f"{_CALLED}; with more samples, or 0 where there is nothing to count, it has an interval",
            )
        low, high = np.quantile(known, (beyond, 1.0 - beyond))
        return float(low), float(high)

    def _called(self, outputs: tuple[Array, ...], truth: Array | None) -> float:
        try:
            return float(self.function(outputs, truth))
        except Exception as error:
            words = f"--metric {self.spec} failed: {type(error).__name__}: {error}"
            raise DataRefused(words, _CALLED, details=place_of(error)) from error


def load_metric(spec: str) -> OwnMetric:
    """The function of "file.py:function". Raises DataRefused when it is not there."""
    if not names_code(spec):
        raise DataRefused(f"--metric {spec} names no function", "give it as path/to/file.py:function")
    function = load_attribute(spec, DataRefused)
    if not callable(function):
        raise DataRefused(f"--metric {spec} is no function", _CALLED)
    return OwnMetric(spec, function)
