"""What stands in a quantized ONNX graph for a layer of float's: the nodes between tensors that both have, by their names.

Emitters keep the names of what nodes give, whatever they put in the place of a node. Reads only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeq.quantize.audit.weighted_layers import WeightedLayer
from edgeq.quantize.graph_work import HEAVY
from edgeq.quantize.names_read import names_read

_RESHAPES = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")


@dataclass(frozen=True, eq=False)
class Counterpart:
    """`nodes` of the quantized graph, in running order, make `output` from the tensors `fed`, constants aside."""

    output: str
    fed: tuple[str, ...]
    nodes: tuple[Any, ...]


class Twins:
    """Two GraphProtos, `quantized` made from `real`."""

    def __init__(self, real: Any, quantized: Any) -> None:
        self._nodes = list(quantized.node)
        self._maker = {name: k for k, node in enumerate(self._nodes) for name in node.output if name}
        self._named = {(node.op_type, node.name): node for node in self._nodes if node.name}
        self._shared = (_computed(real) & _computed(quantized)) - _evened_out(real, quantized)

    def node(self, layer: WeightedLayer) -> Any:
        """The layer's node itself, where it has remained one of its kind; else None."""
        return self._named.get((layer.kind, layer.name))

    def counterpart(self, layer: WeightedLayer) -> Counterpart | None:
        """Up to its node where that has remained: what follows it may have been drawn into a rounding. Else up to the tensor
        of its output's name; None where there is none.
        """
        node = self.node(layer)
        output = layer.output if node is None else next(name for name in node.output if name)
        if output not in self._maker:
            return None
        fed: set[str] = set()
        taken: set[int] = set()
        wanted = [self._maker[output]]
        while wanted:
            k = wanted.pop()
            if k in taken:
                continue
            taken.add(k)
            read = names_read(self._nodes[k])
            fed |= read & self._shared
            wanted += [self._maker[name] for name in read - self._shared if name in self._maker]
        return Counterpart(output, tuple(sorted(fed)), tuple(self._nodes[k] for k in sorted(taken)))


def _computed(graph: Any) -> set[str]:
    """All tensors but constants."""
    constants = {tensor.name for tensor in graph.initializer}
    made = {name for node in graph.node if node.op_type != "Constant" for name in node.output if name}
    return (made | {i.name for i in graph.input}) - constants


def _evened_out(real: Any, quantized: Any) -> set[str]:
    """Tensors of one name that differ by a factor for each channel (SmoothQuant): what makes them has another constant than
    in float, or only reshapes such a tensor or what a Mul gives that float does not have.
    """
    constants = {tensor.name for tensor in quantized.initializer}
    floats: Mapping[str, Any] = {node.output[0]: node for node in real.node if node.output}
    new_factors = {o for n in quantized.node if n.op_type == "Mul" for o in n.output} - floats.keys()
    found: set[str] = set()
    for node in quantized.node:
        twin = floats.get(node.output[0]) if node.output else None
        if twin is None or twin.op_type != node.op_type or node.op_type in HEAVY:
            continue
        changed = any(a != b and a in constants for a, b in zip(node.input, twin.input, strict=False))
        if changed or (node.op_type in _RESHAPES and node.input[0] in found | new_factors):
            found.add(node.output[0])
    return found
