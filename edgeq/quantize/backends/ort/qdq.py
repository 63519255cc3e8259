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
from edgeq.graphs.onnx_edit import copied
from edgeq.graphs.onnx_index import index_of
from edgeq.graphs.onnx_io import opset_of, read_onnx, write_onnx
from edgeq.graphs.op_sets import INTEGER_OPERATORS
from edgeq.graphs.unfoldable_activations import unfoldable_activations
from edgeq.nouns.passes import AppliedChange
from edgeq.nouns.plan import Scheme
from edgeq.quantize.backends.refused_layers import found_by_trying, runs
from edgeq.quantize.calibration.calibrate import Ranges
from edgeq.quantize.passes.fit.fit_layers import save_with_weights
from edgeq.quantize.passes.fit.qdq_file import QdqFile
from edgeq.quantize.passes.fuse.integer_moves import integer_moves
from edgeq.quantize.passes.int16_saturation import Widening, clamp_pairs, scale_widening
from edgeq.quantize.passes.ranges.trial import PatchableQdq
from edgeq.quantize.quantization import Backend, Context, Quantization, Written

if TYPE_CHECKING:
    import onnx

_ANY_RANGE = (-1.0, 1.0)
_KEPT = 2  # choices: all layers, and all but the head


class QdqEmission:
    """Writes `model` to `path` as `emit` does, which takes as long as 200 inferences for MobileNetV2: the quantizer runs once for
    each choice of layers, and other ranges are patched into what it wrote.
    """

    def __init__(self, model: "onnx.ModelProto", path: Path, scheme: Scheme, *, moves: bool) -> None:
        self._model, self._path, self._scheme, self._moves = model, path, scheme, moves
        self._made: dict[frozenset[str], tuple[PatchableQdq, tuple[AppliedChange, ...]]] = {}

    def is_of(self, model: "onnx.ModelProto", path: Path) -> bool:
        return self._model is model and self._path == path

    def write(self, ranges: Ranges, leave: frozenset[str]) -> tuple[AppliedChange, ...]:
        """What `emit` returns. Raises ConversionFailed."""
        if leave not in self._made or not self._made[leave][0].can_take(ranges):
            self._made = dict(list(self._made.items())[1 - _KEPT :])
            self._made[leave] = self._emitted(ranges, leave)
        patchable, moved = self._made[leave]
        write_onnx(patchable.with_ranges(ranges), self._path)
        return moved

    def _emitted(
        self, ranges: Ranges, leave: frozenset[str]
    ) -> tuple[PatchableQdq, tuple[AppliedChange, ...]]:
        moved = emit(self._model, self._path, self._scheme, ranges, leave, moves=self._moves)
        return PatchableQdq(read_onnx(self._path), ranges), moved


