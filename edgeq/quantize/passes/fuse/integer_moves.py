"""Runs operators that only move values on the integers themselves instead of between DQ and Q.

onnxruntime does so itself for some of them (Reshape, Transpose, MaxPool ...) where both sides have the same scale, but
not for Pad, Expand, others, and Flatten in older versions. Such an operator's output has the values of its input, so the
input's scale serves for both: one rounding and two conversions less.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeq.nouns.fidelity import Remedy
from edgeq.quantize.passes.fuse.links import Links, attributes
from edgeq.quantize.scopes import drop_unread

if TYPE_CHECKING:
    import onnx

# onnxruntime drops Q and DQ around these itself since 1.16, where both have the same numbers.
_DROPPED = ("Gather", "MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
# With 8-bit kernels, signed and unsigned, in onnxruntime 1.16 to 1.31 and opsets 13 to 21. ReduceMax has one that errs in
# 1.16, and behind which 1.31 leaves a convolution in float.
_MOVES = (*_DROPPED, "Expand", "Flatten", "Pad", "Slice", "Tile")
_HOW = "on integers, in the scale of its input: it only moves values"


@dataclass(frozen=True)
class _Site:
    """The operator `node` with the DQ before it, the Qs that read it and the DQs that read these."""

    node: "onnx.NodeProto"
    before: "onnx.NodeProto"
    behind: list["onnx.NodeProto"]
    after: list["onnx.NodeProto"]


def integer_moves(model: "onnx.ModelProto", made: Mapping[str, str]) -> list[Remedy]:
    """Changes a QDQ model in place. `made` is the output of each node of the float graph.

    Where onnxruntime's quantizer gave a node another output, it removed the Relu or Clip behind it, whose effect is in the
    scale of that output: such a node keeps its own.
    """
    found = []
    while (site := next(_sites(model.graph, made), None)) is not None:
        found.append(Remedy(site.node.name, _HOW))
        _apply(model.graph, site)
    if found:
        drop_unread(model.graph)
    return found


def _sites(graph: "onnx.GraphProto", made_in_float: Mapping[str, str]) -> Iterator[_Site]:
    links, stored = Links(graph), {i.name: i for i in graph.initializer}
    for node in graph.node:
        made = node.output[0] if len(node.output) == 1 else ""
        before: onnx.NodeProto = links.makers.get(node.input[0]) if node.input else None
        behind = links.readers[made]
        if node.op_type not in _MOVES or not made or made in links.elsewhere or not behind:
            continue
        if made_in_float.get(node.name) != made:
            continue
        if not _is_plain(before, "DequantizeLinear", stored) or not _fills_with_zero(node, stored):
            continue
        after = [reader for q in behind for reader in links.readers[q.output[0]]]
        if not all(_is_plain(q, "QuantizeLinear", stored) for q in behind):
            continue
        inner = not any(q.output[0] in links.elsewhere for q in behind)
        if inner and all(_is_plain(dq, "DequantizeLinear", stored) for dq in after):
            if node.op_type in _DROPPED and all(_same_grid(before, q, stored) for q in behind):
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
    if not Links(graph).readers[site.before.output[0]]:
        unread.append(site.before)
    for node in unread:
        graph.node.remove(node)


def _is_plain(node: "onnx.NodeProto", kind: str, stored: "dict[str, onnx.TensorProto]") -> bool:
    """With one scale and a zero point of 8 bits, both constant."""
    import onnx

    if node is None or node.op_type != kind or len(node.input) != 3:
        return False
    scale, zero = (stored.get(name) for name in node.input[1:])
    if scale is None or zero is None or list(scale.dims) not in ([], [1]):
        return False
    return zero.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)


def _same_grid(one: "onnx.NodeProto", other: "onnx.NodeProto", stored: "dict[str, onnx.TensorProto]") -> bool:
    return all(
        a == b or _number(stored[a]) == _number(stored[b])
        for a, b in zip(one.input[1:], other.input[1:], strict=True)
    )


def _number(tensor: "onnx.TensorProto") -> float:
    import onnx

    return float(onnx.numpy_helper.to_array(tensor).reshape(-1)[0])


def _fills_with_zero(node: "onnx.NodeProto", stored: "dict[str, onnx.TensorProto]") -> bool:
    """Zero is exact on every grid; another fill value of a Pad may not be."""
    if node.op_type != "Pad" or len(node.input) < 3 or not node.input[2]:
        return True
    fill = stored.get(node.input[2])
    return fill is not None and _number(fill) == 0.0
