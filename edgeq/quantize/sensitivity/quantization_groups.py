"""Which nodes have to stay in float together for one tensor to stay in float.

A quantizer sits on a tensor as long as any node that makes or reads it is quantized; and operators that only move
values (Reshape, MaxPool ...) hand the same rounding on under another name.
"""

from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.op_sets import SAME_ROUNDING

if TYPE_CHECKING:
    from onnx import GraphProto


class Islands:
    """The graph's links, read once."""

    def __init__(self, graph: "GraphProto") -> None:
        self._index = index_of(graph)

    def around(self, tensor: str) -> frozenset[str]:
        """Names of the nodes that make and read `tensor`, through operators that only move values, either way."""
        nodes: set[str] = set()
        open_tensors, done = [tensor], set()
        while open_tensors:
            name = open_tensors.pop()
            if name in done:
                continue
            done.add(name)
            maker = self._index.producer(name)
            if maker is not None:
                nodes.add(maker.name)
                open_tensors += [maker.input[0]] if maker.op_type in SAME_ROUNDING else []
            for reader in self._index.consumers(name):
                nodes.add(reader.name)
                open_tensors += list(reader.output) if reader.op_type in SAME_ROUNDING else []
        return frozenset(nodes)

    def readers(self, tensor: str) -> frozenset[str]:
        return frozenset(n.name for n in self._index.consumers(tensor))
