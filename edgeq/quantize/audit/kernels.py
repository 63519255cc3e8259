"""Which operators of a candidate's file run as integer kernels, and whether the recipe quantized anything at all.

ONNX: onnxruntime writes the graph that it would run, which is read back. Where this host's CPU is of another kind than the
device's, those would be this host's kernels, so onnxruntime's fusion rule is applied to the file itself.
TFLite: LiteRT selects its kernels by the types of the tensors, on every CPU, so the file is enough.
"""

import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.onnx_index import OnnxIndex, bodies, index_of, nodes_within
from edgeq.graphs.op_sets import FUSED_FLOAT_KERNELS, HEAVY, INTEGER_KERNELS
from edgeq.graphs.ort_session import optimized
from edgeq.graphs.tflite import Operator, TfliteGraph, read_tflite
from edgeq.graphs.weights_in_file import read_weightless
from edgeq.nouns.fidelity import FusionAudit
from edgeq.nouns.plan import Scheme
from edgeq.quantize.quantization import Quantization

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

TFLITE_HEAVY = (
    "BATCH_MATMUL",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
)
_TFLITE_INTEGERS = ("INT8", "UINT8", "INT16", "INT4")
_PLAIN = "16-bit activations run in plain loops, XNNPACK has no kernels for them"


def fusion(q: Quantization, path: Path) -> tuple[FusionAudit, ...]:
    """How many of each kind of operator with weights run as integer kernels; of a float file none are counted."""
    if q.candidate.recipe == "float" or q.method == "cast":
        return ()
    if q.format == "tflite":
        return tflite_fusion(path, dynamic=q.method == "dynamic")
    return onnx_fusion(path, q.scheme if q.has_ranges else None)


def has_integer_kernels(q: Quantization, path: Path) -> bool:
    return any(audit.integer for audit in fusion(q, path))


def is_noop(q: Quantization, path: Path) -> bool:
    """Whether the recipe found nothing to quantize: the file is float over again and must not be raced as int8."""
    if q.method == "none" or q.rewritten:
        return False
    if q.format == "onnx":
        return not _quantizes(read_weightless(path).graph)
    return _integer_tensors(path) <= _integer_tensors(q.source)  # a float model may read integer pixels


def onnx_fusion(path: Path, scheme: Scheme | None) -> tuple[FusionAudit, ...]:
    """One entry per kind of operator with weights in the file at `path`."""
    if _runs_on_this_host(scheme):
        index = index_of(_optimized(path))
        pairs = len(_activation_dequantizers(index))
        return _counted(
            _optimized_kernels(index), pairs, "onnxruntime's optimised graph, read back on this host"
        )
    index = index_of(read_weightless(path).graph)
    method = "the file's structure by onnxruntime's rule for ARM (this host is none)"
    return _counted(((n.op_type, fuses) for n, fuses in _structure(index)), _pairs_left(index), method)


def tflite_fusion(path: Path, *, dynamic: bool = False) -> tuple[FusionAudit, ...]:
    """`dynamic` counts the operators that quantize their float activations at run time."""
    is_integer = has_integer_weights if dynamic else computes_integers
    graph = read_tflite(path)
    pairs = sum(o.kind == "DEQUANTIZE" and not set(o.outputs) & set(graph.outputs) for o in graph.operators)
    sixteen = any(graph.tensors[i].type == "INT16" for o in graph.operators for i in o.outputs)
    method = "tensor types in the file" + (f": {_PLAIN}" if sixteen else "")
    heavy = ((o.kind, is_integer(o, graph)) for o in graph.operators if o.kind in TFLITE_HEAVY)
    return _counted(heavy, pairs, method)


def integer_nodes(path: Path, scheme: Scheme | None) -> frozenset[str]:
    """Names of the nodes that run as integer kernels."""
    if _runs_on_this_host(scheme):
        return frozenset(n.name for n in nodes_within(_optimized(path).node) if n.op_type in INTEGER_KERNELS)
    return frozenset(n.name for n, fuses in _structure(index_of(read_weightless(path).graph)) if fuses)


def is_dequantized(tensor: str, index: OnnxIndex) -> bool:
    """Whether a DQ makes it."""
    maker = index.producer(tensor)
    return maker is not None and maker.op_type == "DequantizeLinear"


def computes_integers(operator: Operator, graph: TfliteGraph) -> bool:
    """Data in, weights and data out are integers. (Integer weights with float data are weight-only or dynamic.)"""
    tensors = [graph.tensors[i] for i in (*operator.inputs[:2], *operator.outputs[:1])]
    return all(t.type in _TFLITE_INTEGERS for t in tensors)


