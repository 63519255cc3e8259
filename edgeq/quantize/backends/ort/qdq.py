"""Writes static int8 for onnxruntime with its own QDQ writer; types, ranges and what stays float are decided before.

Knows onnxruntime.quantization; the only emitter of static int8 that does.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.foreign import quiet, translated
from edgeq.nouns.fidelity import Remedy
from edgeq.nouns.plan import Scheme
from edgeq.quantize.calibration.calibrate import Ranges
from edgeq.quantize.calibration.unfoldable_activations import unfoldable_activations
from edgeq.quantize.float_graph import PER_CHANNEL_OPSET, opset_of, write
from edgeq.quantize.integer_operators import INTEGER_OPERATORS
from edgeq.quantize.passes.fuse.integer_moves import integer_moves
from edgeq.quantize.passes.int16_saturation import Headroom, headroom, settle


def emit(
    model: Any,
    out: Path,
    scheme: Scheme,
    ranges: Ranges,
    leave: frozenset[str] = frozenset(),
    *,
    moves: bool = True,
) -> tuple[Remedy, ...]:
    """Quantizes `model` (float_graph.read) into `out`; nodes named in `leave` stay in float. With `moves`, what only moves
    values does so with integers (fuse/integer_moves.py); returned is what was changed for that.

    Weights are symmetric; the same graph, ranges and scheme give the same bytes. Raises ConversionFailed.
    """
    moved = _emit(model, out, scheme, ranges, leave, {}, moves)
    if scheme.pairs_fit:
        moved = _emit(model, out, scheme, ranges, leave, headroom(out), moves)
        settle(out)
    return moved


def _emit(
    model: Any,
    out: Path,
    scheme: Scheme,
    ranges: Ranges,
    leave: frozenset[str],
    wider: Mapping[str, Headroom],
    moves: bool,
) -> tuple[Remedy, ...]:
    """`wider` are weights whose scales have to be larger than their values ask for."""
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    types = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    data = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    with quiet(), translated("onnxruntime's quantizer refused the graph", "deploy with --recipe float"):
        quantizer = QDQQuantizer(
            copy,
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
    write(quantized, out)
    return moved


def _overrides(model: Any, wider: Mapping[str, Headroom]) -> dict[str, list[dict[str, Any]]]:
    """onnxruntime's TensorQuantOverrides: the ends of ranges, which lie beyond the largest weight; and one scale for all of a
    stack of matrices: its QLinearMatMul refuses, when it is run, one for each column of them.
    """
    import onnx

    stored = {i.name: i for i in model.graph.initializer}
    products = [n for n in model.graph.node if n.op_type == "MatMul"]
    stacks = (name for n in products for name in n.input if name in stored and len(stored[name].dims) > 2)
    ends = {
        name: _ends(onnx.numpy_helper.to_array(stored[name]), room)
        for name, room in wider.items()
        if name in stored and max(room.factors) > 1.0
    }
    return {name: [{"symmetric": True}] for name in stacks} | ends


def _ends(weight: npt.NDArray[Any], room: Headroom) -> list[dict[str, Any]]:
    others = None if room.axis is None else tuple(i for i in range(weight.ndim) if i != room.axis)
    ends = np.atleast_1d(np.abs(weight).max(axis=others)) * np.array(room.factors)
    along = {} if room.axis is None else {"axis": room.axis}
    return [{**along, "rmin": np.float32(-end), "rmax": np.float32(end)} for end in ends]
