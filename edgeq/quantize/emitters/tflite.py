"""Writes int8 for LiteRT with ai-edge-quantizer: static from ranges of our own, or dynamic, which needs none.

Its own calibration keeps a moving average of each sample's extremes, which forgets the extremes themselves: on
ResNet-20 that costs 16 dB against the plain extremes over all samples. So it is only handed ranges.
"""

import re
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.errors import ExtraMissing
from edgeq.foreign import quiet, translated
from edgeq.quantize.calibrate import Ranges
from edgeq.quantize.emitters.outputs_apart import apart, copies, joined
from edgeq.quantize.tflite_file import read


def emit(source: Path, out: Path, ranges: Ranges, leave: frozenset[str] = frozenset()) -> None:
    """Quantizes the float file `source` into `out`; operators whose first output tensor is in `leave` stay in float.

    Raises ExtraMissing without ai-edge-quantizer, ConversionFailed when it refuses.
    """
    copied = copies(source)
    statistics = _statistics(source, ranges)
    in_float = leave | set(copied.values()) | _never_computed(source, ranges)
    quantized = _quantized(apart(source, copied), "static_wi8_ai8", in_float, statistics)
    _put(out, joined(quantized) if copied else quantized)


def emit_dynamic(source: Path, out: Path) -> None:
    """Weights int8 per channel, activations quantized as they come. Raises as `emit`."""
    _put(out, _quantized(apart(source, {}), "dynamic_wi8_afp32", frozenset(), None))


def _quantized(content: bytes, recipe_name: str, leave: Set[str], statistics: dict[str, Any] | None) -> bytes:
    try:
        from ai_edge_quantizer import quantizer, recipe
        from ai_edge_quantizer.qtyping import TFLOperationName
    except ImportError:
        raise ExtraMissing(
            "int8 for LiteRT needs ai-edge-quantizer", "pip install 'edgeq[litert]', or --runtime onnxruntime"
        ) from None
    with quiet(), translated("ai-edge-quantizer refused the graph", "deploy with --recipe float"):
        work = quantizer.Quantizer(bytearray(content), getattr(recipe, recipe_name)())
        # An application feeds every candidate of a model alike, whichever went live: in float.
        for end in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):
            _leave_in_float(work, ".*", end)
        for name in sorted(leave):
            # An operator's scope is the names of its outputs, joined by semicolons.
            _leave_in_float(work, f"^{re.escape(name)}(;|$)", TFLOperationName.ALL_SUPPORTED)
        result = work.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
        return bytes(result.quantized_model)


def _never_computed(source: Path, ranges: Ranges) -> set[str]:
    """Operators without ranges: nothing asked for their outputs."""
    graph = read(source)
    made = (graph.tensors[i] for o in graph.operators for i in o.outputs[:1])
    return {t.name for t in made if t.type == "FLOAT32" and t.name not in ranges}


def _put(out: Path, content: bytes) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(content)


def _statistics(source: Path, ranges: Ranges) -> dict[str, dict[str, Any]]:
    """The ranges in the quantizer's form: arrays of the tensor's rank; constants have none, it looks at their values."""
    return {
        t.name: {"min": _shaped(ranges[t.name][0], t.shape), "max": _shaped(ranges[t.name][1], t.shape)}
        for t in read(source).tensors
        if t.name in ranges and not t.constant
    }


def _shaped(value: float, shape: tuple[int, ...]) -> Any:
    return np.full((1,) * len(shape), value, np.float32)


def _leave_in_float(work: Any, scope: str, operator: Any) -> None:
    from ai_edge_quantizer.algorithm_manager import AlgorithmName

    work.update_quantization_recipe(scope, operator, algorithm_key=AlgorithmName.NO_QUANTIZE)
