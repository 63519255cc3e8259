"""Writes int8 for LiteRT with litert-quantizer: static from ranges of our own, or dynamic, which needs none.

Its own calibration keeps a moving average of each sample's extremes, which forgets the extremes themselves: on
ResNet-20 that costs 16 dB against the plain extremes over all samples. So it is only handed ranges.
"""

import re
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeq.errors import ExtraMissing
from edgeq.foreign import as_conversion_failed, quiet
from edgeq.graphs.tflite import Tensor, read_tflite, tflite_of
from edgeq.quantize.backends.litert.four_bits import store_in_four_bits
from edgeq.quantize.backends.litert.kernels import of_one_scale, products_across, without_kernel
from edgeq.quantize.backends.litert.outputs_apart import apart, copies, joined
from edgeq.quantize.backends.litert.padding import with_padding
from edgeq.quantize.backends.litert.widen_bias_scales import with_room_for_biases
from edgeq.quantize.backends.refused_layers import found_by_trying, runs
from edgeq.quantize.calibration.calibrate import Ranges
from edgeq.quantize.passes.fit.fit_layers import save_with_weights
from edgeq.quantize.passes.fit.quantized_tflite import TfliteFile
from edgeq.quantize.quantization import Backend, Context, Quantization, Written

_RECIPES = {8: "static_wi8_ai8", 16: "static_wi8_ai16"}

_EVERY = ".*"
_ANY_RANGE = (-1.0, 1.0)

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


