"""What the runtime really does with a candidate: heavy operators that run as integer kernels, Q/DQ pairs that remain.

onnxruntime is asked: the graph that it would run is written out and read back. Where this host's CPU is another kind
than the device's, its fusions would be this host's, so the file's own structure is read by onnxruntime's rule instead.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edgeq.foreign import quiet, translated
from edgeq.graphs.onnx_index import OnnxIndex, index_of, nodes_within
from edgeq.graphs.onnx_io import read_onnx
from edgeq.graphs.op_sets import FUSED_FLOAT_KERNELS, HEAVY, INTEGER_KERNELS
from edgeq.graphs.ort_session import optimized
from edgeq.nouns.fidelity import FusionAudit
from edgeq.nouns.plan import Scheme

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def onnx_fusion(path: Path, scheme: Scheme | None) -> tuple[FusionAudit, ...]:
    """One entry per kind of heavy operator in the file at `path`. Signed activations mean that it is for ARM."""
    import platform

    for_arm = scheme is not None and scheme.activations == "int8"
    if not for_arm or platform.machine() == "aarch64":
        method = "onnxruntime's optimised graph, read back on this host"
        index = index_of(_optimized(path))
        pairs = sum(n.op_type == "DequantizeLinear" and not _of_weight(n, index) for n in index.nodes)
        return _count(index.nodes, pairs, method)
    return _by_structure(
        read_onnx(path).graph, "the file's structure by onnxruntime's rule for ARM (this host is none)"
    )


def integer_nodes(path: Path, scheme: Scheme | None) -> frozenset[str]:
    """Names of the nodes that run as integer kernels, by the same rule."""
    import platform

    for_arm = scheme is not None and scheme.activations == "int8"
    if not for_arm or platform.machine() == "aarch64":
        return frozenset(n.name for n in nodes_within(_optimized(path).node) if n.op_type in INTEGER_KERNELS)
    return frozenset(n.name for n, fuses in _structure(index_of(read_onnx(path).graph)) if fuses)


def _optimized(path: Path) -> "GraphProto":
    # Above this level come layout changes for this host's CPU, which hide operators behind private names.
    with quiet(), translated(f"onnxruntime does not load {path.name}"):
        return optimized(path, "extended").graph


def _count(nodes: "Iterable[NodeProto]", pairs: int, method: str) -> tuple[FusionAudit, ...]:
    integer: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for node in nodes_within(nodes):
        if node.op_type in INTEGER_KERNELS:
            integer[INTEGER_KERNELS[node.op_type]] += 1
            total[INTEGER_KERNELS[node.op_type]] += 1
        else:
            kind = FUSED_FLOAT_KERNELS.get(node.op_type, node.op_type)
            total[kind] += kind in HEAVY
    return tuple(FusionAudit(k, integer[k], n, pairs, method) for k, n in sorted(total.items()) if n)


def _by_structure(graph: "GraphProto", method: str) -> tuple[FusionAudit, ...]:
    integer: Counter[str] = Counter()
    total: Counter[str] = Counter()
    index = index_of(graph)
    for node, fuses in _structure(index):
        total[node.op_type] += 1
        integer[node.op_type] += fuses
    takers = (n for n in index.nodes if n.op_type != "QuantizeLinear" and any(_dequantized(n, index)))
    absorbed = {id(index.producer(i)) for n in takers for i in n.input}
    left = sum(
        n.op_type == "DequantizeLinear" and not _of_weight(n, index) and id(n) not in absorbed
        for n in index.nodes
    )
    return tuple(FusionAudit(k, integer[k], n, left, method) for k, n in sorted(total.items()))


def _structure(index: OnnxIndex) -> "Iterator[tuple[NodeProto, bool]]":
    """Each heavy operator and whether it fuses: its data inputs come from DQ and its one consumer is a Q (ReLU and Clip
    between are absorbed by the Q's range); a MatMul or Gemm without the Q still multiplies integers. A bias has to be a
    stored one.
    """
    for node in (n for n in index.nodes if n.op_type in HEAVY):
        fed = all(_dequantized(node, index)[:2])
        if node.op_type in ("Conv", "Gemm") and len(node.input) > 2 and node.input[2]:
            fed = fed and _is_stored_bias(node.input[2], index)
        read = [u.op_type for u in index.consumers(node.output[0])]
        yield node, fed and (read == ["QuantizeLinear"] or node.op_type in ("MatMul", "Gemm"))


def _is_stored_bias(name: str, index: OnnxIndex) -> bool:
    """Integers of 32 bits behind a DQ: onnxruntime takes no other bias into an integer kernel."""
    maker = index.producer(name)
    stored = index.initializer(maker.input[0]) if maker is not None and maker.input else None
    return _is_dequantize(maker) and stored is not None and stored.data_type == stored.INT32


def _dequantized(node: "NodeProto", index: OnnxIndex) -> list[bool]:
    """Of each of its inputs, whether a DQ makes it."""
    return [_is_dequantize(index.producer(name)) for name in node.input]


def _is_dequantize(node: "NodeProto | None") -> bool:
    return node is not None and node.op_type == "DequantizeLinear"


def _of_weight(node: "NodeProto", index: OnnxIndex) -> bool:
    return index.initializer(node.input[0]) is not None
