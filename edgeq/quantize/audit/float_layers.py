"""Lists every operator of a candidate that still computes in float, grouped by kind, with the reason."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.foreign import as_conversion_failed
from edgeq.graphs.onnx_index import Graph, OnnxIndex, index_of
from edgeq.graphs.op_sets import DYNAMIC, HEAVY, INTEGER_OPERATORS, LOWERED, STATIC
from edgeq.graphs.tflite import read_tflite
from edgeq.graphs.weights_in_file import read_weightless
from edgeq.nouns.fidelity import LayerInFloat
from edgeq.nouns.plan import Scheme
from edgeq.quantize.audit.kernels import TFLITE_HEAVY, has_integer_weights, integer_nodes, is_dequantized
from edgeq.quantize.backends.ort.dynamic import without_kernel
from edgeq.quantize.passes.blockwise import why_no_blocks
from edgeq.quantize.quantization import Quantization

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

FloatLayers = Iterator[tuple[str, str, str]]  # the operator's kind, its name, the reason

_NAMED = 3  # nodes named in a group before "and N more"
_NOT_TAKEN = "the quantizer does not support (float32 only)"
_NOT_FUSED = "onnxruntime does not fuse it with its quantize and dequantize operators"
IN_SUBGRAPH = "is inside an If, Loop or Scan, where static quantization is not supported"
_NEIGHBOURS = "its neighbours run in float"
_OTHER_FLOAT_TYPES = {"DOUBLE": "float64", "BFLOAT16": "bfloat16"}
_NO_ARITHMETIC = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "Cast",
    "Constant",
    "Identity",
    "Shape",
)


def layers_in_float(q: Quantization, path: Path) -> tuple[LayerInFloat, ...]:
    """Every layer of the file at `path` that computes in float, with the reason."""
    find = _FINDERS.get((q.method, q.format))
    if find is None:
        return q.recurrent_in_float
    return (*q.recurrent_in_float, *grouped(find(path), {**q.in_float, **q.mixed_precision_layers}))


def reasons_in(path: Path, method: str, format: str) -> dict[str, tuple[str, ...]]:
    """Why layers of the file at `path` compute in float, by name of the node or first output: a node in a body may have the
    name of another one.
    """
    find = _FINDERS.get((method, format))
    reasons: dict[str, tuple[str, ...]] = {}
    for _, name, why in find(path) if find else ():
        reasons[name] = (*reasons.get(name, ()), why)
    return reasons


def grouped(found: Iterable[tuple[str, str, str]], chosen: Mapping[str, str]) -> tuple[LayerInFloat, ...]:
    """`chosen` are layers that were left in float on purpose, with the reason: they are listed one by one."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, name, why in found:
        if name not in chosen:
            groups[kind, why].append(name)
    one_by_one = (LayerInFloat(name, why) for name, why in chosen.items())
    return (
        *one_by_one,
        *(LayerInFloat(_group(kind, names), why) for (kind, why), names in sorted(groups.items())),
    )


def onnx_static(path: Path) -> FloatLayers:
    """Nodes that read a float tensor which no DQ made, that have no integer kernel to fuse with the DQ before them, that lie
    inside of another node, or that onnxruntime computes in float all the same.
    """
    graph = _graph(path)
    index, floats, others = index_of(graph), _floats(graph), _other_types(graph)
    candidates = []
    for node in (n for n in graph.node if n.op_type not in _NO_ARITHMETIC):
        inputs = [i for i in node.input if i in floats]
        dequantized = all(is_dequantized(i, index) for i in inputs)
        if why := _why_type(node, others):
            yield node.op_type, node.name, why
        elif inputs and not (dequantized and node.op_type in INTEGER_OPERATORS):
            yield node.op_type, node.name, _why_static(node, index, _NEIGHBOURS)
        elif inputs and node.op_type in STATIC:
            candidates.append(node)
    for inner in islice(_graphs(graph), 1, None):
        floats = _floats(inner)
        for node in (n for n in inner.node if n.op_type not in _NO_ARITHMETIC):
            if node.op_type in HEAVY or any(o in floats for o in node.output):
                yield node.op_type, node.name, IN_SUBGRAPH
    integer = integer_nodes(path, _scheme_of(index)) if candidates else frozenset[str]()
    for node in candidates:
        if node.name not in integer:
            yield node.op_type, node.name, _why_static(node, index, _NOT_FUSED)


def onnx_dynamic(path: Path) -> FloatLayers:
    """Operators with weights that dynamic int8 did not take."""
    graph = _graph(path)
    no_kernel = {name: why for inner in _graphs(graph) for name, why in without_kernel(inner).items()}
    for node, why_type in _heavy_with_types(graph):
        yield node.op_type, node.name, why_type or _why_dynamic(node, no_kernel)


def onnx_blockwise(path: Path) -> FloatLayers:
    """Operators with weights that MatMulNBits did not take."""
    graph = _graph(path)
    scopes = {node.name: scope for scope in index_of(graph).scopes() for node in scope.nodes}
    for node, why_type in _heavy_with_types(graph):
        yield node.op_type, node.name, why_type or why_no_blocks(node, scopes[node.name])


def onnx_half(path: Path) -> FloatLayers:
    """Operators that compute in float32 between casts, wherever onnxruntime's converter is careful."""
    for graph in _graphs(_graph(path)):
        floats, others = _floats(graph), _other_types(graph)
        for node in (n for n in graph.node if n.op_type not in _NO_ARITHMETIC):
            if any(name in floats for name in node.output):
                yield node.op_type, node.name, "onnxruntime's float16 converter leaves it in float32"
            elif why := _why_type(node, others, "is not converted to float16"):
                yield node.op_type, node.name, why