class LitertStatic(Backend):
    """Static int8, or int8 weights on int16 activations."""

    def unsupported(self, q: Quantization) -> dict[str, str]:
        return without_kernel(q.source, q.candidate.runtime, q.activation_bits)

    def refused(self, q: Quantization, context: Context) -> dict[str, str]:
        def attempt(in_float: frozenset[str], ranges: Ranges, path: Path) -> None:
            emit(q.source, path, ranges, in_float, form_of(q))

        return _refused(q, context, attempt)

    def write(
        self, q: Quantization, path: Path, in_float: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        emit(q.source, path, q.ranges, frozenset(in_float).union(q.in_float), form_of(q))
        if fitted and q.weights:
            save_with_weights(TfliteFile(q.source, path), q.weights, path)
            return Written(path, store_in_four_bits(path) if q.candidate.runtime == "litert" else ())
        return Written(path)


class LitertDynamic(Backend):
    """Weights int8, activations dynamically quantized."""

    def unsupported(self, q: Quantization) -> dict[str, str]:
        return without_kernel(q.source, q.candidate.runtime, None)

    def refused(self, q: Quantization, context: Context) -> dict[str, str]:
        def attempt(in_float: frozenset[str], ranges: Ranges, path: Path) -> None:
            emit_dynamic(q.source, path, q.candidate.runtime, in_float)

        return _refused(q, context, attempt)

    def write(
        self, q: Quantization, path: Path, in_float: Collection[str] = (), *, fitted: bool = True
    ) -> Written:
        emit_dynamic(q.source, path, q.candidate.runtime, frozenset(in_float).union(q.in_float))
        return Written(path)


def form_of(q: Quantization) -> Form:
    return Form(q.activation_bits, q.integer_io, q.candidate.runtime)


def _refused(
    q: Quantization, context: Context, written: Callable[[frozenset[str], Ranges, Path], None]
) -> dict[str, str]:
    path, graph = context.path.with_name("refused.tflite"), read_tflite(q.source)
    ranges = {t.name: _ANY_RANGE for t in graph.tensors if t.type == "FLOAT32" and not t.constant}
    sample = tuple(_ones(graph.tensors[i]) for i in graph.inputs)

    def attempt(in_float: frozenset[str]) -> None:
        written(in_float, ranges, path)
        runs(path, "tflite", sample)

    made = [graph.tensors[o.outputs[0]].name for o in graph.operators if o.outputs]
    return found_by_trying(made, attempt, path)


def _ones(tensor: Tensor) -> npt.NDArray[Any]:
    dtype = np.float32 if tensor.type == "FLOAT32" else np.dtype(tensor.type.lower())
    return np.ones([max(d, 1) for d in tensor.shape], dtype)


def emit(
    source: Path, out: Path, ranges: Ranges, in_float: frozenset[str] = frozenset(), form: Form = USUAL
) -> None:
    """Quantizes the float file `source` into `out`; operators whose first output tensor is in `in_float` stay in float.

    Raises ExtraMissing without litert-quantizer, ConversionFailed when it refuses.
    """
    copied = copies(source)
    in_float = in_float | _never_computed(source, ranges)
    in_float |= without_kernel(source, form.runtime, form.activation_bits).keys()
    if form.integer_io:
        ranges = {**ranges, **{copy: ranges[name] for name, copy in copied.items() if name in ranges}}
    else:
        in_float |= set(copied.values())
    if form.activation_bits == 16:
        ranges = {name: (low * _ROOM, high * _ROOM) for name, (low, high) in ranges.items()}
    content, ranges = with_padding(apart(source, copied), ranges)
    recipe = _RECIPES[form.activation_bits]
    one_scale = dict.fromkeys(of_one_scale(form.runtime, form.activation_bits), _EVERY)
    statistics = _statistics(content, ranges)
    quantized = _quantized(
        content, recipe, in_float, statistics, float_ends=not form.integer_io, one_scale=one_scale
    )
    quantized = joined(quantized) if copied else quantized
    _put(out, with_room_for_biases(source, quantized))


def emit_dynamic(
    source: Path, out: Path, runtime: str = "litert", in_float: frozenset[str] = frozenset()
) -> None:
    """Weights int8 per channel, activations dynamically quantized; `in_float` as for `emit`. Raises as `emit`."""
    content, in_float = apart(source, {}), in_float | without_kernel(source, runtime, None).keys()
    one_scale = dict.fromkeys(of_one_scale(runtime, None), _EVERY)
    if (across := products_across(source)) and "BATCH_MATMUL" not in one_scale:
        one_scale["BATCH_MATMUL"] = _scope(across)
    _put(out, _quantized(content, "dynamic_wi8_afp32", in_float, None, float_ends=True, one_scale=one_scale))


def _quantized(
    content: bytes,
    recipe_name: str,
    in_float: Set[str],
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
    with quiet(), as_conversion_failed("litert-quantizer refused the graph", "deploy with --recipe float"):
        rules = getattr(recipe, recipe_name)()
        rules += [
            _with_one_scale(rules[0], TFLOperationName[kind], scope) for kind, scope in one_scale.items()
        ]
        made = quantizer.Quantizer(bytearray(content), rules)
        for end in (TFLOperationName.INPUT, TFLOperationName.OUTPUT) if float_ends else ():
            _leave_in_float(made, _EVERY, end)
        if in_float:
            _leave_in_float(made, _scope(in_float), TFLOperationName.ALL_SUPPORTED)
        result = made.quantize(statistics, enable_progress_bar=False, enable_progress_report=False)
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
    """Operators with a float activation of no range, by first output: nothing asked for it, and the quantizer fails at it."""
    graph = read_tflite(source)
    without = {
        i
        for i, t in enumerate(graph.tensors)
        if t.type == "FLOAT32" and not t.constant and t.name not in ranges
    }
    found = (o for o in graph.operators if o.outputs and not without.isdisjoint((*o.inputs, *o.outputs)))
    return {graph.tensors[o.outputs[0]].name for o in found}


def _statistics(content: bytes, ranges: Ranges) -> dict[str, dict[str, Any]]:
    """The ranges in the quantizer's form: arrays of the tensor's rank; constants have none, it looks at their values."""
    return {
        t.name: {"min": _shaped(ranges[t.name][0], t.shape), "max": _shaped(ranges[t.name][1], t.shape)}
        for t in tflite_of(content).tensors
        if t.name in ranges and not t.constant
    }


def _shaped(value: float, shape: tuple[int, ...]) -> Any:
    return np.full((1,) * len(shape), value, np.float32)


def _leave_in_float(made: Any, scope: str, operator: Any) -> None:
    from litert_quantizer.algorithm_manager import AlgorithmName

    made.update_quantization_recipe(scope, operator, algorithm_key=AlgorithmName.NO_QUANTIZE)
