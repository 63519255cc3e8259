"""Holds graphs that were made from a float one against its answers, on the same few samples.

Whatever a graph was made into, it has the tensors that decide the outputs (decisive.py) under their names.
"""

from typing import Any

from .answers import Answers, closeness_db, evenly
from .decisive import decisive_of
from .samples_like import SamplesLike
from .tensor_values import values_of

_SAMPLES = 32


class HeldAgainst:
    """`model` is the float ModelProto."""

    def __init__(self, model: Any, samples: SamplesLike, threads: int) -> None:
        made = {node.name: node.output[0] for node in model.graph.node}
        self._tensors = [made[d.node] if d.node else d.output for d in decisive_of(model)]
        self._samples, self._threads = samples, threads
        self._indices = evenly(samples.count, _SAMPLES)
        self._reference = self._answers(model)

    def closeness_db(self, graph: Any) -> float:
        """Mean SQNR over what decides the outputs, in dB."""
        return closeness_db(self._reference, self._answers(graph))

    def _answers(self, graph: Any) -> Answers:
        return list(values_of(graph, self._tensors, self._samples, self._indices, self._threads))