def tflite_static(path: Path) -> FloatLayers:
    graph = read_tflite(path)
    for op in graph.operators:
        outputs = [graph.tensors[i] for i in op.outputs]
        if op.kind not in ("QUANTIZE", "DEQUANTIZE") and any(t.type == "FLOAT32" for t in outputs):
            yield op.kind, outputs[0].name, "litert-quantizer does not support it in this configuration"


def tflite_dynamic(path: Path) -> FloatLayers:
    """Operators with weights that dynamic int8 did not take."""
    graph = read_tflite(path)
    for op in graph.operators:
        if op.kind in TFLITE_HEAVY and not has_integer_weights(op, graph):
            constant = any(graph.tensors[i].constant for i in op.inputs[:2])
            no_rule, two = (
                "litert-quantizer does not support it in dynamic int8",
                "both operands are activations",
            )
            yield op.kind, graph.tensors[op.outputs[0]].name, no_rule if constant else two


_FINDERS: dict[tuple[str, str], Callable[[Path], FloatLayers]] = {
    ("static", "onnx"): onnx_static,
    ("static", "tflite"): tflite_static,
    ("trained", "onnx"): onnx_static,
    ("trained", "tflite"): tflite_static,
    ("dynamic", "onnx"): onnx_dynamic,
    ("dynamic", "tflite"): tflite_dynamic,
    ("blockwise", "onnx"): onnx_blockwise,
    ("cast", "onnx"): onnx_half,
}


def _graph(path: Path) -> "GraphProto":
    import onnx

    model = read_weightless(path)
    with as_conversion_failed(f"cannot read {path.name} as ONNX"):
        return onnx.shape_inference.infer_shapes(model).graph


def _graphs(graph: "GraphProto") -> Iterator[Graph]:
    """The graph and those inside its If, Loop and Scan."""
    return (scope.graph for scope in index_of(graph).scopes())


def _types(graph: Graph) -> dict[str, str]:
    """ONNX's names of the types of the tensors whose type is known."""
    import onnx

    values = (*graph.input, *graph.value_info, *graph.output)
    codes = {v.name: v.type.tensor_type.elem_type for v in values}
    return {name: onnx.TensorProto.DataType.Name(code) for name, code in codes.items() if code}


def _floats(graph: Graph) -> set[str]:
    return {name for name, kind in _types(graph).items() if kind == "FLOAT"}


def _other_types(graph: Graph) -> dict[str, str]:
    """numpy's names of the types that no quantizer takes for floats, by tensor; half precision is one that they take."""
    return {
        name: _OTHER_FLOAT_TYPES.get(kind, kind.lower())
        for name, kind in _types(graph).items()
        if kind not in ("FLOAT", "FLOAT16")
    }


def _heavy_with_types(graph: "GraphProto") -> "Iterator[tuple[NodeProto, str]]":
    """Operators with weights, in all graphs, each with why its type is not quantized; "" where it is. Without recurrent ones,
    which are listed where their weights were stored.
    """
    for inner in _graphs(graph):
        others = _other_types(inner)
        for node in inner.node:
            if node.op_type in HEAVY and node.op_type not in LOWERED:
                yield node, _why_type(node, others)


def _why_type(node: "NodeProto", others: Mapping[str, str], what: str = _NOT_TAKEN) -> str:
    """The reason, where it is the type that `node` computes in; else "". Integers are a reason only where weights would be."""
    kind = next((others[name] for name in node.output if name in others), "")
    if kind in _OTHER_FLOAT_TYPES.values() or (kind and node.op_type in HEAVY):
        return f"computes in {kind}, which {what}"
    return ""


def _why_static(node: "NodeProto", index: OnnxIndex, otherwise: str) -> str:
    if node.op_type in ("LSTM", *LOWERED):
        return f"{node.op_type} is quantized only with dynamic activations (--recipe int8_dynamic)"
    if node.op_type not in INTEGER_OPERATORS:
        return "onnxruntime's CPU provider has no integer kernel for it"
    if node.op_type in ("Conv", "Gemm") and len(node.input) > 2 and not _is_constant(node.input[2], index):
        return "its bias is computed at run time; an integer kernel needs a constant one"
    return otherwise


def _why_dynamic(node: "NodeProto", no_kernel: Mapping[str, str]) -> str:
    if node.op_type == "MatMul" and node.name in no_kernel:
        return no_kernel[node.name]
    if node.op_type in DYNAMIC:
        return "both operands are activations, or the weight is not a constant"
    if node.op_type in ("Conv", "ConvTranspose"):
        return "a dynamically quantized convolution is slower than float"
    return f"onnxruntime has no dynamic int8 kernel for {node.op_type}"


def _scheme_of(index: OnnxIndex) -> Scheme:
    """By the zero points: signed activations mean that the file is for ARM."""
    zeros = (n.input[2] for n in index.nodes if n.op_type == "QuantizeLinear" and len(n.input) > 2)
    stored = (tensor for name in zeros if (tensor := index.initializer(name)) is not None)
    signed = any(tensor.data_type == tensor.INT8 for tensor in stored)
    return Scheme("int8" if signed else "uint8", "int8", True)


def _is_constant(tensor: str, index: OnnxIndex) -> bool:
    """An initializer, or what a DQ makes of one."""
    maker = index.producer(tensor)
    stored = maker.input[0] if maker is not None and is_dequantized(tensor, index) else tensor
    return index.initializer(stored) is not None


def _group(kind: str, names: list[str]) -> str:
    shown = ", ".join(n for n in names[:_NAMED] if n)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{kind}: {shown}{more}" if shown else f"{kind} ({len(names)})"
