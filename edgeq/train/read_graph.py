"""The ONNX graph as steps.py takes it: nodes in an order in which they run, constants in torch, what has no counterpart refused."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import onnx
from torch import Tensor

from edgeq.errors import ModelRefused
from edgeq.graphs.onnx_index import OnnxIndex, attributes, has_body
from edgeq.graphs.op_sets import ONNX_DOMAINS

from .element_types import torch_tensor
from .node import Operand
from .operators import has_counterpart
from .steps import Graph, GraphNode, fixed_outputs, node_of

_REMEDY = "leave the model at post-training quantization, or write it with other operators"


def read_graph(index: OnnxIndex, opset: int) -> Graph:
    """Raises ModelRefused naming every operator without a torch counterpart."""
    nodes = _ordered(index)
    unknown = [f"{_title(node)} (node {node.name})" for node in nodes if not has_counterpart(node)]
    if unknown:
        count = f"{len(unknown)} operators" if len(unknown) > 1 else "an operator"
        have = "have" if len(unknown) > 1 else "has"
        raise ModelRefused(f"{count} of the model {have} no torch counterpart: {', '.join(unknown)}", _REMEDY)
    return Graph(
        tuple(_graph_node(node, index) for node in nodes),
        tuple(i.name for i in own_inputs(index)),
        tuple(o.name for o in index.graph.output),
        opset,
        {name: int(tensor.data_type) for name, tensor in index.constants.items()},
    )


def own_inputs(index: OnnxIndex) -> "tuple[onnx.ValueInfoProto, ...]":
    """Without the initializers, which old files list too."""
    return tuple(i for i in index.graph.input if index.initializer(i.name) is None)


def stored_constants(index: OnnxIndex) -> dict[str, Tensor]:
    """By name. Raises ModelRefused where torch lacks the type of one that is read."""
    tensors = {name: torch_tensor(tensor) for name, tensor in index.constants.items()}
    refused = [name for name, tensor in tensors.items() if tensor is None and index.uses(name)]
    if refused:
        raise ModelRefused(f"torch has no type for the constants {', '.join(refused)}", _REMEDY)
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def folded(
    graph: Graph, stored: Mapping[str, Tensor], kept: Collection[str]
) -> tuple[Graph, dict[str, Tensor]]:
    """Without the nodes that constants alone decide, but for those named in `kept`; and the constants that are still read."""
    known = {n: _fixed(n, v, graph.element_types.get(n, 0)) for n, v in stored.items()}
    left = []
    for node in graph.nodes:
        if node.name not in kept and all(name in known for name in node.inputs if name):
            results = fixed_outputs(node_of(node, graph.opset, known))
            known |= {n: _fixed(n, v) for n, v in zip(node.outputs, results, strict=False) if n}
        else:
            left.append(node)
    read = {name for node in left for name in node.inputs} | set(graph.outputs)
    fixed = {n: o.fixed for n, o in known.items() if n in read and o.fixed is not None}
    return replace(graph, nodes=tuple(left)), fixed


def _ordered(index: OnnxIndex) -> tuple[onnx.NodeProto, ...]:
    """Those without which there are no outputs, each behind what it reads."""
    wanted = index.ancestors(o.name for o in index.graph.output)
    waiting = list(wanted)
    made: set[str] = set()
    ours = {name for node in wanted for name in node.output}
    ordered: list[onnx.NodeProto] = []
    while waiting:
        ready = []
        for node in waiting:
            if all(name in made or name not in ours for name in node.input):
                ready.append(node)
                made.update(node.output)
        if not ready:
            raise ModelRefused("the nodes of the graph read each other in a circle", "check the file")
        ordered += ready
        waiting = [node for node in waiting if not made.issuperset(node.output)]
    return tuple(n for n in ordered if n.output[0] not in index.constants)


def _graph_node(node: onnx.NodeProto, index: OnnxIndex) -> GraphNode:
    read = (n if index.uses(n) or index.is_graph_output(n) else "" for n in node.output)
    return GraphNode(node.name, node.op_type, attributes(node), tuple(node.input), tuple(read))


def _title(node: onnx.NodeProto) -> str:
    title = node.op_type if node.domain in ONNX_DOMAINS else f"{node.domain}.{node.op_type}"
    return f"{title} with a graph inside" if has_body(node) else title


def _fixed(name: str, value: Tensor, element_type: int = 0) -> Operand:
    return Operand(name, tuple(value.shape), value.dtype, fixed=value, element_type=element_type)
