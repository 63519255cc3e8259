"""Keeps the 16-bit sums of two products from saturating, on x86 without VNNI.

There onnxruntime adds a[k] w[k] + a[k + 1] w[k + 1], U8 by S8, in 16 bits, and saturates silently (in which kernels and in
which order: tests/quantize/numerics/reference.py). 255 times the sum of the two weights has to stay below 32,768: two
neighbours of one sign may add up to 128 at most, two of different signs always fit. Seven bits for every weight ensure
that, with twice the scale. Here each output channel's scale grows only by what its worst pair needs, 1.25 times in the mean of ResNet-20 and
MobileNetV2, and no input saturates, whatever the samples. SQNR in dB (8 bits, 7 bits, this): ResNet-20 29.7, 26.8, 29.2;
ResNet-8 22.8, 19.8, 23.1; MobileNetV2 16.7, 11.0, 16.0; keyword spotting 29.8, 29.2, 29.3; MNIST 30.6, 29.8, 29.2.
Headroom for the calibrated activations alone, in place of all, would gain ResNet-8 another 0.7 dB and let one pair in ten
million of new samples saturate.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.graphs.onnx_index import OnnxIndex, index_of
from edgeq.graphs.onnx_io import read_onnx, write_onnx
from edgeq.graphs.op_sets import STATIC
from edgeq.quantize.quantization import ALWAYS, Context, Quantization

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.int16]

NAME = ALWAYS
STAGE = "keep sums within 16 bits"
MAX_PAIR_SUM = 128  # of |w0 + w1|: 255 * 128 = 32,640 < 2**15


def run(q: Quantization, context: Context) -> Quantization:
    """Enables the clamp after fitting, for targets whose kernels saturate: a fit moves weights by a step or two. Widening and a
    first clamp happen in backends/ort/qdq.py whenever it writes.
    """
    return replace(q, int16_clamp=q.scheme is not None and q.scheme.pairs_fit)


@dataclass(frozen=True)
class Widening:
    """The factor by which the scale of each output channel, along `axis`, has to grow (None: the one scale); 1 or more."""

    axis: int | None
    factors: tuple[float, ...]


def scale_widening(model: "onnx.ModelProto") -> dict[str, Widening]:
    """For a QDQ model with 8-bit weights: by name of each weight in the float graph."""
    return {layer.weight: _widening(layer) for layer in _layers(model)}


def clamp_pairs_of(path: Path) -> int:
    """`clamp_pairs` of the QDQ file at `path`. Raises ConversionFailed."""
    model = read_onnx(path)
    changed = clamp_pairs(model)
    if changed:
        write_onnx(model, path)
    return changed


def clamp_pairs(model: "onnx.ModelProto") -> int:
    """Clamps the pairs of a QDQ model that still saturate, and returns how many: rounding and fitting change weights by a step or
    two.
    """
    from onnx import numpy_helper

    constants = index_of(model.graph).constants
    changed = 0
    for layer in _layers(model):
        rows, count = _clamped(layer.rows())
        if count:
            tensor = layer.tensor(rows).astype(np.int8)
            name = layer.integers_name
            constants[name].CopyFrom(numpy_helper.from_array(tensor, name))
            changed += count
    return changed


def saturating_pairs(path: Path) -> dict[str, int]:
    """How many pairs of weights some input saturates, for each node whose kernel adds in pairs."""
    return {layer.node.name: _clamped(layer.rows())[1] for layer in _layers(read_onnx(path))}


@dataclass(frozen=True)
class _Layer:
    """A node with U8 input and the S8 weights `integers`, stored under `integers_name`; `weight` in the float graph."""

    node: "onnx.NodeProto"
    weight: str
    integers_name: str
    integers: Array
    axis: int | None

    def rows(self) -> Integers:
        """One for each output channel, [channels, K], in the order in which the kernel reads it: for a convolution by kernel
        position, then input channel. Stacked matrices are concatenated; a vector is one row.
        """
        w = self.integers.astype(np.int16)
        if self.node.op_type == "Conv":
            return w.reshape(*w.shape[:2], -1).swapaxes(1, 2).reshape(len(w), -1)
        if w.ndim == 1:
            return w[None]
        return w if self._is_transposed() else w.swapaxes(-1, -2).reshape(-1, w.shape[-2])

    def tensor(self, rows: Integers) -> Integers:
        """`rows` back in the file's shape."""
        shape = self.integers.shape
        if self.node.op_type == "Conv":
            return rows.reshape(shape[0], -1, shape[1]).swapaxes(1, 2).reshape(shape)
        if self._is_transposed() or len(shape) == 1:
            return rows.reshape(shape)
        return rows.reshape(*shape[:-2], shape[-1], shape[-2]).swapaxes(-1, -2)

    def _is_transposed(self) -> bool:
        return any(a.name == "transB" and a.i for a in self.node.attribute)


