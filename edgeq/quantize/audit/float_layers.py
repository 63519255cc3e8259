"""Lists every operator of a candidate that still computes in float, grouped by kind, with the reason."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.foreign import translated
from edgeq.graphs.onnx_index import Graph, OnnxIndex, index_of
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.op_sets import DYNAMIC, HEAVY, INTEGER_OPERATORS, STATIC, UNROLLED
from edgeq.graphs.tflite import read_tflite
from edgeq.nouns.plan import Scheme, Skipped
from edgeq.quantize.audit.kernels import integer_nodes
from edgeq.quantize.audit.tflite_kernels import HEAVY as TFLITE_HEAVY
from edgeq.quantize.audit.tflite_kernels import has_integer_weights
from edgeq.quantize.backends.ort.dynamic import without_kernel

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_NAMED = 3  # nodes named in a group before "and N more"
_NOT_TAKEN = "the quantizer does not take: it takes float32"
_NOT_FUSED = "onnxruntime does not fuse it with its quantize and dequantize operators"
_OTHER_REALS = {"DOUBLE": "float64", "BFLOAT16": "bfloat16"}
_PLUMBING = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "Cast",
    "Constant",
    "Identity",
    "Shape",
)


def onnx_static(path: Path, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
    """`by_choice` are nodes that were left on purpose, with the reason; they are listed one by one."""
    graph = _graph(path)
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for node, why in (*_float_nodes(graph), *_unfused(path, graph)):
        if node.name not in by_choice:
            groups[node.op_type, why].append(node.name)
    chosen = tuple(Skipped(name, why) for name, why in by_choice.items())
    return (*chosen, *_worded(groups))


def onnx_dynamic(path: Path, by_choice: Mapping[str, str]) -> tuple[Skipped, ...]:
    """Operators with weights that dynamic int8 did not take; `by_choice` as for `onnx_static`."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    whole = _graph(path)
    no_kernel = {name: why for graph in _graphs(whole) for name, why in without_kernel(graph).items()}
    for node, other in _heavy_with_types(whole):
        if node.name in by_choice:
            continue
        if other:
            why = other
        elif node.op_type == "MatMul" and node.name in no_kernel:
            why = no_kernel[node.name]
        elif node.op_type in DYNAMIC:
            why = "both operands are activations, or the weight is not a constant"
        elif node.op_type in ("Conv", "ConvTranspose"):
            why = "a dynamically quantized convolution is slower than float"
        else:
            why = f"onnxruntime has no dynamic int8 kernel for {node.op_type}"
        groups[node.op_type, why].append(node.name)
    chosen = tuple(Skipped(name, why) for name, why in by_choice.items())
    return (*chosen, *_worded(groups))


def onnx_blockwise(path: Path) -> tuple[Skipped, ...]:
    """Operators with weights that MatMulNBits did not take."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for node, other in _heavy_with_types(_graph(path)):
        if other:
            why = other
        elif node.op_type in ("MatMul", "Gemm"):
            why = "both operands are activations, or the weights are not constant or too few to gain"
        else:
            why = "onnxruntime supports block-wise weights only in matrix products"
        groups[node.op_type, why].append(node.name)
    return _worded(groups)


def onnx_half(path: Path) -> tuple[Skipped, ...]:
    """Operators that compute in float32 between casts, wherever onnxruntime's converter is careful."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for graph in _graphs(_graph(path)):
        floats, others = _floats(graph), _other_types(graph)
        for node in graph.node:
            if node.op_type in _PLUMBING:
                continue
            if any(name in floats for name in node.output):
                groups[node.op_type, "onnxruntime's float16 converter leaves it in float32"].append(node.name)
            elif why := _why_type(node, others, "is not converted to float16"):
                groups[node.op_type, why].append(node.name)
    return _worded(groups)


