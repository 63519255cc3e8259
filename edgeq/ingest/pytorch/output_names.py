"""The names of a module's outputs: the keys where it returns a dict, which outlast a change of its layers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import bodies, nodes_within

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto
    from torch.export import ExportedProgram


def output_names(program: "ExportedProgram") -> list[str]:
    """In the order of the program's outputs. Empty where it returns no dict of tensors."""
    from torch.utils._pytree import tree_unflatten

    spec = program.call_spec.out_spec
    if spec is None:
        return []
    returned = tree_unflatten(range(spec.num_leaves), spec)
    if not isinstance(returned, Mapping) or not all(isinstance(key, str) for key in returned):
        return []
    if sorted(map(str, returned.values())) != sorted(map(str, range(spec.num_leaves))):
        return []  # a dict of lists, or of dicts
    return sorted(returned, key=returned.__getitem__)


def name_outputs(model: "ModelProto", names: Sequence[str]) -> None:
    """In place. An output keeps its name where another value of the graph has the one in `names`, where it is an input as
    well, and where it is given twice; all do where `names` are not as many as they.
    """
    graph = model.graph
    if len(names) != len(graph.output):
        return
    given = [output.name for output in graph.output]
    fixed = {value.name for value in (*graph.input, *graph.initializer)} | {
        n for n in given if given.count(n) > 1
    }
    taken = fixed | {value for node in nodes_within(graph.node) for value in (*node.input, *node.output)}
    new = {
        old: name
        for old, name in zip(given, names, strict=True)
        if name and name not in taken and old not in fixed
    }
    _rename(graph, new)


def _rename(graph: "GraphProto", new: Mapping[str, str]) -> None:
    """Also where graphs inside of nodes read a value."""
    for values in (graph.output, graph.value_info):
        for value in values:
            value.name = new.get(value.name, value.name)
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [new.get(end, end) for end in ends]
        for body in bodies(node):
            _rename(body, new)
