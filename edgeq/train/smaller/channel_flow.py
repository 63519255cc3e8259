"""How channels run through a graph: which of a tensor's values belong to which unit, operator by operator.

Every float tensor has an array of its own shape with the unit of each value. A convolution makes new units, an addition ties
those that it adds, a Concat puts them side by side; DepGraph (Fang et al. 2023, arXiv:2301.12900) is the same idea on modules. An
operator that this file does not know keeps all that it reads.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from edgeq.graphs.onnx_index import OnnxIndex, attributes, index_of, names_read
from edgeq.train.smaller.constants import integers_of
from edgeq.train.smaller.layers import Channels, ChannelUnits, Layer
from edgeq.train.smaller.layout import laid_out
from edgeq.train.smaller.units import KEPT, Ids, Units, along, distinct, unrepeated

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_UNARY = [
    "Abs",
    "Cast",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Tanh",
    "ThresholdedRelu",
]
_POINTWISE = ["Add", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum", "Where"]
_BY_CHANNEL = [
    "AveragePool",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "InstanceNormalization",
    "LpPool",
    "MaxPool",
    "Resize",
    "Upsample",
]
_REDUCING = [
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
]
_LAYOUT = [
    "Concat",
    "Expand",
    "Flatten",
    "Gather",
    "Pad",
    "Reshape",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
]


def channel_units(model: "ModelProto") -> ChannelUnits:
    """Of the main graph, which has inferred shapes and runs in its order."""
    flow = _Flow(
        index_of(model.graph), next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
    )
    for node in model.graph.node:
        flow.run(node)
    return flow.result()


class _Flow:
    def __init__(self, index: OnnxIndex, opset: int) -> None:
        self._index, self._opset, self._units = index, opset, Units()
        self._ids: dict[str, Ids] = {}
        self._layers: list[Layer] = []
        for value in index.graph.input:
            self._put_kept(value.name)

    def run(self, node: "NodeProto") -> None:
        rule = _RULES.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if rule is None or not rule(self, node):
            self._keep_all(node)

    def result(self) -> ChannelUnits:
        for value in self._index.graph.output:
            if value.name in self._ids:
                self._units.keep(self._ids[value.name])
        for name in self._index.captured & self._ids.keys():
            self._units.keep(self._ids[name])
        while not all([self._is_along_one_axis(ids) for ids in self._ids.values()]):
            pass
        found = {name: self._channels(ids) for name, ids in self._ids.items()}
        roots = self._units.roots
        layers = (replace(s, outputs=roots(s.outputs), inputs=roots(s.inputs)) for s in self._layers)
        return ChannelUnits(tuple(layers), {name: c for name, c in found.items() if c is not None})

    def _is_along_one_axis(self, ids: Ids) -> bool:
        """False where units had to be tied for it: a tensor without the removed ones has to be an array again."""
        roots = self._units.roots(unrepeated(ids))
        axes = [k for k in range(ids.ndim) if self._units.varies(roots, k)]
        if not axes and np.any(roots != KEPT):
            self._units.keep(ids)  # the only channel of a tensor
            return False
        if len(axes) < 2:
            return True
        along(self._units, ids, max(axes, key=lambda k: (distinct(roots, k), k)))
        return False

    def _channels(self, ids: Ids) -> Channels | None:
        roots = self._units.roots(unrepeated(ids))
        axis = next((k for k in range(ids.ndim) if self._units.varies(roots, k)), None)
        return None if axis is None else Channels(axis, along(self._units, roots, axis))

    # What operators do with the units that they read. False: nothing is known of this use, and all is kept.

    def conv(self, node: "NodeProto") -> bool:
        weight, x = self._shape(node.input[1]), self._ids.get(node.input[0])
        out = self._shape(node.output[0])
        if x is None or weight is None or out is None or not self._constants(node, 1):
            return False
        groups, inputs = int(attributes(node).get("group", 1)), along(self._units, x, 1)
        each = weight[0] // groups
        if groups == 1:
            outputs = self._units.fresh(weight[0])
        elif weight[1] == 1:  # depthwise
            outputs = np.repeat(inputs, each)
        else:  # every group loses the same ones
            self._tie_groups(inputs, groups)
            outputs = np.tile(self._units.fresh(each), groups)
        first = inputs[: weight[1]]
        self._layers.append(
            Layer(node.output[0], outputs, first, groups, prod(out[2:]), prod(weight[2:]), spatial=True)
        )
        return self._put_along(node.output[0], 1, outputs)

    def conv_transpose(self, node: "NodeProto") -> bool:
        weight, x = self._shape(node.input[1]), self._ids.get(node.input[0])
        if (
            x is None
            or weight is None
            or attributes(node).get("group", 1) != 1
            or not self._constants(node, 1)
        ):
            return False
        inputs, outputs = along(self._units, x, 1), self._units.fresh(weight[1])
        self._layers.append(
            Layer(node.output[0], outputs, inputs, 1, prod(x.shape[2:]), prod(weight[2:]), spatial=True)
        )
        return self._put_along(node.output[0], 1, outputs)

    def gemm(self, node: "NodeProto") -> bool:
        named = attributes(node)
        weight, x = self._shape(node.input[1]), self._ids.get(node.input[0])
        if x is None or weight is None or named.get("transA") or not self._constants(node, 1):
            return False
        outputs = self._units.fresh(weight[0 if named.get("transB") else 1])
        self._layers.append(Layer(node.output[0], outputs, along(self._units, x, 1), 1, x.shape[0]))
        return self._put_along(node.output[0], 1, outputs)

    def matmul(self, node: "NodeProto") -> bool:
        weight, x = self._shape(node.input[1]), self._ids.get(node.input[0])
        if x is None or weight is None or x.ndim < 2:
            return False
        if not self._constants(node, 1):
            return self._product(node)
        if len(weight) != 2:
            return False
        outputs = self._units.fresh(weight[1])
        self._layers.append(
            Layer(node.output[0], outputs, along(self._units, x, x.ndim - 1), 1, prod(x.shape[:-1]))
        )
        return self._put_along(node.output[0], -1, outputs)

    def pointwise(self, node: "NodeProto") -> bool:
        shape = self._shape(node.output[0])
        names = [name for name in node.input if name and self._index.constant(name) is None]
        if shape is None or any(name not in self._ids for name in names):
            return False
        padded = [_with_rank(self._ids[name], len(shape)) for name in names]
        wide = []
        for ids in padded:
            repeated = [k for k, size in enumerate(shape) if ids.shape[k] == 1 < size]
            if any(self._units.varies(other, k) for other in padded if other is not ids for k in repeated):
                self._units.keep(ids)
            else:
                wide.append(np.broadcast_to(ids, shape))
        for other in wide[1:]:
            self._tie(wide[0], other)
        return self._put(node.output[0], wide[0]) if wide else self._put_kept(node.output[0])

    def unary(self, node: "NodeProto") -> bool:
        ids = self._ids.get(node.input[0])
        return ids is not None and self._put(node.output[0], ids)

    def by_channel(self, node: "NodeProto") -> bool:
        ids = self._ids.get(node.input[0])
        if ids is None or ids.ndim < 3 or any(node.output[1:]) or not self._constants(node, 1):
            return False
        return self._put_along(node.output[0], 1, along(self._units, ids, 1))

    def batch_norm(self, node: "NodeProto") -> bool:
        ids = self._ids.get(node.input[0])
        if ids is None or ids.ndim < 2 or not self._constants(node, 1):
            return False
        return self._put_along(node.output[0], 1, along(self._units, ids, 1))

    def reducing(self, node: "NodeProto") -> bool:
        ids, named = self._ids.get(node.input[0]), attributes(node)
        axes = (
            integers_of(self._index, node.input[1])
            if len(node.input) > 1 and node.input[1]
            else named.get("axes")
        )
        if ids is None or (axes is None and len(node.input) > 1 and node.input[1]):
            return False
        reduced = sorted({a % ids.ndim for a in axes}) if axes else list(range(ids.ndim))
        if any(self._units.varies(ids, k) for k in reduced):
            return False
        first = ids[tuple(slice(0, 1) if k in reduced else slice(None) for k in range(ids.ndim))]
        kept = first if named.get("keepdims", 1) else np.squeeze(first, tuple(reduced))
        return self._put(node.output[0], kept)

    def within_axes(self, node: "NodeProto") -> bool:
        """What a value becomes depends on the others of its axis, or of that and those behind."""
        ids, named = self._ids.get(node.input[0]), attributes(node)
        if ids is None or any(node.output[1:]):
            return False
        is_one = node.op_type in ("Softmax", "LogSoftmax") and self._opset >= 13
        first = (
            named.get("axis", -1 if node.op_type not in ("Softmax", "LogSoftmax") or is_one else 1) % ids.ndim
        )
        axes = [first] if is_one else range(first, ids.ndim)
        return not any(self._units.varies(ids, k) for k in axes) and self._put(node.output[0], ids)

    def layout(self, node: "NodeProto") -> bool:
        parts = [self._ids.get(name) for name in (node.input if node.op_type == "Concat" else node.input[:1])]
        shapes = [self._shape(name) for name in node.output]
        given = [p for p in parts if p is not None]
        if len(given) < len(parts):
            return False
        found = laid_out(node, given, shapes, self._index, self._units)
        return found is not None and all(
            [self._put(n, ids) for n, ids in zip(node.output, found, strict=True) if n]
        )

    def _product(self, node: "NodeProto") -> bool:
        """Of two activations: what is summed over goes together."""
        x, y = (self._ids.get(name) for name in node.input)
        shape = self._shape(node.output[0])
        if x is None or y is None or shape is None or min(x.ndim, y.ndim) < 2:
            return False
        own = [[k - a.ndim for k in range(a.ndim) if self._units.varies(a, k)] for a in (x, y)]
        if own[0] in ([], [-1]) and own[1] in ([], [-2]):
            self._units.tie(along(self._units, x, -1), along(self._units, y, -2))
            return self._put_kept(node.output[0])
        if own[0] == [] and own[1] == [-1] and not np.any(self._units.roots(unrepeated(x)) != KEPT):
            return self._put_along(node.output[0], -1, along(self._units, y, -1))
        if (
            own[0] == own[1]
            and len(own[0]) == 1
            and own[0][0] < -2
            and x.shape[own[0][0]] == y.shape[own[0][0]]
        ):
            axis = own[0][0]
            self._units.tie(along(self._units, x, axis), along(self._units, y, axis))
            return self._put_along(node.output[0], axis, along(self._units, x, axis))
        return False

    def _keep_all(self, node: "NodeProto") -> None:
        for name in names_read(node) & self._ids.keys():
            self._units.keep(self._ids[name])
        for name in filter(None, node.output):
            self._put_kept(name)

    def _tie(self, some: Ids, others: Ids) -> None:
        same = [k for k in range(some.ndim) if some.strides[k] == 0 == others.strides[k]]
        first = tuple(slice(0, 1) if k in same else slice(None) for k in range(some.ndim))
        self._units.tie(some[first], others[first])

    def _tie_groups(self, ids: Ids, groups: int) -> None:
        by_group = ids.reshape(groups, -1)
        self._units.tie(by_group[:1], by_group)

    def _put(self, name: str, ids: Ids) -> bool:
        shape = self._shape(name)
        if shape is not None and tuple(ids.shape) != shape:
            return False
        self._ids[name] = ids
        return True

    def _put_along(self, name: str, axis: int, ids: Ids) -> bool:
        shape = self._shape(name)
        if shape is None:
            return False
        one = [1] * len(shape)
        one[axis] = -1
        self._ids[name] = np.broadcast_to(ids.reshape(one), shape)
        return True

    def _put_kept(self, name: str) -> bool:
        shape = self._shape(name)
        if shape is not None:
            self._ids[name] = np.broadcast_to(np.zeros((), np.int64), shape)
        return True

    def _shape(self, name: str) -> tuple[int, ...] | None:
        stored = self._index.constant(name)
        if stored is not None:
            return tuple(stored.dims)
        shape = self._index.shapes.get(name)
        return None if shape is None or any(d is None for d in shape) else tuple(int(d or 0) for d in shape)

    def _constants(self, node: "NodeProto", first: int) -> bool:
        """Whether the inputs from `first` on are constants, or absent."""
        return all(not name or self._index.constant(name) is not None for name in node.input[first:])


def _with_rank(ids: Ids, rank: int) -> Ids:
    return ids[(np.newaxis,) * (rank - ids.ndim)]


_RULES: dict[str, Callable[[_Flow, "NodeProto"], bool]] = {
    "Conv": _Flow.conv,
    "ConvTranspose": _Flow.conv_transpose,
    "Gemm": _Flow.gemm,
    "MatMul": _Flow.matmul,
    "BatchNormalization": _Flow.batch_norm,
    "LayerNormalization": _Flow.within_axes,
    "LogSoftmax": _Flow.within_axes,
    "RMSNormalization": _Flow.within_axes,
    "Softmax": _Flow.within_axes,
    **dict.fromkeys(_UNARY, _Flow.unary),
    **dict.fromkeys(_POINTWISE, _Flow.pointwise),
    **dict.fromkeys(_BY_CHANNEL, _Flow.by_channel),
    **dict.fromkeys(_REDUCING, _Flow.reducing),
    **dict.fromkeys(_LAYOUT, _Flow.layout),
}