def tflite_static(path: Path, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
    """`by_choice` are operators, by their first output, that were left on purpose, with the reason."""
    graph = read_tflite(path)
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for op in graph.operators:
        outputs = [graph.tensors[i] for i in op.outputs]
        named = outputs[0].name if outputs else ""
        if op.kind in ("QUANTIZE", "DEQUANTIZE") or named in by_choice:
            continue
        if any(t.type == "FLOAT32" for t in outputs):
            groups[op.kind, "litert-quantizer has no rule for it here"].append(named)
    chosen = tuple(Skipped(name, why) for name, why in by_choice.items())
    return (*chosen, *_worded(groups))


def tflite_dynamic(path: Path, by_choice: dict[str, str]) -> tuple[Skipped, ...]:
    """Operators with weights that dynamic int8 did not take; `by_choice` as for `tflite_static`."""
    graph = read_tflite(path)
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for op in (o for o in graph.operators if o.kind in TFLITE_HEAVY):
        if has_integer_weights(op, graph) or graph.tensors[op.outputs[0]].name in by_choice:
            continue
        fixed = any(graph.tensors[i].constant for i in op.inputs[:2])
        why = (
            "litert-quantizer has no dynamic int8 rule for it here"
            if fixed
            else "both operands are activations"
        )
        groups[op.kind, why].append(graph.tensors[op.outputs[0]].name)
    chosen = tuple(Skipped(name, why) for name, why in by_choice.items())
    return (*chosen, *_worded(groups))


def _graph(path: Path) -> "GraphProto":
    import onnx

    with translated(f"cannot read {path.name} as ONNX"):
        return onnx.shape_inference.infer_shapes(read_onnx(path)).graph


def _graphs(graph: "GraphProto") -> "Iterator[Graph]":
    """The graph and those inside its If, Loop and Scan."""
    return (scope.graph for scope in index_of(graph).scopes())


def _floats(graph: Graph) -> set[str]:
    return {name for name, kind in _types(graph).items() if kind == "FLOAT"}


def _types(graph: Graph) -> dict[str, str]:
    """In ONNX's words, of the tensors whose type is known."""
    import onnx

    values = (*graph.input, *graph.value_info, *graph.output)
    codes = {v.name: v.type.tensor_type.elem_type for v in values}
    return {name: onnx.TensorProto.DataType.Name(code) for name, code in codes.items() if code}


def _other_types(graph: Graph) -> dict[str, str]:
    """In numpy's words, of the tensors that no quantizer takes for reals; half precision is one that they take."""
    return {
        name: _OTHER_REALS.get(kind, kind.lower())
        for name, kind in _types(graph).items()
        if kind not in ("FLOAT", "FLOAT16")
    }


def _why_type(node: "NodeProto", others: Mapping[str, str], what: str = _NOT_TAKEN) -> str:
    """Where the type of what `node` computes is the reason, in words; else empty. Integers are only where weights would be."""
    kind = next((others[name] for name in node.output if name in others), "")
    if kind in _OTHER_REALS.values() or (kind and node.op_type in HEAVY):
        return f"computes in {kind}, which {what}"
    return ""


def _heavy_with_types(graph: "GraphProto") -> "Iterator[tuple[NodeProto, str]]":
    """Operators with weights, in all graphs, each with why its type is not quantized; "" where it is. Without recurrent ones,
    which are listed where their weights were stored.
    """
    for inner in _graphs(graph):
        others = _other_types(inner)
        for node in inner.node:
            if node.op_type in HEAVY and node.op_type not in UNROLLED:
                yield node, _why_type(node, others)


def _float_nodes(graph: "GraphProto") -> "Iterator[tuple[NodeProto, str]]":
    """(node, why) of nodes that read a float tensor which no DQ made, that have no integer kernel to fuse with the DQ
    before them, or that lie inside of another node.
    """
    index, floats, others = index_of(graph), _floats(graph), _other_types(graph)
    for node in graph.node:
        if node.op_type in _PLUMBING:
            continue
        if why := _why_type(node, others):
            yield node, why
            continue
        read = [i for i in node.input if i in floats]
        fused = node.op_type in INTEGER_OPERATORS
        if any(not _is_dequantized(i, index) or not fused for i in read):
            yield node, _why_static(node, index)
    for inner in islice(_graphs(graph), 1, None):
        floats = _floats(inner)
        for node in inner.node:
            if node.op_type not in _PLUMBING and (
                node.op_type in HEAVY or any(o in floats for o in node.output)
            ):
                yield node, "is inside an If, Loop or Scan, where static quantization is not supported"


def _unfused(path: Path, graph: "GraphProto") -> "Iterator[tuple[NodeProto, str]]":
    """(node, why) of operators with weights that read nothing but what DQs made, and that the runtime computes in float
    all the same.
    """
    index, floats = index_of(graph), _floats(graph)
    fed = [
        node
        for node in graph.node
        if node.op_type in STATIC
        and all(_is_dequantized(i, index) for i in node.input if i in floats)
        and any(i in floats for i in node.input)
    ]
    integer = integer_nodes(path, _scheme_of(graph)) if fed else frozenset[str]()
    for node in fed:
        if node.name not in integer:
            yield node, _why_static(node, index, _NOT_FUSED)


def _scheme_of(graph: "GraphProto") -> Scheme:
    """Signed activations mean that the file is for ARM."""
    index = index_of(graph)
    zeros = (n.input[2] for n in index.nodes if n.op_type == "QuantizeLinear" and len(n.input) > 2)
    stored = (tensor for name in zeros if (tensor := index.initializer(name)) is not None)
    signed = any(tensor.data_type == tensor.INT8 for tensor in stored)
    return Scheme("int8" if signed else "uint8", "int8", True)


def _is_dequantized(tensor: str, index: OnnxIndex) -> bool:
    maker = index.producer(tensor)
    return maker is not None and maker.op_type == "DequantizeLinear"


def _is_constant(tensor: str, index: OnnxIndex) -> bool:
    """An initializer, or what a DQ makes of one."""
    maker = index.producer(tensor)
    stored = maker.input[0] if maker is not None and maker.op_type == "DequantizeLinear" else tensor
    return index.initializer(stored) is not None


def _why_static(node: "NodeProto", index: OnnxIndex, otherwise: str = "its neighbours run in float") -> str:
    if node.op_type in ("LSTM", *UNROLLED):
        return f"{node.op_type} is quantized only with dynamic activations (--recipe int8_dynamic)"
    if node.op_type not in INTEGER_OPERATORS:
        return "onnxruntime's CPU provider has no integer kernel for it"
    if node.op_type in ("Conv", "Gemm") and len(node.input) > 2 and not _is_constant(node.input[2], index):
        return "its bias is computed at run time; an integer kernel needs a constant one"
    return otherwise


def _worded(groups: dict[tuple[str, str], list[str]]) -> tuple[Skipped, ...]:
    return tuple(Skipped(_group(kind, names), why) for (kind, why), names in sorted(groups.items()))


def _group(kind: str, names: list[str]) -> str:
    shown = ", ".join(n for n in names[:_NAMED] if n)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{kind}: {shown}{more}" if shown else f"{kind} ({len(names)})"