class OrtStatic(Backend):
    """The backend: a QDQ file, then the fitted weights, then pairs clamped to 16 bits. With `moves`, operators that only move
    values do so on integers.
    """

    def __init__(self, *, moves: bool) -> None:
        self._moves = moves
        self._emitted: QdqEmission | None = None

    def refused(self, q: Quantization, context: Context) -> dict[str, str]:
        model, scheme, path = q.graph, q.scheme, context.path.with_name("refused.onnx")
        assert scheme is not None
        inputs = (i.name for i in model.graph.input)
        tensors = (*inputs, *(o for n in model.graph.node for o in n.output if o))
        ranges = dict.fromkeys(tensors, _ANY_RANGE)

        def attempt(leave: frozenset[str]) -> None:
            emit(model, path, scheme, ranges, leave)
            runs(path, "onnx", context.calibration[0])

        layers = [n.name for n in model.graph.node if n.op_type in INTEGER_OPERATORS]
        return found_by_trying(layers, attempt, path)

    def write(
        self, q: Quantization, path: Path, leave: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        moved = self._emission(q, path).write(q.ranges, frozenset(leave).union(q.in_float))
        if fitted and q.weights:
            save_with_weights(QdqFile.read(path, q.graph), q.weights, path)
        if fitted and q.int16_clamp:
            clamp_pairs(path)
        return Written(path, moved)

    def _emission(self, q: Quantization, path: Path) -> QdqEmission:
        if self._emitted is None or not self._emitted.is_of(q.graph, path):
            assert q.scheme is not None  # the planner gives one to every static candidate
            self._emitted = QdqEmission(q.graph, path, q.scheme, moves=self._moves)
        return self._emitted


def emit(
    model: "onnx.ModelProto",
    out: Path,
    scheme: Scheme,
    ranges: Ranges,
    leave: frozenset[str] = frozenset(),
    *,
    moves: bool = True,
) -> tuple[AppliedChange, ...]:
    """Quantizes `model` (float_graph.read) into `out`; nodes named in `leave` stay in float. With `moves`, what only moves
    values does so with integers (fuse/integer_moves.py); returned is what was changed for that.

    Weights are symmetric; the same graph, ranges and scheme give the same bytes. Raises ConversionFailed.
    """
    moved = _emit(model, out, scheme, ranges, leave, {}, moves)
    if scheme.pairs_fit:
        moved = _emit(model, out, scheme, ranges, leave, scale_widening(out), moves)
        clamp_pairs(out)
    return moved


def _emit(
    model: "onnx.ModelProto",
    out: Path,
    scheme: Scheme,
    ranges: Ranges,
    leave: frozenset[str],
    wider: Mapping[str, Widening],
    moves: bool,
) -> tuple[AppliedChange, ...]:
    """`wider` are weights whose scales have to be larger than their values ask for."""
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    types = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
    data = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    with (
        quiet(),
        as_conversion_failed("onnxruntime's quantizer refused the graph", "deploy with --recipe float"),
    ):
        quantizer = QDQQuantizer(
            copied(model),
            scheme.per_channel,
            scheme.reduce_range,
            types[scheme.weights],
            types[scheme.activations],
            TensorsData(CalibrationMethod.MinMax, data),
            [],
            leave | unfoldable_activations(model),  # every node is looked up in it
            list(INTEGER_OPERATORS),
            {"WeightSymmetric": True, "TensorQuantOverrides": _overrides(model, wider)},
        )
        quantizer.quantize_model()
        quantized = quantizer.model.model
    made = {node.name: node.output[0] for node in model.graph.node}
    moves = moves and opset_of(model) >= PER_CHANNEL_OPSET  # kernels were looked for from there on
    moved = tuple(integer_moves(quantized, made)) if moves else ()
    write_onnx(quantized, out)
    return moved


def _overrides(model: "onnx.ModelProto", wider: Mapping[str, Widening]) -> dict[str, list[dict[str, Any]]]:
    """onnxruntime's TensorQuantOverrides: the ends of ranges, which lie beyond the largest weight; and one scale for all of a
    stack of matrices: its QLinearMatMul refuses, when it is run, one for each column of them.
    """
    from onnx import numpy_helper

    index = index_of(model.graph)
    read = [name for n in index.nodes if n.op_type == "MatMul" for name in n.input]
    stacks = [name for name in read if (w := index.initializer(name)) is not None and len(w.dims) > 2]
    ends = {
        name: _ends(numpy_helper.to_array(stored), room)
        for name, room in wider.items()
        if (stored := index.initializer(name)) is not None and max(room.factors) > 1.0
    }
    return {name: [{"symmetric": True}] for name in stacks} | ends


def _ends(weight: npt.NDArray[Any], room: Widening) -> list[dict[str, Any]]:
    others = None if room.axis is None else tuple(i for i in range(weight.ndim) if i != room.axis)
    ends = np.atleast_1d(np.abs(weight).max(axis=others)) * np.array(room.factors)
    along = {} if room.axis is None else {"axis": room.axis}
    return [{**along, "rmin": np.float32(-end), "rmax": np.float32(end)} for end in ends]
