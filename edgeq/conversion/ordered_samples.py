"""The samples of an order, opened once: for their shapes, where the model leaves its own open, and then for use."""

from dataclasses import dataclass, field, replace

from edgeq.conversion.data_use import split_as_ordered
from edgeq.conversion.order import Order
from edgeq.ingest.preprocess import parse_optional
from edgeq.ingest.samples import Samples, may_differ, open_samples
from edgeq.ingest.varied import Survey, survey_of
from edgeq.nouns.tensor import Preprocessing, TensorSpec


@dataclass
class OrderedSamples:
    """Opened once for all who ask with the same inputs: a function that yields samples is run only once."""

    order: Order
    preprocessing: Preprocessing | None
    _opened: Samples | None = field(default=None, init=False)

    def survey(self, inputs: tuple[TensorSpec, ...]) -> Survey | None:
        """Of a model with `inputs` that are open in part. Raises DataRefused for samples that do not fit them."""
        data = self.order.data
        if data is None or not may_differ(data, self.preprocessing):
            return None
        opened = self.fitting(inputs)
        assert opened is not None
        return survey_of(opened, split_as_ordered(opened, self.order).heldout)

    def fitting(self, inputs: tuple[TensorSpec, ...]) -> Samples | None:
        """None without data. Raises DataRefused."""
        if self.order.data is None:
            return None
        if self._opened is None or _names(self._opened.inputs) != _names(inputs):
            self._opened = open_samples(self.order.data, inputs=inputs, preprocessing=self.preprocessing)
        return replace(self._opened, inputs=inputs)


def ordered_samples(order: Order) -> OrderedSamples:
    return OrderedSamples(order, parse_optional(order.asked.preprocess))


def _names(inputs: tuple[TensorSpec, ...]) -> list[str]:
    return [spec.name for spec in inputs]
