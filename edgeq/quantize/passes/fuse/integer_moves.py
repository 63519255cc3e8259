"""Operators that only move values, on the integers themselves instead of between DQ and Q.

onnxruntime does so on its own for some of them, where both sides have one scale: Reshape, Transpose, MaxPool ... It does
not for Pad, Expand, Flatten on older versions, and others. What comes out of such an operator is what went in, so the scale
of its input serves for its output: a rounding less, and nothing to convert.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgeq.nouns.fidelity import Remedy
from edgeq.quantize.passes.fuse.links import Links, attributes
from edgeq.quantize.scopes import drop_unread

# onnxruntime drops Q and DQ around these itself since 1.16, where both have the same numbers.
_DROPPED = ("Gather", "MaxPool", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
# With 8-bit kernels, signed and unsigned, in onnxruntime 1.16 to 1.31 and opsets 13 to 21. ReduceMax has one that errs in
# 1.16, and behind which 1.31 leaves a convolution in float.
_MOVES = (*_DROPPED, "Expand", "Flatten", "Pad", "Slice", "Tile")
_HOW = "on integers, in the scale of its input: it only moves values"


@dataclass(frozen=True)
class _Site:
    """What stands around the operator `node`: the DQ before it, the Qs that read it, the DQs that read these."""

    node: Any
    before: Any
    behind: list[Any]
    after: list[Any]


def integer_moves(model: Any, made: Mapping[str, str]) -> list[Remedy]:
    """Changes a QDQ ModelProto in place. An operator behind another is found once that is done.

    `made` is what each node of the float graph makes. Where onnxruntime's quantizer gave a node another output, it took out
    the Relu or Clip behind it, which the scale of that output stands for: such a node keeps it.
    """
    found = []
    while (site := next(_sites(model.graph, made), None)) is not None:
        found.append(Remedy(site.node.name, _HOW))
        _apply(model.graph, site)
    if found:
        drop_unread(model.graph)
    return found


def _sites(graph: Any, made_in_float: Mapping[str, str]) -> Iterator[_Site]:
    links, stored = Links(graph), {i.name: i for i in graph.initializer}
    for node in graph.node:
        made = node.output[0] if len(node.output) == 1 else ""
        before: Any = links.makers.get(node.input[0]) if node.input else None
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


def _apply(graph: Any, site: _Site) -> None:
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


def _is_plain(node: Any, kind: str, stored: dict[str, Any]) -> bool:
    """With one scale and a zero point of 8 bits, both constant."""
    import onnx

    if node is None or node.op_type != kind or len(node.input) != 3:
        return False
    scale, zero = (stored.get(name) for name in node.input[1:])
    if scale is None or zero is None or list(scale.dims) not in ([], [1]):
        return False
    return zero.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)


def _same_grid(one: Any, other: Any, stored: dict[str, Any]) -> bool:
    return all(
        a == b or _number(stored[a]) == _number(stored[b])
        for a, b in zip(one.input[1:], other.input[1:], strict=True)
    )


def _number(tensor: Any) -> float:
    import onnx

    return float(onnx.numpy_helper.to_array(tensor).reshape(-1)[0])


def _fills_with_zero(node: Any, stored: dict[str, Any]) -> bool:
    """Zero is on every grid; what else a Pad fills with may be on none."""
    if node.op_type != "Pad" or len(node.input) < 3 or not node.input[2]:
        return True
    fill = stored.get(node.input[2])
    return fill is not None and _number(fill) == 0.0
