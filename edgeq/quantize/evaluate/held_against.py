"""Holds graphs that were made from a float one against its answers, on the same few samples.

Whatever a graph was made into, it still holds the values that decide the outputs (pre_softmax_tensors.py).
"""

from typing import Any

from edgeq.quantize.evaluate.pre_softmax_outputs import Answers, closeness_db, evenly
from edgeq.quantize.evaluate.pre_softmax_tensors import decisive_of, tensors_of
from edgeq.quantize.samples import SamplesLike
from edgeq.quantize.tensor_values import values_of

_SAMPLES = 32


class HeldAgainst:
    """`model` is the float ModelProto."""

    def __init__(self, model: Any, samples: SamplesLike, threads: int) -> None:
        self._decisive = decisive_of(model)
        self._samples, self._threads = samples, threads
        self._indices = evenly(samples.count, _SAMPLES)
        self._reference = self._answers(model)

    def closeness_db(self, graph: Any) -> float:
        """Mean SQNR over what decides the outputs, in dB."""
        return closeness_db(self._reference, self._answers(graph))

    def _answers(self, graph: Any) -> Answers:
        tensors = tensors_of(graph, self._decisive)
        return list(values_of(graph, tensors, self._samples, self._indices, self._threads))
