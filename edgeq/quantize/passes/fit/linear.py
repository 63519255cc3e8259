"""Conv, Gemm and MatMul as a matrix of weights times columns of inputs (im2col)."""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Window:
    """Of a convolution, per spatial axis; `pads` as (begin, end)."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def is_a_point(self) -> bool:
        """Whether each window holds one value, in the order of the values."""
        return all(n == 1 for n in (*self.kernel, *self.strides)) and not any(map(any, self.pads))


@dataclass(frozen=True)
class Linear:
    """`window` is None for Gemm and MatMul; `transposed` says that their weights are [inputs, outputs]."""

    groups: int = 1
    window: Window | None = None
    transposed: bool = False
    _read: dict[tuple[tuple[int, ...], int, int], tuple[Array, Array | None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # what windows read, which is the same of each sample

    def matrix(self, weight: Array) -> Array:
        """Weights as [groups, outputs of a group, k]; k counts channel by channel, then position."""
        flat = weight.T if self.transposed else weight.reshape(len(weight), -1)
        return flat.reshape(self.groups, len(flat) // self.groups, -1)

    def tensor(self, matrix: Array, like: Array) -> Array:
        """The weights of `matrix` in the shape and type of `like`."""
        flat = matrix.reshape(-1, matrix.shape[-1])
        return (flat.T if self.transposed else flat).reshape(like.shape).astype(like.dtype)

    def positions(self, shape: tuple[int, ...]) -> int:
        """How many columns an input of this shape has."""
        return math.prod((shape[0], *self._spread(shape)) if self.window else shape[:-1])

    def columns(self, x: Array, first: int = 0, step: int = 1) -> Array:
        """Every `step`-th column that the matrix multiplies, from `first` on: [groups, k, columns], a copy."""
        if self.window is None:
            return x.reshape(-1, x.shape[-1])[first::step].T[None].copy(order="K")
        count, parts = math.prod(self._spread((1, *x.shape[1:]))), []
        for image in x:
            parts.append(self._windows(image, first, step, count))
            first = (first - count) % step if first < count else first - count
        return (parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)).reshape(
            self.groups, -1, sum(p.shape[1] for p in parts)
        )

    def _windows(self, image: Array, first: int, step: int, count: int) -> Array:
        """Of an image [channels, ...] with `count` windows every `step`-th one from `first` on: [channels times positions in the
        kernel, windows]. Only what they hold is read: to pad or to gather all of an image takes far longer where few of its windows
        are asked for.
        """
        flat = image.reshape(len(image), -1)
        if self.window is not None and self.window.is_a_point:
            return flat[:, first::step].copy()
        key = (image.shape[1:], first, step)
        if key not in self._read:
            self._read[key] = self._values_of(image.shape, np.arange(first, count, step))
        values, outside = self._read[key]
        picked = np.take(flat, values, axis=1)
        if outside is not None:
            picked[:, outside] = 0
        return picked.reshape(-1, len(range(first, count, step)))

    def _values_of(self, shape: tuple[int, ...], places: npt.NDArray[np.int64]) -> tuple[Array, Array | None]:
        """Which values of a channel the windows at `places` hold, by position in the kernel and place, and which of these are padding;
        None: none is.
        """
        w = self.window
        assert w is not None
        corners = np.unravel_index(places, self._spread((1, *shape))[-len(w.kernel) :])
        inside, flat = np.ones((1, len(places)), bool), np.zeros((1, len(places)), np.intp)
        for axis, (corner, kernel) in enumerate(zip(corners, w.kernel, strict=True)):
            offsets = np.arange(kernel) * w.dilations[axis] - w.pads[axis][0]
            index, size = corner * w.strides[axis] + offsets[:, None], shape[1 + axis]
            inside = (inside[:, None] & ((index >= 0) & (index < size))[None]).reshape(-1, len(places))
            index = np.clip(index, 0, size - 1)
            flat = (flat[:, None] * size + index[None]).reshape(-1, len(places))
        return flat.reshape(-1), None if inside.all() else np.flatnonzero(~inside.reshape(-1))

    def _spread(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Spatial shape of the output."""
        w = self.window
        assert w is not None
        sizes = (
            n + sum(p) - (k - 1) * d
            for n, p, k, d in zip(shape[2:], w.pads, w.kernel, w.dilations, strict=True)
        )
        return tuple((n - 1) // s + 1 for n, s in zip(sizes, w.strides, strict=True))


def linear_of(
    node: "onnx.NodeProto", weight_shape: tuple[int, ...], input_shape: tuple[int, ...]
) -> Linear | None:
    """How an ONNX node multiplies its weights; None where attributes change the products (alpha, beta, transA).

    `input_shape` is needed for padding that depends on it.
    """
    attributes = {a.name: a for a in node.attribute}
    if node.op_type == "Conv":
        return _conv(attributes, weight_shape, input_shape)
    if len(weight_shape) != 2:
        return None
    if node.op_type == "MatMul":
        return Linear(transposed=True)
    plain = all(attributes[k].f == 1.0 for k in ("alpha", "beta") if k in attributes)
    if node.op_type == "Gemm" and plain and not _integer(attributes, "transA", 0):
        return Linear(transposed=not _integer(attributes, "transB", 0))
    return None


def _conv(
    attributes: "dict[str, onnx.AttributeProto]", weight_shape: tuple[int, ...], input_shape: tuple[int, ...]
) -> Linear | None:
    n = len(weight_shape) - 2
    if len(input_shape) != n + 2:
        return None
    ints = {k: tuple(a.ints) for k, a in attributes.items() if a.ints}
    kernel = weight_shape[2:]
    strides, dilations = ints.get("strides", (1,) * n), ints.get("dilations", (1,) * n)
    auto = attributes["auto_pad"].s.decode() if "auto_pad" in attributes else "NOTSET"
    if auto.startswith("SAME"):
        pads = tuple(
            same_padding(size, k, s, d, upper=auto == "SAME_UPPER")
            for size, k, s, d in zip(input_shape[2:], kernel, strides, dilations, strict=True)
        )
    else:
        flat = ints.get("pads", (0,) * 2 * n) if auto == "NOTSET" else (0,) * 2 * n
        pads = tuple((flat[i], flat[i + n]) for i in range(n))
    return Linear(_integer(attributes, "group", 1), Window(kernel, strides, dilations, pads))


def same_padding(size: int, kernel: int, stride: int, dilation: int, *, upper: bool) -> tuple[int, int]:
    """(begin, end) with which there is an output for every `stride` inputs; the odd one goes to the end if `upper`."""
    outputs = -(-size // stride)
    total = max(0, (outputs - 1) * stride + (kernel - 1) * dilation + 1 - size)
    small = total // 2
    return (small, total - small) if upper else (total - small, small)


def _integer(attributes: "dict[str, onnx.AttributeProto]", name: str, default: int) -> int:
    return int(attributes[name].i) if name in attributes else default