def has_integer_weights(operator: Operator, graph: TfliteGraph) -> bool:
    tensors = [graph.tensors[i] for i in operator.inputs[:2]]
    return any(t.constant and t.type in _TFLITE_INTEGERS for t in tensors)


def _counted(heavy: Iterable[tuple[str, bool]], pairs: int, method: str) -> tuple[FusionAudit, ...]:
    """`heavy`: the kind of each operator with weights, and whether it runs as an integer kernel."""
    integer: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for kind, is_integer in heavy:
        total[kind] += 1
        integer[kind] += is_integer
    return tuple(FusionAudit(kind, integer[kind], n, pairs, method) for kind, n in sorted(total.items()))


def _runs_on_this_host(scheme: Scheme | None) -> bool:
    """Whether this host's CPU is of the device's kind: signed activations mean that the file is for ARM."""
    return scheme is None or scheme.activations != "int8" or platform.machine() == "aarch64"


def _optimized(path: Path) -> "GraphProto":
    # Above this level come layout changes for this host's CPU, which hide operators behind private names.
    with quiet(), as_conversion_failed(f"onnxruntime does not load {path.name}"):
        return optimized(path, "extended", weights=False).graph


def _optimized_kernels(index: OnnxIndex) -> Iterator[tuple[str, bool]]:
    for node in nodes_within(index.nodes):
        kind = FUSED_FLOAT_KERNELS.get(node.op_type, node.op_type)
        if node.op_type in INTEGER_KERNELS:
            yield INTEGER_KERNELS[node.op_type], True
        elif kind in HEAVY:
            yield kind, False


def _structure(index: OnnxIndex) -> "Iterator[tuple[NodeProto, bool]]":
    """Each operator with weights and whether it fuses: its data inputs come from DQ and its one consumer is a Q (ReLU and
    Clip between are absorbed by the Q's range); a MatMul or Gemm without the Q still multiplies integers. A bias has to be
    a constant.
    """
    for node in (n for n in index.nodes if n.op_type in HEAVY):
        dequantized = all(_dequantized(node, index)[:2])
        if node.op_type in ("Conv", "Gemm") and len(node.input) > 2 and node.input[2]:
            dequantized = dequantized and _is_integer_bias(node.input[2], index)
        consumers = [user.op_type for user in index.consumers(node.output[0])]
        yield node, dequantized and (consumers == ["QuantizeLinear"] or node.op_type in ("MatMul", "Gemm"))


def _pairs_left(index: OnnxIndex) -> int:
    """DQs of activations that no operator absorbs."""
    users = (n for n in index.nodes if n.op_type != "QuantizeLinear" and any(_dequantized(n, index)))
    absorbed = {id(index.producer(name)) for node in users for name in node.input}
    return sum(id(node) not in absorbed for node in _activation_dequantizers(index))


def _activation_dequantizers(index: OnnxIndex) -> "list[NodeProto]":
    dequantizers = (n for n in index.nodes if n.op_type == "DequantizeLinear")
    return [n for n in dequantizers if index.initializer(n.input[0]) is None]


def _is_integer_bias(name: str, index: OnnxIndex) -> bool:
    """Integers of 32 bits behind a DQ: onnxruntime takes no other bias into an integer kernel."""
    maker = index.producer(name)
    stored = index.initializer(maker.input[0]) if maker is not None and maker.input else None
    return is_dequantized(name, index) and stored is not None and stored.data_type == stored.INT32


def _dequantized(node: "NodeProto", index: OnnxIndex) -> list[bool]:
    return [is_dequantized(name, index) for name in node.input]


def _quantizes(graph: "GraphProto", outer: frozenset[str] = frozenset()) -> bool:
    """Whether a node quantizes, or reads float16 other than to cast it back, also inside of If, Loop and Scan. `outer`: the
    float16 values of the graphs around it.
    """
    half = outer | {i.name for i in graph.initializer if i.data_type == i.FLOAT16}
    for node in graph.node:
        if "Quantize" in node.op_type or node.op_type in INTEGER_KERNELS:
            return True
        if node.op_type == "Cast":
            half |= set(node.output if _to_half(node) else ())
        elif half & set(node.input):
            return True
        if any(_quantizes(body, half) for body in bodies(node)):
            return True
    return False


def _to_half(cast: "NodeProto") -> bool:
    from onnx import TensorProto

    return any(a.name == "to" and a.i == TensorProto.FLOAT16 for a in cast.attribute)


def _integer_tensors(path: Path) -> int:
    return sum(t.type in _TFLITE_INTEGERS for t in read_tflite(path).tensors)
