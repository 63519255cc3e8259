"""Which tensors a model's outputs are compared at: the outputs themselves, or what they were before a softmax.

Behind a softmax most samples are 0 or 1 whatever rounding did, and the error is that of the few undecided ones: too few
to choose by. Before it every sample counts. The same holds for sigmoid, tanh and the like.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.op_sets import MOVES_VALUES, SATURATES
from edgeq.graphs.tflite import is_float_or_quantized, kind_of, producers_of

if TYPE_CHECKING:
    import onnx
    from ai_edge_litert.schema_py_generated import ModelT, OperatorT, SubGraphT

_FLOAT = 1  # TensorProto.FLOAT
_MOVING = (*MOVES_VALUES, "Cast")
_TFLITE_SATURATING = ("LOGISTIC", "LOG_SOFTMAX", "SOFTMAX", "TANH")
_TFLITE_MOVING = ("CAST", "DEQUANTIZE", "EXPAND_DIMS", "QUANTIZE", "RESHAPE", "SQUEEZE", "TRANSPOSE")


@dataclass(frozen=True)
class PreSoftmax:
    """The float tensor that `output` is compared at, often the same, and the node that makes it ("": it is an input)."""

    output: str
    tensor: str
    node: str


def pre_softmax_of(model: "onnx.ModelProto") -> tuple[PreSoftmax, ...]:
    """Of every float output of a model with inferred shapes, but for those that are a softmax of another output. Where no
    output is a float: of the floats that class numbers and booleans are made of.
    """
    index, types = index_of(model.graph), _types(model)
    outputs = [o.name for o in model.graph.output if types.get(o.name) == _FLOAT]
    if not outputs:
        return tuple(_pre_softmax(index, types, name) for name in _floats_behind(index, types))
    found = [_pre_softmax(index, types, name) for name in outputs]
    return tuple(p for p in found if p.tensor == p.output or p.tensor not in outputs)


def last_layers(model: "onnx.ModelProto") -> tuple[str, ...]:
    """Names of the nodes that make the pre-softmax outputs."""
    return tuple(p.node for p in pre_softmax_of(model))


def tensors_in(model: "onnx.ModelProto", outputs: tuple[PreSoftmax, ...]) -> tuple[str, ...]:
    """The tensors of `model`, the float one or one made from it, that hold the values of `outputs`, each once."""
    index = index_of(model.graph)
    return tuple(dict.fromkeys(_tensor_in(index, p) for p in outputs))


def _types(model: "onnx.ModelProto") -> dict[str, int]:
    """Element types of the tensors, outputs last: they state theirs themselves."""
    graph = model.graph
    return {v.name: v.type.tensor_type.elem_type for v in (*graph.value_info, *graph.input, *graph.output)}


def _floats_behind(index: OnnxIndex, types: dict[str, int]) -> list[str]:
    """The floats that the outputs, integers or booleans all of them, are made of."""
    found: dict[str, None] = {}
    left, known = [o.name for o in index.graph.output], set[str]()
    while left:
        name = left.pop()
        node = index.producer(name)
        if name in known or node is None:
            continue
        known.add(name)
        if types.get(name) == _FLOAT:
            found[name] = None
        else:
            left += node.input
    return list(found)


def _pre_softmax(index: OnnxIndex, types: dict[str, int], output: str) -> PreSoftmax:
    """Before the saturating functions that make `output`, if any, and what moves values between them."""
    tensor, saturated = output, False
    node = made_by = index.producer(output)
    while node is not None and node.op_type in (*SATURATES, *_MOVING):
        if types.get(node.input[0], _FLOAT) != _FLOAT:
            break
        saturated = saturated or node.op_type in SATURATES
        tensor = node.input[0]
        node = index.producer(tensor)
    if not saturated or node is None:
        tensor, node = output, made_by
    return PreSoftmax(output, tensor, "" if node is None else node.name)


def _tensor_in(index: OnnxIndex, output: PreSoftmax) -> str:
    """onnxruntime's quantizer drops an activation whose cut the range of its output makes as well: the tensor's name goes
    to what fed it, and only behind QuantizeLinear is it cut.
    """
    if any(node.name == output.node for node in index.nodes):
        return output.tensor
    for quantize in index.consumers(output.tensor):
        if quantize.op_type == "QuantizeLinear":
            return next((str(n.output[0]) for n in index.consumers(quantize.output[0])), output.tensor)
    return output.tensor


def tflite_pre_softmax(model: "ModelT") -> tuple[int, ...]:
    """The same of a .tflite: the index of a tensor for each float output."""
    graph = model.subgraphs[0]
    maker = producers_of(graph)
    floats = [int(t) for t in graph.outputs if is_float_or_quantized(graph.tensors[int(t)])]
    return tuple(_tflite_pre_softmax(model, maker, t) for t in floats or _tflite_floats_behind(graph, maker))


def _tflite_floats_behind(graph: "SubGraphT", maker: "dict[int, OperatorT]") -> list[int]:
    """The floats that class numbers and booleans are made of."""
    found: dict[int, None] = {}
    left, known = [int(t) for t in graph.outputs], set()
    while left:
        tensor = left.pop()
        if tensor in known or tensor not in maker:
            continue
        known.add(tensor)
        if is_float_or_quantized(graph.tensors[tensor]):
            found[tensor] = None
        else:
            left += [int(t) for t in maker[tensor].inputs]
    return list(found)


def _tflite_pre_softmax(model: "ModelT", maker: "dict[int, OperatorT]", output: int) -> int:
    tensor, saturated = output, False
    while tensor in maker and kind_of(model, maker[tensor]) in (*_TFLITE_SATURATING, *_TFLITE_MOVING):
        saturated = saturated or kind_of(model, maker[tensor]) in _TFLITE_SATURATING
        tensor = int(maker[tensor].inputs[0])
    return tensor if saturated else output