def _widening(layer: _Layer) -> Widening:
    worst = np.abs(_pairs(layer.rows())).max(axis=1) / MAX_PAIR_SUM
    if layer.axis is None:
        return Widening(None, (max(float(worst.max()), 1.0),))
    of_channel = worst.reshape(-1, layer.integers.shape[layer.axis]).max(axis=0)
    return Widening(layer.axis, tuple(float(f) for f in np.maximum(of_channel, 1.0)))


def _pairs(rows: Integers) -> Integers:
    """The sum of the two weights of each pair where they have one sign, [channels, pairs], else 0."""
    even = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    first, second = even[:, 0::2], even[:, 1::2]
    return np.where(np.sign(first) * np.sign(second) > 0, first + second, 0).astype(np.int16)


def _clamped(rows: Integers) -> tuple[Integers, int]:
    """`rows` with both weights of each pair above MAX_PAIR_SUM moved towards zero by the same, and how many pairs that were."""
    sums = _pairs(rows)
    excess = np.maximum(np.abs(sums) - MAX_PAIR_SUM, 0)
    by = np.stack([(excess + 1) // 2, excess // 2], axis=2).reshape(len(rows), -1)[:, : rows.shape[1]]
    return rows - np.sign(rows) * by, int(np.count_nonzero(excess))


def _layers(model: "onnx.ModelProto") -> list[_Layer]:
    from onnx import numpy_helper

    index = index_of(model.graph)
    found: dict[str, _Layer] = {}
    for node in (n for n in index.nodes if n.op_type in STATIC):
        x, w = (_dequantize(index.producer(name)) for name in node.input[:2])
        stored = None if w is None else index.initializer(w.input[0])
        if x is None or w is None or stored is None:
            continue
        name, axis = w.input[0], _axis(w, index)
        integers = numpy_helper.to_array(stored)
        channels = integers.ndim - 1 if integers.ndim > 1 else None  # all of a vector makes one channel
        if node.op_type == "MatMul" and axis not in (None, channels):
            continue  # scales along K: no integer kernel takes these
        if integers.dtype == np.int8 and _is_uint8(x, index) and not _is_depthwise(node, integers):
            found[name] = _Layer(node, name.removesuffix("_quantized"), name, integers, axis)
    return list(found.values())


def _dequantize(node: "onnx.NodeProto | None") -> "onnx.NodeProto | None":
    """`node` itself, where it is a DQ with a zero point."""
    is_one = node is not None and node.op_type == "DequantizeLinear" and len(node.input) == 3
    return node if is_one else None


def _is_uint8(dequantize: "onnx.NodeProto", index: OnnxIndex) -> bool:
    zero = index.initializer(dequantize.input[2])
    return zero is not None and zero.data_type == zero.UINT8


def _is_depthwise(node: "onnx.NodeProto", integers: Array) -> bool:
    """Their kernel does not add in pairs."""
    group = next((a.i for a in node.attribute if a.name == "group"), 1)
    return node.op_type == "Conv" and integers.shape[1] == 1 and group == len(integers)


def _axis(dequantize: "onnx.NodeProto", index: OnnxIndex) -> int | None:
    """Of the output channels; None where all have one scale."""
    scale = index.constants[dequantize.input[1]]
    return next((int(a.i) for a in dequantize.attribute if a.name == "axis"), 1) if scale.dims else None
