"""Gives the activations of a .tflite graph the ranges that the network was trained with.

The graph was converted from the trained network's float graph, so its tensors are found by their values on a sample. Ranges of
tensors that the trained network does not have are the extremes on the calibration samples, and are listed as changes.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edgeq.graphs.onnx_io import read_onnx, write_onnx
from edgeq.graphs.tflite import TfliteGraph, read_tflite
from edgeq.nouns.passes import AppliedChange
from edgeq.quantize.calibration.calibrate import Ranges, calibrate_tflite
from edgeq.quantize.calibration.calibrate import ranges_of as calibrated
from edgeq.quantize.quantization import ALWAYS, PREPARE, Context, Quantization
from edgeq.quantize.same_values import same_values
from edgeq.quantize.trained.float_graph import float_graph
from edgeq.quantize.trained.numbers import ranges_of

NAME = ALWAYS
STAGE = PREPARE
_CALIBRATOR = "minmax"
_IN_FLOAT = "the trained network computes it in float"
_CALIBRATED = "has no tensor of the trained network's values: its range is that of the calibration samples"
# Operators whose output has the scale of their input.
_OF_ONE_SCALE = frozenset(
    [
        "AVERAGE_POOL_2D",
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
    in_float = _in_float(graph, same, ranges)
    q = q.keep_in_float(in_float)
    missing = _missing(graph, ranges, in_float)
    if not missing:
        return replace(q, calibrator=None, ranges=ranges)
    found = _calibrated(q.source, context)
    others = {name: found[name] for name in missing if name in found}
    changes = tuple(AppliedChange(name, _CALIBRATED) for name in others)
    return replace(q, ranges={**ranges, **others}).with_changes("trained", changes)


def _of_partners(same: Mapping[str, frozenset[str]], known: Ranges) -> Ranges:
    """By tensor of the .tflite graph, where all that have its values agree on one."""
    found = {}
    for name, others in same.items():
        ends = {known[other] for other in others if other in known}
        if len(ends) == 1:
            found[name] = next(iter(ends))
    return found


def _handed_on(graph: TfliteGraph, ranges: Ranges) -> Ranges:
    """And what operators have in common with their input, both ways."""
    names, found = [t.name for t in graph.tensors], dict(ranges)
    moves = [o for o in graph.operators if o.kind in _OF_ONE_SCALE]
    for operator in (*moves, *reversed(moves)):
        data = operator.inputs[1 if operator.kind == "SPLIT" else 0]  # SPLIT names its axis first
        around = [names[i] for i in (data, *operator.outputs)]
        ends = [found[name] for name in around if name in found]
        if ends:
            found.update({name: ends[0] for name in around if name not in found})
    return found


def _in_float(graph: TfliteGraph, same: Mapping[str, frozenset[str]], ranges: Ranges) -> dict[str, str]:
    """Operators by first output: the network has their tensor, and no scale for it."""
    outputs = [graph.tensors[o.outputs[0]] for o in graph.operators if o.outputs]
    return {t.name: _IN_FLOAT for t in outputs if same.get(t.name) and t.name not in ranges}


def _missing(graph: TfliteGraph, ranges: Ranges, in_float: Mapping[str, str]) -> list[str]:
    """Activations of no range that an operator in integers reads or makes."""
    found: dict[str, None] = {}
    for operator in graph.operators:
        if not operator.outputs or graph.tensors[operator.outputs[0]].name in in_float:
            continue
        around = [graph.tensors[i] for i in (*operator.inputs, *operator.outputs)]
        found.update(
            (t.name, None)
            for t in around
            if t.type == "FLOAT32" and not t.constant and t.name not in ranges and t.name not in in_float
        )
    return list(found)


def _calibrated(source: Path, context: Context) -> Ranges:
    samples = context.samples if context.samples is not None else context.heldout
    statistics = calibrate_tflite(source, samples, False, threads=context.threads, cache=context.cache)
    return calibrated(statistics, _CALIBRATOR)
