"""Residual branches that a graph can do without: an addition gives its other operand alone, and what computed the branch is gone.

Kernels spend much of their time on reading, writing and starting, which fewer channels do not change; a layer that is not there
takes none. Residual networks hold together without any one of their branches (Veit, Wilber & Belongie 2016, arXiv:1605.06431).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.graphs.macs import heavy_nodes, macs_of
from edgeq.graphs.onnx_edit import copied, drop_unread, set_nodes
from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.weightless import infer_shapes

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True)
class Branch:
    """`addition`: the node that adds it; `kept`: which of its operands it gives then, 0 or 1. `layers`: outputs of the layers that are
    not computed any more.
    """

    addition: str
    kept: int
    layers: tuple[str, ...]
    macs: int


def branches_of(model: "ModelProto") -> tuple[Branch, ...]:
    """Those with layers of their own, of a model with inferred shapes."""
    index = index_of(model.graph)
    macs = {node.output[0]: macs_of(node, shapes) for node, shapes, _ in heavy_nodes(model.graph)}
    found = []
    for node in index.nodes:
        if node.op_type != "Add" or any(index.constant(name) is not None for name in node.input):
            continue
        if index.shapes.get(node.input[0]) != index.shapes.get(node.input[1]):
            continue
        for kept in (0, 1):
            layers = tuple(name for name in _dead(index, node.output[0], node.input[kept]) if name in macs)
            if layers:
                found.append(Branch(node.output[0], kept, layers, sum(macs[name] for name in layers)))
    return tuple(found)


def without_branch(model: "ModelProto", branch: Branch) -> "ModelProto":
    """A copy; names of the other nodes and tensors stay."""
    made = copied(model)
    index = index_of(made.graph)
    addition = index.producer(branch.addition)
    assert addition is not None
    operand = addition.input[branch.kept]
    if index.is_graph_output(branch.addition):
        addition.op_type = "Identity"
        del addition.input[:]
        addition.input.append(operand)
    for node, place in index.uses(branch.addition):
        node.input[place] = operand
    kept = {id(node) for node in index_of(made.graph).ancestors(o.name for o in made.graph.output)}
    set_nodes(made.graph, [copied(node) for node in made.graph.node if id(node) in kept])
    drop_unread(made.graph)
    del made.graph.value_info[:]
    infer_shapes(made)
    return made


def _dead(index: OnnxIndex, addition: str, operand: str) -> list[str]:
    """Outputs of nodes that nothing needs once `operand` takes the place of the addition."""
    ends = [operand if o.name == addition else o.name for o in index.graph.output]
    needed = _ancestors(index, ends, addition, operand)
    return [node.output[0] for node in index.nodes if node.output and node.output[0] not in needed]


def _ancestors(index: OnnxIndex, ends: Sequence[str], addition: str, operand: str) -> set[str]:
    """First outputs of the nodes behind `ends`, where `operand` stands for `addition`."""
    waiting, found, seen = list(ends), set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        name = operand if name == addition else name
        if name in seen:
            continue
        seen.add(name)
        node = index.producer(name)
        if node is not None:
            found.add(node.output[0])
            waiting += [n for n in node.input if n]
    return found
