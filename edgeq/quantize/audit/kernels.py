"""What the runtime really does with a candidate: heavy operators that run as integer kernels, Q/DQ pairs that remain.

onnxruntime is asked: the graph that it would run is written out and read back. Where this host's CPU is another kind
than the device's, its fusions would be this host's, so the file's own structure is read by onnxruntime's rule instead.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeq.foreign import quiet, translated
from edgeq.graphs.ort_session import optimized
from edgeq.nouns.fidelity import FusionAudit
from edgeq.nouns.plan import Scheme
from edgeq.quantize.graph_work import HEAVY

if TYPE_CHECKING:
    from onnx import GraphProto

_INTEGER = {
    "QLinearConv": "Conv",
    "ConvInteger": "Conv",
    "QLinearMatMul": "MatMul",
    "MatMulInteger": "MatMul",
    "MatMulIntegerToFloat": "MatMul",
    "DynamicQuantizeMatMul": "MatMul",
    "MatMulNBits": "MatMul",
    "QGemm": "Gemm",
    "DynamicQuantizeLSTM": "LSTM",
}
_FLOAT = {"FusedConv": "Conv", "FusedMatMul": "MatMul", "FusedGemm": "Gemm", "NhwcFusedConv": "Conv"}


def onnx_fusion(path: Path, scheme: Scheme | None) -> tuple[FusionAudit, ...]:
    """One entry per kind of heavy operator in the file at `path`. Signed activations mean that it is for ARM."""
    import platform

    import onnx

    for_arm = scheme is not None and scheme.activations == "int8"
    if not for_arm or platform.machine() == "aarch64":
        method = "onnxruntime's optimised graph, read back on this host"
        graph = _optimized(path)
        pairs = sum(n.op_type == "DequantizeLinear" and not _of_weight(n, graph) for n in graph.node)
        return _count(graph, pairs, method)
    with translated(f"cannot read {path.name} as ONNX"):
        graph = onnx.load(str(path)).graph
    return _by_structure(graph, "the file's structure by onnxruntime's rule for ARM (this host is none)")


def integer_nodes(path: Path, scheme: Scheme | None) -> frozenset[str]:
    """Names of the nodes that run as integer kernels, by the same rule."""
    import platform

    import onnx

    for_arm = scheme is not None and scheme.activations == "int8"
    if not for_arm or platform.machine() == "aarch64":
        return frozenset(n.name for n in _all_nodes(_optimized(path)) if n.op_type in _INTEGER)
    with translated(f"cannot read {path.name} as ONNX"):
        return frozenset(n.name for n, fuses in _structure(onnx.load(str(path)).graph) if fuses)


def _optimized(path: Path) -> "GraphProto":
    # Above this level come layout changes for this host's CPU, which hide operators behind private names.
    with quiet(), translated(f"onnxruntime does not load {path.name}"):
        return optimized(path, "extended").graph


def _count(graph: Any, pairs: int, method: str) -> tuple[FusionAudit, ...]:
    integer: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for node in _all_nodes(graph):
        if node.op_type in _INTEGER:
            integer[_INTEGER[node.op_type]] += 1
            total[_INTEGER[node.op_type]] += 1
        else:
            kind = _FLOAT.get(node.op_type, node.op_type)
            total[kind] += kind in HEAVY
    return tuple(FusionAudit(k, integer[k], n, pairs, method) for k, n in sorted(total.items()) if n)


def _by_structure(graph: Any, method: str) -> tuple[FusionAudit, ...]:
    integer: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for node, fuses in _structure(graph):
        total[node.op_type] += 1
        integer[node.op_type] += fuses
    makers = {o: n for n in graph.node for o in n.output}
    absorbed = {id(makers.get(i)) for n in graph.node if _takes_integers(n, makers) for i in n.input}
    left = sum(
        n.op_type == "DequantizeLinear" and not _of_weight(n, graph) and id(n) not in absorbed
        for n in graph.node
    )
    return tuple(FusionAudit(k, integer[k], n, left, method) for k, n in sorted(total.items()))


def _structure(graph: Any) -> Iterator[tuple[Any, bool]]:
    """Each heavy operator and whether it fuses: its data inputs come from DQ and its one consumer is a Q (ReLU and Clip
    between are absorbed by the Q's range); a MatMul or Gemm without the Q still multiplies integers. A bias has to be a
    stored one.
    """
    makers = {o: n for n in graph.node for o in n.output}
    kinds = {i.name: i.data_type for i in graph.initializer}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for i in node.input:
            users.setdefault(i, []).append(node)
    for node in (n for n in graph.node if n.op_type in HEAVY):
        fed = all(_is(makers.get(i), "DequantizeLinear") for i in node.input[:2])
        if node.op_type in ("Conv", "Gemm") and len(node.input) > 2 and node.input[2]:
            fed = fed and _is_stored_bias(makers.get(node.input[2]), kinds)
        read = [u.op_type for u in users.get(node.output[0], [])]
        yield node, fed and (read == ["QuantizeLinear"] or node.op_type in ("MatMul", "Gemm"))


def _is_stored_bias(maker: Any, kinds: dict[str, int]) -> bool:
    """Integers of 32 bits behind a DQ: onnxruntime takes no other bias into an integer kernel."""
    return _is(maker, "DequantizeLinear") and kinds.get(maker.input[0]) == 6  # TensorProto.INT32


def _takes_integers(node: Any, makers: dict[str, Any]) -> bool:
    return node.op_type != "QuantizeLinear" and any(
        _is(makers.get(i), "DequantizeLinear") for i in node.input
    )


def _is(node: Any, kind: str) -> bool:
    return node is not None and node.op_type == kind


def _of_weight(node: Any, graph: Any) -> bool:
    return any(i.name == node.input[0] for i in graph.initializer)


def _all_nodes(graph: Any) -> list[Any]:
    found = list(graph.node)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found += _all_nodes(attribute.g)
    return found
