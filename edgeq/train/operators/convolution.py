"""Convolutions, in one to three dimensions. Paddings that differ at both ends of an axis are added before."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from edgeq.train.forms import Form, Rows
from edgeq.train.node import Node
from edgeq.train.windows import Padding, padding, per_axis, torch_pads

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def Conv(node: Node) -> Form:
    node.plain(1, 2)
    axes = _axes(node)
    strides, dilations = per_axis(node, "strides", axes), per_axis(node, "dilations", axes)
    found = padding(node, node.operand(1).shape[2:], strides, dilations)
    conv, groups = _CONV[axes], int(node.attributes.get("group", 1))

    def padded(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        return conv(F.pad(x, torch_pads(found)), w, b, strides, 0, dilations, groups)

    def symmetric(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        return conv(x, w, b, strides, found.begin, dilations, groups)

    return Rows(symmetric if found.begin == found.end else padded)


def ConvTranspose(node: Node) -> Form:
    node.plain(1, 2)
    axes = _axes(node)
    strides, dilations = per_axis(node, "strides", axes), per_axis(node, "dilations", axes)
    extra = per_axis(node, "output_padding", axes, 0)
    found = _transposed_padding(node, strides, dilations, extra)
    conv, groups = _TRANSPOSED[axes], int(node.attributes.get("group", 1))
    if found.begin == found.end and all(
        e < max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True)
    ):
        return Rows(lambda x, w, b=None: conv(x, w, b, strides, found.begin, extra, groups, dilations))
    # All there is, and then cut: negative padding cuts.
    cut = Padding(tuple(-p for p in found.begin), tuple(e - p for p, e in zip(found.end, extra, strict=True)))

    def cut_after(x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        y = F.pad(conv(x, w, None, strides, 0, 0, groups, dilations), torch_pads(cut))
        return y if b is None else y + b.reshape(-1, *[1] * axes)

    return Rows(cut_after)


def _axes(node: Node) -> int:
    axes = node.operand(0).rank - 2
    if axes not in _CONV:
        raise node.refused(f"has {axes} dimensions, and torch computes one to three", "reshape its input")
    return axes


def _transposed_padding(
    node: Node, strides: Sequence[int], dilations: Sequence[int], extra: Sequence[int]
) -> Padding:
    """Of the output. By `output_shape` and auto_pad: formulas of ONNX's ConvTranspose."""
    kernel = node.operand(1).shape[2:]
    sizes = node.operand(0).shape[2:]
    pads = tuple(node.attributes.get("pads", (0,) * (2 * len(kernel))))
    auto, wanted = node.text("auto_pad", "NOTSET"), node.attributes.get("output_shape")
    if wanted is None and auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(sizes, strides, strict=True)]
    if wanted is None:
        return Padding(pads[: len(kernel)], pads[len(kernel) :])
    begin, end = [], []
    for n, s, d, k, e, out in zip(
        sizes, strides, dilations, kernel, extra, wanted[-len(sizes) :], strict=True
    ):
        total = s * (n - 1) + e + (k - 1) * d + 1 - out
        less = total // 2
        begin.append(total - less if auto != "SAME_UPPER" else less)
        end.append(total - begin[-1])
    return Padding(tuple(begin), tuple(end))
