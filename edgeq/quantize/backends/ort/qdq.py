"""Writes static int8 for onnxruntime with its own QDQ writer; types, ranges and what stays float are decided before.

Knows onnxruntime.quantization; the only emitter of static int8 that does.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.float_graph import PER_CHANNEL_OPSET
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import opset_of, write_onnx
from edgeq.graphs.op_sets import INTEGER_OPERATORS
from edgeq.graphs.stays_float import keep_in_float
from edgeq.graphs.unfoldable_activations import unfoldable_activations
from edgeq.nouns.passes import AppliedChange
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.ort.stand_ins import fill, with_stand_ins
from edgeq.quantize.backends.refused_layers import found_by_trying, runs
from edgeq.quantize.calibration.calibrate import Ranges
from edgeq.quantize.passes.fit.fit_layers import save_with_weights
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.passes.fuse.integer_moves import integer_moves
from edgeq.quantize.passes.int16_saturation import (
    Widening,
    clamp_pairs,
    clamp_pairs_of,
    scale_widening,
)
from edgeq.quantize.passes.ranges.trial import PatchableQdq
from edgeq.quantize.quantization import Backend, Context, Quantization, Written

if TYPE_CHECKING:
    import onnx

_ANY_RANGE = (-1.0, 1.0)
_CLIP_INPUTS_OPSET = 11  # from which on Clip has its ends as inputs
_KEPT = 2  # choices: all layers, and all but the head


class QdqEmission:
    """Writes `model` to `path` as `emit` does, which takes as long as 200 inferences for MobileNetV2: the quantizer runs once for
    each choice of layers, and other ranges are patched into what it wrote.
    """

    def __init__(
        self, model: "onnx.ModelProto", path: Path, scheme: Scheme, *, move_ops_in_int8: bool
    ) -> None:
        self._model, self._path, self._scheme = model, path, scheme
        self._move_ops_in_int8 = move_ops_in_int8
        self._made: dict[frozenset[str], tuple[PatchableQdq, tuple[AppliedChange, ...]]] = {}

    def is_of(self, model: "onnx.ModelProto", path: Path) -> bool:
        return self._model is model and self._path == path

    def write(self, ranges: Ranges, in_float: frozenset[str]) -> tuple[AppliedChange, ...]:
        """What `emit` returns. Raises ConversionFailed."""
        if in_float not in self._made or not self._made[in_float][0].can_take(ranges):
            self._made = dict(list(self._made.items())[1 - _KEPT :])
            self._made[in_float] = self._emitted(ranges, in_float)
        patchable, moved = self._made[in_float]
        write_onnx(patchable.with_ranges(ranges), self._path)
        return moved

    def _emitted(
        self, ranges: Ranges, in_float: frozenset[str]
    ) -> tuple[PatchableQdq, tuple[AppliedChange, ...]]:
        model, moved = emitted(
            self._model, self._scheme, ranges, in_float, move_ops_in_int8=self._move_ops_in_int8
        )
        return PatchableQdq(model, ranges), moved


class OrtStatic(Backend):
    """The backend: a QDQ file, then the fitted weights, then pairs clamped to 16 bits. With `move_ops_in_int8`, operators that
    only move values do so on integers.
    """

    def __init__(self, *, move_ops_in_int8: bool) -> None:
        self._move_ops_in_int8 = move_ops_in_int8
        self._emitted: QdqEmission | None = None

    def refused(self, q: Quantization, context: Context) -> dict[str, str]:
        model, scheme, path = q.graph, q.scheme, context.path.with_name("refused.onnx")
        assert scheme is not None
        inputs = (i.name for i in model.graph.input)
        tensors = (*inputs, *(o for n in model.graph.node for o in n.output if o))
        ranges = dict.fromkeys(tensors, _ANY_RANGE)

        def attempt(in_float: frozenset[str]) -> None:
            emit(model, path, scheme, ranges, in_float)
            runs(path, "onnx", context.calibration[0])

        layers = [n.name for n in model.graph.node if n.op_type in INTEGER_OPERATORS]
        return found_by_trying(layers, attempt, path)

    def write(
        self, q: Quantization, path: Path, in_float: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        moved = self._emission(q, path).write(q.ranges, frozenset(in_float).union(q.in_float))
        if fitted and q.weights:
            save_with_weights(QdqFile.read(path, q.graph), q.weights, path)
        if fitted and q.int16_clamp:
            clamp_pairs_of(path)
        return Written(path, moved)

    def _emission(self, q: Quantization, path: Path) -> QdqEmission:
        if self._emitted is None or not self._emitted.is_of(q.graph, path):
            assert q.scheme is not None  # the planner gives one to every static candidate
            self._emitted = QdqEmission(q.graph, path, q.scheme, move_ops_in_int8=self._move_ops_in_int8)
        return self._emitted


def emit(
    model: "onnx.ModelProto",
    out: Path,
    scheme: Scheme,
    ranges: Ranges,
    in_float: frozenset[str] = frozenset(),
    *,
    move_ops_in_int8: bool = True,
) -> tuple[AppliedChange, ...]:
    """Writes what `emitted` makes to `out`, and returns the same changes. Raises ConversionFailed."""
    quantized, moved = emitted(model, scheme, ranges, in_float, move_ops_in_int8=move_ops_in_int8)
    write_onnx(quantized, out)
    return moved


def emitted(
    model: "onnx.ModelProto",
    scheme: Scheme,
    ranges: Ranges,
    in_float: frozenset[str] = frozenset(),
    *,
    move_ops_in_int8: bool = True,
) -> "tuple[onnx.ModelProto, tuple[AppliedChange, ...]]":
    """`model` (float_graph.read) quantized; nodes named in `in_float` stay in float. With `move_ops_in_int8`, what only moves
    values does so with integers (fuse/integer_moves.py); returned is what was changed for that.

    Weights are symmetric; the same graph, ranges and scheme give the same bytes. Raises ConversionFailed.
    """
    quantized = _quantized(model, scheme, ranges, in_float, {})
    if scheme.pairs_fit:
        quantized = _quantized(model, scheme, ranges, in_float, scale_widening(quantized))
    made = {node.name: node.output[0] for node in model.graph.node}
    move_ops_in_int8 = (
        move_ops_in_int8 and opset_of(model) >= PER_CHANNEL_OPSET
    )  # kernels were looked for from there on
    moved = tuple(integer_moves(quantized, made)) if move_ops_in_int8 else ()
    if opset_of(model) >= _CLIP_INPUTS_OPSET:
        keep_in_float(quantized)
    if scheme.pairs_fit:
        clamp_pairs(quantized)
    return quantized, moved


def _quantized(
    model: "onnx.ModelProto",
    scheme: Scheme,
    ranges: Ranges,
    in_float: frozenset[str],
    widenings: Mapping[str, Widening],
) -> "onnx.ModelProto":
    """`widenings`: by weight, how much larger its scales have to be than its values ask for."""
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import add_infer_metadata

    types = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
    data = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    small, layers = with_stand_ins(model)
    add_infer_metadata(
        small
    )  # that its shapes are inferred: else it is copied, written and read again for that
    others = widenings.keys() - {layer.weight.name for layer in layers}
    with (
        quiet(),
        as_conversion_failed("onnxruntime's quantizer refused the graph", "deploy with --recipe float"),
    ):
        quantizer = QDQQuantizer(
            small,
            scheme.per_channel,
            scheme.reduce_range,
            types[scheme.weights],
            types[scheme.activations],
            TensorsData(CalibrationMethod.MinMax, data),
            [],
            in_float | unfoldable_activations(model),  # every node is looked up in it
            list(INTEGER_OPERATORS),
            {
                "WeightSymmetric": True,
                "TensorQuantOverrides": _overrides(model, {name: widenings[name] for name in others}),
            },
        )
        quantizer.quantize_model()
        quantized: onnx.ModelProto = quantizer.model.model
    fill(quantized, layers, widenings, reduce_range=scheme.reduce_range)
    return quantized


def _overrides(
    model: "onnx.ModelProto", widenings: Mapping[str, Widening]
) -> dict[str, list[dict[str, Any]]]:
    """onnxruntime's TensorQuantOverrides: the ends of ranges, which lie beyond the largest weight; and one scale for all of a
    stack of matrices: its QLinearMatMul refuses, when it is run, one for each column of them.
    """
    from onnx import numpy_helper

    index = index_of(model.graph)
    read = [name for n in index.nodes if n.op_type == "MatMul" for name in n.input]
    stacks = [name for name in read if (w := index.initializer(name)) is not None and len(w.dims) > 2]
    ends = {
        name: _ends(numpy_helper.to_array(stored), widening)
        for name, widening in widenings.items()
        if (stored := index.initializer(name)) is not None and max(widening.factors) > 1.0
    }
    return {name: [{"symmetric": True}] for name in stacks} | ends


def _ends(weight: npt.NDArray[Any], widening: Widening) -> list[dict[str, Any]]:
    others = None if widening.axis is None else tuple(i for i in range(weight.ndim) if i != widening.axis)
    ends = np.atleast_1d(np.abs(weight).max(axis=others)) * np.array(widening.factors)
    along = {} if widening.axis is None else {"axis": widening.axis}
    return [{**along, "rmin": np.float32(-end), "rmax": np.float32(end)} for end in ends]
