"""Windows that slide over an input, as in convolution and pooling: strides, and padding by ONNX's rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from .node import Node


@dataclass(frozen=True)
class Padding:
    """Per spatial axis, before the first value and behind the last."""

    begin: tuple[int, ...]
    end: tuple[int, ...]


def per_axis(node: Node, name: str, axes: int, default: int = 1) -> tuple[int, ...]:
    return tuple(int(v) for v in node.attributes.get(name, (default,) * axes))


def padding(node: Node, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Padding:
    """By `pads` or auto_pad: SAME gives ceil(size / stride) outputs, the odd one at the end (UPPER) or at the start."""
    auto = node.text("auto_pad", "NOTSET")
    if auto == "VALID":
        return Padding((0,) * len(kernel), (0,) * len(kernel))
    if auto == "NOTSET":
        pads = tuple(int(p) for p in node.attributes.get("pads", (0,) * (2 * len(kernel))))
        return Padding(pads[: len(kernel)], pads[len(kernel) :])
    begin, end = [], []
    for size, k, s, d in zip(node.operand(0).shape[2:], kernel, strides, dilations, strict=True):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        less = total // 2
        begin.append(total - less if auto == "SAME_LOWER" else less)
        end.append(total - begin[-1])
    return Padding(tuple(begin), tuple(end))


def torch_pads(found: Padding) -> tuple[int, ...]:
    """As torch's `pad` takes them: last axis first."""
    pairs = reversed(tuple(zip(found.begin, found.end, strict=True)))
    return tuple(p for pair in pairs for p in pair)
