"""What stands in a quantized ONNX graph for a layer of float's: the nodes between tensors that both have, by their names.

Emitters keep the names of what nodes give, whatever they put in the place of a node. Reads only.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import OnnxIndex, index_of, names_read
from edgeq.graphs.op_sets import HEAVY, RESHAPES
from edgeq.quantize.audit.weighted_layers import WeightedLayer

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


@dataclass(frozen=True, eq=False)
class Counterpart:
    """`nodes` of the quantized graph, in running order, make `output` from the tensors `fed`, constants aside."""

    output: str
    fed: tuple[str, ...]
    nodes: "tuple[NodeProto, ...]"


class Twins:
    """Two graphs, `quantized` made from `real`. `index` is that of `quantized`."""

    def __init__(self, real: "GraphProto", quantized: "GraphProto") -> None:
        floats, self.index = index_of(real), index_of(quantized)
        self._named = {(node.op_type, node.name): node for node in self.index.nodes if node.name}
        self._shared = (_computed(floats) & _computed(self.index)) - _evened_out(floats, self.index)

    def node(self, layer: WeightedLayer) -> "NodeProto | None":
        """The layer's node itself, where it has remained one of its kind."""
        return self._named.get((layer.kind, layer.name))

    def counterpart(self, layer: WeightedLayer) -> Counterpart | None:
        """Up to its node where that has remained: what follows it may have been drawn into a rounding. Else up to the tensor
        of its output's name; None where there is none.
        """
        node = self.node(layer)
        output = layer.output if node is None else next(name for name in node.output if name)
        if self.index.producer(output) is None:
            return None
        nodes = self.index.ancestors([output], stop=self._shared - {output})
        fed = set[str]().union(*map(names_read, nodes)) & self._shared
        return Counterpart(output, tuple(sorted(fed)), nodes)


def _computed(index: OnnxIndex) -> set[str]:
    """All tensors but constants."""
    nodes = (node for node in index.nodes if node.op_type != "Constant")
    made = {name for node in nodes for name in node.output if name}
    return (made | {i.name for i in index.graph.input}) - index.constants.keys()


def _evened_out(real: OnnxIndex, quantized: OnnxIndex) -> set[str]:
    """Tensors of one name that differ by a factor for each channel (SmoothQuant): what makes them has another constant than
    in float, or only reshapes such a tensor or what a Mul gives that float does not have.
    """
    found: set[str] = set()
    for node in quantized.nodes:
        twin = real.producer(node.output[0]) if node.output else None
        if twin is None or twin.op_type != node.op_type or node.op_type in HEAVY:
            continue
        pairs = zip(node.input, twin.input, strict=False)
        if any(a != b and quantized.initializer(a) is not None for a, b in pairs) or (
            node.op_type in RESHAPES
            and (node.input[0] in found or _is_new_factor(node.input[0], real, quantized))
        ):
            found.add(node.output[0])
    return found


def _is_new_factor(tensor: str, real: OnnxIndex, quantized: OnnxIndex) -> bool:
    maker = quantized.producer(tensor)
    return maker is not None and maker.op_type == "Mul" and real.producer(tensor) is None
