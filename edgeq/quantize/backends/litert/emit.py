"""Writes int8 for LiteRT with litert-quantizer: static from ranges of our own, or dynamic, which needs none.

Its own calibration keeps a moving average of each sample's extremes, which forgets the extremes themselves: on
ResNet-20 that costs 16 dB against the plain extremes over all samples. So it is only handed ranges.
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeq.errors import ExtraMissing
from edgeq.foreign import quiet, translated
from edgeq.quantize.backends.litert.kernels import of_one_scale, without_kernel
from edgeq.quantize.backends.litert.outputs_apart import apart, copies, joined
from edgeq.quantize.backends.litert.shared_constants import products_across
from edgeq.quantize.backends.ort.widen_bias_scales import with_room_for_biases
from edgeq.quantize.calibration.calibrate import Ranges
from edgeq.quantize.tflite_file import read, read_bytes

_RECIPES = {8: "static_wi8_ai8", 16: "static_wi8_ai16"}

_EVERY = ".*"

# Of 16-bit ranges, beyond what calibration saw: one bit of sixteen is worth less than what would be cut off.
_ROOM = 2.0


@dataclass(frozen=True)
class Form:
    """What static integers look like. Activations of 16 bits are symmetric, and biases beside them have 64. With
    `integer_io` the file takes and gives integers; without, an application feeds it as it feeds float.
    """

    activation_bits: int = 8
    integer_io: bool = False
    runtime: str = "litert"


USUAL = Form()


def emit(
    source: Path, out: Path, ranges: Ranges, leave: frozenset[str] = frozenset(), form: Form = USUAL
) -> None:
    """Quantizes the float file `source` into `out`; operators whose first output tensor is in `leave` stay in float.

    Raises ExtraMissing without litert-quantizer, ConversionFailed when it refuses.
    """
    copied = copies(source)
    in_float = leave | _never_computed(source, ranges)
    in_float |= without_kernel(source, form.runtime, form.activation_bits).keys()
    if form.integer_io:
        ranges = {**ranges, **{copy: ranges[name] for name, copy in copied.items() if name in ranges}}
    else:
        in_float |= set(copied.values())
    if form.activation_bits == 16:
        ranges = {name: (low * _ROOM, high * _ROOM) for name, (low, high) in ranges.items()}
    content = apart(source, copied)
    recipe = _RECIPES[form.activation_bits]
    one_scale = dict.fromkeys(of_one_scale(form.runtime, form.activation_bits), _EVERY)
    statistics = _statistics(content, ranges)
    quantized = _quantized(
        content, recipe, in_float, statistics, float_ends=not form.integer_io, one_scale=one_scale
    )
    quantized = joined(quantized) if copied else quantized
    _put(out, with_room_for_biases(source, quantized))


def emit_dynamic(
    source: Path, out: Path, runtime: str = "litert", leave: frozenset[str] = frozenset()
) -> None:
    """Weights int8 per channel, activations dynamically quantized; `leave` as for `emit`. Raises as `emit`."""
    content, in_float = apart(source, {}), leave | without_kernel(source, runtime, None).keys()
    one_scale = dict.fromkeys(of_one_scale(runtime, None), _EVERY)
    if (across := products_across(source)) and "BATCH_MATMUL" not in one_scale:
        one_scale["BATCH_MATMUL"] = _scope(across)
    _put(out, _quantized(content, "dynamic_wi8_afp32", in_float, None, float_ends=True, one_scale=one_scale))


def _quantized(
    content: bytes,
    recipe_name: str,
    leave: Set[str],
    statistics: dict[str, Any] | None,
    *,
    float_ends: bool,
    one_scale: Mapping[str, str],
) -> bytes:
    """`one_scale`: by kind of operator the scope, a pattern, of those whose weights have one scale, not one per channel."""
    try:
        from litert_quantizer import quantizer, recipe
        from litert_quantizer.qtyping import TFLOperationName
    except ImportError:
        raise ExtraMissing(
            "int8 for LiteRT needs litert-quantizer", "pip install 'edgeq[litert]', or --runtime onnxruntime"
        ) from None
    with quiet(), translated("litert-quantizer refused the graph", "deploy with --recipe float"):
        rules = getattr(recipe, recipe_name)()
        rules += [
            _with_one_scale(rules[0], TFLOperationName[kind], scope) for kind, scope in one_scale.items()
        ]
        work = quantizer.Quantizer(bytearray(content), rules)
        for end in (TFLOperationName.INPUT, TFLOperationName.OUTPUT) if float_ends else ():
            _leave_in_float(work, _EVERY, end)
        if leave:
            _leave_in_float(work, _scope(leave), TFLOperationName.ALL_SUPPORTED)
        result = work.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
        return bytes(result.quantized_model)


def _scope(names: Set[str]) -> str:
    """The pattern of the operators with these first outputs. One for all: every operator is compared with every rule.

    litert-quantizer calls an operator by the names of its outputs, joined by semicolons.
    """
    return f"^(?:{'|'.join(re.escape(name) for name in sorted(names))})(;|$)"


def _with_one_scale(rule: dict[str, Any], operation: Any, scope: str) -> dict[str, Any]:
    from litert_quantizer.qtyping import QuantGranularity

    weights = {**rule["op_config"]["weight_tensor_config"], "granularity": QuantGranularity.TENSORWISE}
    return {
        **rule,
        "regex": scope,
        "operation": operation,
        "op_config": {**rule["op_config"], "weight_tensor_config": weights},
    }


def _put(out: Path, content: bytes) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(content)


def _never_computed(source: Path, ranges: Ranges) -> set[str]:
    """Operators without ranges: nothing asked for their outputs."""
    graph = read(source)
    made = (graph.tensors[i] for o in graph.operators for i in o.outputs[:1])
    return {t.name for t in made if t.type == "FLOAT32" and t.name not in ranges}


def _statistics(content: bytes, ranges: Ranges) -> dict[str, dict[str, Any]]:
    """The ranges in the quantizer's form: arrays of the tensor's rank; constants have none, it looks at their values."""
    return {
        t.name: {"min": _shaped(ranges[t.name][0], t.shape), "max": _shaped(ranges[t.name][1], t.shape)}
        for t in read_bytes(content).tensors
        if t.name in ranges and not t.constant
    }


def _shaped(value: float, shape: tuple[int, ...]) -> Any:
    return np.full((1,) * len(shape), value, np.float32)


def _leave_in_float(work: Any, scope: str, operator: Any) -> None:
    from litert_quantizer.algorithm_manager import AlgorithmName

    work.update_quantization_recipe(scope, operator, algorithm_key=AlgorithmName.NO_QUANTIZE)
