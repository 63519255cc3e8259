"""The samples of an order, opened once: for their shapes, where the model leaves its own open, and then for use."""

from dataclasses import dataclass, field, replace

from edgeq.ingest.samples import Samples, may_differ, open_samples
from edgeq.ingest.varied import Survey, survey_of
from edgeq.nouns.tensor import Preprocessing, TensorSpec
from edgeq.workflow.cached import Order
from edgeq.workflow.data_use import split_as_ordered


@dataclass
class OrderedSamples:
    """`survey` may be asked before `fitting`: a function that yields samples is then run only once for both."""

    order: Order
    preprocessing: Preprocessing | None
    _opened: Samples | None = field(default=None, init=False)

    def survey(self, inputs: tuple[TensorSpec, ...]) -> Survey | None:
        """Of a model with `inputs` that are open in part. Raises DataRefused for samples that do not fit them."""
        data = self.order.data
        if data is None or not may_differ(data, self.preprocessing):
            return None
        self._opened = open_samples(data, inputs=inputs, preprocessing=self.preprocessing)
        return survey_of(self._opened, split_as_ordered(self._opened, self.order).heldout)

    def fitting(self, inputs: tuple[TensorSpec, ...]) -> Samples | None:
        """None without data. Raises DataRefused."""
        if self.order.data is None:
            return None
        if self._opened is not None:
            return replace(self._opened, inputs=inputs)
        return open_samples(self.order.data, inputs=inputs, preprocessing=self.preprocessing)
