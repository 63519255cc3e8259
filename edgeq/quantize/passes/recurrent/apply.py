"""Applies what rnn_lowering decided for each GRU and RNN of a model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.foreign import translated
from edgeq.graphs.onnx_edit import drop_unread
from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.onnx_io import opset_of
from edgeq.nouns.fidelity import Remedy
from edgeq.nouns.plan import Skipped
from edgeq.quantize.passes.recurrent.int8_weights import store
from edgeq.quantize.passes.recurrent.rnn_lowering import Way, ways_of
from edgeq.quantize.passes.recurrent.split_gru import Gru, split_gru

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Treated:
    """`model` is a copy. `remedies` names the nodes that were split, `left` those that compute in float, with the reason.
    `stored`: some weights are stored in 8 bits.
    """

    model: "onnx.ModelProto"
    remedies: tuple[Remedy, ...] = ()
    left: tuple[Skipped, ...] = ()
    stored: bool = False


def treat_recurrent(model: "onnx.ModelProto") -> Treated:
    """`model` comes from float_graph.read. Raises ConversionFailed when the new graph's shapes cannot be inferred."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    decided = [
        (scope, way) for scope in index_of(copy.graph).scopes() for way in ways_of(scope, opset_of(copy))
    ]
    if not decided:
        return Treated(model)
    for scope, way in decided:
        if way.split is not None:
            _replace(way.node, way.split, scope.graph)
    _store(decided)
    drop_unread(copy.graph)
    with translated("the shapes of a GRU's matrix products cannot be inferred"):
        copy = onnx.shape_inference.infer_shapes(copy, data_prop=True)
    ways = [way for _, way in decided]
    return Treated(
        copy,
        tuple(Remedy(way.name, way.why) for way in ways if way.split),
        tuple(Skipped(way.name, way.why) for way in ways if not way.split),
        any(way.stored for way in ways),
    )


def _replace(node: "onnx.NodeProto", gru: Gru, graph: "onnx.GraphProto") -> None:
    parts = split_gru(gru)
    where = list(graph.node).index(node)
    graph.node.remove(node)
    for k, part in enumerate(parts.nodes):
        graph.node.insert(where + k, part)
    graph.initializer.extend(parts.tensors.values())


def _store(decided: list[tuple[OnnxIndex, Way]]) -> None:
    """Each weight once, in the graph that holds it: nodes may share one."""
    held = {(id(scope.homes[name]), name): scope for scope, way in decided for name in way.stored}
    for (_, name), scope in held.items():
        store(scope.constants[name], scope.homes[name])
