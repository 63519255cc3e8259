"""The samples of a command: for their shapes, where the model leaves its own open, and then for use."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from edgeq.ingest.given_data import GivenData
from edgeq.ingest.samples import Samples, may_differ, open_samples, peek
from edgeq.ingest.varied import Survey, survey_of
from edgeq.nouns.tensor import Preprocessing, TensorSpec


@dataclass
class SampleSource:
    """Opened once for all who ask with the same inputs: a function that yields samples is run only once. `that_judge` picks those
    by whose shapes the device's is chosen.
    """

    data: str | GivenData | None
    preprocessing: Preprocessing | None
    that_judge: Callable[[Samples], Samples] = lambda samples: samples
    _opened: Samples | None = field(default=None, init=False)

    def first(self) -> tuple[np.ndarray, ...] | None:
        """As it is stored; None without data. Raises DataRefused."""
        return None if self.data is None else peek(self.data, self.preprocessing)

    def survey(self, inputs: tuple[TensorSpec, ...]) -> Survey | None:
        """Of a model with `inputs` that are open in part. Raises DataRefused for samples that do not fit them."""
        if self.data is None or not may_differ(self.data, self.preprocessing):
            return None
        opened = self.fitting(inputs)
        assert opened is not None
        return survey_of(opened, self.that_judge(opened))

    def fitting(self, inputs: tuple[TensorSpec, ...]) -> Samples | None:
        """None without data. Raises DataRefused."""
        if self.data is None:
            return None
        if self._opened is None or _names(self._opened.inputs) != _names(inputs):
            self._opened = open_samples(self.data, inputs=inputs, preprocessing=self.preprocessing)
        return replace(self._opened, inputs=inputs)


def _names(inputs: tuple[TensorSpec, ...]) -> list[str]:
    return [spec.name for spec in inputs]
