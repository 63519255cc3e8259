"""Runs operators that only move values on the integers themselves instead of between DQ and Q.

onnxruntime does so itself for some of them (Reshape, Transpose, MaxPool ...) where both sides have the same scale, but
not for Pad, Expand, others, and Flatten in older versions. Such an operator's output has the values of its input, so the
input's scale serves for both: one rounding and two conversions less.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.graphs.onnx_edit import drop_unread
from edgeq.graphs.onnx_index import OnnxIndex, attributes, index_of
from edgeq.graphs.op_sets import ON_INTEGERS, PAIR_DROPPED
from edgeq.nouns.passes import AppliedChange

if TYPE_CHECKING:
    import onnx

_HOW = "on integers, in the scale of its input: it only moves values"


@dataclass(frozen=True)
class _Site:
    """The operator `node` with the DQ before it, the Qs that read it and the DQs that read these."""

    node: "onnx.NodeProto"
    before: "onnx.NodeProto"
    behind: tuple["onnx.NodeProto", ...]
    after: list["onnx.NodeProto"]


def integer_moves(model: "onnx.ModelProto", made: Mapping[str, str]) -> list[AppliedChange]:
    """Changes a QDQ model in place. `made` is the output of each node of the float graph.

    Where onnxruntime's quantizer gave a node another output, it removed the Relu or Clip behind it, whose effect is in the
    scale of that output: such a node keeps its own.
    """
    found = []
    while (site := next(_sites(model.graph, made), None)) is not None:
        found.append(AppliedChange(site.node.name, _HOW))
        _apply(model.graph, site)
    if found:
        drop_unread(model.graph)
    return found


def _sites(graph: "onnx.GraphProto", made_in_float: Mapping[str, str]) -> Iterator[_Site]:
    index = index_of(graph)
    for node in (n for n in index.nodes if n.op_type in ON_INTEGERS):
        made = node.output[0] if len(node.output) == 1 else ""
        before = index.producer(node.input[0]) if node.input else None
        behind = index.consumers(made)
        if index.is_read_elsewhere(made) or not behind:
            continue
        if made_in_float.get(node.name) != made:
            continue
        if before is None or not _is_plain(before, "DequantizeLinear", index):
            continue
        if not _fills_with_zero(node, index):
            continue
        after = [reader for q in behind for reader in index.consumers(q.output[0])]
        if not all(_is_plain(q, "QuantizeLinear", index) for q in behind):
            continue
        inner = not any(index.is_read_elsewhere(q.output[0]) for q in behind)
        if inner and all(_is_plain(dq, "DequantizeLinear", index) for dq in after):
            if node.op_type in PAIR_DROPPED and all(_same_grid(before, q, index) for q in behind):
                continue
            yield _Site(node, before, behind, after)


def _apply(graph: "onnx.GraphProto", site: _Site) -> None:
    integers, scale, zero = site.before.input
    kept = site.behind[0].output[0]
    site.node.input[0], site.node.output[0] = integers, kept
    if site.node.op_type == "Pad" and len(site.node.input) > 2 and site.node.input[2]:
        site.node.input[2] = zero
    elif site.node.op_type == "Pad" and attributes(site.node).get("mode", b"constant") == b"constant":
        site.node.input[:] = [*site.node.input[:2], zero, *site.node.input[3:]]
    for dequantize in site.after:
        dequantize.input[:] = [kept, scale, zero]
    unread = [*site.behind]
    if not index_of(graph).uses(site.before.output[0]):
        unread.append(site.before)
    for node in unread:
        graph.node.remove(node)


def _is_plain(node: "onnx.NodeProto", kind: str, index: OnnxIndex) -> bool:
    """With one scale and a zero point of 8 bits, both constant."""
    import onnx

    if node.op_type != kind or len(node.input) != 3:
        return False
    scale, zero = (index.initializer(name) for name in node.input[1:])
    if scale is None or zero is None or list(scale.dims) not in ([], [1]):
        return False
    return zero.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)


def _same_grid(one: "onnx.NodeProto", other: "onnx.NodeProto", index: OnnxIndex) -> bool:
    return all(
        a == b or _number(index.constants[a]) == _number(index.constants[b])
        for a, b in zip(one.input[1:], other.input[1:], strict=True)
    )


def _number(tensor: "onnx.TensorProto") -> float:
    import onnx

    return float(onnx.numpy_helper.to_array(tensor).reshape(-1)[0])


def _fills_with_zero(node: "onnx.NodeProto", index: OnnxIndex) -> bool:
    """Zero is exact on every grid; another fill value of a Pad may not be."""
    if node.op_type != "Pad" or len(node.input) < 3 or not node.input[2]:
        return True
    fill = index.initializer(node.input[2])
    return fill is not None and _number(fill) == 0.0
