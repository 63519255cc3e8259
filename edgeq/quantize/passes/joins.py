"""Leaves operators in float that combine small and large values in one tensor behind the last layers, and all that follows.

A detector that concatenates boxes in pixels with scores below 1 loses the scores, which get the boxes' scale. In float each
part keeps its own, at no cost in speed: no layer follows, so the values would be dequantized anyway. Found by values
(sqnr_breakdown.py), not by operator: Concat, Pack, an Add of padded parts and a Mul by a factor per channel alike. Where a
layer itself makes values of several magnitudes, only that layer in float would help: it stays as it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgeq.foreign import as_conversion_failed
from edgeq.graphs.macs import TFLITE_HEAVY
from edgeq.graphs.op_sets import HEAVY, INTEGER_OPERATORS
from edgeq.graphs.tflite import read_tflite
from edgeq.graphs.tflite_session import feed, interpreter_of
from edgeq.limited.native_call import native_call
from edgeq.nouns.passes import PassResult
from edgeq.plain_text import counted
from edgeq.quantize.evaluate.sqnr_breakdown import mixes_scales
from edgeq.quantize.passes.fuse.in_float import before_a_layer, float_tensors
from edgeq.quantize.quantization import PREPARE, Context, Quantization
from edgeq.quantize.run_model import values_of
from edgeq.quantize.samples import Array, SamplesLike, evenly_spaced

if TYPE_CHECKING:
    import onnx

_SAMPLES = 16
_WHY = (
    "joins small and large values after the last layers, or follows such a join: both would share one scale"
)
# Operators with a graph or layers of their own inside.
_INSIDE = ("WHILE", "IF", "CALL", "CALL_ONCE", "LSTM", "RNN", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN")  # fmt: skip


NAME = "joins"
STAGE = PREPARE


def run(q: Quantization, context: Context) -> Quantization:
    """Not with 16-bit activations, which represent both, nor with integer outputs, which need one scale."""
    if q.format == "onnx":
        found = onnx_joins(q.graph, context.calibration, context.threads)
    elif q.activation_bits == 8 and not q.integer_io:
        found = tflite_joins(q.source, context.calibration, context.threads)
    else:
        return q.with_result(PassResult(NAME, False, "does not apply to int16 activations or integer I/O"))
    why = (
        counted(len(found), "operator")
        if found
        else "no small values are joined with large ones after the last layers"
    )
    return q.keep_in_float({**found, **q.in_float}).with_result(PassResult(NAME, bool(found), why))


@dataclass(frozen=True)
class _Step:
    """An operator behind the last layers; tensors by name, `reads` without constants."""

    name: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]


def onnx_joins(model: "onnx.ModelProto", samples: SamplesLike, threads: int) -> dict[str, str]:
    """The nodes that stay in float, of those that could be quantized, and why; `model` has inferred shapes and named nodes."""
    floats, before = float_tensors(model.graph), before_a_layer(model.graph)
    steps = [
        _Step(n.name, tuple(i for i in n.input if i in floats), tuple(o for o in n.output if o in floats))
        for n in model.graph.node
        if n.op_type not in HEAVY and not before.intersection(n.output)
    ]
    names = _tensors(steps)
    mixed = (
        _mixed(_onnx_values(model, names, evenly_spaced(samples, _SAMPLES), threads))
        if names
        else frozenset[str]()
    )
    kinds = {n.name: n.op_type for n in model.graph.node}
    return {name: _WHY for name in _in_float(steps, mixed) if kinds[name] in INTEGER_OPERATORS}


def tflite_joins(source: Path, samples: SamplesLike, threads: int) -> dict[str, str]:
    """The same of the float file `source`, by the first output of an operator."""
    graph = read_tflite(source)
    before: set[int] = set()
    for op in reversed(graph.operators):
        if op.kind in TFLITE_HEAVY or op.kind in _INSIDE or before.intersection(op.outputs):
            before |= set(op.inputs)

    def named(indices: Iterable[int]) -> tuple[str, ...]:
        tensors = (graph.tensors[i] for i in indices)
        return tuple(t.name for t in tensors if t.type == "FLOAT32" and not t.constant)

    steps = [
        _Step(graph.tensors[op.outputs[0]].name, named(op.inputs), named(op.outputs))
        for op in graph.operators
        if op.outputs and op.kind not in (*TFLITE_HEAVY, *_INSIDE) and not before.intersection(op.outputs)
    ]
    names = _tensors(steps)
    mixed = (
        _mixed(_tflite_values(source, names, evenly_spaced(samples, _SAMPLES), threads))
        if names
        else frozenset[str]()
    )
    return dict.fromkeys(_in_float(steps, mixed), _WHY)


def _in_float(steps: list[_Step], mixed: frozenset[str]) -> list[str]:
    """`steps` in the order in which they run."""
    after: set[str] = set()
    found = []
    for step in steps:
        joins = mixed.intersection(step.makes) and not mixed.intersection(step.reads)
        if joins or after.intersection(step.reads):
            after.update(step.makes)
            found.append(step.name)
    return found


def _tensors(steps: list[_Step]) -> list[str]:
    return sorted({name for step in steps for name in (*step.reads, *step.makes)})


def _mixed(values: dict[str, list[Array]]) -> frozenset[str]:
    return frozenset(
        name
        for name, each in values.items()
        if len({a.shape for a in each}) == 1 and mixes_scales(np.stack(each))
    )


def _onnx_values(
    model: "onnx.ModelProto", names: list[str], samples: SamplesLike, threads: int
) -> dict[str, list[Array]]:
    inputs = {i.name for i in model.graph.input}
    made = [name for name in names if name not in inputs]
    runs = list(values_of(model, made, samples, threads))
    return {name: [np.asarray(run[k]) for run in runs] for k, name in enumerate(made)}


def _tflite_values(
    source: Path, names: list[str], samples: SamplesLike, threads: int
) -> dict[str, list[Array]]:
    interpreter = interpreter_of(source, threads, keep_all=True)
    indices = {d["name"]: d["index"] for d in interpreter.get_tensor_details()}
    found: dict[str, list[Array]] = {name: [] for name in names if name in indices}
    with as_conversion_failed("the float .tflite does not run on a calibration sample"):
        for i in range(samples.count):
            feed(interpreter, samples[i])
            native_call(interpreter.invoke)
            for name, values in found.items():
                values.append(np.array(interpreter.get_tensor(indices[name])))
    return found
