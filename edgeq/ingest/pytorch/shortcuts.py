"""Rewrites a strided, zero-padded shortcut as the equivalent 1x1 convolution.

ResNets for small images have it (He et al. 2015, option A). A convolution is what every runtime multiplies in integers:
as a slice it is a scalar loop in LiteRT, which costs 10 % of a ResNet-56, and float between integers in onnxruntime.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node
    from torch.fx.node import Argument


@dataclass(frozen=True)
class Shortcut:
    """From `source`, N x C x H x W, to `result`: every `stride`-th pixel, `before` and `after` channels of zeros."""

    source: "Node"
    result: "Node"
    stride: tuple[int, int]
    before: int
    after: int


def with_convolutions(
    program: "ExportedProgram", inputs: "tuple[torch.Tensor, ...]"
) -> "tuple[ExportedProgram, int]":
    """The program with its shortcuts rewritten and their number; the program itself where there are none, or where the
    outputs would differ in a single bit.
    """
    import torch

    module: GraphModule = program.module()
    shortcuts = [s for node in module.graph.nodes if (s := _shortcut(node)) is not None]
    if not shortcuts:
        return program, 0
    expected = module(*inputs)
    for number, shortcut in enumerate(shortcuts):
        _rewrite(module, shortcut, f"shortcut_{number}")
    module.graph.eliminate_dead_code()
    module.recompile()
    if not _equal(expected, module(*inputs)):
        return program, 0
    return torch.export.export(module, inputs, strict=False), len(shortcuts)


def _shortcut(node: "Node") -> Shortcut | None:
    """`node` pads channels with zeros after slices of rows and columns that nobody else reads."""
    import torch

    aten = torch.ops.aten
    if node.target not in (aten.pad.default, aten.constant_pad_nd.default):
        return None
    mode_and_value = [*node.args[2:], *node.kwargs.values()]
    widths: Sequence[int] = node.args[1]
    if (
        any(v not in ("constant", None, 0, 0.0) for v in mode_and_value)
        or len(widths) != 6
        or any(widths[:4])
    ):
        return None
    strides = {2: 1, 3: 1}
    source: Node = node.args[0]
    while source.op == "call_function" and source.target is aten.slice.Tensor and len(source.users) == 1:
        dim, step = _whole_slice(source)
        if dim not in strides and step != 1:
            return None
        strides[dim] = strides.get(dim, 1) * step
        source = source.args[0]
    value = source.meta.get("val")
    if strides[2] * strides[3] == 1 or value is None or value.dim() != 4 or value.dtype != torch.float32:
        return None
    if min(widths[4:]) < 0 or not isinstance(value.shape[1], int):
        return None
    return Shortcut(source, node, (strides[2], strides[3]), widths[4], widths[5])


def _whole_slice(node: "Node") -> tuple[int, int]:
    """Dimension and step of a slice from the first element to the last; (-1, 0) for any other."""
    given: list[Argument] = list(node.args)
    defaults: list[Argument] = [None, 0, 0, None, 1]
    source, dim, start, end, step = given + defaults[len(given) :]
    size = source.meta["val"].shape[dim]
    whole = start in (0, None) and (end is None or (isinstance(end, int) and end >= size))
    return (dim, step) if whole else (-1, 0)


def _rewrite(module: "GraphModule", shortcut: Shortcut, name: str) -> None:
    import torch

    channels = shortcut.source.meta["val"].shape[1]
    weight = torch.zeros(shortcut.before + channels + shortcut.after, channels, 1, 1)
    weight[shortcut.before : shortcut.before + channels, :, 0, 0] = torch.eye(channels)
    module.register_buffer(name, weight)
    with module.graph.inserting_before(shortcut.result):
        stored = module.graph.get_attr(name)
        convolved = module.graph.call_function(
            torch.ops.aten.conv2d.default, (shortcut.source, stored, None, list(shortcut.stride))
        )
    convolved.meta = dict(shortcut.result.meta)
    shortcut.result.replace_all_uses_with(convolved)


def _equal(expected: object, found: object) -> bool:
    import torch

    flat, other = (torch.utils._pytree.tree_flatten(outputs)[0] for outputs in (expected, found))
    return all(torch.equal(a, b) for a, b in zip(flat, other, strict=True))
