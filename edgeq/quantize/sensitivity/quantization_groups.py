"""Which nodes have to stay in float together for one tensor to stay in float.

A quantizer sits on a tensor as long as any node that makes or reads it is quantized; and operators that only move
values (Reshape, MaxPool ...) hand the same rounding on under another name.
"""

from collections import defaultdict
from typing import Any

MOVES = (
    "Clip",
    "Flatten",
    "Gather",
    "MaxPool",
    "Pad",
    "Relu",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)


class Islands:
    """The graph's links, read once."""

    def __init__(self, graph: Any) -> None:
        self._maker = {o: n for n in graph.node for o in n.output}
        self._readers: dict[str, list[Any]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._readers[name].append(node)

    def around(self, tensor: str) -> frozenset[str]:
        """Names of the nodes that make and read `tensor`, through operators that only move values, either way."""
        nodes: set[str] = set()
        open_tensors, done = [tensor], set()
        while open_tensors:
            name = open_tensors.pop()
            if name in done:
                continue
            done.add(name)
            maker = self._maker.get(name)
            if maker is not None:
                nodes.add(maker.name)
                open_tensors += [maker.input[0]] if maker.op_type in MOVES else []
            for reader in self._readers[name]:
                nodes.add(reader.name)
                open_tensors += list(reader.output) if reader.op_type in MOVES else []
        return frozenset(nodes)

    def readers(self, tensor: str) -> frozenset[str]:
        return frozenset(n.name for n in self._readers[tensor])
