"""Lowers GRU and RNN for onnxruntime, which has no integer kernel for either.

rnn_lowering    which nodes are split into matrix products, which get int8 weights for their float kernel, and why
split_gru       a GRU as MatMuls with constant weights around its steps
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgeq.foreign import as_conversion_failed
from edgeq.graphs.onnx_edit import NodeBuilder, copied, drop_unread
from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.onnx_io import opset_of
from edgeq.graphs.weightless import infer_shapes
from edgeq.nouns.fidelity import LayerInFloat
from edgeq.nouns.passes import AppliedChange
from edgeq.quantize.passes.recurrent.rnn_lowering import Lowering, lowerings_of
from edgeq.quantize.passes.recurrent.split_gru import split_gru
from edgeq.quantize.quantization import ALWAYS, PREPARE, Context, Quantization
from edgeq.quantize.weights import int8_by_row

if TYPE_CHECKING:
    import onnx

NAME = ALWAYS
STAGE = PREPARE


@dataclass(frozen=True)
class Lowered:
    """`model` is a copy. `changes` names the nodes that were split, `left` those that compute in float, with the reason.
    `stored`: some weights are stored in 8 bits.
    """

    model: "onnx.ModelProto"
    changes: tuple[AppliedChange, ...] = ()
    left: tuple[LayerInFloat, ...] = ()
    stored: bool = False


def run(q: Quantization, context: Context) -> Quantization:
    found = lower_recurrent(q.graph)
    q = replace(
        q,
        model=found.model,
        rewritten=q.rewritten or found.stored,
        recurrent_in_float=(*q.recurrent_in_float, *found.left),
    )
    return q.with_changes("recurrent", found.changes)


def lower_recurrent(model: "onnx.ModelProto") -> Lowered:
    """`model` comes from float_graph.read. Raises ConversionFailed when the new graph's shapes cannot be inferred."""
    copy = copied(model)
    opset = opset_of(copy)
    found = [(scope, each) for scope in index_of(copy.graph).scopes() for each in lowerings_of(scope, opset)]
    if not found:
        return Lowered(model)
    for scope, lowering in found:
        if lowering.split is not None:
            split_gru(lowering.split).replace(lowering.node, scope.graph)
    _store(found)
    drop_unread(copy.graph)
    with as_conversion_failed("the shapes of a GRU's matrix products cannot be inferred"):
        infer_shapes(copy)
    lowerings = [lowering for _, lowering in found]
    return Lowered(
        copy,
        tuple(AppliedChange(each.name, each.why) for each in lowerings if each.split),
        tuple(LayerInFloat(each.name, each.why) for each in lowerings if not each.split),
        any(each.stored for each in lowerings),
    )


def _store(found: list[tuple[OnnxIndex, Lowering]]) -> None:
    """Each weight once, in the graph that holds it: nodes may share one."""
    held = {(id(scope.homes[name]), name): scope for scope, lowering in found for name in lowering.stored}
    for (_, name), scope in held.items():
        _store_as_int8(scope.constants[name], scope.homes[name])


def _store_as_int8(tensor: "onnx.TensorProto", graph: "onnx.GraphProto") -> None:
    """The float `tensor` of `graph` for a float kernel: int8, a Cast, and a Mul with one scale per row (all axes but the last).

    onnxruntime folds these constants when it loads the file and prepacks the result as it would float weights: float's speed
    at a quarter of the bytes. A DequantizeLinear it does not fold, which then runs at every inference (0.4 to 0.8 of float's
    speed).
    """
    from onnx import TensorProto, numpy_helper

    values = numpy_helper.to_array(tensor)
    integers, scales = int8_by_row(values)
    parts = NodeBuilder(f"{tensor.name}.stored")
    whole = parts.node("Cast", [parts.constant("int8", integers)], "whole", to=TensorProto.FLOAT)
    parts.node_into("Mul", [whole, parts.constant("scales", scales)], [tensor.name])
    _remove(tensor.name, graph)
    graph.initializer.extend(parts.tensors.values())
    for k, node in enumerate(parts.nodes):
        graph.node.insert(k, node)


def _remove(name: str, graph: "onnx.GraphProto") -> None:
    """From the initializers or the Constant nodes."""
    for held in [t for t in graph.initializer if t.name == name]:
        graph.initializer.remove(held)
    for made in [n for n in graph.node if n.op_type == "Constant" and n.output[0] == name]:
        graph.node.remove(made)
