"""Writes a graph without some of its channels: weights and other constants are cut, and so are the shapes and indices that name them.

What the removed channels were in the mean goes into the bias of the layers that read them, so that what is left begins where float's
means are (as in He, Zhang & Sun 2017, arXiv:1707.06168, which fits the weights too).
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from onnx import helper, numpy_helper

from edgeq.graphs.onnx_edit import copied, drop_unread, free_name
from edgeq.graphs.onnx_index import attributes, index_of, tensor_names
from edgeq.graphs.weightless import infer_shapes
from edgeq.train.smaller.constants import integers_of
from edgeq.train.smaller.layers import Channels, ChannelUnits, Layer

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


def without_units(
    model: "ModelProto", found: ChannelUnits, removed: Mask, means: Mapping[str, Array] | None = None
) -> "ModelProto":
    """A copy; `removed` [units]. `means`: by layer, the mean of each of its input channels, [n]. Names of nodes and tensors stay."""
    made = _Cut(model, found, removed, means or {}).model
    drop_unread(made.graph)
    del made.graph.value_info[:]
    infer_shapes(made)
    return made


def still_there(found: ChannelUnits, removed: Mask) -> bool:
    """Whether every tensor keeps a channel, and every group of a layer."""
    axes = [channels.units for channels in found.channels.values()]
    axes += [units for layer in found.layers for units in (layer.outputs, layer.inputs)]
    return all(bool((~removed[units]).any()) for units in axes)


class _Cut:
    def __init__(
        self, model: "ModelProto", found: ChannelUnits, removed: Mask, means: Mapping[str, Array]
    ) -> None:
        self.model = copied(model)
        self._index = index_of(self.model.graph)
        self._found, self._removed, self._means = found, removed, means
        self._layers = {layer.output: layer for layer in found.layers}
        self._taken = tensor_names(self.model)
        self._stored = {t.name: t for t in self.model.graph.initializer}
        self._written: dict[str, Array] = {}
        for node in list(self.model.graph.node):
            if node.output[0] in self._layers:
                self._cut_layer(node, self._layers[node.output[0]])
            elif node.op_type in _RULES:
                _RULES[node.op_type](self, node)
            else:
                self._cut_operands(node)

    def _cut_layer(self, node: "NodeProto", layer: Layer) -> None:
        outputs, inputs = self._kept(layer.outputs), self._kept(layer.inputs)
        if outputs.all() and inputs.all():
            return
        weight = self._array(node.input[1])
        axes = (1, 0) if _is_across(node) else (0, 1)
        depthwise = layer.groups > 1 and weight.shape[1] == 1
        self._correct_bias(node, layer, weight, inputs, axes)
        cut = weight.compress(outputs, axes[0])
        self._put(node, 1, cut if depthwise else cut.compress(inputs, axes[1]))
        if depthwise:
            _set_integers(node, "group", int(outputs.sum() * layer.groups // len(outputs)))
        if len(node.input) > 2 and node.input[2]:
            bias = self._array(node.input[2])
            if bias.ndim and bias.shape[-1] == len(outputs):
                self._put(node, 2, bias.compress(outputs, bias.ndim - 1))

    def _correct_bias(
        self, node: "NodeProto", layer: Layer, weight: Array, inputs: Mask, axes: tuple[int, int]
    ) -> None:
        """Where the layer can have a bias, and the means of what it loses are known."""
        mean = self._means.get(layer.output)
        if mean is None or layer.groups > 1 or inputs.all() or node.op_type not in ("Conv", "Gemm"):
            return
        lost = np.moveaxis(weight, axes, (0, 1))[:, ~inputs].reshape(
            weight.shape[axes[0]], int((~inputs).sum()), -1
        )
        more = (lost.sum(axis=2) @ mean[~inputs]) * attributes(node).get("alpha", 1.0)
        if len(node.input) > 2 and node.input[2]:
            self._put(
                node,
                2,
                self._array(node.input[2]) + (more / attributes(node).get("beta", 1.0)).astype(np.float32),
            )
        elif len(node.input) == 2:
            node.input.append("")
            self._put(node, 2, more.astype(np.float32))

    def _cut_operands(self, node: "NodeProto") -> None:
        """The constants of an operator that works value by value, or by channel."""
        channels = next(
            (self._found.channels[n] for n in (*node.output, *node.input) if n in self._found.channels), None
        )
        if channels is None or not node.output:
            return
        kept = self._kept(channels.units)
        rank = len(self._index.shapes[node.output[0]])
        by_channel = node.op_type in ("BatchNormalization", "InstanceNormalization")
        for place, name in enumerate(node.input):
            if not name or self._index.constant(name) is None or kept.all():
                continue
            values = self._array(name)
            axis = 0 if by_channel else channels.axis - (rank - values.ndim)
            if 0 <= axis < values.ndim and values.shape[axis] == len(kept) > 1:
                self._put(node, place, values.compress(kept, axis))

    def concat(self, node: "NodeProto") -> None:
        """Has no constants."""

    def reshape(self, node: "NodeProto") -> None:
        cut = self._of(node.output[0])
        shape = integers_of(self._index, node.input[1])
        if cut is not None and shape is not None and shape[cut[0]] != -1:
            shape[cut[0]] = int(cut[1].sum())
            self._put(node, 1, np.array(shape, np.int64))

    def expand(self, node: "NodeProto") -> None:
        cut = self._of(node.output[0])
        shape = integers_of(self._index, node.input[1])
        if cut is None or shape is None:
            return
        axis = cut[0] - (len(cut[2]) - len(shape))
        if axis >= 0 and shape[axis] > 1:
            shape[axis] = int(cut[1].sum())
            self._put(node, 1, np.array(shape, np.int64))

    def pad(self, node: "NodeProto") -> None:
        cut = self._of(node.output[0])
        pads = self._integers(node, 1, "pads")
        if cut is None or pads is None:
            return
        axis, kept, shape = cut
        axes = [a % len(shape) for a in self._integers(node, 3, "") or range(len(shape))]
        if axis not in axes:
            return
        place = axes.index(axis)
        front, back = pads[place], pads[len(axes) + place]
        pads[place] = int(kept[:front].sum())
        pads[len(axes) + place] = int(kept[len(kept) - back :].sum()) if back else 0
        self._put_integers(node, 1, "pads", pads)

    def slice(self, node: "NodeProto") -> None:
        cut = self._of(node.input[0])
        starts, ends = (self._integers(node, k, name) for k, name in ((1, "starts"), (2, "ends")))
        if cut is None or starts is None or ends is None:
            return
        axis, kept, shape = cut
        axes = [a % len(shape) for a in self._integers(node, 3, "axes") or range(len(starts))]
        if axis not in axes:
            return
        place = axes.index(axis)
        first, last, _ = slice(starts[place], ends[place]).indices(len(kept))
        starts[place], ends[place] = int(kept[:first].sum()), int(kept[:last].sum())
        self._put_integers(node, 1, "starts", starts)
        self._put_integers(node, 2, "ends", ends)

    def split(self, node: "NodeProto") -> None:
        cut = self._of(node.input[0])
        if cut is None or attributes(node).get("axis", 0) % len(cut[2]) != cut[0]:
            return
        sizes = [self._index.shapes[name][cut[0]] or 0 for name in node.output]
        parts = np.split(cut[1], np.cumsum(sizes)[:-1])
        for attribute in [a for a in node.attribute if a.name == "num_outputs"]:
            node.attribute.remove(attribute)
        self._put_integers(node, 1, "split", [int(p.sum()) for p in parts], old=self._opset < 13)

    def gather(self, node: "NodeProto") -> None:
        cut = self._of(node.input[0])
        if cut is None or attributes(node).get("axis", 0) % len(cut[2]) != cut[0]:
            return
        kept = cut[1]
        indices = self._array(node.input[1])
        where = np.cumsum(kept) - 1
        wanted = indices[kept[indices]] if indices.ndim else indices
        self._put(node, 1, np.asarray(where[wanted], indices.dtype))

    def resize(self, node: "NodeProto") -> None:
        cut = self._of(node.output[0])
        sizes = integers_of(self._index, node.input[3]) if len(node.input) > 3 else None
        if cut is not None and sizes is not None and len(sizes) == len(cut[2]):
            sizes[cut[0]] = int(cut[1].sum())
            self._put(node, 3, np.array(sizes, np.int64))

    @property
    def _opset(self) -> int:
        return next((o.version for o in self.model.opset_import if o.domain in ("", "ai.onnx")), 1)

    def _of(self, tensor: str) -> tuple[int, Mask, tuple[int | None, ...]] | None:
        """Axis, what is kept of it, and the shape that the tensor had; None where nothing is removed."""
        channels: Channels | None = self._found.channels.get(tensor)
        kept = None if channels is None else self._kept(channels.units)
        if channels is None or kept is None or kept.all():
            return None
        return channels.axis, kept, self._index.shapes[tensor]

    def _kept(self, units: npt.NDArray[np.int64]) -> Mask:
        return ~self._removed[units]

    def _array(self, name: str) -> Array:
        if name in self._written:
            return self._written[name]
        return np.asarray(numpy_helper.to_array(self._index.constants[name]))

    def _integers(self, node: "NodeProto", place: int, name: str) -> list[int] | None:
        named = attributes(node)
        if name in named:
            return [int(v) for v in np.atleast_1d(named[name])]
        return integers_of(self._index, node.input[place]) if len(node.input) > place else None

    def _put_integers(
        self, node: "NodeProto", place: int, name: str, values: list[int], *, old: bool = False
    ) -> None:
        """Where the opset of the model has them: in an attribute or an input."""
        if old or any(a.name == name for a in node.attribute):
            _set_integers(node, name, values)
            return
        while len(node.input) <= place:
            node.input.append("")
        self._put(node, place, np.array(values, np.int64))

    def _put(self, node: "NodeProto", place: int, values: Array) -> None:
        """Under the name that it had, unless others read that too."""
        old = node.input[place]
        own = (
            bool(old)
            and old in self._stored
            and len(self._index.uses(old)) == 1
            and not self._index.is_captured(old)
        )
        name = old if own or old in self._written else free_name(old or f"{node.name}.{place}", self._taken)
        tensor = numpy_helper.from_array(np.ascontiguousarray(values), name)
        if name in self._stored:
            self._stored[name].CopyFrom(tensor)
        else:
            self.model.graph.initializer.append(tensor)
            self._stored[name] = self.model.graph.initializer[-1]
        self._written[name] = values
        node.input[place] = name


def _is_across(node: "NodeProto") -> bool:
    """Whether its weights have the inputs first."""
    if node.op_type == "Gemm":
        return not attributes(node).get("transB", 0)
    return node.op_type in ("MatMul", "ConvTranspose")


def _set_integers(node: "NodeProto", name: str, values: int | list[int]) -> None:
    for attribute in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(attribute)
    node.attribute.append(helper.make_attribute(name, values))


_RULES: dict[str, Callable[[_Cut, "NodeProto"], None]] = {
    "Concat": _Cut.concat,
    "Expand": _Cut.expand,
    "Flatten": _Cut.concat,
    "Gather": _Cut.gather,
    "Pad": _Cut.pad,
    "Reshape": _Cut.reshape,
    "Resize": _Cut.resize,
    "Slice": _Cut.slice,
    "Split": _Cut.split,
    "Squeeze": _Cut.concat,
    "Transpose": _Cut.concat,
    "Unsqueeze": _Cut.concat,
}
