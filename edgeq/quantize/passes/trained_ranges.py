"""Gives the activations of a .tflite graph the ranges that the network was trained with.

The graph was converted from the trained network's float graph, so its tensors are found by their values on a sample. What the
trained network computes in float stays in float. Layers with weights whose tensors are not found have ranges that are the extremes on
the calibration samples, and are listed as changes.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edgeq.graphs.macs import TFLITE_HEAVY
from edgeq.graphs.onnx_io import read_onnx, write_onnx
from edgeq.graphs.tflite import Operator, TfliteGraph, read_tflite
from edgeq.nouns.passes import AppliedChange
from edgeq.quantize.calibration.calibrate import Ranges, calibrate_tflite
from edgeq.quantize.calibration.calibrate import ranges_of as calibrated
from edgeq.quantize.calibration.tensor_stats import Range
from edgeq.quantize.quantization import ALWAYS, PREPARE, Context, Quantization
from edgeq.quantize.same_values import same_values
from edgeq.quantize.trained.float_graph import float_graph
from edgeq.quantize.trained.layers_in_float import layers_in_float
from edgeq.quantize.trained.numbers import ranges_of

NAME = ALWAYS
STAGE = PREPARE
_CALIBRATOR = "minmax"
_IN_FLOAT = "the trained network computes it in float"
_NO_SCALE = "around it the trained network computes in float"
_CALIBRATED = "has no tensor of the trained network's values: its range is that of the calibration samples"
_NO_VALUES = "a tensor of it has no trained scale, and no values on the calibration samples"
_OF_ZEROS = (0.0, 1.0)
_LAST = "__to_nhwc"  # what onnx2tf adds to the name of a tensor whose channels it puts last
# Operators whose output has the scale of their input, and the same values whether it is rounded before them or behind. An average has not:
# where one of its ends is in float, so is the average.
_OF_ONE_SCALE = frozenset(
    [
        "DEPTH_TO_SPACE",
        "EXPAND_DIMS",
        "GATHER",
        "MAX_POOL_2D",
        "MIRROR_PAD",
        "PAD",
        "PADV2",
        "RELU",
        "RELU6",
        "RESHAPE",
        "RESIZE_NEAREST_NEIGHBOR",
        "SLICE",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TILE",
        "TRANSPOSE",
    ]
)


def run(q: Quantization, context: Context) -> Quantization:
    """Raises ConversionFailed where a file does not run."""
    assert q.trained is not None  # the planner gives it
    trained, graph = read_onnx(q.trained), read_tflite(q.source)
    source = context.path.with_name("trained_float.onnx")
    write_onnx(float_graph(trained), source)
    same = same_values(source, q.source, context.heldout[0])
    source.unlink()
    known = ranges_of(trained)
    ranges = _handed_on(graph, _of_partners(same, known))
    in_float = _in_float(graph, same, ranges) | dict.fromkeys(layers_in_float(trained, q.source), _IN_FLOAT)
    q = q.keep_in_float(in_float)
    missing = _missing(graph, ranges, in_float)
    if not missing:
        return replace(q, calibrator=None, ranges=ranges)
    found = _calibrated(q.source, context)
    others = {name: _with_zero(found[name]) for name in missing if name in found}
    ranges = {**ranges, **others}
    changes = tuple(AppliedChange(name, _CALIBRATED) for name in others)
    q = q.keep_in_float(dict.fromkeys(_without_range(graph, ranges, in_float), _NO_VALUES))
    return replace(q, ranges=ranges).with_changes("trained", changes)


def _of_partners(same: Mapping[str, frozenset[str]], known: Ranges) -> Ranges:
    """By tensor of the .tflite graph, where all that have its values agree on one; else of the one whose name it has: a Relu of values
    that are all positive has a scale in front and another behind.
    """
    found = {}
    for name, others in same.items():
        ends = {known[other] for other in others if other in known}
        namesake = name.removesuffix(_LAST)
        if len(ends) == 1:
            found[name] = next(iter(ends))
        elif namesake in others and namesake in known:
            found[name] = known[namesake]
    return found


def _handed_on(graph: TfliteGraph, ranges: Ranges) -> Ranges:
    """And what operators have in common with their input, both ways; and what a join's operands have with what they become."""
    names, found = [t.name for t in graph.tensors], dict(ranges)
    moves = [o for o in graph.operators if o.kind in _OF_ONE_SCALE]
    joins = [o for o in graph.operators if o.kind == "CONCATENATION"]
    for join in (o for o in joins if names[o.outputs[0]] in found):
        ends = found[names[join.outputs[0]]]
        found.update({names[i]: ends for i in join.inputs if names[i] not in found})
    for operator in (*moves, *reversed(moves)):
        data = operator.inputs[1 if operator.kind == "SPLIT" else 0]  # SPLIT names its axis first
        around = [names[i] for i in (data, *operator.outputs)]
        known = [found[name] for name in around if name in found]
        if known:
            found.update({name: known[0] for name in around if name not in found})
    return found


def _in_float(graph: TfliteGraph, same: Mapping[str, frozenset[str]], ranges: Ranges) -> dict[str, str]:
    """Operators by first output that read or make a tensor without a trained scale, as those that a LayerNormalization becomes. One
    with weights only where the network has its tensor.
    """
    found = {}
    for operator in (o for o in graph.operators if o.outputs):
        output = graph.tensors[operator.outputs[0]].name
        without = [name for name in _activations(graph, operator) if name not in ranges]
        if output in without and same.get(output):
            found[output] = _IN_FLOAT
        elif without and operator.kind not in TFLITE_HEAVY:
            found[output] = _NO_SCALE
    return found


def _activations(graph: TfliteGraph, operator: Operator) -> list[str]:
    around = [graph.tensors[i] for i in (*operator.inputs, *operator.outputs)]
    return [t.name for t in around if t.type == "FLOAT32" and not t.constant]


def _without_range(graph: TfliteGraph, ranges: Ranges, in_float: Mapping[str, str]) -> list[str]:
    """Operators in integers, by first output, that read or make an activation that has no range still."""
    made = ((o, graph.tensors[o.outputs[0]].name) for o in graph.operators if o.outputs)
    return [
        output
        for operator, output in made
        if output not in in_float and any(name not in ranges for name in _activations(graph, operator))
    ]


def _missing(graph: TfliteGraph, ranges: Ranges, in_float: Mapping[str, str]) -> list[str]:
    """Activations of no range that an operator in integers reads or makes."""
    found: dict[str, None] = {}
    for operator in graph.operators:
        if operator.outputs and graph.tensors[operator.outputs[0]].name not in in_float:
            found.update((name, None) for name in _activations(graph, operator) if name not in ranges)
    return list(found)


def _with_zero(ends: Range) -> Range:
    """The integers have a zero, and a width, also where all values are equal: the initial state of a GRU."""
    low, high = min(ends[0], 0.0), max(ends[1], 0.0)
    return (low, high) if low < high else _OF_ZEROS


def _calibrated(source: Path, context: Context) -> Ranges:
    samples = context.samples if context.samples is not None else context.heldout
    statistics = calibrate_tflite(source, samples, False, threads=context.threads, cache=context.cache)
    return calibrated(statistics, _CALIBRATOR)
